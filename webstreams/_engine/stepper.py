"""Taking the steps of coroutines, without an exception for each of them that returns.

`coroutine.send()` signals the return of the coroutine by raising `StopIteration`. Raising and catching takes longer
than a short coroutine itself. Awaiting it inside another coroutine needs no exception.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from types import coroutine
from typing import Any, Final

from .fetching import ItemTaker


class Returned:
    """What a coroutine has returned."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


# For most coroutines.
RETURNED_NONE: Final = Returned(None)


@coroutine
def _steps() -> Generator[Any, Any, Any]:
    returned: Returned | None = None
    while True:
        value = yield from (yield returned)
        returned = RETURNED_NONE if value is None else Returned(value)


def new_stepper() -> Generator[Any, Any, Any]:
    """Return a generator that runs one coroutine after the other.

    ``send(coroutine)`` begins one, ``send(None)`` and ``throw(error)`` go on with it. They give what it yields, and in
    the end a `Returned`; what the coroutine raises ends the stepper, too.
    """
    stepper: Any = _steps()
    next(stepper)
    return stepper  # type: ignore[no-any-return]


@coroutine
def _items(ask: Callable[[None], Any], taker: ItemTaker, end: object) -> Generator[Any, Any, Any]:
    while True:
        try:
            taker.item = yield from ask(None)
        except StopAsyncIteration:
            taker.item = end
        yield RETURNED_NONE


def new_item_stepper(generator: AsyncGenerator[Any, None], taker: ItemTaker, end: object) -> Generator[Any, Any, Any]:
    """Return a generator that takes the items of an asynchronous generator.

    ``send(None)`` asks for the next one, or goes on with that; ``throw(error)`` raises something where it waits. They
    give what it waits for, and `RETURNED_NONE` when the taker has been given the item, or `end`.
    """
    # What __anext__() does; a method of Python's own is called more quickly than a slot of a type.
    return _items(generator.asend, taker, end)
