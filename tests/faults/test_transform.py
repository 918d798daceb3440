"""Faults that transform streams of other implementations had (T1 to T6 and T8)."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.helpers import turns
from tests.grids import each_of
from webstreams import (
    AbortController,
    Promise,
    ReadableStream,
    StreamError,
    TransformStream,
    TransformStreamDefaultController,
    WritableStream,
    WritableStreamDefaultWriter,
)

from . import support
from .support import Gate, RecordingSink, RecordingSource, quiet, read_all, rejection, settled, stream_of, value

nothing_reported = pytest.fixture(autouse=True)(support.nothing_reported)

REASON = Exception("the reason")
READABLE_FULL = {"high_water_mark": 0}
READABLE_ROOMY = {"high_water_mark": 5}


async def started(
    transformer: Any = None, writable_strategy: Any = None, readable_strategy: Any = None
) -> tuple[TransformStream[Any, Any], WritableStreamDefaultWriter[Any]]:
    """Make a stream whose start() is done, and its writer."""
    stream = TransformStream[Any, Any](transformer, writable_strategy, readable_strategy)
    writer = stream.writable.get_writer()
    await turns()
    return stream, writer


# T1


async def test_t1_cancel_rejects_the_pending_writes_with_the_reason() -> None:
    """Cancelling the readable side rejects the write that waits and those behind it with the reason (workerd#6066)."""
    stream, writer = await started()
    writes = [writer.write(number) for number in range(3)]
    closing = writer.close()
    await turns()
    assert not any(promise.done() for promise in [*writes, closing])
    reason = Exception("not wanted")
    assert await value(stream.readable.cancel(reason)) is None
    assert [await rejection(promise) for promise in [*writes, closing, writer.closed]] == [reason] * 5


async def test_t1_cancel_while_transform_is_under_way() -> None:
    """Cancelling while transform() runs: that write is done when transform() is, the one behind it gets the reason."""
    gate = Gate()
    stream, writer = await started({"transform": lambda chunk, controller: gate.promise}, None, READABLE_ROOMY)
    under_way, queued = writer.write("under way"), writer.write("queued")
    await turns()
    reason = Exception("not wanted")
    cancelling = stream.readable.cancel(reason)
    await turns()
    assert not under_way.done()
    gate.open(None)
    assert await value(under_way) is None
    assert await rejection(queued) is reason
    assert await value(cancelling) is None


async def test_t1_cancel_before_the_start_is_done() -> None:
    """Cancelling before start() is done rejects the writes that were made meanwhile with the reason."""
    gate = Gate()
    stream = TransformStream[Any, Any]({"start": lambda controller: gate.promise})
    writer = stream.writable.get_writer()
    write = writer.write("chunk")
    reason = Exception("not wanted")
    cancelling = stream.readable.cancel(reason)
    await turns()
    gate.open(None)
    assert await rejection(write) is reason
    assert await value(cancelling) is None


# T2


@each_of(readable_strategy=[READABLE_FULL, READABLE_ROOMY])
@each_of(turns_between=[0, 1, 5])
async def test_t2_write_that_races_with_cancel(readable_strategy: Any, turns_between: int) -> None:
    """A write after cancel(), when the algorithms are cleared, gives no internal error.

    With room in the readable side the Standard would call an algorithm that it has cleared; there the chunk, which
    nobody wants, counts as written (nodejs/node#62036 and #62040, denoland/deno#33478).
    """
    gate = Gate()
    transformed: list[Any] = []
    transformer = {"transform": lambda chunk, _: transformed.append(chunk), "cancel": lambda reason: gate.promise}
    stream, writer = await started(transformer, None, readable_strategy)
    reason = Exception("not wanted")
    cancelling = stream.readable.cancel(reason)
    await turns(turns_between)
    write = writer.write("late")
    await turns()
    gate.open(None)
    assert await value(cancelling) is None
    await settled(write)
    assert write.exception() in (None, reason)
    assert await rejection(writer.closed) is reason
    assert await rejection(writer.write("later")) is reason
    assert transformed == []


async def test_t2_write_that_races_with_a_cancel_after_a_read() -> None:
    """read(), cancel() and write() in one step: the read is done, cancel() fulfilled, no internal error for write()."""
    stream, writer = await started({"transform": lambda chunk, controller: controller.enqueue(chunk)})
    reader = stream.readable.get_reader()
    reason = Exception("client disconnected")
    reading, cancelling, write = reader.read(), reader.cancel(reason), writer.write("late")
    assert await value(reading) == (None, True)
    assert await value(cancelling) is None
    await settled(write)
    assert write.exception() in (None, reason)
    assert await rejection(writer.closed) is reason


async def test_t2_write_that_races_with_terminate() -> None:
    """Writes behind the one whose transform() calls terminate() reject with the TypeError of the termination."""
    seen: list[Any] = []

    def transform(chunk: Any, controller: TransformStreamDefaultController[Any]) -> None:
        seen.append(chunk)
        controller.terminate()

    stream, writer = await started({"transform": transform}, {"high_water_mark": 5}, READABLE_ROOMY)
    writes = [writer.write(number) for number in range(3)]
    assert await value(writes[0]) is None
    assert [type(await rejection(write)) for write in writes[1:]] == [TypeError, TypeError]
    assert await read_all(stream.readable) == []
    assert seen == [0]


async def test_t2_write_inside_the_cancel_callback() -> None:
    """A write made by the transformer's cancel() itself: transform() still runs, and fails with an ordinary TypeError.

    The Standard clears the algorithms only when cancel() has returned, and the readable side is closed before that.
    """
    writes: list[Promise[None]] = []
    writers: list[WritableStreamDefaultWriter[Any]] = []
    stream, writer = await started(
        {"cancel": lambda reason: writes.append(writers[0].write("late"))}, None, READABLE_ROOMY
    )
    writers.append(writer)
    assert await value(stream.readable.cancel(REASON)) is None
    error = await rejection(writes[0])
    assert type(error) is TypeError
    assert await rejection(writer.closed) is error


# T3


OPTIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "prevent_close": {"prevent_close": True},
    "prevent_abort": {"prevent_abort": True},
    "prevent_cancel": {"prevent_cancel": True},
    "signal": {"signal": True},
    "all": {"prevent_close": True, "prevent_abort": True, "prevent_cancel": True, "signal": True},
}


