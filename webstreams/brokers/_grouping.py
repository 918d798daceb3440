"""Commands that are sent together: what comes while one group is under way is the next group."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic

from typing_extensions import TypeVar

T = TypeVar("T", default=Any)

# Called with the result of an item: None, or its error.
Done = Callable[[BaseException | None], None]
# What a group gives for each of its items: None, or the error of that item.
Results = Sequence[BaseException | None]


class Grouping(Generic[T]):
    """Hands items to `send` in groups, one group at a time, in their order."""

    def __init__(self, send: Callable[[list[T]], Awaitable[Results]]) -> None:
        self._send = send
        self._items: list[tuple[T, Done]] = []
        self._task: asyncio.Task[None] | None = None

    async def add(self, item: T) -> None:
        """Send an item with the next group; wait for its result."""
        result: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.put(item, _Setting(result))
        await result

    def put(self, item: T, done: Done) -> None:
        """Send an item with the next group; call `done` with its result."""
        self._items.append((item, done))
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while self._items:
            group, self._items = self._items, []
            results: Results
            try:
                results = await self._send([item for item, _ in group])
            except Exception as error:
                results = [error] * len(group)
            for (_, done), result in zip(group, results, strict=True):
                done(result)
        self._task = None


class _Setting:
    """Sets a future to the result of an item."""

    __slots__ = ("_future",)

    def __init__(self, future: asyncio.Future[None]) -> None:
        self._future = future

    def __call__(self, error: BaseException | None) -> None:
        if self._future.done():
            return  # nobody waits any more
        if error is None:
            self._future.set_result(None)
        else:
            self._future.set_exception(error)
