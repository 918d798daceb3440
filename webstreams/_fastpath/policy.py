"""When the pipes of an event loop try to run steadily.

All pipelines of a loop that have jobs in its queue run steadily together or not at all: their callbacks alternate.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from weakref import WeakSet

from .._engine.jobs import TURN_BUDGET, JobQueue
from .handle import PipeHandle
from .pipeline import MAX_STAGES, Pipeline
from .run import SteadyRun
from .trace import Recording, owner_of

# For comparisons: whether the fast paths are on.
FAST_PATHS = os.environ.get("WEBSTREAMS_FAST_PATHS", "1") != "0"

# After so many reads of each pipe by the plain path they try; after each failure they wait twice as long, to a limit.
FIRST_PATIENCE = 8
MAX_PATIENCE = 4096
# A turn in which several pipelines are recorded has lasted no longer than this before (seconds).
YOUNG_TURN = TURN_BUDGET / 8
# A run of so many periods was worth it; so often the state may be another than the recorded one.
WORTHWHILE = 16
MAX_MISSES = 8


class Steadiness:
    """Belongs to the job queue of a loop, and knows the pipes that read from a source of an author's."""

    __slots__ = ("_handles", "_jobs", "_misses", "_patience", "_run", "_trigger", "_wait", "periods")

    def __init__(self, jobs: JobQueue) -> None:
        self._jobs = jobs
        self._handles: WeakSet[PipeHandle] = WeakSet()
        # How many reads of all pipes are to be waited for, and how many of each pipe there are to be next time.
        self._patience = FIRST_PATIENCE
        self._wait = FIRST_PATIENCE
        self._misses = 0
        # How many periods have run steadily, to tell whether it is worth it.
        self.periods = 0
        self._run: SteadyRun | None = None
        # The pipe whose read begins the period of the run.
        self._trigger: Any = None

    def enter(self, pipe: Any) -> PipeHandle:
        """A pipe begins: give what it has to keep until it ends."""
        handle = PipeHandle(pipe)
        self._handles.add(handle)
        self._begin_anew()
        return handle

    def exit(self, handle: PipeHandle) -> None:
        """A pipe has ended."""
        self._handles.discard(handle)
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._run = None
        self._wait = FIRST_PATIENCE if len(self._handles) <= 1 else max(FIRST_PATIENCE, self._wait // 2)
        self._be_patient()

    def _be_patient(self) -> None:
        """Wait for so many reads of each pipe that has jobs in the queue."""
        self._patience = self._wait * max(1, min(len(self._handles), len(self._jobs.jobs)))

    def takes_over(self, pipe: Any) -> bool:
        """Whether the read of a pipe that is due has been done, with much more."""
        self._patience -= 1
        if self._patience > 0:
            return False
        jobs = self._jobs
        if not jobs.is_alone or jobs.run is not None:
            return False
        run = self._run
        if run is None:
            if not self._has_time():
                self._patience = 1
                return False
            is_due = self._record(pipe)
            run = self._run
            if run is None:
                self._lose_patience()
                return not is_due
        elif pipe is not self._trigger:
            return False
        if not run.begins_here():
            self._miss()
            return False
        self._misses = 0
        count = run.run()
        self.periods += count
        if count >= WORTHWHILE:
            self._wait = self._patience = 1
        else:
            self._lose_patience()
        return True

    def _has_time(self) -> bool:
        """Whether enough of the turn is left to record all pipelines."""
        return len(self._handles) <= 1 or self._jobs.time_spent() < YOUNG_TURN

    def _record(self, pipe: Any) -> bool:
        """Look for a steady run; whether the read is still due."""
        pipeline = Pipeline(self._jobs)
        pipe.find_pipeline(pipeline)
        if pipeline.is_eligible:
            self._add_others(pipeline, pipe)
        if not pipeline.is_eligible:
            return True
        period, is_due = Recording(pipeline, pipe).record()
        if period is not None:
            self._trigger = pipe
            self._run = SteadyRun(pipeline, pipe, period)
        return is_due

    def _add_others(self, pipeline: Pipeline, trigger: Any) -> None:
        """Add all other pipelines that have jobs in the queue."""
        strangers = {id(owner_of(job)) for job in self._jobs.jobs} - pipeline.known
        if not strangers:
            return
        if len(self._handles) <= MAX_STAGES:
            for other in self._others(trigger):
                if not strangers.isdisjoint(other.known):
                    pipeline.add(other)
        if not strangers <= pipeline.known:
            pipeline.refuse()

    def _others(self, trigger: Any) -> Iterator[Pipeline]:
        for handle in list(self._handles):
            if handle.pipe is not trigger:
                pipeline = Pipeline(self._jobs)
                handle.pipe.find_pipeline(pipeline)
                yield pipeline

    def _miss(self) -> None:
        self._misses += 1
        if self._misses >= MAX_MISSES:
            self._misses = 0
            self._run = None
            self._lose_patience()

    def _lose_patience(self) -> None:
        self._wait = min(2 * self._wait, MAX_PATIENCE)
        self._be_patient()


def steadiness_of(jobs: JobQueue) -> Steadiness:
    """Give what decides for the pipes of a job queue."""
    if jobs.steadiness is None:
        jobs.steadiness = Steadiness(jobs)
    steadiness: Steadiness = jobs.steadiness
    return steadiness
