"""In debug mode: which branch of a shared stream holds the others up."""

from __future__ import annotations

from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Sized
from typing import Final

from .._debug.repr import show_count, show_number
from .branches import Branch

# How long a branch may let another one wait before it is named (seconds).
PATIENCE: Final = 1.0


class StallWatch:
    """Has a timer while a branch waits for another one."""

    __slots__ = ("_holder", "_loop", "_timer", "_waiting")

    def __init__(self, loop: AbstractEventLoop, waiting: Sized) -> None:
        self._loop = loop
        self._waiting = waiting
        self._holder: Branch | None = None
        self._timer: TimerHandle | None = None

    def look(self, holder: Branch | None) -> None:
        """Learn which branch holds the others up now, if one does."""
        if holder is self._holder:
            return
        self._holder = holder
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if holder is not None:
            self._timer = self._loop.call_later(PATIENCE, self._warn)

    def _warn(self) -> None:
        self._timer = None
        holder = self._holder
        if holder is None or holder.place is None:
            return
        waiting = show_count(len(self._waiting), "other subscription")
        holder.place.warn(
            f"a subscription of share() has held {waiting} up for {show_number(PATIENCE)} second: it has "
            f"{show_count(holder.count(), 'chunk')} unread; read all subscriptions at the same time, not one after the "
            f"other, or give it a policy that drops; it was made at {holder.place}"
        )
