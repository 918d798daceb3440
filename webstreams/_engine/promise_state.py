"""The state of a promise, and how it is settled: what the helpers of promises know of them.

A promise is settled once; every reaction to it runs as one job of its event loop's queue, in the order in which the
reactions were added. `promise.Promise` is the facade that users have, with asyncio's methods and JavaScript's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NoReturn

from .._platform.staying import refuse_pickling
from .jobs import Job, JobQueue
from .settling import Settled, UnhandledRejection

PENDING: Final = 0
FULFILLED: Final = 1
REJECTED: Final = 2


class PromiseState(Settled):
    """The slots of a promise, and the operations that move them."""

    __slots__ = ("_handled", "_jobs", "_reactions", "_state", "_value")

    def __init__(self, jobs: JobQueue) -> None:
        self._jobs = jobs
        self._state: int = PENDING
        # The value, or the reason of the rejection.
        self._value: Any = None
        # Pending: nothing, one reaction or a list of them. Rejected and unhandled: the UnhandledRejection.
        self._reactions: Any = None
        # [[PromiseIsHandled]]
        self._handled = False

    def __reduce__(self) -> NoReturn:
        """Refuse pickling and copying. Raises `TypeError`."""
        refuse_pickling(self)

    def done(self) -> bool:
        """Whether the promise is settled."""
        if self._jobs.run is not None:
            self._jobs.run.is_looked_at(self)
        return self._state != PENDING

    def _origin(self) -> tuple[object, ...]:
        """Tell which call made the promise: words, and the objects between them (`show_words`)."""
        return ()

    # Settling.

    def _resolve_with(self, value: Any) -> object:
        """Fulfill with a plain value, or follow an awaitable: the resolve function of JavaScript."""
        raise NotImplementedError

    def _fulfill(self, value: Any) -> None:
        """Web IDL: "resolve", with a value that is not a promise."""
        self._state = FULFILLED
        self._value = value
        reactions = self._reactions
        if reactions is not None:
            self._reactions = None
            if type(reactions) is list:
                self._queue_reactions(reactions)
                return
            jobs = self._jobs
            jobs.jobs.append(reactions)  # push(), without the call
            if not jobs.scheduled:
                jobs.schedule()

    def _reject(self, reason: object) -> None:
        """Web IDL: "reject"."""
        self._state = REJECTED
        self._value = reason
        reactions = self._reactions
        self._reactions = None
        if not self._handled:
            self._reactions = UnhandledRejection(self._jobs, reason, self._origin())
        if reactions is not None:
            self._queue_reactions(reactions)

    def _queue_reactions(self, reactions: Any) -> None:
        if type(reactions) is list:
            for reaction in reactions:
                self._jobs.push(reaction)
        else:
            self._jobs.push(reactions)

    def _mark_handled(self) -> None:
        """Web IDL: "mark as handled": a rejection is no longer reported."""
        self._handled = True
        if self._state == REJECTED and self._reactions is not None:
            self._reactions.disarm()
            self._reactions = None

    # Reacting.

    def _react(self, on_fulfilled: Callable[[Any], object] | None, on_rejected: Callable[[Any], object] | None) -> None:
        """Web IDL: "upon fulfillment", "upon rejection": run steps of the Standard after the promise is settled."""
        self._handled_by(Reaction(self, on_fulfilled, on_rejected))

    def _handled_by(self, reaction: Job) -> None:
        self._add_reaction(reaction)
        if not self._handled:
            self._mark_handled()

    def _add_reaction(self, reaction: Job) -> None:
        """PerformPromiseThen."""
        if self._state != PENDING:
            self._jobs.push(reaction)
        elif self._reactions is None:
            self._reactions = reaction
        else:
            self._reactions = [*self._list_reactions(), reaction]

    def _list_reactions(self) -> list[Any]:
        reactions = self._reactions
        if reactions is None:
            return []
        return reactions if type(reactions) is list else [reactions]

    def _drop_waiter(self, waiter: Job) -> bool:
        """Forget a waiter whose task was cancelled; whether the task goes on now, not only when the promise is
        settled, or when it is cancelled again."""
        self._mark_handled()  # somebody has looked, and has given up
        self._forget_waiter(waiter)
        return True

    def _forget_waiter(self, waiter: Job) -> None:
        if self._state == PENDING:
            self._reactions = [each for each in self._list_reactions() if each is not waiter] or None


class Reaction:
    """Steps of the Standard that run after a promise is settled."""

    __slots__ = ("on_fulfilled", "on_rejected", "promise")

    def __init__(
        self,
        promise: PromiseState,
        on_fulfilled: Callable[[Any], object] | None,
        on_rejected: Callable[[Any], object] | None,
    ) -> None:
        self.promise = promise
        self.on_fulfilled = on_fulfilled
        self.on_rejected = on_rejected

    def __call__(self) -> None:
        """Run the steps for the way in which the promise was settled."""
        promise = self.promise
        steps = self.on_fulfilled if promise._state == FULFILLED else self.on_rejected
        if steps is not None:
            steps(promise._value)
