"""Simulations: the plain path of one period, with stand-ins for the callbacks and marks for the chunks.

No callback of a user's is called. That is how a run finds out what comes after a call: all that the callbacks can do
to the streams is known (`graph.code_of`), and all else makes the run end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .._engine.callbacks import COMPLETED
from .._engine.delay import Delay
from .._engine.jobs import Job
from .._engine.run import Run, get_ident
from .._streams.part import Part
from .._streams.readable.operators.inputs import Input
from .._streams.readable.pipe import Pipe
from .._streams.readable.pulling import PullingController
from .._streams.readable.state import ReadRequest
from .discovery import Read, chain_of, read_path
from .ends import ReadEnd
from .feeding import chunks_of
from .giver import Giver
from .graph import (
    AWAIT,
    AWAIT_READY,
    AWAIT_WRITE,
    MANY,
    PIPE,
    READ,
    READY,
    WRITE,
    Answer,
    Move,
    Segment,
    State,
    Step,
    usual_code,
)
from .pipeline import Pipeline, Reservoir, Stage
from .snapshot import Snapshot, Tagged, given_by
from .writer_end import WriterEnd

# A period is not longer than so many jobs a stage.
MAX_JOBS_PER_STAGE = 40
# So many states and segments are found at most.
MAX_STATES = 64
MAX_SEGMENTS = 256
# A callback that gives so many chunks to a queue that is not one of many is not understood.
MAX_GIVEN = 12


class Nobody(ReadRequest):
    """Who reads when a controller pulls because its queue has room."""

    __slots__ = ()


NOBODY = Nobody()


class Head(NamedTuple):
    """A read on the path of a pipe, with the queue as it was before the job: its length, and its first chunk."""

    read: Read
    length: int
    first: Any


class Explorer(Run):
    """Finds the states and the periods of a pipeline; the `Run` of the job queue while it simulates."""

    __slots__ = (
        "_codes",
        "_found",
        "_heads",
        "_is_regular",
        "_job",
        "_job_count",
        "_jobs",
        "_made",
        "_position",
        "_reading",
        "_segments",
        "_state",
        "_states",
        "_steps",
        "_wanted",
        "entered",
        "givers",
        "pipeline",
        "reservoirs",
        "watch",
    )

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self._jobs = pipeline.jobs
        # What gives chunks: the stages, the state at an entry, the queues of many, and a user who writes.
        self.entered = Giver()
        self.reservoirs: list[Reservoir] = pipeline.reservoirs
        self.givers: list[Giver] = [*pipeline.stages, self.entered, *self.reservoirs]
        if pipeline.origin is not None:
            self.givers.append(pipeline.origin)
        for index, giver in enumerate(self.givers):
            giver.index = index
        self._states: dict[tuple[object, ...], list[State]] = {}
        self._segments = 0
        # Of the simulation under way: from which state; what the callbacks do, the first ones; how many were called;
        # those that follow; the callback in which the state is wanted, and that state.
        self._state: State | None = None
        self._codes: Sequence[int] = ()
        self._position = 0
        self._steps: list[Step] = []
        self._wanted = -1
        self._found: Snapshot | None = None
        self._is_regular = True
        # The job under way, how many there were, who reads in it, and the queues before it.
        self._job: Job | None = None
        self._job_count = 0
        self._reading: Pipe | ReadEnd | None = None
        self._heads: list[Head] = []
        # How many chunks were put into each reservoir.
        self._made: list[int] = []
        # Looks at the parts for a check: at the begin of a simulation, at each callback, and at the end.
        self.watch: Callable[[], None] | None = None
        self.expecting = None
        self.pending = pipeline.jobs.jobs
        self.thread = get_ident()
        self.chunk = self.spare = None

    def is_full(self) -> bool:
        """Whether so many states were found that nothing repeats itself."""
        return len(self._states) > MAX_STATES or self._segments > MAX_SEGMENTS

    # What a run asks for. All of it destroys the present state of the parts.

    def state_here(self, kind: int, pipe: Pipe | None) -> State:
        """Return the state that the parts are in, all of whose chunks are marked."""
        state = State(kind, pipe, Snapshot(self.pipeline.parts, self._jobs), len(self.givers))
        known = self._states.setdefault(state.key(), [])
        for each in known:
            if each.snapshot.equals(state.snapshot):
                return each
        known.append(state)
        return state

    def explore(self, state: State, codes: Sequence[int]) -> Segment | None:
        """Return what follows from a state, after callbacks that do this; None if that is not understood."""
        if self.is_full():
            return None
        self._segments += 1
        return self.repeat(state, codes)

    def repeat(self, state: State, codes: Sequence[int]) -> Segment | None:
        """Do what `explore` does, however often."""
        end = self._simulate(state, codes, -1)
        return None if end is None else self._segment(state, end)

    def snapshot_in(self, step: Step) -> Snapshot:
        """Return the state in which a callback is called."""
        if step.snapshot is None:
            step.snapshot = self.find_snapshot_in(step)
        return step.snapshot

    def find_snapshot_in(self, step: Step) -> Snapshot:
        """Return the state in which a callback is called, however often that was asked before."""
        self._simulate(step.state, step.codes, len(step.codes))
        found = self._found
        assert found is not None
        return found

    # The simulation.

    def _simulate(self, state: State, codes: Sequence[int], wanted: int) -> tuple[int, Pipe | None] | None:
        """Run a period; return where it ends, or None if that is not understood."""
        queue = self._jobs
        outer, scheduled = queue.run, queue.scheduled
        self._state, self._codes, self._wanted = state, codes, wanted
        self._found = None
        self._position = self._job_count = 0
        self._steps = []
        self._is_regular = True
        self.pipeline.replace_callbacks(self._call)
        queue.run = self
        queue.scheduled = True
        try:
            self._restore(state)
            self._watch_parts()
            end = self._run_jobs(state)
            self._watch_parts()
            return end if self._is_regular else None
        finally:
            self._jobs.run, queue.scheduled = outer, scheduled
            self.pipeline.restore_callbacks()
            if wanted >= 0 or not self._is_regular:
                queue.jobs.clear()

    def _watch_parts(self) -> None:
        if self.watch is not None:
            self.watch()

    def _restore(self, state: State) -> None:
        """Put the parts into a state, with marks for the chunks."""
        histories: list[list[Tagged]] = []
        stores: list[list[Tagged]] = []
        for giver, length in zip(self.givers, state.lengths, strict=True):
            giver.count = length
            histories.append([Tagged(giver, number) for number in range(length)])
            size = giver.limit if isinstance(giver, Reservoir) and giver.index in state.reservoirs else 0
            stores.append([Tagged(giver, length + number) for number in range(size)])
        self._made = [len(store) for store in stores]
        self._jobs.jobs.clear()
        state.snapshot.restore(histories, stores, self._jobs)
        self.pipeline.forget_sizes()

    def _run_jobs(self, state: State) -> tuple[int, Pipe | None] | None:
        jobs = self._jobs
        end, origin = self.pipeline.end, self.pipeline.origin
        if state.kind == PIPE:
            assert state.pipe is not None
            self._run(state.pipe.read_next, state.pipe.read_plainly, state.pipe)
        elif origin is not None:
            if self._begin_write(state.kind, origin):
                return WRITE, None
        elif state.kind == READ:
            assert end is not None
            self._run(end.begin, end.begin, end)
            return AWAIT, None
        else:
            assert end is not None
            end.wait()
        for _ in range(MAX_JOBS_PER_STAGE * (len(self.pipeline.stages) + 1)):
            if not self._is_regular or not jobs.jobs:
                break
            job = jobs.jobs.popleft()
            if job is jobs.mark:
                return READ if origin is None else WRITE, None
            owner = owner_of(job)
            pipe = owner if isinstance(owner, Pipe) and job == owner.read_next else None
            if pipe is not None and self._ends_at(pipe, state):
                return PIPE, pipe
            if not self.pipeline.owns(owner):
                break
            self._run(job, job, pipe)
        self._is_regular = False
        return None

    def _begin_write(self, kind: int, origin: WriterEnd) -> bool:
        """Do what a user's code does at the beginning of the pipeline; whether that is all."""
        if kind == WRITE:
            self._run(origin.begin, origin.begin, None)
        elif kind == READY:
            origin.take_ready()
        elif kind == AWAIT_WRITE:
            origin.wait()
        else:
            assert kind == AWAIT_READY
            origin.wait_until_ready()
        return kind in (WRITE, READY)

    def _ends_at(self, pipe: Pipe, state: State) -> bool:
        """Whether a period ends where a pipe is about to read."""
        if self._position < len(self._codes) or self._wanted >= 0:
            return False
        if pipe is state.pipe or self._reads_from_reservoir(pipe):
            return True
        # To the read of a user it is one period, if all callbacks do what they always do.
        return pipe is self.pipeline.trigger and (self.pipeline.end is None or bool(self._codes))

    def _reads_from_reservoir(self, pipe: Pipe) -> bool:
        queue = pipe.source._controller._queue  # type: ignore[attr-defined]
        return any(each.queue is queue and self._made[each.index] for each in self.reservoirs)

    def _run(self, job: Job, function: Job, reading: Pipe | ReadEnd | None) -> None:
        self._job_count += 1
        self._job = undelayed(job)
        self._reading = reading
        self._heads = []
        if reading is not None:
            source = reading.source if isinstance(reading, Pipe) else reading.reader._stream
            assert source is not None
            self._heads = [_head_of(read) for read in read_path(source, reading)]
        else:
            self._heads = _heads_of_pull(self._job)
        function()
        if not self.pipeline.has_room():
            self._is_regular = False

    def _call(self, stage: Stage, *arguments: Any) -> Any:
        """Stand in for a callback."""
        assert self._state is not None
        self._watch_parts()
        position = self._position
        self._position += 1
        step: Step | None = None
        if position == self._wanted:
            self._found = Snapshot(self.pipeline.parts, self._jobs)
            self._is_regular = False
        if position < len(self._codes):
            code = self._codes[position]
        else:
            code = usual_code(stage)
            step = self._new_step(stage, arguments)
        self._put(stage, code >> 1)
        if step is not None and stage.gives:
            step.after = stage.desired_size()
        if not stage.gives_first:
            # Operators go on with the chunks that are there already: what is read later is another one.
            self._heads = [_head_of(head.read) for head in self._heads]
        return COMPLETED if code & 1 else None

    def _new_step(self, stage: Stage, arguments: tuple[Any, ...]) -> Step:
        chunk = arguments[0] if len(arguments) > 1 else None
        reference = chunk.reference() if type(chunk) is Tagged else None
        codes = (*self._codes, *[each.usual for each in self._steps])
        assert self._state is not None
        step = Step(stage, reference, self._state, codes)
        if stage.gives:
            step.before = stage.desired_size()
        if (reference is None) is not stage.gives_first or not self._note_rest_of_job(step):
            self._is_regular = False
        self._steps.append(step)
        return step

    def _put(self, stage: Stage, count: int) -> None:
        if count == 0:
            return
        stage.put(given_by(stage))
        if count == MANY:
            self._put_many(stage)
        else:
            for _ in range(count - 1):
                stage.put(given_by(stage))

    def _put_many(self, stage: Stage) -> None:
        """Put so many chunks into a queue that their number does not matter."""
        reservoir = self.reservoir_of(stage)
        if reservoir is None:
            self._is_regular = False
            return
        for _ in range(reservoir.limit + Reservoir.SLACK):
            number = reservoir.count + self._made[reservoir.index]
            self._made[reservoir.index] += 1
            stage.put(Tagged(reservoir, number))

    def reservoir_of(self, stage: Stage) -> Reservoir | None:
        """Return the queue that the chunks of a stage go into, if it may hold many."""
        controller = stage.readable_controller()
        for each in self.reservoirs:
            if each.controller is controller and each.limit:
                return each
        return None

    def counted(self, stage: Stage, given: int) -> int:
        """Return how many chunks a callback has given, or `MANY` if that does not matter."""
        reservoir = self.reservoir_of(stage)
        # The first one may go to a read that waits.
        many = MAX_GIVEN if reservoir is None else 1 + reservoir.limit + Reservoir.SLACK
        return MANY if given >= many else given

    def _note_rest_of_job(self, step: Step) -> bool:
        """Note what the job under way does after the call; whether that is understood."""
        self._note_answers(step)
        if self._reading is not None:
            step.pipe = self._reading if isinstance(self._reading, Pipe) else None
            return True
        owner = owner_of(self._job)
        return isinstance(owner, Part) and self._job is not None and owner._ends_with_callback(self._job)

    def _note_answers(self, step: Step) -> None:
        """Note the reads that are answered after the call: those that took a chunk before."""
        heads = self._heads
        if not step.stage.gives_first:
            # Operators may be called within a read of what they give, and have taken their own chunk themselves.
            own = [index for index, head in enumerate(heads) if head.read.request is step.stage.request()]
            heads = heads[: own[0]] if own else []
            step.answers += [Answer(None, NOBODY, None) for _ in own]
        for (controller, request), length, first in heads[::-1]:
            taken = len(chunks_of(controller)) < length
            pulled = None if chain_of(controller._source) is not None else controller
            step.answers.append(Answer(pulled, request, first.reference() if taken else None))

    # The end of a period.

    def _segment(self, state: State, end: tuple[int, Pipe | None]) -> Segment | None:
        moves = self._settle_reservoirs(state)
        if moves is None:
            self._jobs.jobs.clear()
            return None
        value, is_answered = None, False
        if self.pipeline.end is not None and end[0] != PIPE:
            waiting = self.pipeline.end
            chunk = waiting.chunk
            is_answered = waiting.is_answered()
            value = chunk.reference() if type(chunk) is Tagged else None
            if waiting.has_chunk and value is None:
                self._jobs.jobs.clear()  # it was there before the run, and is None
                return None
            if end[0] == READ:
                waiting.forget()
        rest = None
        if self.pipeline.origin is not None and end[0] == WRITE:
            rest = self.pipeline.origin.come_to_rest()
        given = [giver.count for giver in self.givers]
        segment = Segment(state, tuple(self._codes), self._steps, self.state_here(*end), self._job_count)
        segment.moves = moves
        segment.value, segment.is_answered = value, is_answered
        segment.rest = rest
        segment.is_simple = rest is not None and not moves
        segment.needs = [max(pair) for pair in zip(given, segment.end.lengths, strict=True)]
        segment.loops = not self._codes and segment.end is state and end[0] == PIPE and is_plain(moves)
        self._jobs.jobs.clear()
        return segment

    def _settle_reservoirs(self, state: State) -> list[Move] | None:
        """Find what the period has done with each queue of many, and make them what they are in a state."""
        found: list[tuple[Reservoir, int, list[Any]]] = []
        for reservoir in self.reservoirs:
            made = self._made[reservoir.index]
            if made:
                settled = self._settle(reservoir, made)
                if settled is None:
                    return None
                if settled != (0, []):
                    found.append((reservoir, *settled))
        # The references are known only now, when all counts are.
        return [Move(each.index, pops, tuple(chunk.reference() for chunk in pushed)) for each, pops, pushed in found]

    def _settle(self, reservoir: Reservoir, made: int) -> tuple[int, list[Any]] | None:
        queue = reservoir.queue
        content = list(queue.chunks)
        marks = [index for index, chunk in enumerate(content) if chunk.giver is reservoir]
        if len(marks) < reservoir.least():
            return None
        pops = content[marks[0]].number - reservoir.count
        if pops + len(marks) != made or marks[-1] - marks[0] + 1 != len(marks):
            return None
        reservoir.count += pops
        queue.chunks.clear()
        queue.chunks.extend(content[: marks[0]])
        queue.chunks.extend(Tagged(reservoir, reservoir.count + number) for number in range(reservoir.limit))
        queue.count_again()
        return pops, content[marks[-1] + 1 :]

    # It is no run of callbacks.

    def intercept(self, controller: Any, chunk: Any) -> Any:
        """Nothing is enqueued by a user's code."""
        return chunk

    def desired_size(self, controller: Any) -> float | None:
        """Return the desired_size of a controller."""
        return controller._get_desired_size()  # type: ignore[no-any-return]

    def leave(self) -> None:
        """Something else is done with streams: that is no simulation of what passes chunks."""
        self._is_regular = False


def is_plain(moves: list[Move]) -> bool:
    """Whether a period takes at most one chunk out of a queue of many, and does nothing else with such queues."""
    return not moves or (len(moves) == 1 and moves[0].pops == 1 and not moves[0].pushes)


def owner_of(job: Any) -> object:
    """Return the object whose method a job is; None for a job that was made for this once: it may end something."""
    return getattr(undelayed(job), "__self__", None)


def undelayed(job: Any) -> Any:
    """Return the job that runs later, for one that delays it."""
    return job.job if type(job) is Delay else job


def _head_of(read: Read) -> Head:
    chunks = chunks_of(read.controller)
    return Head(read, len(chunks), chunks[0] if chunks else None)


def _heads_of_pull(job: Any) -> list[Head]:
    """Return what a job reaches that goes on after the source was called: the pull of a branch of a tee, and a read of
    operators."""
    owner = owner_of(job)
    path: list[Read] = []
    if isinstance(owner, Input) and owner.reader is not None and owner.reader._stream is not None:
        path = read_path(owner.reader._stream, owner)
    elif isinstance(owner, PullingController):
        path = read_path(owner._stream, NOBODY)
        if len(path) == 1:
            return []  # the source is its own
    return [_head_of(read) for read in path]
