"""What the state is inside a callback of a recorded period, found by running the plain path of the period again.

No callback is called for that: what each of them did is known. So a period is recorded without looking at the whole
state at each of its calls, and only where a run is left is the state worked out.
"""

from __future__ import annotations

from typing import Any

from .._engine.jobs import Run
from .._engine.promise import COMPLETED
from .pipeline import Pipeline, Stage
from .snapshot import Snapshot, Tagged
from .trace import Period, Step


class Replay(Run):
    """Runs the plain path of one period with stand-ins for the callbacks; the `_jobs.Run` meanwhile, so that no pipe
    begins another one."""

    __slots__ = ("_found", "_period", "_pipeline", "_position", "_trigger", "_wanted")

    def __init__(self, pipeline: Pipeline, trigger: Any, period: Period) -> None:
        self._pipeline = pipeline
        self._trigger = trigger
        self._period = period
        # How many callbacks were called; the one in which the state is wanted, and that state.
        self._position = 0
        self._wanted: Step | None = None
        self._found: Snapshot | None = None

    def snapshot_in(self, step: Step) -> Snapshot:
        """Give the state in which the callback of `step` is called. The state of now is lost, and no job is queued."""
        self._wanted = step
        queue = self._pipeline.jobs
        self._pipeline.replace_callbacks(self._call)
        queue.run = self
        try:
            self._run_period()
        finally:
            queue.run = None
            self._pipeline.restore_callbacks()
            queue.jobs.clear()
        assert self._found is not None
        return self._found

    def _run_period(self) -> None:
        queue = self._pipeline.jobs
        self._period.begin.restore(self._tagged_chunks(), queue)
        self._trigger.read_plainly()
        for _ in range(1, self._period.job_count):
            queue.jobs.popleft()()

    def _tagged_chunks(self) -> list[list[Tagged]]:
        """Give chunks for the state at the begin, which tell which ones they are."""
        chunks: list[list[Tagged]] = []
        for stage, length in zip(self._pipeline.stages, self._period.history_lengths, strict=True):
            stage.count = 0
            chunks.append([Tagged(None, stage) for _ in range(length)])
        return chunks

    def _call(self, stage: Stage, *_: Any) -> Any:
        """Do what a callback did."""
        step = self._period.steps[self._position]
        assert step.stage is stage
        self._position += 1
        if step is self._wanted:
            self._found = Snapshot(self._pipeline.parts, self._pipeline.jobs)
        if stage.put is not None:
            stage.put(Tagged(None, stage))
        return COMPLETED if step.by_coroutine else None
