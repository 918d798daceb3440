"""The two sides of a transform stream: its default sink (6.4.3) and its default source (6.4.4)."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import Any, ClassVar

from ..._engine.delay import after
from ..._engine.jobs import Job
from ..._engine.promise import (
    COMPLETED,
    COMPLETED_TICKS,
    DEFERRED,
    AlgorithmPromise,
    Promise,
    call_of,
    converted,
    outcome_of,
    promise_rejected_with,
    upon,
)
from ..._platform.errors import callback_error, goes_through, stored_error
from ..._platform.stages import note_stage
from ..part import Part
from ..readable.source import Source
from ..writable.sink import Sink
from .state import TransformController, TransformStreamState, set_backpressure


class TransformSink(Sink, Part):
    """The writable side: hands each chunk to the transformer, when the readable side has room for the result.

    # Python: the promises of one write have one reaction each, so a chain of jobs stands for them. A write that goes
    # on at once is finished two jobs after transform() is, one that had to wait three: that many promises are between
    # them in the Standard.
    """

    __slots__ = (
        "_chunk",
        "_completed",
        "_jobs",
        "_one_job_later",
        "_start_promise",
        "_stream",
        "_two_jobs_later",
        "_waited",
    )
    _constant: ClassVar[tuple[str, ...]] = (
        "_completed",
        "_jobs",
        "_one_job_later",
        "_start_promise",
        "_stream",
        "_two_jobs_later",
    )
    _chunk_slots: ClassVar[tuple[str, ...]] = ("_chunk",)

    def __init__(self, stream: TransformStreamState, start_promise: Promise[Any]) -> None:
        self._stream = stream
        self._jobs = stream._jobs
        self._start_promise = start_promise
        # The chunk of the write under way, and whether that had to wait for the readable side.
        self._chunk: Any = None
        self._waited = False
        self._completed: Job | None = None
        # Made by the first chunk: many streams are idle.
        self._one_job_later: Job | None = None
        self._two_jobs_later: Job | None = None

    def start(self, controller: Any) -> Promise[Any]:
        """startAlgorithm"""
        return self._start_promise

    def write(self, chunk: Any, controller: Any) -> Any:
        """TransformStreamDefaultSinkWriteAlgorithm"""
        self._chunk = chunk
        self._waited = self._stream._backpressure
        if self._waited:
            self._stream._backpressure_change = self._go_on
        else:
            self._perform_transform()
        return DEFERRED

    def _go_on(self) -> None:
        """React to the end of the backpressure."""
        writable = self._stream._writable
        if writable._state == "erroring":
            self._jobs.push(partial(self._rejected, writable._stored_error))
        else:
            self._perform_transform()

    def ends_with_callback(self, job: Job) -> bool:
        """Tell the fast path that the transformer is called last."""
        return job == self._go_on

    def _perform_transform(self) -> None:
        """TransformStreamDefaultControllerPerformTransform"""
        chunk, self._chunk = self._chunk, None
        controller = self._stream._controller
        transformer = controller._transformer
        if transformer is None:
            # Python: the Standard calls an algorithm that was cleared. The stream is being cancelled: nobody wants
            # the chunk.
            self._transform_fulfilled_at_once()
            return
        try:
            result = transformer.transform(chunk, controller)
        except BaseException as error:
            self._transform_failed(error)
            if goes_through(error):
                raise
            return
        if result is None:
            self._transform_fulfilled_at_once()
        else:
            self._transform_returned(outcome_of(self._jobs, result, transformer.context))

    def _transform_returned(self, outcome: Any) -> None:
        """React to what the transform algorithm returned (`promise.outcome_of`)."""
        if outcome is None:
            self._transform_fulfilled_at_once()
        elif outcome is COMPLETED:
            if self._completed is None:
                self._completed = after(self._jobs, COMPLETED_TICKS, self._transform_fulfilled)
            self._jobs.push(self._completed)
        else:
            self._stream._writable_controller._under_way = call_of(outcome)
            outcome._react(self._transform_fulfilled, self._transform_rejected)

    def _transform_failed(self, error: BaseException) -> None:
        """React to what the transform algorithm raised."""
        self._jobs.push(partial(self._transform_rejected, stored_error(error)))

    def _transform_fulfilled_at_once(self) -> None:
        self._jobs.push(self._get_two_jobs_later() if self._waited else self._get_one_job_later())

    def _transform_fulfilled(self, _: Any = None) -> None:
        controller = self._stream._writable_controller
        controller._under_way = None
        self._jobs.push(self._get_one_job_later() if self._waited else controller._on_write_fulfilled)

    def _transform_rejected(self, error: object) -> None:
        transformer = self._stream._controller._transformer
        if transformer is not None and self._stream._readable._state == "readable":
            note_stage(error, transformer.transform, "transform()")
        self._stream._error(error)
        rejected = partial(self._rejected, error)
        if self._waited:
            self._jobs.push(partial(self._jobs.push, rejected))
        else:
            self._jobs.push(rejected)

    def _rejected(self, error: object) -> None:
        self._stream._writable_controller._write_rejected(error)

    def _push_fulfilled(self) -> None:
        # push(), without the call: a job is under way
        self._jobs.jobs.append(self._stream._writable_controller._on_write_fulfilled)

    def _get_one_job_later(self) -> Job:
        if self._one_job_later is None:
            self._one_job_later = self._push_fulfilled
        return self._one_job_later

    def _get_two_jobs_later(self) -> Job:
        if self._two_jobs_later is None:
            self._two_jobs_later = after(self._jobs, 1, self._get_one_job_later())
        return self._two_jobs_later

    def abort(self, reason: object) -> Promise[None]:
        """TransformStreamDefaultSinkAbortAlgorithm"""
        return finish_once(self._stream, partial(_cancel_transformer, reason), _AbortEnd(self._stream, reason))

    def close(self) -> Promise[None]:
        """TransformStreamDefaultSinkCloseAlgorithm"""
        return finish_once(self._stream, _flush_transformer, _CloseEnd(self._stream, None))


class TransformSource(Source):
    """The readable side: its pull() lets a waiting write go on."""

    __slots__ = ("_start_promise", "_stream")

    def __init__(self, stream: TransformStreamState, start_promise: Promise[Any]) -> None:
        self._stream = stream
        self._start_promise = start_promise

    def start(self, controller: Any) -> Promise[Any]:
        """startAlgorithm"""
        return self._start_promise

    def pull(self, controller: Any) -> Any:
        """TransformStreamDefaultSourcePullAlgorithm"""
        stream = self._stream
        assert stream._backpressure
        set_backpressure(stream, False)
        # The next pull waits until there is backpressure again.
        stream._backpressure_change = controller._on_pull_fulfilled
        return DEFERRED

    def cancel(self, reason: object) -> Promise[None]:
        """TransformStreamDefaultSourceCancelAlgorithm"""
        return finish_once(self._stream, partial(_cancel_transformer, reason), _CancelEnd(self._stream, reason))


# The three ways to finish a transform stream; the first one counts.


class _End:
    """What follows the transformer's flush() or cancel()."""

    __slots__ = ("_callback", "_reason", "_stream")

    def __init__(self, stream: TransformStreamState, reason: object) -> None:
        self._stream = stream
        self._reason = reason
        # What is called, for the note in its error.
        transformer = stream._controller._transformer
        self._callback: Any = None if transformer is None else self._callback_of(transformer)

    def _callback_of(self, transformer: Any) -> Any:
        return transformer.cancel

    def _member(self) -> str:
        return "cancel()"

    def begun(self, result: Any) -> None:
        """The callback was called."""

    def fulfilled(self, _: Any = None) -> None:
        """The callback is done: end the other side, unless it is errored."""
        promise = self._stream._controller._finish_promise
        assert promise is not None
        side = self._other_side()
        if side._state == "errored":
            promise._reject(side._stored_error)
        else:
            self._end_other_side()
            promise._fulfill(None)

    def rejected(self, reason: object) -> None:
        """The callback failed: error the other side."""
        promise = self._stream._controller._finish_promise
        assert promise is not None
        if self._callback is not None:
            note_stage(reason, self._callback, self._member())
        self._error_other_side(reason)
        promise._reject(reason)

    def _other_side(self) -> Any:
        return self._stream._readable

    def _end_other_side(self) -> None:
        raise NotImplementedError

    def _error_other_side(self, error: object) -> None:
        self._stream._readable_controller._error(error)


