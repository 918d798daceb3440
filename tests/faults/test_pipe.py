"""Faults that pipes of other implementations had (P1 to P13)."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable
from typing import Any, Literal

import pytest

from tests.dropping import Dropped
from webstreams import (
    AbortController,
    AbortSignal,
    Promise,
    ReadableByteStreamController,
    ReadableStream,
    ReadableStreamDefaultController,
    TransformStream,
    TransformStreamDefaultController,
    WritableStream,
    WritableStreamDefaultController,
    queue_microtask,
)

from . import support
from .support import (
    Ends,
    RecordingSink,
    RecordingSource,
    failing,
    listener_count,
    live_objects,
    quiet,
    read_all,
    rejection,
    settled,
    stream_of,
    traceback_names,
    turns,
    value,
)

nothing_reported = pytest.fixture(autouse=True)(support.nothing_reported)

# So many turns of the loop count as "at once".
AT_ONCE = 10


# P1


@pytest.mark.parametrize("chunks", [0, 3])
async def test_p1_abort_while_the_pipe_waits_for_a_chunk(chunks: int) -> None:
    """An abort that comes while the pipe waits for a chunk rejects it at once, with the reason.

    The sink's abort() and the source's cancel() are called once each, with the same object (oven-sh/bun#26392,
    nodejs/node#64014).
    """
    ends = Ends(RecordingSource(*range(chunks)))
    pipe = await ends.waiting_pipe()
    assert ends.sink.chunks == list(range(chunks))
    reason = Exception("stop")
    ends.abort_controller.abort(reason)
    assert await rejection(pipe, AT_ONCE) is reason
    assert ends.sink.named("abort") == [reason]
    assert ends.source.cancels == [reason]
    assert ends.locked == (False, False)


async def test_p1_abort_with_a_reason_that_is_no_exception() -> None:
    """The same object reaches sink and source when the reason is no exception."""
    ends = Ends()
    pipe = await ends.waiting_pipe()
    reason = ["any", "object"]
    ends.abort_controller.abort(reason)
    error = await rejection(pipe, AT_ONCE)
    assert getattr(error, "reason", None) is reason
    assert ends.sink.named("abort")[0] is reason
    assert ends.source.cancels[0] is reason


async def test_p1_abort_while_pull_is_pending() -> None:
    """An abort while the source's pull() is pending does not wait for that."""
    cancels: list[Any] = []
    never = Promise.with_resolvers()[0]
    readable = ReadableStream[Any]({"pull": lambda controller: never, "cancel": cancels.append})
    controller = AbortController()
    pipe = readable.pipe_to(WritableStream[Any](), signal=controller.signal)
    await turns()
    controller.abort("stop")
    await rejection(pipe, AT_ONCE)
    assert cancels == ["stop"]


async def test_p1_abort_while_a_write_is_in_flight_waits_for_the_write() -> None:
    """An abort while the sink writes: the chunk is finished first, then abort() and cancel() are called."""
    ends = Ends(RecordingSource("chunk"), RecordingSink("write"))
    pipe = await ends.waiting_pipe()
    ends.abort_controller.abort("stop")
    await turns(20)
    assert not pipe.done()
    assert ends.source.cancels == []
    ends.sink.finish("write")
    await rejection(pipe, AT_ONCE)
    assert ends.sink.calls == [("write", "chunk"), ("abort", "stop")]
    assert ends.source.cancels == ["stop"]


# P2


async def test_p2_abort_with_prevent_cancel_settles_while_no_chunk_comes() -> None:
    """An abort with prevent_cancel rejects the pipe though the source is silent; it stays open (polyfill#118)."""
    ends = Ends()
    pipe = await ends.waiting_pipe(prevent_cancel=True)
    reason = Exception("stop")
    ends.abort_controller.abort(reason)
    assert await rejection(pipe, AT_ONCE) is reason
    assert ends.source.cancels == []
    assert ends.sink.named("abort") == [reason]
    assert ends.locked == (False, False)
    ends.source.controller.enqueue("for the next reader")
    assert await value(ends.readable.get_reader().read()) == ("for the next reader", False)


async def test_p2_abort_with_prevent_abort_settles_while_no_chunk_comes() -> None:
    """The counterpart: with prevent_abort the source is cancelled and the destination stays writable."""
    ends = Ends()
    pipe = await ends.waiting_pipe(prevent_abort=True)
    ends.abort_controller.abort("stop")
    await rejection(pipe, AT_ONCE)
    assert ends.source.cancels == ["stop"]
    writer = ends.writable.get_writer()
    await value(writer.write("from the next writer"))
    assert ends.sink.calls == [("write", "from the next writer")]


# P3


async def test_p3_abort_with_both_prevents_still_stops_the_pipe() -> None:
    """An abort with prevent_abort and prevent_cancel stops the pipe; both ends stay usable (polyfill 2.0.4, #31)."""
    ends = Ends()
    pipe = await ends.waiting_pipe(prevent_abort=True, prevent_cancel=True)
    reason = Exception("stop")
    ends.abort_controller.abort(reason)
    assert await rejection(pipe, AT_ONCE) is reason
    assert ends.locked == (False, False)
    assert ends.sink.calls == []
    assert ends.source.cancels == []
    ends.source.controller.enqueue("chunk")
    ends.source.controller.close()
    await value(ends.readable.pipe_to(ends.writable))
    assert ends.sink.calls == [("write", "chunk"), ("close",)]


async def test_p3_abort_with_both_prevents_while_there_is_always_a_chunk() -> None:
    """The same with a source that always has a chunk: nothing is read after the abort, nothing is lost."""
    ends = Ends(RecordingSource(*range(100)), RecordingSink("write"))
    pipe = await ends.waiting_pipe(prevent_abort=True, prevent_cancel=True)
    ends.sink.finish("write")
    await turns()
    ends.abort_controller.abort("stop")
    ends.sink.finish("write")
    await rejection(pipe, AT_ONCE)
    assert ends.sink.chunks == [0, 1]
    ends.source.controller.close()
    assert await read_all(ends.readable) == list(range(2, 100))


async def test_p3_a_signal_that_is_aborted_already_with_both_prevents() -> None:
    """The same with a signal that is aborted before the pipe is made: nothing is read at all."""
    ends = Ends(RecordingSource("chunk"))
    ends.abort_controller.abort("stop")
    await rejection(ends.pipe(prevent_abort=True, prevent_cancel=True), AT_ONCE)
    assert ends.locked == (False, False)
    assert ends.sink.calls == []
    assert await value(ends.readable.get_reader().read()) == ("chunk", False)


# P4


async def _end_of_source(number: int, signal: AbortSignal) -> None:
    sink = RecordingSink()
    await value(stream_of([number]).pipe_to(WritableStream[Any](sink), signal=signal))
    assert sink.chunks == [number]


async def _error_of_source(number: int, signal: AbortSignal) -> None:
    error = Exception("source failed")
    readable = ReadableStream[Any]({"pull": failing(error)})
    assert await rejection(readable.pipe_to(WritableStream[Any](), signal=signal)) is error


async def _error_of_sink(number: int, signal: AbortSignal) -> None:
    error = Exception("sink failed")
    writable = WritableStream[Any]({"write": failing(error)})
    assert await rejection(stream_of([number]).pipe_to(writable, signal=signal)) is error


async def _end_of_pipe_through(number: int, signal: AbortSignal) -> None:
    assert await read_all(stream_of([number]).pipe_through(TransformStream[Any, Any](), signal=signal)) == [number]


PIPES_THAT_END = [_end_of_source, _error_of_source, _error_of_sink, _end_of_pipe_through]


@pytest.mark.parametrize("run", PIPES_THAT_END)
async def test_p4_pipes_that_end_leave_no_listener_on_the_signal(run: Callable[[int, AbortSignal], Any]) -> None:
    """200 pipes with one signal, one after the other: each leaves no listener when it ends (oven-sh/bun#28491)."""
    signal = AbortController().signal
    for number in range(200):
        await run(number, signal)
        await turns(1)
    assert listener_count(signal) == 0


async def test_p4_pipes_that_run_at_the_same_time_leave_no_listener() -> None:
    """200 pipes at the same time: 200 listeners while they run, none when all have ended."""
    signal = AbortController().signal
    sources = [RecordingSource() for _ in range(200)]
    pipes = [ReadableStream[Any](source).pipe_to(WritableStream[Any](), signal=signal) for source in sources]
    await turns()
    assert listener_count(signal) == 200
    for source in sources:
        source.controller.close()
    for pipe in pipes:
        await value(pipe)
    assert listener_count(signal) == 0


async def test_p4_ended_pipes_are_collected_while_their_signal_lives() -> None:
    """The streams of 200 ended pipes are collected though their signal is still there."""
    signal = AbortController().signal
    streams: weakref.WeakSet[Any] = weakref.WeakSet()
    for number in range(200):
        readable, writable = stream_of([number]), WritableStream[Any]()
        streams.update((readable, writable))
        await value(readable.pipe_to(writable, signal=signal))
    del readable, writable
    await turns()
    gc.collect()
    assert len(streams) == 0
    assert not signal.aborted


async def test_p4_pipes_that_never_end_are_gone_after_an_abort() -> None:
    """200 pipes that would never end: an abort ends them all, leaves no listener, and the streams are collected."""
    controller = AbortController()
    streams: weakref.WeakSet[Any] = weakref.WeakSet()
    pipes: list[Promise[None]] = []
    for _ in range(200):
        readable, writable = ReadableStream[Any](), WritableStream[Any]()
        streams.update((readable, writable))
        pipes.append(readable.pipe_to(writable, signal=controller.signal))
    await turns()
    assert listener_count(controller.signal) == 200
    reason = Exception("stop")
    controller.abort(reason)
    assert [await rejection(pipe) for pipe in pipes] == [reason] * 200
    assert listener_count(controller.signal) == 0
    del readable, writable
    pipes.clear()
    await turns()
    gc.collect()
    assert len(streams) == 0


async def test_p4_pipes_that_never_end_are_collected_with_their_signal() -> None:
    """200 pipes that never end are collected when the program has dropped everything, the signal too."""
    controller = AbortController()
    dropped = Dropped()
    dropped.add(controller, controller.signal)
    for _ in range(200):
        readable, writable = ReadableStream[Any](), WritableStream[Any]()
        dropped.add(readable, writable, readable.pipe_to(writable, signal=controller.signal))
    await turns()
    assert len(dropped.alive()) == 602
    del controller, readable, writable
    assert dropped.alive() == []


async def test_p4_pipes_that_never_end_without_a_signal_are_collected() -> None:
    """Pipes that never end and have no signal are collected when the program has dropped them."""
    dropped = Dropped()
    for _ in range(20):
        readable, writable = ReadableStream[Any](), WritableStream[Any]()
        dropped.add(readable, writable, readable.pipe_to(writable))
        del readable, writable
    await turns()
    assert dropped.alive() == []


async def test_p4_signals_that_depend_on_one_signal_are_collected() -> None:
    """200 pipes, each with an AbortSignal.any() of the one signal: the dependent signals are collected afterwards."""
    signal = AbortController().signal
    dependents: weakref.WeakSet[AbortSignal] = weakref.WeakSet()
    for number in range(200):
        dependent = AbortSignal.any([signal, AbortController().signal])
        dependents.add(dependent)
        await _end_of_source(number, dependent)
    del dependent
    await turns()
    gc.collect()
    assert len(dependents) == 0
    assert listener_count(signal) == 0


# P5


async def test_p5_a_pipe_against_constant_backpressure_keeps_few_objects() -> None:
    """8,192 chunks against constant backpressure: the number of live promises, futures and tasks stays the same.

    See MattiasBuelens/web-streams-polyfill#217, whatwg/streams#968, LadybirdBrowser/ladybird#7061.
    """
    counts: list[int] = []

    class Sink:
        async def write(self, chunk: int, controller: WritableStreamDefaultController) -> None:
            await asyncio.sleep(0)
            if chunk in (512, 4096, 8191):
                counts.append(live_objects(Promise, asyncio.Future))

    await value(stream_of(range(8192)).pipe_to(WritableStream[int](Sink())), 100_000)
    assert len(counts) == 3
    assert max(counts) - min(counts) <= 4


async def test_p5_a_chain_of_pipes_keeps_few_objects() -> None:
    """The same through three transforms, with a source that is pulled by hand and no room anywhere."""
    counts: list[int] = []

    class Source:
        next = 0

        def pull(self, controller: ReadableStreamDefaultController[int]) -> None:
            controller.enqueue(self.next)
            self.next += 1
            if self.next == 4096:
                controller.close()

    class Sink:
        async def write(self, chunk: int, controller: WritableStreamDefaultController) -> None:
            await asyncio.sleep(0)
            if chunk in (512, 2048, 4000):
                counts.append(live_objects(Promise, asyncio.Future))

    stream = ReadableStream[int](Source())
    for _ in range(3):
        stream = stream.pipe_through(TransformStream[int, int]())
    await value(stream.pipe_to(WritableStream[int](Sink())), 100_000)
    assert len(counts) == 3
    assert max(counts) - min(counts) <= 8


async def test_p5_a_loop_of_writes_that_waits_for_ready_keeps_few_objects() -> None:
    """The same for a loop of a program that waits for `ready` before each of 4,096 writes."""
    counts: list[int] = []

    class Sink:
        async def write(self, chunk: int, controller: WritableStreamDefaultController) -> None:
            await asyncio.sleep(0)

    writer = WritableStream[int](Sink()).get_writer()
    for number in range(4096):
        await writer.ready
        quiet(writer.write(number))
        if number in (512, 2048, 4000):
            counts.append(live_objects(Promise, asyncio.Future))
    await value(writer.close())
    assert len(counts) == 3
    assert max(counts) - min(counts) <= 4


async def test_p5_a_pipe_of_many_chunks_keeps_no_chunk() -> None:
    """Chunks that went through a pipe are not kept by it."""

    class Chunk:
        pass

    alive: weakref.WeakSet[Chunk] = weakref.WeakSet()
    most = 0

    class Source:
        left = 2000

        def pull(self, controller: ReadableStreamDefaultController[Chunk]) -> None:
            nonlocal most
            self.left -= 1
            chunk = Chunk()
            alive.add(chunk)
            most = max(most, len(alive))
            controller.enqueue(chunk)
            if self.left == 0:
                controller.close()

    await value(ReadableStream[Chunk](Source()).pipe_to(WritableStream[Chunk]()), 100_000)
    assert most <= 6


# P6


async def test_p6_error_of_the_sinks_controller_while_the_pipe_waits() -> None:
    """controller.error() of the sink rejects the pipe and cancels the source with that object (workerd#6066)."""
    ends = Ends()
    pipe = await ends.waiting_pipe()
    error = Exception("sink failed")
    ends.sink.controller.error(error)
    assert await rejection(pipe, AT_ONCE) is error
    assert ends.source.cancels == [error]
    assert ends.sink.named("abort") == []
    assert ends.locked == (False, False)


async def test_p6_error_of_the_sinks_controller_inside_write() -> None:
    """The same when the sink calls it inside write(): the write itself counts, what comes after is not read."""
    source = RecordingSource("first", "second", "third")
    error = Exception("sink failed")
    chunks: list[Any] = []

    def write(chunk: Any, controller: WritableStreamDefaultController) -> None:
        chunks.append(chunk)
        if chunk == "second":
            controller.error(error)

    pipe = ReadableStream[Any](source).pipe_to(WritableStream[Any]({"write": write}))
    assert await rejection(pipe) is error
    assert chunks == ["first", "second"]
    assert source.cancels == [error]


async def test_p6_error_of_the_sinks_controller_with_prevent_cancel() -> None:
    """With prevent_cancel the source goes on: the next reader gets the chunk that comes next."""
    ends = Ends()
    pipe = await ends.waiting_pipe(prevent_cancel=True)
    error = Exception("sink failed")
    ends.sink.controller.error(error)
    assert await rejection(pipe, AT_ONCE) is error
    assert ends.source.cancels == []
    ends.source.controller.enqueue("next")
    assert await value(ends.readable.get_reader().read()) == ("next", False)


async def test_p6_the_standard_loses_the_chunk_of_the_turn_in_which_the_destination_errors() -> None:
    """With prevent_cancel, a chunk that is enqueued in the turn of the error is read and never written: that is the
    Standard's loss, which docs/differences.md tells of and whatwg/streams#1208 would end. Whoever mends it changes this
    test."""
    ends = Ends()
    pipe = await ends.waiting_pipe(prevent_cancel=True)
    error = Exception("sink failed")
    ends.source.controller.enqueue("lost")
    ends.sink.controller.error(error)
    assert await rejection(pipe, AT_ONCE) is error
    assert ends.sink.calls == [] and ends.source.cancels == []
    ends.source.controller.enqueue("next")
    assert await value(ends.readable.get_reader().read()) == ("next", False)


async def test_p6_error_of_the_controller_before_the_sink_has_started() -> None:
    """The same when the sink calls it inside start(): the pipe rejects, the source is cancelled."""
    source = RecordingSource("chunk")
    error = Exception("sink failed")
    writable = WritableStream[Any]({"start": lambda controller: controller.error(error)})
    assert await rejection(ReadableStream[Any](source).pipe_to(writable)) is error
    assert source.cancels == [error]


# P7


async def test_p7_chunks_that_were_read_are_written_before_the_abort() -> None:
    """The source fails after the pipe has read three chunks: they are written before abort() (whatwg/streams#738)."""
    ends = Ends(RecordingSource("a", "b", "c"), RecordingSink("write"), high_water_mark=5)
    pipe = await ends.waiting_pipe()
    error = Exception("source failed")
    ends.source.controller.error(error)
    await turns()
    for written in (["a"], ["a", "b"], ["a", "b", "c"]):
        assert ends.sink.calls == [("write", chunk) for chunk in written]
        assert not pipe.done()
        ends.sink.finish("write")
        await turns()
    assert await rejection(pipe, AT_ONCE) is error
    assert ends.sink.calls == [("write", "a"), ("write", "b"), ("write", "c"), ("abort", error)]


async def test_p7_a_chunk_that_is_read_in_the_step_of_the_error_is_written() -> None:
    """enqueue() and error() in one step, with the pipe's read pending: that chunk was read, and is written first."""
    ends = Ends()
    pipe = await ends.waiting_pipe()
    error = Exception("source failed")
    ends.source.controller.enqueue("last")
    ends.source.controller.error(error)
    assert await rejection(pipe) is error
    assert ends.sink.calls == [("write", "last"), ("abort", error)]


async def test_p7_with_prevent_abort_the_chunks_are_written_before_the_pipe_rejects() -> None:
    """With prevent_abort the pipe rejects when the chunks that were read are written; the destination stays open."""
    ends = Ends(RecordingSource("a", "b"), RecordingSink("write"), high_water_mark=5)
    pipe = await ends.waiting_pipe(prevent_abort=True)
    error = Exception("source failed")
    ends.source.controller.error(error)
    ends.sink.finish("write")
    await turns()
    assert not pipe.done()
    ends.sink.finish("write")
    assert await rejection(pipe, AT_ONCE) is error
    assert ends.sink.chunks == ["a", "b"]
    assert ends.writable.get_writer().desired_size == 5


async def test_p7_chunks_that_were_not_read_are_dropped() -> None:
    """What backpressure kept in the source's queue is dropped by the error, as the Standard says."""
    ends = Ends(RecordingSource("a", "b", "c"), RecordingSink("write"))
    pipe = await ends.waiting_pipe()
    error = Exception("source failed")
    ends.source.controller.error(error)
    ends.sink.finish("write")
    assert await rejection(pipe) is error
    assert ends.sink.calls == [("write", "a"), ("abort", error)]


# P8: the Standard's text of August 2026 (ReadableStreamPipeTo). The change that whatwg/streams#1208 proposes, to free
# the reader when the shutdown begins, is not in it: the reader is released by "finalize". So a read that was under way
# when the pipe was aborted takes the next chunk, which has then been read and must be written ("wait until every chunk
# that has been read has been written"). No further read begins.


@pytest.mark.parametrize("turns_between", [0, 1, 5])
async def test_p8_a_chunk_after_the_abort_is_taken_by_the_read_under_way(turns_between: int) -> None:
    """Abort with prevent_cancel, then enqueue while a write is going on: the chunk is written, then the pipe rejects.

    web-platform-tests/wpt#32399 would have it stay in the queue (see whatwg/streams#1208).
    """
    ends = Ends(RecordingSource("a"), RecordingSink("write"), high_water_mark=float("inf"))
    pipe = await ends.waiting_pipe(prevent_cancel=True)
    reason = Exception("stop")
    ends.abort_controller.abort(reason)
    await turns(turns_between)
    ends.source.controller.enqueue("b")
    ends.source.controller.enqueue("c")
    ends.sink.finish("write")
    await turns()
    assert not pipe.done()
    ends.sink.finish("write")
    assert await rejection(pipe, AT_ONCE) is reason
    assert ends.sink.calls == [("write", "a"), ("write", "b"), ("abort", reason)]
    ends.source.controller.close()
    assert await read_all(ends.readable) == ["c"]


async def test_p8_a_chunk_in_the_step_of_the_abort_is_taken_when_no_write_is_going_on() -> None:
    """Abort with prevent_cancel and enqueue in one step, with nothing being written: the chunk is written, too."""
    ends = Ends()
    pipe = await ends.waiting_pipe(prevent_cancel=True)
    ends.abort_controller.abort("stop")
    ends.source.controller.enqueue("b")
    ends.source.controller.enqueue("c")
    await rejection(pipe, AT_ONCE)
    assert ends.sink.calls == [("write", "b"), ("abort", "stop")]
    ends.source.controller.close()
    assert await read_all(ends.readable) == ["c"]


async def test_p8_a_chunk_after_the_end_of_the_pipe_stays_in_the_queue() -> None:
    """Abort with prevent_cancel; what is enqueued after the pipe has ended is for the next reader."""
    ends = Ends()
    pipe = await ends.waiting_pipe(prevent_cancel=True)
    ends.abort_controller.abort("stop")
    await rejection(pipe, AT_ONCE)
    ends.source.controller.enqueue("b")
    ends.source.controller.close()
    assert ends.sink.calls == [("abort", "stop")]
    assert await read_all(ends.readable) == ["b"]


async def test_p8_with_both_prevents_no_chunk_is_lost() -> None:
    """With prevent_abort, too, each chunk is either written or still in the queue: none is lost, none comes twice."""
    ends = Ends(RecordingSource("a"), RecordingSink("write"), high_water_mark=float("inf"))
    pipe = await ends.waiting_pipe(prevent_cancel=True, prevent_abort=True)
    ends.abort_controller.abort("stop")
    for chunk in ("b", "c", "d"):
        ends.source.controller.enqueue(chunk)
    ends.source.controller.close()
    ends.sink.finish("write")
    await turns()
    ends.sink.finish("write")
    await rejection(pipe, AT_ONCE)
    assert ends.sink.chunks == ["a", "b"]
    assert await read_all(ends.readable) == ["c", "d"]


async def test_p8_another_destination_gets_what_the_aborted_pipe_has_not_read() -> None:
    """Abort with prevent_cancel to change the destination of a source: no chunk is lost (denoland/deno#24495)."""
    numbers = iter(range(1, 11))

    def pull(controller: ReadableStreamDefaultController[int]) -> None:
        controller.enqueue(next(numbers))

    readable = ReadableStream[int]({"pull": pull})
    transform = TransformStream[int, int]()
    controller = AbortController()
    pipe = readable.pipe_to(transform.writable, prevent_cancel=True, signal=controller.signal)
    reader = transform.readable.get_reader()
    assert await value(reader.read()) == (1, False)
    await turns()
    reason = Exception("another destination")
    controller.abort(reason)
    assert await value(reader.read()) == (2, False)
    assert await rejection(pipe) is reason
    assert await rejection(reader.read()) is reason
    assert await value(readable.get_reader().read()) == (3, False)


# P9


def _close_with_last_chunk(controller: Any) -> None:
    controller.enqueue(b"last")
    controller.close()


class _ByteSource:
    type: Literal["bytes"] = "bytes"

    def pull(self, controller: ReadableByteStreamController) -> None:
        _close_with_last_chunk(controller)


SOURCES: dict[str, Callable[[], ReadableStream[Any]]] = {
    "default": lambda: ReadableStream({"pull": _close_with_last_chunk}),
    "no queue": lambda: ReadableStream({"pull": _close_with_last_chunk}, {"high_water_mark": 0}),
    "start": lambda: ReadableStream({"start": _close_with_last_chunk}),
    "bytes": lambda: ReadableStream(_ByteSource()),
}


@pytest.mark.parametrize("hold", [(), ("write",)], ids=["fast sink", "slow sink"])
@pytest.mark.parametrize("prevent_close", [False, True])
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES.keys())
async def test_p9_the_source_closes_in_the_pull_of_its_last_chunk(
    source: Callable[[], ReadableStream[Any]], prevent_close: bool, hold: tuple[str, ...]
) -> None:
    """enqueue() and close() in one pull(): the chunk is written, the pipe fulfilled, no stray error (workerd#992)."""
    sink = RecordingSink(*hold)
    readable, writable = source(), WritableStream[Any](sink)
    pipe = readable.pipe_to(writable, prevent_close=prevent_close)
    await turns()
    if hold:
        assert not pipe.done()
        sink.finish("write")
    assert await value(pipe) is None
    assert sink.calls == [("write", b"last"), *([] if prevent_close else [("close",)])]
    assert (readable.locked, writable.locked) == (False, False)


