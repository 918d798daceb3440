"""What follows a callback of the user's that is called for every chunk: it returned, or it failed.

The Standard reacts to the promise of pull(), write() and transform(). Here most calls make no promise: the job that the
reaction would be is queued instead, as many jobs later as there are promises between (`COMPLETED_TICKS`).
"""

from __future__ import annotations

from abc import abstractmethod
from contextvars import Context
from functools import partial
from types import CoroutineType
from typing import Any, Final

from .._platform.errors import stored_error
from .._platform.mypyc import mypyc_attr, trait
from .coroutine_call import CoroutineCall, call_coroutine
from .delay import after
from .jobs import Job, JobQueue
from .promise import CallbackPromise, Promise, converted, follow

# Returned by an algorithm that itself queues, as a job, what the Standard does when the algorithm's promise is settled.
DEFERRED: Final = object()

# The outcome of a coroutine callback that has completed without a suspension.
COMPLETED: Final[Any] = object()
# What reacts to a completed coroutine comes so many jobs later than what reacts to a plain return. Web IDL resolves a
# new promise with that of the coroutine, which takes two jobs:
#   1. NewPromiseResolveThenableJob calls then() of the coroutine's promise, which is fulfilled already;
#   2. the reaction to that promise fulfills the new one.
COMPLETED_TICKS: Final = 2


@trait
@mypyc_attr(allow_interpreted_subclasses=True)
class CallsBack:
    """What calls such a callback: the controllers of both kinds of streams, and the sink of a transform stream.

    What it does next is `_callback_fulfilled` or `_callback_rejected`, each as a job.
    """

    __slots__ = ()

    @abstractmethod
    def _after_return(self) -> Job:
        """Return the job that follows a plain return: always an equal one, or no trace is found (`_fastpath`)."""

    @abstractmethod
    def _after_completion(self) -> Job:
        """Return the job that follows a completed coroutine: always the same one (`completion_of`)."""

    def _callback_waits(self, call: CoroutineCall | None) -> None:
        """The callback has returned a promise, or a coroutine that is suspended: the call of that."""

    @abstractmethod
    def _callback_fulfilled(self, _: Any = None) -> None:
        """The callback is done."""

    @abstractmethod
    def _callback_rejected(self, reason: object) -> None:
        """The callback has failed."""


def callback_returned(caller: CallsBack, jobs: JobQueue, outcome: Any) -> None:
    """React to what a callback returned (`outcome_of`)."""
    if outcome is None:
        jobs.push(caller._after_return())
    elif outcome is COMPLETED:
        jobs.push(caller._after_completion())
    else:
        caller._callback_waits(call_of(outcome))
        outcome._react(caller._callback_fulfilled, caller._callback_rejected)


def callback_failed(caller: CallsBack, jobs: JobQueue, error: BaseException) -> None:
    """React to what a callback raised."""
    jobs.push(partial(caller._callback_rejected, stored_error(error)))


def completion_of(jobs: JobQueue, job: Job) -> Job:
    """Return what runs a job as many jobs later as a completed coroutine takes."""
    return after(jobs, COMPLETED_TICKS, job)


def outcome_of(jobs: JobQueue, result: Any, context: Context | None) -> Any:
    """Convert a callback's result, as `converted` does; `COMPLETED` for a coroutine that has returned None at once.

    # Python: no promises are made for that one.
    """
    if type(result) is not CoroutineType or context is None:
        return COMPLETED if result is COMPLETED else converted(jobs, result, context)
    call = call_coroutine(jobs, result, context)
    if call is None:
        return COMPLETED
    source: Promise[Any] = Promise(jobs)
    call.settle(source)
    promise: CallbackPromise[Any] = CallbackPromise(jobs)
    promise.call = call
    jobs.push(partial(follow, promise, source))
    return promise


def call_of(outcome: Any) -> CoroutineCall | None:
    """Return the call of a coroutine that is under way, of what `converted` or `outcome_of` returned."""
    return outcome.call if type(outcome) is CallbackPromise else None
