"""Awaiting a promise in the task that runs the jobs meanwhile: the same order as for a task that is suspended."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from webstreams import Promise, ReadableStream, StreamError, queue_microtask


async def test_reactions_that_come_later_run_later() -> None:
    order: list[Any] = []
    promise, resolve, _ = Promise.with_resolvers()
    queue_microtask(lambda: promise.then(order.append))
    queue_microtask(resolve, "then")
    await promise
    order.append("await")
    await asyncio.sleep(0)
    assert order == ["await", "then"]


async def test_another_task_that_awaits_the_same_promise_goes_on_too() -> None:
    order: list[str] = []
    promise, resolve, _ = Promise.with_resolvers()

    async def wait(name: str) -> None:
        await promise
        order.append(name)

    async def wait_inside_a_job() -> None:
        await Promise.resolve()
        await wait("inside")

    inside = Promise.resolve(wait_inside_a_job())
    task = asyncio.create_task(wait("task"))
    queue_microtask(resolve)
    await wait("first")
    await asyncio.gather(task, inside)
    assert sorted(order) == ["first", "inside", "task"]


async def test_an_interrupt_leaves_nothing_behind_that_ends_another_await() -> None:
    """It comes out of the await, in the middle of the jobs; the promise and all others can be awaited as before."""

    def pull(controller: Any) -> None:
        raise SystemExit("enough")

    for _ in range(2):  # a task that may have been started eagerly runs no jobs before it was suspended once
        await Promise.resolve(asyncio.sleep(0))
    reader = ReadableStream({"pull": pull}, {"high_water_mark": 0}).get_reader()
    read = reader.read()
    with pytest.raises(SystemExit):
        await read
    pending, resolve, _ = Promise.with_resolvers()
    asyncio.get_running_loop().call_later(0.001, resolve, "a value")
    assert await pending == "a value"
    with pytest.raises(StreamError):
        await read


async def test_a_cancelled_await_can_be_repeated() -> None:
    promise, resolve, _ = Promise.with_resolvers()

    async def wait() -> Any:
        return await promise

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    queue_microtask(resolve, "a value")
    assert await promise == "a value"
