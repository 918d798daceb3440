"""What ends a chain without a stream behind it: ``for_each()`` and ``reduce()``."""

from __future__ import annotations

from functools import partial
from typing import Any

from ...._debug.repr import summary
from ...._engine.jobs import Job
from ...._engine.loop_end import UnderWay
from ...._engine.promise import Promise
from ...._engine.promise_state import PENDING
from ...._platform.errors import AbortError, LoopEndedError
from ..leaving import ENDS, leave_with
from .chain import Chain
from .receiver import Receiver
from .steps import ReduceStep


class EndPromise(Promise[Any]):
    """The promise for the end: cancelling the only task that awaits it cancels the stream, and waits for that."""

    __slots__ = ("_drain",)

    def __init__(self, drain: Drain) -> None:
        super().__init__(drain.chain.jobs)
        self._drain = drain

    def _origin(self) -> tuple[object, ...]:
        return (f"{self._drain.method}() of", self._drain.chain.root)

    def _drop_waiter(self, waiter: Job) -> bool:
        if self._reactions is not waiter or self._state != PENDING:
            return super()._drop_waiter(waiter)
        self._mark_handled()
        end = partial(self._drain.stop, AbortError(f"the task that awaited {self._drain.method}() was cancelled"))
        if self._jobs.is_running():
            end()
        else:
            self._jobs.push(end)  # asyncio cancels all tasks before it runs the loop for the last time
        return False


class Drain(Receiver):
    """Reads a chain to its end; what comes out is of no interest."""

    __slots__ = ("_is_stopped", "_reduction", "_registration", "chain", "method", "promise")

    def __init__(self, chain: Chain, method: str, reduction: ReduceStep | None = None) -> None:
        self.chain = chain
        self.method = method
        self._reduction = reduction
        self.promise = EndPromise(self)
        self._is_stopped = False
        # How the end of the event loop knows of it.
        self._registration: object = UnderWay(self, chain.jobs.end.pipes)

    def start(self) -> Promise[Any]:
        """Begin; return the promise for the end."""
        self.chain.give_to(self)
        self.chain.ask()
        return self.promise

    def take_chunk(self, chunk: Any) -> None:
        """See `Receiver`."""
        self.chain.ask()

    def take_end(self) -> None:
        """See `Receiver`."""
        self._registration = None
        if self.promise._state == PENDING:
            self.promise._fulfill(None if self._reduction is None else self._reduction.result)

    def take_error(self, error: object) -> None:
        """See `Receiver`."""
        self._registration = None
        if self.promise._state == PENDING:
            self.promise._reject(error)

    def stop(self, reason: AbortError) -> None:
        """Cancel everything; the promise is settled when that is done."""
        if self._is_stopped:
            return
        self._is_stopped = True
        cancelling = leave_with(self.chain.jobs, ENDS, self.chain.cancel, reason)
        if cancelling is None:
            self.take_error(reason)
        else:
            cancelling._react(partial(self._stopped, reason), partial(self._stopped, reason))

    def _cut_off(self, error: LoopEndedError, is_late: bool) -> Promise[Any] | None:
        """The event loop has ended."""
        if self.promise._state != PENDING:
            return None
        if not self._is_stopped:
            self.chain.jobs.report(
                f"{self.method}() of {summary(self.chain.root)} was cut off by the end of the event loop before "
                "everything was read: await it to its end",
                error,
            )
            self.promise._mark_handled()
            self.stop(error)
        return self.promise

    def _give_up(self) -> None:
        if self._is_stopped:
            self.take_error(LoopEndedError("the event loop has ended"))

    def _stopped(self, reason: AbortError, _: Any) -> None:
        self.take_error(reason)
