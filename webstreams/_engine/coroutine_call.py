"""Coroutine callbacks: each call is an asyncio task that starts at once, as a JavaScript async function does.

asyncio starts a new task in the loop's next turn (only 3.12 and later can do otherwise), and every step of a task
costs a turn. So the first steps are taken here by hand, with the task entered as the current one. The first time that
the loop runs the task, it takes over: from then on it steps the coroutine itself.

A call that ends without a suspension has not used up its task, which the loop will not run before its next turn. If
the call left no trace on it, the next call gets the same task: nobody can tell it from a new one
(`CoroutineCall.completes`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from contextvars import Context
from functools import partial
from sys import getrefcount
from typing import Any, NoReturn
from weakref import getweakrefcount

from .._platform.errors import goes_through, stored_error
from .callback_task import CallbackTask
from .fetching import OwnWait
from .jobs import JobQueue, swap_task
from .promise_state import PromiseState
from .run import Run
from .stepper import RETURNED_NONE, Returned, new_stepper
from .waiter import PromiseWaiter


class CoroutineCall:
    """One call of a coroutine callback, or several one after the other; the "coroutine" that its task runs."""

    __slots__ = (
        "_by_hand",
        "_coroutine",
        "_failure",
        "_finished",
        "_jobs",
        "_references",
        "_send",
        "_stepper",
        "_target",
        "_task",
        "_value",
        "_weak_references",
        "_yielded",
        "context",
        "given",
        "is_spent",
        "run",
    )

    def __init__(self, jobs: JobQueue, context: Context, stepper: Generator[Any, Any, Any] | None = None) -> None:
        self._jobs = jobs
        # The coroutine runs in a copy of the given context.
        self.given = context
        self.context = context.copy()
        # The coroutine, or the asynchronous generator whose items are taken.
        self._coroutine: Any = None
        # The run whose callbacks the coroutine awaits (`_fastpath.driver`), if it is such a one.
        self.run: Run | None = None
        self._stepper = new_stepper() if stepper is None else stepper
        self._send = self._stepper.send
        self._target: PromiseState | None = None
        self._finished = False
        # What the coroutine returned or raised, before there was a target.
        self._value: Any = None
        self._failure: BaseException | None = None
        # What the coroutine yielded last, while its task has not taken over.
        self._yielded: Any = None
        self._by_hand = True
        # No other coroutine can have the task: it was left a trace on, or the loop has run it.
        self.is_spent = False
        task: Any = CallbackTask(self, loop=jobs.loop, context=self.context)
        # asyncio would log about the tasks that a stream leaves behind when its loop is closed.
        task._log_destroy_pending = False
        task.is_touched = False
        # None when the call is finished and the task of no more use.
        self._task: Any = task
        # How many references there are to the task while it is entered, if nobody has kept one.
        self._references = 0
        self._weak_references = getweakrefcount(task)

    # The first steps, by hand.

    def start(self, coroutine: Coroutine[Any, Any, Any], target: PromiseState) -> None:
        """Run the coroutine up to its first suspension; settle `target` as it ends."""
        if self.completes(coroutine):
            self._finish()
            target._fulfill(None)
        else:
            self.settle(target)

    def completes(self, coroutine: Coroutine[Any, Any, Any]) -> bool:
        """Run the coroutine up to its first suspension; whether it has returned None before that.

        If not, `settle` has to be called next.
        """
        self._coroutine = coroutine
        return self.goes_on(coroutine)

    def goes_on(self, coroutine: Coroutine[Any, Any, Any] | None) -> bool:
        """Do the same for what the stepper has begun already, unless the task has taken over."""
        jobs, task = self._jobs, self._task
        assert task is not None
        loop = jobs.loop
        was_busy = jobs.busy
        jobs.busy = True
        previous = swap_task(loop, task)
        if self._references == 0:
            self._references = getrefcount(task)
        try:
            yielded = self.context.run(self._send, coroutine)
        except BaseException as error:
            self.has_raised(error)
            yielded = None
        else:
            if yielded is not RETURNED_NONE:
                self.has_yielded(yielded)
            # Could another coroutine that ran now tell the task from a new one?
            elif (
                task.is_touched
                or getrefcount(task) != self._references
                or getweakrefcount(task) != self._weak_references
                or self.context != self.given
            ):
                self.is_spent = True
        swap_task(loop, previous)
        jobs.busy = was_busy
        return yielded is RETURNED_NONE

    def has_raised(self, error: BaseException) -> None:
        """Note what the coroutine has raised instead."""
        self._failure = error
        self._finished = True

    def has_yielded(self, yielded: Any) -> None:
        """Note what it waits for, or has returned."""
        if type(yielded) is Returned:
            self._finished = True
            self._value = yielded.value
        else:
            self._leave_run()
            self._wait_by_hand(yielded)

    def _leave_run(self) -> None:
        """The callback has suspended, so that the run has ended: the call is that of the one callback from now on."""
        if self.run is not None:
            self._coroutine, self.run = self._coroutine.cr_await, None

    def settle(self, target: PromiseState) -> None:
        """Settle `target` as the coroutine has ended or will end."""
        self._target = target
        if not self._finished:
            assert self._task is not None
            self._jobs.tasks.add(self._task)
            return
        value, failure = self._value, self._failure
        self._value = self._failure = None
        self._finish()
        if failure is None:
            self.context.run(target._resolve_with, value)
            return
        target._reject(stored_error(failure))
        if goes_through(failure):
            # The caller has to see the rejected promise first, to end what it began.
            self._jobs.push(partial(go_through, failure))

    def _wait_by_hand(self, yielded: Any) -> None:
        self._yielded = yielded
        if isinstance(yielded, PromiseWaiter):
            yielded.add_done_callback(self._step_by_hand)

    def _step_by_hand(self, waiter: PromiseWaiter | None = None) -> None:
        loop = self._jobs.loop
        task = self._task
        assert task is not None
        previous = swap_task(loop, task)
        try:
            yielded = self.context.run(self._advance, None)
        finally:
            swap_task(loop, previous)
        if not self._finished:
            self._wait_by_hand(yielded)

    def _advance(self, error: BaseException | None) -> Any:
        """Take one step of the coroutine; give what it yielded, or finish."""
        target = self._target
        assert target is not None
        try:
            yielded = self._send(None) if error is None else self._stepper.throw(error)
        except BaseException as raised:
            self._finish()
            target._reject(stored_error(raised))
            if goes_through(raised):
                raise
            return None
        if type(yielded) is Returned:
            self._finish()
            target._resolve_with(yielded.value)
        return yielded

    def _finish(self) -> None:
        self._finished = True
        task, self._task = self._task, None  # the task refers to its call: no circle may be left
        if task is not None:
            self._jobs.tasks.discard(task)

    @property
    def queue(self) -> JobQueue:
        """The jobs of the loop."""
        return self._jobs

    def cancel(self) -> None:
        """Cancel the task of the call, unless it is finished."""
        if self._task is not None:
            self._task.cancel()

    # What the task calls.

    @property
    def __name__(self) -> str:
        """The name of the callback, for the task's repr."""
        named: Any = self._coroutine
        if self.run is not None:
            named = named.cr_await or self.run.current.function
        return str(getattr(named, "__qualname__", type(named).__name__))

    def send(self, value: None) -> Any:
        """Called by the task for every step: take over first, then step the coroutine."""
        return self._step_of_task(None)

    def throw(self, error: Any, value: Any = None, traceback: Any = None) -> Any:
        """Called by the task to raise `error` (its cancellation) inside the coroutine."""
        return self._step_of_task(error if isinstance(error, BaseException) else error())

    def _step_of_task(self, error: BaseException | None) -> Any:
        if self._target is None or self._finished:
            self.is_spent = self._finished = True
            self._task = None
            raise StopIteration
        if self._by_hand:
            self._by_hand = False
            yielded, self._yielded = self._yielded, None
            if isinstance(yielded, OwnWait):
                self._jobs.tasks.add(self._task)
                yielded = yielded.as_waiter()
            elif isinstance(yielded, PromiseWaiter):
                yielded.detach()
            if error is None or not self._give_up(yielded, error):
                return self._hand_over(yielded)
        yielded = self._advance(error)
        if self._finished:
            raise StopIteration
        return yielded

    def _give_up(self, yielded: Any, error: BaseException) -> bool:
        """Cancel what the coroutine waits for, as the task would; whether the coroutine goes on now."""
        if isinstance(yielded, PromiseWaiter):
            return yielded.give_up(error)
        return not (asyncio.isfuture(yielded) and yielded.cancel())

    def _hand_over(self, yielded: Any) -> Any:
        """Let the task itself wait for what the coroutine waits for."""
        if yielded is not None:
            yielded._asyncio_future_blocking = True
        return yielded

    def close(self) -> None:
        """Called when the task is thrown away."""
        self._stepper.close()

    def __await__(self) -> Any:
        """Only tasks run this object."""
        raise RuntimeError("a coroutine call is run by its own task")


# asyncio takes it for a coroutine. As a base class Coroutine could not be compiled.
Coroutine.register(CoroutineCall)


def start_coroutine(
    jobs: JobQueue, coroutine: Coroutine[Any, Any, Any], context: Context, target: PromiseState
) -> CoroutineCall:
    """Call a coroutine callback in `context`; settle `target` as it ends."""
    call = CoroutineCall(jobs, context)
    call.start(coroutine, target)
    return call


def call_coroutine(jobs: JobQueue, coroutine: Coroutine[Any, Any, Any], context: Context) -> CoroutineCall | None:
    """Call a coroutine callback in a copy of `context`; None if it has completed, else the call, to be settled."""
    spare, jobs.spare_call = jobs.spare_call, None
    call = spare if isinstance(spare, CoroutineCall) else None
    if call is None or call.is_spent or call.given != context:
        call = CoroutineCall(jobs, context)
    if not call.completes(coroutine):
        return call
    if call.is_spent:
        call._finish()
    else:
        jobs.spare_call = call
    return None


def go_through(error: BaseException) -> NoReturn:
    """Raise an interrupt, as a job: it goes on to the event loop."""
    raise error
