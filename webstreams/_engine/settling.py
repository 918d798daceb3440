"""What can be settled, and what becomes of a rejection that nobody looks at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._debug.repr import show_words
from .._platform.errors import LoopEndedError, StreamError, as_exception, is_known_to_the_loop
from .._platform.frames import forget_variables
from .._platform.mypyc import trait
from .jobs import JobQueue


@trait
class Settled:
    """What is told how an operation has ended: a promise, or a pipe for its writes."""

    __slots__ = ()

    def _fulfill(self, value: Any) -> None:
        raise NotImplementedError

    def _reject(self, reason: object) -> None:
        raise NotImplementedError


class SettledByCalls(Settled):
    """Tells one of two functions; for classes that are not compiled, which cannot be `Settled` themselves."""

    __slots__ = ("_fulfilled", "_rejected")

    def __init__(self, fulfilled: Callable[[Any], object], rejected: Callable[[object], object]) -> None:
        self._fulfilled = fulfilled
        self._rejected = rejected

    def _fulfill(self, value: Any) -> None:
        self._fulfilled(value)

    def _reject(self, reason: object) -> None:
        self._rejected(reason)


class UnhandledRejection:
    """Reports a rejection when its promise is collected and nobody has looked at it."""

    __slots__ = ("_jobs", "_origin", "_reason")

    def __init__(self, jobs: JobQueue, reason: object, origin: tuple[object, ...]) -> None:
        self._jobs: JobQueue | None = jobs
        self._reason = reason
        self._origin = origin
        if isinstance(reason, Exception):
            forget_variables(reason)  # one of them may be the promise
        if isinstance(reason, LoopEndedError) or (
            isinstance(reason, StreamError) and is_known_to_the_loop(reason.reason)
        ):
            self._jobs = None

    def disarm(self) -> None:
        """Somebody looked."""
        self._jobs = None

    def __del__(self) -> None:
        jobs = self._jobs
        if jobs is not None:
            what = show_words(self._origin) or "a promise"
            jobs.report(f"{what} was rejected and nobody looked at it", as_exception(self._reason))
