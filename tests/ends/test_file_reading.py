"""`read_file`: whole files and ranges, memory of the reader's own, cancelling, files that get shorter, FIFOs."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import threading
import warnings
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from webstreams import ReadableStream, TransformStream, WritableStream
from webstreams.ends._files import sources as _file_sources
from webstreams.ends.files import TruncatedFileError, read_file, write_file

from .descriptors import open_descriptors

KIB = 1024
PIECE = 64 * KIB


pytestmark = pytest.mark.usefixtures("no_file_left")


@pytest.fixture(params=["at once", "in threads"])
def path(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of 300 KiB; it is read as the system can, or always in threads."""
    if request.param == "in threads":
        monkeypatch.delattr(os, "RWF_NOWAIT", raising=False)
    file = tmp_path / "file"
    file.write_bytes(CONTENT)
    return file


def numbered(size: int) -> bytes:
    """Bytes of which every place is different."""
    return b"".join(b"%07d " % number for number in range(size // 8))


CONTENT = numbered(300 * KIB)


async def read_all(stream: ReadableStream[bytes]) -> bytes:
    return b"".join([chunk async for chunk in stream])


# Whole files and ranges.


async def test_a_whole_file(path: Path) -> None:
    chunks = [chunk async for chunk in read_file(path)]
    assert b"".join(chunks) == CONTENT
    assert all(type(chunk) is bytes and 0 < len(chunk) <= 4 * PIECE for chunk in chunks)


@pytest.mark.parametrize("convert", [Path, str, os.fsencode])
async def test_any_kind_of_path(path: Path, convert: Callable[[Path], Any]) -> None:
    assert await read_all(read_file(convert(path))) == CONTENT


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 4 * PIECE, 4 * PIECE + 1])
async def test_files_of_all_sizes(path: Path, size: int) -> None:
    content = numbered(size + 8)[:size]
    path.write_bytes(content)
    assert await read_all(read_file(path)) == content


@pytest.mark.parametrize(
    ("start", "end"), [(0, 0), (7, 7), (0, 1), (5, 100_000), (PIECE, 2 * PIECE), (299 * KIB, None), (300 * KIB, None)]
)
async def test_a_range(path: Path, start: int, end: int | None) -> None:
    assert await read_all(read_file(path, start=start, end=end)) == CONTENT[start:end]


@pytest.mark.parametrize("chunk_size", [1000, PIECE, 1024 * KIB])
async def test_the_size_of_chunks(path: Path, chunk_size: int) -> None:
    chunks = [chunk async for chunk in read_file(path, chunk_size=chunk_size)]
    assert b"".join(chunks) == CONTENT
    assert max(map(len, chunks)) <= chunk_size


async def test_files_that_tell_no_size() -> None:
    assert b"Name:" in await read_all(read_file("/proc/self/status"))
    assert int(await read_all(read_file("/sys/class/net/lo/mtu"))) > 0  # this one tells a wrong one


async def test_a_device() -> None:
    assert await read_all(read_file("/dev/zero", end=100_000)) == bytes(100_000)
    assert await read_all(read_file("/dev/null")) == b""


# Memory of the reader's own.


@pytest.mark.parametrize("size", [1000, PIECE, 100_000, 1024 * KIB])
async def test_a_byob_reader_gets_its_memory_filled(path: Path, size: int) -> None:
    reader: Any = read_file(path).get_reader(mode="byob")
    memory = bytearray(size)
    read = bytearray()
    while True:
        value, done = await reader.read(memory)
        if done:
            break
        assert value is not None and value.obj is memory
        read += value
    assert read == CONTENT


async def test_a_byob_read_of_a_range_with_a_minimum(path: Path) -> None:
    reader: Any = read_file(path, start=8, end=8 + 100_000).get_reader(mode="byob")
    value, done = await reader.read(bytearray(90_000), min=90_000)
    assert value == CONTENT[8:90_008] and not done
    value, done = await reader.read(bytearray(90_000), min=90_000)
    assert value == CONTENT[90_008:100_008] and done


async def test_a_file_that_ends_in_the_middle_of_an_item(path: Path) -> None:
    path.write_bytes(b"12345")
    reader: Any = read_file(path).get_reader(mode="byob")
    assert (await reader.read(array("H", bytes(4)))).value.tobytes() == b"1234"
    with pytest.raises(TypeError, match="item"):
        await reader.read(array("H", bytes(4)))


async def test_default_and_byob_readers_take_turns(path: Path) -> None:
    stream = read_file(path)
    read = b""
    while len(read) < len(CONTENT):
        with stream.get_reader() as reader:
            read += (await reader.read()).value or b""
        with stream.get_reader(mode="byob") as byob:
            value = (await byob.read(bytearray(10_000))).value
            read += value or b""
    assert read == CONTENT
    assert (await stream.get_reader().read()).done


