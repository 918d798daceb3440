"""What JavaScript does not have: cancelled tasks, odd exceptions, other loops and threads (Y1-Y10)."""

from __future__ import annotations

import asyncio
import gc
import logging
import random
import sys
import threading
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from typing import Any

import pytest

from tests.grids import each_of
from tests.loops import LOOP_FACTORIES
from webstreams import (
    AbortError,
    Promise,
    ReadableStream,
    StreamError,
    TransformStream,
    WritableStream,
    queue_microtask,
)

from .helpers import (
    PATIENCE,
    SOURCES,
    ByteSource,
    Counted,
    RecordingSource,
    after_microtasks,
    chunks_stream,
    count_living,
    drain,
    failure,
    other_tasks,
    quiet,
    reason,
    soon,
    stream_of,
    turns,
)

EVERY_LOOP = pytest.mark.parametrize("make_loop", LOOP_FACTORIES.values(), ids=LOOP_FACTORIES)

# Cancelled reads. A feed is a stream, what puts a chunk into it, and what ends it.

Feed = tuple[ReadableStream[Any], Callable[[bytes], Any], Callable[[], Any]]


def enqueued() -> Feed:
    source = RecordingSource()
    return stream_of(source), source.controller.enqueue, source.controller.close


def enqueued_bytes() -> Feed:
    source = ByteSource()
    return stream_of(source), source.controller.enqueue, source.controller.close


def allocated_bytes() -> Feed:
    source = ByteSource(auto_allocate_chunk_size=16)

    def close() -> None:
        source.controller.close()
        if source.controller.byob_request is not None:
            source.controller.byob_request.respond(0)

    return stream_of(source), source.controller.enqueue, close


def sized() -> Feed:
    source = RecordingSource()
    return stream_of(source, 10, len), source.controller.enqueue, source.controller.close


def pulled() -> Feed:
    queue: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def pull(controller: Any) -> None:
        chunk = await queue.get()
        if chunk is None:
            controller.close()
        else:
            controller.enqueue(chunk)

    return ReadableStream({"pull": pull}), queue.put_nowait, lambda: queue.put_nowait(None)


def generated() -> Feed:
    queue: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def generate() -> AsyncIterator[bytes]:
        while (chunk := await queue.get()) is not None:
            yield chunk

    return ReadableStream.from_(generate()), queue.put_nowait, lambda: queue.put_nowait(None)


def teed() -> Feed:
    stream, feed, close = enqueued()
    return stream.tee()[0], feed, close


def teed_bytes() -> Feed:
    stream, feed, close = enqueued_bytes()
    return stream.tee()[1], feed, close


def transformed() -> Feed:
    transform: TransformStream[Any, Any] = TransformStream()
    writer = transform.writable.get_writer()
    return transform.readable, writer.write, writer.close


FEEDS = [
    enqueued,
    enqueued_bytes,
    allocated_bytes,
    sized,
    pulled,
    generated,
    teed,
    teed_bytes,
    transformed,
]
EVERY_FEED = pytest.mark.parametrize("make", FEEDS)
# The chunks are given in this turn of the loop; cancelled is in the turns around it.
DELIVERY = 2
AROUND_DELIVERY = range(8)
CANCEL_IN_ANY_TURN = each_of(turn=AROUND_DELIVERY, cancel_first=[False, True])


async def deliver_and_cancel(
    deliver: Callable[[], Any], task: asyncio.Task[Any], turn: int, cancel_first: bool
) -> None:
    """Let the loop go round; deliver in one turn, cancel the task in another or in the same one."""
    for now in range(10):
        if now == turn and cancel_first:
            task.cancel()
        if now == DELIVERY:
            deliver()
        if now == turn and not cancel_first:
            task.cancel()
        await asyncio.sleep(0)
    await asyncio.wait({task})


def feed_two(feed: Callable[[bytes], Any]) -> Callable[[], None]:
    def deliver() -> None:
        feed(b"a")
        feed(b"b")

    return deliver


@EVERY_FEED
@CANCEL_IN_ANY_TURN
async def test_y1_read_cancelled_in_any_turn(make: Callable[[], Feed], turn: int, cancel_first: bool) -> None:
    """The task that awaits read() is cancelled in any turn around the delivery: the next reads get every chunk."""
    stream, feed, close = make()
    reader = stream.get_reader()
    taken: list[Any] = []

    async def take() -> None:
        taken.append((await reader.read()).value)

    with quiet(1):
        await deliver_and_cancel(feed_two(feed), asyncio.create_task(take()), turn, cancel_first)
        close()
        assert taken + await soon(drain(reader)) == [b"a", b"b"]


@EVERY_FEED
@each_of(delay=range(6), cancel_first=[False, True])
async def test_y1_read_cancelled_in_any_microtask(make: Callable[[], Feed], delay: int, cancel_first: bool) -> None:
    """The same with the cancellation some microtasks before or after the delivery."""
    stream, feed, close = make()
    reader = stream.get_reader()
    taken: list[Any] = []

    async def take() -> None:
        taken.append((await reader.read()).value)

    with quiet(1):
        task = asyncio.create_task(take())
        await turns(3)
        after_microtasks(0 if cancel_first else delay, task.cancel)
        after_microtasks(delay if cancel_first else 0, feed_two(feed))
        await asyncio.wait({task})
        close()
        assert taken + await soon(drain(reader)) == [b"a", b"b"]


