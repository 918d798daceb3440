"""Faults that compression streams of other implementations had (T7 and T9), on both ways to an end."""

from __future__ import annotations

import asyncio
import gzip
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.helpers import turns
from tests.grids import each_of
from webstreams import AbortController
from webstreams._transforms.demand_driven import PulledPair
from webstreams.compression import CompressionStream, DecompressionStream

from . import support
from .support import quiet, read_all, rejection, stream_of, value

nothing_reported = pytest.fixture(autouse=True)(support.nothing_reported)

REASON = Exception("the reason")


class GatedCodec:
    """A codec that works in a thread and waits there until the test opens it; it gives each chunk as it is."""

    used_up = True
    failure: Exception | None = None

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.begun = threading.Event()
        self.at_once = 0
        self.most_at_once = 0
        self._chunk = b""

    def take(self, chunk: Any) -> None:
        self._chunk = bytes(chunk)
        self.used_up = False

    def is_quick(self) -> bool:
        return False

    def step(self) -> bytes:
        self._work()
        self.used_up = True
        return self._chunk

    def finish(self) -> bytes:
        self._work()
        return b"end"

    def _work(self) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.begun.set()
        assert self.gate.wait(10)
        self.at_once -= 1

    async def wait_until_begun(self) -> None:
        """Wait until a thread works; the loop goes round meanwhile."""
        while not self.begun.is_set():
            await asyncio.sleep(0)
        self.begun.clear()


@pytest.fixture
def codec() -> Iterator[GatedCodec]:
    """A codec; no thread waits for it after the test."""
    gated = GatedCodec()
    yield gated
    gated.gate.set()


def codec_of(stream: CompressionStream | DecompressionStream) -> weakref.ref[Any]:
    """Refer to the codec of a stream without keeping it alive."""
    assert stream._pair._codec is not None
    return weakref.ref(stream._pair._codec)


async def halfway(stream: Any) -> tuple[Any, Any, Any]:
    """Write a chunk that gives many pieces and read one of them: give the reader, the writer and the write."""
    chunk = bytes(range(256)) * 40_000
    writer = stream.writable.get_writer()
    reader = stream.readable.get_reader()
    write = writer.write(gzip.compress(chunk, 1) if isinstance(stream, DecompressionStream) else chunk)
    await reader.read()
    return reader, writer, write


STREAMS = pytest.mark.parametrize("constructor", [CompressionStream, DecompressionStream])


@STREAMS
async def test_t7_cancel_halfway_frees_the_codec(constructor: Any) -> None:
    """Cancelling the readable side frees the codec, and errors the write under way with the reason."""
    stream = constructor("gzip")
    reader, writer, write = await halfway(stream)
    codec = codec_of(stream)
    quiet(write)
    await reader.cancel(REASON)
    await turns()
    assert codec() is None
    assert await rejection(writer.closed) is REASON
    assert (await reader.read()).done


@STREAMS
async def test_t7_abort_halfway_frees_the_codec(constructor: Any) -> None:
    """Aborting the writable side frees the codec at once, though nobody reads on, and errors the readable side."""
    stream = constructor("gzip")
    reader, writer, write = await halfway(stream)
    codec = codec_of(stream)
    quiet(write)
    await writer.abort(REASON)
    await turns()
    assert codec() is None
    assert await rejection(reader.read()) is REASON
    assert await rejection(writer.closed) is REASON


@STREAMS
async def test_t7_aborting_a_pipe_halfway_frees_the_codec(constructor: Any) -> None:
    """The signal of a pipe into the stream does the same, when the chunk that the pipe has handed over is done."""
    stream = constructor("gzip")
    codec = codec_of(stream)
    controller = AbortController()
    data = bytes(range(256)) * 1000
    chunks = [gzip.compress(data)] if constructor is DecompressionStream else [data] * 10
    pipe = quiet(stream_of(chunks).pipe_to(stream.writable, signal=controller.signal))
    reader = stream.readable.get_reader()
    await reader.read()
    controller.abort(REASON)
    with pytest.raises(Exception, match="the reason"):
        while not (await reader.read()).done:
            pass
    assert await rejection(reader.closed) is REASON
    await turns()
    assert codec() is None
    assert await rejection(pipe) is REASON


@STREAMS
async def test_t7_an_error_or_the_end_frees_the_codec(constructor: Any) -> None:
    """So do a chunk that is none, and closing."""
    failed = constructor("gzip")
    codec = codec_of(failed)
    write = failed.writable.get_writer().write("no bytes")
    await rejection(failed.readable.get_reader().read())
    await rejection(write)
    assert codec() is None
    ended = constructor("gzip")
    codec = codec_of(ended)
    await read_all(stream_of([gzip.compress(b"data")]).pipe_through(ended))
    assert codec() is None


