"""A stream of deliveries that goes on after its connection was lost: a new one is opened, with a pause before it."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from inspect import isawaitable
from typing import Any, Generic, TypeAlias

from typing_extensions import TypeVar

from .._platform.arguments import checked_seconds, checked_size
from .._platform.idl import refuse_constructor
from .._streams.readable.controller import ReadableStreamDefaultController
from .._streams.readable.operators.checks import require_plain_function
from .._streams.readable.reader import ReadableStreamDefaultReader
from .._streams.readable.stream import ReadableStream
from ._source import Deliveries

__all__ = ["Opening", "ResilientStream", "exponential_backoff", "resilient"]

T = TypeVar("T", default=Any)
T_co = TypeVar("T_co", default=Any, covariant=True)

Opening: TypeAlias = Awaitable[ReadableStream[T]] | AbstractAsyncContextManager[ReadableStream[T]]

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
) -> ResilientStream[T]:
    """Make a stream that is opened again when it is errored.

    `factory` opens a connection and gives a stream: a coroutine function, or a function that gives an async context
    manager, which is left before the next one is entered (it closes the connection). It is called at the first read.
    When it fails, or its stream is errored, ``backoff(attempt)`` seconds are waited and it is called again; `attempt`
    counts from 1, and starts anew after a chunk. Each failure is logged as a warning (logger ``webstreams.brokers``).

    After `attempts` failures in a row (None: never), and for an error that ``retry(error)`` does not want to be tried
    again (by default only `TypeError` and `ValueError`: mistakes of the program), the stream is errored with it. When
    the inner stream ends, so does this one, and its connection is closed when its deliveries are settled; cancelling
    it cancels that. Nothing is read ahead. ``drain()`` ends it in good order, at any moment.

    Messages that were on their way when a connection was lost are delivered again: at least once, not exactly once.

    Raises `TypeError` for a function that cannot be called, a `backoff` or `retry` that is a coroutine function, and
    `attempts` other than an integer, `ValueError` for `attempts` below 1. Not in the Standard.

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
    require_plain_function(backoff, "backoff")
    if attempts is not None:
        checked_size(attempts, "attempts", 1)
    if retry is not None:
        require_plain_function(retry, "retry")
    return ResilientStream(_ResilientSource(factory, backoff, attempts, retry or _is_worth_trying))


def _required_stream(stream: Any) -> ReadableStream[Any]:
    if not isinstance(stream, ReadableStream):
        raise TypeError(f"the factory of resilient() must open a ReadableStream, not {type(stream).__name__}")
    return stream


def _is_worth_trying(error: Exception) -> bool:
    return not isinstance(error, TypeError | ValueError)


class ResilientStream(ReadableStream[T_co]):
    """A readable stream over one connection after the other. `resilient` makes it. Not in the Standard."""

    __slots__ = ("_source",)

    def __init__(self, source: _ResilientSource[T_co]) -> None:
        if not isinstance(source, _ResilientSource):
            raise refuse_constructor("ResilientStream", "resilient() returns one")
        self._source = source
        super().__init__(source, {"high_water_mark": 0})

    async def drain(self, seconds: float = 30.0) -> None:
        """Stop in good order, whatever the stream is busy with: for a program that is told to stop.

        The deliveries of a connection that is open are finished (``drain()`` of a `Deliveries`, to which `seconds`
        belong); an inner stream of another kind is cancelled. What is about to be opened is given up, and after a call
        nothing is opened any more: a stream without a connection closes at once, and so does one whose connection is
        lost while it is drained. Done when the stream is closed and the connection, too. The stream may be locked.
        Raises `TypeError` and `ValueError`, and does nothing, unless `seconds` is a non-negative number.
        """
        checked_seconds(seconds, "seconds")
        await self._source.drain(seconds)