@EVERY_FEED
@CANCEL_IN_ANY_TURN
async def test_y1_iteration_cancelled_in_any_turn(make: Callable[[], Feed], turn: int, cancel_first: bool) -> None:
    """The task that iterates with prevent_cancel is cancelled in any turn: who reads on gets every chunk."""
    stream, feed, close = make()
    taken: list[Any] = []

    async def take() -> None:
        async for chunk in stream.values(prevent_cancel=True):
            taken.append(chunk)

    with quiet(1):
        await deliver_and_cancel(feed_two(feed), asyncio.create_task(take()), turn, cancel_first)
        assert not stream.locked
        close()
        assert taken + await soon(drain(stream.get_reader())) == [b"a", b"b"]


@EVERY_FEED
@CANCEL_IN_ANY_TURN
async def test_y1_one_of_two_reads_cancelled_in_any_turn(
    make: Callable[[], Feed], turn: int, cancel_first: bool
) -> None:
    """Two tasks read and the first one is cancelled: no chunk is lost and none comes twice."""
    stream, feed, close = make()
    reader = stream.get_reader()
    taken: list[Any] = []

    async def take() -> None:
        taken.append((await reader.read()).value)

    with quiet(1):
        tasks = [asyncio.create_task(take()) for _ in range(2)]
        await deliver_and_cancel(feed_two(feed), tasks[0], turn, cancel_first)
        await soon(tasks[1])
        close()
        assert sorted(taken + await soon(drain(reader))) == [b"a", b"b"]


@each_of(ending=["close", "error"], turn=AROUND_DELIVERY)
async def test_y1_chunk_comes_back_when_the_stream_has_ended_meanwhile(turn: int, ending: str) -> None:
    """The last chunk and the end come in one step and the read is cancelled: the chunk is read before the end."""
    source = RecordingSource()
    reader = stream_of(source).get_reader()
    taken: list[Any] = []

    async def take() -> None:
        taken.append((await reader.read()).value)

    def deliver() -> None:
        source.controller.enqueue(b"a")
        if ending == "close":
            source.controller.close()

    await deliver_and_cancel(deliver, asyncio.create_task(take()), turn, False)
    if ending == "error" and not taken:
        assert (await soon(reader.read())).value == b"a"
    if ending == "error":
        source.controller.error("broken")
        assert await reason(reader.read()) == "broken"
    else:
        assert taken + await soon(drain(reader)) == [b"a"]


async def read_with_timeout(reader: Any) -> Any:
    async with asyncio.timeout(0):
        return (await reader.read()).value


async def read_with_wait_for(reader: Any) -> Any:
    return (await asyncio.wait_for(reader.read(), 1e-6)).value


async def read_with_wait_for_zero(reader: Any) -> Any:
    return (await asyncio.wait_for(reader.read(), 0)).value


@pytest.mark.parametrize("kind", ["default", "bytes"])
@pytest.mark.parametrize("read", [read_with_timeout, read_with_wait_for, read_with_wait_for_zero])
async def test_y2_ten_thousand_reads_with_a_timeout(kind: str, read: Callable[[Any], Awaitable[Any]]) -> None:
    """10,000 reads with a timeout that is always due, beside a producer: no chunk is lost and none comes twice.

    Fewer for byte streams, whose readers are cancelled in the same way.
    """
    choose = random.Random(2)
    source = SOURCES[kind]()
    reader = stream_of(source).get_reader()
    given: list[bytes] = []
    taken: list[bytes] = []
    timeouts = 0

    async def produce() -> None:
        while True:
            for _ in range(choose.choice([0] * 14 + [1, 3])):
                given.append(b"%d" % len(given))
                source.controller.enqueue(given[-1])
            await asyncio.sleep(0)

    producer = asyncio.create_task(produce())
    for _ in range(10_000 if kind == "default" else 3_000):
        try:
            taken.append(await read(reader))
        except TimeoutError:
            timeouts += 1
    producer.cancel()
    await asyncio.wait({producer})
    source.controller.close()
    assert taken + await soon(drain(reader)) == given
    assert timeouts > 100
    assert len(given) > 100


# Cancelled reads into memory.


class Memory:
    """A byte source that is fed by enqueue(), or through its request as soon as there is one."""

    def __init__(self, answer: str) -> None:
        self._answer = answer
        self.source = ByteSource()
        self.stream = stream_of(self.source)

    def feed(self, data: bytes) -> None:
        request = self.source.controller.byob_request
        if self._answer == "enqueue" or request is None or len(request.view) < len(data):
            self.source.controller.enqueue(data)
        elif self._answer == "respond":
            request.view[: len(data)] = data
            request.respond(len(data))
        else:
            request.view[: len(data)] = data
            request.respond_with_new_view(request.view[: len(data)])

    def close(self) -> None:
        self.source.controller.close()
        if self.source.controller.byob_request is not None:
            self.source.controller.byob_request.respond(0)


async def drain_byob(reader: Any, room: int = 3) -> bytes:
    received = bytearray()
    while True:
        value, done = await reader.read(bytearray(room))
        received += value or b""
        if done:
            return bytes(received)


EVERY_ANSWER = pytest.mark.parametrize("answer", ["enqueue", "respond", "new view"])


@EVERY_ANSWER
@pytest.mark.parametrize("minimum", [1, 4, 6])
@CANCEL_IN_ANY_TURN
async def test_y3_byob_read_cancelled_in_any_turn(answer: str, turn: int, cancel_first: bool, minimum: int) -> None:
    """The task that awaits read(view) is cancelled in any turn: bytes that it got already are for the next read."""
    memory = Memory(answer)
    reader = memory.stream.get_reader(mode="byob")
    taken = bytearray()

    async def take() -> None:
        value, _ = await reader.read(bytearray(8), min=minimum)
        assert value is not None
        taken.extend(value)

    def deliver() -> None:
        memory.feed(b"abcd")
        loop.call_soon(memory.feed, b"ef")

    loop = asyncio.get_running_loop()
    with quiet(1):
        await deliver_and_cancel(deliver, asyncio.create_task(take()), turn, cancel_first)
        memory.close()
        assert taken + await soon(drain_byob(reader)) == b"abcdef"


