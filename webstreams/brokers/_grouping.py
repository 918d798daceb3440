"""Commands that are sent together: what comes while one group is under way is the next group."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic

from typing_extensions import TypeVar

T = TypeVar("T", default=Any)

# What a group gives for each of its items: None, or the error of that item.
Results = Sequence[BaseException | None]


class Grouping(Generic[T]):
    """Hands items to `send` in groups, one group at a time, in their order."""

    def __init__(self, send: Callable[[list[T]], Awaitable[Results]]) -> None:
        self._send = send
        self._items: list[tuple[T, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def add(self, item: T) -> None:
        """Send an item with the next group; wait for its result."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._items.append((item, done))
        if self._task is None:
            self._task = loop.create_task(self._run())
        await done

    async def _run(self) -> None:
        while self._items:
            group, self._items = self._items, []
            results: Results
            try:
                results = await self._send([item for item, _ in group])
            except Exception as error:
                results = [error] * len(group)
            for (_, done), result in zip(group, results, strict=True):
                if done.done():
                    continue  # nobody waits any more
                if result is None:
                    done.set_result(None)
                else:
                    done.set_exception(result)
        self._task = None
