"""`CompressionStream` and `DecompressionStream`: there and back, backpressure, threads."""

from __future__ import annotations

import asyncio
import gc
import gzip
import random
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from threading import Event
from typing import Any

import brotli  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.faults.helpers import turns
from tests.faults.support import quiet, rejection, settled, value
from tests.grids import each_of, each_row
from tests.loops import on_one_loop
from tests.shares import drawn
from tests.waiting import another_task, each_look_ends_a_turn
from webstreams import ReadableStream
from webstreams._transforms.decompressors import Decompressor
from webstreams.compression import CompressionFormat, CompressionStream, DecompressionStream

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from .compressing import ALL_FORMATS, COMPRESS, FORMATS, PIECE, cut, mixed_data, pieces, through

THREADS = 2


DECOMPRESS: dict[CompressionFormat, Callable[[bytes], bytes]] = {
    "brotli": lambda data: bytes(brotli.decompress(data)),
    "deflate": zlib.decompress,
    "deflate-raw": lambda data: zlib.decompress(data, wbits=-15),
    "gzip": gzip.decompress,
    "zstd": zstd.decompress,
}

FORMAT_BY_FORMAT = pytest.mark.parametrize("format", FORMATS)


# Where much is compressed and the level does not matter: brotli's own level takes twenty times as long.
QUICK: dict[CompressionFormat, int] = {"brotli": 4}


def quick_compression(format: CompressionFormat) -> CompressionStream:
    return CompressionStream(format, level=QUICK.get(format))


@cache
def zeros(format: CompressionFormat, size: int) -> bytes:
    """Give so many zero bytes, compressed."""
    return COMPRESS[format](bytes(size))


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


@on_one_loop
@ALL_FORMATS
@each_of(size=[1000, PIECE, 150_001])
async def test_what_it_compresses_others_decompress(format: CompressionFormat, size: int) -> None:
    data = mixed_data(150_001)
    stream = CompressionStream(format) if size == len(data) else quick_compression(format)
    assert DECOMPRESS[format](await through(cut(data, size), stream)) == data


@on_one_loop
@ALL_FORMATS
@each_of(size=[999, PIECE, 150_001])
async def test_it_decompresses_what_others_compress(format: CompressionFormat, size: int) -> None:
    data = mixed_data(150_001)
    assert await through(cut(COMPRESS[format](data), size), DecompressionStream(format)) == data


@FORMAT_BY_FORMAT
@given(chunks=st.lists(st.binary(max_size=200), max_size=8))
@drawn(20)
def test_any_chunks_compress(format: CompressionFormat, chunks: list[bytes]) -> None:
    async def main() -> bytes:
        return await through(chunks, CompressionStream(format))

    assert DECOMPRESS[format](asyncio.run(main())) == b"".join(chunks)


@FORMAT_BY_FORMAT
@given(data=st.binary(max_size=400), cuts=st.lists(st.integers(0, 500), max_size=6))
@drawn(20)
def test_compressed_data_may_be_cut_anywhere(format: CompressionFormat, data: bytes, cuts: list[int]) -> None:
    compressed = COMPRESS[format](data)
    edges = [0, *sorted(min(each, len(compressed)) for each in cuts), len(compressed)]
    chunks = [compressed[start:end] for start, end in pairwise(edges)]

    async def main() -> bytes:
        return await through(chunks, DecompressionStream(format))

    assert asyncio.run(main()) == data


@on_one_loop
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


@on_one_loop
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


@on_one_loop
@each_of(level=[19, 20, 21, 22])
async def test_what_the_highest_levels_make_is_taken_by_receivers(level: int) -> None:
    """Left alone, zstd takes windows of up to 128 MiB there, which RFC 9659 does not allow."""
    data = random.Random(level).randbytes(1000) * 100
    made = await through([data], CompressionStream("zstd", level=level))
    assert await through([made], DecompressionStream("zstd")) == data


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


@on_one_loop
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


async def test_while_nobody_reads_nothing_more_is_decompressed(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []

    def counted_step(self: Decompressor) -> bytes:
        made = step(self)
        steps.append(len(made))
        return made

    step = Decompressor.step
    monkeypatch.setattr(Decompressor, "step", counted_step)
    stream = DecompressionStream("gzip")
    write = stream.writable.get_writer().write(zeros("gzip", 10_000_000))
    reader = stream.readable.get_reader()
    for reads in range(1, 12):
        await reader.read()
        await asyncio.sleep(0.005)
        assert steps == [PIECE] * reads
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


@each_of(blocks=[0, 100, 1000])
async def test_empty_blocks_behind_the_last_piece_are_used_up(blocks: int) -> None:
    """With the next read at the latest: where much input is left, the decompressor does not look one byte ahead."""
    packer = zlib.compressobj()
    empty_block = b"\0\0\0\xff\xff"
    data = packer.compress(bytes(2 * PIECE)) + packer.flush(zlib.Z_SYNC_FLUSH) + blocks * empty_block
    stream = DecompressionStream("deflate")
    writer, reader = stream.writable.get_writer(), stream.readable.get_reader()
    writing = writer.write(data)
    for _ in range(2):
        assert (await reader.read()).value == bytes(PIECE)
    last = reader.read()
    await writing
    await writer.write(packer.flush())
    await writer.close()
    assert (await last).done


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
async def test_much_at_once_is_compressed_in_a_thread(format: CompressionFormat) -> None:
    executor = counting_executor()
    await through([mixed_data(200_000)], quick_compression(format))
    assert executor.calls > 0


@ALL_FORMATS
async def test_decompressing_takes_no_thread_and_others_have_turns(format: CompressionFormat) -> None:
    """A piece takes less than a call in a thread; many together may take longer than a turn of the loop."""
    executor = counting_executor()
    stream = ReadableStream.from_([zeros(format, 10_000_000)]).pipe_through(DecompressionStream(format))
    total = 0
    async with another_task() as beats:
        with each_look_ends_a_turn():
            async for piece in stream:
                total += len(piece)
    assert total == 10_000_000
    assert executor.calls == 0
    assert beats.count > 5


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
