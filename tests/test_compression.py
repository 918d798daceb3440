"""CompressionStream and DecompressionStream: every format, both directions, bounded output, errors."""

from __future__ import annotations

import asyncio
import gc
import gzip
import math
import random
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from threading import Event
from typing import Any

import brotli  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.faults.helpers import turns
from tests.faults.support import quiet, rejection, settled, value
from tests.grids import each_of, each_row
from webstreams import DataError, ReadableStream
from webstreams.compression import CompressionFormat, CompressionStream, DecompressionStream

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PIECE = 65536
# So many are made before somebody has to read again.
PIECES_IN_A_STEP = 4
THREADS = 2

# Each format by other means than ours.
COMPRESS: dict[CompressionFormat, Callable[[bytes], bytes]] = {
    "brotli": lambda data: bytes(brotli.compress(data, quality=4)),
    "deflate": zlib.compress,
    "deflate-raw": lambda data: zlib.compress(data, wbits=-15),
    "gzip": gzip.compress,
    "zstd": zstd.compress,
}
DECOMPRESS: dict[CompressionFormat, Callable[[bytes], bytes]] = {
    "brotli": lambda data: bytes(brotli.decompress(data)),
    "deflate": zlib.decompress,
    "deflate-raw": lambda data: zlib.decompress(data, wbits=-15),
    "gzip": gzip.decompress,
    "zstd": zstd.decompress,
}
FORMATS = list(COMPRESS)

FORMAT_BY_FORMAT = pytest.mark.parametrize("format", FORMATS)
ALL_FORMATS = each_of(format=FORMATS)
# Where much is compressed and the level does not matter: brotli's own level takes twenty times as long.
QUICK: dict[CompressionFormat, int] = {"brotli": 4}


def quick_compression(format: CompressionFormat) -> CompressionStream:
    return CompressionStream(format, level=QUICK.get(format))


@cache
def zeros(format: CompressionFormat, size: int) -> bytes:
    """Give so many zero bytes, compressed."""
    return COMPRESS[format](bytes(size))


def mixed_data(length: int) -> bytes:
    """Give data of which one half compresses well and the other does not."""
    half = length // 2
    return random.Random(length).randbytes(half) + bytes(length - half)


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


async def pieces(chunks: Iterable[Any], stream: CompressionStream | DecompressionStream) -> list[bytes]:
    """Send chunks through a stream; give what comes out of it."""
    return [piece async for piece in ReadableStream.from_(list(chunks)).pipe_through(stream)]


async def through(chunks: Iterable[Any], stream: CompressionStream | DecompressionStream) -> bytes:
    return b"".join(await pieces(chunks, stream))


async def failure(chunks: Iterable[Any], stream: DecompressionStream) -> tuple[bytes, BaseException]:
    """Send what is wrong through a stream; give what comes out before its error, and that."""
    came = bytearray()
    with pytest.raises(DataError) as caught:
        async for piece in ReadableStream.from_(list(chunks)).pipe_through(stream):
            came += piece
    return bytes(came), caught.value


class CountingExecutor(ThreadPoolExecutor):
    """Counts the calls that go to a thread."""

    calls = 0

    def submit(self, *arguments: Any, **options: Any) -> Future[Any]:
        self.calls += 1
        return super().submit(*arguments, **options)


def counting_executor() -> CountingExecutor:
    executor = CountingExecutor(THREADS)
    asyncio.get_running_loop().set_default_executor(executor)
    return executor


# There and back.


@ALL_FORMATS
@each_of(size=[1000, PIECE, 300_001])
async def test_what_it_compresses_others_decompress(format: CompressionFormat, size: int) -> None:
    data = mixed_data(300_001)
    stream = CompressionStream(format) if size == len(data) else quick_compression(format)
    assert DECOMPRESS[format](await through(cut(data, size), stream)) == data


@ALL_FORMATS
@each_of(size=[999, PIECE, 300_001])
async def test_it_decompresses_what_others_compress(format: CompressionFormat, size: int) -> None:
    data = mixed_data(300_001)
    assert await through(cut(COMPRESS[format](data), size), DecompressionStream(format)) == data


@FORMAT_BY_FORMAT
@given(chunks=st.lists(st.binary(max_size=200), max_size=8))
@settings(max_examples=20, deadline=None)
def test_any_chunks_compress(format: CompressionFormat, chunks: list[bytes]) -> None:
    async def main() -> bytes:
        return await through(chunks, CompressionStream(format))

    assert DECOMPRESS[format](asyncio.run(main())) == b"".join(chunks)


