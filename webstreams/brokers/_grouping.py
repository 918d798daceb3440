"""Commands that are sent together: what comes while one group is under way is the next group."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Generic

from typing_extensions import TypeVar

T = TypeVar("T", default=Any)


class Grouping(Generic[T]):
    """Hands items to `send` in groups, one group at a time, in their order.

    `send` tells those who wait what has become of each item, and raises nothing.
    """

    def __init__(self, send: Callable[[list[T]], Awaitable[None]]) -> None:
        self._send = send
        self._items: list[T] = []
        self._is_sending = False
        self._task: asyncio.Task[None] | None = None

    def put(self, items: Iterable[T]) -> None:
        """Send items with the next group."""
        self._items.extend(items)
        if self._items and not self._is_sending:
            self._is_sending = True
            # An eager task may have sent everything when this returns.
            self._task = asyncio.get_running_loop().create_task(self._run())

    def stop(self) -> None:
        """Nobody waits for any item any more: send no more, and do not wait for the group under way."""
        task, self._task = self._task, None
        self._items = []
        self._is_sending = False
        if task is not None:
            task.cancel()

    async def _run(self) -> None:
        while self._items:
            group, self._items = self._items, []
            await self._send(group)
        self._is_sending = False


def set_result(future: asyncio.Future[None], error: BaseException | None) -> None:
    """Tell whoever waits for an item what has become of it, if anybody still does."""
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
