"""What helps to find a mistake: ``repr()``, who holds a lock, unhandled rejections, the warnings of debug mode."""

from __future__ import annotations

import asyncio
import gc
import inspect
import re
import threading
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import webstreams
from tests.grids import by_key, each_of, each_row
from tests.loops import LOOP_FACTORIES
from webstreams import (
    AbortController,
    AbortSignal,
    ByteLengthQueuingStrategy,
    CountQueuingStrategy,
    Promise,
    ReadableStream,
    ReadableStreamAsyncIterator,
    ReadableStreamBYOBReader,
    ReadableStreamDefaultReader,
    StreamError,
    TransformStream,
    WritableStream,
    WritableStreamDefaultWriter,
)
from webstreams import operations as ops

STREAMS = {"readable": ReadableStream, "writable": WritableStream, "transform": TransformStream}


class Source:
    """A source that is fed by hand."""

    controller: Any = None

    def start(self, controller: Any) -> None:
        self.controller = controller


class ByteSource(Source):
    type = "bytes"


def readable(chunks: int = 0, mark: float = 16, source: Source | None = None) -> ReadableStream[Any]:
    """A stream with so many chunks in its queue."""
    source = source or Source()
    stream: ReadableStream[Any] = ReadableStream(source, {"high_water_mark": mark})
    for number in range(chunks):
        source.controller.enqueue(number)
    return stream


def writable(mark: float = 1, **sink: Any) -> WritableStream[Any]:
    underlying_sink: Any = sink
    stream: WritableStream[Any] = WritableStream(underlying_sink, {"high_water_mark": mark})
    return stream


def never(*_: Any) -> Promise[Any]:
    """A callback that is never done."""
    return Promise.with_resolvers()[0]


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


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
    "ReadableStreamAsyncIterator",
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


# Who holds the lock.


def lock_with_reader(stream: ReadableStream[Any]) -> str:
    stream.get_reader().read()
    return "<ReadableStreamDefaultReader with 1 pending read>"


def lock_with_byob_reader(stream: ReadableStream[Any]) -> str:
    stream.get_reader(mode="byob")
    return "<ReadableStreamBYOBReader with no pending reads>"


def lock_with_pipe(stream: ReadableStream[Any]) -> str:
    stream.pipe_to(writable())
    return "a pipe into <WritableStream writable, queue 0/1, desired_size 1>"


def lock_with_tee(stream: ReadableStream[Any]) -> str:
    stream.tee()
    return "a tee"


def lock_with_cloning_tee(stream: ReadableStream[Any]) -> str:
    ops.tee(stream)
    return "a tee"


def lock_with_iteration(stream: ReadableStream[Any]) -> str:
    KEPT.append(stream.values())
    return "an iteration"


KEPT: list[ReadableStreamAsyncIterator[Any]] = []


@pytest.fixture(autouse=True)
def _drop_kept() -> Iterator[None]:
    yield
    KEPT.clear()


READ_LOCKS = [lock_with_reader, lock_with_pipe, lock_with_tee, lock_with_cloning_tee, lock_with_iteration]
LOCKED_OUT: dict[str, Callable[[ReadableStream[Any]], Any]] = {
    "get_reader": lambda stream: stream.get_reader(),
    "get_reader byob": lambda stream: stream.get_reader(mode="byob"),
    "reader": ReadableStreamDefaultReader,
    "byob reader": ReadableStreamBYOBReader,
    "cancel": lambda stream: stream.cancel().result(),
    "tee": lambda stream: stream.tee(),
    "values": lambda stream: stream.values(),
    "pipe_to": lambda stream: stream.pipe_to(writable()).result(),
    "pipe_through": lambda stream: stream.pipe_through(TransformStream()),
}


@each_of(kind=[Source, ByteSource], lock=[*READ_LOCKS, lock_with_byob_reader], action=LOCKED_OUT)
async def test_an_error_names_who_holds_the_lock_of_a_readable_stream(
    action: str, lock: Callable[[ReadableStream[Any]], str], kind: type[Source]
) -> None:
    if lock is lock_with_byob_reader:
        kind = ByteSource
    stream = readable(mark=0, source=kind())
    holder = lock(stream)
    assert f", locked to {holder}, " in repr(stream)
    with pytest.raises(TypeError, match=re.escape(f"locked to {holder}") + "$"):
        LOCKED_OUT[action](stream)


def test_lock_holders_are_the_same_for_both_readers_of_a_byte_tee() -> None:
    async def main() -> None:
        stream = readable(source=ByteSource())
        branch, _ = stream.tee()
        branch.get_reader(mode="byob").read(bytearray(4))
        await turns(5)
        assert isinstance(stream._reader, ReadableStreamBYOBReader)
        assert ", locked to a tee, " in repr(stream)

    asyncio.run(main())


