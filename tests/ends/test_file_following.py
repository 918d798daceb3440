"""``read_file(follow=True)``: files that grow, get shorter, are replaced or vanish."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from webstreams import ReadableStream
from webstreams.ends._files.following import MOST_LOOKS, Fingerprint, FollowedFileSource
from webstreams.ends.files import read_file, write_file

from ..waiting import until
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


LOOKS: list[None] = []


@pytest.fixture(autouse=True)
def looks_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    look = FollowedFileSource.file_has_ended

    def count_and_look(source: FollowedFileSource, file: Any) -> None:
        look(source, file)
        LOOKS.append(None)

    monkeypatch.setattr(FollowedFileSource, "file_has_ended", count_and_look)


async def some_looks() -> None:
    """Wait until somebody has looked whether there is more, from the beginning of the look on."""
    before = len(LOOKS)
    await until(lambda: len(LOOKS) >= before + 3)


async def read_exactly(reader: Any, size: int, mode: str | None = None) -> bytes:
    read = b""
    while len(read) < size:
        value, done = await reader.read(*([bytearray(size - len(read))] if mode else []))
        assert not done
        read += value
    return read


async def test_what_is_appended_later(path: Path) -> None:
    reader = follow(path).get_reader()
    assert await read_exactly(reader, 6) == b"first\n"
    for number in range(5):
        line = f"line {number}\n".encode()
        reading = asyncio.create_task(read_exactly(reader, len(line)))
        await some_looks()
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
    await some_looks()
    assert not read.done()
    append(path, b"ond")
    assert (await read).value == b"second"
    assert memory == b"second"
    await reader.cancel()


@pytest.mark.parametrize("looks", [False, True])
async def test_cancelling_ends_at_once(path: Path, looks: bool) -> None:
    LOOKS.clear()
    before = open_descriptors()
    reader = read_file(path, follow=True, interval=1000).get_reader()
    await reader.read()
    read = reader.read()
    if looks:
        await until(lambda: LOOKS)
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
    await some_looks()
    append(path, b"12345")
    assert (await read).value == b"5"
    await reader.cancel()


async def test_a_file_that_is_made_shorter(path: Path) -> None:
    reader = follow(path).get_reader()
    await reader.read()
    os.truncate(path, 0)
    read = reader.read()
    await some_looks()
    append(path, b"new\n")
    assert (await read).value == b"new\n"
    await reader.cancel()


async def test_a_file_that_is_written_again(path: Path) -> None:
    reader = follow(path).get_reader()
    await reader.read()
    path.write_bytes(b"new\n")  # shorter than before
    assert await read_exactly(reader, 4) == b"new\n"
    await reader.cancel()


@pytest.mark.parametrize("new", [b"completely new content, longer\n", b"FIRST\n", b"1\n2\n3\n", b"new\n"])
@pytest.mark.parametrize("mode", [None, "byob"])
async def test_a_file_that_is_written_anew_whatever_its_size(path: Path, new: bytes, mode: Any) -> None:
    """Issue 11, 3 (`f08`): longer within one look, or as long, it is read from its beginning."""
    reader: Any = follow(path).get_reader(mode=mode)
    assert await read_exactly(reader, 6, mode) == b"first\n"
    reading = asyncio.ensure_future(read_exactly(reader, len(new), mode))
    await some_looks()
    path.write_bytes(new)
    assert await reading == new
    append(path, b"more\n")
    assert await read_exactly(reader, 5, mode) == b"more\n"
    await reader.cancel()


@pytest.mark.parametrize("place", [0, 5_000, 9_990])
async def test_only_a_part_is_different(path: Path, place: int) -> None:
    """What was read is compared in its first and last KiB: a change between them is not seen."""
    content = bytearray(b"%09d\n" % 7 * 1000)
    path.write_bytes(content)
    reader = follow(path).get_reader()
    await read_exactly(reader, len(content))
    content[place : place + 4] = b"XXXX"
    with path.open("r+b") as file:
        file.seek(place)
        file.write(b"XXXX")
    read = reader.read()
    if place == 5_000:
        await some_looks()
        append(path, b"on")
        assert (await read).value == b"on"
    else:
        assert (await read).value == bytes(content)
    await reader.cancel()


async def test_a_file_that_is_written_anew_while_its_middle_is_read(path: Path) -> None:
    path.write_bytes(b"".join(b"old %05d\n" % number for number in range(300)))
    reader = follow(path, chunk_size=10).get_reader()
    for number in range(3):
        assert (await reader.read()).value == b"old %05d\n" % number
    new = b"".join(b"NEW %05d\n" % number for number in range(300))
    path.write_bytes(new)
    received = await read_exactly(reader, len(new))
    if not received.startswith(b"NEW"):  # what was read ahead
        received = received[received.index(b"NEW") :]
        received += await read_exactly(reader, len(new) - len(received))
    assert received == new
    await reader.cancel()


async def test_a_file_that_is_written_anew_right_after_a_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read counts, for it is nowhere else any more."""
    new = [b"of a later time\n"]
    fits = Fingerprint.fits

    def write_and_compare(fingerprint: Fingerprint, file: Any) -> bool:
        if new and fingerprint._tail:
            path.write_bytes(new.pop())
        return fits(fingerprint, file)

    reader = follow(path, chunk_size=3).get_reader()
    assert (await reader.read()).value == b"fir"
    monkeypatch.setattr(Fingerprint, "fits", write_and_compare)
    assert await read_exactly(reader, 19) == b"st\nof a later time\n"
    await reader.cancel()


