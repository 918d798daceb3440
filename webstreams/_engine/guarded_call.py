"""What stands around a call of a function of ``map()``: a limiter, a time limit, an executor, an answer to errors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from typing import Any, Final

from .._platform.errors import call
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
            return await _result_of(call(self._on_error, error, chunk))

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
            return await _result_of(call(self._function, chunk))
        return await _call_in_executor(self._executor, self._function, chunk)


async def _result_of(result: Awaitable[Any] | Any) -> Any:
    return await result if is_awaitable(result) else result


async def _call_in_executor(executor: Executor, function: Callable[[Any], Any], chunk: Any) -> Any:
    """Wait for a call in another process or thread, to its end: a call that has begun cannot be cancelled there."""
    future = executor.submit(function, chunk)
    loop = asyncio.get_running_loop()
    # Not asyncio.wrap_future(): that waits for ever when the function has raised StopIteration.
    ended = loop.create_future()
    future.add_done_callback(partial(_tell, loop, ended))
    try:
        await asyncio.shield(ended)
    except asyncio.CancelledError:
        if not future.cancel():
            await _wait_for(ended)
        raise
    return call(future.result)


def _tell(loop: asyncio.AbstractEventLoop, ended: asyncio.Future[None], _: object) -> None:
    """Say from another thread that a call has ended."""
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(_set_done, ended)


def _set_done(ended: asyncio.Future[None]) -> None:
    if not ended.done():
        ended.set_result(None)


async def _wait_for(ended: asyncio.Future[None]) -> None:
    while not ended.done():
        try:
            await asyncio.wait([ended])
        except asyncio.CancelledError:
            pass  # raised already; there is nothing else to wait for