@EVERY_ANSWER
@pytest.mark.parametrize("ending", ["close", "default reader", "byob reader", "next read", "longer read"])
async def test_y3_gathered_bytes_stay(answer: str, ending: str) -> None:
    """A `min` read that has got two of four bytes is cancelled: they come first, whoever reads next."""
    memory = Memory(answer)
    reader: Any = memory.stream.get_reader(mode="byob")

    async def take() -> None:
        await reader.read(bytearray(8), min=4)

    task = asyncio.create_task(take())
    await turns()
    memory.feed(b"ab")
    await turns()
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    if ending.endswith("reader"):
        reader.release_lock()
    if ending == "default reader":
        reader = memory.stream.get_reader()
        memory.feed(b"cd")
        memory.close()
        assert b"".join(await soon(drain(reader))) == b"abcd"
        return
    if ending == "byob reader":
        reader = memory.stream.get_reader(mode="byob")
    if ending == "longer read":
        read = reader.read(bytearray(16), min=4)
        memory.feed(b"cd")
        assert bytes((await soon(read)).value) == b"abcd"
    elif ending == "close":
        memory.close()
        assert await soon(drain_byob(reader)) == b"ab"
    else:
        assert bytes((await soon(reader.read(bytearray(1)))).value) == b"a"
        memory.feed(b"cd")
        memory.close()
        assert await soon(drain_byob(reader)) == b"bcd"


@EVERY_ANSWER
async def test_y3_many_byob_reads_with_a_timeout(answer: str) -> None:
    """3,000 reads into views of many sizes with a timeout that is always due: every byte comes once, in order."""
    choose = random.Random(3)
    memory = Memory(answer)
    reader = memory.stream.get_reader(mode="byob")
    given = bytearray()
    taken = bytearray()
    timeouts = 0

    async def produce() -> None:
        while True:
            for _ in range(choose.choice([0, 0, 1, 2])):
                data = choose.randbytes(choose.randint(1, 6))
                given.extend(data)
                memory.feed(data)
            await asyncio.sleep(0)

    producer = asyncio.create_task(produce())
    for _ in range(3_000):
        room = choose.randint(1, 10)
        try:
            async with asyncio.timeout(0):
                value, _ = await reader.read(bytearray(room), min=choose.randint(1, room))
                taken += value or b""
        except TimeoutError:
            timeouts += 1
    producer.cancel()
    await asyncio.wait({producer})
    memory.close()
    assert taken + await soon(drain_byob(reader)) == given
    assert timeouts > 100
    assert len(given) > 1_000


# Cancelled pipes.


class RecordingSink:
    """Records what the stream calls; a write and an abort take some turns."""

    def __init__(self) -> None:
        self.written: list[Any] = []
        self.ends: list[Any] = []

    async def write(self, chunk: Any, controller: Any) -> None:
        await turns(2)
        self.written.append(chunk)

    def close(self) -> None:
        self.ends.append("close")

    async def abort(self, reason: Any) -> None:
        await turns(2)
        self.ends.append(reason)


@each_of(prevent_cancel=[False, True], prevent_abort=[False, True], turn=range(1, 12))
async def test_y4_cancelled_pipe_is_an_aborted_pipe(turn: int, prevent_abort: bool, prevent_cancel: bool) -> None:
    """The task that awaits pipe_to() is cancelled in any turn: both ends hear it once, no lock and no task is left."""
    source = RecordingSource()
    sink = RecordingSink()
    stream, destination = stream_of(source), WritableStream[Any](sink)

    async def pipe() -> None:
        await stream.pipe_to(destination, prevent_abort=prevent_abort, prevent_cancel=prevent_cancel)

    with quiet(1):
        task = asyncio.create_task(pipe())
        source.controller.enqueue("a")
        source.controller.enqueue("b")
        await turns(turn)
        started = len(sink.written)
        task.cancel()
        await soon(asyncio.wait({task}))
        assert task.cancelled()
        assert not stream.locked
        assert not destination.locked
        assert [type(end) for end in sink.ends] == ([] if prevent_abort else [AbortError])
        assert [type(each) for each in source.cancellations] == ([] if prevent_cancel else [AbortError])
        assert sink.written == ["a", "b"][: len(sink.written)]
        assert len(sink.written) >= started
        await turns()
        assert not other_tasks()
        if prevent_abort and prevent_cancel:
            await carry_on(source, stream, destination)
            assert sink.written == ["a", "b", "c"]


async def carry_on(source: RecordingSource, stream: ReadableStream[Any], destination: WritableStream[Any]) -> None:
    """Pipe the rest."""
    source.controller.enqueue("c")
    source.controller.close()
    await soon(stream.pipe_to(destination))


async def test_y4_cancelled_pipe_cancels_the_coroutine_of_the_write_under_way() -> None:
    """The task that awaits pipe_to() is cancelled during a write: so is that, then the sink is aborted."""
    events: list[str] = []

    async def write(chunk: str, _: Any) -> None:
        events.append(f"begin {chunk}")
        try:
            await asyncio.Event().wait()
        finally:
            events.append(f"end {chunk}")

    async def pipe() -> None:
        sink = WritableStream[Any]({"write": write, "abort": lambda reason: events.append("abort")})
        await chunks_stream("a", "b").pipe_to(sink)

    task = asyncio.create_task(pipe())
    await turns()
    task.cancel()
    await soon(asyncio.wait({task}))
    assert task.cancelled()
    assert events == ["begin a", "end a", "abort"]


# Odd exceptions.

