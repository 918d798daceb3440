"""A coroutine callback is a task of its own from its first line."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any

import pytest

from tests.faults.helpers import failure, other_tasks, turns
from webstreams import Promise, ReadableStream, StreamError, WritableStream

from .callbacks import ENOUGH_TURNS, EVERY_COROUTINE, Call


@EVERY_COROUTINE
async def test_a_coroutine_callback_is_a_task_from_its_first_line(call: Call) -> None:
    seen: list[asyncio.Task[Any] | None] = []

    async def callback() -> None:
        seen.append(asyncio.current_task())
        await Promise.resolve()
        seen.append(asyncio.current_task())
        await asyncio.sleep(0)
        seen.append(asyncio.current_task())
        seen.append(await nested())

    async def nested() -> asyncio.Task[Any] | None:
        await asyncio.sleep(0)
        return asyncio.current_task()

    test = asyncio.current_task()
    outcome = call(callback)
    assert asyncio.current_task() is test
    await outcome
    assert asyncio.current_task() is test
    assert seen[0] not in {None, test}
    assert seen == [seen[0]] * 4
    await turns(ENOUGH_TURNS)
    assert other_tasks() == set()


async def test_a_coroutine_callback_starts_at_once_and_runs_up_to_its_first_suspension() -> None:
    events: list[str] = []

    async def cancel(reason: Any) -> None:
        events.append("first line")
        await asyncio.sleep(0)
        events.append("second line")

    promise = ReadableStream[Any]({"cancel": cancel}).cancel()
    events.append("the call has returned")
    await promise
    assert events == ["first line", "the call has returned", "second line"]


@EVERY_COROUTINE
async def test_a_coroutine_callback_is_a_task_in_which_a_timeout_works(call: Call) -> None:
    async def callback() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await loop.create_future()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await Promise.with_resolvers()[0]
        async with asyncio.timeout(60):
            await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(loop.create_future(), 1e-6)

    await call(callback)
    await turns(ENOUGH_TURNS)
    assert other_tasks() == set()


@EVERY_COROUTINE
async def test_a_coroutine_callback_is_a_task_that_fails_with_the_error_of_its_timeout(call: Call) -> None:
    async def callback() -> None:
        async with asyncio.timeout(0):
            await asyncio.get_running_loop().create_future()

    assert isinstance(await failure(call(callback)), TimeoutError)


@EVERY_COROUTINE
async def test_a_coroutine_callback_is_a_task_in_which_a_task_group_works(call: Call) -> None:
    done: list[int] = []

    async def child(number: int) -> None:
        await turns(number)
        done.append(number)

    async def callback() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(3):
                group.create_task(child(number))

    await call(callback)
    assert done == [0, 1, 2]


@EVERY_COROUTINE
async def test_a_coroutine_callback_is_a_task_that_fails_with_the_error_of_its_task_group(call: Call) -> None:
    error = ValueError("of a child")
    cancelled: list[str] = []

    async def fail() -> None:
        raise error

    async def wait() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            cancelled.append("sibling")
            raise

    async def callback() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(wait())
            group.create_task(fail())
            await Promise.with_resolvers()[0]

    raised = await failure(call(callback))
    assert isinstance(raised, ExceptionGroup)
    assert raised.exceptions == (error,)
    assert cancelled == ["sibling"]


VARIABLE: ContextVar[str] = ContextVar("VARIABLE", default="not set")


@EVERY_COROUTINE
async def test_a_coroutine_callback_is_a_task_in_a_copy_of_the_context_of_its_stream(call: Call) -> None:
    seen: list[str] = []

    async def callback() -> None:
        seen.append(VARIABLE.get())
        VARIABLE.set("set by the callback")
        await asyncio.sleep(0)
        seen.append(VARIABLE.get())
        await Promise.resolve()
        seen.append(VARIABLE.get())

    VARIABLE.set("set before the stream was made")
    await call(callback)
    assert seen == ["set before the stream was made"] + ["set by the callback"] * 2
    assert VARIABLE.get() == "set before the stream was made"


async def test_a_coroutine_callback_is_a_task_that_does_not_see_the_context_of_its_caller() -> None:
    seen: list[str] = []

    async def write(chunk: Any, controller: Any) -> None:
        seen.append(VARIABLE.get())
        VARIABLE.set(f"set by write {chunk}")
        await asyncio.sleep(0)
        seen.append(VARIABLE.get())

    VARIABLE.set("of the maker")
    writer = WritableStream[int]({"write": write}).get_writer()
    VARIABLE.set("of the caller")
    await writer.write(1)
    await writer.write(2)
    assert seen == ["of the maker", "set by write 1", "of the maker", "set by write 2"]


async def test_the_items_of_an_asynchronous_generator_are_made_in_a_copy_of_the_context_of_the_stream() -> None:
    seen: list[str] = []

    async def generate() -> AsyncIterator[int]:
        for number in range(2):
            seen.append(VARIABLE.get())
            VARIABLE.set("set by the generator")
            yield number

    VARIABLE.set("of the maker")
    stream = ReadableStream.from_(generate())
    VARIABLE.set("of the caller")
    assert [chunk async for chunk in stream] == [0, 1]
    assert seen == ["of the maker"] * 2
    assert VARIABLE.get() == "of the caller"


@EVERY_COROUTINE
async def test_a_coroutine_callback_is_a_task_that_is_referred_to_while_it_runs(call: Call) -> None:
    waited_for: list[weakref.ref[asyncio.Future[None]]] = []
    tasks: list[weakref.ref[asyncio.Task[None]]] = []
    events: list[str] = []

    async def callback() -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(weakref.ref(task))
        # Only the task itself refers to what it waits for.
        future = asyncio.get_running_loop().create_future()
        waited_for.append(weakref.ref(future))
        await future
        events.append("done")

    call(callback)  # nobody keeps the stream or the promise
    await turns(ENOUGH_TURNS)
    gc.collect()
    future = waited_for[0]()
    assert future is not None
    future.set_result(None)
    del future
    await turns(ENOUGH_TURNS)
    assert events == ["done"]
    gc.collect()
    assert [waited_for[0](), tasks[0]()] == [None, None]


@EVERY_COROUTINE
async def test_a_coroutine_callback_whose_task_is_cancelled_has_failed(
    call: Call, reported: list[dict[str, Any]]
) -> None:
    tasks: list[Any] = []

    async def callback() -> None:
        tasks.append(asyncio.current_task())
        await asyncio.get_running_loop().create_future()

    outcome = call(callback)
    await turns(ENOUGH_TURNS)
    tasks[0].cancel()
    error = await failure(outcome)
    assert isinstance(error, StreamError)
    assert isinstance(error.__cause__, asyncio.CancelledError)
    assert error.reason is error.__cause__
    test = asyncio.current_task()
    assert test is not None
    assert test.cancelling() == 0
    del outcome
    gc.collect()
    await turns(ENOUGH_TURNS)
    assert reported == []


@EVERY_COROUTINE
async def test_a_coroutine_callback_whose_task_is_cancelled_in_its_first_turn_has_failed(call: Call) -> None:
    tasks: list[Any] = []
    cleaned_up: list[bool] = []

    async def callback() -> None:
        tasks.append(asyncio.current_task())
        asyncio.get_running_loop().call_soon(tasks[0].cancel)
        try:
            await Promise.with_resolvers()[0]
        finally:
            cleaned_up.append(True)

    error = await failure(call(callback))
    assert isinstance(error, StreamError)
    assert isinstance(error.__cause__, asyncio.CancelledError)
    assert cleaned_up == [True]
