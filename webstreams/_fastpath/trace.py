"""Watching the plain path of a pipeline until it repeats itself."""

from __future__ import annotations

from functools import partial
from types import CoroutineType
from typing import Any

from .._engine.jobs import TURN_BUDGET, Delay, Job, Run
from .._streams.queue import QueueWithSizes
from .pipeline import Pipeline, Stage
from .snapshot import Reference, Snapshot, Tagged, untag

# Within so many periods the plain path has to repeat itself, after the chunks that are in the queues have gone; and a
# period is not longer than so many jobs a stage.
MAX_PERIODS = 6
MAX_QUEUED = 64
MAX_JOBS_PER_STAGE = 40
# In a steady run the clock is looked at after whole periods only (seconds).
LONGEST_PERIOD = TURN_BUDGET / 2


class Step:
    """One call of a callback in a period."""

    __slots__ = ("after", "before", "by_coroutine", "chunk", "has_given", "pipe", "reads", "snapshot", "stage")

    def __init__(self, stage: Stage, chunk: Reference | None) -> None:
        self.stage = stage
        # The chunk that the callback gets; and the state in which it is called, if that was ever needed (`replaying`).
        self.chunk = chunk
        self.snapshot: Snapshot | None = None
        # What the job under way does after the call: the reads that it answers, from the source on, each with the
        # chunk that it took out of the queue; then the pipe whose read is under way.
        self.reads: list[tuple[Any, Any, Reference | None]] = []
        self.pipe: Any = None
        # Whether the callback has enqueued its chunk, and its controller's desired_size before and after that.
        self.has_given = False
        self.before: Any = None
        self.after: Any = None
        self.by_coroutine = False


class Period:
    """What the plain path does again and again: the state at its begin, and the calls."""

    __slots__ = ("begin", "history_lengths", "job_count", "steps")

    def __init__(self, begin: Snapshot) -> None:
        self.begin = begin
        self.steps: list[Step] = []
        self.job_count = 0
        # How many of the last chunks of each stage are somewhere in the pipeline, or were at the begin.
        self.history_lengths: list[int] = []

    def count_chunks(self, stage_count: int) -> None:
        """Find the lengths of the histories, when the period is complete."""
        given = [0] * stage_count
        for step in self.steps:
            given[step.stage.index] += 1
        oldest = [0] * stage_count
        for stage, age in self.begin.references():
            oldest[stage] = max(oldest[stage], age + 1)
        self.history_lengths = [age + count for age, count in zip(oldest, given, strict=True)]


def joined(periods: list[Period]) -> Period:
    """Make one period of several that follow each other."""
    if len(periods) == 1:
        return periods[0]
    whole = Period(periods[0].begin)
    for period in periods:
        whole.steps += period.steps
        whole.job_count += period.job_count
    return whole


