"""Faults that writable streams of other implementations had (W1 to W12)."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Callable
from typing import Any, ClassVar, Literal

import pytest

from webstreams import (
    AbortController,
    AbortError,
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
from .support import Gate, RecordingSink, RecordingSource, quiet, rejection, settled, stream_of, turns, value

nothing_reported = pytest.fixture(autouse=True)(support.nothing_reported)


async def started(sink: RecordingSink, **strategy: Any) -> WritableStreamDefaultWriter[Any]:
    """Make a stream whose start() is done, and its writer."""
    writer = WritableStream[Any](sink, strategy).get_writer()  # type: ignore[arg-type]
    await turns()
    return writer


# W1


async def test_w1_write_after_a_finished_close_is_a_type_error() -> None:
    """write() after close() is done gives a TypeError rejection (nodejs/node#57272)."""
    sink = RecordingSink()
    writer = await started(sink)
    await value(writer.close())
    assert type(await rejection(writer.write("late"))) is TypeError
    await value(writer.closed)
    assert sink.calls == [("close",)]


async def test_w1_write_while_the_close_is_queued_or_in_flight_is_a_type_error() -> None:
    """write() after close() was called, queued or in flight, gives a TypeError rejection too."""
    sink = RecordingSink("write", "close")
    writer = await started(sink)
    first = writer.write("first")
    closing = writer.close()
    assert type(await rejection(writer.write("queued"))) is TypeError
    sink.finish("write")
    await value(first)
    assert sink.calls == [("write", "first"), ("close",)]
    assert type(await rejection(writer.write("in flight"))) is TypeError
    sink.finish("close")
    await value(closing)


async def test_w1_write_after_a_finished_close_does_not_measure_the_chunk() -> None:
    """write() on a closed stream does not call the strategy's size(), which is cleared (whatwg/streams#1341)."""
    measured: list[Any] = []

    def size(chunk: Any) -> int:
        measured.append(chunk)
        return 1

    writer = await started(RecordingSink(), high_water_mark=2, size=size)
    await value(writer.write("first"))
    await value(writer.close())
    assert type(await rejection(writer.write("late"))) is TypeError
    assert measured == ["first"]


async def test_w1_write_in_a_reaction_to_closed_is_a_type_error() -> None:
    """write() in the very job in which `closed` is seen to be fulfilled gives a TypeError rejection."""
    writer = await started(RecordingSink())
    writes: list[Promise[None]] = []
    writer.closed.add_done_callback(lambda _: writes.append(writer.write("late")))
    await value(writer.close())
    await turns()
    assert [type(await rejection(write)) for write in writes] == [TypeError]


# W2


async def test_w2_closed_is_pending_until_the_sinks_abort_is_done() -> None:
    """The first look at `closed` in an erroring stream finds it pending until abort() settles (nodejs/node#65726)."""
    sink = RecordingSink("write", "abort")
    writer = await started(sink)
    write = writer.write("chunk")
    reason = Exception("boom")
    aborting = writer.abort(reason)
    await turns()
    closed = writer.closed
    assert not closed.done()
    sink.finish("write")
    await value(write)
    await turns()
    assert sink.named("abort") == [reason]
    assert not closed.done()
    sink.finish("abort")
    assert await value(aborting) is None
    assert await rejection(closed) is reason


async def test_w2_first_look_when_the_sinks_abort_is_under_way() -> None:
    """The first look at `closed` after the state is "errored" but before abort() is done finds it pending, too."""
    sink = RecordingSink("abort")
    writer = await started(sink)
    reason = Exception("boom")
    aborting = writer.abort(reason)
    await turns()
    assert sink.named("abort") == [reason]
    closed = writer.closed
    assert not closed.done()
    assert writer.closed is closed
    sink.finish("abort")
    await value(aborting)
    assert await rejection(closed) is reason


async def test_w2_first_look_after_a_failed_abort() -> None:
    """When the sink's abort() fails, abort() rejects with that, `closed` with the reason of the abort."""
    sink = RecordingSink("abort")
    writer = await started(sink)
    reason, failure = Exception("boom"), Exception("abort failed")
    aborting = writer.abort(reason)
    await turns()
    closed = writer.closed
    sink.fail("abort", failure)
    assert await rejection(aborting) is failure
    assert await rejection(closed) is reason


async def test_w2_new_writer_while_erroring_waits_for_the_abort() -> None:
    """A writer that is made while the stream is erroring: `ready` rejects at once, `closed` when abort() is done."""
    sink = RecordingSink("write", "abort")
    stream = WritableStream[Any](sink)
    writer = stream.get_writer()
    await turns()
    quiet(writer.write("chunk"))
    reason = Exception("boom")
    quiet(writer.abort(reason))
    writer.release_lock()
    writer = stream.get_writer()
    assert await rejection(writer.ready, 1) is reason
    closed = writer.closed
    sink.finish("write")
    await turns()
    assert not closed.done()
    sink.finish("abort")
    assert await rejection(closed) is reason


# W3


@pytest.mark.parametrize("in_flight", [False, True])
async def test_w3_abort_inside_the_abort_signals_listener(in_flight: bool) -> None:
    """abort() called by a listener of controller.signal: no assertion, and the abort that comes first wins.

    That is the nested one: the Standard signals before it looks at the state, so the nested call is the first to
    store its reason (WritableStreamAbort, steps 2 to 6). The signal keeps the reason of the outer call. See
    nodejs/node#64825, denoland/deno#32129.
    """
    sink = RecordingSink("write")
    writer = await started(sink)
    write = writer.write("chunk") if in_flight else None
    nested: list[Promise[None]] = []
    outer_reason, nested_reason = Exception("outer"), Exception("nested")
    sink.controller.signal.add_event_listener("abort", lambda _: nested.append(writer.abort(nested_reason)))
    outer = writer.abort(outer_reason)
    assert len(nested) == 1
    if write is not None:
        assert nested[0] is outer
        sink.finish("write")
        await value(write)
    assert await value(outer) is None
    assert await value(nested[0]) is None
    assert sink.named("abort") == [nested_reason]
    assert sink.controller.signal.reason is outer_reason
    assert await rejection(writer.closed) is nested_reason


async def test_w3_error_inside_the_abort_signals_listener() -> None:
    """controller.error() called by a listener comes first: abort() is fulfilled, the sink's is not called."""
    sink = RecordingSink()
    writer = await started(sink)
    error = Exception("from the listener")
    sink.controller.signal.add_event_listener("abort", lambda _: sink.controller.error(error))
    assert await value(writer.abort(Exception("outer"))) is None
    assert await rejection(writer.closed) is error
    assert sink.calls == []


async def test_w3_error_inside_the_listener_while_a_write_is_in_flight() -> None:
    """The same with a write in flight: abort() rejects with the error that came first, the sink's is not called."""
    sink = RecordingSink("write")
    writer = await started(sink)
    write = writer.write("chunk")
    error = Exception("from the listener")
    sink.controller.signal.add_event_listener("abort", lambda _: sink.controller.error(error))
    aborting = writer.abort(Exception("outer"))
    sink.finish("write")
    await value(write)
    assert await rejection(aborting) is error
    assert await rejection(writer.closed) is error
    assert sink.named("abort") == []


async def test_w3_close_and_write_inside_the_abort_signals_listener() -> None:
    """write() and close() called by a listener are dropped by the abort, with its reason."""
    sink = RecordingSink("write")
    writer = await started(sink)
    first = writer.write("first")
    late: list[Promise[None]] = []

    def listener(_: Any) -> None:
        late.append(writer.write("late"))
        late.append(writer.close())

    sink.controller.signal.add_event_listener("abort", listener)
    reason = Exception("outer")
    aborting = writer.abort(reason)
    sink.finish("write")
    await value(first)
    assert [await rejection(promise) for promise in late] == [reason, reason]
    assert await value(aborting) is None
    assert sink.calls == [("write", "first"), ("abort", reason)]


# W4


async def test_w4_two_aborts_have_the_same_outcome() -> None:
    """abort() twice: the sink's abort() runs once, with the first reason; both fulfilled (cloudflare/workerd#715)."""
    sink = RecordingSink("abort")
    writer = await started(sink, high_water_mark=3)
    first_reason = Exception("first")
    first = writer.abort(first_reason)
    second = writer.abort(Exception("second"))
    sink.finish("abort")
    assert await value(first) is None
    assert await value(second) is None
    assert await value(writer.abort(Exception("third"))) is None
    assert sink.named("abort") == [first_reason]
    assert await rejection(writer.closed) is first_reason


async def test_w4_two_aborts_while_a_write_is_in_flight() -> None:
    """The second abort() gets the promise of the first while that waits; it rejects when the sink's abort() fails."""
    sink = RecordingSink("write")
    writer = await started(sink)
    failure = sink.raises["abort"] = Exception("abort failed")
    quiet(writer.write("chunk"))
    first = writer.abort(Exception("first"))
    second = writer.abort(Exception("second"))
    assert second is first
    sink.finish("write")
    assert await rejection(first) is failure
    assert len(sink.named("abort")) == 1


async def test_w4_abort_of_a_stream_that_errors_by_itself() -> None:
    """abort() twice while controller.error() waits for a write: both reject with that error, the sink hears nothing."""
    sink = RecordingSink("write")
    writer = await started(sink)
    quiet(writer.write("chunk"))
    error = Exception("by itself")
    sink.controller.error(error)
    first, second = writer.abort("first"), writer.abort("second")
    sink.finish("write")
    assert await rejection(first) is error
    assert await rejection(second) is error
    assert sink.named("abort") == []


# W5


async def test_w5_the_signal_fires_at_once_so_that_the_sink_can_stop() -> None:
    """abort() while a write waits in the sink fires controller.signal in the same step; the sink stops, it settles."""
    events: list[Any] = []

    class Sink:
        async def write(self, chunk: Any, controller: WritableStreamDefaultController) -> None:
            gate = Gate()
            controller.signal.add_event_listener("abort", lambda event: gate.open(event.target.reason))
            controller.signal.add_event_listener("abort", lambda event: events.append("signal"))
            raise await gate.promise

        def abort(self, reason: Any) -> None:
            events.append(("abort", reason))

    writer = WritableStream[Any](Sink()).get_writer()
    write = writer.write("chunk")
    await turns()
    reason = Exception("stop")
    aborting = writer.abort(reason)
    assert events == ["signal"]
    assert await value(aborting) is None
    assert await rejection(write) is reason
    assert events == ["signal", ("abort", reason)]


async def test_w5_the_signal_fires_while_a_close_waits_in_the_sink() -> None:
    """abort() while the sink's close() waits fires the signal, too; the close still counts when it is done."""
    sink = RecordingSink("close")
    writer = await started(sink)
    sink.controller.signal.add_event_listener("abort", lambda _: sink.finish("close"))
    closing = writer.close()
    assert await value(writer.abort("stop")) is None
    assert await value(closing) is None
    assert await value(writer.closed) is None
    assert sink.calls == [("close",)]


async def test_w5_the_reason_of_an_abort_without_one_is_an_abort_error() -> None:
    """abort() without a reason: the signal's reason is an AbortError; the sink gets None, as in the Standard."""
    sink = RecordingSink()
    writer = await started(sink)
    await value(writer.abort())
    assert type(sink.controller.signal.reason) is AbortError
    assert sink.named("abort") == [None]


async def test_w5_a_signal_that_is_first_looked_at_after_the_abort_is_aborted() -> None:
    """controller.signal looked at for the first time after abort() is aborted already, with the reason."""
    sink = RecordingSink("write")
    writer = await started(sink)
    quiet(writer.write("chunk"))
    reason = Exception("stop")
    quiet(writer.abort(reason))
    signal = sink.controller.signal
    assert signal is sink.controller.signal
    assert signal.aborted
    assert signal.reason is reason
    sink.finish("write")


async def test_w5_an_identity_transform_waits_for_its_reader() -> None:
    """abort() while a write waits for the reader of a TransformStream: by the Standard both wait until somebody reads.

    cloudflare/workerd#7399 ends the write at once. In the Standard the sink of a transform stream does not listen to
    the signal (TransformStreamDefaultSinkWriteAlgorithm waits for [[backpressureChangePromise]] alone).
    """
    stream = TransformStream[Any, Any]()
    writer = stream.writable.get_writer()
    await turns()
    write = writer.write("chunk")
    reason = Exception("stop")
    aborting = writer.abort(reason)
    await turns(20)
    assert not aborting.done()
    assert not write.done()
    assert await rejection(stream.readable.get_reader().read()) is reason
    assert await rejection(write) is reason
    assert await value(aborting) is None


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


# W8


@pytest.mark.parametrize("by_writer", [False, True])
async def test_w8_close_of_an_errored_stream_is_a_type_error_that_names_the_cause(by_writer: bool) -> None:
    """close() on an errored stream rejects with a TypeError, whose __cause__ is the stored error.

    oven-sh/bun#20851 asks for the stored error itself. The Standard has a TypeError here (WritableStreamClose, step
    2), so the stored error comes as its cause.
    """
    sink = RecordingSink()
    stream = WritableStream[Any](sink)
    await turns()
    error = Exception("stored")
    sink.controller.error(error)
    closing = stream.get_writer().close() if by_writer else stream.close()
    refusal = await rejection(closing)
    assert type(refusal) is TypeError
    assert refusal.__cause__ is error
    assert sink.calls == []


async def test_w8_close_of_a_stream_that_was_errored_with_another_object() -> None:
    """The same when the stored error is no exception."""
    sink = RecordingSink()
    stream = WritableStream[Any](sink)
    await turns()
    sink.controller.error("stored")
    assert type(await rejection(stream.close())) is TypeError


async def test_w8_close_of_an_erroring_stream_rejects_with_the_stored_error() -> None:
    """close() while the stream is erroring rejects with the stored error itself, once the write in flight is done."""
    sink = RecordingSink("write")
    writer = await started(sink)
    write = writer.write("chunk")
    error = Exception("stored")
    sink.controller.error(error)
    closing = writer.close()
    await turns()
    assert not closing.done()
    sink.finish("write")
    await value(write)
    assert await rejection(closing) is error


async def test_w8_close_that_was_queued_before_the_error_rejects_with_the_stored_error() -> None:
    """A close() that waits behind a write which fails rejects with the error of that write."""
    sink = RecordingSink("write")
    writer = await started(sink)
    write = writer.write("chunk")
    closing = writer.close()
    error = Exception("write failed")
    sink.fail("write", error)
    assert await rejection(write) is error
    assert await rejection(closing) is error
    assert await rejection(writer.closed) is error


async def test_w8_a_pipe_that_closes_an_errored_stream_rejects_with_the_stored_error() -> None:
    """A pipe whose source ends when the destination is errored rejects with the stored error itself."""
    sink = RecordingSink()
    writable = WritableStream[Any](sink)
    await turns()
    error = Exception("stored")
    sink.controller.error(error)
    assert await rejection(stream_of([]).pipe_to(writable)) is error


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
    """128 MiB piped into a sink that is slower than the source: never more than a few chunks are alive."""
    CountedChunk.reset()
    sink = SlowSink()
    readable = ReadableStream[CountedChunk](ManyChunks(2048), {"high_water_mark": 2})
    for _ in range(transforms):
        readable = readable.pipe_through(TransformStream[CountedChunk, CountedChunk]())
    await readable.pipe_to(WritableStream[CountedChunk](sink, {"high_water_mark": 2}))
    assert sink.total == 2048 * 65536
    # Two queues of two, one chunk in the sink, one on its way; each transform has one in its queue and one on its way.
    assert CountedChunk.most <= 6 + 2 * transforms
    assert CountedChunk.live <= 1


async def test_w11_many_megabytes_of_a_byte_stream() -> None:
    """64 MiB of a byte stream piped into a slow sink: the peak memory is that of a few chunks."""

    class Source:
        type: Literal["bytes"] = "bytes"
        left = 1024

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
    assert sink.total == 1024 * 65536
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
