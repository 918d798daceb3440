"""The door of the engine: what other rooms may do with a promise beyond what its users may.

The names with an underscore are slots and operations of promises, which only this room and the Standard's rooms use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from typing_extensions import TypeVar

from .promise import Promise
from .promise_state import REJECTED, PromiseState
from .settling import Settled

P = TypeVar("P", bound=PromiseState)


def fulfill(promise: Settled, value: Any = None) -> None:
    """Fulfill a pending promise with a value that is not awaitable."""
    promise._fulfill(value)


def reject(promise: Settled, reason: object) -> None:
    """Reject a pending promise with any object."""
    promise._reject(reason)


def ignored(promise: P) -> P:
    """Return a promise whose rejection is not reported: somebody else tells of it, or nobody wants to know."""
    promise._mark_handled()
    return promise


def react(
    promise: PromiseState, on_fulfilled: Callable[[Any], object] | None, on_rejected: Callable[[Any], object] | None
) -> None:
    """Call one of two functions, as a job, when a promise is settled."""
    promise._react(on_fulfilled, on_rejected)


def follow_rejection(promise: PromiseState, other: Promise[Any]) -> bool:
    """Reject a promise as another one is rejected; whether that is rejected."""
    if other._state != REJECTED:
        return False
    promise._reject(other._value)
    return True
