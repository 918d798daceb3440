"""What several ports of upstream ``streams/piping`` share: option values, callbacks, sources and sinks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

from webstreams import Promise

# Upstream's values under the names its titles give them. An empty dict is falsy in Python, so an object without
# members stands for `{}`; NaN is truthy, so it is in neither list.
FALSY_OPTIONS: list[tuple[str, Any]] = [
    ("undefined", None),
    ("null", None),
    ("false", False),
    ("0", 0),
    ("-0", -0.0),
    ("", ""),
]
TRUTHY_OPTIONS: list[tuple[str, Any]] = [
    ("true", True),
    ("a", "a"),
    ("1", 1),
    ("Symbol()", object()),
    ("[object Object]", SimpleNamespace()),
]


class FakeReadableStream:
    """Looks like a readable stream, but is none."""

    locked = False


class FakeWritableStream:
    """Looks like a writable stream, but is none."""

    locked = False


class FakeAbortSignal:
    """Looks like an abort signal, but is none."""

    aborted = False
    reason = None

    def add_event_listener(self, type: str, listener: Callable[..., Any], once: bool = False) -> None: ...

    def remove_event_listener(self, type: str, listener: Callable[..., Any]) -> None: ...


class SideEffect:
    """An option that runs `function` when its truth value is taken: what a getter in a JavaScript dictionary does."""

    def __init__(self, function: Callable[[], object]) -> None:
        self._function = function

    def __bool__(self) -> bool:
        self._function()
        return False


class StartOnly:
    """An underlying source or sink that does nothing but keep its controller."""

    controller: Any
    write: None  # for type checkers: it has none

    def start(self, controller: Any) -> None:
        self.controller = controller


class HeldWrites:
    """A `write` callback whose every call stays pending until `finish()` or `fail(reason)`."""

    called: Promise[Any]
    _announce: Callable[..., Any]
    _resolve: Callable[..., Any]
    _reject: Callable[..., Any]

    def __init__(self) -> None:
        self.called, self._announce, _ = Promise.with_resolvers()

    def write(self, chunk: Any, controller: Any) -> Promise[Any]:
        promise: Promise[Any]
        promise, self._resolve, self._reject = Promise.with_resolvers()
        self._announce(None)
        return promise

    def finish(self) -> None:
        """Let the last write succeed."""
        self._resolve(None)

    def fail(self, reason: object) -> None:
        """Let the last write fail."""
        self._reject(reason)


class FirstWriteHeld(HeldWrites):
    """A `write` callback whose first call stays pending until `finish()`; later ones succeed at once."""

    _first = True

    def write(self, chunk: Any, controller: Any) -> Any:
        if not self._first:
            return None
        self._first = False
        return super().write(chunk, controller)


def raising(error: Exception) -> Callable[..., Any]:
    """A callback that raises `error`."""

    def callback(*args: Any) -> Any:
        raise error

    return callback


def rejecting(reason: object) -> Callable[..., Any]:
    """A callback that returns a promise rejected with `reason`."""

    def callback(*args: Any) -> Any:
        return Promise.reject(reason)

    return callback


def enqueuing(*chunks: Any, close: bool = False) -> Callable[..., Any]:
    """A `start` callback that enqueues `chunks`, then perhaps closes."""

    def start(controller: Any) -> None:
        for chunk in chunks:
            controller.enqueue(chunk)
        if close:
            controller.close()

    return start


def closing(controller: Any) -> None:
    """A `start` callback that closes."""
    controller.close()


def erroring(reason: object) -> Callable[..., Any]:
    """A `start` callback that errors the stream with `reason`."""

    def start(controller: Any) -> None:
        controller.error(reason)

    return start


async def fulfills_with_none(promise: Awaitable[Any]) -> None:
    """Wait for `promise` and check its value."""
    value = await promise
    assert value is None, f"fulfilled with {value!r} instead of None"
