"""`asyncio.Queue` and streams, in both directions. No item is lost by cancelling either side."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection
from inspect import signature
from queue import Queue, SimpleQueue
from typing import Any, Final, Generic, Protocol, overload

from typing_extensions import TypeVar

from .._streams.abort import AbortSignal
from .._streams.readable.controller import ReadableStreamDefaultController
from .._streams.readable.stream import ReadableStream
from .._streams.writable.controller import WritableStreamDefaultController
from .._streams.writable.stream import WritableStream

__all__ = ["from_queue", "to_queue"]

T = TypeVar("T", default=Any)
Out = TypeVar("Out", covariant=True, default=Any)
In = TypeVar("In", contravariant=True, default=Any)


class _Nothing:
    """Stands for an argument that was not given."""

    def __repr__(self) -> str:
        return "<no marker>"


NOTHING: Final[Any] = _Nothing()


class _NeverRaised(Exception):
    """Stands for `asyncio.QueueShutDown` before Python 3.13."""


QueueShutDown: Final[type[Exception]] = getattr(asyncio, "QueueShutDown", _NeverRaised)


class GetsItems(Protocol[Out]):
    """What is needed of a queue to read from it."""

    def get_nowait(self) -> Out: ...
    def get(self) -> Awaitable[Out]: ...
    def task_done(self) -> None: ...


class PutsItems(Protocol[In]):
    """What is needed of a queue to write to it."""

    def put_nowait(self, item: In, /) -> None: ...
    def put(self, item: In, /) -> Awaitable[None]: ...


def _require_queue(caller: str, queue: Any, *methods: str) -> None:
    """Raise `TypeError` unless a queue has these methods, and the first of them is to be awaited."""
    if not all(callable(getattr(queue, name, None)) for name in methods):
        raise TypeError(f"{caller} needs an asyncio.Queue, not {type(queue).__name__}")
    # The queues of `queue` and `multiprocessing` have the same methods; theirs would block the event loop.
    if isinstance(queue, (Queue, SimpleQueue)) or "block" in _parameters(getattr(queue, methods[0])):
        raise TypeError(
            f"{caller} needs an asyncio.Queue, not the blocking {type(queue).__name__}: move its items from and to a "
            f"thread with readable_from_thread() or as_blocking_iterable()"
        )


def _parameters(method: Any) -> Collection[str]:
    try:
        return signature(method).parameters
    except (TypeError, ValueError):
        return ()


@overload
def from_queue(queue: GetsItems[T | None], *, end: None) -> ReadableStream[T]: ...
@overload
def from_queue(queue: GetsItems[T], *, end: object = NOTHING) -> ReadableStream[T]: ...
def from_queue(queue: GetsItems[Any], *, end: object = NOTHING) -> ReadableStream[Any]:
    """Make a stream of the items of an `asyncio.Queue` (or one of its subclasses).

    An item is taken only when somebody reads; several streams may share a queue. The stream ends at the item that is,
    or is equal to, `end`; and, from Python 3.13 on, when the queue has been shut down and is empty. Without either it
    goes on for ever. An item counts as done (``task_done()``) when the next one is asked for, or the stream is over.

    Cancelling the stream leaves in the queue what was not read. An item that comes for a read that was withdrawn is
    what the next read gets.

    Raises `TypeError` for anything other than a queue of asyncio's kind.

    >>> async def main() -> None:
    ...     queue: asyncio.Queue[str | None] = asyncio.Queue()
    ...     for item in "a", "b", None:
    ...         queue.put_nowait(item)
    ...     print([item async for item in from_queue(queue, end=None)])
    >>> asyncio.run(main())
    ['a', 'b']
    """
    _require_queue("from_queue()", queue, "get", "get_nowait", "task_done")
    return ReadableStream(_QueueSource(queue, end), {"high_water_mark": 0})


class _QueueSource(Generic[T]):
    """The underlying source over a queue."""

    stage_name = "from_queue()"

    def __init__(self, queue: GetsItems[T], end: object) -> None:
        self._queue = queue
        self._end = end
        self._task: asyncio.Task[Any] | None = None
        self._has_given = False

    def pull(self, controller: ReadableStreamDefaultController[T]) -> Awaitable[None] | None:
        self._finish_last()
        try:
            item = self._queue.get_nowait()
        except asyncio.QueueEmpty:
            return self._wait(controller)
        except QueueShutDown:
            controller.close()
            return None
        self._give(item, controller)
        return None

    async def _wait(self, controller: ReadableStreamDefaultController[T]) -> None:
        self._task = asyncio.current_task()
        try:
            # No step of the loop lies between the moment when the item is taken and the next line.
            self._give(await self._queue.get(), controller)
        except QueueShutDown:
            controller.close()
        finally:
            self._task = None

    def _give(self, item: T, controller: ReadableStreamDefaultController[T]) -> None:
        self._has_given = True
        if item is self._end or (type(item) is type(self._end) and item == self._end):
            self._finish_last()
            controller.close()
        else:
            controller.enqueue(item)

    def _finish_last(self) -> None:
        if self._has_given:
            self._has_given = False
            self._queue.task_done()

    async def cancel(self, reason: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._finish_last()


def to_queue(queue: PutsItems[T], *, end: object = NOTHING, shutdown: bool = False) -> WritableStream[T]:
    """Make a writable stream that puts what is written into an `asyncio.Queue` (or one of its subclasses).

    A queue that is full slows the stream down. Closing the stream puts `end`, if it is given, or with `shutdown` shuts
    the queue down (Python 3.13); otherwise nothing tells the other side: several streams may share a queue. Aborting
    takes back the item that still waits for a place; it puts no `end`, which would pass for a proper one, and with
    `shutdown` it shuts the queue down at once, items included. A queue that somebody else has shut down errors the
    stream with `asyncio.QueueShutDown`.

    Raises `TypeError` for anything other than a queue of asyncio's kind and for `shutdown` with a queue that cannot be
    shut down, and `ValueError` for both `end` and `shutdown`.

    >>> async def main() -> None:
    ...     queue: asyncio.Queue[str | None] = asyncio.Queue(1)
    ...     pipe = ReadableStream.from_(["a", "b"]).pipe_to(to_queue(queue, end=None))
    ...     while (item := await queue.get()) is not None:
    ...         print(item)
    ...     await pipe
    >>> asyncio.run(main())
    a
    b
    """
    _require_queue("to_queue()", queue, "put", "put_nowait")
    if shutdown and end is not NOTHING:
        raise ValueError("a queue gets an end marker or is shut down, not both")
    if shutdown and not callable(getattr(queue, "shutdown", None)):
        raise TypeError("shutdown needs a queue with shutdown(), as asyncio.Queue has it from Python 3.13 on")
    return WritableStream(_QueueSink(queue, end, shutdown))


class _QueueSink(Generic[T]):
    """The underlying sink over a queue."""

    stage_name = "to_queue()"

    def __init__(self, queue: Any, end: object, shutdown: bool) -> None:
        self._queue = queue
        self._end = end
        self._shutdown = shutdown
        self._signal: AbortSignal
        self._task: asyncio.Task[Any] | None = None

    def start(self, controller: WritableStreamDefaultController) -> None:
        # Not in abort(), which comes only after the write that is under way.
        self._signal = controller.signal
        self._signal.add_event_listener("abort", self._stop)

    def write(self, chunk: T, controller: WritableStreamDefaultController) -> Awaitable[None] | None:
        return self._put(chunk)

    def close(self) -> Awaitable[None] | None:
        if self._shutdown:
            self._queue.shutdown()
        return None if self._end is NOTHING else self._put(self._end)

    def abort(self, reason: object) -> None:
        if self._shutdown:
            self._queue.shutdown(immediate=True)

    def _put(self, item: object) -> Awaitable[None] | None:
        try:
            self._queue.put_nowait(item)
        except asyncio.QueueFull:
            return self._wait(item)
        return None

    async def _wait(self, item: object) -> None:
        self._task = asyncio.current_task()
        try:
            await self._queue.put(item)
        except asyncio.CancelledError:
            self._signal.throw_if_aborted()
            raise
        finally:
            self._task = None

    def _stop(self, event: object) -> None:
        if self._task is not None:
            self._task.cancel()
