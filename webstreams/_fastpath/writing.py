"""A run that begins where a user writes: the user's own code runs between its periods."""

from __future__ import annotations

from typing import Any

from .._engine.promise import Promise
from .._engine.promise_state import FULFILLED
from .._engine.run import HALFWAY, HAS_COME, IN_VAIN, get_ident
from .._streams.readable.pipe import Pipe
from .graph import AS_ALWAYS, AWAIT_READY, AWAIT_WRITE, READY, WRITE, Segment, State
from .pipeline import Pipeline
from .reading import ReadRun
from .snapshot import Snapshot
from .writer_end import Rest, WriterEnd


class WriteRun(ReadRun):
    """A run that may begin at a writer: it is parked while the user's own code runs, as that of a reader is."""

    __slots__ = ("_origin", "_ready", "_writer", "_written")

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(pipeline)
        self._origin = pipeline.origin
        self._writer: object = None if pipeline.origin is None else pipeline.origin.writer
        # The promise of the write under way, and that of `ready`, if the writer has one.
        self._written: Promise[None] | None = None
        self._ready: Promise[None] | None = None

    @property
    def origin(self) -> WriterEnd | None:
        """What stands for the writer of a user's at the beginning of the pipeline."""
        return self._origin

    def begin(self, kind: int, pipe: Pipe | None) -> bool:
        """See `PipelineRun`."""
        if self._origin is not None:
            self._written = None
            self._ready = self._origin.enter()
        return super().begin(kind, pipe)

    # What the user does.

    def writes(self, writer: object, chunk: Any, promise: Any) -> bool:
        """See `Run`."""
        if writer is not self._writer:
            return False  # its stream is no part
        segment = self._segment_for(WRITE) if self._written is None else None
        if segment is None:
            self.leave()
            return False
        assert self._origin is not None
        self._written = promise
        self._histories[self._origin.index].append(chunk)
        self._pass(segment)
        return True

    def gives_ready(self, writer: object) -> Any:
        """See `Run`."""
        if writer is not self._writer:
            return None
        if self._ready is not None and self._is_parked:
            return self._ready
        segment = self._segment_for(READY)
        if segment is None:
            self.leave()
            return None
        self._pass(segment)
        promise: Promise[None] = Promise(self._jobs)
        promise._handled = True
        if segment.rest is not None and segment.rest.is_ready:
            promise._state = FULFILLED
        self._ready = promise
        return promise

    def awaits_writer(self, promise: Any) -> int:
        """See `Run`."""
        jobs = self._jobs
        segment: Segment | None = None
        if promise is self._written or promise is self._ready:
            kind = AWAIT_WRITE if promise is self._written else AWAIT_READY
            if (jobs.countdown > 0 or not self._is_late()) and jobs.may_run_jobs():
                segment = self._segment_for(kind)
        if segment is None:
            self.leave()
            return IN_VAIN
        jobs.busy = True
        try:
            has_come = self._pass(segment)
        except BaseException:
            if jobs.run is not self:
                promise._replace_mark()
            raise
        finally:
            jobs.busy = False
        return HAS_COME if has_come else HALFWAY

    def is_looked_at(self, promise: object) -> None:
        """See `Run`: what a period makes of it is told at its end (`_settle`)."""
        is_behind = not self._is_parked and promise is not None and (promise is self._written or promise is self._ready)
        if is_behind and get_ident() == self.thread:
            self.leave()

    def _segment_for(self, kind: int) -> Segment | None:
        """Return the period that begins with what the user's own code does now, if that may be done in the run."""
        state = self._state
        if state is None or state.kind != WRITE or not self._is_parked or self.pending or self._is_low:
            return None
        wanted = state.of_kind(kind)
        return wanted.segment or self._segment_of(wanted)

    def _pass(self, segment: Segment) -> bool:
        """Go through a period; whether that led to the user's own code. Written out, for it is done for every chunk."""
        if not segment.is_simple:
            return self._pass_slowly(segment)
        self._is_parked = False
        outcome = self._perform(segment) if segment.once is None else segment.once(self)
        if outcome is not AS_ALWAYS:
            following = self._following(outcome, segment)
            return following is not None and self._go(following)
        self._jobs.countdown -= segment.job_count
        self.periods += 1
        self._state = segment.end
        self._segment = segment
        self._is_parked = True
        if segment.rest is not None:
            self._settle(segment.rest)
        return True

    def _pass_slowly(self, segment: Segment) -> bool:
        self._is_parked = False
        return self._go(segment)

    # What becomes of the promises.

    def _settle(self, rest: Rest) -> None:
        """See `PipelineRun`: tell the user's promises what has become of them."""
        if rest.is_written and self._written is not None:
            self._written._state = FULFILLED
            self._written = None
        if self._ready is not None:
            if rest.is_ready:
                self._ready._state = FULFILLED
            if not rest.has_ready:
                self._ready = None

    def _may_take_over_again(self, state: State) -> bool:
        return self._origin is None and super()._may_take_over_again(state)

    def _pause(self, pipe: Pipe | None) -> None:
        if self._origin is None:
            super()._pause(pipe)
        else:
            self.leave()

    def leave(self) -> None:
        """See `PipelineRun`."""
        super().leave()
        self._written = self._ready = None

    def _put_in_place(self, snapshot: Snapshot) -> None:
        super()._put_in_place(snapshot)
        if self._origin is not None:
            self._origin.put_in_place(self._written, self._ready)

    def _resolved(self, taken: Any, reservoir: int) -> Any:
        origin = self._origin
        if origin is not None and taken is origin:
            return self._written
        if origin is not None and taken is origin.ready:
            return self._ready
        return super()._resolved(taken, reservoir)