async def test_a_file_that_is_made_shorter_where_it_was_not_read(path: Path) -> None:
    path.write_bytes(bytes(range(250)) * 4000)
    reader = follow(path).get_reader()
    value = (await reader.read()).value
    assert value is not None
    os.truncate(path, 900_000)
    assert len(await read_exactly(reader, 900_000 - len(value))) == 900_000 - len(value)
    append(path, b"more")
    assert await read_exactly(reader, 4) == b"more"
    await reader.cancel()


async def test_touching_is_not_writing(path: Path) -> None:
    reader = follow(path).get_reader()
    await reader.read()
    os.utime(path)
    read = reader.read()
    await some_looks()
    assert not read.done()
    append(path, b"more")
    assert (await read).value == b"more"
    await reader.cancel()


# Rotation.


async def test_late_lines_of_a_rotated_file(path: Path) -> None:
    """Issue 11, 3 (`follow_loses_late_lines`): its writer goes over to the new file later."""
    reader = follow(path).get_reader()
    await reader.read()
    path.rename(path.with_suffix(".1"))
    path.touch()
    for number in range(5):
        reading = asyncio.ensure_future(read_exactly(reader, 7))
        await some_looks()
        append(path.with_suffix(".1"), b"late %d\n" % number)
        assert await reading == b"late %d\n" % number
    append(path.with_suffix(".1"), b"last\n")
    append(path, b"of the new one\n")
    assert await read_exactly(reader, 20) == b"last\nof the new one\n"
    await reader.cancel()


async def test_one_of_several_writers_is_late(path: Path) -> None:
    reader = follow(path).get_reader()
    await reader.read()
    path.rename(path.with_suffix(".1"))
    path.write_bytes(b"of the new one\n")
    read = asyncio.ensure_future(read_exactly(reader, 20))
    append(path.with_suffix(".1"), b"late\n")
    assert await read == b"late\nof the new one\n"
    await reader.cancel()


async def test_a_writer_that_never_goes_over(path: Path) -> None:
    """The new file is not waited with for ever."""
    reader = follow(path).get_reader()
    await reader.read()
    old = path.with_suffix(".1")
    path.rename(old)
    path.write_bytes(b"NEW")
    append(old, b"old\n")
    received = 0
    while (value := (await reader.read()).value) != b"NEW":
        assert value == b"old\n" * (len(value or b"") // 4)
        received += 1
        if received <= 2 * MOST_LOOKS:
            append(old, b"old\n")
    assert received > 1
    await reader.cancel()


async def test_two_rotations_of_a_writer_that_waits(path: Path) -> None:
    reader = follow(path).get_reader()
    await reader.read()
    read = asyncio.ensure_future(read_exactly(reader, 15))
    path.rename(path.with_suffix(".2"))
    path.touch()
    await until(lambda: str(path) in open_descriptors().values())  # it is known
    append(path, b"second\n")
    path.rename(path.with_suffix(".1"))
    path.write_bytes(b"third\n")
    append(path.with_suffix(".2"), b"1\n")
    assert await read == b"1\nsecond\nthird\n"
    await until(lambda: list(open_descriptors().values()).count(str(path)) == 1)
    await reader.cancel()


async def test_cancelling_while_the_new_file_is_empty(path: Path) -> None:
    before = open_descriptors()
    reader = follow(path).get_reader()
    await reader.read()
    read = reader.read()
    path.rename(path.with_suffix(".1"))
    path.touch()
    await until(lambda: str(path) in open_descriptors().values())
    await reader.cancel()
    assert (await read).done
    assert open_descriptors() == before


async def test_a_link_that_points_elsewhere_later(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(path)
    reader = follow(link).get_reader()
    await reader.read()
    (tmp_path / "other").write_bytes(b"other\n")
    (tmp_path / "link.new").symlink_to(tmp_path / "other")
    (tmp_path / "link.new").rename(link)
    assert await read_exactly(reader, 6) == b"other\n"
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
    await some_looks()
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


async def test_what_is_read_before_the_name_is_of_no_use(path: Path) -> None:
    reader = follow(path).get_reader()
    await reader.read()
    with path.open("ab") as file:
        path.unlink()
        path.mkdir()
        file.write(b"last\n")
    assert (await reader.read()).value == b"last\n"
    with pytest.raises(IsADirectoryError):
        await reader.read()


async def test_a_directory_that_is_made_anew(tmp_path: Path) -> None:
    """Meanwhile something else has its name."""
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "log"
    path.write_bytes(b"first\n")
    reader = follow(path).get_reader()
    await reader.read()
    folder.rename(tmp_path / "old")
    folder.touch()
    read = reader.read()
    await some_looks()
    assert not read.done()
    folder.unlink()
    folder.mkdir()
    path.write_bytes(b"second\n")
    assert (await read).value == b"second\n"
    await reader.cancel()


async def test_a_directory_that_stays_away(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "log").write_bytes(b"first\n")
    reader = follow(folder / "log").get_reader()
    await reader.read()
    folder.rename(tmp_path / "old")
    folder.touch()
    with pytest.raises(NotADirectoryError):
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
    await some_looks()
    await reader.cancel()
    assert (await read).done
