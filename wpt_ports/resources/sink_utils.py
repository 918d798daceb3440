"""What upstream's files about underlying sinks write out in every test: callbacks, awaitables and recorders."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any

from webstreams import Promise


class Pending:
    """A callback that gives a new promise at each call; the test settles the last one.

    Settling fails when the callback was not called yet, as it does upstream, where the callback itself
    assigns the function that settles.
    """

    arguments: tuple[Any, ...]
    _resolve: Callable[[Any], object]
    _reject: Callable[[Any], object]

    def __call__(self, *arguments: Any) -> Promise[None]:
        self.arguments = arguments
        promise, self._resolve, self._reject = Promise[None].with_resolvers()
        return promise

    @property
    def controller(self) -> Any:
        """The controller that the last call was given: the last argument of ``start`` and ``write``."""
        return self.arguments[-1]

    def resolve(self) -> None:
        """Fulfill the promise of the last call."""
        self._resolve(None)

    def reject(self, reason: object) -> None:
        """Reject the promise of the last call."""
        self._reject(reason)


class Thenable:
    """An awaitable that is no promise: it settles as soon as it is awaited, and records that it was."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.awaited = False
        self._error = error

    def __await__(self) -> Generator[Any, None, None]:
        self.awaited = True
        if self._error is not None:
            raise self._error
        yield from ()


def never(*_: object) -> Promise[None]:
    """A callback whose promise never settles."""
    return Promise[None].with_resolvers()[0]


def raising(error: BaseException) -> Callable[..., Any]:
    """A callback that raises `error`."""

    def callback(*_: object) -> None:
        raise error

    return callback


def record(events: list[Any], *names: object) -> Callable[[object], None]:
    """A promise reaction that appends `names` to `events`."""
    return lambda _: events.extend(names)


async def value_of(promise: Awaitable[object]) -> object:
    """Wait for a value that type checkers hold for None, to look at it all the same."""
    return await promise
