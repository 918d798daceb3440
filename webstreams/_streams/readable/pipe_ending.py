"""The end of a pipe that is ended at once (`Pipe.end_now`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..._engine.promise import Promise


class Ending:
    """What has to be over before a pipe that is ended at once has ended, in whatever way it is."""

    __slots__ = ("_finish", "_missing")

    def __init__(self, finish: Callable[[], object]) -> None:
        self._finish = finish
        self._missing = 1

    def add(self, promise: Promise[Any] | None) -> None:
        """Wait for a promise, too."""
        if promise is not None:
            self._missing += 1
            promise._react(self.done, self.done)

    def done(self, _: object = None) -> None:
        """One of them is over; the last one ends the pipe."""
        self._missing -= 1
        if self._missing == 0:
            self._finish()

    def give_up(self) -> None:
        """End the pipe now, whatever is missing."""
        self._missing = 0
        self._finish()
