"""Pipes of small files and short lists: one call of a thread does all, and nobody can tell."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from webstreams import AbortController, ReadableStream, read_file, write_file
from webstreams.ends._blocking import thread_ends
from webstreams.ends._blocking.threads import call_in_thread
from webstreams.ends._files.sources import READ_AHEAD, FileSource
from webstreams.observe import observe

from ..waiting import until
from .writing import BOOM, KIB, names

pytestmark = pytest.mark.usefixtures("no_file_left")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The calls that are made in threads."""
    made: list[Any] = []

    def count(done: Any, failed: Any, function: Any, *arguments: Any) -> None:
        made.append(function)
        call_in_thread(done, failed, function, *arguments)

    monkeypatch.setattr(thread_ends, "call_in_thread", count)
    return made


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Small files are read only when the second event is set; the first one tells that a thread is there."""
    reached, passed = threading.Event(), threading.Event()
    take_small = FileSource.take_small

    def wait(source: FileSource, descriptor: int) -> bytes | None:
        reached.set()
        assert passed.wait(30)
        return take_small(source, descriptor)

    monkeypatch.setattr(FileSource, "take_small", wait)
    yield reached, passed
    passed.set()


async def ended(source: ReadableStream[Any], destination: Any) -> None:
    assert not source.locked
    assert not destination.locked
    assert (await source.get_reader().read()).done
    await destination.get_writer().closed


@pytest.mark.parametrize("chunks", [[b"all"], (b"slow ", b"", b"and ", b"steady"), [b""], [b"x"] * 16])
async def test_a_short_list_is_written_in_one_call(path: Path, chunks: Any, calls: list[Any]) -> None:
    source, destination = ReadableStream.from_(chunks), write_file(path)
    await source.pipe_to(destination)
    assert path.read_bytes() == b"".join(chunks)
    assert len(calls) == 1
    assert names(path) == ["name"]
    await ended(source, destination)


@pytest.mark.parametrize(
    "make",
    [
        lambda: [b"bytes", bytearray(b"and more")],
        lambda: [b"x"] * 17,
        lambda: [b"x" * 40 * KIB, b"y" * 40 * KIB],
        lambda: iter([b"an ", b"iterator"]),
        lambda: (chunk for chunk in (b"a ", b"generator")),
        list,
    ],
    ids=["other types", "many", "large", "an iterator", "a generator", "none"],
)
async def test_any_other_chunks_are_written_too(path: Path, make: Callable[[], Any]) -> None:
    source, destination = ReadableStream.from_(make()), write_file(path)
    await source.pipe_to(destination)
    assert path.read_bytes() == b"".join(make())
    await ended(source, destination)


async def test_the_rest_of_a_list(path: Path) -> None:
    source = ReadableStream.from_([b"first", b"second", b"third"])
    with source.get_reader() as reader:
        assert (await reader.read()).value == b"first"
    await source.pipe_to(write_file(path))
    assert path.read_bytes() == b"secondthird"


async def test_a_wrong_chunk_among_few(path: Path) -> None:
    path.write_bytes(b"old")
    chunks: list[Any] = [b"right", "wrong"]
    with pytest.raises(TypeError, match="not str"):
        await ReadableStream.from_(chunks).pipe_to(write_file(path))
    assert path.read_bytes() == b"old"
    assert names(path) == ["name"]


@pytest.mark.parametrize("size", [1, 2048, READ_AHEAD])
async def test_a_small_file_is_copied_in_one_call(path: Path, tmp_path: Path, size: int, calls: list[Any]) -> None:
    (tmp_path / "original").write_bytes(b"c" * size)
    source, destination = read_file(tmp_path / "original"), write_file(path)
    await source.pipe_to(destination)
    assert path.read_bytes() == b"c" * size
    assert len(calls) == 1
    await ended(source, destination)


@pytest.mark.parametrize(("mode", "expected"), [("in_place", b"new"), ("append", b"the old onenew")])
async def test_a_file_in_place_is_written_in_one_call(
    path: Path, tmp_path: Path, mode: Any, expected: bytes, calls: list[Any]
) -> None:
    (tmp_path / "original").write_bytes(b"new")
    for source in ReadableStream.from_([b"n", b"ew"]), read_file(tmp_path / "original"):
        path.write_bytes(b"the old one")
        inode = path.stat().st_ino
        destination = write_file(path, mode=mode)
        await source.pipe_to(destination)
        assert path.read_bytes() == expected
        assert path.stat().st_ino == inode
        assert len(calls) == 1
        calls.clear()
        await ended(source, destination)


@pytest.mark.parametrize("size", [0, READ_AHEAD + 1, 5 * READ_AHEAD])
async def test_other_files_are_copied_too(path: Path, tmp_path: Path, size: int) -> None:
    (tmp_path / "original").write_bytes(b"c" * size)
    source, destination = read_file(tmp_path / "original"), write_file(path)
    await source.pipe_to(destination)
    assert path.read_bytes() == b"c" * size
    await ended(source, destination)


@pytest.mark.parametrize("options", [{"start": 3}, {"end": 4}, {"start": 1, "end": 2}, {"chunk_size": 2}], ids=str)
async def test_parts_of_a_file(path: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    (tmp_path / "original").write_bytes(b"content")
    await read_file(tmp_path / "original", **options).pipe_to(write_file(path))
    assert path.read_bytes() == b"content"[options.get("start", 0) : options.get("end")]


async def test_a_file_that_was_begun(path: Path, tmp_path: Path) -> None:
    (tmp_path / "original").write_bytes(b"content")
    source = read_file(tmp_path / "original", chunk_size=4)
    with source.get_reader() as reader:
        assert (await reader.read()).value == b"cont"
    await source.pipe_to(write_file(path))
    assert path.read_bytes() == b"ent"


async def test_a_destination_that_is_open(path: Path, tmp_path: Path) -> None:
    (tmp_path / "original").write_bytes(b"content")
    destination = write_file(path)
    async with asyncio.timeout(30):
        await until(lambda: len(names(path)) == 2)  # "original" and the temporary file
    await read_file(tmp_path / "original").pipe_to(destination)
    assert path.read_bytes() == b"content"


async def test_a_file_that_is_missing(path: Path, tmp_path: Path) -> None:
    path.write_bytes(b"old")
    destination = write_file(path)
    with pytest.raises(FileNotFoundError) as caught:
        await read_file(tmp_path / "missing").pipe_to(destination)
    assert caught.value.filename == str(tmp_path / "missing")
    assert "read_file()" in caught.value.__notes__[0]
    assert path.read_bytes() == b"old"
    assert names(path) == ["name"]
    with pytest.raises(FileNotFoundError):
        await destination.get_writer().closed


async def test_a_destination_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "original").write_bytes(b"content")
    source = read_file(tmp_path / "original")
    with pytest.raises(FileNotFoundError) as caught:
        await source.pipe_to(write_file(tmp_path / "missing" / "name"))
    assert caught.value.filename == str(tmp_path / "missing" / "name")
    assert "write_file()" in caught.value.__notes__[0]
    assert (await source.get_reader().read()).done  # it was cancelled


async def cancel_at_the_gate(copy: Awaitable[None], gate: tuple[threading.Event, threading.Event]) -> None:
    """Cancel the task of a copy whose thread is about to read, and let the thread go on."""
    reached, passed = gate
    task = asyncio.ensure_future(_await(copy))
    async with asyncio.timeout(30):
        await until(reached.is_set)
        task.cancel()
        await asyncio.sleep(0)
        passed.set()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_copy_that_is_cancelled_is_not_published(
    path: Path, tmp_path: Path, gate: tuple[threading.Event, threading.Event]
) -> None:
    (tmp_path / "original").write_bytes(b"content")
    source, destination = read_file(tmp_path / "original"), write_file(path)
    await cancel_at_the_gate(source.pipe_to(destination), gate)
    assert names(path) == ["original"]
    assert not source.locked
    assert not destination.locked


@pytest.mark.parametrize("mode", ["in_place", "append"])
async def test_a_copy_that_is_cancelled_before_it_is_read_leaves_what_is_in_place(
    path: Path, tmp_path: Path, gate: tuple[threading.Event, threading.Event], mode: Any
) -> None:
    path.write_bytes(b"old")
    (tmp_path / "original").write_bytes(b"content")
    await cancel_at_the_gate(read_file(tmp_path / "original").pipe_to(write_file(path, mode=mode)), gate)
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("options", [{}, {"prevent_cancel": True}, {"prevent_abort": True}], ids=str)
async def test_an_abort_of_the_signal(
    path: Path, tmp_path: Path, gate: tuple[threading.Event, threading.Event], options: dict[str, Any]
) -> None:
    reached, passed = gate
    (tmp_path / "original").write_bytes(b"content")
    source, destination = read_file(tmp_path / "original"), write_file(path)
    controller = AbortController()
    piping = source.pipe_to(destination, signal=controller.signal, **options)
    async with asyncio.timeout(30):
        await until(reached.is_set)
        controller.abort(BOOM)
        passed.set()
        with pytest.raises(ValueError, match="boom"):
            await piping
        if options:
            await (source.cancel() if "prevent_cancel" in options else destination.abort())
    assert names(path) == ["original"]


async def test_a_pipe_that_does_not_close(path: Path) -> None:
    destination = write_file(path)
    await ReadableStream.from_([b"first"]).pipe_to(destination, prevent_close=True)
    await ReadableStream.from_([b"second"]).pipe_to(destination)
    assert path.read_bytes() == b"firstsecond"


async def test_a_pipe_that_is_observed(path: Path) -> None:
    source, destination = ReadableStream.from_([b"one", b"two"]), write_file(path)
    pipeline = observe(source)
    await source.pipe_to(destination)
    assert [stage.chunks_in for stage in pipeline.stages][-1] == 2
    assert path.read_bytes() == b"onetwo"


async def _await(promise: Any) -> None:
    await promise
