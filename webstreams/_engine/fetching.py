"""What waits for a result that may be there at once: the source over an async iterator, a chain of operators."""

from __future__ import annotations

from typing import Any

from .._platform.mypyc import trait


@trait
class Fetching:
    """Starts a coroutine of `awaiting`, which puts its result here if it ends while `_is_pulling` is still true."""

    __slots__ = ()

    _is_pulling: bool
    _item: Any


@trait
class ItemTaker:
    """Is given the items of an asynchronous generator (`stepper.new_item_stepper`)."""

    __slots__ = ()

    item: Any


@trait
class OwnWait:
    """What a coroutine yields to be stepped again by the library itself, as soon as something of ours has come."""

    __slots__ = ()

    def as_waiter(self) -> Any:
        """Return what the task of the coroutine can wait for instead: the event loop has come to run it."""
        raise NotImplementedError
