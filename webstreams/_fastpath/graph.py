"""What is known of a pipeline: its states, and the periods that lead from one to another."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from .._engine.run import Call
from .._streams.readable.pipe import Pipe
from .._streams.readable.state import ReadRequest
from .feeding import Feeding
from .pipeline import Stage
from .snapshot import Reference, Snapshot
from .writer_end import Rest

# What a callback has done, as one number: how many chunks it has enqueued, and whether it is a coroutine that has
# completed (`code_of`). This stands for so many that the number does not matter (`Explorer.counted`).
MANY: Final = 1000
# The code of one that has returned None and enqueued nothing.
NOTHING: Final = 0

# Every callback of a period has done what it always does (`Performer._perform`).
AS_ALWAYS: Final = object()
# And of periods in a row whose time is up before the last one.
OUT_OF_TIME: Final = object()
# After so many of them (a power of 2) the clock is looked at.
LOOK_AFTER: Final = 16

# Where a state is: a pipe is about to read; the user's own code is about to read, or to await what it has read.
PIPE: Final = 0
READ: Final = 1
AWAIT: Final = 2
# The same at the beginning: it is about to write, or to look at `ready`; or to await one of the two promises. Every
# state in which the user's own code runs is one of each of these kinds (`State.of_kind`); WRITE stands for all.
WRITE: Final = 3
READY: Final = 4
AWAIT_WRITE: Final = 5
AWAIT_READY: Final = 6


class Raised:
    """What a callback has raised."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


class Answer(NamedTuple):
    """A read that the job under way answers after a call, with the chunk that it took out of the queue (or None).

    The controller is the one whose pull is done then; None for operators, whose pull is done later.
    """

    controller: Feeding | None
    request: ReadRequest
    chunk: Reference | None


class State:
    """A state of the pipeline between two periods."""

    __slots__ = (
        "_others", "ahead", "is_dead", "kind", "lengths", "many", "pipe", "quick", "reservoirs", "segment", "snapshot",
    )  # fmt: skip

    def __init__(self, kind: int, pipe: Pipe | None, snapshot: Snapshot, giver_count: int) -> None:
        self.kind = kind
        # The pipe that is about to read.
        self.pipe = pipe
        self.snapshot = snapshot
        # The period that begins here if all callbacks do what they always do; and whether it is known that there is
        # none to be found.
        self.segment: Segment | None = None
        self.is_dead = False
        # Of a read that calls no callback and is not answered at once: the state that it leads to. Of one that takes
        # the first chunk out of a queue of many, and calls nothing but operators: what it does.
        self.ahead: State | None = None
        self.many: Drain | None = None
        # Of one that calls callbacks and does nothing else: the period.
        self.quick: Segment | None = None
        # The same state, of other kinds.
        self._others: dict[int, State] = {}
        # How many of the last chunks of each giver are somewhere in the pipeline; and the reservoirs that hold many.
        self.lengths = [0] * giver_count
        self.reservoirs: set[int] = set()
        for giver, age in snapshot.references():
            if age >= 0:
                self.lengths[giver] = max(self.lengths[giver], age + 1)
            else:
                self.reservoirs.add(giver)

    def of_kind(self, kind: int) -> State:
        """Return the same state before something else that the user's own code does."""
        if kind == self.kind:
            return self
        other = self._others.get(kind)
        if other is None:
            other = self._others[kind] = State(kind, None, self.snapshot, len(self.lengths))
        return other

    def key(self) -> tuple[object, ...]:
        """Return what is equal if two states are."""
        return self.kind, id(self.pipe), len(self.snapshot.jobs), tuple(self.lengths), tuple(self.reservoirs)