async def test_p9_through_a_chain_of_transforms() -> None:
    """The same through transforms, whose flush() enqueues a chunk, too."""

    def flush(controller: TransformStreamDefaultController[Any]) -> None:
        controller.enqueue(b"flushed")

    sink = RecordingSink()
    stream = SOURCES["default"]()
    for _ in range(3):
        stream = stream.pipe_through(TransformStream[Any, Any]({"flush": flush}))
    await value(stream.pipe_to(WritableStream[Any](sink)))
    assert sink.calls == [("write", b"last"), *[("write", b"flushed")] * 3, ("close",)]


# P10


class WatchingSink:
    """A sink that notes whether a call of enqueue() was under way when it got a chunk."""

    def __init__(self) -> None:
        self.enqueueing = False
        self.writes: list[tuple[Any, bool]] = []

    def write(self, chunk: Any, controller: WritableStreamDefaultController) -> None:
        self.writes.append((chunk, self.enqueueing))

    def enqueue(self, controller: Any, chunk: Any) -> None:
        self.enqueueing = True
        controller.enqueue(chunk)
        self.enqueueing = False


async def test_p10_enqueue_does_not_start_the_write() -> None:
    """A write does not start inside the enqueue() that answers the pipe's read (nodejs/node#61800)."""
    sink, source = WatchingSink(), RecordingSource()
    pipe = ReadableStream[Any](source).pipe_to(WritableStream[Any](sink, {"high_water_mark": 10}))
    await turns()
    for number in range(3):
        sink.enqueue(source.controller, number)
        assert len(sink.writes) == number
        await turns()
    source.controller.close()
    await value(pipe)
    assert sink.writes == [(0, False), (1, False), (2, False)]