ODD = [StopIteration, StopAsyncIteration, asyncio.CancelledError, GeneratorExit]
FORMS = ["function", "coroutine", "later"]


def raising(error: BaseException, form: str) -> Callable[..., Any]:
    """A callback that raises: as a plain function, as a coroutine function, or only after a wait."""

    def function(*_: Any) -> None:
        raise error

    async def coroutine(*_: Any) -> None:
        if form == "later":
            await asyncio.sleep(0)
        raise error

    return function if form == "function" else coroutine


async def fail_in_start(callback: Callable[..., Any]) -> BaseException:
    try:
        stream: ReadableStream[Any] = ReadableStream({"start": callback})
    except Exception as error:
        return error
    return await failure(stream.get_reader().read())


async def fail_in_pull(callback: Callable[..., Any]) -> BaseException:
    return await failure(ReadableStream[Any]({"pull": callback}).get_reader().read())


async def fail_in_byte_pull(callback: Callable[..., Any]) -> BaseException:
    return await failure(ReadableStream({"type": "bytes", "pull": callback}).get_reader().read())


async def fail_in_cancel(callback: Callable[..., Any]) -> BaseException:
    return await failure(ReadableStream[Any]({"cancel": callback}).cancel())


async def fail_in_sink_start(callback: Callable[..., Any]) -> BaseException:
    try:
        stream: WritableStream[Any] = WritableStream({"start": callback})
    except Exception as error:
        return error
    return await failure(stream.get_writer().closed)


async def fail_in_write(callback: Callable[..., Any]) -> BaseException:
    writer = WritableStream[Any]({"write": callback}).get_writer()
    error = await failure(writer.write("chunk"))
    assert await failure(writer.closed) is error
    return error


async def fail_in_close(callback: Callable[..., Any]) -> BaseException:
    return await failure(WritableStream[Any]({"close": callback}).close())


async def fail_in_abort(callback: Callable[..., Any]) -> BaseException:
    return await failure(WritableStream[Any]({"abort": callback}).abort())


async def fail_in_transformer_start(callback: Callable[..., Any]) -> BaseException:
    try:
        stream: TransformStream[Any, Any] = TransformStream({"start": callback})
    except Exception as error:
        return error
    return await failure(stream.readable.get_reader().read())


async def fail_in_transform(callback: Callable[..., Any]) -> BaseException:
    stream: TransformStream[Any, Any] = TransformStream({"transform": callback})
    writing = stream.writable.get_writer().write("chunk")
    error = await failure(stream.readable.get_reader().read())
    assert await failure(writing) is error
    return error


async def fail_in_flush(callback: Callable[..., Any]) -> BaseException:
    stream: TransformStream[Any, Any] = TransformStream({"flush": callback})
    closing = stream.writable.close()
    error = await failure(stream.readable.get_reader().read())
    assert await failure(closing) is error
    return error


async def fail_in_transformer_cancel(callback: Callable[..., Any]) -> BaseException:
    return await failure(TransformStream[Any, Any]({"cancel": callback}).readable.cancel())


async def fail_in_microtask(callback: Callable[..., Any]) -> BaseException:
    return await failure(Promise.resolve().then(callback))


async def fail_in_coroutine(callback: Callable[..., Any]) -> BaseException:
    async def call() -> Any:
        return await callback()

    return await failure(Promise.resolve(call()))


CALLBACKS = [
    fail_in_start,
    fail_in_pull,
    fail_in_byte_pull,
    fail_in_cancel,
    fail_in_sink_start,
    fail_in_write,
    fail_in_close,
    fail_in_abort,
    fail_in_transformer_start,
    fail_in_transform,
    fail_in_flush,
    fail_in_transformer_cancel,
    fail_in_microtask,
]


@pytest.mark.parametrize("fail_in", CALLBACKS)
@each_of(form=FORMS, kind=ODD)
async def test_y5_odd_exception_becomes_an_ordinary_one(
    kind: type[BaseException], form: str, fail_in: Callable[[Callable[..., Any]], Awaitable[BaseException]]
) -> None:
    """A callback raises what steers generators or tasks: the stream errors with an ordinary exception around it."""
    odd = kind("odd")
    with quiet(1):
        error = await fail_in(raising(odd, form))
        assert error.__cause__ is odd
        if kind is StopIteration and form != "function":
            assert type(error) is RuntimeError  # what Python itself makes of it in a coroutine
        else:
            assert type(error) is StreamError
            assert error.reason is odd
        await turns()
    assert not other_tasks()


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("side", ["readable", "writable"])
async def test_y5_odd_exception_in_size(kind: type[BaseException], side: str) -> None:
    """size() raises such an exception: enqueue() raises an ordinary one around it, or write() is rejected with it."""
    odd = kind("odd")
    if side == "readable":
        source = RecordingSource()
        stream = stream_of(source, 5, raising(odd, "function"))
        with pytest.raises(StreamError) as caught:
            source.controller.enqueue("chunk")
        errors: list[BaseException] = [caught.value, await failure(stream.get_reader().read())]
    else:
        sized: WritableStream[Any] = WritableStream({}, {"size": raising(odd, "function")})
        errors = [await failure(sized.get_writer().write("chunk"))]
    for error in errors:
        assert isinstance(error, StreamError)
        assert error.reason is odd


@pytest.mark.parametrize("kind", [asyncio.CancelledError, GeneratorExit])
async def test_y5_odd_exception_of_an_iterator(kind: type[BaseException]) -> None:
    """An iterator behind from_() raises such an exception: the read fails with an ordinary one around it."""
    odd = kind("odd")

    def items() -> Iterator[Any]:
        yield "first"
        raise odd

    async def async_items() -> AsyncIterator[Any]:
        yield "first"
        raise odd

    for iterable in (items(), async_items()):
        with quiet(1):
            reader = ReadableStream.from_(iterable).get_reader()
            assert await soon(reader.read()) == ("first", False)
            error = await failure(reader.read())
            assert isinstance(error, StreamError)
            assert error.reason is odd


