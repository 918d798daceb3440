"""Streams and threads: write to a stream or read one in other threads than the event loop's, or let a thread feed one.

`ThreadSafeWriter` and `ThreadSafeReader` are made in the loop's thread and lock a stream for any number of other
threads; `readable_from_thread` makes a stream of what a function writes in a thread of its own.

>>> import asyncio
>>> from webstreams import ReadableStream, WritableStream
>>> from webstreams.threads import ThreadSafeReader, ThreadSafeWriter, readable_from_thread
>>> def produce(writer: ThreadSafeWriter[int]) -> None:  # runs in a thread
...     with writer:  # closes the stream at the end
...         for number in range(3):
...             writer.write(number)  # waits while the queue is full
>>> async def main() -> None:
...     stream = WritableStream({"write": lambda chunk, controller: print(chunk)})
...     await asyncio.to_thread(produce, ThreadSafeWriter(stream))
>>> asyncio.run(main())
0
1
2

- Every chunk is written, or read, once. The chunks of one thread keep their order.
- A writing thread waits until the queue is below its high-water mark, so the chunks that were handed over and are not
  yet written are together less than the mark and one chunk. (With a mark of 0 it waits for ever: no queue is below it.)
- An error of the stream is raised as ``await`` raises it: `webstreams.StreamError` if the reason is not an exception.
- `timeout` (seconds, by default none) ends the waiting with `TimeoutError`; no chunk is lost or written twice.
- Every method raises `RuntimeError` in the loop's own thread, where waiting would block the loop for ever, and when
  the loop is closed, stops or is shut down by `asyncio.run`, also while a thread waits.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from threading import Thread
from time import monotonic
from typing import Any, Final, Generic, Self
from weakref import finalize

from typing_extensions import TypeVar

from ._engine.door import ignored
from ._engine.jobs import current_jobs, get_running_loop
from ._engine.promise import Promise
from ._platform.arguments import checked_callable, checked_seconds
from ._platform.errors import AbortError, LoopEndedError, StreamError
from ._platform.stages import note_stage
from ._streams.checks import require_readable, require_writable
from ._streams.readable.controller import ReadableStreamDefaultController
from ._streams.readable.stream import ReadableStream
from ._streams.results import ReadDoneResult, ReadValueResult
from ._streams.transform.stream import TransformStream
from ._streams.writable.stream import WritableStream

__all__ = ["ThreadSafeReader", "ThreadSafeWriter", "readable_from_thread"]

T = TypeVar("T", default=Any)
R = TypeVar("R")

# How often a waiting thread looks whether the loop still runs: a loop tells nobody that it stops (seconds).
LOOK_INTERVAL: Final = 0.1
# A loop that did not run at so many looks, one after the other, has stopped. `asyncio.run` stops it a few times before
# it ends it, and on a busy machine that takes its time.
LOOKS: Final = 5
# How long the cancelling of a stream waits for a thread that may be blocked (seconds).
THREAD_PATIENCE: Final = 0.5


class _Call(Future[R], Generic[R]):
    """A call by a thread, which can take it back by ``cancel()`` until the loop claims it."""

    task: asyncio.Task[Any] | None = None

    def claim(self) -> bool:
        """Whether the thread still waits; if so, it goes on waiting for the outcome."""
        return not self.cancelled() and (self.running() or self.set_running_or_notify_cancel())


class _ThreadSide:
    """Calls from a thread to the loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop_end = current_jobs().end

    def __enter__(self) -> Self:
        """Return the object itself."""
        self._require_other_thread()
        return self

    def _require_other_thread(self) -> None:
        if get_running_loop() is self._loop:
            raise RuntimeError(
                f"a {type(self).__name__} is not for the thread of its event loop: it would block the loop"
            )

    def _call(self, timeout: float | None, operation: Callable[..., Awaitable[R]], *args: Any) -> R:
        """Have the loop run ``operation(call, *args)`` and wait for its outcome."""
        self._require_other_thread()
        seconds = checked_seconds(timeout, "timeout", or_none=True)
        call: _Call[R] = _Call()
        try:
            self._post(self._start, call, operation, args)
            late = self._wait(call, seconds)
        except BaseException:
            call.cancel()
            with suppress(RuntimeError):
                self._post(self._stop, call)
            raise
        try:
            return call.result()
        except asyncio.CancelledError:
            raise _late_error() if late else self._stopped_error() from None

    def _wait(self, call: _Call[Any], timeout: float) -> bool:
        """Wait until the loop is done with a call; whether it was told to stop because time was up."""
        end = monotonic() + timeout
        late = False
        looks = 0
        while not call.done():
            with suppress(TimeoutError):
                call.exception(max(0, min(LOOK_INTERVAL, end - monotonic())))
                break
            looks = 0 if self._loop.is_running() else looks + 1
            if (looks >= LOOKS or self._has_ended()) and (call.cancel() or not call.done()):
                raise self._stopped_error()
            if monotonic() >= end:
                if call.cancel():
                    raise _late_error()
                late, end = True, math.inf
                self._post(self._stop, call)
        return late

    def _has_ended(self) -> bool:
        return self._loop_end.reached or self._loop.is_closed()

    def _stopped_error(self) -> RuntimeError:
        return _LoopHasStopped(
            f"the event loop of the {type(self).__name__} is closed, has stopped or is shutting down"
        )

    def _post(self, function: Callable[..., object], *args: Any) -> None:
        if self._has_ended():
            raise self._stopped_error()
        self._loop.call_soon_threadsafe(function, *args)

    # In the loop.

    def _start(self, call: _Call[R], operation: Callable[..., Awaitable[R]], args: tuple[Any, ...]) -> None:
        Promise.resolve(self._run(call, operation, args))

    async def _run(self, call: _Call[R], operation: Callable[..., Awaitable[R]], args: tuple[Any, ...]) -> None:
        call.task = asyncio.current_task()
        try:
            result = await operation(call, *args)
        except (Exception, asyncio.CancelledError) as error:
            if call.claim():
                call.set_exception(error)
        else:
            if call.claim():
                call.set_result(result)

    def _stop(self, call: _Call[Any]) -> None:
        if call.task is not None:
            call.task.cancel()