WRITE_LOCKED_OUT: dict[str, Callable[[WritableStream[Any]], Any]] = {
    "get_writer": lambda stream: stream.get_writer(),
    "writer": WritableStreamDefaultWriter,
    "abort": lambda stream: stream.abort().result(),
    "close": lambda stream: stream.close().result(),
    "pipe_to": lambda stream: readable().pipe_to(stream).result(),
}


@each_of(action=WRITE_LOCKED_OUT)
@each_of(by_pipe=[False, True])
async def test_an_error_names_who_holds_the_lock_of_a_writable_stream(action: str, by_pipe: bool) -> None:
    stream = writable()
    if by_pipe:
        readable().pipe_to(stream)
        holder = "a pipe from <ReadableStream readable, queue 0/16, desired_size 16>"
    else:
        stream.get_writer()
        holder = "<WritableStreamDefaultWriter ready>"
    assert f", locked to {holder}, " in repr(stream)
    with pytest.raises(TypeError, match=re.escape(f"locked to {holder}") + "$"):
        WRITE_LOCKED_OUT[action](stream)


async def test_a_finished_pipe_holds_no_lock() -> None:
    source = Source()
    stream, destination = readable(source=source), writable()
    pipe = stream.pipe_to(destination, prevent_close=True)
    source.controller.close()
    await pipe
    assert ", unlocked, " in repr(stream)
    assert ", unlocked, " in repr(destination)


# Unhandled rejections.


class Boom(Exception):
    pass


def fail(*_: Any) -> None:
    raise Boom


def errored_readable() -> ReadableStream[Any]:
    stream: ReadableStream[Any] = ReadableStream({"start": lambda controller: controller.error(Boom())})
    return stream


def fail_to_read() -> str:
    errored_readable().get_reader().read()
    return "read() from <ReadableStream errored with Boom(), queue 0/1, desired_size None>"


def fail_to_read_released() -> str:
    reader = readable().get_reader()
    reader.release_lock()
    reader.read()
    return "read() of <ReadableStreamDefaultReader released>"


def fail_to_read_byob() -> str:
    readable(source=ByteSource()).get_reader(mode="byob").read(b"not writable")
    return "read() of <ReadableStream readable, queue 0/16 bytes, desired_size 16>"


def fail_to_read_all() -> str:
    ops.read_all_bytes_as_promise(errored_readable().get_reader())
    return "read_all_bytes_as_promise() of <ReadableStream errored with Boom(), queue 0/1, desired_size None>"


def fail_to_cancel() -> str:
    ReadableStream({"cancel": fail}).cancel()
    return "cancel() of <ReadableStream closed, queue 0/1, desired_size 0>"


def fail_to_cancel_errored() -> str:
    errored_readable().get_reader().cancel()
    return "cancel() of <ReadableStream errored with Boom(), queue 0/1, desired_size None>"


def fail_to_cancel_locked() -> str:
    stream = readable()
    stream.get_reader()
    stream.cancel()
    return "cancel() of <ReadableStream readable, queue 0/16, desired_size 16>"


def fail_to_cancel_released() -> str:
    reader = readable().get_reader()
    reader.release_lock()
    reader.cancel()
    return "cancel() of <ReadableStreamDefaultReader released>"


def fail_to_iterate() -> str:
    errored_readable().values().__anext__()
    return "__anext__() of an iteration over <ReadableStream errored with Boom(), queue 0/1, desired_size None>"


def fail_to_leave() -> str:
    stream: ReadableStream[Any] = ReadableStream({"cancel": fail})
    stream.values().aclose()
    return "aclose() of an iteration over <ReadableStream closed, queue 0/1, desired_size 0>"


def fail_to_abandon() -> str:
    stream: ReadableStream[Any] = ReadableStream({"cancel": fail})
    stream.values()
    return "cancel() of <ReadableStream closed, queue 0/1, desired_size 0>"


def fail_to_write() -> str:
    writable(write=fail).get_writer().write("chunk")
    return "write() to <WritableStream errored with Boom(), queue 0/1, desired_size None>"


def fail_to_write_released() -> str:
    writer = writable().get_writer()
    writer.release_lock()
    writer.write("chunk")
    return "write() to <WritableStreamDefaultWriter released>"


def fail_to_close() -> str:
    writable(close=fail).close()
    return "close() of <WritableStream errored with Boom(), queue 0/1, desired_size None>"