INTERRUPTS = pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])


async def interrupted_pull(callback: Callable[..., Any]) -> None:
    await ReadableStream[Any]({"pull": callback}, {"high_water_mark": 0}).get_reader().read()


async def interrupted_start_of_pulling(callback: Callable[..., Any]) -> None:
    stream: ReadableStream[Any] = ReadableStream({"pull": callback})
    await turns(10)
    assert stream is None, "the interrupt should have come"


async def interrupted_write(callback: Callable[..., Any]) -> None:
    await WritableStream[Any]({"write": callback}).get_writer().write("chunk")


async def interrupted_cancel(callback: Callable[..., Any]) -> None:
    await ReadableStream[Any]({"cancel": callback}).cancel()


async def interrupted_transform(callback: Callable[..., Any]) -> None:
    transform: TransformStream[Any, Any] = TransformStream({"transform": callback})
    transform.writable.get_writer().write("chunk")
    await transform.readable.get_reader().read()


async def interrupted_pipe(callback: Callable[..., Any]) -> None:
    await chunks_stream("a", "b").pipe_to(WritableStream({"write": callback}))


async def interrupted_microtask(callback: Callable[..., Any]) -> None:
    queue_microtask(callback)
    await turns(10)
    raise AssertionError("the interrupt should have come")


def finish(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what an interrupted program left behind, as asyncio.run() does, and close the loop."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    try:
        if tasks:
            _, pending = loop.run_until_complete(asyncio.wait(tasks, timeout=PATIENCE))
            assert not pending, "these tasks do not end when they are cancelled"
            for task in tasks:
                assert task.cancelled() or task.exception() is not None or task.result() is None
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
        gc.collect()


@EVERY_LOOP
@INTERRUPTS
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "program",
    [
        interrupted_pull,
        interrupted_start_of_pulling,
        interrupted_write,
        interrupted_cancel,
        interrupted_transform,
        interrupted_pipe,
    ],
)
def test_y5_interrupts_go_through(
    make_loop: Callable[[], asyncio.AbstractEventLoop],
    interrupt: type[BaseException],
    form: str,
    program: Callable[[Callable[..., Any]], Coroutine[Any, Any, None]],
) -> None:
    """A callback raises KeyboardInterrupt or SystemExit: it comes out of the loop, which goes on working afterwards."""
    loop = make_loop()
    reported: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: reported.append(context))
    other = RecordingSource()

    async def prepare() -> Any:
        reader = stream_of(other).get_reader()
        return reader, reader.read()

    async def go_on(reader: Any, pending: Promise[Any]) -> list[Any]:
        other.controller.enqueue("first")
        other.controller.close()
        fresh = await drain(chunks_stream("second").get_reader())
        return [(await soon(pending)).value, *fresh, (await soon(reader.read())).done]

    try:
        reader, pending = loop.run_until_complete(prepare())
        with pytest.raises(interrupt):
            loop.run_until_complete(program(raising(interrupt("stop"), form)))
        assert loop.run_until_complete(go_on(reader, pending)) == ["first", "second", True]
    finally:
        finish(loop)
    assert [each for each in reported if not tells_of(interrupt, each.get("exception"))] == []


def tells_of(interrupt: type[BaseException], error: Any) -> bool:
    """Whether an error is the interrupt, or the error of a task that awaited the stream which the interrupt errored."""
    return isinstance(error.reason if isinstance(error, StreamError) else error, interrupt)


@EVERY_LOOP
@INTERRUPTS
def test_y5_interrupt_of_a_microtask_goes_through(
    make_loop: Callable[[], asyncio.AbstractEventLoop], interrupt: type[BaseException]
) -> None:
    """A microtask raises KeyboardInterrupt or SystemExit: the microtasks behind it run when the loop goes on."""
    loop = make_loop()
    ran: list[str] = []

    async def main() -> None:
        queue_microtask(raising(interrupt("stop"), "function"))
        queue_microtask(ran.append, "behind")
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    try:
        with pytest.raises(interrupt):
            loop.run_until_complete(main())
        loop.run_until_complete(turns())
        assert ran == ["behind"]
    finally:
        finish(loop)


# Reasons that are no exceptions.

REASONS = [
    "text",
    42,
    None,
    ["list"],
    asyncio.CancelledError("reason"),
    StopIteration("reason"),
    KeyboardInterrupt("x"),
]
EVERY_REASON = pytest.mark.parametrize("given", REASONS, ids=repr)


@EVERY_REASON
async def test_y6_error_with_any_object(given: object) -> None:
    """error(42) and the like: a read fails with a StreamError that has the object, each time and in every task."""
    source = RecordingSource()
    reader = stream_of(source).get_reader()
    with quiet(1):
        pending = reader.read()
        source.controller.error(given)
        for awaitable in (pending, pending, reader.read(), reader.closed):
            error = await failure(awaitable)
            assert isinstance(error, StreamError)
            assert error.reason is given
        assert isinstance(pending.exception(), StreamError)


@EVERY_REASON
async def test_y6_cancel_with_any_object(given: object) -> None:
    """cancel(None) and the like: the source gets the very object, through a pipe and a tee as well."""
    source = RecordingSource()
    await soon(stream_of(source).cancel(given))
    assert source.cancellations[0] is given
    teed_source = RecordingSource()
    branches = stream_of(teed_source).tee()
    await soon(asyncio.gather(*(branch.cancel(given) for branch in branches)))
    assert [each is given for each in teed_source.cancellations[0]] == [True, True]
    transform: TransformStream[Any, Any] = TransformStream()
    piped_source = RecordingSource()
    end = stream_of(piped_source).pipe_through(transform)
    await turns()
    await soon(end.cancel(given))
    await turns()
    assert [each is given for each in piped_source.cancellations] == [True]