class _AbortEnd(_End):
    __slots__ = ()

    def _end_other_side(self) -> None:
        self._stream._readable_controller._error(self._reason)


class _CloseEnd(_End):
    __slots__ = ()

    def begun(self, result: Any) -> None:
        """A coroutine of flush() is the one that is under way."""
        self._stream._writable_controller._under_way = call_of(result)

    def _callback_of(self, transformer: Any) -> Any:
        return transformer.flush

    def _member(self) -> str:
        return "flush()"

    def _end_other_side(self) -> None:
        self._stream._readable_controller._close()


class _CancelEnd(_End):
    __slots__ = ()

    def _other_side(self) -> Any:
        return self._stream._writable

    def _end_other_side(self) -> None:
        self._error_other_side(self._reason)

    def _error_other_side(self, error: object) -> None:
        self._stream._writable_controller._error_if_needed(error)
        self._stream._unblock_write()


def finish_once(
    stream: TransformStreamState,
    call: Callable[[TransformController], Any],
    end: _End,
) -> Promise[None]:
    """Call flush() or cancel() and do what follows, unless one of them was called already."""
    controller = stream._controller
    if controller._finish_promise is not None:
        return controller._finish_promise
    promise: AlgorithmPromise[None] = AlgorithmPromise(stream._jobs)
    controller._finish_promise = promise
    context: Context | None = None if controller._transformer is None else controller._transformer.context
    try:
        result = converted(stream._jobs, call(controller), context)
    except BaseException as error:
        result = promise_rejected_with(stream._jobs, callback_error(error))
    finally:
        controller._clear_algorithms()
    end.begun(result)
    upon(stream._jobs, result, end.fulfilled, end.rejected)
    return promise


def _flush_transformer(controller: TransformController) -> Any:
    transformer = controller._transformer
    return None if transformer is None else transformer.flush(controller)


def _cancel_transformer(reason: object, controller: TransformController) -> Any:
    transformer = controller._transformer
    return None if transformer is None else transformer.cancel(reason)
