"""`write_file` that is aborted, dropped or fails, and full disks: nothing is left behind."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import stat
import subprocess
import sys
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from webstreams import AbortError, ReadableStream, WritableStream
from webstreams.ends._files import sinks as _file_sinks
from webstreams.ends.files import read_file, write_file

from .descriptors import open_descriptors
from .writing import BOOM, CHUNK, KIB, names, write

pytestmark = pytest.mark.usefixtures("no_file_left")


# Aborting and dropping.


@pytest.mark.parametrize("mode", ["replace", "create"])
@pytest.mark.parametrize("turns", range(6))
async def test_an_abort_leaves_nothing(path: Path, mode: Any, turns: int) -> None:
    if mode == "replace":
        path.write_bytes(b"old")
    before = open_descriptors()
    writer = write_file(path, mode=mode).get_writer()
    writes = [writer.write(CHUNK) for _ in range(20)]
    for _ in range(turns):
        await asyncio.sleep(0)
    await writer.abort(BOOM)
    assert open_descriptors() == before
    assert names(path) == (["name"] if mode == "replace" else [])
    assert mode == "create" or path.read_bytes() == b"old"
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    assert set(outcomes) <= {None, BOOM}


async def test_a_source_that_fails(path: Path) -> None:
    path.write_bytes(b"old")

    async def fail() -> AsyncIterator[bytes]:
        yield CHUNK
        raise BOOM

    with pytest.raises(ValueError) as caught:
        await ReadableStream.from_(fail()).pipe_to(write_file(path))
    assert caught.value is BOOM
    assert path.read_bytes() == b"old" and names(path) == ["name"]


async def test_a_pipe_that_is_cancelled(path: Path) -> None:
    source = ReadableStream({"start": lambda controller: controller.enqueue(CHUNK)})

    async def pipe() -> None:
        await source.pipe_to(write_file(path))

    task = asyncio.create_task(pipe())
    while not names(path):
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert names(path) == []


async def test_a_block_that_raises(path: Path) -> None:
    with pytest.raises(ValueError):
        async with write_file(path).get_writer() as writer:
            await writer.write(b"half")
            raise BOOM
    assert names(path) == []


@pytest.mark.parametrize("count", [1, 20])
async def test_a_stream_that_is_dropped(path: Path, count: int) -> None:
    writer = write_file(path).get_writer()
    for _ in range(count):
        await writer.write(CHUNK)
    assert len(names(path)) == 1
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del writer
        while names(path):  # the thread may be writing
            await asyncio.sleep(0.001)
            gc.collect()
    assert {each.category for each in caught} <= {ResourceWarning}


PROGRAM = """
import asyncio, sys
from webstreams.ends.files import write_file

async def main():
    stream = write_file(sys.argv[1])
    writer = stream.get_writer()
    await writer.write(b"half")
    globals()["kept"] = writer

asyncio.run(main())
"""


def test_a_program_that_ends_without_closing(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, path], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0
    assert done.stderr.count(b"was cut off by the end of the event loop") == 1
    assert f"write_file({str(path)!r})".encode() in done.stderr
    assert names(path) == []


# Errors.


@pytest.mark.parametrize("mode", ["replace", "create", "append"])
async def test_a_directory_that_is_missing(path: Path, mode: Any) -> None:
    stream = write_file(path / "below", mode=mode)
    with pytest.raises(FileNotFoundError) as caught:
        await stream.get_writer().write(b"lost")
    assert caught.value.filename == str(path / "below")


@pytest.mark.parametrize("mode", ["replace", "append"])
async def test_a_directory_cannot_be_written(path: Path, mode: Any) -> None:
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        await write(path, b"lost", mode=mode)
    assert names(path) == ["name"]


async def test_a_name_that_becomes_a_directory(path: Path) -> None:
    writer = write_file(path).get_writer()
    await writer.write(b"lost")
    path.mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        await writer.close()
    assert (caught.value.filename, caught.value.filename2) == (str(path), None)
    assert str(caught.value).endswith(f": {str(path)!r}")
    assert names(path) == ["name"]


@pytest.mark.parametrize("mode", ["replace", "append"])
@pytest.mark.parametrize("chunk", ["text", 5, None, [1]])
async def test_what_is_no_chunk(path: Path, mode: Any, chunk: Any) -> None:
    writer = write_file(path, mode=mode).get_writer()
    await writer.write(b"bytes")
    with pytest.raises(TypeError, match="bytes-like"):
        await writer.write(chunk)
    with pytest.raises(TypeError):
        await writer.closed
    assert names(path) == (["name"] if mode == "append" else [])


@pytest.mark.parametrize(("arguments", "error"), [({"mode": "w"}, ValueError), ({"path": 3}, TypeError)])
async def test_wrong_arguments(tmp_path: Path, arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        write_file(**{"path": tmp_path / "name", **arguments})
    assert os.listdir(tmp_path) == []


# A full disk.


@pytest.mark.parametrize("mode", ["replace", "create", "append"])
async def test_an_empty_name(path: Path, mode: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not the working directory."""
    monkeypatch.chdir(path.parent)
    with pytest.raises(FileNotFoundError):
        await ReadableStream.from_([b"x"]).pipe_to(write_file("", mode=mode))
    assert names(path) == []


