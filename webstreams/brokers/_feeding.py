"""A source that fetches: in a task of its own, as much as may be open and no more."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final

from typing_extensions import TypeVar

from ._source import BrokerSource

K = TypeVar("K", default=Any)

# How long the end of a stream waits for the fetch that is under way (seconds).
LONGEST_FETCH: Final = 3.0
# How long a task may go on after it was cancelled, before it is cancelled again (seconds).
CANCELLED_AGAIN: Final = (0.02, 0.2)


class FetchingSource(BrokerSource[K]):
    """Fetches when a good part of the limit is free, or when somebody waits and anything is.

    A second task looks after what is open, at regular times: it keeps leases alive and commits.
    """

    def __init__(self, limit: int, where: str) -> None:
        super().__init__(limit, where)
        self._enough = max(1, limit // 2)
        self._fetching: asyncio.Task[None] | None = None
        self._tending: asyncio.Task[None] | None = None
        # Set to look after what is open before the time has come.
        self.tend_now = asyncio.Event()

    @property
    def room(self) -> int:
        """How many messages may be fetched."""
        return self.ledger.free

    @property
    def makes_room_soon(self) -> bool:
        """Whether deliveries are being settled: what room they make is worth one request, not two."""
        return bool(self.ledger.settling)

    async def fetch(self, count: int) -> None:
        """Fetch up to `count` messages and deliver them; return at the latest after a moment without one."""
        raise NotImplementedError

    def has_no_room(self) -> None:
        """Called when nothing more may be fetched for now."""

    async def tend(self) -> None:
        """Look after what is open."""
        raise NotImplementedError

    def begin(self, tend_every: float) -> None:
        """Begin to fetch, and to look after what is open every `tend_every` seconds, unless the end came sooner."""
        if self.is_over:
            return
        loop = asyncio.get_running_loop()
        self._fetching = loop.create_task(self._fetch_for_ever())
        self._tending = loop.create_task(self._tend_for_ever(tend_every))

    async def finish_fetching(self, *, cancel: bool) -> None:
        """Fetch no more; without `cancel`, the fetch under way ends by itself."""
        self.ledger.wake()
        await _end(self._fetching, cancel=cancel)

    async def finish(self) -> None:
        """Look no more after what is open: until now, what was worked on kept its lease."""
        await _end(self._tending, cancel=True)

    async def _fetch_for_ever(self) -> None:
        try:
            while not self.is_over:
                if self._has_room():
                    await self.fetch(self.room)
                else:
                    self.has_no_room()
                    await self.ledger.change()
        except Exception as error:
            self.fail(error)

    def _has_room(self) -> bool:
        room = self.room
        return room >= self._enough or (self.hungry and room > 0 and not self.makes_room_soon)

    async def _tend_for_ever(self, every: float) -> None:
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(every):
                        await self.tend_now.wait()
                self.tend_now.clear()
                await self.tend()
        except Exception as error:
            self.fail(error)


async def _end(task: asyncio.Task[None] | None, *, cancel: bool) -> None:
    """Wait for the end of a task, for a while, if it is not to end now.

    A task is cancelled again if it goes on: the clients use ``wait_for()``, and in Python 3.11 that forgets a
    cancellation that comes in the turn in which its own work ends.
    """
    if task is not None:
        for wait in (*CANCELLED_AGAIN, LONGEST_FETCH) if cancel else (LONGEST_FETCH,):
            if cancel:
                task.cancel()
            await asyncio.wait([task], timeout=wait)
            if task.done():
                return
        task.cancel()