def fail_to_close_locked() -> str:
    stream = writable()
    stream.get_writer()
    stream.close()
    return "close() of <WritableStream writable, queue 0/1, desired_size 1>"


def fail_to_close_twice() -> str:
    stream = writable(close=never)
    writer = stream.get_writer()
    writer.close()
    writer.close()
    return "close() of <WritableStream writable, queue 0/1, desired_size 1, closing>"


def fail_to_close_released() -> str:
    writer = writable().get_writer()
    writer.release_lock()
    writer.close()
    return "close() of <WritableStreamDefaultWriter released>"


def fail_to_abort() -> str:
    writable(abort=fail).abort("why")
    return "abort() of <WritableStream errored with 'why', queue 0/1, desired_size None>"


def fail_to_abort_locked() -> str:
    stream = writable()
    stream.get_writer()
    stream.abort()
    return "abort() of <WritableStream writable, queue 0/1, desired_size 1>"


def fail_to_pipe() -> str:
    errored_readable().pipe_to(writable())
    return (
        "pipe_to() from <ReadableStream errored with Boom(), queue 0/1, desired_size None> into <WritableStream "
        "errored with Boom(), queue 0/1, desired_size None>"
    )


def fail_to_begin_a_pipe() -> str:
    stream = readable()
    stream.get_reader()
    stream.pipe_to(writable())
    return "pipe_to() from <ReadableStream readable, queue 0/16, desired_size 16>"


def fail_plainly() -> str:
    Promise.reject(Boom())
    return "a promise"


FAILURES = [each for name, each in sorted(globals().items()) if name.startswith("fail_")]


@each_of(make=FAILURES)
async def test_an_unhandled_rejection_is_reported_once_by_stream_and_call(
    make: Callable[[], str], reported: list[dict[str, Any]]
) -> None:
    call = make()
    await turns(10)
    gc.collect()
    await turns()
    assert [context["message"] for context in reported] == [f"webstreams: {call} was rejected and nobody looked at it"]
    assert isinstance(reported[0]["exception"], (Boom, TypeError))


async def test_a_rejection_that_somebody_looks_at_is_not_described(
    monkeypatch: pytest.MonkeyPatch, reported: list[dict[str, Any]]
) -> None:
    described: list[object] = []
    monkeypatch.setattr("webstreams._engine.settling.show_words", described.append)
    reader = errored_readable().get_reader()
    reads = [reader.read() for _ in range(3)]
    assert [type(read.exception()) for read in reads] == [Boom] * 3
    reads.clear()
    gc.collect()
    assert described == reported == []


# Warnings in debug mode.


@pytest.fixture
async def debug() -> None:
    asyncio.get_running_loop().set_debug(True)


@contextmanager
def recorded() -> Iterator[list[str]]:
    """The texts of the ResourceWarnings that are given in the block, by the collection of what it left behind, too."""
    texts: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield texts
        gc.collect()
    assert {each.category for each in caught} <= {ResourceWarning}
    texts.extend(str(each.message) for each in caught)


def here(offset: int = 0) -> str:
    """The place of the caller, so many lines further down."""
    frame = inspect.currentframe()
    assert frame is not None and frame.f_back is not None
    caller = frame.f_back
    return f"{__file__}:{caller.f_lineno + offset} in {caller.f_code.co_qualname}"


@pytest.mark.usefixtures("debug")
async def test_a_dropped_stream_with_unread_chunks_gives_a_warning() -> None:
    with recorded() as texts:
        place = here(1)
        stream = ReadableStream(Source(), {"high_water_mark": 4})
        for chunk in range(3):
            stream._controller.enqueue(chunk)  # type: ignore[attr-defined]
        await stream.get_reader().read()
        del stream
    assert texts == [
        "a ReadableStream was dropped with 2 chunks unread in its queue: read it to its end, or cancel it; "
        f"it was made at {place}"
    ]


@pytest.mark.usefixtures("debug")
async def test_the_warning_belongs_to_the_place_where_the_stream_was_made() -> None:
    with pytest.warns(ResourceWarning) as caught:
        place = here(1)
        ReadableStream({"start": lambda controller: controller.enqueue("chunk")})
        await turns()
        gc.collect()
    assert [f"{each.filename}:{each.lineno}" for each in caught] == [place.split()[0]]
    assert str(caught[0].message).endswith(f"made at {place}")


@pytest.mark.usefixtures("debug")
async def test_the_warning_names_the_class_of_the_author_and_counts_chunks_of_bytes() -> None:
    class Body(ReadableStream[bytes]):
        pass

    with recorded() as texts:
        source = ByteSource()
        place = here(1)
        Body(source, {"high_water_mark": 4})
        source.controller.enqueue(b"abc")
        del source
        await turns()
    assert texts == [
        f"a Body was dropped with 1 chunk unread in its queue: read it to its end, or cancel it; it was made at {place}"
    ]


