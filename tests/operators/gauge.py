"""A function that counts its calls."""

from __future__ import annotations

import asyncio
from typing import Any


class Gauge:
    """A function that counts its calls, and goes on when it is told."""

    def __init__(self) -> None:
        self.running = 0
        self.most = 0
        self.started: list[Any] = []
        self.ended: list[Any] = []
        self.cancelled: list[Any] = []
        self.gates: dict[Any, asyncio.Event] = {}

    async def __call__(self, chunk: Any) -> Any:
        self.started.append(chunk)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.gates.setdefault(chunk, asyncio.Event()).wait()
        except asyncio.CancelledError:
            self.cancelled.append(chunk)
            raise
        finally:
            self.running -= 1
            self.ended.append(chunk)
        return chunk

    def open(self, *chunks: Any) -> None:
        for chunk in chunks:
            self.gates.setdefault(chunk, asyncio.Event()).set()


def square(number: int) -> int:
    return number * number
