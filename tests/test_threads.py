"""`webstreams.threads`: streams that other threads write, read and feed, with real threads."""

from __future__ import annotations

import asyncio
import gc
import logging
import random
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from contextvars import ContextVar
from itertools import count
from typing import Any

import pytest

from tests.grids import each_of
from webstreams import (
    AbortError,
    ByteLengthQueuingStrategy,
    CountQueuingStrategy,
    Promise,
    ReadableStream,
    ReadDoneResult,
    StreamError,
    TransformStream,
    WritableStream,
    threads,
)
from webstreams.threads import ThreadSafeReader, ThreadSafeWriter, readable_from_thread

from .loops import LOOP_FACTORIES

Reported = list[dict[str, Any]]
BOOM = ValueError("boom")
A_MOMENT = 0.005


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


# What is under way when the loop ends is reported.
CUT_OFF = "was cut off by the end of the event loop"


class Worker(threading.Thread):
    """Runs a function; the loop that started it waits for the outcome with ``await worker.outcome()``."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        super().__init__(daemon=True)
        self.function = function
        self.arguments = args
        self.result: Any = None
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self.result = self.function(*self.arguments)
        except BaseException as error:
            self.error = error

    def joined(self) -> Any:
        self.join(timeout=20)
        assert not self.is_alive(), "the thread hangs"
        if self.error is not None:
            raise self.error
        return self.result

    async def outcome(self) -> Any:
        while self.is_alive():
            await asyncio.sleep(0.001)
        return self.joined()


async def in_thread(function: Callable[..., Any], *args: Any) -> Any:
    return await Worker(function, *args).outcome()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.001)


async def threads_wait(calls: int = 1) -> None:
    """Wait until so many calls of threads wait in the loop: the sinks and sources of these tests make no tasks."""
    async with asyncio.timeout(20):
        lasting = 0
        while lasting < calls + 1:
            before = asyncio.all_tasks()
            await asyncio.sleep(0.001)
            lasting = len(before & asyncio.all_tasks())


async def turns(number: int = 10) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


class SlowSink:
    """A sink whose every write is done when the test says so."""

    def __init__(self) -> None:
        self.begun: list[Any] = []
        self.written: list[Any] = []
        self.aborted: list[Any] = []
        self.closed = 0
        self.open = False
        self._done: list[Callable[[Any], None]] = []

    def write(self, chunk: Any, controller: Any) -> Promise[None]:
        self.begun.append(chunk)
        promise, resolve, _ = Promise.with_resolvers()
        self._done.append(resolve)
        if self.open:
            self.finish_one()
        return promise

    def finish_one(self) -> None:
        self.written.append(self.begun[len(self.written)])
        self._done.pop(0)(None)

    def go_on(self) -> None:
        self.open = True
        while self._done:
            self.finish_one()

    def close(self) -> None:
        self.closed += 1

    def abort(self, reason: Any) -> None:
        self.aborted.append(reason)


def slow(high_water_mark: float = 1) -> tuple[SlowSink, ThreadSafeWriter[Any]]:
    sink = SlowSink()
    return sink, ThreadSafeWriter(WritableStream(sink, CountQueuingStrategy(high_water_mark=high_water_mark)))


def quick() -> tuple[list[Any], ThreadSafeWriter[Any]]:
    chunks: list[Any] = []
    return chunks, ThreadSafeWriter(WritableStream({"write": lambda chunk, _: chunks.append(chunk)}))


def write_all(writer: ThreadSafeWriter[Any], *chunks: Any) -> None:
    for chunk in chunks:
        writer.write(chunk)


# The writer: every chunk once, in order, and the thread waits.


async def test_every_chunk_is_written_once_in_order() -> None:
    chunks, writer = quick()
    await in_thread(write_all, writer, *range(200))
    await turns()
    assert chunks == list(range(200))


async def test_the_chunks_of_several_threads_are_written_once_and_each_threads_in_order() -> None:
    chunks, writer = quick()
    workers = [Worker(write_all, writer, *((name, number) for number in range(50))) for name in "abcd"]
    for worker in workers:
        await worker.outcome()
    await turns()
    assert len(chunks) == 200
    for name in "abcd":
        assert [number for each, number in chunks if each == name] == list(range(50))


@each_of(high_water_mark=[1, 2, 3])
async def test_a_thread_is_never_further_ahead_than_the_high_water_mark(high_water_mark: int) -> None:
    sink, writer = slow(high_water_mark)
    handed_over: list[int] = []

    def produce() -> None:
        for number in range(10):
            writer.write(number)
            handed_over.append(number)

    worker = Worker(produce)
    for written in range(10 - high_water_mark):
        await until(lambda expected=written + high_water_mark: len(handed_over) == expected)  # type: ignore[misc]
        await threads_wait()
        await turns()
        assert len(handed_over) - len(sink.written) == high_water_mark
        sink.finish_one()
    await worker.outcome()
    assert len(handed_over) - len(sink.written) == high_water_mark
    sink.go_on()
    await turns()
    assert sink.written == handed_over == list(range(10))


async def test_several_threads_together_are_never_further_ahead_than_the_high_water_mark() -> None:
    sink, writer = slow(2)
    handed_over: list[int] = []

    def produce(first: int) -> None:
        for number in range(first, first + 5):
            writer.write(number)
            handed_over.append(number)

    workers = [Worker(produce, 10 * number) for number in range(4)]
    for written in range(18):
        await until(lambda expected=written + 2: len(handed_over) == expected)  # type: ignore[misc]
        await turns()
        assert len(sink.begun) <= len(handed_over) == len(sink.written) + 2
        sink.finish_one()
    for worker in workers:
        await worker.outcome()
    sink.go_on()
    await turns()
    assert (
        sorted(sink.written)
        == sorted(handed_over)
        == sorted(10 * name + each for name in range(4) for each in range(5))
    )


async def test_a_queue_in_bytes_takes_the_mark_and_one_chunk_at_most() -> None:
    sink = SlowSink()
    writer = ThreadSafeWriter(WritableStream(sink, ByteLengthQueuingStrategy(high_water_mark=10)))
    handed_over: list[bytes] = []

    def produce() -> None:
        for _ in range(5):
            writer.write(b"four")
            handed_over.append(b"four")

    worker = Worker(produce)
    await until(lambda: len(handed_over) == 3)
    await threads_wait()
    await turns()
    assert len(handed_over) == 3  # 12 bytes: the third began below the mark
    sink.go_on()
    await worker.outcome()


async def test_a_thread_waits_for_the_start_of_a_transform_and_its_readers() -> None:
    stream: TransformStream[str, str] = TransformStream()
    writer = ThreadSafeWriter(stream.writable)
    worker = Worker(write_all, writer, "a", "b")
    await threads_wait()
    reader = stream.readable.get_reader()
    assert (await reader.read()).value == "a"
    await worker.outcome()
    assert (await reader.read()).value == "b"


# The writer: timeouts.


async def test_a_write_that_timed_out_is_not_written() -> None:
    sink, writer = slow()

    def produce() -> None:
        writer.write("first")
        with pytest.raises(TimeoutError):
            writer.write("late", timeout=A_MOMENT)
        sink_may_go_on.set()
        writer.write("last")

    sink_may_go_on = threading.Event()
    worker = Worker(produce)
    await until(sink_may_go_on.is_set)
    sink.go_on()
    await worker.outcome()
    await turns()
    assert sink.written == ["first", "last"]


async def test_a_write_times_out_while_the_loop_is_blocked_and_is_not_written() -> None:
    chunks, writer = quick()

    def produce() -> None:
        writer.write("late", timeout=A_MOMENT)

    worker = Worker(produce)
    with pytest.raises(TimeoutError):
        worker.joined()  # blocks the loop
    await turns()
    assert chunks == []
    await in_thread(writer.write, "next")
    assert chunks == ["next"]


async def test_writes_that_time_out_at_any_moment_are_written_or_not_as_they_say() -> None:
    chunks, writer = quick()
    written: list[int] = []

    def produce() -> None:
        for number in range(300):
            with suppress(TimeoutError):
                writer.write(number, timeout=random.uniform(0, 0.0003))
                written.append(number)

    await in_thread(produce)
    await turns()
    assert chunks == written


async def test_writes_that_time_out_leave_nothing_behind() -> None:
    sink, writer = slow()

    def produce() -> None:
        writer.write("first")
        for _ in range(5):
            with pytest.raises(TimeoutError):
                writer.write("late", timeout=A_MOMENT)

    await in_thread(produce)
    await turns()
    assert len(asyncio.all_tasks()) == 1
    sink.go_on()
    await turns()
    assert sink.begun == ["first"]


async def test_a_timeout_that_is_not_needed_changes_nothing() -> None:
    chunks, writer = quick()

    def produce() -> None:
        writer.write("a", timeout=20)
        writer.close(timeout=20)

    await in_thread(produce)
    assert chunks == ["a"]


# The writer: errors.


class FailingSink:
    def __init__(self, reason: Any) -> None:
        self.reason = reason

    def write(self, chunk: Any, controller: Any) -> None:
        controller.error(self.reason)


@each_of(error=[BOOM, TimeoutError("of the stream"), OSError(5, "of the disk")])
async def test_the_stored_error_is_raised_as_itself(error: Exception) -> None:
    writer = ThreadSafeWriter(WritableStream(FailingSink(error)))

    def produce() -> None:
        while True:
            writer.write("chunk", timeout=20)

    for action in (produce, writer.close):
        with pytest.raises(type(error)) as caught:
            await in_thread(action)
        assert caught.value is error


async def test_a_stored_reason_that_is_no_exception_is_raised_as_a_stream_error() -> None:
    writer = ThreadSafeWriter(WritableStream(FailingSink("full")))
    for action in (lambda: write_all(writer, "chunk", "next"), writer.close):
        with pytest.raises(StreamError) as caught:
            await in_thread(action)
        assert caught.value.reason == "full"


async def test_a_failed_write_reaches_the_next_call_and_is_not_reported(reported: Reported) -> None:
    def write(chunk: Any, controller: Any) -> None:
        raise BOOM

    writer = ThreadSafeWriter(WritableStream({"write": write}))
    await in_thread(writer.write, "chunk")
    await turns()
    with pytest.raises(ValueError, match="boom"):
        await in_thread(writer.write, "next")
    gc.collect()
    assert reported == []


async def test_a_chunk_that_cannot_be_measured_is_an_error_of_its_write() -> None:
    def size(chunk: Any) -> float:
        if chunk == "bad":
            raise BOOM
        return -1 if chunk == "negative" else 1

    for chunk, kind in (("bad", ValueError), ("negative", ValueError)):
        sink = SlowSink()
        writer = ThreadSafeWriter(WritableStream(sink, {"high_water_mark": 5, "size": size}))
        await in_thread(writer.write, "good")
        await turns()
        assert sink.begun == ["good"]  # and it is in flight: the queue is not empty
        with pytest.raises(kind):
            await in_thread(writer.write, chunk)
        sink.go_on()
        await turns()
        assert sink.begun == ["good"]


async def test_raising_the_stored_error_does_not_grow_its_traceback() -> None:
    writer = ThreadSafeWriter(WritableStream(FailingSink(BOOM)))
    lengths: list[int] = []

    def produce() -> None:
        for _ in range(20):
            try:
                writer.write("next")
            except ValueError as error:
                lengths.append(traceback_length(error))

    await in_thread(produce)
    assert len(lengths) == 20
    assert max(lengths) == lengths[1]


def traceback_length(error: BaseException) -> int:
    traceback, length = error.__traceback__, 0
    while traceback is not None:
        traceback, length = traceback.tb_next, length + 1
    return length


# The writer: abort and close.


async def test_abort_while_threads_wait_makes_their_writes_raise_the_reason() -> None:
    sink, writer = slow()
    await in_thread(writer.write, "first")
    workers = [Worker(writer.write, "waits") for _ in range(3)]
    await threads_wait(3)
    abort = Worker(writer.abort, BOOM)
    for worker in workers:
        with pytest.raises(ValueError, match="boom"):
            await worker.outcome()
    sink.go_on()
    await abort.outcome()
    assert (sink.written, sink.aborted) == (["first"], [BOOM])


async def test_abort_takes_any_object_and_raises_what_the_sinks_abort_raises() -> None:
    def abort(reason: Any) -> None:
        raise RuntimeError(f"cannot abort: {reason}")

    writer = ThreadSafeWriter(WritableStream({"abort": abort}))
    with pytest.raises(RuntimeError, match=r"^cannot abort: why$"):
        await in_thread(writer.abort, "why")
    with pytest.raises(StreamError) as caught:
        await in_thread(writer.write, "chunk")
    assert caught.value.reason == "why"


async def test_close_waits_for_what_was_written_and_for_the_sinks_close() -> None:
    sink, writer = slow(3)
    await in_thread(write_all, writer, "a", "b")
    closer = Worker(writer.close)
    await threads_wait()
    assert (closer.is_alive(), sink.closed) == (True, 0)
    sink.go_on()
    await closer.outcome()
    assert (sink.written, sink.closed) == (["a", "b"], 1)


async def test_writes_after_close_and_those_that_still_wait_are_a_type_error() -> None:
    sink, writer = slow()
    await in_thread(writer.write, "first")
    waits = Worker(writer.write, "waits")
    await threads_wait()
    closer = Worker(writer.close)
    with pytest.raises(TypeError, match="closed or closing"):
        await waits.outcome()
    with pytest.raises(TypeError, match="closed or closing"):
        await in_thread(writer.write, "after")
    sink.go_on()
    await closer.outcome()
    assert (sink.written, sink.closed) == (["first"], 1)


async def test_a_close_that_timed_out_goes_on_and_the_next_one_waits_for_it() -> None:
    sink, writer = slow()
    await in_thread(writer.write, "first")
    with pytest.raises(TimeoutError):
        await in_thread(writer.close, A_MOMENT)
    closer = Worker(writer.close)
    await threads_wait()
    sink.go_on()
    await closer.outcome()
    await in_thread(writer.close)
    assert (sink.written, sink.closed) == (["first"], 1)


async def test_a_close_that_timed_out_before_the_loop_ran_is_carried_out_all_the_same() -> None:
    sink, writer = slow()
    worker = Worker(writer.close, A_MOMENT)
    with pytest.raises(TimeoutError):
        worker.joined()  # blocks the loop
    await turns()
    assert sink.closed == 1


async def test_an_abort_that_timed_out_goes_on() -> None:
    sink, writer = slow()
    await in_thread(writer.write, "first")
    with pytest.raises(TimeoutError):
        await in_thread(writer.abort, BOOM, A_MOMENT)
    sink.go_on()
    await turns()
    assert sink.aborted == [BOOM]


async def test_close_raises_what_the_sinks_close_raises() -> None:
    def close() -> None:
        raise BOOM

    writer = ThreadSafeWriter(WritableStream({"close": close}))
    for _ in range(2):
        with pytest.raises(ValueError, match="boom"):
            await in_thread(writer.close)


async def test_the_context_manager_closes() -> None:
    sink, writer = slow()
    sink.go_on()

    def produce() -> None:
        with writer as the_same:
            the_same.write("a")

    await in_thread(produce)
    assert (sink.written, sink.closed, sink.aborted) == (["a"], 1, [])


async def test_the_context_manager_aborts_if_the_block_raised() -> None:
    sink, writer = slow()
    sink.go_on()

    def produce() -> None:
        with writer:
            raise BOOM

    with pytest.raises(ValueError, match="boom"):
        await in_thread(produce)
    assert (sink.closed, sink.aborted) == (0, [BOOM])


async def test_the_context_manager_waits_for_a_close_in_the_block_and_raises_an_abort_in_it() -> None:
    sink, writer = slow()

    def close_inside() -> None:
        with writer:
            writer.close()

    await in_thread(close_inside)
    assert sink.closed == 1
    aborted, writer = slow()

    def abort_inside() -> None:
        with writer:
            writer.abort(BOOM)

    with pytest.raises(ValueError, match="boom"):
        await in_thread(abort_inside)
    assert aborted.aborted == [BOOM]


# Which thread.


async def test_the_stream_is_locked() -> None:
    writable: WritableStream[Any] = WritableStream()
    readable = ReadableStream.from_(["a"])
    ThreadSafeWriter(writable)
    ThreadSafeReader(readable)
    assert (writable.locked, readable.locked) == (True, True)
    with pytest.raises(TypeError, match="locked"):
        ThreadSafeWriter(writable)
    with pytest.raises(TypeError, match="locked"):
        ThreadSafeReader(readable)


async def test_making_one_in_another_thread_is_a_runtime_error() -> None:
    with pytest.raises(RuntimeError, match="event loop"):
        await in_thread(ThreadSafeWriter, WritableStream())
    with pytest.raises(RuntimeError, match="event loop"):
        await in_thread(ThreadSafeReader, ReadableStream())
    with pytest.raises(RuntimeError, match="event loop"):
        await in_thread(readable_from_thread, lambda writer: None)


WRITER_CALLS: dict[str, Callable[[ThreadSafeWriter[Any]], object]] = {
    "write": lambda writer: writer.write("chunk"),
    "close": lambda writer: writer.close(),
    "abort": lambda writer: writer.abort(),
    "with": lambda writer: writer.__enter__(),
}
READER_CALLS: dict[str, Callable[[ThreadSafeReader[Any]], object]] = {
    "read": lambda reader: reader.read(),
    "for": list,
    "cancel": lambda reader: reader.cancel(),
    "release": lambda reader: reader.release(),
    "with": lambda reader: reader.__enter__(),
}


@each_of(call=WRITER_CALLS)
async def test_a_writer_in_the_loops_own_thread_is_a_runtime_error(call: str) -> None:
    chunks, writer = quick()
    with pytest.raises(RuntimeError, match=r"^a ThreadSafeWriter is not for the thread of its event loop"):
        WRITER_CALLS[call](writer)
    await in_thread(writer.write, "still open")
    assert chunks == ["still open"]


@each_of(call=READER_CALLS)
async def test_a_reader_in_the_loops_own_thread_is_a_runtime_error(call: str) -> None:
    reader = ThreadSafeReader(ReadableStream.from_(["a"]))
    with pytest.raises(RuntimeError, match=r"^a ThreadSafeReader is not for the thread of its event loop"):
        READER_CALLS[call](reader)
    assert await in_thread(reader.read) == ("a", False)


async def test_the_thread_of_another_loop_may_use_them() -> None:
    chunks, writer = quick()

    async def main() -> None:
        writer.write("from there")

    await in_thread(asyncio.run, main())
    assert chunks == ["from there"]


# The loop ends.

WAITING: dict[str, Callable[[ThreadSafeWriter[Any], ThreadSafeReader[Any]], object]] = {
    "write": lambda writer, reader: writer.write("waits"),
    "write with a timeout": lambda writer, reader: writer.write("waits", timeout=20),
    "close": lambda writer, reader: writer.close(),
    "abort": lambda writer, reader: writer.abort(),
    "read": lambda writer, reader: reader.read(),
    "read with a timeout": lambda writer, reader: reader.read(timeout=20),
}


class Waiting:
    """A thread that waits in a call; made in a loop, which the test then ends."""

    def __init__(self, call: str) -> None:
        self.sink, self.writer = slow()
        self.reader = ThreadSafeReader(ReadableStream())
        self.function = WAITING[call]
        self.worker: Worker | None = None

    async def start(self) -> None:
        await in_thread(self.writer.write, "first")
        self.worker = Worker(self.function, self.writer, self.reader)
        await threads_wait()

    def outcome(self) -> Any:
        assert self.worker is not None
        return self.worker.joined()


async def start_waiting(call: str) -> Waiting:
    waiting = Waiting(call)
    await waiting.start()
    return waiting


@pytest.fixture(params=LOOP_FACTORIES)
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    loop = LOOP_FACTORIES[request.param]()
    yield loop
    loop.close()


@pytest.mark.parametrize("call", WAITING)
def test_a_thread_that_waits_when_the_loop_is_closed_gets_a_runtime_error(
    call: str, loop: asyncio.AbstractEventLoop
) -> None:
    waiting = loop.run_until_complete(start_waiting(call))
    loop.close()
    with pytest.raises(RuntimeError, match="is closed, has stopped or is shutting down"):
        waiting.outcome()


@pytest.mark.parametrize("call", WAITING)
def test_a_thread_that_waits_when_the_loop_stops_gets_a_runtime_error(
    call: str, loop: asyncio.AbstractEventLoop
) -> None:
    waiting = loop.run_until_complete(start_waiting(call))
    with pytest.raises(RuntimeError, match="is closed, has stopped or is shutting down"):
        waiting.outcome()
    loop.run_until_complete(turns())


def test_what_was_not_written_when_the_loop_stopped_is_not_written_when_it_runs_again(
    loop: asyncio.AbstractEventLoop,
) -> None:
    waiting = loop.run_until_complete(start_waiting("write"))
    with pytest.raises(RuntimeError, match="has stopped"):
        waiting.outcome()

    async def go_on() -> None:
        waiting.sink.go_on()
        await turns()

    loop.run_until_complete(go_on())
    assert waiting.sink.begun == ["first"]


def test_a_read_that_was_given_up_when_the_loop_stopped_takes_no_chunk_when_it_runs_again(
    loop: asyncio.AbstractEventLoop,
) -> None:
    controllers: list[Any] = []

    async def start() -> tuple[ThreadSafeReader[str], Worker]:
        reader: ThreadSafeReader[str] = ThreadSafeReader(ReadableStream({"start": controllers.append}))
        worker = Worker(reader.read)
        await threads_wait()
        return reader, worker

    reader, worker = loop.run_until_complete(start())
    with pytest.raises(RuntimeError, match="has stopped"):
        worker.joined()

    async def go_on() -> Any:
        await turns()
        controllers[0].enqueue("chunk")
        return await in_thread(reader.read)

    assert loop.run_until_complete(go_on()) == ("chunk", False)


def test_a_loop_that_only_pauses_does_not_disturb_a_thread(loop: asyncio.AbstractEventLoop) -> None:
    waiting = loop.run_until_complete(start_waiting("write"))
    for _ in range(20):
        loop.run_until_complete(turns(1))

    async def go_on() -> None:
        waiting.sink.go_on()
        await until(lambda: len(waiting.sink.written) == 2)

    loop.run_until_complete(go_on())
    waiting.outcome()
    assert waiting.sink.written == ["first", "waits"]


@pytest.mark.parametrize("call", [*WRITER_CALLS, *READER_CALLS])
def test_a_call_after_the_loop_was_closed_is_a_runtime_error(call: str, loop: asyncio.AbstractEventLoop) -> None:
    async def make() -> tuple[Any, Any]:
        return quick()[1], ThreadSafeReader(ReadableStream.from_(["a"]))

    writer, reader = loop.run_until_complete(make())
    loop.close()
    if call in WRITER_CALLS and call != "with":
        with pytest.raises(RuntimeError, match="is closed"):
            Worker(WRITER_CALLS[call], writer).joined()
    if call in READER_CALLS and call != "with":
        with pytest.raises(RuntimeError, match="is closed"):
            Worker(READER_CALLS[call], reader).joined()


@each_of(call=WAITING)
@each_of(factory=LOOP_FACTORIES)
def test_a_thread_of_the_loops_executor_does_not_hold_up_the_end_of_the_loop(
    call: str, factory: str, caplog: pytest.LogCaptureFixture
) -> None:
    errors: list[RuntimeError] = []

    def produce(writer: ThreadSafeWriter[Any], reader: ThreadSafeReader[Any]) -> None:
        try:
            WAITING[call](writer, reader)
        except RuntimeError as error:
            errors.append(error)

    async def main() -> None:
        _, writer = slow()
        await asyncio.to_thread(writer.write, "first")
        asyncio.get_running_loop().run_in_executor(None, produce, writer, ThreadSafeReader(ReadableStream()))
        await threads_wait()

    with caplog.at_level(logging.WARNING), asyncio.Runner(loop_factory=LOOP_FACTORIES[factory]) as runner:
        runner.run(main())
    assert [str(error) for error in errors] == [str(errors[0])]
    assert [each for each in caplog.messages if CUT_OFF not in each] == []


@each_of(factory=LOOP_FACTORIES)
def test_a_thread_that_calls_while_the_loop_shuts_down_does_not_hold_it_up(factory: str) -> None:
    shutting_down = threading.Event()
    errors: list[RuntimeError] = []

    async def tell() -> AsyncIterator[None]:
        try:
            yield
        finally:
            shutting_down.set()

    def produce(writer: ThreadSafeWriter[Any]) -> None:
        writer.write("first")
        shutting_down.wait(20)
        try:
            writer.write("late")
        except RuntimeError as error:
            errors.append(error)

    async def main() -> object:
        teller = tell()
        await anext(teller)
        sink, writer = slow()
        asyncio.get_running_loop().run_in_executor(None, produce, writer)
        await until(lambda: sink.begun)
        return teller

    with asyncio.Runner(loop_factory=LOOP_FACTORIES[factory]) as runner:
        teller = runner.run(main())
    assert len(errors) == 1
    del teller


def test_closing_the_loop_while_threads_wait_logs_nothing(
    loop: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        several = [loop.run_until_complete(start_waiting(call)) for call in ("write", "read", "close")]
        loop.close()
        while several:
            with pytest.raises(RuntimeError, match="is closed"):
                several.pop().outcome()
        gc.collect()
    assert [each for each in caplog.messages if CUT_OFF not in each] == []


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Have Ctrl-C raise `KeyboardInterrupt`, also in a process that was started in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs signals for threads")
@pytest.mark.usefixtures("ctrl_c")
def test_a_write_that_ctrl_c_interrupts_is_not_written(loop: asyncio.AbstractEventLoop) -> None:
    main_thread = threading.get_ident()
    made: list[tuple[SlowSink, ThreadSafeWriter[Any]]] = []
    ready = threading.Event()

    async def serve() -> None:
        made.append(slow())
        ready.set()
        sink, _ = made[0]
        await until(lambda: sink.begun)
        await threads_wait()
        signal.pthread_kill(main_thread, signal.SIGINT)
        await until(interrupted.is_set)
        sink.go_on()
        await until(lambda: len(asyncio.all_tasks()) == 1)

    interrupted = threading.Event()
    worker = Worker(loop.run_until_complete, serve())
    assert ready.wait(20)
    sink, writer = made[0]
    writer.write("first")
    with pytest.raises(KeyboardInterrupt):
        writer.write("interrupted")
    interrupted.set()
    worker.joined()
    assert sink.written == ["first"]


# The reader.


def fed() -> tuple[Any, ThreadSafeReader[Any], ReadableStream[Any]]:
    """Make a stream that the test feeds, a reader of it, and give its controller."""
    controllers: list[Any] = []
    stream: ReadableStream[Any] = ReadableStream({"start": controllers.append})
    return controllers[0], ThreadSafeReader(stream), stream


async def test_a_thread_reads_every_chunk_once_in_order() -> None:
    reader = ThreadSafeReader(ReadableStream.from_(range(200)))
    assert await in_thread(list, reader) == list(range(200))


async def test_read_gives_value_and_done() -> None:
    reader = ThreadSafeReader(ReadableStream.from_(["a"]))
    first = await in_thread(reader.read)
    assert (first.value, first.done) == ("a", False)
    for _ in range(2):
        value, done = await in_thread(reader.read)
        assert (value, done) == (None, True)


async def test_several_threads_get_each_chunk_once() -> None:
    reader = ThreadSafeReader(ReadableStream.from_(range(200)))
    workers = [Worker(list, reader) for _ in range(4)]
    parts = [await worker.outcome() for worker in workers]
    assert sorted(chunk for part in parts for chunk in part) == list(range(200))
    assert all(part == sorted(part) for part in parts)


async def test_a_byte_stream_gives_bytes() -> None:
    def pull(controller: Any) -> None:
        controller.enqueue(bytearray(b"data"))
        controller.close()

    reader = ThreadSafeReader(ReadableStream({"type": "bytes", "pull": pull}))
    assert await in_thread(list, reader) == [b"data"]


async def test_the_reader_raises_the_stored_error() -> None:
    controller, reader, _ = fed()
    waits = Worker(reader.read)
    await threads_wait()
    controller.error(BOOM)
    with pytest.raises(ValueError, match="boom") as caught:
        await waits.outcome()
    assert caught.value is BOOM
    controller, reader, _ = fed()
    controller.error("broken")
    with pytest.raises(StreamError) as caught_reason:
        await in_thread(list, reader)
    assert caught_reason.value.reason == "broken"


async def test_leaving_the_iteration_early_keeps_the_rest_readable() -> None:
    reader = ThreadSafeReader(ReadableStream.from_(range(5)))

    def read_some() -> list[int]:
        chunks = []
        for chunk in reader:
            chunks.append(chunk)
            if chunk == 1:
                break
        return chunks

    assert await in_thread(read_some) == [0, 1]
    assert await in_thread(list, reader) == [2, 3, 4]


async def test_a_read_that_timed_out_leaves_the_chunk_to_the_next() -> None:
    controller, reader, _ = fed()
    with pytest.raises(TimeoutError):
        await in_thread(reader.read, A_MOMENT)
    controller.enqueue("chunk")
    assert await in_thread(reader.read) == ("chunk", False)


async def test_a_read_that_timed_out_leaves_the_chunk_to_the_next_reader() -> None:
    controller, reader, stream = fed()
    with pytest.raises(TimeoutError):
        await in_thread(reader.read, A_MOMENT)
    controller.enqueue("chunk")
    await in_thread(reader.release)
    assert await stream.get_reader().read() == ("chunk", False)


async def test_a_read_that_times_out_while_the_loop_is_blocked_takes_no_chunk() -> None:
    controller, reader, _ = fed()
    controller.enqueue("chunk")
    worker = Worker(reader.read, A_MOMENT)
    with pytest.raises(TimeoutError):
        worker.joined()  # blocks the loop
    await turns()
    assert await in_thread(reader.read) == ("chunk", False)


async def test_a_timeout_of_one_thread_does_not_disturb_the_read_of_another() -> None:
    controller, reader, _ = fed()
    patient = Worker(reader.read)
    await threads_wait()
    with pytest.raises(TimeoutError):
        await in_thread(reader.read, A_MOMENT)
    controller.enqueue("chunk")
    assert await patient.outcome() == ("chunk", False)


async def test_reads_that_time_out_at_any_moment_lose_no_chunk() -> None:
    async def numbers() -> AsyncIterator[int]:
        for number in range(300):
            await asyncio.sleep(0)
            yield number

    reader = ThreadSafeReader(ReadableStream.from_(numbers()))

    def consume() -> list[int]:
        chunks: list[int] = []
        done = False
        while not done:
            with suppress(TimeoutError):
                result = reader.read(timeout=random.uniform(0, 0.0005))
                done = result.done
                if not isinstance(result, ReadDoneResult):
                    chunks.append(result.value)
        return chunks

    assert await in_thread(consume) == list(range(300))


async def test_a_read_that_times_out_while_its_chunk_is_taken_from_the_queue_loses_nothing() -> None:
    numbers = count()

    def pull(controller: Any) -> None:
        number = next(numbers)
        if number < 4:
            time.sleep(4 * A_MOMENT)  # blocks the loop, until the read that made room for this chunk has timed out
        controller.enqueue(number)
        if number == 5:
            controller.close()

    reader = ThreadSafeReader(ReadableStream({"pull": pull}))

    def consume() -> list[Any]:
        chunks: list[Any] = []
        while True:
            with suppress(TimeoutError):
                value, done = reader.read(timeout=A_MOMENT)
                if done:
                    return chunks
                chunks.append(value)

    assert await in_thread(consume) == [0, 1, 2, 3, 4, 5]


async def test_cancel_ends_the_reads_that_wait() -> None:
    reasons: list[Any] = []
    reader = ThreadSafeReader(ReadableStream({"cancel": reasons.append}))
    waits = Worker(list, reader)
    await threads_wait()
    await in_thread(reader.cancel, "enough")
    assert await waits.outcome() == []
    assert reasons == ["enough"]


async def test_cancel_raises_what_the_sources_cancel_raises() -> None:
    def cancel(reason: Any) -> None:
        raise BOOM

    reader = ThreadSafeReader(ReadableStream({"cancel": cancel}))
    with pytest.raises(ValueError, match="boom"):
        await in_thread(reader.cancel)


async def test_release_makes_the_reads_that_wait_raise_and_frees_the_lock() -> None:
    controller, reader, stream = fed()
    waits = Worker(reader.read)
    await threads_wait()
    await in_thread(reader.release)
    with pytest.raises(TypeError, match="released"):
        await waits.outcome()
    await in_thread(reader.release)
    for action in (reader.read, reader.cancel):
        with pytest.raises(TypeError, match="released"):
            await in_thread(action)
    controller.enqueue("chunk")
    assert await stream.get_reader().read() == ("chunk", False)


async def test_the_context_manager_releases_the_lock() -> None:
    controller, reader, stream = fed()
    controller.enqueue("a")

    def consume() -> Any:
        with reader as the_same:
            return the_same.read().value

    assert await in_thread(consume) == "a"
    assert not stream.locked


# A stream that a thread feeds.


def counting(writer: ThreadSafeWriter[int]) -> None:
    write_all(writer, *range(100))


def feeders() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "webstreams"]


@each_of(high_water_mark=[0, 1, 5])
async def test_every_chunk_of_the_thread_is_read_once_in_order(high_water_mark: int) -> None:
    stream = readable_from_thread(counting, high_water_mark=high_water_mark)
    assert [chunk async for chunk in stream] == list(range(100))
    assert feeders() == []


async def test_the_thread_starts_with_the_first_read() -> None:
    started = threading.Event()

    def produce(writer: ThreadSafeWriter[str]) -> None:
        started.set()
        writer.write("a")

    stream = readable_from_thread(produce)
    await turns()
    assert (started.is_set(), feeders()) == (False, [])
    reader = stream.get_reader()
    assert await reader.read() == ("a", False)
    assert started.is_set()
    assert await reader.read() == (None, True)
    assert feeders() == []


@each_of(high_water_mark=[0, 1, 3])
async def test_the_thread_is_no_further_ahead_than_the_mark_and_one_chunk(high_water_mark: int) -> None:
    written: list[int] = []

    def produce(writer: ThreadSafeWriter[int]) -> None:
        for number in range(20):
            writer.write(number)
            written.append(number)

    stream = readable_from_thread(produce, high_water_mark=high_water_mark)
    reader = stream.get_reader()
    for number in range(10):
        assert await reader.read() == (number, False)
        await until(lambda expected=number + 1 + high_water_mark + 1: len(written) == expected)  # type: ignore[misc]
        await turns()
        assert len(written) == number + 1 + high_water_mark + 1
    await reader.cancel()


async def test_a_bad_high_water_mark_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="high_water_mark"):
        readable_from_thread(counting, high_water_mark=-1)


async def test_the_exception_of_the_function_comes_after_its_chunks() -> None:
    def produce(writer: ThreadSafeWriter[int]) -> None:
        write_all(writer, 0, 1, 2)
        raise BOOM

    for high_water_mark in (0, 1, 5):
        reader = readable_from_thread(produce, high_water_mark=high_water_mark).get_reader()
        if high_water_mark < 3:
            assert [(await reader.read()).value for _ in range(3)] == [0, 1, 2]
        with pytest.raises(ValueError, match="boom") as caught:
            while True:
                await reader.read()
        assert caught.value is BOOM
        assert feeders() == []


@each_of(kind=[SystemExit, KeyboardInterrupt, StopIteration, asyncio.CancelledError])
async def test_an_exception_that_may_not_be_raised_here_becomes_a_stream_error(kind: type[BaseException]) -> None:
    error = kind()

    def produce(writer: ThreadSafeWriter[int]) -> None:
        raise error

    with pytest.raises(StreamError) as caught:
        await readable_from_thread(produce).get_reader().read()
    assert caught.value.reason is error


async def test_cancelling_makes_the_writer_raise_the_reason_and_waits_for_the_thread() -> None:
    raised: list[BaseException] = []

    def produce(writer: ThreadSafeWriter[int]) -> None:
        for _ in range(2):
            try:
                counting(writer)
            except Exception as error:
                raised.append(error)

    reader = readable_from_thread(produce).get_reader()
    await reader.read()
    await reader.cancel(BOOM)
    assert feeders() == []
    assert raised == [BOOM, BOOM]


@each_of(reason=[BOOM, "enough", None])
async def test_a_thread_that_ends_with_the_reason_ends_as_it_should(reason: Any, reported: Reported) -> None:
    for reads in range(3):
        reader = readable_from_thread(counting, high_water_mark=1).get_reader()
        for _ in range(reads):
            await reader.read()
        await reader.cancel(reason)
        assert feeders() == []
    gc.collect()
    assert reported == []


async def test_cancel_before_the_first_read_starts_no_thread() -> None:
    stream = readable_from_thread(counting)
    await stream.cancel()
    assert await stream.get_reader().read() == (None, True)
    assert feeders() == []


@each_of(error=[OSError("cannot clean up"), SystemExit(3)])
async def test_cancel_is_rejected_with_another_exception_of_the_function(error: BaseException) -> None:
    def produce(writer: ThreadSafeWriter[int]) -> None:
        try:
            counting(writer)
        finally:
            raise error

    reader = readable_from_thread(produce).get_reader()
    await reader.read()
    expected = OSError if isinstance(error, OSError) else StreamError
    with pytest.raises(expected) as caught:
        await reader.cancel(BOOM)
    assert error in (caught.value, getattr(caught.value, "reason", None))
    assert feeders() == []


async def test_cancelling_a_stream_while_a_read_waits_for_the_thread() -> None:
    may_end = threading.Event()

    def produce(writer: ThreadSafeWriter[int]) -> None:
        may_end.wait(20)
        writer.write(1)

    reader = readable_from_thread(produce).get_reader()
    read = reader.read()
    await until(feeders)
    cancelled = reader.cancel("enough")
    assert await read == (None, True)
    await turns()
    assert not cancelled.done()
    may_end.set()
    await cancelled
    assert feeders() == []


async def test_leaving_a_loop_over_the_stream_ends_the_thread() -> None:
    async with readable_from_thread(counting).values() as chunks:
        async for chunk in chunks:
            if chunk == 5:
                break
    assert feeders() == []


async def test_the_function_may_close_its_stream_and_go_on() -> None:
    may_end = threading.Event()

    def produce(writer: ThreadSafeWriter[str]) -> None:
        with writer:
            writer.write("a")
        may_end.wait(20)

    reader = readable_from_thread(produce).get_reader()
    assert await reader.read() == ("a", False)
    end = reader.read()
    await turns()
    assert not end.done()  # the stream ends with the thread
    may_end.set()
    assert await end == (None, True)
    assert feeders() == []


async def test_the_function_may_abort_its_stream(reported: Reported) -> None:
    def produce(writer: ThreadSafeWriter[str]) -> None:
        writer.abort("no more")

    def fail(writer: ThreadSafeWriter[str]) -> None:
        with writer:
            raise StreamError("no more")

    for function in (produce, fail):
        reader = readable_from_thread(function).get_reader()
        with pytest.raises(StreamError) as caught:
            await reader.read()
        assert caught.value.reason == "no more"
        assert feeders() == []
    gc.collect()
    assert reported == []


async def test_several_threads_may_use_the_writer_of_the_function() -> None:
    def produce(writer: ThreadSafeWriter[tuple[str, int]]) -> None:
        workers = [Worker(write_all, writer, *((name, each) for each in range(20))) for name in "ab"]
        for worker in workers:
            worker.joined()

    chunks = [chunk async for chunk in readable_from_thread(produce)]
    for name in "ab":
        assert [number for each, number in chunks if each == name] == list(range(20))
    assert len(chunks) == 40


async def test_the_thread_runs_in_a_copy_of_the_context() -> None:
    variable: ContextVar[str] = ContextVar("variable", default="unset")
    variable.set("here")

    def produce(writer: ThreadSafeWriter[str]) -> None:
        writer.write(variable.get())
        variable.set("there")

    assert [chunk async for chunk in readable_from_thread(produce)] == ["here"]
    assert variable.get() == "here"


async def test_the_stream_can_be_piped_and_read_in_a_third_thread() -> None:
    stream = readable_from_thread(counting).pipe_through(TransformStream())
    assert await in_thread(list, ThreadSafeReader(stream)) == list(range(100))
    assert feeders() == []


async def test_a_stream_that_is_dropped_ends_its_thread(reported: Reported) -> None:
    raised: list[BaseException] = []

    def produce(writer: ThreadSafeWriter[int]) -> None:
        try:
            counting(writer)
        except Exception as error:
            raised.append(error)

    reader = readable_from_thread(produce).get_reader()
    await reader.read()
    del reader
    await until(lambda: gc.collect() >= 0 and not feeders())
    assert [type(error) for error in raised] == [AbortError]
    assert reported == []


@each_of(factory=LOOP_FACTORIES)
@each_of(reads=[1, 2])
def test_the_end_of_the_loop_ends_the_thread(factory: str, reads: int, caplog: pytest.LogCaptureFixture) -> None:
    made: list[Any] = []

    async def main() -> None:
        reader = readable_from_thread(counting).get_reader()
        made.append(reader)
        for _ in range(reads):
            await reader.read()

    with caplog.at_level(logging.WARNING):
        with asyncio.Runner(loop_factory=LOOP_FACTORIES[factory]) as runner:
            runner.run(main())
        for thread in feeders():
            thread.join(timeout=20)
        assert feeders() == []
    assert [each for each in caplog.messages if CUT_OFF not in each] == []


@each_of(factory=LOOP_FACTORIES)
def test_leaving_the_stream_as_the_last_thing_of_the_loop_logs_nothing(
    factory: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async for chunk in readable_from_thread(counting):
            if chunk == 2:
                break

    with caplog.at_level(logging.WARNING):
        with asyncio.Runner(loop_factory=LOOP_FACTORIES[factory]) as runner:
            runner.run(main())
        for thread in feeders():
            thread.join(timeout=20)
        gc.collect()
    assert [each for each in caplog.messages if CUT_OFF not in each] == []


# The module.


def test_the_public_names_are_documented() -> None:
    assert threads.__all__ == ["ThreadSafeReader", "ThreadSafeWriter", "readable_from_thread"]
    for name in threads.__all__:
        public = getattr(threads, name)
        members = {key: value for key, value in vars(public).items() if not key.startswith("_") and callable(value)}
        for member in [public, *members.values()]:
            assert (member.__doc__ or "").strip()
