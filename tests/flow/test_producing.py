"""`from_producer`: a task that belongs to a stream."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.dropping import Dropped
from tests.faults.helpers import failure, other_tasks, quiet, read_all, reason, soon, turns
from tests.grids import each_of, each_row
from tests.loops import LOOP_FACTORIES
from webstreams import ReadableStream, StreamError, WritableStream, from_producer

from .support import nothing_alive

ERROR = ValueError("of the producer")
REASON = object()


class Producer:
    """Writes numbers, and records how it ended."""

    def __init__(self, count: float = float("inf"), *, error: Exception | None = None, pause: int = 0) -> None:
        self.count = count
        self.error = error
        self.pause = pause
        self.written = 0
        self.ended: list[str] = []

    async def __call__(self, writer: Any) -> None:
        try:
            while self.written < self.count:
                await turns(self.pause)
                await writer.write(self.written)
                self.written += 1
            if self.error is not None:
                raise self.error
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        else:
            self.ended.append("returned")
        finally:
            await asyncio.sleep(0)
            self.ended.append("done")


async def test_its_return_closes() -> None:
    producer = Producer(5)
    assert await read_all(from_producer(producer)) == [0, 1, 2, 3, 4]
    assert producer.ended == ["returned", "done"]
    await nothing_alive()


async def test_its_error_errors() -> None:
    producer = Producer(3, error=ERROR)
    with from_producer(producer).get_reader() as reader:
        assert [(await soon(reader.read())).value for _ in range(3)] == [0, 1, 2]
        assert await failure(reader.read()) is ERROR
    await nothing_alive()


@each_of(error=[StopAsyncIteration("x"), asyncio.CancelledError("x"), GeneratorExit("x")])
async def test_an_error_that_steers_tasks_is_wrapped(error: Any) -> None:
    async def fail(writer: Any) -> None:
        raise error

    caught = await failure(from_producer(fail).list())
    assert (isinstance(caught, StreamError) and caught.reason is error) or isinstance(caught.__cause__, type(error))


async def test_the_task_starts_at_the_first_read_and_is_one_chunk_ahead_at_most() -> None:
    producer = Producer()
    stream = from_producer(producer)
    await turns(10)
    assert other_tasks() == set()
    with stream.get_reader() as reader:
        for read in range(1, 5):
            assert (await soon(reader.read())).value == read - 1
            await turns(10)
            assert producer.written == read
        await reader.cancel()
    await nothing_alive()


async def test_with_a_strategy_it_starts_at_once() -> None:
    producer = Producer()
    stream = from_producer(producer, {"high_water_mark": 3})
    await turns(20)
    assert producer.written == 3
    with stream.get_reader() as reader:
        assert (await reader.read()).value == 0
        await turns(20)
        assert producer.written == 4
        await reader.cancel()
    await nothing_alive()


async def test_writes_that_are_not_awaited_keep_their_order_before_the_end() -> None:
    async def burst(writer: Any) -> None:
        for number in range(100):
            writer.write(number)

    assert await read_all(from_producer(burst)) == list(range(100))
    await nothing_alive()


async def test_ready_can_be_waited_for() -> None:
    async def careful(writer: Any) -> None:
        for number in range(20):
            await writer.ready
            writer.write(number)

    assert await read_all(from_producer(careful)) == list(range(20))


async def test_closing_or_aborting_the_writer() -> None:
    async def close(writer: Any) -> None:
        await writer.write(1)
        await writer.close()

    async def abort(writer: Any) -> None:
        await writer.write(1)
        await writer.abort(REASON)

    assert await read_all(from_producer(close)) == [1]
    assert await reason(from_producer(abort).list()) is REASON
    await nothing_alive()


@each_of(mark=[0, 1, 4], pause=[0, 2], moment=range(12))
async def test_cancel_at_every_moment(moment: int, pause: int, mark: int) -> None:
    producer = Producer(pause=pause)
    with quiet(0):
        stream = from_producer(producer, {"high_water_mark": mark})
        reader = stream.get_reader()
        reading = reader.read()
        await turns(moment)
        await soon(reader.cancel(REASON))
        assert other_tasks() == set()
        assert producer.ended in ([], ["cancelled", "done"])
        await soon(reading)
        reader.release_lock()
        await nothing_alive()


@each_of(moment=range(12))
async def test_the_reading_task_is_cancelled_at_every_moment(moment: int) -> None:
    producer = Producer(pause=1)
    with quiet(0):
        task = asyncio.ensure_future(from_producer(producer).list())
        await turns(moment)
        task.cancel()
        await asyncio.wait([task])
        await turns()
        assert producer.ended in ([], ["cancelled", "done"])
        await nothing_alive()


async def test_break_cancels_the_task() -> None:
    producer = Producer()
    with quiet():
        async for number in from_producer(producer):
            if number == 3:
                break
        await turns(10)
    assert producer.ended == ["cancelled", "done"]
    await nothing_alive()


@each_of(mark=[0, 1, 5], taken=range(1, 8), writes=["numbers", "another stream"])
async def test_leaving_while_the_task_is_about_to_write(writes: str, taken: int, mark: int) -> None:
    """The chunk before was asked for by a stream that is cancelled meanwhile: the task is told by its cancellation."""
    ended: list[type[BaseException]] = []

    async def pass_on(writer: Any) -> None:
        try:
            if writes == "numbers":
                await Producer()(writer)
            async for number in ReadableStream.from_(itertools.count()):
                await writer.write(number)
        except BaseException as error:
            ended.append(type(error))
            raise

    with quiet():
        assert await from_producer(pass_on, {"high_water_mark": mark}).take(taken).list() == list(range(taken))
        async for number in from_producer(pass_on, {"high_water_mark": mark}):
            if number == taken:
                break
        reader = from_producer(pass_on, {"high_water_mark": mark}).get_reader()
        for _ in range(taken):
            await reader.read()
        await reader.cancel()
        await turns(10)
    assert ended == [asyncio.CancelledError] * 3
    await nothing_alive()


async def test_a_task_that_fails_when_it_is_cancelled_fails_the_cancellation() -> None:
    async def stubborn(writer: Any) -> None:
        try:
            await writer.write(1)
            await asyncio.Event().wait()
        finally:
            raise ERROR

    reader = from_producer(stubborn).get_reader()
    await reader.read()
    assert await failure(reader.cancel(REASON)) is ERROR
    await nothing_alive()


async def test_a_task_that_goes_on_after_its_cancellation_is_waited_for_and_cannot_write() -> None:
    gate = asyncio.Event()
    refused: list[object] = []

    async def stubborn(writer: Any) -> None:
        try:
            await writer.write(1)
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await gate.wait()
            refused.append(await reason(writer.write(2)))

    reader = from_producer(stubborn).get_reader()
    await soon(reader.read())
    cancelling = reader.cancel(REASON)
    await turns(20)
    assert not cancelling.done()
    gate.set()
    await soon(cancelling)
    assert refused == [REASON]
    await nothing_alive()


async def test_a_task_that_ends_before_all_is_read_can_be_cancelled() -> None:
    async def burst(writer: Any) -> None:
        for number in range(10):
            writer.write(number)

    with quiet():
        reader = from_producer(burst).get_reader()
        await reader.read()
        await turns(10)
        await soon(reader.cancel(REASON))
        reader.release_lock()
    await nothing_alive()


async def test_a_silent_producer_that_is_dropped_while_it_writes_is_cancelled() -> None:
    producer = Producer()
    with quiet():
        stream = from_producer(producer)
        reader = stream.get_reader()
        await soon(reader.read())
        dropped = Dropped()
        dropped.add(stream, reader)
        del stream, reader
        await turns()
        gc.collect()
        await turns(10)
    assert producer.ended == ["cancelled", "done"]
    assert dropped.alive() == []
    await nothing_alive()


async def test_a_producer_that_waits_for_something_else_is_cancelled_when_it_is_dropped() -> None:
    ended: list[str] = []

    async def wait(writer: Any) -> None:
        try:
            await writer.write(1)
            await asyncio.sleep(1000)
        finally:
            ended.append("ended")

    stream = from_producer(wait)
    await stream.get_reader().read()
    del stream
    await turns()
    gc.collect()
    await turns(10)
    assert ended == ["ended"]
    await nothing_alive()


async def test_one_that_was_never_read_leaves_nothing() -> None:
    producer = Producer()
    dropped = Dropped()
    stream = from_producer(producer)
    dropped.add(stream)
    del stream
    await turns()
    assert dropped.alive() == []
    assert producer.written == 0
    await from_producer(producer).cancel()
    await nothing_alive()


async def test_a_pipe_that_nobody_refers_to_keeps_the_producer() -> None:
    chunks: list[int] = []
    done = asyncio.Event()
    sink: WritableStream[int] = WritableStream(
        {"write": lambda chunk, controller: chunks.append(chunk), "close": done.set}
    )
    from_producer(Producer(10, pause=3)).pipe_to(sink)
    del sink
    while not done.is_set():
        gc.collect()
        await asyncio.sleep(0)
    assert chunks == list(range(10))
    await nothing_alive()


@each_of(factory=LOOP_FACTORIES)
def test_at_the_end_of_the_loop_it_is_cancelled_and_the_stream_errored(factory: str) -> None:
    producer = Producer()
    streams: list[Any] = []
    ends: list[str] = []

    async def main() -> None:
        sink: WritableStream[int] = WritableStream(
            {
                "write": lambda chunk, controller: asyncio.sleep(1000),
                "close": lambda: ends.append("closed"),
                "abort": lambda error: ends.append("aborted"),
            }
        )
        streams.append(from_producer(producer))
        streams[0].pipe_to(sink).add_done_callback(lambda promise: promise.exception())
        await turns(10)

    with asyncio.Runner(loop_factory=LOOP_FACTORIES[factory]) as runner:
        runner.run(main())
    assert producer.ended == ["cancelled", "done"]
    assert "closed" not in ends
    assert "errored" in repr(streams[0]) or "closed" in repr(streams[0])


async def test_it_has_the_context_of_its_making_and_a_task_of_its_own() -> None:
    variable = contextvars.ContextVar("variable", default="outside")
    variable.set("when it was made")
    seen: list[object] = []

    async def look(writer: Any) -> None:
        seen.extend([variable.get(), asyncio.current_task()])
        variable.set("inside")
        async with asyncio.timeout(10):
            await writer.write(1)

    stream = from_producer(look)
    variable.set("later")
    assert await read_all(stream) == [1]
    assert seen[0] == "when it was made"
    assert seen[1] is not asyncio.current_task()
    assert variable.get() == "later"


async def test_functions_that_return_a_coroutine() -> None:
    async def count(limit: int, writer: Any) -> None:
        for number in range(limit):
            await writer.write(number)

    assert await read_all(from_producer(functools.partial(count, 3))) == [0, 1, 2]
    assert await read_all(from_producer(lambda writer: count(2, writer))) == [0, 1]


async def test_a_plain_function_is_an_error_that_says_so() -> None:
    error = await failure(from_producer(lambda writer: None).list())  # type: ignore[arg-type, return-value]
    assert isinstance(error, TypeError) and "must be a coroutine function: it returned None" in str(error)
    await nothing_alive()


async def generator(writer: Any) -> AsyncIterator[int]:
    yield 1


async def coroutine() -> None: ...


@each_row(
    ("wrong", "message"),
    [
        (generator, r"take ReadableStream.from_\(\)"),
        (None, "coroutine function of a writer, not None"),
        (3, "coroutine function of a writer, not 3"),
        (Producer, "coroutine function of a writer, not <class"),
    ],
)
async def test_what_is_no_function_is_refused(wrong: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        from_producer(wrong)


async def test_a_coroutine_is_refused_and_closed() -> None:
    with pytest.raises(TypeError, match="leave out the call"):
        from_producer(coroutine())  # type: ignore[arg-type]


async def test_a_bad_strategy_is_refused() -> None:
    with pytest.raises(ValueError, match="high_water_mark"):
        from_producer(Producer(), {"high_water_mark": -1})
    assert isinstance(from_producer(Producer()), ReadableStream)