async def test_a_full_device() -> None:
    writer = write_file("/dev/full").get_writer()
    with pytest.raises(OSError) as caught:
        await writer.write(b"too much")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, "/dev/full")


@pytest.mark.parametrize("is_there", [False, True])
@pytest.mark.parametrize("mode", ["replace", "create"])
async def test_a_full_disk(path: Path, monkeypatch: pytest.MonkeyPatch, mode: Any, is_there: bool) -> None:
    """The system writes what there is room for; then there is none. It is written in a thread, so when is not sure."""
    old = {"name": b"old"} if is_there and mode == "replace" else {}
    for name, content in old.items():
        (path.parent / name).write_bytes(content)
    disk = Disk(500 * KIB)
    monkeypatch.setattr(_file_sinks.FileSink, "_write", disk.write)
    before = open_descriptors()
    with pytest.raises(OSError) as caught:
        await write(path, *[CHUNK] * 100, mode=mode)
    assert caught.value is disk.error
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
    assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == old
    assert open_descriptors() == before


async def test_a_disk_that_is_full_at_the_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(1000)
    monkeypatch.setattr(_file_sinks.FileSink, "_write", disk.write)
    writer = write_file(path).get_writer()
    written = writer.write(CHUNK)
    closed = writer.close()
    outcomes = await asyncio.gather(written, closed, return_exceptions=True)
    assert outcomes[1] is disk.error
    assert names(path) == []


class Disk:
    """A disk with little room."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def write(self, view: memoryview) -> int:
        if not self.room:
            raise self.error
        size = min(self.room, len(view))
        self.room -= size
        return size


LIMITED = """
import asyncio, errno, os, resource, sys
from webstreams import ReadableStream
from webstreams.ends.files import write_file

async def main():
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    try:
        await ReadableStream.from_([bytes(65536)] * 50).pipe_to(write_file(sys.argv[1]))
    except OSError as error:
        print(errno.errorcode[error.errno], error.filename == sys.argv[1], os.listdir(os.path.dirname(sys.argv[1])))

asyncio.run(main())
"""


def test_a_limit_of_the_system(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", LIMITED, path], capture_output=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == (b"EFBIG True []\n", b"")


# FIFOs.


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[Path]:
    os.mkfifo(tmp_path / "fifo")
    yield tmp_path / "fifo"


async def test_a_fifo_is_written_to(fifo: Path) -> None:
    stream = write_file(fifo)  # nobody reads it yet
    reading = asyncio.create_task(asyncio.to_thread(fifo.read_bytes))
    await ReadableStream.from_([CHUNK] * 10).pipe_to(stream)
    assert await reading == CHUNK * 10
    assert stat.S_ISFIFO(fifo.stat().st_mode)


async def test_from_fifo_to_fifo(fifo: Path, tmp_path: Path) -> None:
    await asyncio.gather(
        ReadableStream.from_([CHUNK] * 10).pipe_to(write_file(fifo)),
        read_file(fifo).pipe_to(write_file(tmp_path / "copy")),
    )
    assert (tmp_path / "copy").read_bytes() == CHUNK * 10


async def test_waiting_for_a_reader_can_be_aborted(fifo: Path) -> None:
    writer = write_file(fifo).get_writer()
    written = writer.write(CHUNK)
    await asyncio.sleep(0.01)
    await writer.abort(BOOM)
    assert (await asyncio.gather(written, return_exceptions=True))[0] is BOOM


async def test_a_write_that_waits_can_be_aborted(fifo: Path) -> None:
    descriptor = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    writer = write_file(fifo).get_writer()
    written = writer.write(bytes(1024 * KIB))
    await asyncio.sleep(0.01)
    await writer.abort(AbortError("enough"))
    with pytest.raises(AbortError, match="enough"):
        await written
    os.close(descriptor)


async def test_a_reader_that_goes_away(fifo: Path) -> None:
    descriptor = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    stream: WritableStream[Any] = write_file(fifo)
    writer = stream.get_writer()
    await writer.write(b"read by nobody")
    os.close(descriptor)
    with pytest.raises(BrokenPipeError) as caught:
        await writer.write(b"lost")
    assert caught.value.filename == str(fifo)
