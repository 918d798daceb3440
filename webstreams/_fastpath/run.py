"""A run of a pipeline: its callbacks, one after the other, without the jobs between them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, Final

from .._engine.callbacks import COMPLETED, callback_returned
from .._engine.run import get_ident, takes
from .._platform.errors import goes_through
from .._streams.readable.pipe import Pipe
from .._streams.readable.reader import ReadPromise
from .ends import ReadEnd, put_in_place
from .exits import Owed, Resolved, marks_for
from .graph import AS_ALWAYS, MANY, NOTHING, OUT_OF_TIME, PIPE, READ, Raised, Segment, State, Step, code_of
from .performer import Performer
from .pipeline import Pipeline, Reservoir, Stage
from .simulation import owner_of
from .snapshot import Reference, Several, Snapshot, container_in, tag
from .writer_end import Rest

# What is expected after a side exit: no controller is this, so that the guard after the callback fails.
LEFT: Final = object()
# What is expected after more than one chunk.
MORE: Final = object()
NO_RESERVOIR: Final = -1
# After so many branches each one must have brought so many periods: to find it takes that much longer.
FEW_BRANCHES = 32
WORTH = 8


class PipelineRun(Performer):
    """Runs the periods of a pipeline; the `Run` of the job queue meanwhile.

    What follows a callback that has done something else than always is known, or found out by a simulation. Whatever it
    does to a stream besides enqueueing leaves the run first (`leave`), after which the guard fails, too.

    At the end of a pipeline that a user reads from, the run is *parked* while the user's own code runs: the streams
    stay as they were, and whoever touches one leaves the run.
    """

    # To take the streams over takes as long as this many periods save.
    LONG_BURST: ClassVar[int] = 64
    __slots__ = (
        "_answers",
        "_gives_more",
        "_is_low",
        "_is_parked",
        "_key",
        "_more",
        "_pipeline",
        "_state",
        "_taken_over_at",
        "is_counted",
        "promise",
    )

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(pipeline)
        self._pipeline = pipeline
        self._state: State | None = None
        self._is_parked = False
        # The reader or iteration of the user's, and the read under way.
        self._key: object = None if pipeline.end is None else pipeline.end.key()
        self.promise: ReadPromise[Any] | None = None
        # The chunks but the first one that the callback under way has enqueued, and its controller.
        self._more: list[Any] = []
        self._gives_more: object = None
        # A queue of many has become one of few.
        self._is_low = False
        # The reads that the job under way answers after the callback in which the run was left.
        self._answers: list[Owed] = []
        # How many periods there were when the streams were taken over last.
        self._taken_over_at = 0
        # Who observes the callback under way has counted what it gave: it has returned.
        self.is_counted = False

    @property
    def trigger(self) -> Pipe | None:
        """The pipe whose reads begin a period."""
        return self._pipeline.trigger

    @property
    def end(self) -> ReadEnd | None:
        """What stands for the reads of a user at the end of the pipeline."""
        return self._pipeline.end

    def is_full(self) -> bool:
        """Whether too much was found, or more than has been of use: the pipeline does not repeat itself."""
        is_in_vain = self._branches * WORTH > self._periods_before + self.periods
        return self._explorer.is_full() or (self._branches > FEW_BRANCHES and is_in_vain)

    # The entry.

    def can_begin(self) -> bool:
        """Whether the streams only pass chunks now, and all jobs in the queue are theirs."""
        pipeline = self._pipeline
        return pipeline.is_ordinary() and all(pipeline.owns(owner_of(job)) for job in self._jobs.jobs)

    def begin(self, kind: int, pipe: Pipe | None) -> bool:
        """Take the streams over, at a read of a pipe or of a user; whether a period begins here."""
        self._periods_before += self.periods
        self.periods = 0
        self.promise = None
        self._jobs.run = self  # first, so that no job of what is collected meanwhile is taken for one of the state
        self._take_over(kind, pipe)
        self._is_parked = True
        self.expecting = None
        assert self._state is not None
        if self._segment_of(self._state) is None:
            self.leave()
            if kind == PIPE:
                self._jobs.jobs.popleft()  # its read is done by the plain path now
            return False
        return True

    def _take_over(self, kind: int, pipe: Pipe | None) -> None:
        """Take the chunks and the jobs out of the streams, and find the state in which they are."""
        explorer = self._explorer
        for reservoir in explorer.reservoirs:
            self._empty(reservoir)
        explorer.entered.count = 0
        entered = tag(self._pipeline.parts, explorer.entered)
        self._pipeline.forget_sizes()
        self._state = state = explorer.state_here(kind, pipe)
        self._ensure(state.lengths)
        for history in self._histories:
            history.clear()
            history.extend([None] * (history.maxlen or 0))
        self._histories[explorer.entered.index].extend(entered)
        self._jobs.jobs.clear()  # they are those of the state
        self._is_low = False
        self._taken_over_at = self.periods

    def _take_over_again(self, segment: Segment) -> None:
        """Find another state for the one at the end of a period: a queue of many has become one of few."""
        state, promise = segment.end, self.promise
        value = None if segment.value is None else self._real_chunk(segment.value)
        self.promise = None
        self._put_in_place(state.snapshot)
        self._take_over(state.kind, state.pipe)
        self.promise = promise
        assert self._state is not None
        self._segment = Segment(segment.state, segment.codes, segment.steps, self._state, segment.job_count)
        if segment.value is not None:
            # Behind all chunks that the state knows.
            entered = self._explorer.entered.index
            age = self._state.lengths[entered]
            needs = list(self._state.lengths)
            needs[entered] += 1
            self._ensure(needs)
            self._histories[entered][-1 - age] = value
            self._segment.value = Reference(entered, age)
            self._segment.is_answered = segment.is_answered

    def _empty(self, reservoir: Reservoir) -> None:
        """Put a deque into the place of the chunks in a queue: of marks for those that are many."""
        queue = reservoir.queue
        count = len(reservoir.store)
        if reservoir.limit and count > reservoir.limit + 2:
            reservoir.count = 0
            reservoir.spare.extend(marks_for(reservoir))
        else:
            reservoir.spare.extend(reservoir.store)
            reservoir.store.clear()
        queue.chunks = reservoir.spare
        queue.count_again()

    def _segment_of(self, state: State) -> Segment | None:
        """Return the period that begins in a state, if there is one."""
        if state.segment is None and not state.is_dead:
            segment = self._find(state, ())
            state.is_dead = segment is None
            state.segment = self._prepared(segment)
            if segment is not None and state.kind == READ and not segment.rows and not segment.moves:
                state.ahead = None if segment.is_answered else segment.end
            elif segment is not None and state.kind == READ and not segment.moves:
                state.quick = segment
        return state.segment

    def _find(self, state: State, codes: tuple[int, ...]) -> Segment | None:
        """Find out what follows from a state, after callbacks that have done this."""
        return self._explorer.explore(state, codes)

    # The loop.

    def run(self) -> None:
        """Call the callbacks until a guard fails, or others have to have their turn."""
        assert self._state is not None and self._state.segment is not None
        self._is_parked = False
        self._segment = self._state.segment
        self._go(self._segment)

    def _go(self, first: Segment) -> bool:
        """Call callbacks from a segment on; whether that led to the user's own code."""
        jobs = self._jobs
        segment = first
        while True:
            count, self.done = 1, 0
            if segment.loops:
                count = self._periods_without_clock(segment)
                outcome = self._repeat(segment, count)
            else:
                outcome = self._perform(segment) if segment.once is None else segment.once(self)
            if outcome is OUT_OF_TIME:
                count, outcome = self.done, AS_ALWAYS
                jobs.countdown = 0
            if outcome is AS_ALWAYS:
                jobs.countdown -= count * segment.job_count  # _count_down(), without the call
                self.periods += count
                following = segment.follower
                if following is None or jobs.countdown <= 0:
                    following = self._next_segment(segment)
                    if following is None:
                        return self._is_parked
            else:
                if self.done:
                    self._count_down(segment, self.done)
                following = self._following(outcome, segment)
                if following is None:
                    return False
            segment = following

    def _following(self, outcome: object, segment: Segment) -> Segment | None:
        """Return what follows if a callback has done something else than always; None if the run has ended."""
        if type(outcome) is Raised:
            self._end_with_error(outcome.error)
            return None
        step = self._step_under_way()
        if outcome is None and self.expecting is step.expected and not self.pending:
            # It has done nothing, although it is expected to enqueue a chunk: most likely it filters.
            filtered = step.branches.get(NOTHING)
            if filtered is not None:
                self.expecting = None
                if segment.repeat is not None and step not in segment.links:
                    self._link(segment, step, filtered)
                return filtered
        return self._branch(step, outcome)

    def _periods_without_clock(self, segment: Segment) -> int:
        """Return how many periods there may be until the clock is looked at, at least one."""
        jobs = self._jobs
        periods = max(1, -(-jobs.countdown * jobs.quickness // segment.job_count))
        drain = segment.drain
        return periods if drain is None else max(1, min(periods, len(drain.store) - drain.limit))

    def _count_down(self, segment: Segment, periods: int) -> None:
        self._jobs.countdown -= periods * segment.job_count
        self.periods += periods

    def _next_segment(self, segment: Segment) -> Segment | None:
        """Return what follows the end of a period; None if the run is parked there, or has ended."""
        self._arrive(segment)
        state = self._state
        assert state is not None
        if state.kind != PIPE:
            return None
        if self._is_low:
            self.leave()
            return None
        if self._has_to_pause():
            self._pause(state.pipe)
            return None
        following = state.segment or self._segment_of(state)
        if following is None:
            self.leave()
        else:
            self._is_parked = False
            if not segment.moves and segment.rest is None:
                self._note_follower(segment, following)
        return following

    def _note_follower(self, segment: Segment, following: Segment) -> None:
        segment.follower = following

    def _arrive(self, segment: Segment) -> None:
        """Come to the end of a period."""
        if segment.moves:
            self._move(segment)
        self._state = segment.end
        self._segment = segment
        self._is_parked = True
        if self._is_low and self._may_take_over_again(segment.end):
            self._take_over_again(segment)
        if segment.rest is not None:
            self._settle(segment.rest)

    def _settle(self, rest: Rest) -> None:
        """A period has ended with the code of a user who writes."""

    def _may_take_over_again(self, state: State) -> bool:
        """Whether the run may go on with few chunks: there is no end in sight, and it is worth its time."""
        is_worth_it = state.kind != PIPE or self.periods - self._taken_over_at >= self.LONG_BURST
        return is_worth_it and not any(each.controller._close_requested for each in self._explorer.reservoirs)

    def _move(self, segment: Segment) -> None:
        for giver, pops, pushes in segment.moves:
            store = self._stores[giver]
            history = self._histories[giver]
            for _ in range(pops):
                history.append(store.popleft())
            for reference in pushes:
                store.append(self._real_chunk(reference))
            if len(store) < self._limits[giver]:
                self._is_low = True

    def _has_to_pause(self) -> bool:
        """Whether the run has to stop after a whole period."""
        return self._jobs.countdown <= 0 and self._is_late()

    def _is_late(self) -> bool:
        """Whether the loop's other tasks have to have their turn: the clock is looked at.

        Now and then is also when code is made: for one period at a time, which takes a millisecond or two.
        """
        if self.may_emit():
            self.emit_next()
        return self._jobs.is_late()

    # After a callback.

    def _branch(self, step: Step, result: Any) -> Segment | None:
        """Return what follows if a callback has done something else than always; None if the run has ended."""
        outcome = result[0] if type(result) is tuple else COMPLETED if step.by_coroutine else None
        stage = step.stage
        if self.expecting is LEFT or self.pending or not (outcome is None or outcome is COMPLETED):
            self._end(result)
            return None
        has_given = stage.gives and (self.expecting is None or self.expecting is MORE)
        given = len(self._more) + (0 if stage.gives_seldom else 1) if has_given else 0
        code = code_of(given if given <= 1 else self._explorer.counted(stage, given), outcome is COMPLETED)
        segment = step.branches.get(code)
        if segment is None:
            segment = self._explore_branch(step, code)
            if segment is None:
                self._end(result)
                return None
        if self._more:
            self._put_more(stage, code)
        self.expecting = None
        return segment

    def _explore_branch(self, step: Step, code: int) -> Segment | None:
        if self.is_full():
            return None
        self._branches += 1
        segment = self._prepared(self._find(step.state, (*step.codes, code)))
        if segment is not None:
            step.branches[code] = segment
        return segment

    def _put_more(self, stage: Stage, code: int) -> None:
        if code >> 1 == MANY:
            reservoir = self._explorer.reservoir_of(stage)
            assert reservoir is not None
            reservoir.store.extend(self._more)
        else:
            self._histories[stage.index].extend(self._more)
        self._more.clear()

    def given_so_far(self) -> list[Any]:
        """Return the chunks that the callback under way has enqueued, for who observes it and counts them now."""
        self.is_counted = True
        if self._is_parked or not (self.expecting is None or self.expecting is MORE):
            return []
        step = self._step_under_way()
        if step.stage.gives_seldom:
            return list(self._more)
        return [step.output[-1], *self._more] if step.stage.gives else []

    # Guards inside a callback.

    def take_more(self, controller: Any, chunk: Any) -> bool:
        """See `Run`."""
        if self.pending or get_ident() != self.thread:
            return False
        if self.expecting is MORE:
            if self._gives_more is not controller and not takes(self._gives_more, controller, chunk):
                return False
            self._more.append(chunk)
            return True
        if self._is_parked or self.expecting is not None:
            return False
        stage = self._step_under_way().stage
        if not stage.may_give(controller, chunk):
            return False
        self._more.append(chunk)
        self._gives_more = stage.measured or controller
        self.expecting = MORE
        return True

    def take_many(self, controller: Any, chunks: Sequence[Any]) -> int:
        """See `Run`."""
        if not chunks or not self.take_more(controller, chunks[0]):
            return 0
        if self._gives_more is not controller:
            return 1  # each one has to fit
        self._more.extend(chunks[1:])
        return len(chunks)

    def intercept(self, controller: Any, chunk: Any) -> Any:
        """Something is enqueued that is not taken."""
        self.leave()
        return chunk

    def desired_size(self, controller: Any) -> float | None:
        """Return the desired_size of a controller: known for that of the callback under way."""
        if not self._is_parked and self.expecting is not LEFT:
            step = self._step_under_way()
            if step.controller is controller and self.expecting is not MORE:
                size = step.before if self.expecting is not None else step.after
                if size is not None:
                    return size
        self.leave()
        return controller._get_desired_size()  # type: ignore[no-any-return]

    # Side exits.

    def leave(self) -> None:
        """Put everything where the plain path has it: inside the callback under way, or between two periods."""
        jobs = self._jobs
        jobs.run = None
        own = list(jobs.jobs)
        jobs.jobs.clear()
        if self._is_parked:
            assert self._state is not None
            self._is_parked = False
            self._put_in_place(self._state.snapshot)
            if self._state.pipe is not None:
                jobs.jobs.appendleft(self._state.pipe.read_next)
        else:
            self._leave_callback()
        jobs.jobs.extend(own)
        self.expecting = LEFT
        self.promise = self.spare = None
        for history in self._histories:
            history.clear()  # keep no chunk alive
        if jobs.policy is not None:
            jobs.policy.run_has_ended(self)

    def _leave_callback(self) -> None:
        step = self._step_under_way()
        given: list[Any] = []
        if step.stage.gives and (self.expecting is None or self.expecting is MORE):
            given = list(self._more) if step.stage.gives_seldom else [step.output.pop(), *self._more]
            self._more.clear()
        self._put_in_place(self._snapshot_in(step))
        self._answers = [
            Owed(each, self._actual(each.request), None if each.chunk is None else self._real_chunk(each.chunk))
            for each in step.answers
        ]
        put = step.stage.put_counted if self.is_counted else step.stage.put
        for chunk in given:
            put(chunk)

    def _snapshot_in(self, step: Step) -> Snapshot:
        """Return the state in which the callback of a step is called."""
        return self._explorer.snapshot_in(step)

    def _put_in_place(self, snapshot: Snapshot) -> None:
        """Bring the streams into a state, with the chunks of now."""
        jobs = self._jobs
        queues = {id(reservoir.queue): reservoir.index for reservoir in self._explorer.reservoirs}
        found = [
            (part, name, self._resolved(taken, queues.get(id(part), NO_RESERVOIR)))
            for part, name, taken in snapshot.slots()
        ]
        for reservoir in self._explorer.reservoirs:
            reservoir.queue.chunks = reservoir.store
            reservoir.spare.clear()
        for part, name, value in found:
            if type(value) is Resolved:
                value.put_into(container_in(part, name))
            else:
                setattr(part, name, value)
        for reservoir in self._explorer.reservoirs:
            reservoir.queue.count_again()
        self._pipeline.measure()
        end = self._pipeline.end
        if end is None or self.promise is None:
            jobs.jobs.extend(snapshot.jobs)
            return
        delivery, real = end.delivery(), self.promise
        jobs.jobs.extend(real.delivery() if each == delivery else each for each in snapshot.jobs)
        put_in_place(end, self.promise)
        end.forget()

    def _resolved(self, taken: Any, reservoir: int) -> Any:
        """Return what was in a slot, with the chunks of now."""
        if type(taken) is Reference:
            return self._real_chunk(taken)
        return Resolved(self.actual, taken, reservoir) if type(taken) is Several else taken

    def actual(self, value: Any) -> Any:
        """Return a chunk for what tells which one it is, and the promise for what stands for it."""
        if type(value) is Reference:
            return self._real_chunk(value)
        return self._actual(value)

    def _actual(self, request: Any) -> Any:
        is_promise = self.promise is not None and request is self._pipeline.end
        return self.promise if is_promise else request

    def _pause(self, pipe: Pipe | None) -> None:
        """The event loop's other tasks have to have their turn: the next period begins in the next turn."""
        self.leave()
        if self.end is None and pipe is not None and pipe is not self.trigger:  # in the middle of a queue
            self._jobs.jobs[0] = partial(self._resume, pipe)

    def _resume(self, pipe: Pipe) -> None:
        """Go on with the read of a pipe, where the run has paused."""
        policy = self._jobs.policy
        if pipe.shutting_down or policy is None or not policy.resumes(self, pipe):
            pipe.read_next()

    def _end(self, result: Any) -> None:
        """Go on as the plain path does after the callback."""
        if self.expecting is not LEFT:
            self.leave()
        step = self._step_under_way()
        outcome = result[0] if type(result) is tuple else COMPLETED if step.by_coroutine else None
        step.stage.returned(outcome)
        self._do_rest_of_job(step)

    def _end_with_error(self, error: BaseException) -> None:
        if self.expecting is not LEFT:
            self.leave()
        step = self._step_under_way()
        step.stage.failed(error)
        if goes_through(error):
            raise error
        self._do_rest_of_job(step)

    def _do_rest_of_job(self, step: Step) -> None:
        """Do what the job under way does after the call of the callback."""
        owed, self._answers = self._answers, []
        for position, (answer, request, chunk) in enumerate(owed):
            if position > 0 and answer.controller is not None:
                callback_returned(answer.controller, self._jobs, None)
            if answer.chunk is not None:
                request.chunk_steps(chunk)
        if step.pipe is not None:
            step.pipe.read_is_under_way()
