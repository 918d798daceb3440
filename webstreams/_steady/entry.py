"""When a pipe tries to run steadily."""

from __future__ import annotations

import os
from typing import Any

from .pipeline import Pipeline
from .recording import Recording
from .run import SteadyRun

# For comparisons: whether the fast paths are on.
FAST_PATHS = os.environ.get("WEBSTREAMS_FAST_PATHS", "1") != "0"

# After so many reads of the plain path a pipe tries; after each failure it waits twice as long, up to a limit.
FIRST_PATIENCE = 8
MAX_PATIENCE = 4096
# A run of so many periods was worth it; so often the state may be another than the recorded one.
WORTHWHILE = 16
MAX_MISSES = 8


class SteadyEntry:
    """Belongs to the pipe that reads from the source of a pipeline."""

    __slots__ = ("_misses", "_patience", "_pipe", "_run", "_wait")

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        self._run: SteadyRun | None = None
        self._patience = FIRST_PATIENCE
        self._wait = FIRST_PATIENCE
        self._misses = 0

    def takes_over(self) -> bool:
        """Whether the read that is due has been done, with much more."""
        self._patience -= 1
        if self._patience > 0:
            return False
        jobs = self._pipe.source._jobs
        if not jobs.is_alone or jobs.run is not None:
            return False
        if self._run is None:
            is_due = self._record()
            if self._run is None:
                self._lose_patience()
                return not is_due
        run = self._run
        if not run.begins_here():
            self._miss()
            return False
        self._misses = 0
        if run.run() >= WORTHWHILE:
            self._wait = self._patience = 1
        else:
            self._lose_patience()
        return True

    def _record(self) -> bool:
        """Look for a steady run; whether the read is still due."""
        pipeline = Pipeline(self._pipe.source._jobs)
        self._pipe.find_pipeline(pipeline)
        if not pipeline.is_eligible:
            return True
        period, is_due = Recording(pipeline, self._pipe).record()
        if period is not None:
            self._run = SteadyRun(pipeline, self._pipe, period)
        return is_due

    def _miss(self) -> None:
        self._misses += 1
        if self._misses >= MAX_MISSES:
            self._misses = 0
            self._run = None
            self._lose_patience()

    def _lose_patience(self) -> None:
        self._wait = self._patience = min(2 * self._wait, MAX_PATIENCE)
