"""``read_file(follow=True)``: files that grow, get shorter, are replaced or vanish."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from webstreams import ReadableStream
from webstreams.ends.files import read_file, write_file

from .descriptors import open_descriptors

INTERVAL = 0.002


pytestmark = pytest.mark.usefixtures("no_file_left")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "log"
    file.write_bytes(b"first\n")
    return file


def follow(path: Path, **options: Any) -> ReadableStream[bytes]:
    return read_file(path, follow=True, interval=INTERVAL, **options)


def append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


async def some_polls() -> None:
    await asyncio.sleep(5 * INTERVAL)


async def read_exactly(reader: Any, size: int) -> bytes:
    read = b""
    while len(read) < size:
        value, done = await reader.read()
        assert not done
        read += value
    return read


async def test_what_is_appended_later(path: Path) -> None:
    reader = follow(path).get_reader()
    assert await read_exactly(reader, 6) == b"first\n"
    for number in range(5):
        line = f"line {number}\n".encode()
        reading = asyncio.create_task(read_exactly(reader, len(line)))
        await some_polls()
        assert not reading.done()
        append(path, line)
        assert await reading == line
    await reader.cancel()


async def test_memory_of_the_readers_own(path: Path) -> None:
    reader: Any = follow(path).get_reader(mode="byob")
    assert (await reader.read(bytearray(6), min=6)).value == b"first\n"
    memory = bytearray(6)
    read = reader.read(memory, min=6)
    append(path, b"sec")
    await some_polls()
    assert not read.done()
    append(path, b"ond")
    assert (await read).value == b"second"
    assert memory == b"second"
    await reader.cancel()


@pytest.mark.parametrize("polls", [False, True])
async def test_cancelling_ends_at_once(path: Path, polls: bool) -> None:
    before = open_descriptors()
    reader = read_file(path, follow=True, interval=1000).get_reader()
    await reader.read()
    read = reader.read()
    if polls:
        await asyncio.sleep(0.01)
    await reader.cancel()
    assert (await read).done
    assert open_descriptors() == before


async def test_a_cancelled_read_loses_nothing(path: Path) -> None:
    reader = follow(path).get_reader()
    await reader.read()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5 * INTERVAL):
            await reader.read()
    append(path, b"late")
    assert await read_exactly(reader, 4) == b"late"
    await reader.cancel()


async def test_up_to_an_end_that_is_not_there_yet(path: Path) -> None:
    reader = follow(path, start=2, end=10).get_reader()
    assert await read_exactly(reader, 4) == b"rst\n"
    append(path, b"second\n")
    assert await read_exactly(reader, 4) == b"seco"
    assert (await reader.read()).done


async def test_from_a_start_that_is_not_there_yet(path: Path) -> None:
    reader = follow(path, start=10).get_reader()
    read = reader.read()
    await some_polls()
    append(path, b"12345")
    assert (await read).value == b"5"
    await reader.cancel()


async def test_a_file_that_is_made_shorter(path: Path) -> None:
    reader = follow(path).get_reader()
    await reader.read()
    os.truncate(path, 0)
    read = reader.read()
    await some_polls()
    append(path, b"new\n")
    assert (await read).value == b"new\n"
    await reader.cancel()


async def test_a_file_that_is_written_again(path: Path) -> None:
    reader = follow(path).get_reader()
    await reader.read()
    path.write_bytes(b"new\n")  # shorter than before
    assert await read_exactly(reader, 4) == b"new\n"
    await reader.cancel()


async def test_a_file_that_is_replaced(path: Path) -> None:
    reader = follow(path).get_reader()
    await reader.read()
    append(path, b"last\n")
    path.rename(path.with_suffix(".1"))
    await ReadableStream.from_([b"of the new one\n"]).pipe_to(write_file(path))
    assert await read_exactly(reader, 20) == b"last\nof the new one\n"
    append(path, b"more\n")
    assert await read_exactly(reader, 5) == b"more\n"
    await reader.cancel()


async def test_a_file_that_vanishes_and_comes_again(path: Path) -> None:
    reader = follow(path).get_reader()
    await reader.read()
    path.unlink()
    read = reader.read()
    await some_polls()
    assert not read.done()
    path.write_bytes(b"again\n")
    assert (await read).value == b"again\n"
    await reader.cancel()


async def test_one_descriptor_however_many_files(path: Path) -> None:
    before = len(open_descriptors())
    reader = follow(path).get_reader()
    await reader.read()
    for number in range(5):
        path.rename(path.with_suffix(f".{number}"))
        path.write_bytes(b"12345")
        assert await read_exactly(reader, 5) == b"12345"
    assert len(open_descriptors()) == before + 1
    await reader.cancel()


async def test_a_name_that_becomes_a_directory(path: Path) -> None:
    reader = follow(path).get_reader()
    await reader.read()
    path.unlink()
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        await reader.read()


async def test_a_missing_file(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await follow(path.with_name("missing")).get_reader().read()


async def test_the_next_writer_of_a_fifo(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = follow(fifo).get_reader()
    for content in (b"first", b"second"):
        writing = asyncio.create_task(asyncio.to_thread(fifo.write_bytes, content))
        assert await read_exactly(reader, len(content)) == content
        await writing
    read = reader.read()
    await some_polls()
    await reader.cancel()
    assert (await read).done