class _ResilientSource(Generic[T]):
    """The underlying source over one stream after the other."""

    # What errors are said to arise in.
    stage_name = "resilient()"

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
        # How long to wait before the next connection is opened (seconds).
        self._pause = 0.0
        self._stack = AsyncExitStack()
        self._stream: ReadableStream[T] | None = None
        self._reader: ReadableStreamDefaultReader[T] | None = None
        self._opening: asyncio.Task[ReadableStream[T]] | None = None
        # Held by who reads or opens, and by who closes after that.
        self._turn = asyncio.Lock()
        # Nothing is to be opened any more; and the stream is closed, cancelled or errored.
        self._is_ending = False
        self._is_over = False
        self._controller: ReadableStreamDefaultController[T]

    # What the stream calls.

    def start(self, controller: ReadableStreamDefaultController[T]) -> None:
        """Open nothing yet."""
        self._controller = controller

    async def pull(self, controller: ReadableStreamDefaultController[T]) -> None:
        """Return the next chunk, over as many connections as it takes."""
        async with self._turn:
            try:
                while not await self._has_pulled():
                    self._pause = 0.0 if self._is_ending else self._next_pause()
            except BaseException:
                self._is_over = True
                raise

    async def cancel(self, reason: object) -> None:
        """End the stream of now, and close its connection."""
        self._is_over = True
        self._open_no_more()
        try:
            if self._reader is not None:
                await self._reader.cancel(reason)
        finally:
            async with self._turn:
                await self._close()

    async def drain(self, seconds: float) -> None:
        """End the stream of now in good order, close its connection, and open none any more."""
        self._open_no_more()
        try:
            if isinstance(self._stream, Deliveries):
                await self._stream.drain(seconds)
            elif self._reader is not None:
                await self._reader.cancel("it was drained")
        finally:
            async with self._turn:
                self._end()
                await self._close()

    def _open_no_more(self) -> None:
        self._is_ending = True
        if self._opening is not None:
            self._opening.cancel()

    def _end(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._controller.close()

    # Reading.

    async def _has_pulled(self) -> bool:
        try:
            reader = self._reader or await self._connect()
            result = await reader.read() if reader is not None else None
        except Exception as error:
            await self._close()
            self._count(error)
            return False
        self._failures = 0
        if self._is_over:
            return True
        if result is None or result.done:
            self._end()
            await self._leave()
        else:
            self._controller.enqueue(result.value)
        return True

    async def _leave(self) -> None:
        """The inner stream has ended: close its connection, but not before its deliveries are settled."""
        if isinstance(self._stream, Deliveries):
            await self._stream.parted()
        await self._close()

    # Connections.

    async def _connect(self) -> ReadableStreamDefaultReader[T] | None:
        """Open a stream and return its reader; None if nothing is to be opened any more."""
        if self._is_ending:
            return None
        opening = self._opening = asyncio.get_running_loop().create_task(self._open_after_pause())
        try:
            await asyncio.wait([opening])
        finally:
            opening.cancel()
        return await self._opened(opening)

    async def _opened(self, opening: asyncio.Task[ReadableStream[T]]) -> ReadableStreamDefaultReader[T] | None:
        if self._is_ending:
            if not opening.cancelled() and opening.exception() is None:
                await opening.result().cancel()
            await self._close()
            return None
        if opening.cancelled():
            raise ConnectionError("the client has cancelled the opening of a connection")
        self._stream = opening.result()
        self._reader = self._stream.get_reader()
        return self._reader

    def _next_pause(self) -> float:
        return checked_seconds(self._backoff(self._failures), "what backoff() returns", finite=True)

    async def _open_after_pause(self) -> ReadableStream[T]:
        await asyncio.sleep(self._pause)
        opening = self._factory()
        if isinstance(opening, AbstractAsyncContextManager):
            return _required_stream(await self._stack.enter_async_context(opening))
        if not isawaitable(opening):
            raise TypeError(
                "the factory of resilient() must be a coroutine function, or give an async context manager, not "
                f"{type(opening).__name__}"
            )
        return _required_stream(await opening)

    async def _close(self) -> None:
        self._reader = self._stream = self._opening = None
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
        what = "not opened again, for it is drained" if self._is_ending else "opened again"
        _log.warning("the stream was lost and is %s (failure %d in a row): %r", what, self._failures, error)
