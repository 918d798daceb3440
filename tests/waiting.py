"""Waiting for something that happens outside of the event loop's sight: a condition, never a time."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from typing import Any

import pytest

from webstreams._engine import jobs

# How long anything may take on a machine that has much else to do (seconds).
LIMIT = 30


async def until(condition: Callable[[], Any], seconds: float = LIMIT) -> None:
    """Wait until a condition, a plain or a coroutine function, is true."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return
        assert time.monotonic() < end, f"it has not become true within {seconds} seconds: {condition}"
        await asyncio.sleep(0.001)


class Beats:
    """How many turns a task beside the test has had."""

    def __init__(self) -> None:
        self.count = 0

    async def go_on(self) -> None:
        """Count the turns, without an end."""
        while True:
            self.count += 1
            await asyncio.sleep(0)


@asynccontextmanager
async def another_task() -> AsyncIterator[Beats]:
    """Have another task beside the block, which wants a turn all the time."""
    beats = Beats()
    task = asyncio.create_task(beats.go_on())
    try:
        yield beats
    finally:
        task.cancel()


# Turns of a clock that never goes back, also where several tests of one loop have it.
_TICKS = count(int(time.monotonic() / jobs.TURN_BUDGET))


@contextmanager
def each_look_ends_a_turn() -> Iterator[None]:
    """Have each look of the library at its clock tell that the turn has lasted long enough, on any machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "monotonic", lambda: 2 * next(_TICKS) * jobs.TURN_BUDGET)
        yield