async def test_p10_enqueue_inside_pull_does_not_start_the_write() -> None:
    """The same for an enqueue() inside pull(), and inside a pull() that is a coroutine function."""
    sink = WatchingSink()

    def pull(controller: ReadableStreamDefaultController[Any]) -> None:
        if len(sink.writes) == 3:
            controller.close()
        else:
            sink.enqueue(controller, "chunk")

    async def pull_later(controller: ReadableStreamDefaultController[Any]) -> None:
        await asyncio.sleep(0)
        pull(controller)

    for member in (pull, pull_later):
        sink.writes.clear()
        readable = ReadableStream[Any]({"pull": member}, {"high_water_mark": 0})
        await value(readable.pipe_to(WritableStream[Any](sink)))
        assert sink.writes == [("chunk", False)] * 3


async def test_p10_enqueue_of_a_byte_stream_does_not_start_the_write() -> None:
    """The same for a byte stream."""
    sink = WatchingSink()
    controllers: list[ReadableByteStreamController] = []
    readable = ReadableStream[bytes]({"type": "bytes", "start": controllers.append})
    pipe = readable.pipe_to(WritableStream[bytes](sink))
    await turns()
    sink.enqueue(controllers[0], b"chunk")
    assert sink.writes == []
    controllers[0].close()
    await value(pipe)
    assert sink.writes == [(b"chunk", False)]