# Pressure.


async def test_nothing_happens_before_the_first_read(path: Path) -> None:
    before = open_descriptors()
    stream = read_file(path)
    await asyncio.sleep(0.01)
    assert open_descriptors() == before
    await stream.cancel()


async def test_a_consumer_that_stops_stops_the_reading(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(bytes(4096 * KIB))
    sources: list[_file_sources.FileSource] = []
    monkeypatch.setattr("webstreams.ends.files.FileSource", Recorder(sources))
    stopped, go_on = asyncio.Event(), asyncio.Event()

    async def write(chunk: bytes, controller: object) -> None:
        stopped.set()
        await go_on.wait()

    pipe = read_file(path).pipe_through(TransformStream()).pipe_to(WritableStream({"write": write}))
    await stopped.wait()
    await asyncio.sleep(0.02)
    assert 0 < sources[0]._position < 1024 * KIB
    go_on.set()
    await pipe
    assert sources[0]._position == 4096 * KIB


class Recorder:
    """Makes sources and keeps them."""

    def __init__(self, sources: list[_file_sources.FileSource]) -> None:
        self.sources = sources

    def __call__(self, *args: Any) -> _file_sources.FileSource:
        self.sources.append(_file_sources.FileSource(*args))
        return self.sources[-1]


# Cancelling.


async def test_cancelling_closes_the_file_at_once(path: Path) -> None:
    before = open_descriptors()
    stream = read_file(path)
    reader = stream.get_reader()
    await reader.read()
    assert open_descriptors() != before
    await reader.cancel("enough")
    assert open_descriptors() == before


@pytest.mark.parametrize("mode", [None, "byob"])
@pytest.mark.parametrize("turns", range(4))
async def test_cancelling_while_a_read_is_under_way(path: Path, mode: Any, turns: int) -> None:
    before = open_descriptors()
    reader: Any = read_file(path).get_reader(mode=mode)
    read = reader.read(*([bytearray(PIECE)] if mode else []))
    for _ in range(turns):
        await asyncio.sleep(0)
    await reader.cancel()
    assert open_descriptors() == before
    await read


@pytest.mark.parametrize("mode", [None, "byob"])
async def test_a_cancelled_read_loses_nothing(path: Path, mode: Any) -> None:
    reader: Any = read_file(path, chunk_size=10_000).get_reader(mode=mode)
    read = b""
    turns = 0
    while True:
        turns += 1
        task = asyncio.ensure_future(read_once(reader, mode))
        for _ in range(turns % 5):
            await asyncio.sleep(0)
        task.cancel()
        outcome = (await asyncio.gather(task, return_exceptions=True))[0]
        if not isinstance(outcome, BaseException):
            read += outcome
        chunk = await read_once(reader, mode)
        if not chunk:
            break
        read += chunk
    assert read == CONTENT


async def read_once(reader: Any, mode: str | None) -> bytes:
    value, done = await reader.read(*([bytearray(10_000)] if mode else []))
    return b"" if done else bytes(value)


async def test_leaving_an_iteration_closes_the_file(path: Path) -> None:
    before = open_descriptors()
    async for chunk in read_file(path):
        assert chunk
        break
    assert open_descriptors() == before


async def test_a_stream_that_is_dropped_is_a_resource_warning(path: Path) -> None:
    reader = read_file(path).get_reader()
    await reader.read()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del reader
        async with asyncio.timeout(10):
            while not caught:  # the thread that has brought the bytes lets go of them in its own time
                await asyncio.sleep(0.001)
                gc.collect()
    assert {each.category for each in caught} == {ResourceWarning}


def test_a_loop_that_ends_in_the_middle(path: Path) -> None:
    async def main() -> None:
        reader = read_file(path).get_reader()
        reader.read()
        while str(path) not in open_descriptors().values():
            await asyncio.sleep(0)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        asyncio.run(main())
        while str(path) in open_descriptors().values():  # the thread may be reading the file
            gc.collect()


# Errors.


async def test_a_missing_file(tmp_path: Path) -> None:
    stream = read_file(tmp_path / "missing")
    with pytest.raises(FileNotFoundError) as caught:
        await read_all(stream)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOENT, str(tmp_path / "missing"))


async def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        await read_all(read_file(tmp_path))


