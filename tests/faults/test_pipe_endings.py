"""The order of things in a pipe and at its end (P9 to P11)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal

import pytest

from tests.faults.helpers import turns
from tests.grids import each_of
from webstreams import (
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
from .support import Ends, RecordingSink, RecordingSource, listener_count, quiet, settled, stream_of, value

nothing_reported = pytest.fixture(autouse=True)(support.nothing_reported)

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


@each_of(hold=[(), ("write",)])
@each_of(prevent_close=[False, True])
@each_of(source=SOURCES.values())
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


@each_of(ending=ENDINGS.values())
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


@each_of(options=[{}, PREVENT_ALL])
@each_of(
    act=[
        _abort,
        _fail_source,
        _fail_sink_controller,
        lambda ends: ends.source.controller.close(),
        lambda ends: quiet(ends.writable.close()),
    ]
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
