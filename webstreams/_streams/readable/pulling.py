"""What both controllers do: start the source, and call its pull() as long as somebody wants more (4.9.4 and 4.9.5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from ..._debug.repr import show, show_desired_size, summary
from ..._debug.watches import UnreadWatch
from ..._engine.callbacks import (
    DEFERRED,
    CallsBack,
    callback_failed,
    callback_returned,
    completion_of,
    outcome_of,
)
from ..._engine.jobs import Job, JobQueue, task_of
from ..._engine.promise import Promise, converted, promise_of_failure, upon
from ..._platform.errors import call, goes_through
from ..._platform.stages import note_stage
from ..meter import Meter
from ..queue import QueueTotal, as_shown
from .source import Source, UnderlyingSource
from .state import ReadableController, ReadableStreamState


class PullingController(ReadableController, CallsBack):
    """The slots and operations that the default controller and the byte stream controller share."""

    __slots__ = (
        "_can_pull",
        "_close_requested",
        "_jobs",
        "_measure",
        "_meter",
        "_on_pull_completed",
        "_on_pull_fulfilled",
        "_pull_again",
        "_pulling",
        "_source",
        "_started",
        "_strategy_hwm",
        "_stream",
        "_unread_watch",
    )
    # Links; what calls back later, which is made once; and what moves at the begin and at the end only, when there are
    # no periods. close() is none if the queue is long: then no period asks for more, and none comes to its end.
    _constant: ClassVar[tuple[str, ...]] = (
        "_can_pull",
        "_close_requested",
        "_jobs",
        "_measure",
        "_meter",
        "_on_pull_completed",
        "_on_pull_fulfilled",
        "_source",
        "_started",
        "_strategy_hwm",
        "_stream",
        "_unread_watch",
    )

    # Ours, shared with the two controllers: the queue, as far as it is of one kind.
    _measure: QueueTotal
    _strategy_hwm: float

    def _initialize(
        self, stream: ReadableStreamState[Any], source: Source | UnderlyingSource, high_water_mark: float
    ) -> None:
        self._stream = stream
        self._started = False
        self._close_requested = False
        self._pull_again = False
        self._pulling = False
        self._strategy_hwm = high_water_mark
        # The pull and cancel algorithms; None once they are cleared.
        self._source: Source | UnderlyingSource | None = source
        # Ours, shared.
        self._jobs: JobQueue = stream._jobs
        self._meter: Meter | None = None
        # Somebody may call pull(): the controller has started, and still takes chunks.
        self._can_pull = False
        self._on_pull_fulfilled: Job = self._callback_fulfilled

        # Ours.
        self._on_pull_completed: Job | None = None

        stream._controller = self

    def _start(self, source: Source | UnderlyingSource) -> None:
        """Run the start algorithm; the first pull comes when its promise is fulfilled."""
        jobs = self._jobs
        if source.has_start:
            upon(
                jobs,
                converted(jobs, call(source.start, self), source.context),
                self._start_fulfilled,
                self._start_rejected,
            )
        else:
            jobs.push(self._start_fulfilled)
        self._unread_watch: UnreadWatch | None = None
        if jobs.loop.get_debug():
            self._unread_watch = UnreadWatch(type(self._stream).__name__, jobs, self._measure)

    def _start_fulfilled(self, _: Any = None) -> None:
        self._started = True
        source = self._source
        self._can_pull = source is not None and source.pull is not None and self._can_close_or_enqueue()
        self._call_pull_if_needed()

    def _start_rejected(self, error: object) -> None:
        if self._source is not None:
            note_stage(error, self._source.start, "start()")
        self._error(error)

    def _note_told(self, error: object) -> None:
        """Note the stage that errors itself."""
        if self._source is not None:
            note_stage(error, self._source.stage(), "controller.error()")

    def _error(self, error: object) -> None:
        """ReadableStreamDefaultControllerError, ReadableByteStreamControllerError"""
        raise NotImplementedError

    def _clear_algorithms(self) -> None:
        """ReadableStreamDefaultControllerClearAlgorithms, ReadableByteStreamControllerClearAlgorithms"""
        self._source = None
        self._can_pull = False

    # Pulling.

    def _call_pull_if_needed(self) -> None:
        """ReadableStreamDefaultControllerCallPullIfNeeded, ReadableByteStreamControllerCallPullIfNeeded"""
        if not self._can_pull:
            return
        # _should_call_pull(), without the call: this is done for every chunk, often twice.
        if self._measure.total >= self._strategy_hwm:
            reader = self._stream._reader
            if reader is None or not reader._read_requests:
                return
        if self._pulling:
            self._pull_again = True
            return
        self._pulling = True
        source = self._source
        assert source is not None and source.pull is not None
        try:
            result = source.pull(self)
        except BaseException as error:
            callback_failed(self, self._jobs, error)
            if goes_through(error):
                raise
            return
        jobs = self._jobs
        if result is None:
            jobs.jobs.append(self._on_pull_fulfilled)
            if not jobs.scheduled:
                jobs.schedule()
        elif result is not DEFERRED:
            callback_returned(self, jobs, outcome_of(jobs, result, source.context))

    def _answers_at_once(self) -> bool:
        """See `ReadableController`.

        # Python: `run_until()`, `_callback_fulfilled()` and `_call_pull_if_needed()`, without the calls. The job that
        # is due is that of the last pull; the read has asked for another one, whose chunk lets the task go on.
        """
        jobs = self._jobs
        queue = jobs.jobs
        if (
            not self._pull_again
            or not self._can_pull
            or not queue
            or queue[0] is not self._on_pull_fulfilled
            or jobs.countdown <= 0
            or task_of(jobs.loop) is not jobs._top
        ):
            return False
        source = self._source
        assert source is not None and source.pull is not None
        queue.popleft()
        jobs.countdown -= 1
        jobs.busy = True
        self._pull_again = False
        try:
            try:
                result = source.pull(self)
            except BaseException as error:
                callback_failed(self, jobs, error)
                if goes_through(error):
                    raise
                return False
            if result is not None:
                if result is not DEFERRED:
                    callback_returned(self, jobs, outcome_of(jobs, result, source.context))
                return False
        finally:
            jobs.busy = False
        queue.append(self._on_pull_fulfilled)
        if queue[0] is jobs.mark and jobs.countdown > 0:
            queue.popleft()
            jobs.countdown -= 1
            return True
        return False

    def _after_return(self) -> Job:
        return self._on_pull_fulfilled

    def _after_completion(self) -> Job:
        if self._on_pull_completed is None:
            self._on_pull_completed = completion_of(self._jobs, self._on_pull_fulfilled)
        return self._on_pull_completed

    def _callback_rejected(self, error: object) -> None:
        if self._source is not None:
            note_stage(error, self._source.stage(), "pull()")
        self._error(error)

    def _callback_fulfilled(self, _: Any = None) -> None:
        self._pulling = False
        if self._pull_again:
            self._pull_again = False
            self._call_pull_if_needed()

    def _ends_with_callback(self, job: Job) -> bool:
        """Tell the fast path that the source is called last, if it is called again."""
        return job == self._callback_fulfilled

    def _should_call_pull(self) -> bool:
        """ReadableStreamDefaultControllerShouldCallPull, ReadableByteStreamControllerShouldCallPull

        # Python: a source without pull() is never asked; nobody can see a pull algorithm that does nothing.
        """
        if not self._can_pull:
            return False
        reader = self._stream._reader
        if reader is not None and reader._read_requests:
            return True
        return self._measure.total < self._strategy_hwm

    def _get_desired_size(self) -> float | None:
        """ReadableStreamDefaultControllerGetDesiredSize, ReadableByteStreamControllerGetDesiredSize"""
        state = self._stream._state
        if state == "errored":
            return None
        if state == "closed":
            return 0
        size = self._strategy_hwm - self._measure.total
        return size if type(size) is int else as_shown(size)

    def _observe(self, meter: Meter) -> None:
        """See `ReadableController`."""
        self._meter = meter
        self._measure.put_by_steps()

    # Ending.

    def _can_close_or_enqueue(self) -> bool:
        """ReadableStreamDefaultControllerCanCloseOrEnqueue"""
        return not self._close_requested and self._stream._state == "readable"

    def _require_open(self, action: str) -> None:
        """Raise TypeError unless the user may enqueue or close."""
        if not self._can_close_or_enqueue():
            raise TypeError(f"cannot {action}: {self._why_not()}")

    def _why_not(self) -> str:
        state = self._stream._state
        return f"the stream is {state}" if state != "readable" else "close() was called before"

    def _run_cancel_algorithm(self, reason: object) -> Promise[Any] | None:
        """Run the cancel algorithm, then clear the algorithms: how the [[CancelSteps]] of both controllers end."""
        source = self._source
        assert source is not None
        self._can_pull = False
        try:
            return converted(self._jobs, source.cancel(reason), source.context)
        except BaseException as error:
            return promise_of_failure(self._jobs, error)
        finally:
            self._clear_algorithms()

    # Debugging.

    def __repr__(self) -> str:
        """Show the stream, its queue, and what the source is doing."""
        return show(self, self._details())

    def _details(self) -> Iterator[str]:
        yield f"of {summary(self._stream)}"
        if not self._started:
            yield "starting"
        if self._pulling and self._stream._state == "readable":
            yield "pulling"

    def _show_queue(self) -> Iterator[str]:
        yield self._show_total()
        yield show_desired_size(self._get_desired_size())
        activity = "" if self._source is None else self._source.activity()
        if activity:
            yield activity
        if self._close_requested and self._stream._state == "readable":
            yield "closing"

    def _show_total(self) -> str:
        raise NotImplementedError
