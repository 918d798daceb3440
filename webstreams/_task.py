"""Coroutine callbacks: each call is an asyncio task that starts at once, as a JavaScript async function does.

asyncio starts a new task in the loop's next turn (only 3.12 and later can do otherwise), and every step of a task
costs a turn. So the first steps are taken here by hand, with the task entered as the current one. The first time that
the loop runs the task, it takes over: from then on it steps the coroutine itself.
"""

from __future__ import annotations

import asyncio
from asyncio import Task
from asyncio import _enter_task as enter_task  # documented in "Extending asyncio"
from asyncio import _leave_task as leave_task
from collections.abc import Coroutine
from contextvars import Context
from functools import partial
from typing import Any, NoReturn, Protocol

from ._errors import goes_through, stored_error
from ._jobs import JobQueue


class Target(Protocol):
    """The promise of an async function."""

    def _resolve_with(self, value: Any) -> None: ...
    def _reject(self, reason: object) -> None: ...


class ByHandWaiter(Protocol):
    """What a coroutine yields when it awaits one of our promises (`_promise.PromiseWaiter`)."""

    _asyncio_future_blocking: bool

    def add_done_callback(self, callback: Any, *, context: Context | None = None) -> None: ...
    def detach(self) -> None: ...


class CoroutineCall(Coroutine[Any, Any, None]):
    """One call of a coroutine callback; the "coroutine" that its task runs."""

    __slots__ = ("_by_hand", "_context", "_coroutine", "_finished", "_jobs", "_target", "_task", "_yielded")

    def __init__(self, jobs: JobQueue, coroutine: Coroutine[Any, Any, Any], context: Context, target: Target) -> None:
        self._jobs = jobs
        self._coroutine = coroutine
        self._context = context
        self._target = target
        self._finished = False
        # What the coroutine yielded last, while its task has not taken over.
        self._yielded: Any = None
        self._by_hand = True
        task: Task[None] = Task(self, loop=jobs.loop, context=context)
        # asyncio would log about the tasks that a stream leaves behind when its loop is closed.
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        # None when the call is finished.
        self._task: Task[None] | None = task

    def start(self) -> None:
        """Run the coroutine up to its first suspension."""
        jobs = self._jobs
        assert self._task is not None
        jobs.tasks.add(self._task)
        was_busy = jobs.busy
        jobs.busy = True
        try:
            self._step_by_hand()
        except (KeyboardInterrupt, SystemExit) as error:
            # The caller has to see the rejected promise first, to end what it began.
            jobs.push(partial(_go_through, error))
        finally:
            jobs.busy = was_busy

    def _step_by_hand(self, waiter: ByHandWaiter | None = None) -> None:
        loop = self._jobs.loop
        task = self._task
        assert task is not None
        current = asyncio.current_task(loop)
        if current is not None:
            leave_task(loop, current)
        enter_task(loop, task)
        try:
            yielded = self._context.run(self._advance, None)
        finally:
            leave_task(loop, task)
            if current is not None:
                enter_task(loop, current)
        if self._finished:
            return
        self._yielded = yielded
        if hasattr(yielded, "detach"):
            yielded.add_done_callback(self._step_by_hand)

    def _advance(self, error: BaseException | None) -> Any:
        """Take one step of the coroutine; give what it yielded, or finish."""
        try:
            return self._coroutine.send(None) if error is None else self._coroutine.throw(error)
        except StopIteration as stop:
            self._finish()
            self._target._resolve_with(stop.value)
        except BaseException as raised:
            self._finish()
            self._target._reject(stored_error(raised))
            if goes_through(raised):
                raise
        return None

    def _finish(self) -> None:
        self._finished = True
        task, self._task = self._task, None  # the task refers to its call: no circle may be left
        if task is not None:
            self._jobs.tasks.discard(task)

    def cancel(self) -> None:
        """Cancel the task of the call, unless it is finished."""
        if self._task is not None:
            self._task.cancel()

    async def wait(self) -> None:
        """Wait until the task of the call is done."""
        if self._task is not None:
            await asyncio.wait([self._task])

    # What the task calls.

    @property
    def __name__(self) -> str:
        """The name of the callback, for the task's repr."""
        return str(getattr(self._coroutine, "__qualname__", type(self._coroutine).__name__))

    def send(self, value: None) -> Any:
        """Called by the task for every step: take over first, then step the coroutine."""
        return self._step_of_task(None)

    def throw(self, error: Any, value: Any = None, traceback: Any = None) -> Any:
        """Called by the task to raise `error` (its cancellation) inside the coroutine."""
        return self._step_of_task(error if isinstance(error, BaseException) else error())

    def _step_of_task(self, error: BaseException | None) -> Any:
        if self._by_hand and not self._finished:
            self._by_hand = False
            yielded, self._yielded = self._yielded, None
            if hasattr(yielded, "detach"):
                yielded.detach()
            if error is None or not self._give_up(yielded, error):
                return self._hand_over(yielded)
        if not self._finished:
            yielded = self._advance(error)
        if self._finished:
            raise StopIteration
        return yielded

    def _give_up(self, yielded: Any, error: BaseException) -> bool:
        """Cancel what the coroutine waits for, as the task would; whether the coroutine goes on now."""
        if hasattr(yielded, "give_up"):
            return bool(yielded.give_up(error))
        return not (asyncio.isfuture(yielded) and yielded.cancel())

    def _hand_over(self, yielded: Any) -> Any:
        """Let the task itself wait for what the coroutine waits for."""
        if yielded is not None:
            yielded._asyncio_future_blocking = True
        return yielded

    def close(self) -> None:
        """Called when the task is thrown away."""
        self._coroutine.close()

    def __await__(self) -> Any:
        """Only tasks run this object."""
        raise RuntimeError("a coroutine call is run by its own task")


def _go_through(error: BaseException) -> NoReturn:
    raise error
