"""The state of a writable stream, which its controller and its writer move (5.5.1 and 5.5.2).

A stream is *writable*; it becomes *closed* when the sink's close() is done. An error or an abort makes it *erroring*
first: what the sink is doing is waited for, then the stream is *errored*, the rest of the queue is dropped, and the
sink's abort() runs if it was an abort. Chunks go one way: writer -> controller -> queue -> sink.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, ClassVar, Generic

from typing_extensions import TypeVar

from ..._debug.repr import show, show_desired_size, show_state, summary
from ..._debug.watches import WriteWatch
from ..._engine.jobs import JobQueue
from ..._engine.promise import CallPromise, Promise, promise_rejected_with, promise_resolved_with, upon
from ..._engine.settling import Settled
from ..._platform.errors import LoopEndedError, forget_library
from ..._platform.mypyc import mypyc_attr, subscriptable
from ..holder import LockHolder, show_holder
from ..part import Part
from ..strategy import SizeAlgorithm
from .sink import LeadingSink, Sink

T = TypeVar("T", default=Any, contravariant=True)


class WritableController(Part):
    """What a stream needs of its controller (5.4.4 and 5.5.4)."""

    __slots__ = ("_started", "_strategy_size_algorithm", "_write_watch")
    # They move at the begin and at the end only, when there are no periods.
    _constant: ClassVar[tuple[str, ...]] = ("_started", "_strategy_size_algorithm", "_write_watch")

    _started: bool
    _strategy_size_algorithm: SizeAlgorithm | None
    # Ours, shared; only in debug mode.
    _write_watch: WriteWatch | None

    def _abort_steps(self, reason: object) -> Promise[Any] | None:
        """[[AbortSteps]]; None stands for a promise that is fulfilled already."""
        raise NotImplementedError

    def _error_steps(self) -> None:
        """[[ErrorSteps]]"""
        raise NotImplementedError

    def _signal_abort(self, reason: object) -> None:
        """Signal abort on [[abortController]]."""
        raise NotImplementedError

    def _cancel_coroutine(self) -> None:
        """Ours: cancel the coroutine of the sink that is under way, unless it is that of abort()."""
        raise NotImplementedError

    def _what_ends_with_it(self) -> Sink | LeadingSink | None:
        """Ours: the sink, if something may be under way behind the stream."""
        raise NotImplementedError

    def _runs_a_coroutine(self) -> bool:
        """Ours: whether a coroutine of the sink is under way."""
        raise NotImplementedError

    def _misses_its_end(self) -> bool:
        """Ours: whether something is lost or left open if the stream is never closed."""
        raise NotImplementedError

    def _close(self) -> None:
        """Begin to close the stream."""
        raise NotImplementedError

    def _get_chunk_size(self, chunk: Any) -> Any:
        """Measure a chunk."""
        raise NotImplementedError

    def _get_desired_size(self) -> int | float:
        """Return how much more the queue wants."""
        raise NotImplementedError

    def _write(self, chunk: Any, chunk_size: Any, request: Settled) -> None:
        """Take a chunk of a writer."""
        raise NotImplementedError

    def _show_total(self) -> str:
        """What a ``repr()`` tells of the queue."""
        raise NotImplementedError

    def _show_sink(self) -> str:
        """What is known of the underlying sink, in brackets."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class WriterState(Part):
    """What a stream needs of its writer."""

    __slots__ = (
        "_closed_promise",
        "_feeder",
        "_holder",
        "_jobs",
        "_origin",
        "_ready_promise",
        "_released_error",
        "_stream",
    )
    # Links; and what moves at the end only, after which there are no periods.
    _constant: ClassVar[tuple[str, ...]] = (
        "_closed_promise",
        "_feeder",
        "_holder",
        "_jobs",
        "_origin",
        "_released_error",
        "_stream",
    )

    _jobs: JobQueue
    _stream: WritableStreamState[Any] | None
    # Python: [[closedPromise]] and [[readyPromise]] are made when somebody looks at them, unless they are rejected
    # before that.
    _closed_promise: Promise[None] | None
    _ready_promise: Promise[None] | None
    _released_error: TypeError | None
    # Ours, shared: who writes, if it is not the user: in words, and the pipe itself.
    _holder: LockHolder | None
    _feeder: object
    # Ours, shared: what the fast path keeps for the writes of a user's.
    _origin: object

    def _ensure_ready_promise_rejected(self, error: object) -> None:
        """WritableStreamDefaultWriterEnsureReadyPromiseRejected"""
        self._ready_promise = _ensure_rejected(self._jobs, self._ready_promise, error)

    def _ensure_closed_promise_rejected(self, error: object) -> None:
        """WritableStreamDefaultWriterEnsureClosedPromiseRejected"""
        self._closed_promise = _ensure_rejected(self._jobs, self._closed_promise, error)

    def __repr__(self) -> str:
        """Show the stream, and whether it is ready."""
        return show(self, self._details())

    def _details(self) -> Iterator[str]:
        if self._stream is not None:
            yield f"of {summary(self._stream)}"
        yield from self._summary()

    def _summary(self) -> Iterator[str]:
        stream = self._stream
        if stream is None:
            yield "released"
        elif stream._state == "writable":
            yield "not ready" if stream._backpressure and not stream._close_queued_or_in_flight() else "ready"


