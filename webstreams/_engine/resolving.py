"""What settles a promise from outside, and what is called by it: its two functions, ``Promise.all``, done callbacks."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from typing import Any

from .promise_state import PromiseState


class Resolvers:
    """The pair of functions that settle a promise from outside, once."""

    __slots__ = ("_called", "_promise")

    def __init__(self, promise: PromiseState) -> None:
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

    def __init__(self, derived: PromiseState, count: int) -> None:
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

    def __init__(self, promise: PromiseState, callback: Callable[[Any], object], context: Context) -> None:
        self.promise = promise
        self.callback = callback
        self.context = context

    def __call__(self) -> None:
        """Call it; what it raises concerns the loop, not the promise."""
        try:
            self.context.run(self.callback, self.promise)
        except Exception as error:
            self.promise._jobs.report(f"a done callback raised an exception: {self.callback!r}", error)
