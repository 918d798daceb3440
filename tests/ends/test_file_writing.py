"""`write_file`: replacing, creating, appending; nothing half-written under the name, and nothing left behind."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import stat
import subprocess
import sys
import threading
import warnings
from array import array
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from webstreams import AbortError, ReadableStream, WritableStream
from webstreams.ends._files import sinks as _file_sinks
from webstreams.ends.files import read_file, write_file

from .descriptors import open_descriptors

KIB = 1024
CHUNK = bytes(range(256)) * 256
BOOM = ValueError("boom")


pytestmark = pytest.mark.usefixtures("no_file_left")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "name"


def names(path: Path) -> list[str]:
    return sorted(os.listdir(path.parent))


async def write(path: Path, *chunks: Any, **options: Any) -> None:
    await ReadableStream.from_(chunks).pipe_to(write_file(path, **options))


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
