"""How long a connection may wait for its peer."""

from __future__ import annotations

from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable
from weakref import ref


class Deadline:
    """Calls a function when something has been waited for without progress for so many seconds.

    There is one timer, and it is not set anew by every event: when it goes off, it is seen what has happened meanwhile.
    The event loop refers to the deadline weakly, so that a connection that was dropped does not wait for its timer.
    """

    __slots__ = (
        "__weakref__",
        "_expired",
        "_handle",
        "_is_waiting",
        "_last",
        "_loop",
        "_progress",
        "_seconds",
        "_seen",
    )

    def __init__(
        self,
        loop: AbstractEventLoop,
        seconds: float,
        is_waiting: Callable[[], bool],
        expired: Callable[[float], None],
        progress: Callable[[], object],
    ) -> None:
        self._loop = loop
        self._seconds = seconds
        self._is_waiting = is_waiting
        self._expired = expired
        # What changes when the peer gets on; it is compared when the timer goes off.
        self._progress = progress
        self._seen: object = None
        self._last = 0.0
        self._handle: TimerHandle | None = None

    def begin(self) -> None:
        """Something is waited for from now on, or has just happened."""
        self._last = self._loop.time()
        if self._handle is None:
            self._seen = self._progress()
            self._set(self._seconds)

    def stop(self) -> None:
        """There is nothing more to wait for."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _set(self, seconds: float) -> None:
        self._handle = self._loop.call_later(seconds, _check, ref(self))

    def check(self) -> None:
        """The timer has gone off."""
        self._handle = None
        if not self._is_waiting():
            return
        now, seen = self._loop.time(), self._progress()
        if seen != self._seen:
            self._seen, self._last = seen, now
        left = self._last + self._seconds - now
        if left > 0:
            self._set(left)
        else:
            self._expired(self._seconds)


def _check(deadline: ref[Deadline]) -> None:
    found = deadline()
    if found is not None:
        found.check()