async def test_p10_enqueue_inside_transform_does_not_start_the_write() -> None:
    """The same for an enqueue() inside transform() and flush() of a transform that is piped on."""
    sink = WatchingSink()
    transform = TransformStream[Any, Any](
        {
            "transform": lambda chunk, controller: sink.enqueue(controller, chunk),
            "flush": lambda controller: sink.enqueue(controller, "flushed"),
        }
    )
    await value(stream_of([1, 2]).pipe_through(transform).pipe_to(WritableStream[Any](sink)))
    assert sink.writes == [(1, False), (2, False), ("flushed", False)]


# P11


def _fail_sink(member: str) -> Callable[[Ends], None]:
    def act(ends: Ends) -> None:
        ends.sink.raises[member] = Exception(f"{member} failed")
        if member == "close":
            ends.source.controller.close()
        elif member == "abort":
            ends.source.controller.error(Exception("source failed"))
        else:
            ends.source.controller.enqueue("chunk")

    return act


def _fail_cancel(ends: Ends) -> None:
    ends.source.raises = Exception("cancel failed")
    ends.sink.controller.error(Exception("sink failed"))


def _fail_source(ends: Ends) -> None:
    ends.source.controller.error(Exception("source failed"))


def _fail_sink_controller(ends: Ends) -> None:
    ends.sink.controller.error(Exception("sink failed"))


