"""resilient(): a stream that is opened again."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.brokers.memory import memory_stream
from tests.brokers.refusing import Refusing
from tests.grids import each_of
from tests.waiting import until
from webstreams import ReadableStream
from webstreams.brokers import exponential_backoff, resilient


def lost_after(*values: int) -> ReadableStream[int]:
    """Make a stream that is errored after some numbers."""
    numbers = iter(values)

    def pull(controller: Any) -> None:
        for number in numbers:
            controller.enqueue(number)
            return
        controller.error(ConnectionError("lost"))

    return ReadableStream({"pull": pull}, {"high_water_mark": 0})


def no_pause(attempt: int) -> float:
    return 0


async def test_it_goes_on_with_a_new_stream(caplog: pytest.LogCaptureFixture) -> None:
    streams = iter([lost_after(1, 2), lost_after(3), ReadableStream.from_([4])])

    async def open_stream() -> ReadableStream[int]:
        return next(streams)

    with caplog.at_level(logging.WARNING):
        assert [number async for number in resilient(open_stream, backoff=no_pause)] == [1, 2, 3, 4]
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]


async def test_each_connection_is_closed_before_the_next_one_is_opened() -> None:
    events: list[str] = []
    streams = iter([lost_after(1), ReadableStream.from_([2])])

    @asynccontextmanager
    async def connection() -> AsyncIterator[ReadableStream[int]]:
        events.append("open")
        try:
            yield next(streams)
        finally:
            events.append("close")

    async for number in resilient(connection, backoff=no_pause):
        events.append(str(number))
    assert events == ["open", "1", "close", "open", "2", "close"]


@each_of(error=[OSError("no"), asyncio.CancelledError()])
async def test_a_connection_that_cannot_be_closed_does_not_end_the_stream(error: BaseException) -> None:
    """aiokafka raises the cancellation of a task of its own when it is stopped while its broker is away."""
    streams = iter([lost_after(1), ReadableStream.from_([2])])

    @asynccontextmanager
    async def connection() -> AsyncIterator[ReadableStream[int]]:
        try:
            yield next(streams)
        finally:
            raise error

    assert [number async for number in resilient(connection, backoff=no_pause)] == [1, 2]


async def test_the_pauses_grow_and_start_anew_after_a_chunk() -> None:
    attempts: list[int] = []
    tries = iter([None, None, lost_after(1), None, ReadableStream.from_([2])])

    async def open_stream() -> ReadableStream[int]:
        stream = next(tries)
        if stream is None:
            raise ConnectionRefusedError
        return stream

    def backoff(attempt: int) -> float:
        attempts.append(attempt)
        return 0

    assert [number async for number in resilient(open_stream, backoff=backoff)] == [1, 2]
    assert attempts == [1, 2, 1, 2]


async def test_it_gives_up_after_so_many_failures_in_a_row() -> None:
    calls = []

    async def open_stream() -> ReadableStream[int]:
        calls.append(1)
        raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        await resilient(open_stream, backoff=no_pause, attempts=3).get_reader().read()
    assert len(calls) == 3


@each_of(error=[TypeError("a mistake"), ValueError("a mistake")])
async def test_mistakes_of_the_program_are_not_tried_again(error: Exception) -> None:
    async def open_stream() -> ReadableStream[int]:
        raise error

    with pytest.raises(type(error)) as caught:
        await resilient(open_stream, backoff=no_pause).get_reader().read()
    assert caught.value is error


async def test_the_caller_may_say_what_is_tried_again() -> None:
    async def open_stream() -> ReadableStream[int]:
        raise PermissionError

    def retry(error: Exception) -> bool:
        return not isinstance(error, PermissionError)

    with pytest.raises(PermissionError):
        await resilient(open_stream, backoff=no_pause, retry=retry).get_reader().read()


async def test_nothing_is_opened_before_the_first_read() -> None:
    calls = []

    async def open_stream() -> ReadableStream[int]:
        calls.append(1)
        return ReadableStream.from_([1])

    stream = resilient(open_stream)
    await asyncio.sleep(0)
    assert calls == []
    await stream.cancel()
    assert calls == []


async def test_cancelling_ends_the_inner_stream_and_the_connection() -> None:
    reasons: list[object] = []

    @asynccontextmanager
    async def connection() -> AsyncIterator[ReadableStream[int]]:
        yield ReadableStream(
            {"start": lambda controller: controller.enqueue(1), "cancel": reasons.append}, {"high_water_mark": 0}
        )
        reasons.append("closed")

    reader = resilient(connection).get_reader()
    assert (await reader.read()).value == 1
    waiting = reader.read()
    await asyncio.sleep(0)
    await reader.cancel("enough")
    assert (await waiting).done
    assert reasons == ["enough", "closed"]
    await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})


async def test_a_drained_stream_keeps_its_connection_until_all_is_settled() -> None:
    inner, broker = memory_stream(limit=4, count=2)
    events: list[str] = []

    @asynccontextmanager
    async def connection() -> AsyncIterator[ReadableStream[Any]]:
        yield inner
        events.append("closed")

    reader = resilient(connection).get_reader()
    first, second = [(await reader.read()).value for _ in range(2)]
    draining = asyncio.ensure_future(inner.drain())
    assert (await reader.read()).done
    assert first is not None and second is not None
    await first.ack()
    assert events == []
    await second.ack()
    await draining
    await until(lambda: events == ["closed"])
    assert broker.acknowledged == [0, 1]


async def test_cancelling_ends_a_pause() -> None:
    refusing = Refusing()
    reader = refusing.stream().get_reader()
    waiting = reader.read()
    await refusing.paused.wait()
    await reader.cancel()
    assert (await waiting).done
    await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})


@each_of(pause=[-1, math.nan, math.inf, None, "x", 10**400])
async def test_a_pause_that_is_none_errors_the_stream(pause: Any) -> None:
    async def refuse() -> ReadableStream[int]:
        raise ConnectionError("away")

    reader = resilient(refuse, backoff=lambda attempt: pause).get_reader()
    with pytest.raises((TypeError, ValueError), match=r"what backoff\(\) returns must be"):
        await asyncio.wait_for(reader.read(), 5)


async def test_a_factory_that_opens_no_stream_is_a_mistake_and_not_called_again() -> None:
    async def open_nothing() -> Any:
        return None

    @asynccontextmanager
    async def enter_nothing() -> AsyncIterator[Any]:
        yield [1]

    factories: list[tuple[Any, str]] = [
        (open_nothing, "must open a ReadableStream, not NoneType"),
        (enter_nothing, "must open a ReadableStream, not list"),
        (ReadableStream, "must be a coroutine function, or give an async context manager, not ReadableStream"),
    ]
    for factory, message in factories:
        with pytest.raises(TypeError, match=message):
            await asyncio.wait_for(resilient(factory).get_reader().read(), 5)


async def test_a_function_is_needed() -> None:
    with pytest.raises(TypeError, match="a function that opens a stream"):
        resilient(ReadableStream())  # type: ignore[arg-type]


def test_the_backoff_grows_to_half_a_minute() -> None:
    for attempt in range(1, 200):
        most = min(30.0, 0.1 * 2 ** (attempt - 1))
        assert most / 2 <= exponential_backoff(attempt) <= most
