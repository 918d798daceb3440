"""What the state is inside a callback of a trace, found by running the plain path of the period again.

No callback is called for that: what each of them did is known. So a trace is recorded without looking at the whole
state at each of its calls, and only where a run is left is the state worked out.
"""

from __future__ import annotations

from typing import Any

from .._engine.callbacks import COMPLETED
from .._engine.run import Run, get_ident
from .._streams.readable.pipe import Pipe
from .pipeline import Pipeline, Stage
from .snapshot import Snapshot, Tagged
from .trace import Step, Trace


class Replay(Run):
    """Runs the plain path of one period with stand-ins for the callbacks; the `Run` of the job queue meanwhile, so that
    no pipe begins another one."""

    __slots__ = ("_found", "_pipeline", "_position", "_trace", "_trigger", "_wanted")

    def __init__(self, pipeline: Pipeline, trigger: Pipe, trace: Trace) -> None:
        self._pipeline = pipeline
        self._trigger = trigger
        self._trace = trace
        # How many callbacks were called; the one in which the state is wanted, and that state.
        self._position = 0
        self._wanted: Step | None = None
        self._found: Snapshot | None = None
        self.expecting = None
        self.pending = pipeline.jobs.jobs
        self.thread = get_ident()

    def snapshot_in(self, step: Step) -> Snapshot:
        """Return the state in which the callback of `step` is called.

        Destroys the present state of the pipeline and empties the job queue: somebody restores a snapshot next.
        """
        self._wanted = step
        self.repeat()
        self._pipeline.jobs.jobs.clear()
        assert self._found is not None
        return self._found

    def repeat(self) -> None:
        """Run the period from its begin to its end."""
        queue = self._pipeline.jobs
        self._position = 0
        self._pipeline.replace_callbacks(self._call)
        queue.run = self
        try:
            self._trace.begin.restore(self._tagged_chunks(), queue)
            self._trigger.read_plainly()
            for _ in range(1, self._trace.job_count):
                queue.jobs.popleft()()
        finally:
            queue.run = None
            self._pipeline.restore_callbacks()

    def _tagged_chunks(self) -> list[list[Tagged]]:
        """Return chunks for the state at the beginning, which tell which ones they are."""
        chunks: list[list[Tagged]] = []
        for stage, length in zip(self._pipeline.stages, self._trace.history_lengths, strict=True):
            stage.count = 0
            chunks.append([Tagged(None, stage) for _ in range(length)])
        return chunks

    def _call(self, stage: Stage, *arguments: Any) -> Any:
        """Do what a callback did."""
        step = self._trace.steps[self._position]
        self._position += 1
        self.is_called(step, stage, arguments)
        if step is self._wanted:
            self._found = Snapshot(self._pipeline.parts, self._pipeline.jobs)
        if stage.gives:
            stage.put(Tagged(None, stage))
        return COMPLETED if step.by_coroutine else None

    def is_called(self, step: Step, stage: Stage, arguments: tuple[Any, ...]) -> None:
        """Look at a call in the place of the callback of `step`."""
        assert step.stage is stage
