"""A run whose callbacks are all coroutine functions: one coroutine awaits them, one after the other (`driver`)."""

from __future__ import annotations

from contextvars import Context

from .._engine.callbacks import outcome_of
from .driver import drive
from .exits import common_context
from .graph import Row
from .pipeline import Pipeline
from .run import PipelineRun


class CoroutineRun(PipelineRun):
    """A run that awaits its callbacks in one task while each of them completes at once."""

    __slots__ = ("_context", "_is_paused")

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(pipeline)
        # The context of the callbacks, if they can be awaited like that.
        self._context = None if pipeline.end is not None else common_context(pipeline.stages)
        # Others have to have their turn.
        self._is_paused = False

    def run(self) -> None:
        """See `PipelineRun`."""
        if self._context is None:
            super().run()
            return
        assert self._state is not None and self._state.segment is not None
        self._is_parked = False
        self._segment = self._state.segment
        self._await_callbacks(self._context)

    def _await_callbacks(self, context: Context) -> None:
        segment = self._segment
        assert segment is not None
        if not segment.rows:
            self._go(segment)
            return
        self._is_paused = False
        coroutine = drive(self, segment.rows, self._jobs)
        outcome = outcome_of(self._jobs, coroutine, context)
        if self._is_paused:
            return
        branch = self._branch(self._step_under_way(), (outcome,))
        if branch is not None:
            self._context = None  # they do not always do the same
            self._go(branch)

    def next_rows(self) -> list[Row]:
        """Count a period in which callbacks were awaited, and return the calls of the next one that has any; none if
        the run has to stop."""
        jobs, segment = self._jobs, self.last_segment()
        while True:
            jobs.countdown -= segment.job_count  # _count_down(), without the call
            self.periods += 1
            following = segment.follower
            if following is None or jobs.countdown <= 0:
                following = self._next_segment(segment)
                if following is None:
                    self._is_paused = True
                    return []
            segment = following
            if segment.rows:
                self._segment = segment
                return segment.rows
