"""Writable streams that are aborted (W3 to W5)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.helpers import turns
from webstreams import (
    AbortError,
    Promise,
    TransformStream,
    WritableStream,
    WritableStreamDefaultController,
)

from . import support
from .support import Gate, RecordingSink, quiet, rejection, started, value

nothing_reported = pytest.fixture(autouse=True)(support.nothing_reported)

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