@FORMAT_BY_FORMAT
@given(data=st.binary(max_size=400), cuts=st.lists(st.integers(0, 500), max_size=6))
@settings(max_examples=20, deadline=None)
def test_compressed_data_may_be_cut_anywhere(format: CompressionFormat, data: bytes, cuts: list[int]) -> None:
    compressed = COMPRESS[format](data)
    edges = [0, *sorted(min(each, len(compressed)) for each in cuts), len(compressed)]
    chunks = [compressed[start:end] for start, end in pairwise(edges)]

    async def main() -> bytes:
        return await through(chunks, DecompressionStream(format))

    assert asyncio.run(main()) == data


@ALL_FORMATS
async def test_pieces_of_a_long_chunk_are_bounded_in_both_directions(format: CompressionFormat) -> None:
    data = mixed_data(3_000_000)
    compressed = await pieces([data], quick_compression(format))
    restored = await pieces([b"".join(compressed)], DecompressionStream(format))
    assert max(map(len, compressed)) <= PIECE
    assert max(map(len, restored)) <= PIECE
    assert b"".join(restored) == data


@ALL_FORMATS
async def test_both_directions_in_one_pipe(format: CompressionFormat) -> None:
    data = mixed_data(500_000)
    source = ReadableStream.from_(cut(data, 10_000))
    restored = source.pipe_through(quick_compression(format)).pipe_through(DecompressionStream(format))
    assert b"".join([piece async for piece in restored]) == data


@each_row(
    ("format", "low", "high"),
    [("gzip", 0, 9), ("deflate", 1, 9), ("deflate-raw", 1, 9), ("brotli", 0, 9), ("zstd", -5, 9)],
)
async def test_a_higher_level_compresses_more(format: CompressionFormat, low: int, high: int) -> None:
    words = [random.Random(number).randbytes(5).hex().encode() for number in range(500)]
    data = b" ".join(random.Random(0).choices(words, k=20_000))
    weak = await through([data], CompressionStream(format, level=low))
    strong = await through([data], CompressionStream(format, level=high))
    assert DECOMPRESS[format](weak) == DECOMPRESS[format](strong) == data
    assert len(strong) < len(weak)


# Arguments.


@each_of(constructor=[CompressionStream, DecompressionStream])
@each_of(format=["a", "GZIP", "", None, 5, b"gzip"])
async def test_an_unknown_format_is_refused(constructor: Any, format: Any) -> None:
    with pytest.raises(TypeError, match="format"):
        constructor(format)


@each_row(("format", "level"), [("gzip", 10), ("deflate", -2), ("brotli", 12), ("brotli", -1), ("zstd", 1000)])
async def test_a_level_that_the_format_does_not_have_is_refused(format: CompressionFormat, level: int) -> None:
    with pytest.raises(ValueError, match="level must be from"):
        CompressionStream(format, level=level)


@each_of(level=["6", 6.0, True])
async def test_a_level_that_is_no_integer_is_refused(level: Any) -> None:
    with pytest.raises(TypeError, match="level must be an integer"):
        CompressionStream("gzip", level=level)


def test_a_stream_needs_a_running_loop() -> None:
    with pytest.raises(RuntimeError, match="loop"):
        CompressionStream("gzip")


async def test_its_repr_shows_the_format_and_both_sides() -> None:
    shown = repr(CompressionStream("gzip"))
    assert shown.startswith("<CompressionStream gzip, from <WritableStream writable")
    assert "to <ReadableStream readable" in shown


# Backpressure.


async def test_the_high_water_marks_are_those_of_a_transform_stream() -> None:
    stream = CompressionStream("gzip")
    writer = stream.writable.get_writer()
    assert writer.desired_size == 1
    write = writer.write(b"chunk")
    await turns()
    assert (writer.desired_size, write.done()) == (0, False)
    await value(stream.readable.get_reader().read())
    assert await value(write) is None


async def test_close_does_not_wait_for_a_reader() -> None:
    """As with flush() of a transform stream: what is left is put into the queue."""
    stream = CompressionStream("gzip")
    writer = stream.writable.get_writer()
    writer.write(b"chunk")
    reader = stream.readable.get_reader()
    parts = [(await reader.read()).value]
    await value(writer.close())
    while not (result := await reader.read()).done:
        parts.append(result.value)
    assert gzip.decompress(b"".join(part for part in parts if part is not None)) == b"chunk"


