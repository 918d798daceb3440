"""A warning in asyncio's debug mode: a pipeline holds all deliveries that may be open, and waits for more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from .._debug.watches import Place

if TYPE_CHECKING:
    from .._engine.jobs import JobQueue
    from ._ledger import Ledger

# How long nothing may be settled before the warning (seconds).
STANDSTILL: Final = 5.0


class StandstillWatch:
    """Looks after the stream of one consumer; `limit_name` is what the user knows the limit by."""

    def __init__(self, jobs: JobQueue, ledger: Ledger[Any], is_read: Callable[[], bool], limit_name: str) -> None:
        self._loop = jobs.loop
        self._ledger = ledger
        self._is_read = is_read
        self._limit_name = limit_name
        self._place = Place()
        self._timer: asyncio.TimerHandle | None = None
        self._has_warned = False

    def read_waits(self) -> None:
        """Somebody reads and there is nothing: look again after a while, if that is because of the limit."""
        if self._timer is None and not self._has_warned and self._is_full():
            self._timer = self._loop.call_later(STANDSTILL, self._look, list(self._ledger))

    def stop(self) -> None:
        """The stream ends."""
        self._has_warned = True
        if self._timer is not None:
            self._timer.cancel()

    def _is_full(self) -> bool:
        return self._ledger.free <= 0 and self._is_read()

    def _look(self, open_before: list[Any]) -> None:
        self._timer = None
        if not self._is_full():
            return
        if list(self._ledger) != open_before:
            self.read_waits()
            return
        self._has_warned = True
        limit = self._ledger.limit
        self._place.warn(
            f"the pipeline holds {limit} deliveries of {self._ledger.where}, no more than that may be unsettled, it "
            f"waits for another one, and none was settled for {STANDSTILL:g} seconds: {self._limit_name}={limit} must "
            f"be at least what the stages hold at a time (a batch, the calls of a map), or the batches need seconds=; "
            f"consume() was called at {self._place}"
        )


def watch_standstill(
    jobs: JobQueue, ledger: Ledger[Any], is_read: Callable[[], bool], limit_name: str
) -> StandstillWatch | None:
    """Look after a stream in debug mode."""
    return StandstillWatch(jobs, ledger, is_read, limit_name) if jobs.loop.get_debug() else None
