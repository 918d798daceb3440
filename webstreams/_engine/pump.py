"""Takes the items of an asynchronous generator, each in a task of its own as far as anybody can tell.

One generator of ours steps it from item to item (`stepper.new_item_stepper`), so that an item which is there at once
costs no coroutine, no promise and no turn of the event loop; and one task serves for many items, as one does for the
coroutine callbacks that complete at once (`CoroutineCall.goes_on`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import Context
from sys import getrefcount
from types import AsyncGeneratorType
from typing import Any, Final
from weakref import WeakSet, getweakrefcount

from .._platform.errors import AbortError
from .coroutine_call import CoroutineCall
from .fetching import ItemTaker, OwnWait
from .jobs import JobQueue, current_tasks, swap_task
from .promise import END_OF_ITERATION
from .promise_state import PromiseState
from .stepper import RETURNED_NONE, new_item_stepper

# The asynchronous generators that have told a stream of their end.
_seen_to_their_end: Final[WeakSet[Any]] = WeakSet()


class Pump(ItemTaker):
    """Asks one asynchronous generator."""

    __slots__ = (
        "_context", "_stepper", "_was_closed", "call", "fed", "generator", "has_begun", "is_over", "is_stepping",
        "item", "jobs",
    )  # fmt: skip

    def __init__(self, jobs: JobQueue, generator: Any, context: Context) -> None:
        self.jobs = jobs
        self.generator = generator
        self._context = context
        self.has_begun = False
        self._was_closed = False
        # The end has been told.
        self.is_over = False
        # What it has given last, until that is taken.
        self.item: Any = None
        self._stepper = new_item_stepper(generator, self, END_OF_ITERATION)
        # For who steps a generator that waits for what he brings: whether it is on the stack, and what it gets.
        self.is_stepping = False
        self.fed: Any = None
        # The call under way, or the last one.
        self.call: CoroutineCall | None = None

    def advance(self) -> bool:
        """Let the generator go on; whether it has given an item at once, or `END_OF_ITERATION` (`take`).

        If not, `settle` has to be called next.
        """
        # Python: asyncio closes all that are open when a loop ends. It would look like the end of the data, so one that
        # was closed by somebody else after it had given something has failed.
        generator = self.generator
        if generator.ag_frame is None and self.has_begun and generator not in _seen_to_their_end:
            self._was_closed = True
            return False
        self.has_begun = True
        call = self.call
        if call is None or call._finished:
            call = self.call = CoroutineCall(self.jobs, self._context, self._stepper)
            call._coroutine = generator
        if not call.goes_on(None):
            return False
        if call.is_spent:
            call._finish()
        return True

    def items(self) -> Iterator[Any]:
        """Iterate over the items, as long as they are there at once: `advance` and `take` for one after the other.

        It stops at the end (`is_over`), and where `settle` has to be called next.
        """
        jobs, loop, generator = self.jobs, self.jobs.loop, self.generator
        task: Any
        while self.advance():
            call = self.call
            assert call is not None
            # Who keeps the task from now on has it from an item. (It is not kept here while nobody asks.)
            task = call._task
            references, weak_references = getrefcount(task), getweakrefcount(task)
            while True:
                task = None
                item, self.item = self.item, None
                if item is END_OF_ITERATION:
                    self.has_ended()
                    return
                yield item
                if call._finished or generator.ag_frame is None:
                    break
                # What CoroutineCall.goes_on() does, without the call.
                task = call._task
                was_busy = jobs.busy
                jobs.busy = True
                if current_tasks is None:
                    previous = swap_task(loop, task)
                else:
                    previous = current_tasks.get(loop)
                    current_tasks[loop] = task
                try:
                    yielded = call.context.run(call._send, None)
                    if yielded is not RETURNED_NONE:
                        call.has_yielded(yielded)
                except BaseException as error:
                    call.has_raised(error)
                    yielded = None
                if current_tasks is None or previous is None:
                    swap_task(loop, previous)
                else:
                    current_tasks[loop] = previous
                jobs.busy = was_busy
                if yielded is not RETURNED_NONE:
                    return
                if (
                    task.is_touched
                    or getrefcount(task) != references
                    or getweakrefcount(task) != weak_references
                    or call.context != call.given
                ):
                    call.is_spent = True
                    call._finish()

    def goes_on(self) -> bool:
        """Do the same when what it waited for has come, which only we know of (`OwnWait`)."""
        call = self.call
        assert call is not None
        call._yielded = None
        if not call.goes_on(None):
            return False
        call._target = None
        if call.is_spent:
            call._finish()
        return True

    def waits_for(self, wait: OwnWait) -> bool:
        """Whether the generator has yielded this, so that it can go on when we want."""
        return self.call is not None and self.call._yielded is wait

    def expect(self, target: PromiseState) -> None:
        """Fulfill `target` with None when the item can be taken, if the task of the generator takes over."""
        assert self.call is not None
        self.call._target = target

    def task_under_way(self) -> Any:
        """Return the task in which an item is waited for."""
        call = self.call
        return None if call is None or call._target is None else call._task

    def take(self) -> Any:
        """Return the item."""
        item, self.item = self.item, None
        return item

    def settle(self, target: PromiseState) -> CoroutineCall | None:
        """Have `target` fulfilled with the item that comes later, or with the end, or rejected with the error of the
        generator. Return the call under way."""
        return self.settle_itself(_LaterItem(self, target))

    def settle_itself(self, target: PromiseState) -> CoroutineCall | None:
        """Do the same, but fulfill `target` with None when the item can be taken."""
        if self._was_closed:
            target._reject(closed_by_others(self.generator))
            return None
        call = self.call
        assert call is not None
        call.settle(target)
        return call

    def has_ended(self) -> None:
        """Note that the end of the generator has been told; others may share it."""
        self.is_over = True
        _seen_to_their_end.add(self.generator)


class _LaterItem(PromiseState):
    """Hands an item over to what waits for it."""

    __slots__ = ("_pump", "_waiting")

    def __init__(self, pump: Pump, waiting: PromiseState) -> None:
        super().__init__(pump.jobs)
        self._pump = pump
        self._waiting = waiting

    def _resolve_with(self, value: Any) -> object:
        return self._waiting._resolve_with(self._pump.take())

    def _reject(self, reason: object) -> None:
        self._waiting._reject(reason)


def is_pumped(iterator: Any) -> bool:
    """Whether a `Pump` can take the items of an asynchronous iterator: it is a generator, of which all is known."""
    return type(iterator) is AsyncGeneratorType


def is_finished(iterator: Any) -> bool:
    """Whether a generator of either kind has ended or was closed; false for other iterators, which do not tell."""
    return getattr(iterator, "ag_frame", iterator) is None or getattr(iterator, "gi_frame", iterator) is None


def closed_by_others(generator: Any) -> AbortError:
    """Return the error of a stream whose generator somebody else has closed in the middle."""
    name = getattr(generator, "__qualname__", type(generator).__name__)
    return AbortError(f"somebody else has closed the generator {name} before its end: what has passed is not the whole")
