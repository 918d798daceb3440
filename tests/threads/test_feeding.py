"""`readable_from_thread`: a stream that a thread feeds; the module."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from contextvars import ContextVar
from typing import Any

import pytest

from tests.faults.helpers import turns
from tests.grids import each_of
from tests.loops import LOOP_FACTORIES
from tests.waiting import until
from webstreams import (
    AbortError,
    StreamError,
    TransformStream,
    WritableStream,
    threads,
)
from webstreams._engine import loop_end
from webstreams.threads import ThreadSafeReader, ThreadSafeWriter, readable_from_thread

from .support import (
    BOOM,
    CUT_OFF,
    Reported,
    Worker,
    in_thread,
    write_all,
)

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
    await turns(10)
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
        await turns(10)
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
    await turns(10)
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
    await turns(10)
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
def test_a_thread_that_was_left_behind_is_not_waited_for_again(factory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends a pipe that has waited long enough for a blocked thread: the end of the loop comes right after."""
    monkeypatch.setattr(loop_end, "PATIENCE", 1000.0)
    free, blocked = threading.Event(), threading.Event()

    def block(writer: ThreadSafeWriter[int]) -> None:
        blocked.set()
        free.wait()

    async def main() -> None:
        pipe = readable_from_thread(block).pipe_to(WritableStream())
        await until(blocked.is_set)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pipe, 0.01)

    try:
        with asyncio.Runner(loop_factory=LOOP_FACTORIES[factory]) as runner:
            runner.run(main())
    finally:
        free.set()
    for thread in feeders():
        thread.join(timeout=20)


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
