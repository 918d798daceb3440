"""Writable streams that are closed, or were (W1, W2, W8)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.helpers import turns
from webstreams import (
    Promise,
    WritableStream,
)

from . import support
from .support import RecordingSink, quiet, rejection, started, stream_of, value

nothing_reported = pytest.fixture(autouse=True)(support.nothing_reported)

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
