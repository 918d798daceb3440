"""A fast path of pipes: many chunks in one job, while both ends are ready and nothing else wants to run.

In the steady state of a pipe each chunk takes six jobs, and all that can be seen of them are two callbacks: pull() and
write(). `SteadyRun.run` calls the two in a loop and moves the state of both ends as the jobs would. After each callback
it looks whether anything else has happened: a job was queued, a promise was returned, a state has changed. Then it
queues what the plain path would have queued by then, in the same place, and ends.

Preconditions (`SteadyRun.may_begin`): the source is a default stream of an author's, not pulling, with a chunk in its
queue; the destination a stream of an author's with nothing in its queue; neither counts sizes; no job is queued, and
nobody but the event loop waits for the job under way to end.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from .._errors import goes_through, stored_error
from .._promise import converted, upon
from .._writable.controller import WritableStreamDefaultController
from .._writable.sink import UnderlyingSink
from .controller import ReadableStreamDefaultController
from .source import UnderlyingSource

if TYPE_CHECKING:
    from .pipe import Pipe

# For comparisons: whether the fast paths are on.
FAST_PATHS = os.environ.get("WEBSTREAMS_FAST_PATHS", "1") != "0"

# How many jobs of the plain path one chunk stands for.
JOBS_PER_CHUNK = 6


class SteadyRun:
    """The two ends of a pipe that can run steadily."""

    __slots__ = ("_dest", "_jobs", "_pipe", "_sink", "_source", "_underlying_sink", "_underlying_source")

    def __init__(
        self,
        pipe: Pipe,
        source: ReadableStreamDefaultController[Any],
        underlying_source: UnderlyingSource,
        sink: WritableStreamDefaultController,
        underlying_sink: UnderlyingSink,
    ) -> None:
        self._pipe = pipe
        self._jobs = pipe.source._jobs
        self._source = source
        self._underlying_source = underlying_source
        self._sink = sink
        self._underlying_sink = underlying_sink
        self._dest = pipe.dest

    def may_begin(self) -> bool:
        """Whether both ends are ready and nothing else wants to run."""
        source, sink, dest = self._source, self._sink, self._dest
        return (
            not self._jobs.jobs
            and self._jobs.is_alone
            and not source._pulling
            and not source._close_requested
            and source._started
            and bool(source._queue.chunks)
            and dest._state == "writable"
            and sink._started
            and not sink._queue.chunks
            and dest._close_request is None
            and dest._in_flight_write_request is None
            and dest._in_flight_close_request is None
            and self._pipe._pending_writes == 0
        )

    def run(self) -> None:
        """Move chunks until something else happens."""
        jobs, pipe = self._jobs, self._pipe
        chunks = self._source._queue.chunks
        while True:
            chunk = self._source._queue.dequeue_value()
            if not self._pull():
                pipe.write_steadily(chunk)
                return
            if not self._write(chunk):
                return
            jobs.countdown -= JOBS_PER_CHUNK
            if not chunks or self._source._close_requested or jobs.countdown <= 0:
                jobs.push(pipe.read_next)
                return

    def _pull(self) -> bool:
        """ReadableStreamDefaultControllerCallPullIfNeeded; whether the pull is over and nothing else has happened."""
        source, jobs = self._source, self._jobs
        if source._strategy_hwm - source._queue.total <= 0:
            return True
        source._pulling = True
        pull = self._underlying_source.pull
        assert pull is not None
        try:
            result = pull(source)
        except BaseException as error:
            jobs.push(partial(source._error, stored_error(error)))
            if goes_through(error):
                raise
            return False
        if result is not None:
            context = self._underlying_source.context
            upon(jobs, converted(jobs, result, context), source._pull_fulfilled, source._error)
            return False
        if jobs.jobs or source._pull_again or source._source is None or self._pipe.shutting_down:
            jobs.push(source._on_pull_fulfilled)
            return False
        return True

    def _write(self, chunk: Any) -> bool:
        """WritableStreamDefaultWriterWrite; whether the write is over and nothing else has happened."""
        jobs, dest, sink, pipe = self._jobs, self._dest, self._sink, self._pipe
        queue = sink._queue
        pipe._pending_writes = 1
        queue.chunks.append(chunk)
        queue.total += 1
        if sink._strategy_hwm - queue.total <= 0:
            dest._backpressure = True
            pipe.writer._ready_promise = None
        dest._in_flight_write_request = pipe
        failed = None
        try:
            result = self._underlying_sink.write(chunk, sink)
        except BaseException as error:
            failed = error
        was_pulling = self._source._pulling
        if (
            failed is None
            and result is None
            and not jobs.jobs
            and dest._state == "writable"
            and not pipe.shutting_down
            and not self._source._pull_again
            and self._source._source is not None
        ):
            dest._in_flight_write_request = None
            pipe._pending_writes = 0
            queue.dequeue_value()
            dest._backpressure = False
            self._source._pulling = False
            return True
        if was_pulling:
            jobs.jobs.appendleft(self._source._on_pull_fulfilled)
        self._leave_write(failed, None if failed is not None else result)
        return False

    def _leave_write(self, failed: BaseException | None, result: Any) -> None:
        """Queue what the plain path would have queued after write(), and after the read."""
        jobs, sink, pipe = self._jobs, self._sink, self._pipe
        if failed is not None:
            jobs.push(partial(sink._write_rejected, stored_error(failed)))
        elif result is None:
            jobs.push(sink._on_write_fulfilled)
        else:
            promise = converted(jobs, result, self._underlying_sink.context)
            upon(jobs, promise, sink._write_fulfilled, sink._write_rejected)
        pipe.read_was_answered()
        if failed is not None and goes_through(failed):
            raise failed


def find_steady_run(pipe: Pipe) -> SteadyRun | None:
    """Give the fast path of a pipe, None if it has none."""
    source, sink = pipe.source._controller, pipe.dest._controller
    if not (
        FAST_PATHS
        and type(source) is ReadableStreamDefaultController
        and type(sink) is WritableStreamDefaultController
        and source._queue.sizes is None
        and sink._queue.sizes is None
        and sink._strategy_hwm >= 1
        and sink._write_watch is None
    ):
        return None
    underlying_source, underlying_sink = source._source, sink._sink
    if type(underlying_source) is not UnderlyingSource or type(underlying_sink) is not UnderlyingSink:
        return None
    if underlying_source.pull is None:
        return None
    return SteadyRun(pipe, source, underlying_source, sink, underlying_sink)