@ALL_FORMATS
async def test_a_bomb_comes_out_in_pieces_with_flat_memory(format: CompressionFormat) -> None:
    """16 MB of one byte; the best formats make it ten thousand times shorter."""
    size = 16_000_000
    bomb = zeros(format, size)
    stream = DecompressionStream(format)
    writer = stream.writable.get_writer()
    write = writer.write(bomb)
    closing = writer.close()
    total = longest = 0
    gc.collect()
    tracemalloc.start()
    try:
        async for piece in stream.readable:
            total += len(piece)
            longest = max(longest, len(piece))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    await asyncio.gather(write, closing)
    assert total == size
    assert longest <= PIECE
    assert peak < 3_000_000


@each_of(format=["brotli", "zstd"])
async def test_ten_thousandfold_is_bounded_too(format: CompressionFormat) -> None:
    bomb = zeros(format, 20_000_000)
    assert len(bomb) * 10_000 < 20_000_000
    stream = DecompressionStream(format)
    writer = stream.writable.get_writer()
    write = writer.write(bomb)
    reader = stream.readable.get_reader()
    for _ in range(3):
        piece = (await reader.read()).value
        assert piece is not None and 0 < len(piece) <= PIECE
    await turns()
    assert not write.done()
    await reader.cancel()
    assert isinstance(await rejection(write), Exception)


async def test_while_nobody_reads_nothing_more_is_decompressed() -> None:
    executor = counting_executor()
    stream = DecompressionStream("gzip")
    write = stream.writable.get_writer().write(zeros("gzip", 50_000_000))
    reader = stream.readable.get_reader()
    for reads in range(1, 3 * PIECES_IN_A_STEP):
        await reader.read()
        await asyncio.sleep(0.005)
        assert executor.calls == math.ceil(reads / PIECES_IN_A_STEP)
    assert not write.done()
    await reader.cancel()
    await rejection(write)


@ALL_FORMATS
@each_of(size=[PIECE - 1, PIECE, 2 * PIECE])
async def test_a_write_is_done_when_all_that_it_gives_is_taken(format: CompressionFormat, size: int) -> None:
    """Also when that is exactly a piece: no further read is needed."""
    stream = DecompressionStream(format)
    writer = stream.writable.get_writer()
    reader = stream.readable.get_reader()
    write = writer.write(COMPRESS[format](bytes(size)))
    read = 0
    while read < size:
        piece = (await reader.read()).value
        assert piece is not None
        read += len(piece)
    await write
    await writer.close()
    assert (await reader.read()).done


@each_of(size=[10, 20_000, 500_000])
async def test_reads_that_wait_already_get_their_pieces_in_order(size: int) -> None:
    data = random.Random(1).randbytes(size)
    stream = DecompressionStream("gzip")
    reader = stream.readable.get_reader()
    reads = [reader.read() for _ in range(12)]
    writer = stream.writable.get_writer()
    for chunk in cut(gzip.compress(data), 100_000):
        writer.write(chunk)
    await writer.close()
    results = await asyncio.gather(*reads)
    assert b"".join(result.value for result in results if result.value is not None) == data
    assert results[-1].done


# Threads.


@ALL_FORMATS
async def test_much_at_once_goes_to_a_thread(format: CompressionFormat) -> None:
    executor = counting_executor()
    compressed = await through([mixed_data(200_000)], CompressionStream(format))
    assert executor.calls > 0
    executor.calls = 0
    await through([compressed], DecompressionStream(format))
    assert executor.calls > 0


@each_of(format=["gzip", "deflate", "deflate-raw", "zstd"])
async def test_little_at_once_does_not(format: CompressionFormat) -> None:
    executor = counting_executor()
    compressed = await through([b"chunk"] * 10, CompressionStream(format))
    assert await through([compressed], DecompressionStream(format)) == b"chunk" * 10
    assert executor.calls == 0


async def test_the_loop_goes_on_while_a_chunk_is_compressed() -> None:
    """Other tasks run between the call and its result, for as long as that takes: here no thread is free."""
    executor = counting_executor()
    may_begin = Event()
    for _ in range(THREADS):
        executor.submit(may_begin.wait)
    stream = CompressionStream("gzip", level=9)
    writer = stream.writable.get_writer()
    write = writer.write(mixed_data(4_000_000))
    read = stream.readable.get_reader().read()
    try:
        await turns(50)
        assert executor.calls == THREADS + 1
        assert not read.done()
    finally:
        may_begin.set()
    assert (await read).value
    await writer.abort()
    await settled(write)
    quiet(write)


