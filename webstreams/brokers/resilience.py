"""A stream of deliveries that goes on after its connection was lost: a new one is opened, with a pause before it."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, Generic, TypeAlias

from typing_extensions import TypeVar

from .._streams.readable.controller import ReadableStreamDefaultController
from .._streams.readable.reader import ReadableStreamDefaultReader
from .._streams.readable.stream import ReadableStream
from ._source import Deliveries

__all__ = ["Opening", "exponential_backoff", "resilient"]

T = TypeVar("T", default=Any)

Opening: TypeAlias = "Awaitable[ReadableStream[T]] | AbstractAsyncContextManager[ReadableStream[T]]"

_log = logging.getLogger("webstreams.brokers")


def exponential_backoff(attempt: int) -> float:
    """Return the seconds to wait before attempt number `attempt` (from 1): about 0.1, 0.2, 0.4 and so on, at most 30,
    each between the half and the whole of it, so that many programs do not come back at the same moment.

    >>> 0.05 <= exponential_backoff(1) <= 0.1 and 15 <= exponential_backoff(100) <= 30
    True
    """
    return min(30.0, 0.1 * 2.0 ** min(attempt - 1, 20)) * random.uniform(0.5, 1.0)


def resilient(
    factory: Callable[[], Opening[T]],
    *,
    backoff: Callable[[int], float] = exponential_backoff,
    attempts: int | None = None,
    retry: Callable[[Exception], bool] | None = None,
) -> ReadableStream[T]:
    """Make a stream that is opened again when it is errored.

    `factory` opens a connection and gives a stream: a coroutine function, or a function that gives an async context
    manager, which is left before the next one is entered (it closes the connection). It is called at the first read.
    When it fails, or its stream is errored, ``backoff(attempt)`` seconds are waited and it is called again; `attempt`
    counts from 1, and starts anew after a chunk. Each failure is logged as a warning (logger ``webstreams.brokers``).

    After `attempts` failures in a row (None: never), and for an error that ``retry(error)`` does not want to be tried
    again (by default only `TypeError` and `ValueError`: mistakes of the program), the stream is errored with it. When
    the inner stream ends, so does this one, and its connection is closed when its deliveries are settled; cancelling
    it cancels that. Nothing is read ahead.

    Messages that were on their way when a connection was lost are delivered again: at least once, not exactly once.

    Raises `TypeError` for a `factory` that cannot be called. Not in the Standard.

    >>> async def main() -> None:
    ...     tries = iter([ConnectionError("the broker is away"), None])
    ...     async def open_stream() -> ReadableStream[str]:
    ...         if error := next(tries):
    ...             raise error
    ...         return ReadableStream.from_(["a message"])
    ...     async for message in resilient(open_stream, backoff=lambda attempt: 0):
    ...         print(message)
    >>> logging.getLogger("webstreams.brokers").setLevel(logging.ERROR)
    >>> asyncio.run(main())
    a message
    >>> logging.getLogger("webstreams.brokers").setLevel(logging.NOTSET)
    """
    if not callable(factory):
        raise TypeError(f"resilient() needs a function that opens a stream, not {type(factory).__name__}")
    source = _ResilientSource(factory, backoff, attempts, retry or _is_worth_trying)
    return ReadableStream(source, {"high_water_mark": 0})


def _is_worth_trying(error: Exception) -> bool:
    return not isinstance(error, TypeError | ValueError)


class _ResilientSource(Generic[T]):
    """The underlying source over one stream after the other."""

    def __init__(
        self,
        factory: Callable[[], Opening[T]],
        backoff: Callable[[int], float],
        attempts: int | None,
        retry: Callable[[Exception], bool],
    ) -> None:
        self._factory = factory
        self._backoff = backoff
        self._attempts = attempts
        self._retry = retry
        self._failures = 0
        self._stack = AsyncExitStack()
        self._stream: ReadableStream[T] | None = None
        self._reader: ReadableStreamDefaultReader[T] | None = None
        self._pulling: asyncio.Task[Any] | None = None
        self._is_cancelled = False

    async def pull(self, controller: ReadableStreamDefaultController[T]) -> None:
        """Return the next chunk, over as many connections as it takes."""
        self._pulling = asyncio.current_task()
        try:
            while not await self._has_pulled(controller):
                await asyncio.sleep(self._backoff(self._failures))
        finally:
            self._pulling = None

    async def cancel(self, reason: object) -> None:
        """End the stream of now, and close its connection."""
        self._is_cancelled = True
        if self._reader is not None:
            await self._reader.cancel(reason)
        if self._pulling is not None:
            self._pulling.cancel()
            await asyncio.wait([self._pulling])
        await self._close()

    async def _has_pulled(self, controller: ReadableStreamDefaultController[T]) -> bool:
        try:
            if self._reader is None:
                self._stream = await self._open()
                self._reader = self._stream.get_reader()
            result = await self._reader.read()
        except Exception as error:
            await self._close()
            self._count(error)
            return False
        self._failures = 0
        if self._is_cancelled:
            return True
        if result.done:
            controller.close()
            await self._leave()
        else:
            controller.enqueue(result.value)
        return True

    async def _leave(self) -> None:
        """The inner stream has ended: close its connection, but not before its deliveries are settled."""
        if isinstance(self._stream, Deliveries):
            await self._stream.parted()
        await self._close()

    async def _open(self) -> ReadableStream[T]:
        opening = self._factory()
        if isinstance(opening, AbstractAsyncContextManager):
            return await self._stack.enter_async_context(opening)
        return await opening

    async def _close(self) -> None:
        self._reader = self._stream = None
        stack, self._stack = self._stack, AsyncExitStack()
        try:
            await stack.aclose()
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            # A client may also raise the cancellation of a task of its own.
            _log.warning("closing a lost connection failed: %r", error)

    def _count(self, error: Exception) -> None:
        """Count a failure; raise it if it is the last one."""
        self._failures += 1
        if self._failures == self._attempts or not self._retry(error):
            raise error
        _log.warning("the stream was lost and is opened again (failure %d in a row): %r", self._failures, error)