def _late_error() -> TimeoutError:
    return TimeoutError("timed out waiting for the stream")


class ThreadSafeWriter(_ThreadSide, Generic[T]):
    """Writes to `stream` from other threads than the event loop's; the stream is locked to it.

    ``with writer:`` in another thread closes the stream at the end, and aborts it if the block raised. Making one
    raises `TypeError` when the stream is locked.
    """

    def __init__(self, stream: WritableStream[T]) -> None:
        require_writable(stream, "ThreadSafeWriter")
        self._writer = stream.get_writer()
        self._closing = False
        super().__init__()

    def write(self, chunk: T, timeout: float | None = None) -> None:
        """Wait until the queue is below its high-water mark and has taken the chunk; the sink may not have written it.

        Raises the stored error when the stream is errored, `TypeError` when it is closed or closing, `TimeoutError`
        (then the chunk is not written), and `RuntimeError` as every method.
        """
        self._call(timeout, self._write, chunk)

    def close(self, timeout: float | None = None) -> None:
        """Close the stream after everything that was written; wait until the sink's ``close()`` is done.

        A write that still waits in another thread raises `TypeError`. Closing twice waits twice. Raises the stored
        error when the stream is errored, and `TimeoutError`, which does not stop the closing.
        """
        self._call(timeout, self._close)

    def abort(self, reason: object = None, timeout: float | None = None) -> None:
        """Error the stream with `reason` (any object), which waiting writes raise; wait for the sink's ``abort()``.

        Raises what that raises, and `TimeoutError`, which does not stop the aborting.
        """
        self._call(timeout, self._abort, reason)

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Close the stream, or abort it with the exception of the block."""
        if error is None:
            self.close()
        else:
            self.abort(error)

    async def _write(self, call: _Call[None], chunk: T) -> None:
        while not self._writer.ready.done():
            await self._writer.ready
        if not call.claim():
            return
        written = self._writer.write(chunk)
        written.add_done_callback(Promise.exception)  # the next call raises it too
        if written.done():
            written.result()
        elif self._writer.desired_size is None:  # measuring the chunk has errored the stream
            self._writer.ready.result()

    def _close(self, _: object = None) -> Promise[None]:
        is_over = self._closing or self._writer.desired_size is None
        self._closing = True
        return self._writer.closed if is_over else self._writer.close()

    def _abort(self, _: object, reason: object) -> Promise[None]:
        return self._writer.abort(reason)


class ThreadSafeReader(_ThreadSide, Generic[T]):
    """Reads `stream` in other threads than the event loop's; the stream is locked to it.

    In another thread, ``for chunk in reader`` reads to the end (leaving it early does not cancel the stream), and
    ``with reader:`` releases the lock at the end. Making one raises `TypeError` when the stream is locked.

    >>> def consume(reader: ThreadSafeReader[str]) -> str:  # runs in a thread
    ...     with reader:
    ...         return "".join(reader)
    >>> async def main() -> str:
    ...     return await asyncio.to_thread(consume, ThreadSafeReader(ReadableStream.from_(["a", "b", "c"])))
    >>> asyncio.run(main())
    'abc'
    """

    def __init__(self, stream: ReadableStream[T]) -> None:
        require_readable(stream, "ThreadSafeReader")
        self._reader = stream.get_reader()
        super().__init__()

    def read(self, timeout: float | None = None) -> ReadValueResult[T] | ReadDoneResult[None]:
        """Wait for the next chunk: ``value, done = reader.read()``.

        Raises the stored error when the stream is errored, `TypeError` when the lock was released, `TimeoutError`
        (then the next read gets the chunk), and `RuntimeError` as every method.
        """
        return self._call(timeout, self._read)

    def cancel(self, reason: object = None, timeout: float | None = None) -> None:
        """Cancel the stream with `reason` (any object): waiting reads see its end; wait for the source's ``cancel()``.

        Raises what that raises, `TypeError` when the lock was released, and `TimeoutError`, which does not stop it.
        """
        self._call(timeout, self._cancel, reason)

    def release(self) -> None:
        """Release the lock for another reader: waiting reads raise `TypeError`, and no chunk is lost."""
        self._call(None, self._release)

    def __iter__(self) -> Self:
        """Return the reader itself."""
        return self

    def __next__(self) -> T:
        """Return the next chunk."""
        result = self.read()
        if isinstance(result, ReadDoneResult):
            raise StopIteration
        return result.value

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Release the lock."""
        self.release()

    async def _read(self, call: _Call[Any]) -> ReadValueResult[T] | ReadDoneResult[None]:
        if not call.claim():
            raise asyncio.CancelledError
        return await self._reader.read()  # a cancelled task leaves the chunk in the stream

    def _cancel(self, _: object, reason: object) -> Promise[None]:
        return self._reader.cancel(reason)

    async def _release(self, _: object) -> None:
        self._reader.release_lock()


