"""`finished`: for every state of a stream, locked or not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dropping import Dropped
from tests.faults.helpers import SOURCES, quiet, read_all, reason, soon, stream_of, turns
from tests.grids import by_key, each_of
from webstreams import AbortController, Promise, ReadableStream, TransformStream, WritableStream, finished

ERROR = ValueError("a reason")
REASON = object()


EVERY_SOURCE = each_of(make_source=by_key(SOURCES))


@each_of(locked=[False, True])
@each_of(asked=["before", "after"])
@EVERY_SOURCE
async def test_a_readable_stream_that_closes(make_source: Any, locked: bool, asked: str) -> None:
    source = make_source()
    stream = stream_of(source, 10)
    reader = stream.get_reader() if locked else None
    promise = finished(stream) if asked == "before" else None
    assert stream.locked is locked
    source.controller.enqueue(b"chunk")
    source.controller.close()
    await turns()
    assert promise is None or not promise.done()
    await (reader or stream.get_reader()).read()
    assert await soon(promise or finished(stream)) is None  # type: ignore[func-returns-value]


@each_of(locked=[False, True])
@each_of(asked=["before", "after"])
@each_of(error=[ERROR, REASON, None])
@EVERY_SOURCE
async def test_a_readable_stream_that_is_errored(make_source: Any, locked: bool, asked: str, error: Any) -> None:
    source = make_source()
    stream = stream_of(source)
    reader = stream.get_reader() if locked else None
    promise = finished(stream) if asked == "before" else None
    source.controller.error(error)
    assert await reason(promise or finished(stream)) is error
    assert (reader is not None) is stream.locked


@each_of(asked=["before", "after"])
@EVERY_SOURCE
async def test_a_readable_stream_that_is_cancelled(make_source: Any, asked: str) -> None:
    source = make_source()
    stream = stream_of(source)
    promise = finished(stream) if asked == "before" else None
    await stream.cancel(REASON)
    await soon(promise or finished(stream))


@each_of(locked=[False, True])
@each_of(asked=["before", "after"])
async def test_a_writable_stream_that_closes(locked: bool, asked: str) -> None:
    gate: list[Any] = []
    stream: WritableStream[int] = WritableStream({"close": lambda: Gate(gate).promise})
    writer = stream.get_writer() if locked else None
    promise = finished(stream) if asked == "before" else None
    assert stream.locked is locked
    closing = writer.close() if writer else stream.close()
    await turns()
    assert promise is None or not promise.done()
    assert not finished(stream).done()
    gate[0](None)
    await soon(closing)
    await soon(promise or finished(stream))


class Gate:
    """A promise that is kept open."""

    def __init__(self, gate: list[Any]) -> None:
        self.promise, resolve, _ = Promise.with_resolvers()
        gate.append(resolve)


@each_of(locked=[False, True])
@each_of(asked=["before", "after"])
@each_of(error=[ERROR, REASON, None])
async def test_a_writable_stream_that_is_aborted_or_errored(locked: bool, asked: str, error: Any) -> None:
    controllers: list[Any] = []
    for end in ("abort", "error"):
        stream: WritableStream[int] = WritableStream({"start": controllers.append})
        writer = stream.get_writer() if locked else None
        promise = finished(stream) if asked == "before" else None
        if end == "error":
            controllers[-1].error(error)
        elif writer is not None:
            await writer.abort(error)
        else:
            await stream.abort(error)
        await turns()
        assert await reason(promise or finished(stream)) is error


async def test_a_writable_stream_that_is_being_aborted_has_not_finished() -> None:
    gate: list[Any] = []
    stream: WritableStream[int] = WritableStream({"abort": lambda error: Gate(gate).promise})
    await turns()
    aborting = stream.abort(ERROR)
    await turns()
    promise = finished(stream)
    assert not promise.done()
    gate[0](None)
    await soon(aborting)
    assert await reason(promise) is ERROR


async def test_a_write_that_fails() -> None:
    stream: WritableStream[int] = WritableStream({"write": lambda chunk, controller: 1 / 0})
    promise = finished(stream)
    assert isinstance(await reason(ReadableStream.from_([1]).pipe_to(stream)), ZeroDivisionError)
    assert isinstance(await reason(promise), ZeroDivisionError)


async def test_both_ends_of_a_pipe_and_of_a_transform_stream() -> None:
    source, transform = ReadableStream.from_([1, 2]), TransformStream[int, int]()
    sink: WritableStream[int] = WritableStream()
    ends = [finished(each) for each in (source, transform.writable, transform.readable, sink)]
    await source.pipe_through(transform).pipe_to(sink)
    for each in ends:
        await soon(each)


async def test_a_pipe_that_is_aborted() -> None:
    controller = AbortController()
    source: ReadableStream[int] = ReadableStream()
    sink: WritableStream[int] = WritableStream()
    ends = finished(source), finished(sink)
    pipe = source.pipe_to(sink, signal=controller.signal)
    controller.abort(ERROR)
    assert await reason(pipe) is ERROR
    await soon(ends[0])
    assert await reason(ends[1]) is ERROR


@EVERY_SOURCE
async def test_the_promise_is_the_same_and_quiet(make_source: Any) -> None:
    source = make_source()
    with quiet():
        stream = stream_of(source)
        assert finished(stream) is finished(stream)
        source.controller.error(ERROR)
        await turns()
        del stream


async def test_the_order_of_settling() -> None:
    """The end is told before the closed promise of a reader, which comes into being later or earlier."""
    stream = ReadableStream.from_([1])
    seen: list[str] = []
    finished(stream).then(lambda _: seen.append("finished"))
    await read_all(stream)
    await turns()
    assert seen == ["finished"]


async def test_nothing_is_kept_alive() -> None:
    stream: ReadableStream[int] = ReadableStream()
    promise = finished(stream)
    dropped = Dropped()
    dropped.add(stream, promise)
    del stream, promise
    await turns()
    assert dropped.alive() == []


@each_of(wrong=[None, 3, [], object(), "stream"])
async def test_what_is_no_stream_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"finished\(\) needs a ReadableStream or a WritableStream, not"):
        finished(wrong)