@pytest.mark.usefixtures("debug")
async def test_a_branch_of_a_tee_and_a_side_of_a_transform_stream_were_made_by_the_author() -> None:
    with recorded() as texts:
        source = Source()
        tee_place = here(1)
        branch, _ = readable(source=source).tee()
        read = branch.get_reader().read()
        source.controller.enqueue("a")
        assert (await read).value == "a"
        source.controller.close()
        transform_place = here(1)
        transform: TransformStream[Any, Any] = TransformStream(None, None, {"high_water_mark": 2})
        await transform.writable.get_writer().write("b")
        await turns()
        del source, branch, _, read, transform
    assert sorted(text.rpartition("made at ")[2] for text in texts) == sorted([tee_place, transform_place])


def read_to_the_end(source: Source, stream: ReadableStream[Any]) -> Any:
    async def read() -> None:
        source.controller.close()
        assert len([chunk async for chunk in stream]) == 3

    return read()


def cancel(source: Source, stream: ReadableStream[Any]) -> Any:
    return stream.cancel()


async def error(source: Source, stream: ReadableStream[Any]) -> None:
    source.controller.error("over")


async def leave_early(source: Source, stream: ReadableStream[Any]) -> None:
    async for _ in stream:
        break


async def read_all_that_is_there(source: Source, stream: ReadableStream[Any]) -> None:
    reader = stream.get_reader()
    for _ in range(3):
        await reader.read()


async def pipe(source: Source, stream: ReadableStream[Any]) -> None:
    source.controller.close()
    await stream.pipe_to(writable())


NORMAL_ENDS = [read_to_the_end, cancel, error, leave_early, read_all_that_is_there, pipe]


@pytest.mark.usefixtures("debug")
@pytest.mark.parametrize("end", NORMAL_ENDS)
@pytest.mark.parametrize("kind", [Source, ByteSource])
async def test_normal_ends_give_no_warning(
    end: Callable[[Source, ReadableStream[Any]], Any], kind: type[Source]
) -> None:
    with recorded() as texts:
        source = kind()
        stream = readable(source=source)
        for chunk in (b"a", b"b", b"c"):
            source.controller.enqueue(chunk)
        await end(source, stream)
        del source, stream
        await turns()
    assert texts == []


@pytest.mark.usefixtures("debug")
async def test_a_stream_whose_start_fails_gives_no_warning() -> None:
    def start(controller: Any) -> None:
        controller.enqueue("chunk")
        raise Boom

    with recorded() as texts, pytest.raises(Boom):
        ReadableStream({"start": start})
    assert texts == []


def run_in_debug_mode(factory: Callable[[], asyncio.AbstractEventLoop], main: Callable[[], Any]) -> list[Any]:
    """Run a coroutine in a loop of its own in debug mode; give what its exception handler was told."""
    told: list[Any] = []
    with asyncio.Runner(debug=True, loop_factory=factory) as runner:
        runner.get_loop().set_exception_handler(lambda _, context: told.append(context))
        runner.run(main())
    return told


@each_of(factory=by_key(LOOP_FACTORIES))
def test_streams_that_are_open_when_the_loop_is_closed_give_no_warning(
    factory: Callable[[], asyncio.AbstractEventLoop], caplog: pytest.LogCaptureFixture
) -> None:
    kept: list[Any] = []

    async def main() -> None:
        stream, destination = readable(3), writable(write=never)
        kept.extend([stream, stream.get_reader(), destination, destination.get_writer(), readable(3).tee()])
        kept[1].read()
        kept[3].write("chunk")
        kept.append(TransformStream())
        readable(2).pipe_to(kept[-1].writable)
        await turns(10)

    with recorded() as texts:
        told = run_in_debug_mode(factory, main)
        kept.clear()
    assert texts == caplog.messages == []
    assert all("was cut off by the end of the event loop" in each["message"] for each in told)
    assert len(told) == 2


async def test_outside_debug_mode_nothing_watches() -> None:
    with recorded() as texts:
        stream, destination = readable(3), writable(write=never)
        assert stream._controller._unread_watch is None  # type: ignore[attr-defined]
        assert destination._controller._write_watch is None
        writer = destination.get_writer()
        for chunk in range(100):
            writer.write(chunk)
        readable().pipe_to(writable(0))
        del stream, destination, writer
    assert texts == []


