"""Section 5.3: WritableStreamDefaultWriter."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Generic, Self, overload

from typing_extensions import TypeVar

from ..._engine.jobs import ASKS_LOOP, JobQueue, get_ident, get_running_loop
from ..._engine.loop_end import wait_behind
from ..._engine.promise import Promise, promise_rejected_with, promise_resolved_with
from ..._engine.promise_state import PENDING
from ..._engine.settling import Settled
from ..._platform.errors import is_control_flow
from ..._platform.mypyc import mypyc_attr, subscriptable
from ..holder import show_holder
from ..meter import LOCKS
from .state import WritableStreamState, WriterState

T = TypeVar("T", default=Any, contravariant=True)


@mypyc_attr(free_list_len=1)
class WritePromise(Promise[None]):
    """The promise of one ``write()``."""

    __slots__ = ("_target",)

    def __init__(self, jobs: JobQueue, target: object) -> None:
        # What Promise.__init__ does, without the call: this is made for every chunk.
        self._jobs = jobs
        self._state = PENDING
        self._value = None
        self._reactions = None
        self._handled = False
        # The stream, or the writer if that was released before.
        self._target = target

    def _origin(self) -> tuple[object, ...]:
        return "write() to", self._target


@mypyc_attr(allow_interpreted_subclasses=True)
class WritableStreamDefaultWriter(WriterState, Generic[T]):
    """Puts chunks into a stream, which is locked to it. Streams Standard, 5.3.

    ``async with stream.get_writer() as writer:`` closes the stream at the end, and aborts it if the block raised; the
    lock is released either way. Constructing one raises `TypeError` for anything other than an unlocked
    `WritableStream`.

    >>> import asyncio
    >>> from webstreams import WritableStream
    >>> async def main() -> None:
    ...     stream = WritableStream({"write": lambda chunk, controller: print(chunk)})
    ...     async with stream.get_writer() as writer:
    ...         for number in range(2):
    ...             await writer.ready  # the queue wants more
    ...             writer.write(number)
    >>> asyncio.run(main())
    0
    1
    """

    __slots__ = ("__weakref__",)

    def __init__(self, stream: WritableStreamState[T]) -> None:
        """SetUpWritableStreamDefaultWriter"""
        if not isinstance(stream, WritableStreamState):
            raise TypeError(f"a WritableStreamDefaultWriter needs a WritableStream, not {type(stream).__name__}")
        stream._jobs.require_running()
        if stream._writer is not None:
            raise TypeError(
                f"cannot get a WritableStreamDefaultWriter: the stream is locked to {show_holder(stream._writer)}"
            )
        self._jobs = stream._jobs
        self._stream = stream
        self._ready_promise = None
        self._closed_promise = None
        self._released_error = None
        self._holder = None
        self._origin = None
        self._feeder = None
        stream._writer = self
        if LOCKS.tell is not None:
            LOCKS.tell(stream)
        self._jobs.end.sinks.add(stream)
        if stream._state == "erroring" or stream._state == "errored":
            self._ensure_ready_promise_rejected(stream._stored_error)
        if stream._state == "errored":
            self._ensure_closed_promise_rejected(stream._stored_error)

    @property
    def closed(self) -> Promise[None]:
        """Fulfilled when the stream is closed; rejected when it is errored, or when the lock is released before
        that."""
        if self._closed_promise is None:
            self._jobs.require_running()
            self._closed_promise = self._make_closed_promise()
        return self._closed_promise

    def _make_closed_promise(self) -> Promise[None]:
        promise: Promise[None] = Promise(self._jobs)
        promise._mark_handled()
        stream = self._stream
        if stream is None:
            promise._reject(self._error_of_release())
        elif stream._state == "closed":
            promise._fulfill(None)
        elif stream._closed_is_rejected:
            promise._reject(stream._stored_error)
        return promise

    @property
    def ready(self) -> Promise[None]:
        """Fulfilled while the queue is below its high-water mark: wait for it before you make the next chunk.

        A new promise takes its place each time the queue fills up. Rejected when the stream is errored or the lock
        released.
        """
        jobs = self._jobs
        run = jobs.run
        if run is not None:
            if not (ASKS_LOOP and get_running_loop() is jobs.loop) and get_ident() != jobs.thread_probe._thread_id:
                jobs.require_loop()
            promise: Promise[None] | None = run.gives_ready(self)
            if promise is not None:
                return promise
        if self._ready_promise is None:
            if jobs.run is not None or get_ident() != jobs.thread_probe._thread_id:
                jobs.require_running()
            self._ready_promise = self._make_ready_promise()
        return self._ready_promise

    def _make_ready_promise(self) -> Promise[None]:
        promise: Promise[None] = Promise(self._jobs)
        promise._handled = True
        stream = self._stream
        if stream is None:
            promise._reject(self._error_of_release())
        elif (
            not stream._backpressure
            or stream._state != "writable"
            or stream._close_request is not None
            or stream._in_flight_close_request is not None
        ):
            promise._fulfill(None)
        return promise

    @property
    def desired_size(self) -> float | None:
        """How much more the queue wants, in the strategy's units: not above 0 when it is full, 0 when closed, None
        when errored.

        Raises `TypeError` when the lock was released.
        """
        if self._jobs.run is not None and self._jobs.is_running():
            self._jobs.leave_run()
        stream = self._require_stream("get the desired size")
        return self._get_desired_size(stream)

    def abort(self, reason: object = None) -> Promise[None]:
        """Give up: drop what is queued, error the stream with `reason` (any object) and call the sink's
        ``abort(reason)``.

        The promise is settled as that call is. Rejected with `TypeError` when the lock was released. Streams
        Standard, 5.3.3.
        """
        self._jobs.require_running()
        if self._stream is None:
            return promise_rejected_with(self._jobs, _released("abort the stream"), "abort() of", self)
        return self._abort(reason)

    def close(self) -> Promise[None]:
        """Close the stream after everything that was written; fulfilled when the sink's ``close()`` is done.

        Rejected with `TypeError` when the lock was released, or when the stream is closed or closing. Cancelling a
        task that awaits the promise stops the waiting, not the closing. Streams Standard, 5.3.3.
        """
        self._jobs.require_running()
        stream = self._stream
        if stream is None:
            return promise_rejected_with(self._jobs, _released("close the stream"), "close() of", self)
        if stream._close_queued_or_in_flight():
            error = TypeError("cannot close: the stream is closing already")
            return promise_rejected_with(self._jobs, error, "close() of", stream)
        return self._close()

    def release_lock(self) -> None:
        """Release the lock, so that another writer can be acquired; what was written stays written.

        Does nothing when the lock was released before. Streams Standard, 5.3.3.
        """
        self._jobs.require_running()
        if self._stream is not None:
            self._release()

    @overload
    def write(self: WritableStreamDefaultWriter[None]) -> Promise[None]: ...
    @overload
    def write(self, chunk: T) -> Promise[None]: ...
    def write(self, chunk: Any = None) -> Promise[None]:
        """Put a chunk into the queue; fulfilled when the sink's ``write()`` is done with it.

        The queue takes it whether it is full or not: wait for `ready` first. Rejected with `TypeError` when the lock
        was released or the stream is closed or closing, and with the stored error when it is errored. Cancelling a
        task that awaits the promise stops the waiting only: the chunk is written, in order, once. Streams Standard,
        5.3.3.
        """
        jobs = self._jobs
        if not (ASKS_LOOP and get_running_loop() is jobs.loop) and get_ident() != jobs.thread_probe._thread_id:
            jobs.require_loop()
        stream = self._stream
        if stream is None:
            promise = WritePromise(jobs, self)
            promise._reject(_released("write to the stream"))
            return promise
        promise = WritePromise(jobs, stream)
        run = jobs.run
        if run is not None:
            if run.writes(self, chunk, promise):
                return promise
        else:
            jobs.writes_left -= 1
            if jobs.writes_left <= 0 and jobs.takes_write(self, chunk, promise):
                return promise
        controller = stream._controller
        if (
            controller._strategy_size_algorithm is None
            and stream._state == "writable"
            and stream._close_request is None
            and stream._in_flight_close_request is None
        ):
            controller._write(chunk, 1, promise)  # _write(), without the call
        else:
            self._write(chunk, promise)
        return promise

    async def __aenter__(self) -> Self:
        """Return the writer itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the stream, or abort it with the exception of the block; then release the lock.

        # Python: if the task was cancelled, a coroutine of the sink that is under way is cancelled, too: a sink that
        # does not get on must not hold up the end of the task.
        """
        stream = self._stream
        if stream is None:
            return
        self._jobs.leave_run()
        try:
            if error is not None:
                ends_at_once = is_control_flow(error) and not stream._is_closed_or_errored()
                aborting = stream._abort_at_once(error) if ends_at_once else self.abort(error)
                await wait_behind(error, aborting, self._jobs.end)
            elif not stream._close_queued_or_in_flight() and stream._state != "closed":
                await self._close_with_error_propagation()
            else:
                await self.closed
        finally:
            self.release_lock()

    # Abstract operations (5.5.3).

    def _require_stream(self, action: str) -> WritableStreamState[Any]:
        if self._stream is None:
            raise _released(action)
        return self._stream

    def _abort(self, reason: object) -> Promise[None]:
        """WritableStreamDefaultWriterAbort"""
        assert self._stream is not None
        return self._stream._abort(reason)

    def _close(self) -> Promise[None]:
        """WritableStreamDefaultWriterClose"""
        assert self._stream is not None
        return self._stream._close()

    def _close_with_error_propagation(self) -> Promise[None]:
        """WritableStreamDefaultWriterCloseWithErrorPropagation"""
        stream = self._stream
        assert stream is not None
        if stream._close_queued_or_in_flight() or stream._state == "closed":
            return promise_resolved_with(self._jobs)
        if stream._state == "errored":
            return promise_rejected_with(self._jobs, stream._stored_error)
        return self._close()

    def _get_desired_size(self, stream: WritableStreamState[Any]) -> float | None:
        """WritableStreamDefaultWriterGetDesiredSize"""
        if stream._state == "errored" or stream._state == "erroring":
            return None
        if stream._state == "closed":
            return 0
        return stream._controller._get_desired_size()

    def _release(self) -> None:
        """WritableStreamDefaultWriterRelease"""
        assert self._stream is not None
        if self._ready_promise is not None:
            self._ensure_ready_promise_rejected(self._error_of_release())
        if self._closed_promise is not None:
            self._ensure_closed_promise_rejected(self._error_of_release())
        self._stream._writer = None
        self._stream = None
        self._holder = self._origin = self._feeder = None

    def _error_of_release(self) -> TypeError:
        """Return the error of both promises after the release, which is made when somebody looks at one of them."""
        if self._released_error is None:
            self._released_error = TypeError("the writer was released: its promises tell no more about the stream")
        return self._released_error

    def _write(self, chunk: Any, request: Settled) -> None:
        """WritableStreamDefaultWriterWrite; settles `request` instead of returning a promise."""
        stream = self._stream
        assert stream is not None
        controller = stream._controller
        chunk_size = 1 if controller._strategy_size_algorithm is None else controller._get_chunk_size(chunk)
        if stream is not self._stream:
            request._reject(_released("write to the stream"))
        elif stream._state == "writable" and stream._close_request is None and stream._in_flight_close_request is None:
            controller._write(chunk, chunk_size, request)
        elif stream._state == "errored":
            request._reject(stream._stored_error)
        elif stream._close_queued_or_in_flight() or stream._state == "closed":
            request._reject(TypeError("cannot write: the stream is closed or closing"))
        else:
            request._reject(stream._stored_error)  # it is erroring


subscriptable(WritableStreamDefaultWriter)


def _released(action: str) -> TypeError:
    return TypeError(f"the writer was released: cannot {action}")
