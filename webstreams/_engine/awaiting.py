"""The coroutines of this package that await what users give.

They stay interpreted: compiled code throws into what it awaits in a way that Python 3.12 has deprecated.
"""

from __future__ import annotations

import asyncio
from asyncio import Task
from collections.abc import Awaitable, Callable
from typing import Any

from .fetching import Fetching


async def await_it(value: Any) -> Any:
    """Make a coroutine of any awaitable."""
    return await value


async def next_turn() -> None:
    """Let the event loop's other tasks have their turn."""
    await asyncio.sleep(0)


async def fetch(source: Fetching, awaitable: Awaitable[Any], end: Any) -> Any:
    """Return the next item of an async iterator, or `end`; put it into the source instead if that still pulls."""
    try:
        item = await awaitable
    except StopAsyncIteration:
        item = end
    if not source._is_pulling:
        return item
    source._item = item
    return None


async def hand_over(caller: Fetching, awaitable: Awaitable[Any]) -> Any:
    """Return the result of a function's coroutine; put it into the caller instead if that still looks for it."""
    item = await awaitable
    if not caller._is_pulling:
        return item
    caller._item = item
    return None


async def close_when_done(task: Task[Any] | None, close: Callable[[], Awaitable[Any]]) -> Any:
    """Close an async iterator, after its task is done."""
    if task is not None:
        await asyncio.wait([task])
    return await close()


async def wait_for_close(closing: Awaitable[Any] | None, cancel: Callable[[], object] | None) -> None:
    """Wait for ``aclose()``, and then for no ``__anext__()`` any more."""
    if closing is not None:
        await closing
    if cancel is not None:
        cancel()
