"""The streams that a function reads: locked together, read without a task, cancelled together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from .._engine.door import react
from .._engine.promise import Promise
from .._streams.door import jobs_of, lock_of, name_holder, read, set_consumer
from .._streams.holder import show_holder
from .._streams.readable.stream import ReadableStream
from ..operations._requests import CheckedRequest


class Taker(Protocol):
    """What the inputs tell what they have read."""

    def arrived(self, source: Input, chunk: Any) -> None:
        """Take the chunk that was asked for."""

    def ended(self, source: Input) -> None:
        """Learn that the input is closed; its lock is free."""

    def failed(self, source: Input, error: Any) -> None:
        """Learn that the input is errored; its lock is free."""


class Input:
    """One stream, locked to a reader: its own read request, of which there is one at a time."""

    __slots__ = ("_reader", "_request", "_taker", "index")

    def __init__(self, stream: ReadableStream[Any], taker: Taker, function: str, index: int = 0) -> None:
        self._reader = stream.get_reader()
        name_holder(self._reader, f"{function}()")
        set_consumer(self._reader, self)
        self._request = CheckedRequest(jobs_of(self._reader), self)
        # None when nobody wants to know any more.
        self._taker: Taker | None = taker
        self.index = index

    def read(self) -> None:
        """Ask for the next chunk; the taker is told, perhaps before this returns."""
        if self._taker is not None:
            read(self._reader, self._request)

    def watch_failure(self) -> None:
        """Tell the taker of an error of the stream also while no chunk is asked for."""
        react(self._reader.closed, None, self.error_steps)

    def cancel(self, reason: object) -> Promise[None]:
        """Cancel the stream, and release the lock at once; the taker is told nothing more."""
        self._taker = None
        promise = self._reader.cancel(reason)
        self._reader.release_lock()
        return promise

    def release(self) -> None:
        """Free the lock of a stream that nothing was read from."""
        self._taker = None
        self._reader.release_lock()

    def chunk_steps(self, chunk: Any) -> None:
        """A chunk is there."""
        if self._taker is not None:
            self._taker.arrived(self, chunk)

    def close_steps(self) -> None:
        """The stream is closed."""
        taker = self._taker
        if taker is not None:
            self.release()
            taker.ended(self)

    def error_steps(self, error: Any) -> None:
        """The stream is errored."""
        taker = self._taker
        if taker is not None:
            self.release()
            taker.failed(self, error)


def open_inputs(streams: Sequence[Any], taker: Taker, function: str) -> dict[Input, None]:
    """Lock all the streams, or none. Raises TypeError for a non-stream, a locked stream and one that is given twice."""
    seen: set[int] = set()
    for index, stream in enumerate(streams):
        require_free(stream, f"argument {index + 1}", function)
        if id(stream) in seen:
            raise TypeError(f"{function}() was given one stream twice: argument {index + 1}; share() it, or tee() it")
        seen.add(id(stream))
    inputs: dict[Input, None] = {}
    try:
        for index, stream in enumerate(streams):
            inputs[Input(stream, taker, function, index)] = None
    except BaseException:
        for each in inputs:
            each.release()
        raise
    return inputs


def require_free(stream: Any, name: str, function: str) -> None:
    """Raise TypeError unless an argument is a readable stream that nobody has locked."""
    if not isinstance(stream, ReadableStream):
        raise TypeError(
            f"{function}() needs a ReadableStream, and {name} is {type(stream).__name__}: "
            "ReadableStream.from_() makes a stream of an iterable"
        )
    if stream.locked:
        raise TypeError(f"{function}() cannot read {name}: it is locked to {show_holder(lock_of(stream))}")


def cancel_all(inputs: Iterable[Input], reason: object) -> Promise[None]:
    """Cancel the inputs; the promise is settled when all have cancelled, and rejected as the first one that failed."""
    return all_settled([each.cancel(reason) for each in inputs])


def all_settled(promises: Sequence[Promise[Any]]) -> Promise[None]:
    """Return a promise that waits for all `promises` and then takes over the first rejection among them."""
    return _Together(promises).promise


class _Together:
    """Counts promises that are pending."""

    __slots__ = ("_failures", "_missing", "_reject", "_resolve", "promise")

    def __init__(self, promises: Sequence[Promise[Any]]) -> None:
        self.promise, self._resolve, self._reject = Promise.with_resolvers()
        self._missing = len(promises)
        self._failures: list[object] = []
        for each in promises:
            react(each, self._fulfilled, self._rejected)
        if not promises:
            self._resolve(None)

    def _rejected(self, reason: object) -> None:
        self._failures.append(reason)
        self._fulfilled(None)

    def _fulfilled(self, _: object) -> None:
        self._missing -= 1
        if self._missing:
            return
        if self._failures:
            self._reject(self._failures[0])
        else:
            self._resolve(None)
