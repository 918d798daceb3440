"""What the function of a step has given that has to be waited for: a coroutine, or any other awaitable."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from types import CoroutineType
from typing import Any

from ...._engine.awaiting import hand_over
from ...._engine.coroutine_call import CoroutineCall, call_coroutine
from ...._engine.fetching import Fetching
from ...._engine.jobs import JobQueue
from ...._engine.promise import AlgorithmPromise, Promise, converted
from ...._platform.mypyc import trait
from .marks import WAITING


@trait
class Waiter:
    """Who waits."""

    __slots__ = ()

    def will_wait(self) -> None:
        """Something is not there yet."""
        raise NotImplementedError

    def function_returned(self, result: Any, chunk: Any, index: int) -> None:
        """The function of a step has given this for a chunk."""
        raise NotImplementedError

    def function_failed(self, error: object, index: int) -> None:
        """The function of a step has failed."""
        raise NotImplementedError

    def item_came(self, item: Any) -> None:
        """An awaitable item of an iterator has given this."""
        raise NotImplementedError


class Awaited(Fetching):
    """The one awaitable of a chain that is waited for."""

    __slots__ = ("_call", "_chunk", "_index", "_is_pulling", "_item", "_jobs", "_promise", "_waiter")

    def __init__(self, waiter: Waiter, jobs: JobQueue) -> None:
        self._waiter = waiter
        self._jobs = jobs
        # The chunk that the function was called with, and the index of its step.
        self._chunk: Any = None
        self._index = 0
        self._call: CoroutineCall | None = None
        self._promise: Promise[Any] | None = None
        # What a coroutine hands over that ends at once.
        self._is_pulling = False
        self._item: Any = None

    def result_of(self, awaitable: Any, chunk: Any, index: int, context: Context | None) -> Any:
        """Return the result of a coroutine that ends at once; `WAITING` for any other awaitable."""
        jobs = self._jobs
        self._is_pulling = True
        if type(awaitable) is CoroutineType and context is not None:
            call = call_coroutine(jobs, hand_over(self, awaitable), context)
            if call is None:
                self._is_pulling = False
                item, self._item = self._item, None
                return item
            promise: Promise[Any] = AlgorithmPromise(jobs)
            call.settle(promise)
            self._call = call
        else:
            promise = _promise_of(jobs, awaitable, context)
        self._is_pulling = False
        self._chunk = chunk
        self._wait(promise, index, self._returned)
        return WAITING

    def wait_for_item(self, item: Any, index: int, context: Context | None) -> None:
        """Wait for an awaitable item of what the function of a step has given."""
        self._wait(_promise_of(self._jobs, item, context), index, self._came)

    def cancel(self) -> Promise[Any] | None:
        """Cancel a call that is under way; return what is fulfilled when it has ended, if there is one."""
        if self._call is None or self._promise is None:
            return None
        settled: Promise[Any] = Promise(self._jobs)
        self._promise._react(settled._fulfill, settled._fulfill)
        self._call.cancel()
        return settled

    def _wait(self, promise: Promise[Any], index: int, then: Callable[[Any], None]) -> None:
        self._index = index
        self._waiter.will_wait()
        self._promise = promise
        promise._react(then, self._failed)

    def _take(self) -> Any:
        chunk = self._chunk
        self._chunk = self._call = self._promise = None
        return chunk

    def _returned(self, result: Any) -> None:
        chunk = self._take()
        self._waiter.function_returned(result, chunk, self._index)

    def _came(self, item: Any) -> None:
        self._take()
        self._waiter.item_came(item)

    def _failed(self, error: object) -> None:
        self._take()
        self._waiter.function_failed(error, self._index)


def _promise_of(jobs: JobQueue, awaitable: Any, context: Context | None) -> Promise[Any]:
    promise = converted(jobs, awaitable, context)
    assert promise is not None
    return promise