def with_signal(options: dict[str, Any]) -> dict[str, Any]:
    """The options, with a signal where one is asked for: it can only be made when a loop runs."""
    return {**options, "signal": AbortController().signal} if "signal" in options else options


def enqueue_five(controller: TransformStreamDefaultController[Any]) -> None:
    for number in range(5):
        controller.enqueue(number)


async def enqueue_five_slowly(controller: TransformStreamDefaultController[Any]) -> None:
    for number in range(5):
        await turns(1)
        controller.enqueue(number)


@each_of(flush=[enqueue_five, enqueue_five_slowly])
@each_of(options=OPTIONS.values())
async def test_t3_what_flush_enqueues_arrives(options: dict[str, Any], flush: Callable[..., Any]) -> None:
    """Five chunks that flush() enqueues arrive at the end of a pipe with any option set (fast-webstreams#1)."""
    sink = RecordingSink()
    stream = stream_of(["first"]).pipe_through(TransformStream[Any, Any]({"flush": flush}))
    await value(stream.pipe_to(WritableStream[Any](sink), **with_signal(options)))
    assert sink.chunks == ["first", 0, 1, 2, 3, 4]
    assert ("close",) in sink.calls or options.get("prevent_close")


@each_of(options=OPTIONS.values())
async def test_t3_what_flush_enqueues_goes_through_another_transform(options: dict[str, Any]) -> None:
    """Five chunks that flush() enqueues go through the next transform, piped with any option set."""
    stream, writer = await started({"flush": enqueue_five})
    last = TransformStream[Any, Any]()
    reader = stream.readable.pipe_through(last, **with_signal(options)).get_reader()
    closing = writer.close()
    assert [await value(reader.read()) for _ in range(5)] == [(number, False) for number in range(5)]
    assert await value(closing) is None
    if not options.get("prevent_close"):
        assert await value(reader.read()) == (None, True)