async def test_an_executor_that_is_shut_down_errors_the_stream() -> None:
    executor = counting_executor()
    executor.shutdown()
    stream = CompressionStream("gzip")
    write = stream.writable.get_writer().write(bytes(100_000))
    read = stream.readable.get_reader().read()
    assert isinstance(await rejection(read), RuntimeError)
    assert isinstance(await rejection(write), RuntimeError)


# Chunks.


@each_of(chunk=[None, "text", 3.14, {}, [65], object()])
@each_of(constructor=[CompressionStream, DecompressionStream])
async def test_a_chunk_that_is_no_bytes_errors_both_sides(constructor: Any, chunk: Any) -> None:
    stream = constructor("gzip")
    writer = stream.writable.get_writer()
    reader = stream.readable.get_reader()
    write = writer.write(chunk)
    error = await rejection(reader.read())
    assert type(error) is TypeError
    assert str(error).startswith(f"the chunk must be a bytes-like object, not {type(chunk).__name__}")
    assert await rejection(write) is await rejection(writer.closed) is await rejection(reader.closed) is error


@each_of(size=[100, 500_000])
async def test_a_buffer_is_free_again_when_its_write_is_done(size: int) -> None:
    """A bytearray can be resized only when nobody looks into it."""
    stream = CompressionStream("gzip", level=1)
    writer = stream.writable.get_writer()
    buffer = bytearray(mixed_data(size))
    result = asyncio.ensure_future(through_reader(stream.readable))
    await writer.write(buffer)
    buffer.clear()
    buffer += b"more"
    await writer.write(buffer)
    await writer.close()
    assert gzip.decompress(await result) == mixed_data(size) + b"more"


async def through_reader(stream: ReadableStream[bytes]) -> bytes:
    return b"".join([piece async for piece in stream])


@ALL_FORMATS
async def test_empty_chunks_change_nothing(format: CompressionFormat) -> None:
    compressed = await through([b"", b"a", b"", b"b", b""], CompressionStream(format))
    assert DECOMPRESS[format](compressed) == b"ab"
    assert await through([b"", compressed, b"", b""], DecompressionStream(format)) == b"ab"


# What is wrong with compressed data.


@ALL_FORMATS
async def test_corrupt_data_is_an_error(format: CompressionFormat) -> None:
    came, error = await failure([b"\xff" * 100], DecompressionStream(format))
    assert came == b""
    assert type(error) is DataError
    assert "corrupt" in str(error)
    assert isinstance(error.__cause__, (zlib.error, brotli.error, zstd.ZstdError))


@each_of(format=["gzip", "deflate"])
async def test_a_wrong_checksum_is_an_error(format: CompressionFormat) -> None:
    compressed = bytearray(COMPRESS[format](mixed_data(300_000)))
    compressed[-6 if format == "gzip" else -1] ^= 1
    came, error = await failure([bytes(compressed)], DecompressionStream(format))
    assert mixed_data(300_000).startswith(came)
    assert isinstance(error.__cause__, zlib.error)


@ALL_FORMATS
@each_of(size=[1000, 300_000])
@each_of(missing=[1, 10])
async def test_truncated_data_is_an_error(format: CompressionFormat, size: int, missing: int) -> None:
    data = random.Random(1).randbytes(size)
    came, error = await failure([COMPRESS[format](data)[:-missing]], DecompressionStream(format))
    assert data.startswith(came)
    assert (type(error), "truncated" in str(error)) == (DataError, True)


@ALL_FORMATS
async def test_no_data_at_all_is_truncated(format: CompressionFormat) -> None:
    _, error = await failure([], DecompressionStream(format))
    assert "truncated" in str(error)


@ALL_FORMATS
@each_of(junk=[b"\0", b"\0" * 100, b"junk"])
async def test_the_output_comes_before_the_error_of_trailing_data(format: CompressionFormat, junk: bytes) -> None:
    data = b"expected output" * 50
    came, error = await failure([COMPRESS[format](data) + junk], DecompressionStream(format))
    assert came == data
    assert (type(error), "trailing data after the end" in str(error)) == (DataError, True)