class Step(Call):
    """One call of a callback in a period, with what a run needs of it at hand."""

    __slots__ = (
        "after",
        "answers",
        "before",
        "branches",
        "by_coroutine",
        "chunk",
        "codes",
        "context",
        "controller",
        "expected",
        "is_identity",
        "pipe",
        "snapshot",
        "stage",
        "state",
        "usual",
    )

    def __init__(self, stage: Stage, chunk: Reference | None, state: State, codes: tuple[int, ...]) -> None:
        super().__init__(stage.function, _NOWHERE)
        self.stage = stage
        # The chunk that the callback gets.
        self.chunk = chunk
        self.context = stage.context
        self.controller = stage.controller
        self.is_identity = stage.is_identity
        self.by_coroutine = stage.by_coroutine
        # How it is reached: from a state, after callbacks that have done this; and the state in which it is called, if
        # that was ever needed.
        self.state = state
        self.codes = codes
        self.snapshot: Snapshot | None = None
        # What the callback always does; and where other outcomes lead.
        self.usual = usual_code(stage)
        self.branches: dict[int, Segment] = {}
        # What `Run.expecting` is until it has enqueued its chunk.
        self.expected = (stage.measured or stage.controller) if stage.gives and not stage.gives_seldom else None
        # What the job under way does after the call: the reads that it answers, from the source on; then the pipe
        # whose read is under way.
        self.answers: list[Answer] = []
        self.pipe: Pipe | None = None
        # The controller's desired_size before and after the one chunk.
        self.before: float | None = None
        self.after: float | None = None

    def row(self, histories: Sequence[deque[Any]], stores: Sequence[deque[Any]]) -> Row:
        """Return what the loop over the calls needs."""
        stage = self.stage
        self.output = histories[stage.index]
        chunks: deque[Any] | None = None
        index = 0
        if self.chunk is not None:
            giver, age = self.chunk
            chunks = (histories if age >= 0 else stores)[giver]
            index = -1 - age
        function = None if stage.is_identity else self.function
        if function is None:
            return self, None, None, None, self.output, chunks, index, False
        return self, function, self.controller, self.expected, self.output, chunks, index, self.by_coroutine


_NOWHERE: Final[deque[Any]] = deque(maxlen=0)

# The call; the callback, or None for a transformer without transform(); its controller, which is expected to enqueue a
# chunk if it is there a second time; where that goes; where the chunk is that the callback gets; whether it is a
# coroutine function.
Row = tuple[Step, Any, Any, object, deque[Any], deque[Any] | None, int, bool]


class Move(NamedTuple):
    """What a period does with a reservoir: how many chunks it takes out, and which ones it puts into it."""

    reservoir: int
    pops: int
    pushes: tuple[Reference, ...]


class Drain(NamedTuple):
    """The move of a period that takes one chunk out of a queue of many: from where to where, and how many have to be
    left."""

    store: deque[Any]
    history: deque[Any]
    limit: int


class Segment:
    """The rest of a period, from a state or from a callback that has done something else than always."""

    __slots__ = (
        "codes", "drain", "drains_into_a_call", "end", "follower", "is_answered", "is_awaited", "is_simple",
        "job_count", "links", "loops", "misses", "moves", "needs", "once", "repeat", "rest", "rows", "state", "steps",
        "value", "value_chunks", "value_index",
    )  # fmt: skip

    def __init__(self, state: State, codes: tuple[int, ...], steps: list[Step], end: State, job_count: int) -> None:
        # From where it goes, after callbacks that have done this.
        self.state = state
        self.codes = codes
        self.steps = steps
        self.rows: list[Row] = []
        # What makes the calls once, and many times, if code was made for them (`codegen`).
        self.once: Callable[[Any], object] | None = None
        self.repeat: Callable[[Any, int], object] | None = None
        self.end = end
        # The period that follows without anything between: this one ends at the read of a pipe, and moves nothing.
        self.follower: Segment | None = None
        # The steps with which the code of this period goes on, by the call that has filtered its chunk (`linking`);
        # and how often it did not know them.
        self.links: dict[Step, tuple[Step, ...]] = {}
        self.misses = 0
        self.job_count = max(1, job_count)
        # Whether it leads to where it begins, and nothing else is to be done but perhaps one move.
        self.loops = False
        self.drain: Drain | None = None
        self.drains_into_a_call = False
        self.moves: list[Move] = []
        # How many of the last chunks of each giver it needs.
        self.needs: list[int] = []
        # The chunk that the user's read gets, and whether it has it although the promise was not awaited yet.
        self.value: Reference | None = None
        self.is_answered = False
        # Whether it ends with that chunk, or with the code of a user who writes, and nothing else is to be done; and
        # where the chunk is.
        self.is_simple = False
        # Of a read and its await in one: whether its calls are made between the two.
        self.is_awaited = False
        self.value_chunks: deque[Any] = _NOWHERE
        self.value_index = 0
        # What has become of the promises of the user who writes; None where it ends somewhere else.
        self.rest: Rest | None = None


def code_of(given: int, has_completed: bool) -> int:
    """Return what a callback has done as one number."""
    return 2 * given + has_completed


def usual_code(stage: Stage) -> int:
    """Return what a callback is expected to do."""
    return code_of(1 if stage.gives and not stage.gives_seldom else 0, stage.by_coroutine)