# T4


@pytest.mark.parametrize("length", [1, 2, 50])
async def test_t4_cancel_at_the_end_of_a_chain_reaches_the_source(length: int) -> None:
    """cancel() at the end of a chain of transforms calls the source's cancel(); `closed` settles (workerd#5058)."""
    source = RecordingSource()
    stream = ReadableStream[Any](source)
    for _ in range(length):
        stream = stream.pipe_through(TransformStream[Any, Any]())
    await turns()
    reader = stream.get_reader()
    closed = reader.closed
    reason = Exception("enough")
    assert await value(reader.cancel(reason)) is None
    assert await value(closed) is None
    await turns(length * 10)
    assert source.cancels == [reason]


async def test_t4_cancel_with_chunks_in_every_stage() -> None:
    """The same when every stage of the chain holds a chunk, and a read was answered before."""
    source = RecordingSource(*range(10))
    stream = ReadableStream[Any](source)
    for _ in range(4):
        stream = stream.pipe_through(TransformStream[Any, Any]())
    reader = stream.get_reader()
    assert await value(reader.read()) == (0, False)
    await turns(20)
    reason = Exception("enough")
    assert await value(reader.cancel(reason)) is None
    assert await value(reader.closed) is None
    await turns(50)
    assert source.cancels == [reason]


async def test_t4_leaving_a_loop_at_the_end_of_a_chain_reaches_the_source() -> None:
    """Leaving `async for` over the end of a chain cancels the source once, and leaves the stream unlocked."""
    source = RecordingSource(*range(10))
    stream = ReadableStream[Any](source)
    for _ in range(3):
        stream = stream.pipe_through(TransformStream[Any, Any]())
    async with stream.values() as chunks:
        async for chunk in chunks:
            assert chunk == 0
            break
    await turns(50)
    assert len(source.cancels) == 1
    assert not stream.locked


# T5


async def test_t5_a_write_completes_without_a_final_reader() -> None:
    """A write into a transform that is piped into another one completes though nobody reads (denoland/deno#36790)."""
    first, second = TransformStream[Any, Any](), TransformStream[Any, Any]()
    last = first.readable.pipe_through(second)
    writer = first.writable.get_writer()
    assert await value(writer.write(1)) is None
    # There is room for no more: the next write waits for the reader.
    write = writer.write(2)
    await turns(20)
    assert not write.done()
    reader = last.get_reader()
    assert await value(reader.read()) == (1, False)
    assert await value(write) is None
    assert await value(reader.read()) == (2, False)


async def test_t5_a_chain_takes_as_many_writes_as_it_has_stages_behind_the_first() -> None:
    """In a chain of five transforms four writes complete though nobody reads."""
    streams = [TransformStream[Any, Any]() for _ in range(5)]
    for left, right in itertools.pairwise(streams):
        left.readable.pipe_through(right)
    writer = streams[0].writable.get_writer()
    writes = [writer.write(number) for number in range(6)]
    await turns(100)
    assert [write.done() for write in writes] == [True] * 4 + [False] * 2
    reader = streams[-1].readable.get_reader()
    assert [(await value(reader.read())).value for _ in range(6)] == list(range(6))
    await settled(writes[-1])


# T6


