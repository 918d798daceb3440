"""Leaving a stream whose reader does not wait for others."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

from ..._engine.jobs import JobQueue
from ..._engine.promise import Promise
from ..._platform.errors import AbortError

R = TypeVar("R")

# How streams are cancelled (`JobQueue.leaving`): as the Standard says (0); without waiting for the other branch of a
# tee; and besides, because a task was cancelled, with the pipe that feeds the stream, which waits for no write.
LEAVES: Final = 1
ENDS: Final = 2


def reading_was_cancelled() -> AbortError:
    """Return the reason that the source is given when the task that reads was cancelled."""
    return AbortError("the task that read the stream was cancelled")


def leave_with(jobs: JobQueue, how: int, cancel: Callable[[object], R], reason: object) -> R:
    """Call what cancels streams; all that it reaches at once is cancelled in this way.

    # Python: a promise of the Standard may stay pending for ever, as that of the cancellation of one branch of a tee
    # does, until the other one is cancelled. A cancelled task, and whoever leaves a block, must not wait for that.
    """
    before, jobs.leaving = jobs.leaving, max(jobs.leaving, how)
    try:
        return cancel(reason)
    finally:
        jobs.leaving = before


def end_feeder(cancelling: Promise[None], feeder: Any, reason: object) -> Promise[None]:
    """End the pipe that feeds a stream which is being cancelled, too; return the promise for the cancellation.

    That is not rejected with what the other side of the pair is aborted with by this.
    """
    error = reading_was_cancelled() if reason is None else reason
    result: Promise[None] = Promise(cancelling._jobs)
    feeder.end_with(error)
    cancelling._react(result._fulfill, partial(_take_rejection, result, error))
    return result


def _take_rejection(result: Promise[None], expected: object, error: object) -> None:
    if error is expected:
        result._fulfill(None)
    else:
        result._reject(error)
