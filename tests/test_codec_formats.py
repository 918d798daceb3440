"""What compressed data of real senders is like: flushed, cut off, of many members or frames, with large windows."""

from __future__ import annotations

import asyncio
import gzip
import random
import sys
import zlib
from typing import Any

import brotli  # type: ignore[import-untyped]
import pytest

from tests.compressing import failure
from tests.grids import each_of, each_row
from tests.loops import on_one_loop
from tests.waiting import another_task, each_look_ends_a_turn
from webstreams import CompressionFormat, CompressionStream, DataError, DecompressionStream, ReadableStream
from webstreams._transforms.decompressors import LONGEST_STEP, make_decompressor

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FORMATS: list[CompressionFormat] = ["brotli", "deflate", "deflate-raw", "gzip", "zstd"]
ALL_FORMATS = each_of(format=FORMATS)


async def through(chunks: list[bytes], stream: CompressionStream | DecompressionStream) -> bytes:
    return await ReadableStream.from_(chunks).pipe_through(stream).bytes()


def flushed(format: CompressionFormat, data: bytes) -> bytes:
    """Compress data as a server does that keeps the stream open: everything is there but the end."""
    if format == "brotli":
        codec: Any = brotli.Compressor(quality=4)
        return bytes(codec.process(data) + codec.flush())
    if format == "zstd":
        codec = zstd.ZstdCompressor()
        return bytes(codec.compress(data) + codec.flush(zstd.ZstdCompressor.FLUSH_BLOCK))
    codec = zlib.compressobj(6, zlib.DEFLATED, {"gzip": 31, "deflate": 15, "deflate-raw": -15}[format])
    return bytes(codec.compress(data) + codec.flush(zlib.Z_SYNC_FLUSH))


