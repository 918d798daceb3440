"""Writes: their marks, their order, what becomes of them (W6, W7, W9 to W12)."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Callable
from typing import Any, ClassVar, Literal

import pytest

from tests.faults.helpers import turns
from webstreams import (
    AbortController,
    ByteLengthQueuingStrategy,
    Promise,
    ReadableByteStreamController,
    ReadableStream,
    ReadableStreamDefaultController,
    StreamError,
    TransformStream,
    WritableStream,
    WritableStreamDefaultController,
    WritableStreamDefaultWriter,
)

from . import support
from .support import Gate, RecordingSink, RecordingSource, quiet, rejection, settled, started, value

nothing_reported = pytest.fixture(autouse=True)(support.nothing_reported)

# W6


async def test_w6_two_awaited_writes_with_a_high_water_mark_of_0() -> None:
    """Two awaited writes, one after the other, with high-water mark 0 are both done (nodejs/node#61145)."""
    sink = RecordingSink()
    writer = await started(sink, high_water_mark=0)
    assert writer.desired_size == 0
    await value(writer.write("first"))
    await value(writer.write("second"))
    assert sink.chunks == ["first", "second"]
    assert not writer.ready.done()
    await value(writer.close())
    assert await value(writer.ready) is None


async def test_w6_writes_before_the_start_is_done_with_a_high_water_mark_of_0() -> None:
    """The same with writes that were made before the sink's start() is done."""
    gate = Gate()
    chunks: list[Any] = []

    class Sink:
        def start(self, controller: WritableStreamDefaultController) -> Any:
            return gate.promise

        def write(self, chunk: Any, controller: WritableStreamDefaultController) -> None:
            chunks.append(chunk)

    writer = WritableStream[Any](Sink(), {"high_water_mark": 0}).get_writer()
    first, second = writer.write("first"), writer.write("second")
    await turns()
    assert chunks == []
    gate.open(None)
    await value(first)
    await value(second)
    assert chunks == ["first", "second"]


# W7


async def test_w7_a_pipe_into_a_high_water_mark_of_0_stays_pending() -> None:
    """A pipe into a stream with high-water mark 0 never reads a chunk and stays pending (whatwg/streams#1158).

    The Standard's pipe must not read while the desired size is not above 0.
    """
    source, sink = RecordingSource("chunk"), RecordingSink()
    readable = ReadableStream[Any](source)
    writable = WritableStream[Any](sink, {"high_water_mark": 0})
    controller = AbortController()
    pipe = readable.pipe_to(writable, prevent_cancel=True, prevent_abort=True, signal=controller.signal)
    await turns(50)
    assert not pipe.done()
    assert sink.calls == []
    assert source.controller.desired_size == 0
    reason = Exception("enough")
    controller.abort(reason)
    assert await rejection(pipe) is reason
    assert await value(readable.get_reader().read()) == ("chunk", False)


async def test_w7_the_end_of_the_source_still_gets_through_a_high_water_mark_of_0() -> None:
    """The end of an empty source and errors of both ends do end a pipe into a stream with high-water mark 0."""
    source, sink = RecordingSource(), RecordingSink()
    pipe = ReadableStream[Any](source).pipe_to(WritableStream[Any](sink, {"high_water_mark": 0}))
    await turns()
    source.controller.close()
    assert await value(pipe) is None
    assert sink.calls == [("close",)]


# W9


def _error(sink: RecordingSink, writer: WritableStreamDefaultWriter[Any], error: Exception) -> None:
    sink.controller.error(error)


def _abort(sink: RecordingSink, writer: WritableStreamDefaultWriter[Any], error: Exception) -> None:
    quiet(writer.abort(error))


@pytest.mark.parametrize("fail", [_error, _abort])
async def test_w9_every_pending_promise_settles_after_an_error_or_an_abort(
    fail: Callable[[RecordingSink, WritableStreamDefaultWriter[Any], Exception], None],
) -> None:
    """An error or an abort with 500 queued writes settles every write, `ready`, `closed` and a queued close()."""
    sink = RecordingSink("write")
    writer = await started(sink)
    in_flight, *queued = [writer.write(number) for number in range(501)]
    ready, closed = writer.ready, writer.closed
    assert not ready.done()
    error = Exception("the end")
    fail(sink, writer, error)
    assert await rejection(ready, 1) is error
    assert writer.ready is ready
    closing = writer.close()
    assert not any(write.done() for write in [in_flight, *queued])
    sink.finish("write")
    assert await value(in_flight) is None
    assert [await rejection(write) for write in queued] == [error] * 500
    assert await rejection(closing) is error
    assert await rejection(closed) is error
    assert sink.chunks == [0]


async def test_w9_every_pending_promise_settles_after_a_failed_write() -> None:
    """A write that fails in the sink settles the 500 writes behind it, `ready`, `closed` and close()."""
    sink = RecordingSink("write")
    writer = await started(sink)
    writes = [writer.write(number) for number in range(501)]
    closing = writer.close()
    ready = writer.ready
    error = Exception("write failed")
    sink.fail("write", error)
    assert [await rejection(write) for write in writes] == [error] * 501
    assert await rejection(closing) is error
    assert await rejection(writer.closed) is error
    assert await value(ready) is None
    assert await rejection(writer.ready) is error
    assert sink.chunks == [0]


async def test_w9_every_pending_promise_settles_when_the_start_fails() -> None:
    """A sink whose start() fails settles the writes that were queued meanwhile."""
    gate = Gate()
    writer = WritableStream[Any]({"start": lambda _: gate.promise}).get_writer()
    writes = [writer.write(number) for number in range(100)]
    ready = writer.ready
    error = Exception("start failed")
    gate.fail(error)
    assert [await rejection(write) for write in writes] == [error] * 100
    assert await rejection(ready) is error
    assert await rejection(writer.closed) is error


async def test_w9_an_error_of_the_size_function_settles_what_is_queued() -> None:
    """A size() that raises rejects its own write and those that are queued."""
    error = Exception("size failed")
    sink = RecordingSink("write")

    def size(chunk: Any) -> int:
        if chunk == "bad":
            raise error
        return 1

    writer = await started(sink, high_water_mark=1, size=size)
    writes = [writer.write(chunk) for chunk in ("good", "queued", "bad")]
    assert await rejection(writer.ready, 1) is error
    sink.finish("write")
    assert await value(writes[0]) is None
    assert [await rejection(write) for write in writes[1:]] == [error, error]


# W10


async def test_w10_a_write_is_done_when_the_sink_has_finished_that_chunk() -> None:
    """write() is not fulfilled before the sink has finished its chunk, even with room (denoland/deno#32734)."""
    sink = RecordingSink("write")
    writer = await started(sink, high_water_mark=100)
    writes = [writer.write(number) for number in range(5)]
    for number in range(5):
        await turns()
        assert [write.done() for write in writes] == [index < number for index in range(5)]
        sink.finish("write")
    await value(writes[-1])
    assert sink.chunks == [0, 1, 2, 3, 4]


async def test_w10_with_a_sink_that_is_a_coroutine_function() -> None:
    """The same with a sink whose write() is a coroutine function that suspends several times."""
    finished: list[Any] = []
    seen: list[tuple[Any, bool]] = []

    class Sink:
        async def write(self, chunk: Any, controller: WritableStreamDefaultController) -> None:
            for _ in range(chunk):
                await asyncio.sleep(0)
            finished.append(chunk)

    writer = WritableStream[Any](Sink(), {"high_water_mark": 10}).get_writer()

    def watch(chunk: int) -> Promise[None]:
        write = writer.write(chunk)
        write.add_done_callback(lambda _: seen.append((chunk, chunk in finished)))
        return write

    last = [watch(chunk) for chunk in (3, 0, 5, 1)][-1]
    await value(last)
    await turns()
    assert seen == [(3, True), (0, True), (5, True), (1, True)]


async def test_w10_write_through_a_transform_waits_for_the_transformer() -> None:
    """write() into a TransformStream is fulfilled when transform() is done, not when the chunk is in the queue."""
    gate = Gate()
    stream = TransformStream[Any, Any]({"transform": lambda chunk, controller: gate.promise}, {"high_water_mark": 10})
    reading = stream.readable.get_reader().read()
    write = stream.writable.get_writer().write("chunk")
    await turns(10)
    assert not write.done()
    gate.open(None)
    assert await value(write) is None
    assert not reading.done()


# W11


class CountedChunk(bytearray):
    """64 KiB that are counted as long as they are alive."""

    live: ClassVar[int] = 0
    most: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__(65536)
        CountedChunk.live += 1
        CountedChunk.most = max(CountedChunk.most, CountedChunk.live)

    def __del__(self) -> None:
        CountedChunk.live -= 1

    @classmethod
    def reset(cls) -> None:
        cls.live = cls.most = 0


class ManyChunks:
    """A source of many counted chunks, which makes one when it is asked."""

    def __init__(self, count: int) -> None:
        self.left = count

    def pull(self, controller: ReadableStreamDefaultController[CountedChunk]) -> None:
        if self.left == 0:
            controller.close()
        else:
            self.left -= 1
            controller.enqueue(CountedChunk())


class SlowSink:
    """A sink that takes a turn of the event loop for each chunk."""

    def __init__(self) -> None:
        self.total = 0

    async def write(self, chunk: Any, controller: WritableStreamDefaultController) -> None:
        await asyncio.sleep(0)
        self.total += len(chunk)


@pytest.mark.parametrize("transforms", [0, 3])
async def test_w11_many_megabytes_through_a_bounded_queue(transforms: int) -> None:
    """32 MiB piped into a sink that is slower than the source: never more than a few chunks are alive."""
    CountedChunk.reset()
    sink = SlowSink()
    readable = ReadableStream[CountedChunk](ManyChunks(512), {"high_water_mark": 2})
    for _ in range(transforms):
        readable = readable.pipe_through(TransformStream[CountedChunk, CountedChunk]())
    await readable.pipe_to(WritableStream[CountedChunk](sink, {"high_water_mark": 2}))
    assert sink.total == 512 * 65536
    # Two queues of two, one chunk in the sink, one on its way; each transform has one in its queue and one on its way.
    assert CountedChunk.most <= 6 + 2 * transforms
    assert CountedChunk.live <= 1


async def test_w11_many_megabytes_of_a_byte_stream() -> None:
    """32 MiB of a byte stream piped into a slow sink: the peak memory is that of a few chunks."""

    class Source:
        type: Literal["bytes"] = "bytes"
        left = 512

        def pull(self, controller: ReadableByteStreamController) -> None:
            if self.left == 0:
                controller.close()
            else:
                self.left -= 1
                controller.enqueue(bytearray(65536))

    sink = SlowSink()
    strategy = ByteLengthQueuingStrategy(high_water_mark=2 * 65536)
    writable = WritableStream[bytes](sink, strategy)
    readable = ReadableStream[bytes](Source(), {"high_water_mark": 2 * 65536})
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        await readable.pipe_to(writable)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sink.total == 512 * 65536
    assert peak - before < 16 * 65536


async def test_w11_writes_that_wait_for_ready_stay_bounded() -> None:
    """A loop that waits for `ready` before each write never has more in the queue than the high-water mark."""
    CountedChunk.reset()
    sink = SlowSink()
    writer = WritableStream[CountedChunk](sink, {"high_water_mark": 4}).get_writer()
    for _ in range(1024):
        await writer.ready
        quiet(writer.write(CountedChunk()))
    await value(writer.close())
    assert sink.total == 1024 * 65536
    assert CountedChunk.most <= 6


# W12


async def test_w12_writes_complete_after_the_writer_was_released() -> None:
    """release_lock() with writes pending: they are written and fulfilled all the same (whatwg/streams#578)."""
    sink = RecordingSink("write")
    stream = WritableStream[Any](sink)
    writer = stream.get_writer()
    await turns()
    writes = [writer.write(number) for number in range(4)]
    ready, closed = writer.ready, writer.closed
    writer.release_lock()
    assert not stream.locked
    assert type(await rejection(ready)) is TypeError
    assert type(await rejection(closed)) is TypeError
    for number in range(4):
        await turns()
        assert sink.chunks == list(range(number + 1))
        assert not writes[number].done()
        sink.finish("write")
    assert [await value(write) for write in writes] == [None] * 4


async def test_w12_the_next_writer_comes_behind_the_pending_writes() -> None:
    """What the next writer writes, and its close(), come after what the released one left in the queue."""
    sink = RecordingSink()
    stream = WritableStream[Any](sink)
    with_first = stream.get_writer()
    first = [with_first.write("a"), with_first.write("b")]
    with_first.release_lock()
    with_second = stream.get_writer()
    second = with_second.write("c")
    await value(with_second.close())
    assert [write.done() for write in [*first, second]] == [True] * 3
    assert sink.calls == [("write", "a"), ("write", "b"), ("write", "c"), ("close",)]


async def test_w12_writes_of_a_released_writer_fail_with_the_stream() -> None:
    """Writes that a released writer left behind reject with the error when the stream is errored."""
    sink = RecordingSink("write")
    stream = WritableStream[Any](sink)
    writer = stream.get_writer()
    await turns()
    writes = [writer.write("in flight"), writer.write("queued")]
    writer.release_lock()
    aborting = stream.abort("text")
    sink.finish("write")
    assert await value(writes[0]) is None
    error = await rejection(writes[1])
    assert isinstance(error, StreamError)
    assert error.reason == "text"
    await settled(aborting)
    assert sink.named("abort") == ["text"]