@EVERY_REASON
async def test_y6_abort_with_any_object(given: object) -> None:
    """abort("text") and the like: the sink gets the very object, writes fail with a StreamError that has it."""
    reasons: list[object] = []
    gate = asyncio.Event()
    with quiet(1):
        writer = WritableStream[Any](
            {"write": lambda chunk, controller: gate.wait(), "abort": reasons.append}
        ).get_writer()
        writing = [writer.write("in flight"), writer.write("queued")]
        await turns()
        aborted = writer.abort(given)
        gate.set()
        await soon(aborted)
        await soon(writing[0])
        for awaitable in (writing[1], writer.write("late"), writer.closed, writer.ready):
            error = await failure(awaitable)
            assert isinstance(error, StreamError)
            assert error.reason is given
    assert len(reasons) == 1
    assert reasons[0] is given


# Stored errors.


class Broken(Exception):
    """What the sources below are errored with."""


def raise_in_source(controller: Any) -> None:
    raise Broken("in the source")


def raise_in_sink(chunk: Any, controller: Any) -> None:
    raise Broken("in the sink")


async def errored_read() -> Callable[[], Awaitable[Any]]:
    reader = ReadableStream[Any]({"pull": raise_in_source}).get_reader()
    return reader.read


async def errored_byob_read() -> Callable[[], Awaitable[Any]]:
    reader = ReadableStream({"type": "bytes", "pull": raise_in_source}, {"high_water_mark": 1}).get_reader(mode="byob")
    return lambda: reader.read(bytearray(1))


async def errored_closed() -> Callable[[], Awaitable[Any]]:
    reader = ReadableStream[Any]({"pull": raise_in_source}).get_reader()
    return lambda: reader.closed


async def errored_pending_read() -> Callable[[], Awaitable[Any]]:
    read = ReadableStream[Any]({"pull": raise_in_source}).get_reader().read()
    return lambda: read


async def errored_iteration() -> Callable[[], Awaitable[Any]]:
    stream: ReadableStream[Any] = ReadableStream({"pull": raise_in_source})

    async def iterate() -> None:
        async for _ in stream:
            pass

    return iterate


async def errored_cancel() -> Callable[[], Awaitable[Any]]:
    return ReadableStream[Any]({"pull": raise_in_source}).cancel


async def errored_pipe() -> Callable[[], Awaitable[Any]]:
    stream: ReadableStream[Any] = ReadableStream({"pull": raise_in_source})
    return lambda: stream.pipe_to(WritableStream())


async def errored_write() -> Callable[[], Awaitable[Any]]:
    writer = WritableStream[Any]({"write": raise_in_sink}).get_writer()
    await failure(writer.write("chunk"))
    return lambda: writer.write("chunk")


async def errored_ready() -> Callable[[], Awaitable[Any]]:
    writer = WritableStream[Any]({"write": raise_in_sink}).get_writer()
    await failure(writer.write("chunk"))
    return lambda: writer.ready


async def fail_with_a_marked_frame(attempt: Callable[[], Awaitable[Any]]) -> None:
    """Has a frame that can be found when it is kept alive."""
    marker = Counted()
    await attempt()
    raise AssertionError(f"{marker} should not be reached")


@pytest.mark.parametrize(
    "make",
    [
        errored_read,
        errored_byob_read,
        errored_closed,
        errored_pending_read,
        errored_iteration,
        errored_cancel,
        errored_pipe,
        errored_write,
        errored_ready,
    ],
)
async def test_y7_traceback_of_a_stored_error_stays_bounded(
    make: Callable[[], Awaitable[Callable[[], Awaitable[Any]]]],
) -> None:
    """1,000 failures with one stored error: the same object, whose traceback does not grow and keeps no frames."""
    attempt = await make()
    await turns()
    lengths = []
    errors = set()
    for _ in range(1_000):
        try:
            await fail_with_a_marked_frame(attempt)
        except Broken as error:
            errors.add(error)
            lengths.append(sum(1 for _ in traceback.walk_tb(error.__traceback__)))
    assert len(lengths) == 1_000
    assert len(errors) == 1
    assert lengths[999] == lengths[10]
    names = [frame.name for frame in traceback.extract_tb(errors.pop().__traceback__)]
    assert names[-1] in {"raise_in_source", "raise_in_sink"}
    assert count_living(Counted) <= 1


async def test_y7_traceback_with_many_tasks() -> None:
    """1,000 tasks wait for one promise that is rejected: the error's traceback is not longer than with ten."""

    async def lengths_with(count: int) -> int:
        source = RecordingSource()
        closed = stream_of(source).get_reader().closed

        async def wait() -> None:
            await closed

        tasks = [asyncio.create_task(wait()) for _ in range(count)]
        await turns()
        error = Broken()
        source.controller.error(error)
        assert await asyncio.gather(*tasks, return_exceptions=True) == [error] * count
        return len(traceback.extract_tb(error.__traceback__))

    assert await lengths_with(1_000) == await lengths_with(10)


# Double cancellation.


class SlowCancel(RecordingSource):
    """A source, and a sink, whose end takes until `gate` is set."""

    def __init__(self) -> None:
        super().__init__(self._finish)
        self.gate = asyncio.Event()
        self.events: list[str] = []

    async def _finish(self) -> None:
        self.events.append("begin")
        await self.gate.wait()
        self.events.append("end")

    def abort(self, reason: Any) -> Any:
        return self._finish()