class Recording(Run):
    """One attempt; the `_jobs.Run` meanwhile."""

    __slots__ = (
        "_heads",
        "_is_regular",
        "_job",
        "_jobs",
        "_period",
        "_pipeline",
        "_step",
        "_trigger",
    )

    def __init__(self, pipeline: Pipeline, trigger: Any) -> None:
        self._pipeline = pipeline
        self._jobs = pipeline.jobs
        # The pipe that reads from the source: a period begins with its read.
        self._trigger = trigger
        self._is_regular = True
        self._period: Period | None = None
        self._step: Step | None = None
        self._job: Job = trigger.read_next
        self._heads: list[tuple[Any, Any, tuple[int, Any]]] = []
        # As in a steady run; here nothing is taken unseen.
        self.waiting = None

    def record(self) -> tuple[Period | None, bool]:
        """Run the plain path; give the period, if there is one, and whether the next read of the trigger is due."""
        self._jobs.run = self
        self._pipeline.replace_callbacks(self.call)
        try:
            return self._record_periods()
        finally:
            self._jobs.run = None
            self._pipeline.restore_callbacks()
            untag(self._pipeline.parts)

    def _record_periods(self) -> tuple[Period | None, bool]:
        periods: list[Period] = []
        queued = max(len(part.chunks) for part in self._pipeline.parts if isinstance(part, QueueWithSizes))
        for number in range(MAX_PERIODS + min(queued, MAX_QUEUED)):
            # The state with chunks from before the recording does not come again: it need not be known.
            begin = Snapshot([] if number == 0 and queued else self._pipeline.parts, self._jobs)
            for back, earlier in enumerate(reversed(periods), 1):
                if begin.equals(earlier.begin):
                    whole = joined(periods[-back:])
                    if self._is_complete(whole):
                        whole.count_chunks(len(self._pipeline.stages))
                        return whole, True
            del periods[:-MAX_PERIODS]
            self._period = Period(begin)
            periods.append(self._period)
            began_at = self._jobs.clock()
            if not self._record_period(self._period):
                return None, False
            if self._jobs.clock() - began_at > LONGEST_PERIOD:
                return None, True
        return None, True

    def _record_period(self, period: Period) -> bool:
        """Run jobs until the next period begins; whether it does."""
        jobs = self._jobs.jobs
        self._run(self._trigger.read_next, self._trigger.read_plainly)
        for _ in range(MAX_JOBS_PER_STAGE * len(self._pipeline.stages)):
            if not self._is_regular or not jobs:
                return False
            if self._jobs.countdown <= 0 and self._jobs.is_late():
                return False
            if jobs[0] == self._trigger.read_next:
                jobs.popleft()
                return True
            if not self._pipeline.owns(owner_of(jobs[0])):
                return False
            job = jobs.popleft()
            self._run(job, job)
        return False

    def _run(self, job: Job, function: Job) -> None:
        assert self._period is not None
        self._period.job_count += 1
        self._jobs.countdown -= 1
        self._job = job
        owner, name = _method_of(job)
        path = owner.read_path() if name == "read_next" else []
        self._heads = [(controller, request, _head_of(controller)) for controller, request in path]
        self._step = None
        function()

    def _is_complete(self, period: Period) -> bool:
        """Whether every stage was called, and every chunk is known."""
        return {step.stage.index for step in period.steps} == set(range(len(self._pipeline.stages))) and all(
            (step.has_given or step.stage.put is None) and (step.chunk is not None or step.stage.gives_first)
            for step in period.steps
        )

    # Calls.

    def call(self, stage: Stage, *arguments: Any) -> Any:
        """Call a callback and take notes."""
        assert self._period is not None
        chunk = arguments[0] if len(arguments) > 1 else None
        reference = chunk.reference() if type(chunk) is Tagged else None
        step = Step(stage, reference)
        if stage.put is not None:
            step.before = stage.controller._get_desired_size()
        self._is_regular = self._note_rest_of_job(step) and self._is_regular
        self._period.steps.append(step)
        self._step = step
        try:
            if len(arguments) == 1:
                result = stage.function(*arguments)
            else:
                result = stage.function(chunk.value if type(chunk) is Tagged else chunk, *arguments[1:])
        except BaseException:
            self._is_regular = False
            raise
        step.by_coroutine = type(result) is CoroutineType
        if result is not None and not step.by_coroutine:
            self._is_regular = False
        if stage.put is not None and step.has_given:
            step.after = stage.controller._get_desired_size()
        return result

    def _note_rest_of_job(self, step: Step) -> bool:
        """Note what the job under way does after the call; whether that is understood."""
        owner, name = _method_of(self._job)
        if name == "read_next":
            step.pipe = owner
        elif step.stage.gives_first:
            return owner is step.stage.controller
        else:
            return name in {"_write_chunk", "_go_on", "_write_fulfilled"}
        if step.stage.gives_first:
            for controller, request, (length, head) in self._heads[::-1]:
                taken = len(controller._queue.chunks) < length
                if taken and type(head) is not Tagged:
                    step.reads.append((controller, request, None))
                    return True  # a chunk from before the recording: not a period yet
                step.reads.append((controller, request, head.reference() if taken else None))
        return True

    def intercept(self, controller: Any, chunk: Any) -> Any:
        """A callback enqueues a chunk: give what is put into the queue for it."""
        step = self._step
        if step is None or step.stage.controller is not controller or step.has_given or step.stage.put is None:
            self._is_regular = False
            return chunk
        step.has_given = True
        return Tagged(chunk, step.stage)

    def desired_size(self, controller: Any) -> float | None:
        """Give the desired_size of a controller."""
        return controller._get_desired_size()  # type: ignore[no-any-return]

    def leave(self) -> None:
        """Something else is done with streams: such a callback must not be called in a steady run."""
        self._is_regular = False


def owner_of(job: Any) -> object:
    """Give the object whose method a job is."""
    while type(job) is partial:
        job = job.func
    return getattr(_undelayed(job), "__self__", None)


def _undelayed(job: Any) -> Any:
    return job.job if type(job) is Delay else job


def _method_of(job: Any) -> tuple[Any, str]:
    job = _undelayed(job)
    return getattr(job, "__self__", None), getattr(job, "__name__", "")


def _head_of(controller: Any) -> tuple[int, Any]:
    chunks = controller._queue.chunks
    return len(chunks), chunks[0] if chunks else None
