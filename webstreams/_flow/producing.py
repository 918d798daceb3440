"""`from_producer`: a stream that is written by a task of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from functools import partial
from inspect import isasyncgenfunction, iscoroutine, isgeneratorfunction
from typing import Any, Generic, TypeVar

from .._engine.callback_task import WatchedTask
from .._engine.door import ignored
from .._engine.jobs import JobQueue
from .._engine.promise import Promise, is_awaitable
from .._platform.errors import AbortError, stored_error
from .._platform.stages import note_stage
from .._streams.door import close_writable, is_closing, jobs_of, name_holder
from .._streams.readable.controller import ReadableStreamDefaultController
from .._streams.readable.stream import ReadableStream
from .._streams.writable.controller import WritableStreamDefaultController
from .._streams.writable.stream import WritableStream
from .._streams.writable.writer import WritableStreamDefaultWriter
from ..types import QueuingStrategy
from .outlets import Outlet

T = TypeVar("T")
In = TypeVar("In", contravariant=True)


def from_producer(
    function: Callable[[WritableStreamDefaultWriter[T]], Awaitable[object]],
    strategy: QueuingStrategy[Any] | None = None,
) -> ReadableStream[T]:
    """Make a stream of what ``async def function(writer)`` writes, in a task that belongs to the stream.

    The task starts when a chunk is wanted for the first time: at the first read, or at once with a `strategy` whose
    ``high_water_mark`` is above 0 (without a strategy it is 0). ``await writer.write(chunk)`` waits until the chunk is
    wanted, so that the function is never more than one chunk ahead of the queue.

    When the function returns, the stream closes after what was written; when it raises, the stream is errored with
    that at once. ``cancel(reason)`` cancels the task and waits until it has ended; its promise is rejected with what
    the task raises then. So does dropping the stream. At the end of the event loop the task is cancelled like any
    other, which is an error of the stream, not its end. A function that goes on after its `asyncio.CancelledError` is
    waited for, however long that takes: nothing in asyncio ends a task that does not want to end.

    Raises `TypeError` for anything other than a function of a writer. Not in the Standard.

    >>> import asyncio
    >>> from webstreams import WritableStreamDefaultWriter, from_producer
    >>> async def count(writer: WritableStreamDefaultWriter[int]) -> None:
    ...     for number in range(3):
    ...         await writer.write(number)
    >>> async def main() -> None:
    ...     print(await from_producer(count).list())
    >>> asyncio.run(main())
    [0, 1, 2]
    """
    _check(function)
    producer: _Producer[T] = _Producer(function)
    return producer.open({"high_water_mark": 0} if strategy is None else strategy)


def _check(function: Any) -> None:
    if iscoroutine(function):
        function.close()
        raise TypeError("from_producer() needs a function, not the coroutine that it returns: leave out the call")
    if isasyncgenfunction(function) or isgeneratorfunction(function):
        raise TypeError(
            "from_producer() needs a function that writes; for one that yields, take ReadableStream.from_()"
        )
    if not callable(function) or isinstance(function, type):
        raise TypeError(f"from_producer() needs a coroutine function of a writer, not {function!r}")


class _Producer(Generic[T]):
    """The task, and what it has written."""

    def __init__(self, function: Callable[[WritableStreamDefaultWriter[T]], Awaitable[object]]) -> None:
        self._function = function
        self._context = copy_context()
        self._task: asyncio.Task[None] | None = None
        self.is_cancelled = False
        # Pulled, and not answered yet; or a chunk that was written before it was wanted, with what ends the write.
        self._is_wanted = False
        self._written: tuple[Any, Callable[[Any], None]] | None = None
        self._sink: WritableStreamDefaultController
        self._writable: WritableStream[T] = WritableStream(
            {"start": self._start, "write": self._write, "close": self._close, "abort": self._abort}
        )
        self._outlet: Outlet
        self.jobs: JobQueue

    def open(self, strategy: Any) -> ReadableStream[T]:
        """Make the stream."""
        stream: ReadableStream[T] = ReadableStream(_Tap(self), strategy)
        self._outlet = Outlet(stream)
        self.jobs = jobs_of(stream)
        return stream

    # What the stream calls.

    def pull(self) -> None:
        """Enqueue the chunk that was written, or let the producer run until it writes one."""
        if self._task is None:
            self._run()
        if self._written is None:
            self._is_wanted = True
            self._outlet.keep_while_waited_for()
            return
        (chunk, resolve), self._written = self._written, None
        self._outlet.enqueue(chunk)
        resolve(None)

    def cancel(self, reason: object) -> Promise[None] | None:
        """Cancel the task; the promise is settled when it has ended."""
        self.is_cancelled = True
        # A write before the task sees its cancellation waits for that: the stream takes no more chunks.
        self._is_wanted = False
        if self._task is None:
            return None
        promise, resolve, reject = Promise.with_resolvers()
        self._task.add_done_callback(partial(_tell, resolve, reject))
        if not self._task.cancelling():  # at the end of the loop, all tasks are cancelled: its cleaning up goes on
            self._task.cancel()
        # Not now: the task may be below on the stack, and has to see its cancellation before that of a write.
        self.jobs.loop.call_soon(self._refuse_writes, reason)
        return promise

    def _refuse_writes(self, reason: object) -> None:
        self._sink.error(reason)
        self._end_write()

    def has_task(self) -> bool:
        """Whether the task is under way."""
        return self._task is not None and not self._task.done()

    def abandon(self) -> None:
        """Cancel the task, for nobody has the stream any more."""
        promise = self.cancel(AbortError("the stream was dropped"))
        if promise is not None:
            ignored(promise)

    # The task.

    def _run(self) -> None:
        writer = _Writer(self._writable)
        name_holder(writer, "a producer")
        self._task = WatchedTask(self.jobs, self._call(writer), self._context)
        # The loop itself keeps only weak references.
        self.jobs.tasks.add(self._task)
        self._task.add_done_callback(self._ended)

    async def _call(self, writer: WritableStreamDefaultWriter[T]) -> None:
        result: Any = self._function(writer)
        if not is_awaitable(result):
            raise TypeError(f"the function of from_producer() must be a coroutine function: it returned {result!r}")
        await result
        if not is_closing(self._writable):
            ignored(close_writable(self._writable))

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.jobs.tasks.discard(task)
        try:
            task.result()
        except BaseException as error:
            if not self.is_cancelled:
                stored = stored_error(error)
                note_stage(stored, self._function, "function")
                self._outlet.error(stored)
                self._refuse_writes(stored)

    # What the writer calls.

    def _start(self, controller: WritableStreamDefaultController) -> None:
        self._sink = controller

    def _write(self, chunk: T, controller: WritableStreamDefaultController) -> Promise[None] | None:
        if self._is_wanted:
            self._is_wanted = False
            self._outlet.enqueue(chunk)
            return None
        promise, resolve, _ = Promise.with_resolvers()
        self._written = (chunk, resolve)
        return promise

    def _close(self) -> None:
        self._outlet.close()

    def _abort(self, reason: object) -> None:
        self._outlet.error(reason)

    def _end_write(self) -> None:
        """Let go of the write that waits."""
        if self._written is not None:
            (_, resolve), self._written = self._written, None
            resolve(None)


def _tell(resolve: Callable[[Any], None], reject: Callable[[object], None], task: asyncio.Task[None]) -> None:
    """Settle a cancellation as the task has ended."""
    error = None if task.cancelled() else task.exception()
    if error is None:
        resolve(None)
    else:
        reject(error)


class _Writer(WritableStreamDefaultWriter[In]):
    """The writer of a producer: that a write failed because the stream was cancelled, the producer is told anyway."""

    __slots__ = ()

    def write(self, chunk: Any = None) -> Promise[None]:
        """Put a chunk into the stream."""
        return ignored(super().write(chunk))


class _Tap:
    """The underlying source. Only the stream refers to it: when it is collected, nobody reads any more."""

    def __init__(self, producer: _Producer[Any]) -> None:
        self._producer = producer

    def pull(self, controller: ReadableStreamDefaultController[Any]) -> None:
        self._producer.pull()

    def cancel(self, reason: object) -> Promise[None] | None:
        return self._producer.cancel(reason)

    def __del__(self) -> None:
        producer = self._producer
        if producer.has_task() and not producer.is_cancelled:
            producer.jobs.push_of_collected(producer.abandon)
