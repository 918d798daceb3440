"""The clock of the observers, and how the time of a loop's thread is divided among callbacks that may be nested."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable
from time import monotonic
from typing import Final
from weakref import WeakKeyDictionary

# A wait that ends so soon after a callback of another stage has ended was over before, perhaps: nobody could look
# earlier. In seconds, and as a share of the time which that callback took.
SOON: Final = 50e-6
SOON_SHARE: Final = 0.25


class Clock:
    """What all observers read the time from; tests put another function in."""

    __slots__ = ("read",)

    def __init__(self) -> None:
        self.read: Callable[[], float] = monotonic


CLOCK: Final = Clock()


class Timing:
    """What has run in the thread of one event loop, as far as it is observed."""

    __slots__ = ("_last_began", "_last_ended", "nested", "total")

    def __init__(self) -> None:
        # The time of the callbacks that the one under way has called itself.
        self.nested = 0.0
        # The time of all callbacks so far, and when the last one began and ended.
        self.total = 0.0
        self._last_began = 0.0
        self._last_ended = 0.0

    def enter(self) -> float:
        """Begin to measure a callback: what is returned here goes to `leave`."""
        outside, self.nested = self.nested, 0.0
        return outside

    def leave(self, outside: float, began: float, now: float) -> float:
        """A callback has returned or failed: return its own time, without what it has called."""
        passed = now - began
        own = passed - self.nested
        self.nested = outside + passed
        self.total += own
        self._last_began = began
        self._last_ended = now
        return own

    def waited(self, since: float, total: float, now: float) -> float:
        """Return how long something was really waited for.

        `since` and `total` are the time and the `total` when the wait began. While a callback holds the loop, nobody
        sees the end of a wait: the callback's time is left out if it came right before the end.
        """
        passed = now - since
        held = self.total - total
        if held > 0 and now - self._last_ended <= SOON + SOON_SHARE * (self._last_ended - self._last_began):
            return max(passed - held, 0.0)
        return passed


_timings: Final[WeakKeyDictionary[AbstractEventLoop, Timing]] = WeakKeyDictionary()


def timing_of(loop: AbstractEventLoop) -> Timing:
    """Return what is measured in an event loop."""
    timing = _timings.get(loop)
    if timing is None:
        timing = _timings[loop] = Timing()
    return timing
