"""Errors of the ends of a pipe and in its middle (P6, P7, P12, P13)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.helpers import turns
from webstreams import (
    ReadableStream,
    TransformStream,
    TransformStreamDefaultController,
    WritableStream,
    WritableStreamDefaultController,
)

from . import support
from .support import (
    AT_ONCE,
    Ends,
    RecordingSink,
    RecordingSource,
    read_all,
    rejection,
    stream_of,
    traceback_names,
    value,
)

nothing_reported = pytest.fixture(autouse=True)(support.nothing_reported)

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
