"""``repr()`` of everything: it tells the state in one line, and never fails."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Awaitable
from typing import Any

import pytest

import webstreams
from tests.faults.helpers import turns
from tests.grids import each_of, each_row
from webstreams import (
    AbortController,
    AbortSignal,
    ByteLengthQueuingStrategy,
    CountQueuingStrategy,
    Promise,
    ReadableStream,
    ReadableStreamDefaultReader,
    TransformStream,
    WritableStream,
)
from webstreams import operations as ops

from .support import ByteSource, Source, never, readable, writable

STREAMS = {"readable": ReadableStream, "writable": WritableStream, "transform": TransformStream}


# repr() of readable streams.


async def test_a_readable_stream_shows_state_lock_queue_and_desired_size() -> None:
    stream = readable(3)
    assert repr(stream) == "<ReadableStream readable, unlocked, queue 3/16, desired_size 13>"
    reader = stream.get_reader()
    assert repr(stream) == (
        "<ReadableStream readable, locked to <ReadableStreamDefaultReader with no pending reads>, queue 3/16, "
        "desired_size 13>"
    )
    reads = [reader.read() for _ in range(5)]
    assert repr(stream) == (
        "<ReadableStream readable, locked to <ReadableStreamDefaultReader with 2 pending reads>, queue 0/16, "
        "desired_size 16>"
    )
    stream._controller.close()  # type: ignore[attr-defined]
    assert [(await read).done for read in reads] == [False, False, False, True, True]
    assert repr(stream) == (
        "<ReadableStream closed, locked to <ReadableStreamDefaultReader with no pending reads>, queue 0/16, "
        "desired_size 0>"
    )


async def test_a_readable_stream_that_is_closing_says_so() -> None:
    source = Source()
    stream = readable(2, source=source)
    source.controller.close()
    assert repr(stream) == "<ReadableStream readable, unlocked, queue 2/16, desired_size 14, closing>"


async def test_an_errored_readable_stream_shows_the_error() -> None:
    source = Source()
    stream = readable(2, source=source)
    source.controller.error(ValueError("boom"))
    assert repr(stream) == ("<ReadableStream errored with ValueError('boom'), unlocked, queue 0/16, desired_size None>")


async def test_sizes_are_shown_with_the_number_of_chunks() -> None:
    source = Source()
    strategy = ByteLengthQueuingStrategy(high_water_mark=1024)
    stream: ReadableStream[bytes] = ReadableStream(source, strategy)
    assert "queue 0/1024, " in repr(stream)
    source.controller.enqueue(b"x" * 1000)
    assert "queue 1000/1024 in 1 chunk, desired_size 24" in repr(stream)
    source.controller.enqueue(b"x" * 1000)
    assert "queue 2000/1024 in 2 chunks, desired_size -976" in repr(stream)


@each_row(("mark", "shown"), [(2.5, "2.5"), (4.0, "4"), (float("inf"), "inf")])
async def test_high_water_marks_of_any_kind_are_shown(mark: float, shown: str) -> None:
    assert repr(readable(mark=mark)) == f"<ReadableStream readable, unlocked, queue 0/{shown}, desired_size {shown}>"


async def test_a_byte_stream_counts_bytes() -> None:
    source = ByteSource()
    stream = readable(mark=100, source=source)
    source.controller.enqueue(b"abc")
    source.controller.enqueue(b"de")
    assert repr(stream) == "<ReadableStream readable, unlocked, queue 5/100 bytes in 2 chunks, desired_size 95>"


async def test_chunks_of_cancelled_reads_are_shown_when_the_stream_has_ended() -> None:
    source = Source()
    stream = readable(source=source)
    reader = stream.get_reader()
    task = asyncio.ensure_future(_await(reader.read()))
    await turns()
    source.controller.enqueue("late")
    source.controller.close()
    task.cancel()
    await asyncio.wait([task])
    assert repr(stream).endswith("queue 0/16, desired_size 0, 1 chunk of cancelled reads>")
    assert (await reader.read()).value == "late"


async def _await(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


async def test_readers_show_their_stream_and_their_reads() -> None:
    stream = readable(3)
    reader = stream.get_reader()
    assert repr(reader) == (
        "<ReadableStreamDefaultReader of <ReadableStream readable, queue 3/16, desired_size 13>, no pending reads>"
    )
    reader.release_lock()
    assert repr(reader) == "<ReadableStreamDefaultReader released>"
    byob = readable(source=ByteSource()).get_reader(mode="byob")
    byob.read(bytearray(10))
    assert repr(byob) == (
        "<ReadableStreamBYOBReader of <ReadableStream readable, queue 0/16 bytes, desired_size 16>, 1 pending read>"
    )


async def test_readable_controllers_show_what_the_source_does() -> None:
    source = Source()
    seen: list[str] = []
    source.pull = lambda controller: seen.append(repr(controller)) or never()  # type: ignore[attr-defined, func-returns-value]
    stream = readable(1, source=source)
    summary = "<ReadableStream readable, queue 1/16, desired_size 15>"
    assert repr(source.controller) == f"<ReadableStreamDefaultController of {summary}, starting>"
    await turns()
    assert seen == [f"<ReadableStreamDefaultController of {summary}, pulling>"]
    await stream.cancel()
    closed = "<ReadableStream closed, queue 0/16, desired_size 0>"
    assert repr(source.controller) == f"<ReadableStreamDefaultController of {closed}>"


async def test_byte_controllers_and_byob_requests_show_what_is_to_fill() -> None:
    source = ByteSource()
    stream = readable(mark=0, source=source)
    await turns()
    stream.get_reader(mode="byob").read(bytearray(10))
    of = "of <ReadableStream readable, queue 0/0 bytes, desired_size 0>"
    assert repr(source.controller) == f"<ReadableByteStreamController {of}, 1 view to fill>"
    request = source.controller.byob_request
    assert repr(request) == f"<ReadableStreamBYOBRequest {of}, 10 bytes to fill>"
    view = request.view
    view.release()
    assert repr(request) == f"<ReadableStreamBYOBRequest {of}, view released>"
    source.controller.error("over")
    assert repr(request) == "<ReadableStreamBYOBRequest answered>"


async def test_an_iterator_shows_its_stream() -> None:
    source = Source()
    stream = readable(source=source)
    iterator = stream.values(prevent_cancel=True)
    of = "of <ReadableStream readable, queue 0/16, desired_size 16>"
    assert repr(iterator) == f"<ReadableStreamAsyncIterator {of}, prevent_cancel>"
    item = iterator.__anext__()
    assert repr(iterator) == f"<ReadableStreamAsyncIterator {of}, waiting for a chunk, prevent_cancel>"
    source.controller.close()
    with pytest.raises(StopAsyncIteration):
        await item
    assert repr(iterator) == "<ReadableStreamAsyncIterator ended>"
    assert repr(item).startswith("<IterationPromise fulfilled with the end of the iteration")


# repr() of writable streams.


async def test_a_writable_stream_shows_state_lock_queue_and_desired_size() -> None:
    stream = writable(4, write=never)
    assert repr(stream) == "<WritableStream writable, unlocked, queue 0/4, desired_size 4>"
    writer = stream.get_writer()
    of = "<WritableStream writable, queue 0/4, desired_size 4>"
    assert repr(writer) == f"<WritableStreamDefaultWriter of {of}, ready>"
    assert repr(stream._controller) == f"<WritableStreamDefaultController of {of}, starting>"
    for chunk in range(5):
        writer.write(chunk)
    await turns()
    assert repr(stream) == (
        "<WritableStream writable, locked to <WritableStreamDefaultWriter not ready>, queue 5/4, desired_size -1, "
        "writing>"
    )
    of = "<WritableStream writable, queue 5/4, desired_size -1, writing>"
    assert repr(stream._controller) == f"<WritableStreamDefaultController of {of}>"
    writer.close()
    assert repr(stream).endswith("queue 5/4, desired_size -1, closing>")


async def test_the_end_of_a_writable_stream_shows() -> None:
    closed = writable()
    await closed.close()
    assert repr(closed) == "<WritableStream closed, unlocked, queue 0/1, desired_size 0>"
    errored = writable(abort=never)
    writer = errored.get_writer()
    writer.abort("why")
    erroring = "erroring with 'why'"
    locked = "locked to <WritableStreamDefaultWriter>"
    assert repr(errored) == f"<WritableStream {erroring}, {locked}, queue 0/1, desired_size None>"
    await turns()
    assert repr(errored) == f"<WritableStream errored with 'why', {locked}, queue 0/1, desired_size None>"
    writer.release_lock()
    assert repr(writer) == "<WritableStreamDefaultWriter released>"


async def test_the_close_of_a_measured_queue_is_no_chunk() -> None:
    stream: WritableStream[bytes] = WritableStream({"write": never}, ByteLengthQueuingStrategy(high_water_mark=8))
    writer = stream.get_writer()
    for _ in range(2):
        writer.write(b"abc")
    writer.close()
    assert "queue 6/8 in 2 chunks, desired_size 2, closing" in repr(stream)


# repr() of the rest.


async def test_a_transform_stream_shows_both_sides() -> None:
    controllers: list[Any] = []
    stream: TransformStream[Any, Any] = TransformStream({"start": controllers.append})
    sides = (
        "from <WritableStream writable{0}, queue 0/1, desired_size 1> "
        "to <ReadableStream readable{0}, queue 0/0, desired_size 0>"
    )
    assert repr(stream) == f"<TransformStream {sides.format(', unlocked')}, backpressure>"
    assert repr(controllers[0]) == (
        f"<TransformStreamDefaultController of <TransformStream {sides.format('')}, backpressure>, desired_size 0>"
    )
    stream.readable.get_reader().read()
    await turns()
    assert "locked to <ReadableStreamDefaultReader with 1 pending read>" in repr(stream)
    assert "backpressure" not in repr(stream)


async def test_a_wrapper_of_a_transform_stream_shows_both_sides() -> None:
    class Upper(ops.GenericTransformStream[str, str]):
        def __init__(self) -> None:
            assert repr(self) == "<Upper not set up>"
            self._transform = ops.create_transform_stream(never)

    upper = Upper()
    assert repr(upper) == repr(upper._transform).replace("<TransformStream ", "<Upper ")


def test_strategies_show_how_they_are_made() -> None:
    assert repr(CountQueuingStrategy(high_water_mark=3)) == "CountQueuingStrategy(high_water_mark=3)"
    assert repr(ByteLengthQueuingStrategy(high_water_mark=0.5)) == "ByteLengthQueuingStrategy(high_water_mark=0.5)"


async def test_signals_show_their_reason_and_listeners() -> None:
    controller = AbortController()
    assert repr(controller) == "<AbortController <AbortSignal not aborted>>"
    controller.signal.add_event_listener("abort", never)
    readable().pipe_to(writable(), signal=controller.signal)._mark_handled()
    assert repr(controller.signal) == "<AbortSignal not aborted, 2 listeners>"
    assert repr(AbortSignal.abort("why")) == "<AbortSignal aborted: 'why'>"


async def test_promises_show_state_value_and_call() -> None:
    promise, resolve, _ = Promise.with_resolvers()
    assert repr(promise) == "<Promise pending>"
    resolve([1])
    assert repr(promise) == "<Promise fulfilled with [1]>"
    rejected = Promise.reject("why")
    assert repr(rejected) == "<Promise rejected with 'why', nobody looked at it yet>"
    rejected.exception()
    assert repr(rejected) == "<Promise rejected with 'why'>"
    source, destination = readable(), writable()
    pipe = source.pipe_to(destination)
    assert repr(pipe) == (
        "<PipePromise pending, made by pipe_to() from <ReadableStream readable, queue 0/16, desired_size 16> into "
        "<WritableStream writable, queue 0/1, desired_size 1>>"
    )


async def test_a_task_shows_what_it_waits_for() -> None:
    reader = readable().get_reader()
    task = asyncio.create_task(_await(reader.read()))
    await turns()
    assert "made by read() from <ReadableStream readable, queue 0/16, desired_size 16>" in repr(task)
    task.cancel()
    await asyncio.wait([task])


# repr() never fails.


CLASSES = [
    each
    for each in (getattr(webstreams, name) for name in webstreams.__all__)
    if isinstance(each, type)
    and not issubclass(each, (BaseException, tuple))
    and each.__name__ != "ReadableWritablePair"
]


# What the library alone constructs. Compiled, these are final, so that there is no object that is not set up.
FINAL_WHEN_COMPILED = {
    "Promise",
    "ReadableByteStreamController",
    "ReadableStreamBYOBRequest",
    "ReadableStreamDefaultController",
    "TransformStreamDefaultController",
    "WritableStreamDefaultController",
}


@each_of(kind=CLASSES)
def test_an_object_that_is_not_set_up_has_a_repr(kind: type[Any]) -> None:
    class Sub(kind):  # type: ignore[misc]
        pass

    if webstreams.compiled and kind.__name__ in FINAL_WHEN_COMPILED:
        with pytest.raises(TypeError, match="cannot inherit from compiled"):
            Sub.__new__(Sub)
        return
    shown = repr(Sub.__new__(Sub))
    assert shown in {"<Sub not set up>", "Sub(high_water_mark=None)"}


@each_of(kind=[ReadableStream, WritableStream, TransformStream])
async def test_a_stream_whose_constructor_failed_has_a_repr(kind: type[Any]) -> None:
    class Sub(kind):  # type: ignore[misc]
        def __init__(self, *arguments: Any) -> None:
            try:
                super().__init__(*arguments)
            except TypeError:
                failed.append(self)
                raise

    failed: list[Any] = []
    with pytest.raises(TypeError):
        Sub({"start": "not callable"})
    assert re.fullmatch(r"<Sub ((readable|writable), unlocked, )?not set up>", repr(failed[0]))


async def test_subclasses_show_their_own_name() -> None:
    class Lines(ReadableStream[str]):
        pass

    class LineReader(ReadableStreamDefaultReader[str]):
        pass

    stream = Lines()
    reader = LineReader(stream)
    assert repr(stream).startswith("<Lines readable, locked to <LineReader with no pending reads>, ")
    assert repr(reader).startswith("<LineReader of <Lines readable, ")


async def test_streams_have_a_repr_inside_start() -> None:
    seen: list[str] = []
    for kind in STREAMS.values():
        kind({"start": lambda controller: seen.append(repr(controller))})
    assert [each.partition(" ")[0] for each in seen] == [
        "<ReadableStreamDefaultController",
        "<WritableStreamDefaultController",
        "<TransformStreamDefaultController",
    ]
    assert not any("not set up" in each for each in seen)


class Unshowable(Exception):
    def __repr__(self) -> str:
        raise RuntimeError("no")


class Endless(Exception):
    def __repr__(self) -> str:
        return "x" * 10_000


async def test_an_error_that_cannot_be_shown_does_no_harm() -> None:
    source = Source()
    stream = readable(source=source)
    source.controller.error(Unshowable())
    assert re.match(r"<ReadableStream errored with <Unshowable [^>]*>, unlocked, ", repr(stream))


async def test_a_long_error_is_cut() -> None:
    source = Source()
    stream = readable(source=source)
    source.controller.error(Endless())
    assert len(repr(stream)) < 400
    assert "xxx...xxx" in repr(stream)


async def test_an_error_that_refers_to_its_stream_does_no_harm() -> None:
    source = Source()
    stream = readable(source=source)
    error = ValueError(stream)
    source.controller.error(error)
    assert repr(stream).startswith("<ReadableStream errored with ValueError(<ReadableStream ...>), unlocked, ")


async def test_two_threads_show_the_same_stream() -> None:
    class Slow(Exception):
        def __repr__(self) -> str:
            if threading.current_thread() is not thread:
                thread.start()
                thread.join()
            return "Slow()"

    source = Source()
    stream = readable(source=source)
    shown: list[str] = []
    thread = threading.Thread(target=lambda: shown.append(repr(stream)))
    source.controller.error(Slow())
    shown.append(repr(stream))
    assert shown[0] == shown[1]
    assert "Slow()" in shown[0]