def _abort(ends: Ends) -> None:
    ends.abort_controller.abort(Exception("stop"))


PREVENT_ALL = {"prevent_close": True, "prevent_abort": True, "prevent_cancel": True}
ENDINGS: dict[str, tuple[Callable[[Ends], None], dict[str, bool]]] = {
    "the source closes": (lambda ends: ends.source.controller.close(), {}),
    "the source closes, prevented": (lambda ends: ends.source.controller.close(), PREVENT_ALL),
    "the source fails": (_fail_source, {}),
    "the source fails, prevented": (_fail_source, PREVENT_ALL),
    "the sink's controller fails": (_fail_sink_controller, {}),
    "the sink's controller fails, prevented": (_fail_sink_controller, PREVENT_ALL),
    "a write fails": (_fail_sink("write"), {}),
    "a write fails, prevented": (_fail_sink("write"), PREVENT_ALL),
    "the sink's close fails": (_fail_sink("close"), {}),
    "the sink's abort fails": (_fail_sink("abort"), {}),
    "the source's cancel fails": (_fail_cancel, {}),
    "the signal is aborted": (_abort, {}),
    "the signal is aborted, prevented": (_abort, PREVENT_ALL),
}


def watch_locks(ends: Ends, pipe: Promise[None]) -> list[tuple[bool, bool]]:
    """Look after every microtask whether the pipe is settled; note the locks in the first one that finds it so."""
    found: list[tuple[bool, bool]] = []

    def look() -> None:
        if pipe.done():
            found.append(ends.locked)
        else:
            queue_microtask(look)

    queue_microtask(look)
    return found


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS.keys())
async def test_p11_both_locks_are_free_before_the_pipe_settles(
    ending: tuple[Callable[[Ends], None], dict[str, bool]],
) -> None:
    """However the pipe ends, both locks are free before its promise settles (whatwg/streams commit 908cedd)."""
    act, options = ending
    ends = Ends()
    pipe = quiet(await ends.waiting_pipe(**options))
    reactions: list[tuple[bool, bool]] = []
    pipe.add_done_callback(lambda _: reactions.append(ends.locked))
    act(ends)
    assert ends.locked == (True, True)
    found = watch_locks(ends, pipe)
    await settled(pipe)
    await turns()
    assert found == [(False, False)]
    assert reactions == [(False, False)]
    assert listener_count(ends.abort_controller.signal) == 0


