"""Sources that record what is done to them, and what must be so after every end."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.faults.helpers import other_tasks, turns
from webstreams import ReadableStream


class CallsLater:
    """An object that is called as a coroutine function is."""

    async def __call__(self, chunk: Any) -> int:
        return 1


class Source:
    """Gives numbers when it is pulled, as many as it may, and records what it is asked for."""

    def __init__(self, count: float = float("inf"), *, first: int = 0, error: object = None) -> None:
        self.count = count
        self.next = first
        self.error = error
        self.given = 0
        self.cancelled: list[object] = []
        self.controller: Any = None
        self.stream: ReadableStream[int] = ReadableStream(self, {"high_water_mark": 0})

    def start(self, controller: Any) -> None:
        self.controller = controller

    def pull(self, controller: Any) -> Any:
        if self.given < self.count:
            controller.enqueue(self.next)
            self.next += 1
            self.given += 1
        elif self.error is not None:
            controller.error(self.error)
        else:
            controller.close()

    def cancel(self, reason: object) -> None:
        self.cancelled.append(reason)


class Silent(Source):
    """Gives nothing, and does not end."""

    def pull(self, controller: Any) -> Any:
        return None


class Later(Source):
    """Takes turns of the loop for every chunk."""

    async def pull(self, controller: Any) -> None:
        await turns(3)
        super().pull(controller)


async def nothing_alive(*sources: Source) -> None:
    """Check that no lock, no task and no timer is left."""
    await turns()
    assert [source.stream.locked for source in sources] == [False] * len(sources)
    assert other_tasks() == set()
    timers = getattr(asyncio.get_running_loop(), "_scheduled", [])
    assert [timer for timer in timers if not timer.cancelled()] == []
