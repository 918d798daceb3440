"""`write_file`: replacing, creating, appending; nothing half-written under the name."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import threading
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from webstreams import ReadableStream
from webstreams.ends._files import sinks as _file_sinks
from webstreams.ends.files import read_file, write_file

from .writing import BOOM, CHUNK, KIB, names, write

pytestmark = pytest.mark.usefixtures("no_file_left")


# What is written.


@pytest.mark.parametrize("mode", ["replace", "create"])
async def test_a_working_directory_that_changes(path: Path, mode: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (path.parent / "other").mkdir()
    monkeypatch.chdir(path.parent)
    writer = write_file("name", mode=mode).get_writer()
    await writer.write(b"content")
    monkeypatch.chdir("other")
    await writer.close()
    assert path.read_bytes() == b"content"
    assert os.listdir() == []
    assert names(path) == ["name", "other"]


@pytest.mark.parametrize("mode", ["replace", "create", "append"])
async def test_a_new_file(path: Path, mode: Any) -> None:
    await write(path, b"slow ", b"", b"and ", b"steady", mode=mode)
    assert path.read_bytes() == b"slow and steady"
    assert names(path) == ["name"]


@pytest.mark.parametrize("mode", ["replace", "create", "append"])
async def test_an_empty_file(path: Path, mode: Any) -> None:
    await write_file(path, mode=mode).close()
    assert path.read_bytes() == b""


@pytest.mark.parametrize("convert", [Path, str, os.fsencode])
async def test_any_kind_of_path(path: Path, convert: Callable[[Path], Any]) -> None:
    await write(convert(path), b"content")
    assert path.read_bytes() == b"content"


async def test_a_relative_path(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    await write(Path("name"), b"content", fsync=True)
    assert names(path) == ["name"]


@pytest.mark.parametrize("mode", ["replace", "append"])
async def test_any_bytes_like_object(path: Path, mode: Any) -> None:
    every_other = memoryview(b"a-b-c-")[::2]
    chunks = [b"bytes", bytearray(b"bytearray"), memoryview(b"view"), array("H", [0x4141]), every_other]
    await write(path, *chunks, mode=mode)
    assert path.read_bytes() == b"bytesbytearrayviewAAabc"


@pytest.mark.parametrize("mode", ["replace", "append"])
async def test_memory_is_free_again_when_it_was_written(path: Path, mode: Any) -> None:
    memory = bytearray(1000)
    async with write_file(path, mode=mode).get_writer() as writer:
        for number in range(50):
            memory[:] = bytes([number]) * 1000
            await writer.write(memory)
        memory.clear()  # nobody has a view of it
    assert path.read_bytes() == b"".join(bytes([number]) * 1000 for number in range(50))


@pytest.mark.parametrize("mode", ["replace", "append"])
async def test_many_chunks_of_all_sizes(path: Path, mode: Any) -> None:
    chunks = [CHUNK * (number % 7) + b"x" * number for number in range(100)]
    await write(path, *chunks, mode=mode)
    assert path.read_bytes() == b"".join(chunks)


async def test_a_copy(path: Path, tmp_path: Path) -> None:
    path.write_bytes(CHUNK * 100)
    await read_file(path).pipe_to(write_file(tmp_path / "copy", fsync=True))
    assert (tmp_path / "copy").read_bytes() == CHUNK * 100


async def test_writes_that_take_a_part_go_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_file_sinks.FileSink, "_write", write_three_bytes)
    await write(path, b"slow and steady")
    assert path.read_bytes() == b"slow and steady"


def write_three_bytes(sink: _file_sinks.FileSink, view: memoryview) -> int:
    assert sink._file is not None
    return sink._file.write(view[:3])


async def test_a_slow_disk_slows_the_writer_down(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    plain_write = _file_sinks.FileSink._write

    def write_slowly(sink: _file_sinks.FileSink, view: memoryview) -> int | None:
        assert go_on.wait(20)
        return plain_write(sink, view)

    monkeypatch.setattr(_file_sinks.FileSink, "_write", write_slowly)
    taken = 0

    def pull(controller: Any) -> None:
        nonlocal taken
        if taken == 4096 * KIB:
            controller.close()
            return
        taken += len(CHUNK)
        controller.enqueue(CHUNK)

    pipe = ReadableStream({"pull": pull}).pipe_to(write_file(path))
    await asyncio.sleep(0.02)
    assert 0 < taken < 1024 * KIB
    go_on.set()
    await pipe
    assert path.stat().st_size == taken == 4096 * KIB


# Replacing.


async def test_the_old_file_stays_until_the_end(path: Path) -> None:
    path.write_bytes(b"old")
    writer = write_file(path).get_writer()
    await writer.write(b"new")
    assert path.read_bytes() == b"old"
    await writer.close()
    assert path.read_bytes() == b"new"


async def test_who_reads_the_old_file_goes_on_with_it(path: Path) -> None:
    path.write_bytes(b"old" * 10)
    reader: Any = read_file(path, chunk_size=20).get_reader(mode="byob")
    await reader.read(bytearray(3))
    await write(path, b"new")
    assert (await reader.read(bytearray(27), min=27)).value == b"old" * 9
    await reader.cancel()


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755, 0o666])
async def test_permissions_are_kept(path: Path, mode: int) -> None:
    path.write_bytes(b"old")
    path.chmod(mode)
    await write(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.parametrize("mode", ["replace", "create", "append"])
async def test_a_new_file_has_what_the_umask_leaves(path: Path, mode: Any) -> None:
    old = os.umask(0o027)
    try:
        await write(path, b"new", mode=mode)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


async def test_a_secret_is_never_readable_by_others(path: Path) -> None:
    path.write_bytes(b"old")
    path.chmod(0o600)
    writer = write_file(path).get_writer()
    await writer.write(b"new")
    assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}
    await writer.close()


async def test_a_symbolic_link_stays(path: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "target").write_bytes(b"old")
    path.symlink_to("folder/target")
    await write(path, b"new")
    assert path.is_symlink() and path.read_bytes() == b"new"
    assert os.listdir(tmp_path / "folder") == ["target"]


async def test_two_writers_the_last_one_wins(path: Path) -> None:
    first, second = write_file(path).get_writer(), write_file(path).get_writer()
    await first.write(b"first")
    await second.write(b"second, and longer")
    await second.close()
    await first.close()
    assert path.read_bytes() == b"first"
    assert names(path) == ["name"]


async def test_a_device_is_not_replaced() -> None:
    before = os.stat("/dev/null")
    await write(Path("/dev/null"), b"nothing")
    assert os.path.samestat(before, os.stat("/dev/null")) and stat.S_ISCHR(os.stat("/dev/null").st_mode)


# Creating.


async def test_a_name_that_exists(path: Path) -> None:
    path.write_bytes(b"old")
    with pytest.raises(FileExistsError) as caught:
        await write(path, b"new", mode="create")
    assert (caught.value.errno, caught.value.filename) == (errno.EEXIST, str(path))
    assert path.read_bytes() == b"old" and names(path) == ["name"]


async def test_a_name_that_somebody_else_takes_meanwhile(path: Path) -> None:
    writer = write_file(path, mode="create").get_writer()
    await writer.write(b"new")
    path.write_bytes(b"old")
    with pytest.raises(FileExistsError) as caught:
        await writer.close()
    assert (caught.value.filename, caught.value.filename2) == (str(path), None)
    assert path.read_bytes() == b"old" and names(path) == ["name"]


async def test_of_two_creators_one_succeeds(path: Path) -> None:
    outcomes = await asyncio.gather(
        *(write(path, bytes([number]) * 100_000, mode="create") for number in range(5)), return_exceptions=True
    )
    assert sum(outcome is None for outcome in outcomes) == 1
    assert {type(outcome) for outcome in outcomes if outcome is not None} == {FileExistsError}
    content = path.read_bytes()
    assert content == content[:1] * 100_000 and names(path) == ["name"]


async def test_a_link_to_nothing_is_a_name_that_exists(path: Path) -> None:
    path.symlink_to("nothing")
    with pytest.raises(FileExistsError):
        await write(path, b"new", mode="create")


async def test_nobody_sees_a_part_of_a_new_file(path: Path) -> None:
    writer = write_file(path, mode="create").get_writer()
    await writer.write(b"half")
    assert not path.exists()
    await writer.close()
    assert path.read_bytes() == b"half"


@pytest.mark.parametrize("is_there", [False, True])
async def test_a_file_system_without_links(path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool) -> None:
    monkeypatch.setattr(os, "link", refuse_to_link)
    writer = write_file(path, mode="create").get_writer()
    await writer.write(b"new")
    if is_there:
        path.write_bytes(b"old")
        with pytest.raises(FileExistsError):
            await writer.close()
    else:
        await writer.close()
    assert path.read_bytes() == (b"old" if is_there else b"new") and names(path) == ["name"]


def refuse_to_link(*_: object) -> None:
    raise PermissionError(errno.EPERM, "no links here")


# Appending.


async def test_appending(path: Path) -> None:
    path.write_bytes(b"old ")
    await write(path, b"new ", mode="append")
    await write(path, b"newer", mode="append")
    assert path.read_bytes() == b"old new newer"


async def test_what_is_appended_is_there_and_stays(path: Path) -> None:
    path.write_bytes(b"old ")
    writer = write_file(path, mode="append").get_writer()
    await writer.write(b"new")
    assert path.read_bytes() == b"old new"
    await writer.abort(BOOM)
    assert path.read_bytes() == b"old new"


async def test_two_appending_writers(path: Path) -> None:
    lines = [[f"{writer} {number}\n".encode() for number in range(200)] for writer in range(2)]
    await asyncio.gather(*(write(path, *each, mode="append") for each in lines))
    found = path.read_bytes().splitlines(keepends=True)
    assert sorted(found) == sorted(lines[0] + lines[1])
    assert [line for line in found if line.startswith(b"0")] == lines[0]
