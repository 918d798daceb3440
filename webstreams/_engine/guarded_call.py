"""What stands around a call of a function of ``map()``: a limiter, a time limit, an executor, an answer to errors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from .._platform.stages import stage_name
from .promise import is_awaitable


class GuardedCall:
    """A coroutine function that calls another one."""

    __slots__ = ("_executor", "_function", "_limiter", "_on_error", "_timeout", "stage_name")

    def __init__(
        self,
        function: Callable[[Any], Any],
        timeout: float | None,
        limiter: AbstractAsyncContextManager[Any] | None,
        executor: Executor | None,
        on_error: Callable[[Exception, Any], Any] | None,
    ) -> None:
        # What errors say that they arose in.
        self.stage_name: Final = stage_name(function)
        self._function = function
        self._timeout = timeout
        self._limiter = limiter
        self._executor = executor
        self._on_error = on_error

    async def __call__(self, chunk: Any) -> Any:
        """Call the function; what it raises is answered by `on_error`, if there is one."""
        try:
            if self._limiter is None:
                return await self._call_in_time(chunk)
            async with self._limiter:
                return await self._call_in_time(chunk)
        except Exception as error:
            if self._on_error is None:
                raise
            return await _result_of(self._on_error(error, chunk))

    async def _call_in_time(self, chunk: Any) -> Any:
        if self._timeout is None:
            return await self._call(chunk)
        limit = asyncio.timeout(self._timeout)
        try:
            async with limit:
                return await self._call(chunk)
        except TimeoutError as error:
            if limit.expired() and not error.args:
                error.args = (f"the call took longer than its timeout of {self._timeout} seconds",)
            raise

    async def _call(self, chunk: Any) -> Any:
        if self._executor is None:
            return await _result_of(self._function(chunk))
        return await _call_in_executor(self._executor, self._function, chunk)


async def _result_of(result: Awaitable[Any] | Any) -> Any:
    return await result if is_awaitable(result) else result


async def _call_in_executor(executor: Executor, function: Callable[[Any], Any], chunk: Any) -> Any:
    """Wait for a call in another process or thread, to its end: a call that has begun cannot be cancelled there."""
    future = executor.submit(function, chunk)
    waiting = asyncio.wrap_future(future)
    try:
        return await asyncio.shield(waiting)
    except asyncio.CancelledError:
        if not future.cancel():
            await _ended(waiting)
        raise


async def _ended(waiting: asyncio.Future[Any]) -> None:
    while not waiting.done():
        try:
            await asyncio.wait([waiting])
        except asyncio.CancelledError:
            pass  # raised already; there is nothing else to wait for
    if not waiting.cancelled():
        waiting.exception()  # nobody else looks at it
