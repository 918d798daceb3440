"""Takes the items of an asynchronous generator, each in a task of its own as far as anybody can tell.

One generator of ours steps it from item to item (`stepper.new_item_stepper`), so that an item which is there at once
costs no coroutine, no promise and no turn of the event loop; and one task serves for many items, as one does for the
coroutine callbacks that complete at once (`CoroutineCall.goes_on`).
"""

from __future__ import annotations

from contextvars import Context
from types import AsyncGeneratorType
from typing import Any, Final
from weakref import WeakSet

from .._platform.errors import AbortError
from .coroutine_call import CoroutineCall
from .fetching import Fetching
from .jobs import JobQueue
from .promise import END_OF_ITERATION
from .promise_state import PromiseState
from .stepper import new_item_stepper

# The asynchronous generators that have told a stream of their end.
_seen_to_their_end: Final[WeakSet[Any]] = WeakSet()


class Pump(Fetching):
    """Asks one asynchronous generator.

    # Python: asyncio closes all asynchronous generators that are open when a loop ends. It would look like the end of
    the data: so a generator that has given something and was closed by somebody else since then is an error.
    """

    __slots__ = (
        "_context", "_generator", "_has_begun", "_is_pulling", "_item", "_jobs", "_stepper", "_was_closed", "call",
    )  # fmt: skip

    def __init__(self, jobs: JobQueue, generator: Any, context: Context) -> None:
        self._jobs = jobs
        self._generator = generator
        self._context = context
        self._has_begun = False
        self._was_closed = False
        self._is_pulling = False
        # The item that was there at once.
        self._item: Any = None
        self._stepper = new_item_stepper(generator.__anext__, self, END_OF_ITERATION)
        # The call under way, or the last one.
        self.call: CoroutineCall | None = None

    def advance(self) -> bool:
        """Let the generator go on; whether it has given an item at once, or `END_OF_ITERATION` (`take`).

        If not, `settle` has to be called next.
        """
        generator = self._generator
        if generator.ag_frame is None and self._has_begun and generator not in _seen_to_their_end:
            self._was_closed = True
            return False
        self._has_begun = True
        call = self.call
        if call is None or call._finished:
            call = self.call = CoroutineCall(self._jobs, self._context, self._stepper)
            call._coroutine = generator
        self._is_pulling = True
        has_given = call.goes_on(None)
        self._is_pulling = False
        if call.is_spent and has_given:
            call._finish()
        return has_given

    def take(self) -> Any:
        """Return the item that was there at once."""
        item, self._item = self._item, None
        return item

    def settle(self, target: PromiseState) -> CoroutineCall | None:
        """Settle `target` as the generator goes on: with its item, its end or its error. Return the call under way."""
        if self._was_closed:
            target._reject(closed_by_others(self._generator))
            return None
        call = self.call
        assert call is not None
        call.settle(target)
        return call

    def has_ended(self) -> None:
        """Note that the end of the generator has been told; others may share it."""
        _seen_to_their_end.add(self._generator)


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
