"""ReadableStreamFromIterable: a source over an iterable or an async iterable (4.9.1)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextvars import Context, copy_context
from typing import Any, Final

from .._errors import callback_error
from .._jobs import JobQueue
from .._promise import AlgorithmPromise, Promise, ThenReaction, adopt, is_awaitable
from .source import Source

_DONE: Final = object()


class IterableSource(Source):
    """The pull and cancel algorithms over an iterator of either kind."""

    __slots__ = ("_controller", "_is_async", "_iterator", "_jobs", "_running", "context")

    context: Context | None

    def __init__(self, iterable: Any, jobs: JobQueue) -> None:
        self._jobs = jobs
        self._is_async, self._iterator = _open(iterable)
        self._controller: Any = None
        # The coroutine call of the __anext__() under way.
        self._running: Any = None
        self.context = copy_context()

    def pull(self, controller: Any) -> Promise[Any]:
        """Ask for the next item; put it into the stream, or close that."""
        self._controller = controller
        next_value = self._react(self._next(), _identity)
        return self._react(next_value, self._take)

    def _take(self, value: Any) -> None:
        if value is _DONE:
            self._controller._close()
        else:
            self._controller._enqueue(value)

    def _next(self) -> Promise[Any]:
        """Web IDL: "get an async iterator next value"; `_DONE` at the end."""
        promise: Promise[Any] = Promise(self._jobs)
        if self._is_async:
            adopt(promise, _anext(self._iterator), self.context)
            return promise
        try:
            value = next(self._iterator, _DONE)
        except BaseException as error:
            promise._reject(callback_error(error))
        else:
            promise._resolve_with(value)
        return promise

    def cancel(self, reason: object) -> Promise[Any] | None:
        """Web IDL: "close" the iterator: call its ``aclose()`` or ``close()`` if it has one."""
        method = getattr(self._iterator, "aclose" if self._is_async else "close", None)
        if method is None:
            return None
        result = method()
        if not is_awaitable(result):
            return None
        promise: Promise[Any] = Promise(self._jobs)
        adopt(promise, result, self.context)
        return self._react(promise, _ignore)

    def _react(self, promise: Promise[Any], function: Any) -> Promise[Any]:
        derived: Promise[Any] = AlgorithmPromise(self._jobs)
        promise._handled_by(ThenReaction(promise, function, None, derived))
        return derived


def _open(iterable: Any) -> tuple[bool, Any]:
    """Web IDL: "open an async sequence"."""
    if isinstance(iterable, (str, bytes, bytearray, memoryview)):
        raise TypeError(
            f"from_() takes an iterable of chunks, and a {type(iterable).__name__} is most likely one chunk"
        )
    if hasattr(type(iterable), "__aiter__"):
        return True, type(iterable).__aiter__(iterable)
    try:
        return False, iter(iterable)
    except TypeError:
        if hasattr(type(iterable), "__iter__"):
            raise
        raise TypeError(f"from_() needs an async iterable or an iterable, not {type(iterable).__name__}") from None


async def _anext(iterator: AsyncIterator[Any]) -> Any:
    try:
        return await iterator.__anext__()
    except StopAsyncIteration:
        return _DONE


def _identity(value: Any) -> Any:
    return value


def _ignore(_: Any) -> None:
    return None
