"""A steady run: the callbacks of a pipeline, one after the other, without the jobs between them."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from .._engine.jobs import Call, Run
from .._engine.promise import COMPLETED, outcome_of
from .._platform.errors import goes_through
from .driver import drive, only_makes_a_coroutine
from .pipeline import Pipeline
from .replay import Replay
from .snapshot import Snapshot
from .trace import Period, Step

# Nothing is waited for any more: the run has been left.
LEFT: Final = object()


class SteadyStep(Call):
    """One call of a period, with what it needs at hand."""

    __slots__ = (
        "by_coroutine",
        "chunks",
        "context",
        "controller",
        "function",
        "giver",
        "index",
        "is_identity",
        "step",
    )

    def __init__(self, step: Step, histories: list[deque[Any]]) -> None:
        stage = step.stage
        super().__init__(histories[stage.index])
        self.step = step
        self.function = stage.function
        self.context = stage.context
        self.controller = stage.controller
        self.giver: object = None if stage.put is None else stage.controller
        self.is_identity = stage.is_identity
        self.by_coroutine = step.by_coroutine
        # The chunk that the callback gets is chunks[index].
        self.chunks: deque[Any] | None = None if step.chunk is None else histories[step.chunk.stage]
        self.index = 0 if step.chunk is None else -1 - step.chunk.age

    def is_driven_like(self, other: SteadyStep) -> bool:
        """Whether one coroutine can await this call and another one (`driving`)."""
        return self.is_identity or (
            self.by_coroutine
            and self.context is not None
            and self.context == other.context
            and only_makes_a_coroutine(self.function)
        )

    def plan(self) -> tuple[Any, ...]:
        """Give what the loop over the steps needs; the function is None for a transformer without transform()."""
        function = None if self.is_identity else self.function
        giver, output, chunks = self.giver, self.output, self.chunks
        return self, function, self.controller, giver, output, chunks, self.index, self.by_coroutine


class SteadyRun(Run):
    """Runs a recorded period again and again; the `_jobs.Run` meanwhile."""

    __slots__ = (
        "_drives",
        "_histories",
        "_is_paused",
        "_jobs",
        "_period",
        "_periods",
        "_pipeline",
        "_plan",
        "_trigger",
    )

    def __init__(self, pipeline: Pipeline, trigger: Any, period: Period) -> None:
        self._pipeline = pipeline
        self._jobs = pipeline.jobs
        self._trigger = trigger
        self._period = period
        # The last chunks that each stage has given.
        # One more: a chunk that is given is taken back when the run is left.
        self._histories = [deque[Any](maxlen=length + 1) for length in period.history_lengths]
        steps = [SteadyStep(step, self._histories) for step in period.steps]
        self._plan = [step.plan() for step in steps]
        # Whether all callbacks are coroutine functions with the same context: they are awaited one after the other.
        self._drives = all(step.is_driven_like(steps[0]) for step in steps)
        # While they are awaited: how many periods there were, and whether others have to have their turn.
        self._periods = 0
        self._is_paused = False
        self.at = steps[0]
        self.waiting = None

    def begins_here(self) -> bool:
        """Whether the state is that at the begin of the period; takes the chunks that are in it."""
        chunks = self._period.begin.find_chunks(self._jobs)
        if chunks is None:
            return False
        for history in self._histories:
            history.clear()
            history.extend([None] * (history.maxlen or 0))
        for reference, chunk in chunks.items():
            self._histories[reference.stage][-1 - reference.age] = chunk
        return True

    def run(self) -> int:
        """Call the callbacks until one of them does something else; give the number of whole periods."""
        self._jobs.jobs.clear()  # they are those of the snapshot
        self._jobs.run = self
        self.waiting = None
        periods = self._await_callbacks() if self._drives else self._call_callbacks()
        for history in self._histories:
            history.clear()  # keep no chunk alive
        return periods

    def _call_callbacks(self) -> int:
        jobs, plan, job_count = self._jobs, self._plan, self._period.job_count
        pending = jobs.jobs
        periods = 0
        while True:
            for step, function, controller, giver, output, chunks, index, by_coroutine in plan:
                if function is None:
                    output.append(chunks[index])
                    continue
                self.at = step
                if giver is not None:
                    self.waiting = giver
                try:
                    result = function(controller) if chunks is None else function(chunks[index], controller)
                except BaseException as error:
                    self._end_with_error(error)
                    return periods
                if result is not None or by_coroutine:
                    result = self._outcome(step, result)
                if result is not None or self.waiting is not None or pending:
                    self._end(result)
                    return periods
            periods += 1
            jobs.countdown -= job_count
            if jobs.countdown <= 0 and jobs.is_late():
                self._pause()
                return periods

    def _await_callbacks(self) -> int:
        self._periods = 0
        self._is_paused = False
        outcome = outcome_of(self._jobs, drive(self, self._plan, self._jobs), self._step_under_way().context)
        if self._is_paused:
            self._pause()
        else:
            self._end((outcome,))
        return self._periods

    def is_over(self) -> bool:
        """Count a period in which callbacks were awaited; whether the event loop's other tasks have to have their
        turn."""
        jobs = self._jobs
        self._periods += 1
        jobs.countdown -= self._period.job_count
        self._is_paused = jobs.countdown <= 0 and jobs.is_late()
        return self._is_paused

    def _step_under_way(self) -> SteadyStep:
        step = self.at
        assert isinstance(step, SteadyStep)
        return step

    def _outcome(self, step: SteadyStep, result: Any) -> Any:
        """Give what the plain path makes of a result, in a tuple; None if it is what the callback always returns."""
        outcome = outcome_of(self._jobs, result, step.context)
        is_usual = step.by_coroutine and outcome is COMPLETED and self.waiting is not LEFT
        return None if is_usual else (outcome,)

    # Leaving.

    def intercept(self, controller: Any, chunk: Any) -> Any:
        """Something else is enqueued than the one chunk of the callback under way."""
        self.leave()
        return chunk

    def desired_size(self, controller: Any) -> float | None:
        """Give the desired_size of a controller: known for that of the callback under way."""
        step = self._step_under_way().step
        if step.stage.controller is controller:
            size = step.before if self.waiting is not None else step.after
            if size is not None:
                return size  # type: ignore[no-any-return]
        self.leave()
        return controller._get_desired_size()  # type: ignore[no-any-return]

    def leave(self) -> None:
        """Put everything where the plain path has it inside the callback under way."""
        jobs, step = self._jobs, self._step_under_way()
        jobs.run = None
        has_given = step.giver is not None and self.waiting is None
        self.waiting = LEFT
        own = list(jobs.jobs)
        jobs.jobs.clear()
        given = step.output.pop() if has_given else None
        self._snapshot_in(step.step).restore(self._histories, jobs)
        if has_given and step.step.stage.put is not None:
            step.step.stage.put(given)
        jobs.jobs.extend(own)

    def _snapshot_in(self, step: Step) -> Snapshot:
        """Give the state in which the callback of a step is called."""
        if step.snapshot is None:
            step.snapshot = Replay(self._pipeline, self._trigger, self._period).snapshot_in(step)
        return step.snapshot

    def _pause(self) -> None:
        """The event loop's other tasks have to have their turn: the next period begins in the next turn."""
        self._jobs.run = None
        self.waiting = LEFT
        self._period.begin.restore(self._histories, self._jobs)
        self._jobs.jobs.appendleft(self._trigger.read_next)

    def _end(self, result: Any) -> None:
        """Go on as the plain path does after the callback."""
        if self.waiting is not LEFT:
            self.leave()
        step = self._step_under_way().step
        outcome = result[0] if type(result) is tuple else COMPLETED if step.by_coroutine else None
        step.stage.returned(outcome)
        self._do_rest_of_job(step)

    def _end_with_error(self, error: BaseException) -> None:
        if self.waiting is not LEFT:
            self.leave()
        step = self._step_under_way().step
        step.stage.failed(error)
        if goes_through(error):
            raise error
        self._do_rest_of_job(step)

    def _do_rest_of_job(self, step: Step) -> None:
        """What the job under way does after the call of the callback."""
        for position, (controller, request, reference) in enumerate(step.reads):
            if position > 0:
                controller._pull_returned(None)
            if reference is not None:
                request.chunk_steps(self._histories[reference.stage][-1 - reference.age])
        if step.pipe is not None:
            step.pipe.read_is_under_way()