@pytest.mark.usefixtures("debug")
@pytest.mark.parametrize(("mark", "quiet"), [(0, 9), (0.5, 9), (1, 10), (2, 20), (3, 30)])
async def test_a_queue_that_grows_without_ready_gives_one_warning(mark: float, quiet: int) -> None:
    with recorded() as texts:
        place = here(1)
        stream: WritableStream[int] = WritableStream({"write": never}, {"high_water_mark": mark})
        writer = stream.get_writer()
        for chunk in range(quiet):
            writer.write(chunk)
        assert texts == []
        writer.write(0)
        summary = repr(stream).replace("locked to <WritableStreamDefaultWriter not ready>, ", "")
        for chunk in range(100):
            writer.write(chunk)
        await turns()
    assert texts == [
        f"the queue of {summary} is past 10 times its high-water mark, and nobody waits for the writer's `ready` "
        f"before writing; the stream was made at {place}"
    ]


@pytest.mark.usefixtures("debug")
async def test_the_warning_comes_with_the_chunk_that_is_too_much() -> None:
    writer = writable(write=never).get_writer()
    for chunk in range(10):
        writer.write(chunk)
    with pytest.warns(ResourceWarning, match="past 10 times its high-water mark"):
        writer.write(10)


@pytest.mark.usefixtures("debug")
async def test_few_big_chunks_are_no_growing_queue() -> None:
    with recorded() as texts:
        stream: WritableStream[bytes] = WritableStream({"write": never}, ByteLengthQueuingStrategy(high_water_mark=1))
        writer = stream.get_writer()
        for _ in range(9):
            writer.write(b"x" * 1000)
    assert texts == []


@pytest.mark.usefixtures("debug")
async def test_a_writer_that_waits_for_ready_gets_no_warning() -> None:
    async def produce(writer: WritableStreamDefaultWriter[int], burst: int) -> None:
        for _ in range(5):
            await writer.ready
            for chunk in range(burst):
                writer.write(chunk)

    with recorded() as texts:
        together = writable().get_writer()
        await asyncio.gather(*(produce(together, 1) for _ in range(30)))
        await produce(writable().get_writer(), 30)
    assert texts == []


@pytest.mark.usefixtures("debug")
async def test_a_writer_that_waited_for_ready_only_once_gets_the_warning() -> None:
    with recorded() as texts:
        writer = writable(write=never).get_writer()
        await writer.ready
        for chunk in range(50):
            writer.write(chunk)
        assert texts == []
        await turns()
    assert len(texts) == 1
    assert "queue 50/1" in texts[0]


@pytest.mark.usefixtures("debug")
async def test_warnings_that_are_errors_do_not_disturb_a_stream(reported: list[dict[str, Any]]) -> None:
    chunks: list[int] = []
    stream = writable(write=lambda chunk, _: chunks.append(chunk))
    writer = stream.get_writer()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for chunk in range(20):
            writer.write(chunk)
        never_wanted = readable().pipe_to(writable(0))
    await writer.close()
    assert chunks == list(range(20))
    assert not never_wanted.done()
    assert [context["message"] for context in reported] == ["webstreams: a warning was turned into an exception"] * 2
    assert {type(context["exception"]) for context in reported} == {ResourceWarning}


@pytest.mark.usefixtures("debug")
@pytest.mark.parametrize("through", [False, True])
async def test_w7_debug_mode_says_why_a_pipe_into_a_high_water_mark_of_0_is_pending(through: bool) -> None:
    with recorded() as texts:
        source = readable()
        made = here(1)
        transform: TransformStream[Any, Any] = TransformStream(None, {"high_water_mark": 0})
        destination = transform.writable
        piped = here(2)
        if through:
            source.pipe_through(transform)
        else:
            piped = here(1)
            source.pipe_to(destination)
    assert texts == [
        "a pipe from <ReadableStream readable, queue 0/16, desired_size 16> into <WritableStream writable, queue 0/0, "
        "desired_size 0> will not write anything: the destination's high-water mark is 0, so that it never asks for a "
        f"chunk; the pipe was started at {piped}, the destination was made at {made}"
    ]


@pytest.mark.usefixtures("debug")
async def test_a_pipe_that_ends_at_once_or_wants_chunks_gives_no_warning() -> None:
    with recorded() as texts:
        source = Source()
        stream = readable(source=source)
        source.controller.close()
        await stream.pipe_to(writable(0))
        with pytest.raises(StreamError, match="why"):
            await readable().pipe_to(writable(0), signal=AbortSignal.abort("why"))
        pending = readable().pipe_to(writable(0.5))
        assert not pending.done()
    assert texts == []