def _ensure_rejected(jobs: JobQueue, promise: Promise[None] | None, error: object) -> Promise[None]:
    if promise is None or promise.done():
        promise = Promise(jobs)
    promise._mark_handled()
    promise._reject(error)
    return promise


class PendingAbortRequest:
    """The Standard's struct of that name."""

    __slots__ = ("promise", "reason", "was_already_erroring")

    def __init__(self, promise: Promise[None], reason: object, was_already_erroring: bool) -> None:
        self.promise = promise
        self.reason = reason
        self.was_already_erroring = was_already_erroring


@mypyc_attr(allow_interpreted_subclasses=True)
class WritableStreamState(Part, Generic[T]):
    """The internal slots of a writable stream, and the operations that move them."""

    __slots__ = (
        "_backpressure",
        "_close_request",
        "_closed_is_rejected",
        "_controller",
        "_finished",
        "_in_flight_close_request",
        "_in_flight_write_request",
        "_jobs",
        "_pending_abort_request",
        "_state",
        "_stored_error",
        "_write_requests",
        "_writer",
    )

    # Links; what moves at the end only, after which there are no periods; and what is made when somebody asks for it.
    _constant: ClassVar[tuple[str, ...]] = (
        "_close_request",
        "_closed_is_rejected",
        "_controller",
        "_finished",
        "_in_flight_close_request",
        "_jobs",
        "_pending_abort_request",
        "_state",
        "_stored_error",
        "_writer",
    )

    _controller: WritableController

    def __init__(self, jobs: JobQueue) -> None:
        """InitializeWritableStream"""
        self._state = "writable"
        self._stored_error: object = None
        self._writer: WriterState | None = None
        self._in_flight_write_request: Settled | None = None
        self._close_request: Promise[None] | None = None
        self._in_flight_close_request: Promise[None] | None = None
        self._pending_abort_request: PendingAbortRequest | None = None
        # Python: made when a write has to wait for another; the first one goes straight into its slot above.
        self._write_requests: deque[Settled] | None = None
        self._backpressure = False
        # Ours, shared.
        self._jobs = jobs
        # The writer's closed promise is rejected only after the sink's abort() is done, later than the state is
        # "errored".
        self._closed_is_rejected = False
        # What `finished()` gave, which needs no writer.
        self._finished: Promise[None] | None = None

    # Working with writable streams.

    def _abort(self, reason: object) -> Promise[None]:
        """WritableStreamAbort"""
        if self._is_closed_or_errored():
            return promise_resolved_with(self._jobs)
        self._controller._signal_abort(reason)
        if self._is_closed_or_errored():
            return promise_resolved_with(self._jobs)
        if self._pending_abort_request is not None:
            return self._pending_abort_request.promise
        was_already_erroring = self._state == "erroring"
        if was_already_erroring:
            reason = None
        promise: Promise[None] = CallPromise(self._jobs, "abort() of", self)
        self._pending_abort_request = PendingAbortRequest(promise, reason, was_already_erroring)
        if not was_already_erroring:
            self._start_erroring(reason)
        return promise

    def _close(self) -> Promise[None]:
        """WritableStreamClose"""
        state = self._state
        if state == "closed":
            error = TypeError("cannot close: the stream is closed")
            return promise_rejected_with(self._jobs, error, "close() of", self)
        if state == "errored":
            return promise_rejected_with(self._jobs, self._close_error(), "close() of", self)
        promise: Promise[None] = CallPromise(self._jobs, "close() of", self)
        self._close_request = promise
        writer = self._writer
        if writer is not None and self._backpressure and state == "writable" and writer._ready_promise is not None:
            writer._ready_promise._fulfill(None)
        self._controller._close()
        return promise

    def _close_error(self) -> TypeError:
        # Python: the Standard's TypeError, with the stored error as its cause.
        error = TypeError("cannot close: the stream is errored")
        if isinstance(self._stored_error, BaseException):
            error.__cause__ = self._stored_error
        return error

    def _is_closed_or_errored(self) -> bool:
        return self._state == "closed" or self._state == "errored"

    # Interfacing with controllers (5.5.2).

    def _add_write_request(self, request: Settled) -> None:
        """WritableStreamAddWriteRequest"""
        if self._write_requests is None:
            self._write_requests = deque()
        self._write_requests.append(request)

    def _mark_first_write_request_in_flight(self) -> None:
        """WritableStreamMarkFirstWriteRequestInFlight"""
        assert self._write_requests is not None
        self._in_flight_write_request = self._write_requests.popleft()

    def _close_queued_or_in_flight(self) -> bool:
        """WritableStreamCloseQueuedOrInFlight"""
        return self._close_request is not None or self._in_flight_close_request is not None

    def _deal_with_rejection(self, error: object) -> None:
        """WritableStreamDealWithRejection"""
        if self._state == "writable":
            self._start_erroring(error)
        else:
            self._finish_erroring()

    def _start_erroring(self, reason: object) -> None:
        """WritableStreamStartErroring"""
        self._state = "erroring"
        forget_library(reason)
        self._stored_error = reason
        if self._writer is not None:
            self._writer._ensure_ready_promise_rejected(reason)
        if not self._has_operation_marked_in_flight() and self._controller._started:
            self._finish_erroring()

    def _finish_erroring(self) -> None:
        """WritableStreamFinishErroring"""
        self._state = "errored"
        self._controller._error_steps()
        requests, self._write_requests = self._write_requests, None
        if requests is not None:
            for request in requests:
                request._reject(self._stored_error)
        abort_request = self._pending_abort_request
        if abort_request is None:
            self._reject_close_and_closed_promise_if_needed()
            return
        self._pending_abort_request = None
        if abort_request.was_already_erroring:
            abort_request.promise._reject(self._stored_error)
            self._reject_close_and_closed_promise_if_needed()
            return
        steps = _AbortReaction(self, abort_request.promise)
        upon(self._jobs, self._controller._abort_steps(abort_request.reason), steps.fulfilled, steps.rejected)

    def _finish_in_flight_close(self) -> None:
        """WritableStreamFinishInFlightClose"""
        assert self._in_flight_close_request is not None
        self._in_flight_close_request._fulfill(None)
        self._in_flight_close_request = None
        if self._state == "erroring":
            self._stored_error = None  # the error came too late to do anything
            if self._pending_abort_request is not None:
                self._pending_abort_request.promise._fulfill(None)
                self._pending_abort_request = None
        self._state = "closed"
        if self._finished is not None:
            self._finished._fulfill(None)
        if self._writer is not None and self._writer._closed_promise is not None:
            self._writer._closed_promise._fulfill(None)

    def _finish_in_flight_close_with_error(self, error: object) -> None:
        """WritableStreamFinishInFlightCloseWithError"""
        request, self._in_flight_close_request = self._in_flight_close_request, None
        assert request is not None
        self._fail_close(request, error)

    def _fail_close(self, request: Promise[None], error: object) -> None:
        # A promise that nobody has is reported when it is gone: not before the end, which is why it is an argument.
        request._reject(error)
        if self._pending_abort_request is not None:
            self._pending_abort_request.promise._reject(error)  # the sink's abort() never runs after its close()
            self._pending_abort_request = None
        self._deal_with_rejection(error)

    def _finish_in_flight_write_with_error(self, error: object) -> None:
        """WritableStreamFinishInFlightWriteWithError"""
        request, self._in_flight_write_request = self._in_flight_write_request, None
        assert request is not None
        self._fail_write(request, error)

    def _fail_write(self, request: Settled, error: object) -> None:
        request._reject(error)  # as in _fail_close
        self._deal_with_rejection(error)

    def _has_operation_marked_in_flight(self) -> bool:
        """WritableStreamHasOperationMarkedInFlight"""
        return self._in_flight_write_request is not None or self._in_flight_close_request is not None

    def _mark_close_request_in_flight(self) -> None:
        """WritableStreamMarkCloseRequestInFlight"""
        self._in_flight_close_request, self._close_request = self._close_request, None

    def _reject_close_and_closed_promise_if_needed(self) -> None:
        """WritableStreamRejectCloseAndClosedPromiseIfNeeded"""
        if self._close_request is not None:
            self._close_request._reject(self._stored_error)
            self._close_request = None
        self._closed_is_rejected = True
        if self._finished is not None:
            self._finished._reject(self._stored_error)
        if self._writer is not None and self._writer._closed_promise is not None:
            self._writer._closed_promise._mark_handled()
            self._writer._closed_promise._reject(self._stored_error)

    def _runs_a_coroutine(self) -> bool:
        return self._controller._runs_a_coroutine()

    def _cut_off(self, error: LoopEndedError, is_late: bool) -> Promise[None] | None:
        """Ours: the event loop has ended. Abort, unless the sink is closing."""
        self._jobs.leave_run()
        if self._is_closed_or_errored():
            return None
        if self._in_flight_close_request is not None and not is_late:
            return self._in_flight_close_request
        if self._state == "writable" and self._controller._misses_its_end():
            self._jobs.report(
                f"{summary(self)}{self._controller._show_sink()} was cut off by the end of the event loop before it "
                "was closed: await close(), or use `async with stream.get_writer()`",
                error,
            )
        return self._abort_at_once(error)

    def _abort_at_once(self, reason: object) -> Promise[None]:
        """Ours, shared: abort, and do not wait for the write under way, here or in a stream that is written to from
        here."""
        sink = self._controller._what_ends_with_it()
        promise = self._abort(reason)
        self._controller._cancel_coroutine()
        if sink is not None:
            sink.end_at_once(reason)
        return promise

    # Debugging.

    def __repr__(self) -> str:
        """Show the state, who has the stream for itself, and the queue."""
        return show(self, self._details())

    def _details(self) -> Iterator[str]:
        yield show_state(self._state, self._stored_error)
        yield "unlocked" if self._writer is None else f"locked to {show_holder(self._writer)}"
        yield from self._show_queue()

    def _summary(self) -> Iterator[str]:
        yield show_state(self._state, self._stored_error)
        yield from self._show_queue()

    def _is_ready_watched(self) -> bool:
        """Whether somebody has looked at the writer's `ready` since the queue got full: the promise is made then."""
        return self._writer is not None and self._writer._ready_promise is not None

    def _show_queue(self) -> Iterator[str]:
        yield self._controller._show_total()
        ended = 0 if self._state == "closed" else None
        yield show_desired_size(self._controller._get_desired_size() if self._state == "writable" else ended)
        if self._close_queued_or_in_flight():
            yield "closing"
        elif self._in_flight_write_request is not None:
            yield "writing"


subscriptable(WritableStreamState)


# Operations that are called for every chunk. Compiled code calls functions directly, but not the methods of a class
# that has interpreted subclasses.


def update_backpressure(stream: WritableStreamState[Any], backpressure: bool) -> None:
    """WritableStreamUpdateBackpressure"""
    if backpressure is stream._backpressure:
        return
    writer = stream._writer
    if writer is not None and writer._ready_promise is not None:
        if backpressure:
            writer._ready_promise = None
        else:
            writer._ready_promise._fulfill(None)
    stream._backpressure = backpressure


class _AbortReaction:
    """What follows the sink's abort() in WritableStreamFinishErroring."""

    __slots__ = ("_promise", "_stream")

    def __init__(self, stream: WritableStreamState[Any], promise: Promise[None]) -> None:
        self._stream = stream
        self._promise = promise

    def fulfilled(self, _: Any = None) -> None:
        """The sink has aborted."""
        self._promise._fulfill(None)
        self._stream._reject_close_and_closed_promise_if_needed()

    def rejected(self, reason: object) -> None:
        """The sink's abort() failed."""
        self._promise._reject(reason)
        self._stream._reject_close_and_closed_promise_if_needed()