@pytest.mark.parametrize("options", [{}, PREVENT_ALL], ids=["", "prevented"])
@pytest.mark.parametrize(
    "act",
    [
        _abort,
        _fail_source,
        _fail_sink_controller,
        lambda ends: ends.source.controller.close(),
        lambda ends: quiet(ends.writable.close()),
    ],
    ids=["aborted signal", "errored source", "errored sink", "closed source", "closing sink"],
)
async def test_p11_both_locks_are_free_when_the_pipe_ends_as_it_begins(
    act: Callable[[Ends], None], options: dict[str, bool]
) -> None:
    """The same when one of the ends, or the signal, is over before the pipe is made."""
    ends = Ends()
    await turns()
    act(ends)
    pipe = quiet(ends.pipe(**options))
    found = watch_locks(ends, pipe)
    await settled(pipe)
    await turns()
    assert found == [(False, False)]
    assert listener_count(ends.abort_controller.signal) == 0


# P12


async def test_p12_the_sinks_abort_fails_while_the_sources_error_is_passed_on() -> None:
    """The source fails, then the sink's abort(): the pipe rejects with the later error (whatwg/streams#558)."""
    ends = Ends()
    pipe = await ends.waiting_pipe()
    error = Exception("source failed")
    later = ends.sink.raises["abort"] = Exception("abort failed")
    ends.source.controller.error(error)
    assert await rejection(pipe) is later
    assert ends.sink.named("abort") == [error]