class Hooks:
    """A transformer whose flush() and cancel() wait for the test."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.gate = Gate()

    def flush(self, controller: TransformStreamDefaultController[Any]) -> Any:
        self.calls.append("flush")
        return self.gate.promise

    def cancel(self, reason: Any) -> Any:
        self.calls.append("cancel")
        return self.gate.promise


ENDS: dict[str, Callable[[TransformStream[Any, Any], WritableStreamDefaultWriter[Any]], Promise[None]]] = {
    "close": lambda _, writer: writer.close(),
    "abort": lambda _, writer: writer.abort(REASON),
    "cancel": lambda stream, _: stream.readable.cancel(REASON),
}
PAIRS = list(itertools.permutations(ENDS, 2))


async def test_t6_cancel_during_a_pending_flush_does_not_call_the_cancel_hook() -> None:
    """cancel() while flush() is pending: the cancel hook is not called, both promises wait for flush() (node#50126)."""
    hooks = Hooks()
    stream, writer = await started(hooks)
    closing = writer.close()
    await turns()
    assert hooks.calls == ["flush"]
    cancelling = stream.readable.cancel(REASON)
    await turns()
    assert not closing.done()
    assert not cancelling.done()
    hooks.gate.open(None)
    assert await value(cancelling) is None
    assert await value(closing) is None
    assert hooks.calls == ["flush"]


@each_of(turns_between=[0, 1, 5])
@each_of(pair=PAIRS)
async def test_t6_the_hooks_never_both_run(pair: tuple[str, str], turns_between: int) -> None:
    """Of close(), abort() and cancel() any two, in any order: one hook runs, once, and both promises settle."""
    hooks = Hooks()
    stream, writer = await started(hooks)
    first = quiet(ENDS[pair[0]](stream, writer))
    await turns(turns_between)
    second = quiet(ENDS[pair[1]](stream, writer))
    await turns()
    assert hooks.calls == ["flush" if pair[0] == "close" else "cancel"]
    hooks.gate.open(None)
    await settled(first)
    await settled(second)
    await settled(writer.closed)
    assert len(hooks.calls) == 1


@each_of(pair=PAIRS)
async def test_t6_the_hooks_never_both_run_when_the_first_fails(pair: tuple[str, str]) -> None:
    """The same when the hook that runs fails: the first promise rejects with its error, the other one settles."""
    hooks = Hooks()
    stream, writer = await started(hooks)
    first = ENDS[pair[0]](stream, writer)
    await turns()
    second = quiet(ENDS[pair[1]](stream, writer))
    error = Exception("the hook failed")
    hooks.gate.fail(error)
    assert await rejection(first) is error
    await settled(second)
    await settled(writer.closed)
    assert len(hooks.calls) == 1


async def test_t6_cancel_and_close_share_the_error_of_a_failing_flush() -> None:
    """flush() that fails after cancel() was called: close() and cancel() reject with that error."""
    hooks = Hooks()
    stream, writer = await started(hooks)
    closing = writer.close()
    await turns()
    cancelling = stream.readable.cancel(REASON)
    error = Exception("flush failed")
    hooks.gate.fail(error)
    assert await rejection(closing) is error
    assert await rejection(cancelling) is error
    assert hooks.calls == ["flush"]


# T8


async def test_t8_cancel_errors_the_writable_side_with_its_reason() -> None:
    """cancel(reason) errors the writable side with that very reason, no TypeError (whatwg/streams#771)."""
    stream, writer = await started()
    closed = writer.closed
    reason = ValueError("the reason")
    await value(stream.readable.cancel(reason))
    assert await rejection(closed) is reason
    assert await rejection(writer.ready) is reason
    assert await rejection(writer.write("late")) is reason
    assert writer.desired_size is None


@pytest.mark.parametrize("reason", ["text", 42, None, ("a", "pair")])
async def test_t8_cancel_with_a_reason_that_is_no_exception(reason: Any) -> None:
    """cancel() with any other object: the writable side is errored with it; it is raised in a StreamError."""
    stream, writer = await started(None, None, READABLE_ROOMY)
    await value(stream.readable.cancel(reason))
    error = await rejection(writer.write("late"))
    assert type(error) is StreamError
    assert error.reason is reason


async def test_t8_cancel_through_a_pipe_gives_the_source_the_reason() -> None:
    """cancel(reason) of a transform that is piped into cancels the source with that very reason."""
    source = RecordingSource()
    stream = ReadableStream[Any](source).pipe_through(TransformStream[Any, Any]())
    await turns()
    reason = {"any": "object"}
    await value(stream.cancel(reason))
    await turns()
    assert len(source.cancels) == 1
    assert source.cancels[0] is reason