@STREAMS
async def test_t7_a_write_that_waits_for_the_first_read_does_not_hold_up_abort(constructor: Any) -> None:
    """Nobody reads: abort is done, and the write has the reason."""
    stream = constructor("gzip")
    codec = codec_of(stream)
    writer = stream.writable.get_writer()
    write = writer.write(b"chunk")
    await turns()
    await value(writer.abort(REASON))
    assert codec() is None
    assert await rejection(write) is REASON


async def test_t7_cancel_waits_for_a_thread_that_works(codec: GatedCodec) -> None:
    """The codec is not touched while a thread has it; the write under way is done with it."""
    pair = PulledPair(codec, "codec")
    writer = pair.writable.get_writer()
    write = writer.write(b"one")
    queued = writer.write(b"two")
    reader = pair.readable.get_reader()
    reader.read()
    await codec.wait_until_begun()
    cancelling = reader.cancel(REASON)
    await turns()
    assert not cancelling.done()
    assert not write.done()
    codec.gate.set()
    await cancelling
    assert await rejection(queued) is REASON
    assert await value(write) is None
    assert codec.most_at_once == 1


async def test_t7_abort_waits_for_a_thread_that_works(codec: GatedCodec) -> None:
    """What the thread makes goes to the read that waits; then the stream is errored."""
    pair = PulledPair(codec, "codec")
    writer = pair.writable.get_writer()
    write = writer.write(b"one")
    reader = pair.readable.get_reader()
    read = reader.read()
    await codec.wait_until_begun()
    aborting = writer.abort(REASON)
    await turns()
    assert not aborting.done()
    codec.gate.set()
    await aborting
    assert await value(write) is None
    assert (await read).value == b"one"
    assert await rejection(reader.read()) is REASON


async def test_t7_cancel_while_the_end_is_made(codec: GatedCodec) -> None:
    """Closing is under way in a thread: both are done when it is, and the close is no failure."""
    pair = PulledPair(codec, "codec")
    writer = pair.writable.get_writer()
    closing = writer.close()
    await codec.wait_until_begun()
    cancelling = pair.readable.cancel(REASON)
    await turns()
    assert not cancelling.done()
    codec.gate.set()
    await cancelling
    assert await value(closing) is None


async def test_t9_a_reading_task_is_cancelled_while_a_thread_works(codec: GatedCodec) -> None:
    """Nothing is lost: the next read gets what the cancelled one would have got, and no two calls overlap."""
    pair = PulledPair(codec, "codec")
    writer = pair.writable.get_writer()
    writes = [writer.write(b"one"), writer.write(b"two")]
    reader = pair.readable.get_reader()
    task = asyncio.ensure_future(value_of(reader))
    await codec.wait_until_begun()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    again = reader.read()
    await turns()
    codec.gate.set()
    assert [(await again).value, (await reader.read()).value] == [b"one", b"two"]
    await asyncio.gather(*writes)
    assert codec.most_at_once == 1


async def value_of(reader: Any) -> Any:
    return (await reader.read()).value


async def test_t9_a_writing_task_is_cancelled_while_a_thread_works(codec: GatedCodec) -> None:
    """What was written stays written, in order."""
    pair = PulledPair(codec, "codec")
    writer = pair.writable.get_writer()
    task = asyncio.ensure_future(write_in_task(writer, b"one"))
    reader = pair.readable.get_reader()
    reads = [reader.read(), reader.read(), reader.read()]
    await codec.wait_until_begun()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    second = writer.write(b"two")
    closing = writer.close()
    await turns()
    codec.gate.set()
    assert [(await read).value for read in reads] == [b"one", b"two", b"end"]
    await asyncio.gather(second, closing)
    assert codec.most_at_once == 1


async def write_in_task(writer: Any, chunk: bytes) -> None:
    await writer.write(chunk)


@each_of(when=range(12))
async def test_t9_cancelled_at_any_turn_the_data_is_whole(when: int) -> None:
    """A task that compresses and one that decompresses are cancelled at some turn of the loop, again and again."""
    data = bytes(range(256)) * 3000
    compression = CompressionStream("gzip", level=1)
    writer = compression.writable.get_writer()
    reader = compression.readable.pipe_through(DecompressionStream("gzip")).get_reader()
    writing = [writer.write(data[start : start + 100_000]) for start in range(0, len(data), 100_000)]
    closing = writer.close()
    restored = bytearray()
    while True:
        task = asyncio.ensure_future(value_of(reader))
        await turns(when)
        task.cancel()
        await asyncio.wait([task])
        piece = await value_of(reader) if task.cancelled() else task.result()
        if piece is None:
            break
        restored += piece
    await asyncio.gather(*writing, closing)
    assert bytes(restored) == data
