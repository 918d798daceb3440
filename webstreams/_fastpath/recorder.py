"""Recording a trace: the plain path runs with marked chunks until its whole state repeats itself."""

from __future__ import annotations

from functools import partial
from types import CoroutineType
from typing import Any, NamedTuple

from .._engine.delay import Delay
from .._engine.jobs import TURN_BUDGET, Job
from .._engine.run import Run, get_ident
from .._streams.part import Part
from .._streams.queue import QueueWithSizes
from .._streams.readable.pipe import Pipe
from .discovery import Read, read_path
from .pipeline import Pipeline, Stage
from .snapshot import Snapshot, Tagged, untag
from .trace import Answer, Step, Trace, joined

# Within so many periods the plain path has to repeat itself, after the chunks that are in the queues have gone; and a
# period is not longer than so many jobs a stage.
MAX_PERIODS = 6
MAX_QUEUED = 64
MAX_JOBS_PER_STAGE = 40
# In a run the clock is looked at after whole periods only (seconds).
LONGEST_PERIOD = TURN_BUDGET / 2


class Head(NamedTuple):
    """A read on the path of a pipe, with the queue as it was before the job: its length, and its first chunk."""

    read: Read
    length: int
    first: Any


class Recorder(Run):
    """One attempt to record a trace; the `Run` of the job queue meanwhile."""

    __slots__ = ("_heads", "_is_regular", "_job", "_jobs", "_pipeline", "_step", "_trace", "_trigger")

    def __init__(self, pipeline: Pipeline, trigger: Pipe) -> None:
        self._pipeline = pipeline
        self._jobs = pipeline.jobs
        # The pipe that reads from the source: a period begins with its read.
        self._trigger = trigger
        self._is_regular = True
        self._trace: Trace | None = None
        self._step: Step | None = None
        self._job: Job = trigger.read_next
        self._heads: list[Head] = []
        # Nothing is taken unseen while the plain path is watched: every chunk comes to `intercept`.
        self.expecting = None
        self.pending = pipeline.jobs.jobs
        self.thread = get_ident()

    def record(self) -> tuple[Trace | None, bool]:
        """Run the plain path; return the trace, if there is one, and whether the next read of the trigger is due."""
        self._jobs.run = self
        self._pipeline.replace_callbacks(self.call)
        try:
            return self._record_periods()
        finally:
            self._jobs.run = None
            self._pipeline.restore_callbacks()
            untag(self._pipeline.parts)

    def _record_periods(self) -> tuple[Trace | None, bool]:
        traces: list[Trace] = []
        queued = max(len(part.chunks) for part in self._pipeline.parts if isinstance(part, QueueWithSizes))
        for number in range(MAX_PERIODS + min(queued, MAX_QUEUED)):
            # The state with chunks from before the recording does not come again: it need not be known.
            begin = Snapshot([] if number == 0 and queued else self._pipeline.parts, self._jobs)
            whole = self._find_repetition(traces, begin)
            if whole is not None:
                return whole, True
            del traces[:-MAX_PERIODS]
            self._trace = Trace(begin)
            traces.append(self._trace)
            began_at = self._jobs.clock()
            if not self._record_period():
                return None, False
            if self._jobs.clock() - began_at > LONGEST_PERIOD:
                return None, True
        return None, True

    def _find_repetition(self, traces: list[Trace], now: Snapshot) -> Trace | None:
        """Return the trace of what lies between now and the last time that the state was this one."""
        stage_count = len(self._pipeline.stages)
        for back, earlier in enumerate(reversed(traces), 1):
            if now.equals(earlier.begin):
                whole = joined(traces[-back:])
                if whole.is_complete(stage_count):
                    whole.count_chunks(stage_count)
                    return whole
        return None

    def _record_period(self) -> bool:
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
        assert self._trace is not None
        self._trace.job_count += 1
        self._jobs.countdown -= 1
        self._job = undelayed(job)
        pipe = self._reading_pipe()
        self._heads = [] if pipe is None else [_head_of(read) for read in read_path(pipe)]
        self._step = None
        function()

    def _reading_pipe(self) -> Pipe | None:
        """Return the pipe whose read the job under way is."""
        owner = owner_of(self._job)
        return owner if isinstance(owner, Pipe) and self._job == owner.read_next else None

    # Calls.

    def call(self, stage: Stage, *arguments: Any) -> Any:
        """Call a callback and take notes."""
        assert self._trace is not None
        chunk = arguments[0] if len(arguments) > 1 else None
        reference = chunk.reference() if type(chunk) is Tagged else None
        step = Step(stage, reference)
        if stage.gives:
            step.before = stage.desired_size()
        self._is_regular = self._note_rest_of_job(step) and self._is_regular
        self._trace.steps.append(step)
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
        if step.has_given:
            step.after = stage.desired_size()
        return result

    def _note_rest_of_job(self, step: Step) -> bool:
        """Note what the job under way does after the call; whether that is understood."""
        step.pipe = self._reading_pipe()
        if step.pipe is not None:
            if step.stage.gives_first:
                self._note_answers(step)
            return True
        owner = owner_of(self._job)
        return isinstance(owner, Part) and owner.ends_with_callback(self._job)

    def _note_answers(self, step: Step) -> None:
        """Note the reads that are answered after the source was called: those that took a chunk before."""
        for (controller, request), length, first in self._heads[::-1]:
            taken = len(controller._queue.chunks) < length
            if taken and type(first) is not Tagged:
                step.answers.append(Answer(controller, request, None))
                return  # a chunk from before the recording: not a period yet
            step.answers.append(Answer(controller, request, first.reference() if taken else None))

    def intercept(self, controller: Any, chunk: Any) -> Any:
        """A callback enqueues a chunk: return what is put into the queue for it."""
        step = self._step
        if step is None or step.stage.controller is not controller or step.has_given or not step.stage.gives:
            self._is_regular = False
            return chunk
        step.has_given = True
        return Tagged(chunk, step.stage)

    def desired_size(self, controller: Any) -> float | None:
        """Return the desired_size of a controller."""
        return controller._get_desired_size()  # type: ignore[no-any-return]

    def leave(self) -> None:
        """Something else is done with streams: such a callback must not be called in a run."""
        self._is_regular = False


def owner_of(job: Any) -> object:
    """Return the object whose method a job is."""
    while type(job) is partial:
        job = job.func
    return getattr(undelayed(job), "__self__", None)


def undelayed(job: Any) -> Any:
    """Return the job that runs later, for one that delays it."""
    return job.job if type(job) is Delay else job


def _head_of(read: Read) -> Head:
    chunks = read.controller._queue.chunks
    return Head(read, len(chunks), chunks[0] if chunks else None)