def page(size: int) -> bytes:
    return (b"<p>the quick brown fox</p>" * (size // 20 + 1))[:size]


# Data whose end has not come yet.


@ALL_FORMATS
@each_of(size=[1, 32_752, 32_753, 65_536, 100_000, 1_000_000])
async def test_all_of_a_flushed_stream_comes_out(format: CompressionFormat, size: int) -> None:
    """Brotli's decompressor gives 32,752 bytes a call at most, and does not say that it has more."""
    stream = DecompressionStream(format)
    writer, reader = stream.writable.get_writer(), stream.readable.get_reader()
    write = writer.write(flushed(format, page(size)))
    came = bytearray()
    while len(came) < size:
        piece = (await asyncio.wait_for(reader.read(), 20)).value
        assert piece is not None
        came += piece
    assert bytes(came) == page(size)
    await asyncio.wait_for(write, 20)
    await reader.cancel()


@ALL_FORMATS
async def test_all_of_a_stream_that_is_cut_off_comes_out_before_the_error(format: CompressionFormat) -> None:
    came, error = await failure([flushed(format, page(1_000_000))], DecompressionStream(format))
    assert came == page(1_000_000)
    assert "truncated" in str(error)


@ALL_FORMATS
async def test_a_step_with_nothing_to_give_ends(format: CompressionFormat) -> None:
    """The rest of a flushed block, and then a byte that completes nothing: no call goes on for ever."""
    data = flushed(format, page(100_000))
    codec = make_decompressor(format)
    came = bytearray()
    for start in range(len(data)):
        codec.take(data[start : start + 1])
        while not codec.used_up:
            came += codec.step()
    assert bytes(came) == page(100_000)


# Members of gzip.

MEMBERS = {
    "one": (gzip.compress(b"one\n"), b"one\n"),
    "two": (gzip.compress(b"one\n") + gzip.compress(b"two\n"), b"one\ntwo\n"),
    "padded": (gzip.compress(b"one\n") + bytes(512), b"one\n"),
    "padding between": (gzip.compress(b"one\n") + bytes(7) + gzip.compress(b"two\n") + b"\0", b"one\ntwo\n"),
    "much padding": (gzip.compress(b"one\n") + bytes(100_000) + gzip.compress(b"two\n"), b"one\ntwo\n"),
    "empty ones": (gzip.compress(b"") * 1000 + gzip.compress(b"end") + gzip.compress(b"") * 1000, b"end"),
    "long ones": (gzip.compress(page(100_000)) * 3, page(100_000) * 3),
}


@on_one_loop
@each_of(size=[1, 5, 4096, 1_000_000])
@each_of(name=MEMBERS)
async def test_concatenated_reads_all_members(name: str, size: int) -> None:
    data, expected = MEMBERS[name]
    if len(data) > 10_000 * size:
        size = 100
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    assert await through(chunks, DecompressionStream("gzip", concatenated=True)) == expected == gzip.decompress(data)


@each_of(name=[name for name in MEMBERS if name != "one"])
async def test_the_standard_takes_one_member(name: str) -> None:
    """And says how the others can be had."""
    data, expected = MEMBERS[name]
    came, error = await failure([data], DecompressionStream("gzip"))
    assert expected.startswith(came)
    assert "trailing data after the end of the gzip data" in str(error)
    assert "concatenated=True" in str(error)


async def test_what_is_no_member_is_an_error_behind_the_others() -> None:
    for junk in (b"junk", b"\0\0junk", b"\x1e"):
        came, error = await failure([gzip.compress(b"one") + junk], DecompressionStream("gzip", concatenated=True))
        assert came == b"one"
        assert "trailing data after the end" in str(error)


@each_of(missing=[1, 9, 18, 22])
async def test_a_second_member_that_is_cut_off_is_an_error(missing: int) -> None:
    data = gzip.compress(b"one") + gzip.compress(b"two")
    came, error = await failure([data[:-missing]], DecompressionStream("gzip", concatenated=True))
    assert came.startswith(b"one")
    assert "truncated" in str(error)


@each_of(format=["brotli", "deflate", "deflate-raw"])
async def test_formats_without_members_say_so(format: CompressionFormat) -> None:
    with pytest.raises(ValueError, match='concatenated=True is for "gzip"'):
        DecompressionStream(format, concatenated=True)


async def test_concatenated_changes_nothing_for_zstd() -> None:
    data = zstd.compress(b"one") + zstd.compress(b"two")
    assert await through([data], DecompressionStream("zstd", concatenated=True)) == b"onetwo"
    assert await through([data], DecompressionStream("zstd")) == b"onetwo"


# Many of them: a step is short, whatever is in a chunk.

MANY = 5_000
VERY_MANY = 20_000
TINY = {
    "gzip": gzip.compress(b"", mtime=0),
    "zstd": zstd.compress(b""),
}
SKIPPABLE = b"\x50\x2a\x4d\x18" + bytes(4)


@each_of(tiny=[TINY["gzip"], TINY["zstd"], SKIPPABLE, TINY["zstd"] + SKIPPABLE, TINY["gzip"] + b"\0"])
def test_one_step_reads_a_bounded_number_of_members(tiny: bytes) -> None:
    """Each takes some microseconds; the loop's other tasks must not wait for thousands of them."""
    gzipped = tiny[:2] == b"\x1f\x8b"
    codec = make_decompressor("gzip" if gzipped else "zstd", gzipped)
    codec.take(tiny * MANY)
    steps = 0
    while not codec.used_up:
        assert codec.step() == b""
        steps += 1
    assert codec.failure is None
    assert steps >= MANY / (2 * LONGEST_STEP)
    codec.finish()


@each_row(("format", "tiny"), TINY.items())
async def test_the_loop_goes_on_between_many_members(format: CompressionFormat, tiny: bytes) -> None:
    stream = DecompressionStream(format, concatenated=True)
    async with another_task() as beats:
        with each_look_ends_a_turn():
            assert await through([tiny * VERY_MANY], stream) == b""
    assert beats.count > 3


@each_of(format=["gzip", "zstd"])
async def test_what_comes_before_a_corrupt_member_is_given(format: CompressionFormat) -> None:
    good = gzip.compress(b"good") if format == "gzip" else zstd.compress(b"good")
    bad = bytearray(gzip.compress(page(1000)) if format == "gzip" else zstd.compress(page(1000)))
    bad[10:] = b"\xff" * len(bad[10:])
    came, error = await failure([good * 3 + bytes(bad)], DecompressionStream(format, concatenated=True))
    assert came == b"good" * 3
    assert isinstance(error.__cause__, (zlib.error, zstd.ZstdError))


# Windows of zstd.


def zstd_header(window_descriptor: int) -> bytes:
    """Return the beginning of a frame with a window of that size, and its only block: empty."""
    return b"\x28\xb5\x2f\xfd" + bytes([0, window_descriptor]) + b"\x01\x00\x00"


def with_window(log: int, data: bytes) -> bytes:
    """Compress data of unknown length with a window of 2 ** log bytes."""
    codec = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: log})
    return bytes(codec.compress(data) + codec.flush())


