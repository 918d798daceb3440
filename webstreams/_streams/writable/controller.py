"""Section 5.4: WritableStreamDefaultController. Keeps what is written in its queue and hands it to the sink, one by
one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ClassVar, Final

from ..._debug.repr import show, show_queue, show_value, summary
from ..._debug.watches import WriteWatch
from ..._engine.callbacks import (
    DEFERRED,
    CallsBack,
    call_of,
    callback_failed,
    callback_returned,
    completion_of,
    outcome_of,
)
from ..._engine.coroutine_call import CoroutineCall
from ..._engine.jobs import Job, JobQueue
from ..._engine.promise import Promise, converted, promise_of_failure, upon
from ..._engine.settling import Settled
from ..._platform.errors import call, goes_through
from ..._platform.idl import INTERNAL, do_nothing, refuse_constructor
from ..._platform.stages import note_stage
from ..abort import AbortController, AbortSignal
from ..queue import QueueWithSizes, as_shown
from ..strategy import SizeAlgorithm
from .sink import LeadingSink, Sink, UnderlyingSink
from .state import WritableController, WritableStreamState, update_backpressure

CLOSE_SENTINEL: Final = object()


class WritableStreamDefaultController(WritableController, CallsBack):
    """What an underlying sink uses to act on its stream. Streams Standard, 5.4."""

    __slots__ = (
        "__weakref__",
        "_abort_algorithm",
        "_abort_controller",
        "_jobs",
        "_on_write_completed",
        "_on_write_fulfilled",
        "_queue",
        "_sink",
        "_strategy_hwm",
        "_stream",
        "_under_way",
    )
    # Links and jobs; what is made when somebody asks for it; and the sink, which is dropped at the end.
    _constant: ClassVar[tuple[str, ...]] = (
        "_abort_algorithm",
        "_abort_controller",
        "_jobs",
        "_on_write_completed",
        "_on_write_fulfilled",
        "_queue",
        "_sink",
        "_strategy_hwm",
        "_stream",
        "_under_way",
    )

    _strategy_hwm: float

    def __init__(self, token: object = None, *setup: Any, **_: Any) -> None:
        if token is not INTERNAL:
            raise refuse_constructor("WritableStreamDefaultController")
        self._set_up(*setup)

    def _set_up(
        self,
        stream: WritableStreamState[Any],
        sink: Sink | UnderlyingSink,
        high_water_mark: float,
        size_algorithm: SizeAlgorithm | None,
    ) -> None:
        """SetUpWritableStreamDefaultController"""
        self._stream = stream
        stream._controller = self
        self._queue = QueueWithSizes(sized=size_algorithm is not None)
        # Python: [[abortController]] is made when somebody asks for the signal, or when it is aborted.
        self._abort_controller: AbortController | None = None
        # Ours, shared: what the signal does then, also if nobody asks for it.
        self._abort_algorithm: Callable[[], object] | None = None
        self._started = False
        self._strategy_size_algorithm = size_algorithm
        self._strategy_hwm = high_water_mark
        # The write, close and abort algorithms; None once they are cleared.
        self._sink: Sink | UnderlyingSink | None = sink
        # Ours, shared.
        self._jobs: JobQueue = stream._jobs
        self._on_write_fulfilled: Job = self._write_fulfilled
        # The coroutine of start(), write() or close() that is under way.
        self._under_way: CoroutineCall | None = None
        self._write_watch = WriteWatch(stream._jobs, high_water_mark) if stream._jobs.loop.get_debug() else None

        # Ours.
        self._on_write_completed: Job | None = None

        stream._backpressure = high_water_mark <= 0  # update_backpressure(), without the calls: there is no writer
        start = sink.start
        promise = None if start is do_nothing else converted(self._jobs, call(start, self), sink.context)
        if promise is None:
            self._jobs.push(self._start_fulfilled)
        else:
            self._under_way = call_of(promise)
            promise._react(self._start_fulfilled, self._start_rejected)

    def _start_fulfilled(self, _: Any = None) -> None:
        self._started = True
        self._under_way = None
        self._advance_queue_if_needed()

    def _start_rejected(self, reason: object) -> None:
        self._started = True
        self._under_way = None
        if isinstance(self._sink, UnderlyingSink):
            note_stage(reason, self._sink.start, "start()")
        self._stream._deal_with_rejection(reason)

    # What the sink calls.

    @property
    def signal(self) -> AbortSignal:
        """Aborted as soon as the stream is: the sink can stop the write that it is busy with."""
        self._jobs.leave_run()
        if self._abort_controller is None:
            self._abort_controller = AbortController()
            self._jobs.end.sinks.add(self._stream)  # whoever asks wants to hear of the end of the loop, too
        return self._abort_controller.signal

    def error(self, error: object = None) -> None:
        """Error the stream: what is queued is dropped, everything written from now on fails with `error`, any object.

        Does nothing when the stream is closed, errored or about to be errored. Streams Standard, 5.4.3.
        """
        self._jobs.require_running()
        if self._stream._state == "writable":
            if isinstance(self._sink, UnderlyingSink):
                note_stage(error, self._sink.stage(), "controller.error()")
            self._error(error)

    # What the stream calls.

    def _abort_steps(self, reason: object) -> Promise[Any] | None:
        """[[AbortSteps]]"""
        sink = self._sink
        assert sink is not None
        try:
            return converted(self._jobs, sink.abort(reason), sink.context)
        except BaseException as error:
            return promise_of_failure(self._jobs, error)
        finally:
            self._clear_algorithms()

    def _error_steps(self) -> None:
        """[[ErrorSteps]]"""
        self._queue.reset_queue()

    def _signal_abort(self, reason: object) -> None:
        if self._abort_controller is None:
            self._abort_controller = AbortController()
        if self._abort_algorithm is not None:
            self._abort_controller.signal._add_algorithm(self._abort_algorithm)
        self._abort_controller.abort(reason)

    def _cancel_coroutine(self) -> None:
        """Ours: cancel the sink's coroutine that is under way, unless it is that of abort(), or end a waiting write."""
        if self._under_way is not None:
            self._under_way.cancel()
        elif isinstance(self._sink, Sink):
            self._sink.give_up()

    def _what_ends_with_it(self) -> Sink | LeadingSink | None:
        """Ours: the sink, if something may be under way behind the stream."""
        sink = self._sink
        return sink.leading if isinstance(sink, UnderlyingSink) else sink

    def _runs_a_coroutine(self) -> bool:
        """Ours: whether a coroutine of the sink is under way."""
        return self._under_way is not None

    def _misses_its_end(self) -> bool:
        """Ours: whether something is lost or left open if the stream is never closed."""
        sink = self._sink
        if self._queue.chunks:
            return True
        if self._stream._writer is None or type(sink) is not UnderlyingSink:
            return False
        has_end = sink.close is not do_nothing or sink.abort is not do_nothing
        return has_end and not getattr(_owner_of(sink), "may_stay_open", False)

    # Abstract operations (5.5.4).

    def _advance_queue_if_needed(self) -> None:
        """WritableStreamDefaultControllerAdvanceQueueIfNeeded"""
        stream = self._stream
        if not self._started or stream._in_flight_write_request is not None:
            return
        if stream._state == "erroring":
            stream._finish_erroring()
        elif self._queue.chunks:
            self._process_next()

    def _process_next(self) -> None:
        """Hand the first chunk of the queue to the sink, or close that."""
        value = self._queue.chunks[0]  # PeekQueueValue
        if value is CLOSE_SENTINEL:
            self._process_close()
        else:
            self._stream._mark_first_write_request_in_flight()
            self._process_write(value)

    def _clear_algorithms(self) -> None:
        """WritableStreamDefaultControllerClearAlgorithms"""
        self._sink = None
        self._strategy_size_algorithm = None

    def _close(self) -> None:
        """WritableStreamDefaultControllerClose"""
        self._queue.enqueue_close(CLOSE_SENTINEL)
        self._advance_queue_if_needed()

    def _error(self, error: object) -> None:
        """WritableStreamDefaultControllerError"""
        self._clear_algorithms()
        self._stream._start_erroring(error)

    def _error_if_needed(self, error: object) -> None:
        """WritableStreamDefaultControllerErrorIfNeeded"""
        if self._stream._state == "writable":
            self._error(error)

    def _get_chunk_size(self, chunk: Any) -> Any:
        """WritableStreamDefaultControllerGetChunkSize"""
        size_algorithm = self._strategy_size_algorithm
        if size_algorithm is None:
            return 1  # also when the algorithms are cleared: then the stream is not writable
        try:
            return call(size_algorithm, chunk)
        except Exception as error:
            self._error_if_needed(error)
            return 1

    def _get_desired_size(self) -> int | float:
        """WritableStreamDefaultControllerGetDesiredSize"""
        size = self._strategy_hwm - self._queue.total
        return size if type(size) is int else as_shown(size)

    def _process_close(self) -> None:
        """WritableStreamDefaultControllerProcessClose"""
        self._queue.dequeue_close()
        assert self._sink is not None
        self._begin_close(self._sink.close)

    def _begin_close(self, close: Callable[[], Any]) -> None:
        """Ours, shared: close the sink by a function; nothing is in the queue."""
        self._stream._mark_close_request_in_flight()
        sink = self._sink
        assert sink is not None
        try:
            promise = converted(self._jobs, close(), sink.context)
        except BaseException as error:
            promise = promise_of_failure(self._jobs, error)
        finally:
            self._clear_algorithms()
        call_under_way = call_of(promise)
        if call_under_way is not None:  # else it may be that of a transformer's flush()
            self._under_way = call_under_way
        upon(self._jobs, promise, self._close_fulfilled, partial(self._close_rejected, sink))

    def _close_fulfilled(self, _: Any = None) -> None:
        self._under_way = None
        self._stream._finish_in_flight_close()

    def _close_rejected(self, sink: Sink | UnderlyingSink, reason: object) -> None:
        self._under_way = None
        if isinstance(sink, UnderlyingSink):
            note_stage(reason, sink.close, "close()")
        self._stream._finish_in_flight_close_with_error(reason)

    def _process_write(self, chunk: Any) -> None:
        """WritableStreamDefaultControllerProcessWrite; the write request is marked in flight already."""
        sink = self._sink
        assert sink is not None
        try:
            result = sink.write(chunk, self)
        except BaseException as error:
            callback_failed(self, self._jobs, error)
            if goes_through(error):
                raise
            return
        if result is None:
            jobs = self._jobs
            jobs.jobs.append(self._on_write_fulfilled)
            if not jobs.scheduled:
                jobs.schedule()
        elif result is not DEFERRED:
            callback_returned(self, self._jobs, outcome_of(self._jobs, result, sink.context))

    def _after_return(self) -> Job:
        return self._on_write_fulfilled

    def _after_completion(self) -> Job:
        if self._on_write_completed is None:
            self._on_write_completed = completion_of(self._jobs, self._on_write_fulfilled)
        return self._on_write_completed

    def _callback_waits(self, call: CoroutineCall | None) -> None:
        self._under_way = call

    def _callback_fulfilled(self, _: Any = None) -> None:
        self._under_way = None
        self._write_fulfilled()

    def _write_fulfilled(self, _: Any = None) -> None:
        stream, queue = self._stream, self._queue
        # WritableStreamFinishInFlightWrite
        request, stream._in_flight_write_request = stream._in_flight_write_request, None
        assert request is not None
        request._fulfill(None)
        if queue.sizes is None:
            queue.total -= 1  # dequeue_value(), without the call
            queue.chunks.popleft()
        else:
            queue.dequeue_value()
        if stream._state != "writable":
            self._advance_queue_if_needed()
            return
        if stream._backpressure and queue.total < self._strategy_hwm and stream._close_request is None:
            writer = stream._writer
            if writer is not None and writer._ready_promise is not None:
                update_backpressure(stream, False)
            else:
                stream._backpressure = False  # update_backpressure(), without the call
        if queue.chunks:
            self._process_next()

    def _ends_with_callback(self, job: Job) -> bool:
        """Tell the fast path that the sink is called last, with the next chunk in the queue."""
        return job == self._write_fulfilled

    def _callback_rejected(self, reason: object) -> None:
        self._under_way = None
        if isinstance(self._sink, UnderlyingSink):
            note_stage(reason, self._sink.write, "write()")
        if self._stream._state == "writable":
            self._clear_algorithms()
        self._stream._finish_in_flight_write_with_error(reason)

    def _write(self, chunk: Any, chunk_size: Any, request: Settled) -> None:
        """WritableStreamDefaultControllerWrite, with `request` for the write; the stream is writable."""
        stream, queue = self._stream, self._queue
        if queue.sizes is None:
            queue.chunks.append(chunk)
            queue.total += 1
        else:
            try:
                queue.enqueue_value_with_size(chunk, chunk_size)
            except ValueError as error:
                stream._add_write_request(request)
                self._error_if_needed(error)
                return
        if self._write_watch is not None:
            self._write_watch.chunk_was_queued(stream, queue, stream._is_ready_watched)
        # WritableStreamDefaultControllerGetBackpressure
        if not stream._backpressure and queue.total >= self._strategy_hwm:
            writer = stream._writer
            if writer is not None and writer._ready_promise is not None:
                update_backpressure(stream, True)
            else:
                stream._backpressure = True  # update_backpressure(), without the call
        if self._started and stream._in_flight_write_request is None:
            stream._in_flight_write_request = request
            self._process_write(chunk)
        else:
            stream._add_write_request(request)

    # Debugging.

    def __repr__(self) -> str:
        """Show the stream and its queue."""
        return show(self, self._details())

    def _details(self) -> Iterator[str]:
        yield f"of {summary(self._stream)}"
        if not self._started:
            yield "starting"

    def _show_sink(self) -> str:
        owner = _owner_of(self._sink)
        is_silent = owner is None or type(owner).__repr__ is object.__repr__
        return "" if is_silent else f" ({show_value(owner)})"

    def _show_total(self) -> str:
        queue = self._queue
        chunks = len(queue.chunks) - (bool(queue.chunks) and queue.chunks[-1] is CLOSE_SENTINEL)
        return show_queue(queue.total, self._strategy_hwm, chunks=0 if queue.sizes is None else chunks)


def _owner_of(sink: Sink | UnderlyingSink | None) -> object:
    """Return the object whose methods are the algorithms, if it is one."""
    return getattr(getattr(sink, "write", None), "__self__", None)
