"""A run at whose end a user reads: the user's own code runs between its periods."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from .._engine.jobs import task_of
from .._engine.run import HALFWAY, HAS_COME, IN_VAIN, IS_READ, IS_THERE
from .._streams.readable.reader import ReadPromise
from .codegen import emit
from .coroutines import CoroutineRun
from .ends import IterationEnd
from .graph import AS_ALWAYS, AWAIT, READ, Drain, Segment, State
from .pipeline import Pipeline


class ReadRun(CoroutineRun):
    """A run that is parked while the user's own code runs: the streams stay as they were, and whoever touches one
    leaves the run."""

    __slots__ = ("_answers_at_once", "_cycle_growths", "_cycles", "_iteration_cycle", "_take")

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(pipeline)
        # Whether a promise can be seen to be fulfilled as soon as the chunk is there: that of an iteration is not.
        self._answers_at_once = not isinstance(pipeline.end, IterationEnd)
        # A read and its await in one, for what collects chunks, by the state in which it begins; what takes the chunks,
        # and in which histories they are.
        self._cycles: dict[State, Segment] = {}
        self._cycle_growths = -1
        self._take: Callable[[Any], object] | None = None
        # The last one of a loop of a user's, which takes the chunk itself.
        self._iteration_cycle: Segment | None = None

    def _ensure(self, lengths: Sequence[int]) -> bool:
        self._iteration_cycle = None  # its rows refer to the histories
        return super()._ensure(lengths)

    # The reads of a user's.

    def reads(self, key: object, promise: ReadPromise[Any]) -> bool:
        """See `Run`. Written out, for it is called for every chunk: most reads call nothing, or callbacks only."""
        state = self._state
        assert state is not None
        ahead = state.ahead
        if ahead is not None and key is self._key and not self.pending and not self._is_low:
            self._state = ahead
            self.promise = promise
            return True
        segment = state.quick
        if segment is None or key is not self._key or self.pending or not self._is_parked:
            if state.many is not None:
                self._leave_many(state.many)
                return False
            return self._reads_slowly(key, promise, state)
        self.promise = promise
        self._is_parked = False
        outcome = self._perform(segment) if segment.once is None else segment.once(self)
        if outcome is not AS_ALWAYS:
            following = self._following(outcome, segment)
            if following is None or not self._go(following):
                promise.has_been_read()
            else:
                self._answer(promise)
            return True
        jobs = self._jobs
        jobs.countdown -= segment.job_count
        self.periods += 1
        self._state = segment.end
        self._segment = segment
        self._is_parked = True
        if segment.is_answered and self._answers_at_once:
            promise.answer(segment.value_chunks[segment.value_index])
        return True

    def _leave_many(self, many: Drain) -> None:
        """Leave the chunks that are there already to the plain path: a read that calls only operators is as quick
        there."""
        self.leave()
        self._jobs.reads_left = max(self._jobs.reads_left, len(many.store))

    def _answer(self, promise: ReadPromise[Any]) -> None:
        """Give the chunk to the read, if it is there."""
        segment = self.last_segment()
        if segment.is_answered and segment.value is not None:
            promise.answer(self._real_chunk(segment.value))

    def _reads_slowly(self, key: object, promise: ReadPromise[Any], state: State) -> bool:
        if not self._is_parked or state.kind != READ or self.pending or self._is_low or key is not self._key:
            self.leave()
            return False
        segment = state.segment or self._segment_of(state)
        if segment is None:
            self.leave()
            return False
        self.promise = promise
        if segment.rows:
            self._is_parked = False
            if not self._go(segment):
                promise.has_been_read()
                return True
        else:
            self._arrive(segment)
        self._answer(promise)
        return True

    def awaits(self, promise: Any) -> int:
        """See `Run`."""
        jobs, state = self._jobs, self._state
        assert state is not None
        segment = state.segment
        # No jobs are busy while it is parked: they would have left it, or are a coroutine that has a task of its own.
        if (
            promise is not self.promise
            or segment is None
            or not segment.is_simple
            or self.pending
            or jobs.countdown <= 0
            or self._is_low
            or not self._is_parked
            or task_of(jobs.loop) is not jobs._top
        ):
            return self._awaits_slowly(promise, state)
        self._is_parked = False
        jobs.busy = True
        try:
            if segment.rows:
                outcome = self._perform(segment) if segment.once is None else segment.once(self)
                if outcome is not AS_ALWAYS:
                    following = self._following(outcome, segment)
                    if following is None or not self._go(following):
                        return HALFWAY
                    return self._has_come(promise)
        except BaseException:
            waiting: Any = promise
            waiting.replace_mark()
            raise
        finally:
            jobs.busy = False
        jobs.countdown -= segment.job_count
        self.periods += 1
        self._state = segment.end
        self._segment = segment
        self._is_parked = True
        self.promise = None
        self.chunk = segment.value_chunks[segment.value_index]
        return HAS_COME

    def _has_come(self, promise: Any) -> int:
        value = self.last_segment().value
        assert value is not None
        self.chunk = self._real_chunk(value)
        self.promise = None
        return HAS_COME

    def _awaits_slowly(self, promise: Any, state: State) -> int:
        if promise is not self.promise or not self._can_wait(state):
            self.leave()
            return IN_VAIN
        segment = state.segment
        assert segment is not None
        if segment.rows or segment.end.kind != READ:
            self._is_parked = False
            if not self._wait(segment):
                return HALFWAY
        else:
            self._count_down(segment, 1)
            self._arrive(segment)
        return self._has_come(promise)

    def _can_wait(self, state: State) -> bool:
        """Whether an await may be done here."""
        jobs = self._jobs
        if not self._is_parked or self.pending or self._is_low or (jobs.countdown <= 0 and self._is_late()):
            return False
        return jobs.may_run_jobs() and self._segment_of(state) is not None

    # Loops of a user's, where nothing comes between a read and its await.

    def iterates(self, key: object, promise: ReadPromise[Any]) -> int:
        """See `Run`. Written out, for it is called for every chunk: `reads` and `awaits` in one."""
        jobs, cycle = self._jobs, self._iteration_cycle
        # No jobs are busy, as in `awaits`; and a cycle takes nothing out of a queue of many, which might be low.
        if (
            cycle is None
            or cycle.state is not self._state
            or key is not self._key
            or not self._is_parked
            or self.pending
            or (jobs.countdown <= 0 and (cycle.once is None or jobs.is_late()))
            or jobs._top is not task_of(jobs.loop)
        ):
            return self._iterates_slowly(key, promise)
        self.promise = promise
        self._is_parked = False
        jobs.busy = cycle.is_awaited
        try:
            outcome = self._perform(cycle) if cycle.once is None else cycle.once(self)
            if outcome is not AS_ALWAYS:
                following = self._following(outcome, cycle)
                if following is None or not self._go(following):
                    return self._became_of(promise)
        except BaseException:
            if cycle.is_awaited:
                promise.replace_mark()
            raise
        finally:
            jobs.busy = False
        if outcome is not AS_ALWAYS:
            return self._awaits_iteration(promise)
        jobs.countdown -= cycle.job_count
        self.periods += 2
        self._segment = cycle
        self._is_parked = True
        self.promise = None
        self.chunk = cycle.value_chunks[cycle.value_index]
        return HAS_COME

    def _iterates_slowly(self, key: object, promise: ReadPromise[Any]) -> int:
        state = self._state
        if not self.reads(key, promise):
            return IN_VAIN
        if self._jobs.run is not self:
            return IS_READ
        outcome = self._awaits_iteration(promise)
        if outcome == HAS_COME and state is not None and state is self._state:
            self._iteration_cycle = self._cycle_of(state, None)
        return outcome

    def _awaits_iteration(self, promise: ReadPromise[Any]) -> int:
        """Await a read that a loop has begun, if the chunk is not there yet."""
        state = self._state
        assert state is not None
        if state.kind == AWAIT:
            outcome = self.awaits(promise)
            if outcome != HAS_COME:
                return IS_READ if outcome == IN_VAIN else outcome
        else:
            self._has_come(promise)
        promise.begin_anew()
        return HAS_COME

    def collect(self, key: object, promise: ReadPromise[Any], take: Callable[[Any], object]) -> int:
        """See `Run`."""
        jobs = self._jobs
        if not jobs.may_run_jobs() or key is not self._key:
            return IN_VAIN
        while True:
            state = self._state
            assert state is not None
            if not self._is_parked or state.kind != READ or self.pending or self._is_low:
                return IN_VAIN
            if jobs.countdown <= 0 and self._is_late():
                return IN_VAIN
            outcome = self._collect_some(state, promise, take)
            if outcome != IS_THERE:
                return outcome

    def _collect_some(self, state: State, promise: ReadPromise[Any], take: Callable[[Any], object]) -> int:
        """Take one chunk, or many if they come in the same way; `IS_THERE` if that was done."""
        if state.many is not None:
            self._leave_many(state.many)
            return IN_VAIN
        cycle = self._cycle_of(state, take)
        self.promise = promise
        if cycle is not None:
            self._is_parked = False
            waits = cycle.steps[0].state.kind == AWAIT
            try:
                there = self._wait(cycle) if waits else self._go(cycle)
            except BaseException:
                if self._jobs.run is self:
                    self._arrive(cycle)  # it was raised by what takes the chunks
                    self.promise = None
                raise
            if not there:
                return self._became_of(promise)
        elif not self._reads_slowly(self._key, promise, state):
            return IN_VAIN
        elif self._jobs.run is not self:
            return IS_READ
        if self.last_segment().end.kind == AWAIT:
            self._answer(promise)
            outcome = self.awaits(promise)
            if outcome != HAS_COME:
                return IS_READ if outcome == IN_VAIN else outcome
            self.chunk = None  # it is taken below
            promise.begin_anew()
        self.promise = None
        value = self.last_segment().value
        if value is not None:
            take(self._real_chunk(value))
        return IS_THERE

    def _became_of(self, promise: ReadPromise[Any]) -> int:
        """Tell where a read is after a side exit."""
        if self._step_under_way().state.kind != READ:
            return HALFWAY
        promise.has_been_read()
        return IS_READ

    def _cycle_of(self, state: State, take: Callable[[Any], object] | None) -> Segment | None:
        """Return a read and its await in one, if only one of them calls callbacks."""
        if self._take is not take or self._cycle_growths != self.growths:
            self._take, self._cycle_growths = take, self.growths
            self._cycles.clear()
        cycle = self._cycles.get(state) or self._make_cycle(state, take)
        if cycle is not None and cycle.repeat is None and self.may_emit():
            emit(cycle)
        return cycle

    def _make_cycle(self, state: State, take: Callable[[Any], object] | None) -> Segment | None:
        reading = state.segment
        waiting = None if reading is None else reading.end.segment
        if reading is None or waiting is None or waiting.end is not state or waiting.value is None:
            return None
        if bool(reading.rows) is bool(waiting.rows) or reading.moves or waiting.moves:
            return None
        cycle = Segment(state, (), [*reading.steps, *waiting.steps], state, waiting.job_count)
        giver, age = waiting.value
        cycle.rows = [*reading.rows, *waiting.rows]
        if take is not None:
            deliver: Any = (cycle.steps[0], None, take, None, deque(), self._histories[giver], -1 - age, False)
            cycle.rows.append(deliver)
        elif age < 0:
            return None
        cycle.value_chunks, cycle.value_index = self._histories[giver], -1 - age
        cycle.is_awaited = bool(waiting.rows)
        cycle.loops = True
        self._cycles[state] = cycle
        return cycle

    def _wait(self, segment: Segment) -> bool:
        """Call the callbacks between an await and its end; whether that has come."""
        jobs, promise = self._jobs, self.promise
        jobs.busy = True
        try:
            return self._go(segment)
        except BaseException:
            if promise is not None and self._jobs.run is not self:
                promise.replace_mark()
            raise
        finally:
            jobs.busy = False
