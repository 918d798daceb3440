"""The two sides of a transform stream: its default sink (6.4.3) and its default source (6.4.4)."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import Any, ClassVar, Final

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
from ..._engine.delay import after
from ..._engine.jobs import Job
from ..._engine.promise import AlgorithmPromise, Promise, converted, promise_of_failure, upon
from ..._platform.errors import goes_through
from ..._platform.stages import note_stage
from ..meter import Meter
from ..part import Part
from ..readable.source import Source
from ..writable.sink import Sink
from .state import TransformController, TransformStreamState, set_backpressure

# So many jobs lie between the end of transform() and the end of its write. Each is the reaction to a promise:
#   1. to transformPromise. It settles the promise of TransformStreamDefaultControllerPerformTransform, which the write
#      algorithm returns if there was no backpressure;
#   2. after backpressure, to that promise. It settles the one that the write algorithm returned: the promise of the
#      reaction to [[backpressureChangePromise]]. (Its NewPromiseResolveThenableJob comes right after 1.)
TICKS: Final = 1
TICKS_AFTER_BACKPRESSURE: Final = 2


class TransformSink(Sink, Part, CallsBack):
    """The writable side: hands each chunk to the transformer, when the readable side has room for the result.

    # Python: the promises of one write have one reaction each, so a chain of jobs stands for them (`TICKS`).
    """

    __slots__ = ("_chunk", "_completed", "_endings", "_jobs", "_meter", "_start_promise", "_stream", "_waited")
    _constant: ClassVar[tuple[str, ...]] = ("_completed", "_endings", "_jobs", "_meter", "_start_promise", "_stream")
    _chunk_slots: ClassVar[tuple[str, ...]] = ("_chunk",)

    def __init__(self, stream: TransformStreamState, start_promise: Promise[Any]) -> None:
        self._stream = stream
        self._jobs = stream._jobs
        self._meter: Meter | None = None
        self._start_promise = start_promise
        # Ours: the chunk of the write under way, and whether that had to wait for the readable side.
        self._chunk: Any = None
        self._waited = False
        # Made by the first chunk, for many streams are idle: what ends a coroutine, and what ends the write after so
        # many jobs.
        self._completed: Job | None = None
        self._endings: tuple[Job, ...] = ()

    def start(self, controller: Any) -> Promise[Any]:
        """startAlgorithm"""
        return self._start_promise

    def write(self, chunk: Any, controller: Any) -> Any:
        """TransformStreamDefaultSinkWriteAlgorithm"""
        self._chunk = chunk
        self._waited = self._stream._backpressure
        if self._waited:
            self._stream._backpressure_change = self._go_on
            if self._meter is not None:
                self._meter.began_to_wait()
        else:
            self._perform_transform()
        return DEFERRED

    def _go_on(self) -> None:
        """React to the end of the backpressure."""
        writable = self._stream._writable
        if writable._state == "erroring":
            self._jobs.push(partial(self._end_with_error, writable._stored_error))
        else:
            self._perform_transform()

    def give_up(self) -> None:
        """Do not wait for the readable side, which nobody may ever read."""
        if self._stream._backpressure_change == self._go_on:
            self._stream._unblock_write()

    def _ends_with_callback(self, job: Job) -> bool:
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
            callback_returned(self, self._jobs, None)
            return
        try:
            result = transformer.transform(chunk, controller)
        except BaseException as error:
            callback_failed(self, self._jobs, error)
            if goes_through(error):
                raise
            return
        callback_returned(self, self._jobs, outcome_of(self._jobs, result, transformer.context))

    def _after_return(self) -> Job:
        return self._ending_after(TICKS_AFTER_BACKPRESSURE if self._waited else TICKS)

    def _after_completion(self) -> Job:
        if self._completed is None:
            self._completed = completion_of(self._jobs, self._callback_fulfilled)
        return self._completed

    def _callback_waits(self, call: CoroutineCall | None) -> None:
        self._stream._writable_controller._under_way = call

    def _callback_fulfilled(self, _: Any = None) -> None:
        """The first of the jobs after the end of transform()."""
        self._stream._writable_controller._under_way = None
        self._jobs.push(self._ending_after((TICKS_AFTER_BACKPRESSURE if self._waited else TICKS) - 1))

    def _callback_rejected(self, reason: object) -> None:
        """The first of the jobs after the end of transform()."""
        transformer = self._stream._controller._transformer
        if transformer is not None and self._stream._readable._state == "readable":
            note_stage(reason, transformer.transform, "transform()")
        self._stream._error(reason)
        ticks = TICKS_AFTER_BACKPRESSURE if self._waited else TICKS
        self._jobs.push(after(self._jobs, ticks - 1, partial(self._end_with_error, reason)))

    def _end_with_error(self, error: object) -> None:
        self._stream._writable_controller._callback_rejected(error)

    def _ending_after(self, ticks: int) -> Job:
        """Return what ends the write so many jobs later: always the same object."""
        if not self._endings:
            fulfilled = self._stream._writable_controller._on_write_fulfilled
            self._endings = tuple([after(self._jobs, each, fulfilled) for each in range(TICKS_AFTER_BACKPRESSURE + 1)])
        return self._endings[ticks]

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
        result = promise_of_failure(stream._jobs, error)
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