async def test_p12_the_sources_cancel_fails_while_the_sinks_error_is_passed_on() -> None:
    """The sink fails, then the source's cancel(): the pipe rejects with the later error."""
    ends = Ends()
    pipe = await ends.waiting_pipe()
    error = Exception("sink failed")
    later = ends.source.raises = Exception("cancel failed")
    ends.sink.controller.error(error)
    assert await rejection(pipe) is later
    assert ends.source.cancels == [error]


async def test_p12_the_sinks_close_fails_while_the_end_is_passed_on() -> None:
    """The source ends, then the sink's close() fails: the pipe rejects with that."""
    ends = Ends()
    pipe = await ends.waiting_pipe()
    later = ends.sink.raises["close"] = Exception("close failed")
    ends.source.controller.close()
    assert await rejection(pipe) is later


@pytest.mark.parametrize("fails", ["abort", "cancel", "both"])
async def test_p12_an_end_fails_while_the_abort_is_passed_on(fails: str) -> None:
    """The signal is aborted, then an end fails: the pipe rejects with that; when both fail, with the sink's abort()."""
    ends = Ends()
    pipe = await ends.waiting_pipe()
    abort_error, cancel_error = Exception("abort failed"), Exception("cancel failed")
    if fails != "cancel":
        ends.sink.raises["abort"] = abort_error
    if fails != "abort":
        ends.source.raises = cancel_error
    ends.abort_controller.abort(Exception("stop"))
    assert await rejection(pipe) is (cancel_error if fails == "cancel" else abort_error)
    assert len(ends.sink.named("abort")) == len(ends.source.cancels) == 1