@ALL_FORMATS
async def test_trailing_data_in_a_chunk_of_its_own_is_an_error(format: CompressionFormat) -> None:
    came, error = await failure([COMPRESS[format](b"data"), b"", b"\0"], DecompressionStream(format))
    assert came == b"data"
    assert "trailing data after the end" in str(error)


@each_of(format=["gzip", "deflate", "deflate-raw", "zstd"])
async def test_trailing_data_behind_much(format: CompressionFormat) -> None:
    data = mixed_data(500_000)
    came, error = await failure([COMPRESS[format](data) + b"\0"], DecompressionStream(format))
    assert came == data
    assert "trailing data after the end" in str(error)


async def test_trailing_data_behind_much_brotli() -> None:
    """Brotli does not say what is wrong, and does not give the end of what was right."""
    data = mixed_data(500_000)
    came, error = await failure([COMPRESS["brotli"](data) + b"\0"], DecompressionStream("brotli"))
    assert data.startswith(came)
    assert type(error) is DataError


async def test_a_second_gzip_member_is_trailing_data() -> None:
    came, error = await failure([gzip.compress(b"one") + gzip.compress(b"two")], DecompressionStream("gzip"))
    assert came == b"one"
    assert "trailing data after the end" in str(error)


async def test_deflate_with_a_preset_dictionary_is_an_error() -> None:
    codec = zlib.compressobj(zdict=b"thequickbrownfox")
    _, error = await failure([codec.compress(b"thequickbrownfox") + codec.flush()], DecompressionStream("deflate"))
    assert isinstance(error.__cause__, zlib.error)


# Several frames of zstd: RFC 8878, 3.1.

SKIPPABLE = b"\x53\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"12345"


@each_of(size=[1, 3, 1000])
async def test_zstd_takes_several_frames(size: int) -> None:
    data = zstd.compress(b"one") + SKIPPABLE + zstd.compress(b"two") + zstd.compress(bytes(100_000))
    assert await through(cut(data, size), DecompressionStream("zstd")) == b"onetwo" + bytes(100_000)


async def test_zstd_frames_as_long_as_a_piece() -> None:
    data = zstd.compress(bytes(PIECE)) * 3
    assert [len(piece) for piece in await pieces([data], DecompressionStream("zstd"))] == [PIECE] * 3


async def test_a_truncated_second_frame_is_an_error() -> None:
    came, error = await failure([zstd.compress(b"one") + zstd.compress(b"two")[:-1]], DecompressionStream("zstd"))
    assert came.startswith(b"one")
    assert "truncated" in str(error)


async def test_the_beginning_of_a_frame_is_no_frame() -> None:
    came, error = await failure([zstd.compress(b"one") + b"\x28\xb5"], DecompressionStream("zstd"))
    assert came == b"one"
    assert "truncated" in str(error)


# Packages that are missing.

WITHOUT = """
import asyncio, sys
sys.modules[sys.argv[1]] = None
from webstreams.compression import CompressionStream, DecompressionStream
async def main():
    CompressionStream("gzip")
    for constructor in (CompressionStream, DecompressionStream):
        try:
            constructor(sys.argv[2])
        except TypeError as error:
            print(type(error.__cause__).__name__, error)
asyncio.run(main())
"""
OLD = """
import asyncio, sys, types
old = sys.modules["brotli"] = types.ModuleType("brotli")
old.__version__ = "1.1.0"
old.Decompressor = object
from webstreams.compression import DecompressionStream
async def main():
    try:
        DecompressionStream("brotli")
    except TypeError as error:
        print(error.__cause__, error)
asyncio.run(main())
"""


def run_python(source: str, *arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", source, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@each_row(
    ("module", "format", "package"),
    [
        ("brotli", "brotli", "Brotli 1.2 or newer"),
        ("compression" if sys.version_info >= (3, 14) else "backports.zstd", "zstd", "backports.zstd"),
    ],
)
def test_a_missing_package_is_named(module: str, format: str, package: str) -> None:
    message = (
        f'ModuleNotFoundError the compression format "{format}" needs the package {package}: '
        f'pip install "webstreams[{format}]"'
    )
    lines = run_python(WITHOUT, module, format)
    assert [line.replace("ImportError", "ModuleNotFoundError") for line in lines] == [message] * 2


def test_an_old_brotli_is_as_good_as_none() -> None:
    (line,) = run_python(OLD)
    assert "brotli 1.1.0 is too old" in line
    assert "needs the package Brotli 1.2 or newer" in line