async def test_a_missing_file_leaves_no_copy(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        await read_file(tmp_path / "missing").pipe_to(write_file(tmp_path / "copy"))
    assert caught.value.filename == str(tmp_path / "missing")
    assert os.listdir(tmp_path) == []


async def test_a_file_that_is_made_shorter(path: Path) -> None:
    path.write_bytes(bytes(2048 * KIB))
    reader = read_file(path).get_reader()
    size = len((await reader.read()).value or b"")
    os.truncate(path, 500 * KIB)
    with pytest.raises(TruncatedFileError) as caught:
        while True:
            size += len((await reader.read()).value or b"")
    assert size >= 256 * KIB
    assert caught.value.filename == str(path)
    assert isinstance(caught.value, OSError) and isinstance(caught.value, EOFError)
    assert f"byte {size}" in str(caught.value) and f"{2048 * KIB} bytes" in str(caught.value)


async def test_a_byob_reader_of_a_file_that_is_made_shorter(path: Path) -> None:
    reader: Any = read_file(path).get_reader(mode="byob")
    await reader.read(bytearray(1000))
    os.truncate(path, 1500)
    assert (await reader.read(bytearray(1000))).value == CONTENT[1000:1500]
    with pytest.raises(TruncatedFileError):
        await reader.read(bytearray(1000))


async def test_a_range_that_the_file_does_not_have(path: Path) -> None:
    reader = read_file(path, start=299 * KIB, end=301 * KIB).get_reader()
    assert (await reader.read()).value == CONTENT[299 * KIB :]
    with pytest.raises(TruncatedFileError, match=f"byte {300 * KIB}, .* byte {301 * KIB}"):
        await reader.read()


async def test_a_file_that_grows_while_it_is_read(path: Path) -> None:
    reader = read_file(path).get_reader()
    read = (await reader.read()).value or b""
    with path.open("ab") as file:
        file.write(b"more")
    while not (result := await reader.read()).done:
        read += result.value or b""
    assert read == CONTENT + b"more"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"start": -1}, ValueError),
        ({"start": 2, "end": 1}, ValueError),
        ({"chunk_size": 0}, ValueError),
        ({"interval": 0}, ValueError),
        ({"interval": float("nan")}, ValueError),
        ({"start": "1"}, TypeError),
        ({"end": 1.5}, TypeError),
        ({"path": 3}, TypeError),
        ({"path": None}, TypeError),
    ],
)
async def test_wrong_arguments(arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        read_file(**{"path": "/dev/null", **arguments})


# FIFOs.


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[Path]:
    os.mkfifo(tmp_path / "fifo")
    yield tmp_path / "fifo"


async def test_a_fifo_is_read_until_its_writer_has_gone(fifo: Path) -> None:
    writing = asyncio.create_task(asyncio.to_thread(fifo.write_bytes, CONTENT))
    assert await read_all(read_file(fifo)) == CONTENT
    await writing


async def test_a_fifo_into_memory_of_the_reader(fifo: Path) -> None:
    writing = asyncio.create_task(asyncio.to_thread(fifo.write_bytes, CONTENT[:1000]))
    reader: Any = read_file(fifo).get_reader(mode="byob")
    value, _ = await reader.read(bytearray(1000), min=1000)
    assert value == CONTENT[:1000]
    assert (await reader.read(bytearray(1))).done
    await writing


@pytest.mark.parametrize("turns", [0, 1, 5, 50])
async def test_waiting_for_a_writer_can_be_cancelled(fifo: Path, turns: int) -> None:
    reader = read_file(fifo).get_reader()
    read = reader.read()
    for _ in range(turns):
        await asyncio.sleep(0)
    await reader.cancel()
    assert (await read).done


async def test_a_fifo_that_nobody_reads_stops_its_writer(fifo: Path) -> None:
    reader = read_file(fifo).get_reader()
    first = reader.read()
    while True:
        try:
            descriptor = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
            break
        except OSError:  # not open for reading yet
            await asyncio.sleep(0.001)
    written = os.write(descriptor, bytes(PIECE))
    await first
    with pytest.raises(BlockingIOError):
        while True:
            written += os.write(descriptor, bytes(PIECE))
    assert written < 1024 * KIB
    os.close(descriptor)
    await reader.cancel()


async def test_a_range_of_a_fifo_is_refused(fifo: Path) -> None:
    with pytest.raises(OSError) as caught:
        await read_all(read_file(fifo, start=1))
    assert caught.value.errno == errno.ESPIPE


# The end of a loop.


class Late(_file_sources.FileSource):
    """A file whose thread begins when the loop is closed."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), 0, None, 1000)
        self.begun = threading.Event()
        self.may_go = threading.Event()
        self.over = threading.Event()

    def _take(self, view: memoryview | None) -> int | list[bytes]:
        self.begun.set()
        self.may_go.wait(10)
        try:
            return super()._take(view)
        finally:
            self.over.set()


def test_a_thread_that_comes_late_opens_nothing(path: Path) -> None:
    async def main() -> Late:
        source = Late(path)
        stream: ReadableStream[bytes] = ReadableStream(source)
        reader = stream.get_reader()
        reader.read()
        while not source.begun.is_set():
            await asyncio.sleep(0)
        reader.cancel()
        return source

    before = open_descriptors()
    source = asyncio.run(main())
    source.may_go.set()
    assert source.over.wait(10)
    assert open_descriptors() == before