@each_row(("log", "size"), [(20, 1 << 20), (23, 1 << 23)])
async def test_zstd_windows_up_to_8_mib_are_read(log: int, size: int) -> None:
    assert await through([with_window(log, page(100_000))], DecompressionStream("zstd")) == page(100_000)
    assert await through([with_window(log, b"x")], DecompressionStream("zstd", max_window=size)) == b"x"


@each_of(chunk_size=[1, 3, 1_000_000])
@each_of(log=[24, 27, 28, 30])
async def test_larger_zstd_windows_are_refused_and_can_be_allowed(log: int, chunk_size: int) -> None:
    data = zstd.compress(b"before") + with_window(log, page(1000))
    chunks = [data[start : start + chunk_size] for start in range(0, len(data), chunk_size)]
    came, error = await failure(chunks, DecompressionStream("zstd"))
    assert came == b"before"
    assert f"a window of {1 << log} bytes" in str(error)
    assert f'DecompressionStream("zstd", max_window={1 << log})' in str(error)
    allowed = DecompressionStream("zstd", max_window=1 << log)
    assert await through(chunks, allowed) == b"before" + page(1000)


async def test_max_window_is_exact() -> None:
    """2 ** 20 bytes and 3 eighths of it: what the format can say, though the library knows powers of two only."""
    data = zstd_header((10 << 3) + 3)
    size = (1 << 20) + 3 * (1 << 17)
    assert await through([data], DecompressionStream("zstd", max_window=size)) == b""
    _, error = await failure([data], DecompressionStream("zstd", max_window=size - 1))
    assert f"a window of {size} bytes" in str(error)


@each_of(size=[1, 200, 300, 65_535, 65_792, 70_000])
async def test_a_frame_of_known_size_wants_a_window_of_that_size(size: int) -> None:
    """The size of the content takes 1, 2 or 4 bytes."""
    data = zstd.compress(random.Random(size).randbytes(size))
    assert len(await through([data], DecompressionStream("zstd", max_window=size))) == size
    if size > 1:
        _, error = await failure([data], DecompressionStream("zstd", max_window=size - 1))
        assert f"a window of {size} bytes" in str(error)


async def test_no_window_is_as_large_as_some_frames_say() -> None:
    """2 ** 41 bytes: the library itself refuses it."""
    _, error = await failure([zstd_header(0xFF)], DecompressionStream("zstd", max_window=10**30))
    assert isinstance(error.__cause__, zstd.ZstdError)


@each_row(("max_window", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), (None, TypeError)])
@each_of(format=["zstd", "gzip"])
async def test_a_wrong_max_window(format: CompressionFormat, max_window: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="max_window must be"):
        DecompressionStream(format, max_window=max_window)


# Events.


@ALL_FORMATS
async def test_flushed_chunks_come_out_at_the_other_end_at_once(format: CompressionFormat) -> None:
    compression = CompressionStream(format, flush_chunks=True)
    writer = compression.writable.get_writer()
    reader = compression.readable.pipe_through(DecompressionStream(format)).get_reader()
    for number in range(20):
        event = b"data: event %d\n\n" % number
        write = writer.write(event)
        assert await asyncio.wait_for(reader.read(), 20) == (event, False)
        await write
    await writer.close()
    assert (await reader.read()).done


@on_one_loop
@ALL_FORMATS
@each_of(size=[0, 1, 100_000, 1_000_000])
async def test_flushing_changes_nothing_else(format: CompressionFormat, size: int) -> None:
    data = random.Random(size).randbytes(size // 2) + bytes(size - size // 2)
    chunks = [data, b"", data]
    compressed = await through(chunks, CompressionStream(format, flush_chunks=True, level=3))
    assert await through([compressed], DecompressionStream(format)) == data * 2


async def test_without_flushing_an_event_waits() -> None:
    """The Standard's behaviour, and the default."""
    stream = CompressionStream("deflate-raw")
    write = stream.writable.get_writer().write(b"data: event\n\n")
    read = stream.readable.get_reader().read()
    await write
    assert not read.done()


# The error.


def test_data_errors_are_what_both_worlds_expect() -> None:
    """The Standard's `TypeError`, Python's `ValueError`."""
    assert issubclass(DataError, TypeError)
    assert issubclass(DataError, ValueError)
