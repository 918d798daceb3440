"""Pipes that are aborted (P1 to P3, P8)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.helpers import turns
from webstreams import (
    AbortController,
    Promise,
    ReadableStream,
    ReadableStreamDefaultController,
    TransformStream,
    WritableStream,
)

from . import support
from .support import AT_ONCE, Ends, RecordingSink, RecordingSource, read_all, rejection, value

nothing_reported = pytest.fixture(autouse=True)(support.nothing_reported)

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