def readable_from_thread(
    function: Callable[[ThreadSafeWriter[T]], object], *, high_water_mark: float = 0
) -> ReadableStream[T]:
    """Make a stream of what ``function(writer)`` writes with a `ThreadSafeWriter`, in a thread of its own.

    The thread starts at the first pull, which is the first read if `high_water_mark` is 0, and is at most
    `high_water_mark` + 1 chunks ahead of the reader. It runs in a copy of the current contextvars context.

    When the function ends, the stream is closed, or errored with its exception, after the chunks that were written.
    Cancelling the stream makes the writer raise the reason; it is done when the thread has ended, and rejected with the
    exception of the function if that is another one. A stream that is dropped ends its thread in the same way, with an
    `AbortError`, and so does the end of the event loop. No thread is left when the stream is closed or errored; when it
    is cancelled, none but one that is blocked in code of its own for longer than half a second: nobody waits for that
    one, and it does not keep the process alive.

    >>> def count(writer: ThreadSafeWriter[int]) -> None:
    ...     for number in range(1_000_000):
    ...         writer.write(number)
    >>> async def main() -> None:
    ...     async for number in readable_from_thread(count):
    ...         print(number)
    ...         if number == 2:
    ...             break  # cancels the stream: the thread ends
    >>> asyncio.run(main())
    0
    1
    2
    """
    source = _ThreadSource(checked_callable(function, "function"))
    stream: ReadableStream[T] = ReadableStream(source, {"high_water_mark": high_water_mark})
    finalize(stream, source.abandon).atexit = False
    return stream