async def leave_context_manager(slow: SlowCancel) -> None:
    async with stream_of(slow).values() as chunks:
        async for _ in chunks:
            pass


async def leave_loop(slow: SlowCancel) -> None:
    async for _ in stream_of(slow):
        pass


async def wait_for_cancel(slow: SlowCancel) -> None:
    await stream_of(slow).cancel()


async def close_iterator(slow: SlowCancel) -> None:
    iterator = stream_of(slow).values()
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await iterator.aclose()


async def pipe_from(slow: SlowCancel) -> None:
    await stream_of(slow).pipe_to(WritableStream())


async def pipe_into(slow: Any) -> None:
    await ReadableStream[Any]().pipe_to(WritableStream(slow))


async def leave_writer(slow: Any) -> None:
    async with WritableStream[Any](slow).get_writer():
        await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize(
    "work",
    [leave_context_manager, leave_loop, wait_for_cancel, close_iterator, pipe_from, pipe_into, leave_writer],
)
@pytest.mark.parametrize("times", [2, 4])
async def test_y8_cancelled_again_during_the_cleanup(
    work: Callable[[SlowCancel], Coroutine[Any, Any, None]], times: int
) -> None:
    """A task is cancelled again and again while the source's cancel or the sink's abort runs: that still finishes."""
    slow = SlowCancel()
    with quiet():
        task = asyncio.create_task(work(slow))
        await turns()
        for _ in range(times):
            task.cancel()
            await turns(3)
        assert slow.events == ["begin"]
        slow.gate.set()
        await soon(asyncio.wait({task}))
        assert task.cancelled()
        await turns()
        assert slow.events == ["begin", "end"]
        assert not other_tasks()


# Other loops and threads.


class Everything:
    """One object of every kind, made in the running loop."""

    def __init__(self) -> None:
        self.source = RecordingSource()
        self.stream = stream_of(RecordingSource())
        self.reader = stream_of(self.source).get_reader()
        self.bytes = ByteSource()
        self.byob_reader = stream_of(self.bytes).get_reader(mode="byob")
        self.byob_read = self.byob_reader.read(bytearray(4))
        self.request = self.bytes.controller.byob_request
        self.iterator = stream_of(RecordingSource()).values()
        self.controllers: list[Any] = []
        self.writer = WritableStream[Any]({"start": self.controllers.append}).get_writer()
        self.writable: WritableStream[Any] = WritableStream()
        self.transform: TransformStream[Any, Any] = TransformStream({"start": self.controllers.append})

    def calls(self) -> dict[str, Callable[[], Any]]:
        """Everything that must not be done elsewhere."""
        sink_controller, transform_controller = self.controllers
        return {
            "cancel": self.stream.cancel,
            "get_reader": self.stream.get_reader,
            "values": self.stream.values,
            "aiter": lambda: aiter(self.stream),
            "tee": self.stream.tee,
            "pipe_to": lambda: self.stream.pipe_to(self.writable),
            "pipe_through": lambda: self.stream.pipe_through(self.transform),
            "read": self.reader.read,
            "cancel by the reader": self.reader.cancel,
            "release the reader": self.reader.release_lock,
            "enqueue": lambda: self.source.controller.enqueue("chunk"),
            "close by the controller": self.source.controller.close,
            "error": self.source.controller.error,
            "byob read": lambda: self.byob_reader.read(bytearray(4)),
            "enqueue bytes": lambda: self.bytes.controller.enqueue(b"chunk"),
            "close bytes": self.bytes.controller.close,
            "error bytes": self.bytes.controller.error,
            "respond": lambda: self.request.respond(1),
            "respond with a new view": lambda: self.request.respond_with_new_view(bytearray(4)),
            "anext": self.iterator.__anext__,
            "aclose": self.iterator.aclose,
            "write": lambda: self.writer.write("chunk"),
            "close by the writer": self.writer.close,
            "abort by the writer": self.writer.abort,
            "release the writer": self.writer.release_lock,
            "error the sink": lambda: sink_controller.error("broken"),
            "get_writer": self.writable.get_writer,
            "close": self.writable.close,
            "abort": self.writable.abort,
            "enqueue by the transformer": lambda: transform_controller.enqueue("chunk"),
            "error by the transformer": lambda: transform_controller.error("broken"),
            "terminate": transform_controller.terminate,
        }

    def assert_refused(self, message: str) -> None:
        """Every call is refused at once."""
        for name, call in self.calls().items():
            try:
                call()
            except RuntimeError as error:
                assert message in str(error), name
            else:
                raise AssertionError(f"{name} should be refused")

    async def assert_unharmed(self) -> None:
        """Everything still works where it belongs."""
        self.source.controller.enqueue("chunk")
        assert await soon(self.reader.read()) == ("chunk", False)
        self.request.view[:1] = b"x"
        self.request.respond(1)
        assert bytes((await soon(self.byob_read)).value or b"") == b"x"
        await soon(self.writer.write("chunk"))
        await soon(self.iterator.aclose())
        await soon(self.stream.cancel())


async def make_everything() -> Everything:
    return Everything()


