"""When the pipes of an event loop try the fast path.

All pipelines of a loop that have jobs in its queue run on one trace together or not at all: their callbacks alternate.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from .._engine.jobs import FAST_PATH, FIRST_READS, TURN_BUDGET, JobQueue
from .._engine.run import Policy, Run, Trigger
from .._platform.weak_group import WeakGroup
from .._streams.readable.iteration import Iteration
from .._streams.readable.pipe import Pipe
from .._streams.readable.reader import ReadableStreamDefaultReader
from .._streams.writable.writer import WritableStreamDefaultWriter
from .check import CheckedRun
from .discovery import begins_pipeline, find_pipeline, find_pipeline_from, find_pipeline_to
from .ends import ReadEnd, make_end
from .graph import PIPE, READ, WRITE
from .handle import PipeHandle
from .pipeline import MAX_STAGES, Pipeline
from .run import PipelineRun
from .simulation import owner_of
from .writer_end import WriterEnd
from .writing import WriteRun

# The switch: everything on the plain path; every period of a run repeated on the plain path and compared; else on.
OFF = "0"
CHECK = "check"
FAST_PATHS = os.environ.get("WEBSTREAMS_FAST_PATHS", "1")

# After so many reads of each pipe by the plain path a trace is recorded; after each failure the interval is twice as
# long, to a limit.
FIRST_INTERVAL = 8
MAX_INTERVAL = 4096
# A turn in which several pipelines are recorded has lasted no longer than this before (seconds).
YOUNG_TURN = TURN_BUDGET / 8
# After a run of at least so many periods, the next read tries again (a read of a user's and its await are two, and
# shorter); after so many failures of the guard at the entry, one after the other, the run is thrown away.
LONG_RUN = 16
LONG_READ_RUN = 64
MAX_FAILURES = 8


class TracePolicy(Policy):
    """The policy of one job queue. It knows the pipes that read from a source of a user's."""

    __slots__ = (
        "_failures",
        "_full_interval",
        "_generation",
        "_handles",
        "_interval",
        "_is_given_up",
        "_jobs",
        "_last_key",
        "_last_writer",
        "_read_interval",
        "_reads_left",
        "_run",
        "_write_interval",
        "periods",
    )

    def __init__(self, jobs: JobQueue) -> None:
        self._jobs = jobs
        self._handles = WeakGroup()
        # How many reads of all pipes there will be before the next attempt, and how many of each pipe after that.
        self._reads_left = FIRST_INTERVAL
        self._interval = FIRST_INTERVAL
        # The interval after the next run that does not repeat itself.
        self._full_interval = MAX_INTERVAL
        # How often the guard at the entry has failed.
        self._failures = 0
        # How many periods have run on the fast path, to tell whether it is taken at all.
        self.periods = 0
        self._run: PipelineRun | None = None
        # The same for the reads of users: how many of them there are before the next attempt, and who has read last.
        # Their runs belong to the readers, which nobody else keeps alive.
        self._read_interval = FIRST_READS
        self._last_key = 0
        # And for their writes.
        self._write_interval = FIRST_READS
        self._last_writer = 0
        # Runs that were made before a stage was watched are not used any more.
        self._generation = 0
        # A check has found a difference.
        self._is_given_up = False

    def enter(self, pipe: Trigger) -> PipeHandle | None:
        """See `Policy`."""
        first = begins_pipeline(pipe) if FAST_PATHS != OFF and not self._is_given_up else None
        if first is None:
            return None
        handle = PipeHandle(first)
        self._handles.add(handle)
        self._begin_anew()
        return handle

    def exit(self, handle: object) -> None:
        """See `Policy`."""
        assert isinstance(handle, PipeHandle)
        self._handles.discard(handle)
        self._begin_anew()

    def forget(self) -> None:
        """See `Policy`."""
        self._generation += 1
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._run = None
        if len(self._handles) <= 1:
            self._reads_left = self._interval = FIRST_INTERVAL
        else:
            self._interval = max(FIRST_INTERVAL, self._interval // 2)
            self._wait_for_reads()

    def _wait_for_reads(self) -> None:
        """Wait for so many reads of each pipe that has jobs in the queue."""
        self._reads_left = self._interval * max(1, min(len(self._handles), len(self._jobs.jobs)))

    def _wait_longer(self) -> None:
        self._interval = min(2 * self._interval, MAX_INTERVAL)
        self._wait_for_reads()

    def _give_up_for_long(self) -> None:
        """Leave a pipeline alone in which nothing repeats itself: to have looked at it was in vain."""
        self._run = None
        self._interval = self._full_interval
        self._full_interval *= 2
        self._wait_for_reads()

    def run_has_ended(self, run: Any) -> None:
        """See `Policy`."""
        assert isinstance(run, WriteRun)
        self.periods += run.periods
        if run.end is not None:
            self._jobs.reads_left = _next_attempt(run, run.end)
        if run.origin is not None:
            self._jobs.writes_left = _next_attempt(run, run.origin)
        if isinstance(run, CheckedRun) and run.has_differed:
            self._is_given_up = True
            self._run = None

    def takes_over(self, pipe: Trigger) -> bool:
        """Try the fast path; true if it did this read, and perhaps many more."""
        self._reads_left -= 1
        if self._reads_left > 0:
            return False
        jobs = self._jobs
        if not jobs.is_alone or jobs.run is not None or self._is_given_up:
            return False
        run = self._run
        if run is None:
            if not self._has_time():
                self._reads_left = 1
                return False
            run = self._find_run(pipe)
            if run is None:
                self._wait_longer()
                return False
        elif pipe is not run.trigger:
            return False
        return self._begins(run, run.trigger)

    def resumes(self, run: Run, pipe: Trigger) -> bool:
        """See `Policy`."""
        assert isinstance(run, PipelineRun) and isinstance(pipe, Pipe)
        jobs = self._jobs
        if run is not self._run or not jobs.is_alone or jobs.run is not None or self._is_given_up:
            return False
        return self._begins(run, pipe)

    def _begins(self, run: PipelineRun, pipe: Pipe | None) -> bool:
        if not run.can_begin() or not run.begin(PIPE, pipe):
            self._entry_failed()
            return False
        self._failures = 0
        self._start(run)
        return True

    def _start(self, run: PipelineRun) -> None:
        run.run()
        if run.is_full():
            self._give_up_for_long()
        elif run.periods >= LONG_RUN or isinstance(run, CheckedRun):
            self._interval = self._reads_left = 1
        else:
            self._wait_longer()

    def _entry_failed(self) -> None:
        self._failures += 1
        if self._failures >= MAX_FAILURES:
            self._failures = 0
            self._run = None
            self._wait_longer()

    # The reads of users.

    def takes_read(self, key: object, promise: Any) -> bool:
        """See `Policy`."""
        jobs = self._jobs
        if FAST_PATHS == OFF or self._is_given_up:
            jobs.reads_left = MAX_INTERVAL
            return False
        if jobs.run is not None or jobs.busy or not jobs.is_alone:
            return False
        if id(key) != self._last_key:
            self._last_key = id(key)
            self._read_interval = FIRST_READS
        queue = reader_of(key)._queue
        if queue.total >= queue.plenty:
            # Chunks that are there already are read by the plain path as quickly.
            jobs.reads_left = int(queue.total - queue.plenty) + 1
            return False
        run = self._read_run_of(key)
        if run is not None and not jobs.scheduled:
            return False  # this read will schedule them, in its place
        if run is None or not run.can_begin() or not run.begin(READ, None):
            self._wait_for_more_reads()
            return False
        return run.reads(key, promise)

    def takes_many(self) -> bool:
        """See `Policy`."""
        return FAST_PATHS != OFF

    def _read_run_of(self, key: object) -> PipelineRun | None:
        """Return the run that ends at a reader or an iteration, if its pipeline is understood."""
        assert isinstance(key, (ReadableStreamDefaultReader, Iteration))
        reader = reader_of(key)
        end = reader._consumer
        if isinstance(end, ReadEnd) and isinstance(end.run, PipelineRun) and end.generation == self._generation:
            return None if end.run.is_full() or self._is_given_up else end.run
        new_end = make_end(key, self._jobs)
        run = self._run_for(new_end, find_pipeline_to(self._jobs, new_end))
        if run is not None:
            reader._consumer = new_end
        return run

    def _run_for(self, end: ReadEnd | WriterEnd, pipeline: Pipeline) -> PipelineRun | None:
        """Make the run of a pipeline at one of whose ends a user reads or writes, if it is understood."""
        if not pipeline.is_eligible:
            return None
        run = make_run(pipeline)
        end.run = run
        end.generation = self._generation
        end.interval = FIRST_READS
        return run

    def _wait_for_more_reads(self) -> None:
        self._read_interval = min(2 * self._read_interval, MAX_INTERVAL)
        self._jobs.reads_left = self._read_interval

    # The writes of users.

    def takes_write(self, writer: object, chunk: Any, promise: Any) -> bool:
        """See `Policy`."""
        jobs = self._jobs
        if FAST_PATHS == OFF or self._is_given_up:
            jobs.writes_left = MAX_INTERVAL
            return False
        if jobs.run is not None or jobs.busy or not jobs.is_alone:
            return False
        if id(writer) != self._last_writer:
            self._last_writer = id(writer)
            self._write_interval = FIRST_READS
        run = self._write_run_of(writer)
        if not jobs.scheduled and run is not None:
            return False  # this write will schedule them, in its place
        if run is None or not run.can_begin() or not run.begin(WRITE, None):
            self._write_interval = min(2 * self._write_interval, MAX_INTERVAL)
            jobs.writes_left = self._write_interval
            return False
        return run.writes(writer, chunk, promise)

    def _write_run_of(self, writer: object) -> PipelineRun | None:
        """Return the run that begins at a writer, if its pipeline is understood."""
        assert isinstance(writer, WritableStreamDefaultWriter)
        origin = writer._origin
        if isinstance(origin, WriterEnd) and isinstance(origin.run, PipelineRun):
            if origin.generation == self._generation:
                return None if origin.run.is_full() else origin.run
        new_origin = WriterEnd(writer, self._jobs)
        run = self._run_for(new_origin, find_pipeline_from(self._jobs, new_origin))
        if run is not None:
            writer._origin = new_origin
        return run

    # Finding pipelines.

    def _has_time(self) -> bool:
        """Whether enough of the turn is left to look at all pipelines."""
        return len(self._handles) <= 1 or self._jobs.time_spent() < YOUNG_TURN

    def _find_run(self, pipe: Trigger) -> PipelineRun | None:
        """Make a run for a pipe, together with all other pipelines that have jobs in the queue."""
        pipeline = find_pipeline(self._jobs, pipe)
        if pipeline.is_eligible:
            self._add_others(pipeline, pipe)
        self._run = make_run(pipeline) if pipeline.is_eligible else None
        return self._run

    def _add_others(self, pipeline: Pipeline, trigger: Trigger) -> None:
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

    def _others(self, trigger: Trigger) -> Iterator[Pipeline]:
        for handle in self._handles:
            if handle.pipe is not trigger:
                yield find_pipeline(self._jobs, handle.pipe)


def _next_attempt(run: WriteRun, end: ReadEnd | WriterEnd) -> int:
    """Return how many reads or writes there are before a run tries again that has ended: its interval anew, or one."""
    is_long = run.periods >= LONG_READ_RUN
    end.interval = FIRST_READS if is_long else min(2 * end.interval, MAX_INTERVAL)
    return 1 if is_long or isinstance(run, CheckedRun) else end.interval


def reader_of(key: object) -> ReadableStreamDefaultReader[Any]:
    """Return the reader that reads for a user or for an iteration."""
    reader = key.reader if isinstance(key, Iteration) else key
    assert isinstance(reader, ReadableStreamDefaultReader)
    return reader


def install() -> None:
    """Have the job queues of all event loops ask this policy."""
    FAST_PATH.make_policy = TracePolicy


def make_run(pipeline: Pipeline) -> PipelineRun:
    """Make the run of a pipeline."""
    return (CheckedRun if FAST_PATHS == CHECK else WriteRun)(pipeline)
