"""What the regression tests of writable streams, transform streams and pipes share."""

from __future__ import annotations

import asyncio
import gc
import traceback
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.faults.helpers import turns
from webstreams import (
    AbortController,
    AbortSignal,
    Promise,
    ReadableStream,
    ReadableStreamDefaultController,
    WritableStream,
    WritableStreamDefaultController,
    WritableStreamDefaultWriter,
)


async def nothing_reported() -> AsyncIterator[list[dict[str, Any]]]:
    """Fail a test after which anything has reached the event loop's exception handler; a fixture for the modules."""
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    yield reported
    gc.collect()
    await turns()
    assert reported == []


# Waiting: by turns of the event loop, never by the clock.


# So many turns of the loop count as "at once".
AT_ONCE = 10


async def settled(promise: Promise[Any], limit: int = 2000) -> None:
    """Wait until a promise is settled; fail when it still is not after so many turns of the loop."""
    for _ in range(limit):
        if promise.done():
            return
        await asyncio.sleep(0)
    raise AssertionError(f"not settled after {limit} turns of the event loop: {promise!r}")


async def value(promise: Promise[Any], limit: int = 2000) -> Any:
    """Give the value of a promise, which has to be fulfilled."""
    await settled(promise, limit)
    return promise.result()


async def rejection(promise: Promise[Any], limit: int = 2000) -> BaseException:
    """Give the exception of a promise, which has to be rejected."""
    await settled(promise, limit)
    error = promise.exception()
    assert error is not None, f"fulfilled instead of rejected: {promise!r}"
    return error


def quiet(promise: Promise[Any]) -> Promise[Any]:
    """Say that nobody needs to hear of a rejection."""
    promise.then(None, lambda _: None)
    return promise


class Gate:
    """A promise that the test settles."""

    def __init__(self) -> None:
        self.promise, self.open, self.fail = Promise.with_resolvers()


# Ends of streams.


class RecordingSink:
    """A sink that writes its calls down. `hold` names the members whose promise is left for the test to settle."""

    def __init__(self, *hold: str) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.controller: WritableStreamDefaultController
        # What a member raises, by its name.
        self.raises: dict[str, BaseException] = {}
        self._hold = hold
        self._gates: dict[str, deque[Gate]] = {}

    def start(self, controller: WritableStreamDefaultController) -> None:
        self.controller = controller

    def write(self, chunk: Any, controller: WritableStreamDefaultController) -> Any:
        return self._call("write", chunk)

    def close(self) -> Any:
        return self._call("close")

    def abort(self, reason: Any) -> Any:
        return self._call("abort", reason)

    def _call(self, member: str, *arguments: Any) -> Any:
        self.calls.append((member, *arguments))
        if member in self.raises:
            raise self.raises[member]
        if member not in self._hold:
            return None
        gate = Gate()
        self._gates.setdefault(member, deque()).append(gate)
        return gate.promise

    def finish(self, member: str) -> None:
        """Fulfill the oldest promise that `member` returned."""
        self._gates[member].popleft().open(None)

    def fail(self, member: str, error: BaseException) -> None:
        """Reject the oldest promise that `member` returned."""
        self._gates[member].popleft().fail(error)

    def named(self, member: str) -> list[Any]:
        """The arguments of the calls of one member."""
        return [arguments[0] if arguments else None for name, *arguments in self.calls if name == member]

    @property
    def chunks(self) -> list[Any]:
        """What was written."""
        return self.named("write")


async def started(sink: RecordingSink, **strategy: Any) -> WritableStreamDefaultWriter[Any]:
    """Make a stream whose start() is done, and its writer."""
    writer = WritableStream[Any](sink, strategy).get_writer()  # type: ignore[arg-type]
    await turns()
    return writer


class RecordingSource:
    """A source that the test feeds through its controller; it writes down the reasons of its cancellations."""

    def __init__(self, *chunks: Any) -> None:
        self.controller: ReadableStreamDefaultController[Any]
        self.pulls = 0
        self.cancels: list[Any] = []
        self.raises: BaseException | None = None
        self._chunks = chunks

    def start(self, controller: ReadableStreamDefaultController[Any]) -> None:
        self.controller = controller
        for chunk in self._chunks:
            controller.enqueue(chunk)

    def pull(self, controller: ReadableStreamDefaultController[Any]) -> None:
        self.pulls += 1

    def cancel(self, reason: Any) -> None:
        self.cancels.append(reason)
        if self.raises is not None:
            raise self.raises


@dataclass
class Ends:
    """A pipe that is to be made, with both of its ends and a signal."""

    source: RecordingSource = field(default_factory=RecordingSource)
    sink: RecordingSink = field(default_factory=RecordingSink)
    high_water_mark: float = 1

    def __post_init__(self) -> None:
        self.readable: ReadableStream[Any] = ReadableStream(self.source, {"high_water_mark": 0})
        self.writable: WritableStream[Any] = WritableStream(self.sink, {"high_water_mark": self.high_water_mark})
        self.abort_controller = AbortController()

    def pipe(self, **options: Any) -> Promise[None]:
        """Pipe, with the signal."""
        return self.readable.pipe_to(self.writable, signal=self.abort_controller.signal, **options)

    async def waiting_pipe(self, **options: Any) -> Promise[None]:
        """Pipe, and let the pipe come to where it waits for a chunk."""
        promise = self.pipe(**options)
        await turns()
        assert not promise.done()
        return promise

    @property
    def locked(self) -> tuple[bool, bool]:
        """Whether the ends are locked."""
        return self.readable.locked, self.writable.locked


async def read_all(stream: ReadableStream[Any]) -> list[Any]:
    """Give the rest of a stream."""
    return [chunk async for chunk in stream]


def stream_of(chunks: Iterable[Any]) -> ReadableStream[Any]:
    """Give a stream of these chunks."""
    return ReadableStream.from_(list(chunks))


# Looking inside.


def listener_count(signal: AbortSignal) -> int:
    """How many listeners and abort algorithms a signal has."""
    return len(signal._listeners) + len(signal._algorithms)


def live_objects(*kinds: type) -> int:
    """How many objects of these types, or of their subclasses, are alive."""
    gc.collect()
    return sum(issubclass(type(each), kinds) for each in gc.get_objects())


def traceback_names(error: BaseException) -> list[str]:
    """The names of the functions in an exception's traceback."""
    return [frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)]


def failing(error: BaseException) -> Callable[..., Any]:
    """Give a callback that raises `error`."""

    def fail(*_: Any) -> Any:
        raise error

    return fail