@EVERY_LOOP
def test_y9_use_from_another_loop(make_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Use from another loop of the same thread: a clear RuntimeError at once, and no harm is done."""
    home, elsewhere = make_loop(), make_loop()
    try:
        everything = home.run_until_complete(make_everything())

        async def visit() -> None:
            everything.assert_refused("another event loop")
            awaitables: list[Callable[[], Any]] = [
                lambda: everything.byob_read,
                lambda: everything.reader.closed,
                lambda: everything.writer.closed,
            ]
            for awaitable in awaitables:
                with pytest.raises(RuntimeError, match="another event loop"):
                    await soon(awaitable())

        elsewhere.run_until_complete(visit())
        home.run_until_complete(everything.assert_unharmed())
    finally:
        finish(elsewhere)
        finish(home)


@EVERY_LOOP
def test_y9_use_without_a_loop(make_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Use while no loop runs: a clear RuntimeError at once, and no harm is done."""
    home = make_loop()
    try:
        everything = home.run_until_complete(make_everything())
        everything.assert_refused("none is running")
        home.run_until_complete(everything.assert_unharmed())
    finally:
        finish(home)


@pytest.mark.parametrize(
    "construct",
    [
        ReadableStream,
        WritableStream,
        TransformStream,
        lambda: ReadableStream({"type": "bytes"}),
        lambda: ReadableStream.from_([1, 2]),
        Promise.with_resolvers,
        lambda: queue_microtask(print),
    ],
)
def test_y9_construction_without_a_loop(construct: Callable[[], Any]) -> None:
    """A stream that is constructed where no loop runs: a clear RuntimeError."""
    with pytest.raises(RuntimeError, match="none is running"):
        construct()


async def test_y9_use_from_another_thread() -> None:
    """Use from another thread, with and without a loop of its own: a clear RuntimeError at once, and no harm."""
    everything = Everything()
    failures: list[BaseException] = []

    async def visit() -> None:
        everything.assert_refused("another event loop")

    def work() -> None:
        try:
            everything.assert_refused("none is running")
            asyncio.run(visit())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():
        await asyncio.sleep(0.001)
    thread.join()
    assert failures == []
    await everything.assert_unharmed()


# The end of the loop.


async def leave_reads() -> Any:
    stream = stream_of(RecordingSource())
    reader = stream.get_reader()
    return reader, reader.read(), reader.closed


async def leave_running_pull() -> Any:
    async def pull(controller: Any) -> None:
        await asyncio.get_running_loop().create_future()

    streams = [stream_of({"pull": pull}), stream_of({"type": "bytes", "pull": pull}, 1)]
    await turns()
    return streams


async def leave_running_start() -> Any:
    async def start(controller: Any) -> None:
        await asyncio.Event().wait()

    return ReadableStream[Any]({"start": start}), WritableStream[Any]({"start": start})


async def leave_running_write() -> Any:
    async def write(chunk: Any, controller: Any) -> None:
        await asyncio.sleep(1000)

    writer = WritableStream[Any]({"write": write}).get_writer()
    for promise in (writer.write("a"), writer.write("b"), writer.close()):
        promise.then(None, lambda _: None)
    await turns()
    return writer


async def leave_callback_that_reads() -> Any:
    """A callback that waits for a promise of the library, not for one of the loop."""
    inner = stream_of(RecordingSource()).get_reader()

    async def pull(controller: Any) -> None:
        controller.enqueue((await inner.read()).value)

    stream = stream_of({"pull": pull})
    await turns()
    return stream


async def leave_pipe() -> Any:
    transform: TransformStream[Any, Any] = TransformStream()
    promise = stream_of(RecordingSource()).pipe_through(transform).pipe_to(WritableStream())
    await turns()
    return promise


async def leave_tee() -> Any:
    branches = stream_of(RecordingSource()).tee()
    reads = [branch.get_reader().read() for branch in branches]
    await turns()
    return branches, reads


async def leave_iteration() -> Any:
    stream = chunks_stream("a", "b", "c")
    iterator = stream.values()
    assert await anext(iterator) == "a"
    return stream, iterator


async def leave_generator() -> Any:
    async def generate() -> AsyncIterator[str]:
        yield "first"
        await asyncio.get_running_loop().create_future()

    reader = ReadableStream.from_(generate()).get_reader()
    await reader.read()
    reader.read().then(None, lambda _: None)
    return reader


async def leave_microtasks() -> Any:
    source = RecordingSource()
    reader = stream_of(source).get_reader()
    read = reader.read()
    read.then(lambda _: source.controller.close())
    source.controller.enqueue("chunk")
    return reader


@EVERY_LOOP
@pytest.mark.parametrize("tidy", [True, False], ids=["asyncio.Runner", "loop.close()"])
@pytest.mark.parametrize("dropped", ["before", "after"])
@pytest.mark.parametrize(
    "leave",
    [
        leave_reads,
        leave_running_pull,
        leave_running_start,
        leave_running_write,
        leave_callback_that_reads,
        leave_pipe,
        leave_tee,
        leave_iteration,
        leave_generator,
        leave_microtasks,
    ],
)
def test_y10_loop_closes_with_streams_open(
    make_loop: Callable[[], asyncio.AbstractEventLoop],
    tidy: bool,
    dropped: str,
    leave: Callable[[], Coroutine[Any, Any, Any]],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The loop is closed while streams are open and callbacks run: what was cut off is reported once, nothing else is
    logged, and no pending task is destroyed."""
    unraisable: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda hook: unraisable.append(f"{hook.exc_value!r} in {hook.object!r}"))
    kept: list[Any] = []
    with caplog.at_level(logging.WARNING):
        if tidy:
            with asyncio.Runner(loop_factory=make_loop) as runner:
                kept.append(runner.run(leave()))
                if dropped == "before":
                    kept.clear()
        else:
            loop = make_loop()
            kept.append(loop.run_until_complete(leave()))
            if dropped == "before":
                kept.clear()
                gc.collect()
            loop.close()
            del loop
        kept.clear()
        gc.collect()
    cut_off = [record.getMessage() for record in caplog.records]
    assert len(cut_off) == (tidy and leave in {leave_running_write, leave_pipe})
    assert all("was cut off by the end of the event loop" in each for each in cut_off)
    assert unraisable == []