async def test_p12_an_error_that_comes_while_the_pipe_shuts_down_changes_nothing() -> None:
    """The sink fails while the pipe waits for its last write after the source failed: the first error is the pipe's.

    The shutdown has begun with the source's error; only its own action (the abort, which finds the destination errored
    already and is fulfilled) could bring another one.
    """
    ends = Ends(RecordingSource("chunk"), RecordingSink("write"))
    pipe = await ends.waiting_pipe()
    error = Exception("source failed")
    ends.source.controller.error(error)
    ends.sink.fail("write", Exception("write failed"))
    assert await rejection(pipe) is error
    assert ends.sink.named("abort") == []


# P13


def fail_in_the_middle(chunk: Any, controller: TransformStreamDefaultController[Any]) -> None:
    raise LookupError(f"no {chunk}")


async def fail_in_the_middle_later(chunk: Any, controller: TransformStreamDefaultController[Any]) -> None:
    await asyncio.sleep(0)
    fail_in_the_middle(chunk, controller)


@pytest.mark.parametrize("transform", [fail_in_the_middle, fail_in_the_middle_later])
async def test_p13_the_error_of_a_middle_transform_arrives_with_its_traceback(transform: Callable[..., Any]) -> None:
    """An exception in the middle transform reaches the reader at the end and the source, as the same object.

    Its traceback shows where it was raised (denoland/deno#35104).
    """
    source = RecordingSource("chunk")
    stream = ReadableStream[Any](source)
    transformers: list[Any] = [None, {"transform": transform}, None]
    for transformer in transformers:
        stream = stream.pipe_through(TransformStream[Any, Any](transformer))
    with pytest.raises(LookupError, match="no chunk") as caught:
        await asyncio.wait_for(stream.get_reader().read(), 10)
    await turns(20)
    assert source.cancels == [caught.value]
    assert "fail_in_the_middle" in traceback_names(caught.value)
    assert traceback_names(caught.value)[-1] == "fail_in_the_middle"


async def test_p13_the_error_of_a_middle_transform_is_the_error_of_the_pipe() -> None:
    """The same object is the error of the last pipe, the reason of the sink's abort() and what `async for` raises."""
    errors: list[BaseException] = []

    def transform(chunk: Any, controller: TransformStreamDefaultController[Any]) -> None:
        errors.append(KeyError(chunk))
        raise errors[-1]

    def broken() -> ReadableStream[Any]:
        stream = stream_of(["chunk"]).pipe_through(TransformStream[Any, Any]({"transform": transform}))
        return stream.pipe_through(TransformStream[Any, Any]())

    sink = RecordingSink()
    assert await rejection(broken().pipe_to(WritableStream[Any](sink))) is errors[0]
    assert sink.named("abort") == [errors[0]]
    with pytest.raises(KeyError) as caught:
        await read_all(broken())
    assert caught.value is errors[1]
    assert traceback_names(caught.value)[-1] == "transform"