class _ThreadSource(Generic[T]):
    """The underlying source: a thread, and a transform stream from there to here."""

    def __init__(self, function: Callable[[ThreadSafeWriter[T]], object]) -> None:
        pipe: TransformStream[T, T] = TransformStream()
        self._function = function
        self._reader = pipe.readable.get_reader()
        self._writer = ThreadSafeWriter(pipe.writable)
        self._loop = asyncio.get_running_loop()
        # A daemon: the function may be blocked for ever.
        self._thread = Thread(target=copy_context().run, args=(self._run,), name="webstreams", daemon=True)
        self._started = False
        self._cancelled = False
        # Fulfilled after the thread has ended, with what the function raised or None.
        self._ended, self._resolve_ended, _ = Promise.with_resolvers()
        # What `cancel` has returned.
        self._left: Promise[None] | None = None

    async def pull(self, controller: ReadableStreamDefaultController[T]) -> None:
        """Take the next chunk, or end as the function did."""
        if not self._started:
            current_jobs().end.others.add(self)
            self._thread.start()
            self._started = True
        try:
            result = await self._reader.read()
        except Exception:
            await self._ended  # the function has aborted its stream
            raise
        if not isinstance(result, ReadDoneResult):
            controller.enqueue(result.value)
            return
        if self._cancelled:
            return
        error = await self._ended
        if error is None:
            controller.close()
        else:
            note_stage(error, self._function, "thread")
            controller.error(error)

    def cancel(self, reason: object) -> Promise[None]:
        """Make the writer raise; fulfilled when the thread has ended."""
        self._cancelled = True
        self._cancel(reason)
        if not self._started:
            return Promise.resolve()
        promise, resolve, reject = Promise.with_resolvers()
        self._left = promise
        timer = self._loop.call_later(THREAD_PATIENCE, resolve, None)
        self._ended.then(partial(_outcome, reason)).then(resolve, reject)
        self._ended.then(partial(_call_off, timer))
        return promise

    def _cut_off(self, error: LoopEndedError, is_late: bool) -> Promise[None] | None:
        """The event loop has ended: make the writer raise. A thread that was left behind is not waited for again."""
        if self._left is None:
            ignored(self.cancel(error))
        return self._left

    def abandon(self) -> None:
        """Nobody has the stream any more; called in any thread."""
        if self._thread.is_alive():
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._cancel, AbortError("the stream was dropped"))

    def _cancel(self, reason: object) -> None:
        self._reader.cancel(reason).add_done_callback(Promise.exception)

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            self._function(self._writer)
        except BaseException as raised:
            error = raised
        with suppress(RuntimeError):  # the loop is closed: nobody wants to know
            self._loop.call_soon_threadsafe(self._finish, error)

    def _finish(self, error: BaseException | None) -> None:
        self._thread.join()  # which has nothing more to do
        self._resolve_ended(error)
        self._writer._close().add_done_callback(Promise.exception)  # noqa: SLF001 - of this module


def abandon(reader: ThreadSafeReader[Any]) -> None:
    """Cancel the stream of a reader and release the lock, in the thread of the loop; whoever has read has gone."""
    reader._cancel(None, None).add_done_callback(Promise.exception)  # noqa: SLF001 - of this module
    reader._reader.release_lock()  # noqa: SLF001


def _call_off(timer: asyncio.TimerHandle, _: object) -> None:
    timer.cancel()


def _outcome(reason: object, error: BaseException | None) -> Promise[None]:
    """Tell of what a function raised when its stream was cancelled, unless that is the reason, or the loop's end."""
    is_reason = error is reason or (isinstance(error, StreamError) and error.reason is reason)
    expected = error is None or is_reason or isinstance(error, _LoopHasStopped)
    return Promise.resolve() if expected else Promise.reject(error)


class _LoopHasStopped(RuntimeError):
    """What a thread gets that waits for a loop which will not answer any more."""
