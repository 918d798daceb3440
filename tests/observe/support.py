"""A clock that only the tests move: pipelines with known costs take exactly these, on any event loop."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

# So many turns without a step make sure that nothing goes on but by the clock.
TURNS = 60


class Clock:
    """Time passes when a callback says that it works (`spend`), and when everything waits (`drive`)."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._count = 0
        self._sleeping: list[tuple[float, int, asyncio.Future[None]]] = []

    def read(self) -> float:
        return self.now

    def spend(self, seconds: float) -> None:
        """Hold the event loop."""
        self.now += seconds

    async def sleep(self, seconds: float) -> None:
        """Wait, as for the network."""
        future = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleeping, (self.now + seconds, self._count, future))
        await future

    async def drive(self, awaitable: Awaitable[Any]) -> Any:
        """Let the clock run until something is done."""
        ended = asyncio.ensure_future(awaitable)
        while not ended.done():
            for _ in range(TURNS):
                await asyncio.sleep(0)
            self.advance()
        return ended.result()

    def advance(self) -> None:
        """Go on to the next moment at which something happens."""
        if self._sleeping:
            due, _, future = heapq.heappop(self._sleeping)
            self.now = max(self.now, due)
            if not future.done():
                future.set_result(None)

    # What stages are made of.

    def working(self, seconds: float) -> Callable[[Any], Any]:
        def work(chunk: Any) -> Any:
            self.spend(seconds)
            return chunk

        return work

    def waiting(self, seconds: float) -> Callable[[Any], Awaitable[Any]]:
        async def wait(chunk: Any) -> Any:
            await self.sleep(seconds)
            return chunk

        return wait

    def items(self, count: int, seconds: float) -> Iterator[int]:
        """A source that holds the event loop for each chunk."""
        for number in range(count):
            self.spend(seconds)
            yield number

    async def arrivals(self, count: int, seconds: float) -> AsyncIterator[int]:
        """A source that waits for each chunk."""
        for number in range(count):
            await self.sleep(seconds)
            yield number
