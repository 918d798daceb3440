"""A run of a trace: the callbacks of a pipeline, one after the other, without the jobs between them."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from .._engine.callbacks import COMPLETED, callback_returned, outcome_of
from .._engine.run import Call, Run, get_ident
from .._platform.errors import goes_through
from .._streams.readable.pipe import Pipe
from .driver import PlanRow, drive, only_makes_a_coroutine
from .pipeline import Pipeline
from .replay import Replay
from .snapshot import Reference, Snapshot
from .trace import Step, Trace

# What is expected after a side exit: no controller is this, so that the guard after the callback fails.
LEFT: Final = object()


class TraceCall(Call):
    """One call of a trace, with what it needs at hand."""

    __slots__ = ("by_coroutine", "chunks", "context", "controller", "giver", "index", "is_identity", "step")

    def __init__(self, step: Step, histories: list[deque[Any]]) -> None:
        stage = step.stage
        super().__init__(stage.function, histories[stage.index])
        self.step = step
        self.context = stage.context
        self.controller = stage.controller
        self.giver: object = stage.controller if stage.gives else None
        self.is_identity = stage.is_identity
        self.by_coroutine = step.by_coroutine
        # The chunk that the callback gets is chunks[index].
        self.chunks: deque[Any] | None = None if step.chunk is None else histories[step.chunk.stage]
        self.index = 0 if step.chunk is None else -1 - step.chunk.age

    def is_driven_like(self, other: TraceCall) -> bool:
        """Whether one coroutine can await this call and another one (`driver`)."""
        return self.is_identity or (
            self.by_coroutine
            and self.context is not None
            and self.context == other.context
            and only_makes_a_coroutine(self.function)
        )

    def plan(self) -> PlanRow:
        """Return what the loop over the calls needs; the function is None for a transformer without transform()."""
        function = None if self.is_identity else self.function
        giver, output, chunks = self.giver, self.output, self.chunks
        return self, function, self.controller, giver, output, chunks, self.index, self.by_coroutine


class TraceRun(Run):
    """Runs a trace again and again; the `Run` of the job queue meanwhile.

    After each callback a guard looks whether it did what it does in the trace: it returned None (or its coroutine
    completed at once), it enqueued exactly its one chunk, and it queued no job. Whatever else it does to a stream
    leaves the run first (`leave`), after which the guard fails, too.
    """

    __slots__ = ("_drives", "_histories", "_is_paused", "_jobs", "_periods", "_pipeline", "_plan", "_trace", "trigger")

    def __init__(self, pipeline: Pipeline, trigger: Pipe, trace: Trace) -> None:
        self._pipeline = pipeline
        self._jobs = pipeline.jobs
        self.trigger = trigger
        self._trace = trace
        # The last chunks that each stage has given.
        # One more: a chunk that is given is taken back when the run is left.
        self._histories = [deque[Any](maxlen=length + 1) for length in trace.history_lengths]
        calls = [TraceCall(step, self._histories) for step in trace.steps]
        self._plan = [call.plan() for call in calls]
        # Whether all callbacks are coroutine functions with the same context: they are awaited one after the other.
        self._drives = all(call.is_driven_like(calls[0]) for call in calls)
        # While they are awaited: how many periods there were, and whether others have to have their turn.
        self._periods = 0
        self._is_paused = False
        self.current = calls[0]
        self.expecting = None
        self.pending = pipeline.jobs.jobs
        self.thread = get_ident()

    def begins_here(self) -> bool:
        """Whether the state is that at the beginning of the trace (the guard at the entry); takes the chunks in it."""
        chunks = self._trace.begin.find_chunks(self._jobs)
        if chunks is None:
            return False
        for history in self._histories:
            history.clear()
            history.extend([None] * (history.maxlen or 0))
        for reference, chunk in chunks.items():
            self._histories[reference.stage][-1 - reference.age] = chunk
        return True

    def run(self) -> int:
        """Call the callbacks until a guard fails; return the number of whole periods."""
        self._jobs.jobs.clear()  # they are those of the snapshot
        self._jobs.run = self
        self.expecting = None
        periods = self._await_callbacks() if self._drives else self._call_callbacks()
        for history in self._histories:
            history.clear()  # keep no chunk alive
        return periods

    def _call_callbacks(self) -> int:
        plan, pending = self._plan, self.pending
        periods = 0
        while True:
            for period in range(self._periods_without_clock()):
                for step, function, controller, giver, output, chunks, index, by_coroutine in plan:
                    if function is None:
                        output.append(chunks[index])  # type: ignore[index]
                        continue
                    self.current = step
                    if giver is not None:
                        self.expecting = giver
                    try:
                        result = function(controller) if chunks is None else function(chunks[index], controller)
                    except BaseException as error:
                        self._count_down(period)
                        self._end_with_error(error)
                        return periods + period
                    if result is not None or by_coroutine:
                        result = self._outcome(result)
                    if result is not None or self.expecting is not None or pending:
                        self._count_down(period)
                        self._end(result)
                        return periods + period
            self._count_down(period + 1)
            periods += period + 1
            if self._has_to_pause():
                self._pause()
                return periods

    def _periods_without_clock(self) -> int:
        """Return how many periods there may be until the clock is looked at, at least one."""
        return max(1, -(-self._jobs.countdown // self._trace.job_count))

    def _count_down(self, periods: int) -> None:
        self._jobs.countdown -= periods * self._trace.job_count

    def _await_callbacks(self) -> int:
        self._periods = 0
        self._is_paused = False
        outcome = outcome_of(self._jobs, drive(self, self._plan, self._jobs), self._call_under_way().context)
        if self._is_paused:
            self._pause()
        else:
            self._end((outcome,))
        return self._periods

    def is_over(self) -> bool:
        """Count a period in which callbacks were awaited; whether the event loop's other tasks have to have their
        turn."""
        self._periods += 1
        self._count_down(1)
        self._is_paused = self._has_to_pause()
        return self._is_paused

    def _has_to_pause(self) -> bool:
        """Whether the run has to stop after a whole period."""
        return self._jobs.countdown <= 0 and self._jobs.is_late()

    def _call_under_way(self) -> TraceCall:
        call = self.current
        assert isinstance(call, TraceCall)
        return call

    def _outcome(self, result: Any) -> Any:
        """Return what the plain path makes of a result, in a tuple; None if it is what the callback always returns."""
        call = self._call_under_way()
        outcome = outcome_of(self._jobs, result, call.context)
        return None if call.by_coroutine and outcome is COMPLETED else (outcome,)

    # Guards inside a callback.

    def intercept(self, controller: Any, chunk: Any) -> Any:
        """Something other than the one chunk of the callback under way is enqueued."""
        self.leave()
        return chunk

    def desired_size(self, controller: Any) -> float | None:
        """Return the desired_size of a controller: known for that of the callback under way."""
        step = self._call_under_way().step
        if step.stage.controller is controller:
            size = step.before if self.expecting is not None else step.after
            if size is not None:
                return size
        self.leave()
        return controller._get_desired_size()  # type: ignore[no-any-return]

    # Side exits.

    def leave(self) -> None:
        """Put everything where the plain path has it inside the callback under way."""
        jobs, call = self._jobs, self._call_under_way()
        jobs.run = None
        has_given = call.giver is not None and self.expecting is None
        self.expecting = LEFT
        own = list(jobs.jobs)
        jobs.jobs.clear()
        given = call.output.pop() if has_given else None
        self._snapshot_in(call.step).restore(self._histories, jobs)
        if has_given:
            call.step.stage.put(given)
        jobs.jobs.extend(own)

    def _snapshot_in(self, step: Step) -> Snapshot:
        """Return the state in which the callback of a step is called."""
        if step.snapshot is None:
            step.snapshot = Replay(self._pipeline, self.trigger, self._trace).snapshot_in(step)
        return step.snapshot

    def _pause(self) -> None:
        """The event loop's other tasks have to have their turn: the next period begins in the next turn."""
        self._jobs.run = None
        self.expecting = LEFT
        self._trace.begin.restore(self._histories, self._jobs)
        self._jobs.jobs.appendleft(self.trigger.read_next)

    def _end(self, result: Any) -> None:
        """Go on as the plain path does after the callback."""
        if self.expecting is not LEFT:
            self.leave()
        step = self._call_under_way().step
        outcome = result[0] if type(result) is tuple else COMPLETED if step.by_coroutine else None
        step.stage.returned(outcome)
        self._do_rest_of_job(step)

    def _end_with_error(self, error: BaseException) -> None:
        if self.expecting is not LEFT:
            self.leave()
        step = self._call_under_way().step
        step.stage.failed(error)
        if goes_through(error):
            raise error
        self._do_rest_of_job(step)

    def _do_rest_of_job(self, step: Step) -> None:
        """Do what the job under way does after the call of the callback."""
        for position, (controller, request, reference) in enumerate(step.answers):
            if position > 0:
                callback_returned(controller, self._jobs, None)
            if reference is not None:
                request.chunk_steps(self._chunk(reference))
        if step.pipe is not None:
            step.pipe.read_is_under_way()

    def _chunk(self, reference: Reference) -> Any:
        return self._histories[reference.stage][-1 - reference.age]
