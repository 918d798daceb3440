"""What a task waits for when it awaits a promise."""

from __future__ import annotations

from asyncio import AbstractEventLoop, CancelledError
from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import Any

from .._platform.mypyc import mypyc_attr
from .interrupts import is_in_sigint_handler
from .promise_state import PromiseState


@mypyc_attr(free_list_len=1)
class PromiseWaiter:
    """One ``await`` of a promise: what the awaiting coroutine yields to its task, which takes it for a future."""

    __slots__ = (
        "_asyncio_future_blocking",
        "_callback",
        "_cancellation",
        "_context",
        "_is_interrupted",
        "_promise",
        "ready",
    )

    def __init__(self, promise: PromiseState) -> None:
        self._asyncio_future_blocking = True
        self._promise = promise
        self._callback: Callable[[Any], object] | None = None
        self._context: Context | None = None
        self._cancellation: BaseException | None = None
        # It was cancelled by a signal, which has not been acted upon.
        self._is_interrupted = False
        # Its turn came while the task was not suspended (JobQueue.run_until).
        self.ready = False

    def __call__(self) -> None:
        """Let the awaiting task go on: the reaction."""
        callback = self._callback
        if callback is None:
            self.ready = True
            return
        self._callback = None
        if self._context is None:
            callback(self)
        else:
            self._promise._jobs.step_task(callback, self, self._context)

    def add_done_callback(self, callback: Callable[[Any], object], *, context: Context | None = None) -> None:
        """Called by the task, or by the CoroutineCall without a context: how to go on."""
        self._callback = callback
        self._context = context
        if self.ready:
            self._promise._jobs.push(self)

    def detach(self) -> None:
        """Called by the CoroutineCall whose task takes over."""
        self._callback = None

    def give_up(self, error: BaseException) -> bool:
        """Called by the CoroutineCall whose task was cancelled before it took over; whether it goes on now."""
        self._cancellation = error
        return self._promise._drop_waiter(self)

    def cancel(self, msg: Any = None) -> bool:
        """Called by a task that is cancelled while it waits: it goes on by a job of its own.

        A second cancellation ends the waiting for what the first one has begun to end.
        """
        if self._callback is None:
            return False
        is_first = self._cancellation is None
        if is_first:
            self._cancellation = CancelledError() if msg is None else CancelledError(msg)
        if is_in_sigint_handler():
            # Anything may be half done: nothing else is touched before the event loop has its turn.
            self._is_interrupted = True
            self._promise._jobs.loop.call_soon(self._end_interrupted)
        else:
            self._give_way(is_first)
        return True

    def _end_interrupted(self) -> None:
        if self._is_interrupted:
            self._is_interrupted = False
            if self._callback is not None:
                self._give_way(is_first=True)

    def _give_way(self, is_first: bool) -> None:
        """Let the task go on, now or when the promise says so."""
        promise = self._promise
        promise._jobs.leave_run()
        promise._jobs.task_was_cancelled()
        if is_first:
            goes_on = promise._drop_waiter(self)
        else:
            promise._forget_waiter(self)
            goes_on = True
        if goes_on and self._callback is not None:
            promise._jobs.push(partial(self._wake_cancelled, self._callback))
            self._callback = None

    def _wake_cancelled(self, callback: Callable[[Any], object]) -> None:
        self._callback = callback
        self()

    def result(self) -> None:
        """Called by the task when it goes on: raises if it was cancelled."""
        if self._cancellation is not None:
            if self._is_interrupted:
                self._is_interrupted = False
                self._promise._drop_waiter(self)
            raise self._cancellation

    def get_loop(self) -> AbstractEventLoop:
        """Called by the task, which refuses to wait for another loop's promise."""
        return self._promise._jobs.loop

    def __repr__(self) -> str:
        """Show the promise: the ``repr()`` of a task shows what it waits for."""
        return f"<PromiseWaiter for {self._promise!r}>"
