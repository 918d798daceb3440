"""What settles a promise from outside, and what becomes of a rejection that nobody looks at."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any

from .._debug.repr import show_words
from .._platform.errors import StreamError, as_exception, is_known_to_the_loop
from .._platform.mypyc import trait

if TYPE_CHECKING:
    from .jobs import JobQueue
    from .promise import Promise


@trait
class Settled:
    """What is told how an operation has ended: a promise, or a pipe for its writes."""

    __slots__ = ()

    def _fulfill(self, value: Any) -> None:
        raise NotImplementedError

    def _reject(self, reason: object) -> None:
        raise NotImplementedError


class Resolvers:
    """The pair of functions that settle a promise from outside, once."""

    __slots__ = ("_called", "_promise")

    def __init__(self, promise: Promise[Any]) -> None:
        self._promise = promise
        self._called = False

    def resolve(self, value: Any = None) -> None:
        """Resolve the promise."""
        self._promise._jobs.require_running()
        if not self._called:
            self._called = True
            self._promise._resolve_with(value)

    def reject(self, reason: object = None) -> None:
        """Reject the promise."""
        self._promise._jobs.require_running()
        if not self._called:
            self._called = True
            self._promise._reject(reason)


class AllCollector:
    """The state of one `Promise.all`; Web IDL's "wait for all"."""

    __slots__ = ("_derived", "_missing", "_values")

    def __init__(self, derived: Promise[list[Any]], count: int) -> None:
        self._derived = derived
        self._missing = count
        self._values: list[Any] = [None] * count

    def fulfilled(self, index: int, value: Any) -> None:
        """Take one value."""
        self._values[index] = value
        self._missing -= 1
        if self._missing == 0 and not self._derived.done():
            self._derived._fulfill(self._values)

    def rejected(self, reason: object) -> None:
        """Take the first rejection."""
        if not self._derived.done():
            self._derived._reject(reason)


class DoneCallback:
    """A callback that was added in the manner of asyncio."""

    __slots__ = ("callback", "context", "promise")

    def __init__(self, promise: Promise[Any], callback: Callable[[Any], object], context: Context) -> None:
        self.promise = promise
        self.callback = callback
        self.context = context

    def __call__(self) -> None:
        """Call it; what it raises concerns the loop, not the promise."""
        try:
            self.context.run(self.callback, self.promise)
        except Exception as error:
            self.promise._jobs.report(f"a done callback raised an exception: {self.callback!r}", error)


class UnhandledRejection:
    """Reports a rejection when its promise is collected and nobody has looked at it."""

    __slots__ = ("_jobs", "_origin", "_reason")

    def __init__(self, jobs: JobQueue, reason: object, origin: tuple[object, ...]) -> None:
        self._jobs: JobQueue | None = jobs
        self._reason = reason
        self._origin = origin
        if isinstance(reason, StreamError) and is_known_to_the_loop(reason.reason):
            self._jobs = None

    def disarm(self) -> None:
        """Somebody looked."""
        self._jobs = None

    def __del__(self) -> None:
        jobs = self._jobs
        if jobs is not None:
            what = show_words(self._origin) or "a promise"
            jobs.report(f"{what} was rejected and nobody looked at it", as_exception(self._reason))
