"""The periods that were found of a pipeline, and how their calls are made."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from .._engine.build import compiled
from .._engine.callbacks import COMPLETED, outcome_of
from .._engine.run import Run, get_ident
from .codegen import emit
from .graph import AS_ALWAYS, LOOK_AFTER, OUT_OF_TIME, READ, Drain, Raised, Segment, Step
from .linking import steps_after
from .pipeline import ChainStage, Pipeline, Reservoir
from .simulation import Explorer, is_plain
from .snapshot import Reference, chunk_of

# A period may be one that runs often after so many of the pipeline; and after so many more for each branch that was
# looked for: where callbacks often do something new, no period runs often.
OFTEN = 64
# Code is linked with other periods after it did not know them so often, and then so many times at most.
LINK_AFTER = 8
LINKS = 8
EMITS: Final = not compiled


class Performer(Run):
    """Makes the calls of a period, one after the other.

    After each of them a guard looks what the callback did: it returned None (or its coroutine completed at once), it
    enqueued so many chunks, and it queued no job.
    """

    __slots__ = (
        "_branches",
        "_emitted",
        "_explorer",
        "_histories",
        "_jobs",
        "_limits",
        "_periods_before",
        "_segment",
        "_segments",
        "_stores",
        "done",
        "growths",
        "periods",
        "time_is_up",
    )

    def __init__(self, pipeline: Pipeline) -> None:
        self._jobs = pipeline.jobs
        self._explorer = Explorer(pipeline)
        givers = self._explorer.givers
        # The last chunks that each giver has given; and the queues of many.
        self._histories: list[deque[Any]] = [deque(maxlen=1) for _ in givers]
        self._stores: list[deque[Any]] = [each.store if isinstance(each, Reservoir) else deque() for each in givers]
        self._limits = [each.limit if isinstance(each, Reservoir) else 0 for each in givers]
        # All that were found, whose rows refer to the histories; and for how many of them code was made. The last one
        # that has ended.
        self._segments: list[Segment] = []
        self._emitted = 0
        self._segment: Segment | None = None
        # How many branches were looked for.
        self._branches = 0
        # How many periods there were in this run, and before it; how often the histories have become longer; and how
        # many periods `_repeat` has done before the one in which it ended early.
        self.periods = self._periods_before = 0
        self.growths = 0
        self.done = 0
        self.expecting = self.chunk = self.spare = None
        self.pending = pipeline.jobs.jobs
        self.thread = get_ident()
        self.time_is_up = pipeline.jobs.time_is_up

    def _prepared(self, segment: Segment | None) -> Segment | None:
        """Make the rows of a segment."""
        if segment is not None:
            self._segments.append(segment)
            if not self._ensure(segment.needs):
                self._make_rows(segment)
        return segment

    def _ensure(self, lengths: Sequence[int]) -> bool:
        """Have the histories remember so many chunks; whether all rows were made anew."""
        # One more: a chunk that is given is taken back when the run is left.
        short = [index for index, length in enumerate(lengths) if (self._histories[index].maxlen or 0) <= length]
        for index in short:
            history = self._histories[index]
            longer: deque[Any] = deque(maxlen=lengths[index] + 1)
            longer.extend([None] * (lengths[index] + 1 - len(history)))
            longer.extend(history)
            self._histories[index] = longer
        if short:
            self.growths += 1
            for segment in self._segments:
                self._make_rows(segment)
        return bool(short)

    def _make_rows(self, segment: Segment) -> None:
        segment.rows = [step.row(self._histories, self._stores) for step in segment.steps]
        segment.once = segment.repeat = None
        if segment.moves and is_plain(segment.moves):
            giver = segment.moves[0].reservoir
            segment.drain = Drain(self._stores[giver], self._histories[giver], self._limits[giver])
            segment.drains_into_a_call = drains_into_a_call(segment, segment.drain)
            calls_others = any(type(step.stage) is not ChainStage for step in segment.steps)
            if segment.state.kind == READ and not segment.codes and not calls_others:
                segment.state.many = segment.drain
        value = segment.value
        if value is not None and value.age >= 0:
            segment.value_chunks = self._histories[value.giver]
            segment.value_index = -1 - value.age
            segment.is_simple = segment.end.kind == READ and not segment.moves
        if self.may_emit():
            emit(segment)

    # The calls.

    def _repeat(self, segment: Segment, count: int) -> object:
        """Do what `_perform` does so many times; how often that was done is in `done` where it ends early."""
        if segment.repeat is not None:
            return segment.repeat(self, count)
        drain = segment.drain
        if drain is not None and segment.drains_into_a_call:
            return self._repeat_call(segment, drain, count)
        for period in range(count):
            if not period & (LOOK_AFTER - 1) and period and self.time_is_up():
                self.done = period
                return OUT_OF_TIME
            if drain is not None and period > 0:
                drain.history.append(drain.store.popleft())  # the move of the last period
            outcome = self._perform(segment)
            if outcome is not AS_ALWAYS:
                self.done = period
                return outcome
        return AS_ALWAYS

    def _repeat_call(self, segment: Segment, drain: Drain, count: int) -> object:
        """Do what `_repeat` does where each chunk of a queue of many is given to one callback: what stays the same is
        looked up once."""
        step, function, controller, giver, _, _, _, by_coroutine = segment.rows[0]
        store = drain.store
        take, remember = store.popleft, drain.history.append
        pending = self.pending
        for period in range(count):
            if period:
                if not period & (LOOK_AFTER - 1) and self.time_is_up():
                    self.done = period
                    return OUT_OF_TIME
                remember(take())  # the move of the last period
            self.current = step
            if giver is not None:
                self.expecting = giver
            try:
                result = function(store[0], controller)
            except BaseException as error:
                self.done = period
                return Raised(error)
            if result is not None or by_coroutine:
                result = self._outcome(result)
            if result is not None or self.expecting is not None or pending:
                self.done = period
                return result
        return AS_ALWAYS

    def _perform(self, segment: Segment) -> object:
        """Make the calls of a period, until one has done something else than always.

        Return `AS_ALWAYS`, or what became of the last call (`_outcome`, `Raised`). `codegen` makes code that does the
        same.
        """
        pending = self.pending
        for step, function, controller, giver, output, chunks, index, by_coroutine in segment.rows:
            if function is None:
                if controller is None:
                    output.append(chunks[index])  # type: ignore[index]
                else:
                    controller(chunks[index])  # type: ignore[index]  # it takes what the user's read would get
                continue
            self.current = step
            if giver is not None:
                self.expecting = giver
            try:
                result = function(controller) if chunks is None else function(chunks[index], controller)
            except BaseException as error:
                return Raised(error)
            if result is not None or by_coroutine:
                result = self._outcome(result)
            if result is not None or self.expecting is not None or pending:
                return result
        return AS_ALWAYS

    def _outcome(self, result: Any) -> Any:
        """Return what the plain path makes of a result, in a tuple; None if it is what the callback always returns."""
        step = self._step_under_way()
        outcome = outcome_of(self._jobs, result, step.context)
        return None if step.by_coroutine and outcome is COMPLETED else (outcome,)

    def _step_under_way(self) -> Step:
        step = self.current
        assert isinstance(step, Step)
        return step

    def _real_chunk(self, reference: Reference) -> Any:
        return chunk_of(reference, self._histories, self._stores)

    def last_segment(self) -> Segment:
        """Return the period that has ended last."""
        assert self._segment is not None
        return self._segment

    # Their code.

    def may_emit(self) -> bool:
        """Whether it is worth its time to make code for a period."""
        return EMITS and self._periods_before + self.periods >= OFTEN * (1 + self._branches)

    def emit_next(self) -> None:
        """Make code for one more of the periods that were found."""
        if self._emitted < len(self._segments):
            segment = self._segments[self._emitted]
            self._emitted += 1
            if segment.once is None:
                emit(segment)

    def _link(self, segment: Segment, step: Step, filtered: Segment) -> None:
        """Have the code of a period go on by itself where a callback has filtered its chunk, if it can."""
        segment.misses += 1
        if not LINK_AFTER <= segment.misses < LINK_AFTER + LINKS:
            return
        steps = steps_after(segment, filtered)
        if steps is not None:
            is_first = not segment.links
            segment.links[step] = steps
            if is_first:
                emit(segment)

    def may_skip(self, job_count: int) -> bool:
        """Count a period whose chunk was filtered; whether the code may go on with the next one."""
        jobs = self._jobs
        if jobs.countdown <= job_count:
            return False
        jobs.countdown -= job_count
        self.periods += 1
        return True


def drains_into_a_call(segment: Segment, drain: Drain) -> bool:
    """Whether a period gives one chunk of a queue of many to one callback, and makes no other call."""
    if len(segment.rows) != 1:
        return False
    _, function, _, _, _, chunks, index, _ = segment.rows[0]
    return function is not None and chunks is drain.store and index == 0
