"""What is counted of one stage. It refers to no stream and to no callback, so that it keeps nothing alive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from .._fastpath.snapshot import Tagged
from .._streams.meter import Meter
from ._timing import CLOCK, timing_of

STARVED: Final = 0
BLOCKED: Final = 1
BUSY: Final = 2

_SIZES: Final[dict[type, Callable[[Any], int]]] = {
    bytes: len,
    bytearray: len,
    str: len,
    memoryview: lambda view: view.nbytes,
}


def size_of(chunk: Any) -> int:
    """Return the size of a chunk: bytes, or the characters of a `str`; 0 for any other object."""
    measure = _SIZES.get(type(chunk))
    return 0 if measure is None else measure(chunk)


class Totals(NamedTuple):
    """How much time a stage has spent in each state since it is observed, in seconds; they add up to all of it."""

    starved: float
    blocked: float
    busy: float
    # What it holds the others up with: its own time in the loop's thread, and what it waits for by itself.
    blame: float
    # Callbacks that were called one after the other by the fast path.
    fast: float


class Counts(Meter):
    """The chunks of a stage, its state and the time of each state."""

    __slots__ = (
        "_since",
        "_times",
        "_wait",
        "blame",
        "chunks_in",
        "chunks_out",
        "fast",
        "idle",
        "jobs",
        "last",
        "size_in",
        "size_out",
        "state",
        "step_before",
        "timing",
    )

    def __init__(self, jobs: Any, idle: int) -> None:
        self.jobs = jobs
        self.timing = timing_of(jobs.loop)
        self.chunks_in = self.chunks_out = 0
        self.size_in = self.size_out = 0
        # The state that follows a callback, and the present one.
        self.idle = idle
        self.state = idle
        self._times = [0.0, 0.0, 0.0]
        self._since = self.last = CLOCK.read()
        self.blame = 0.0
        self.fast = 0.0
        # When the present wait began, and what had run in the loop's thread by then.
        self._wait: tuple[float, float] | None = None
        # The operator whose chunks it takes without a stream between, which does not hear that it has given them.
        self.step_before: StepCounts | None = None

    # States.

    def enter(self, state: int, now: float) -> None:
        """Go to another state."""
        self._times[self.state] += now - self._since
        self.state = state
        self._since = self.last = now

    @property
    def since(self) -> float:
        """When the present state began."""
        return self._since

    def totals(self, now: float) -> Totals:
        """Return the times up to now; may be called from another thread."""
        times = list(self._times)
        times[self.state] += max(now - self._since, 0.0)
        return Totals(times[STARVED], times[BLOCKED], times[BUSY], self.blame_until(now), self.fast)

    def stream_has_ended(self) -> None:
        """The stream of the stage is closed or errored; a callback may still work. A source holds nobody up now."""
        if self.state == STARVED and self.idle == BLOCKED:
            last = self.last
            self.enter(BLOCKED, CLOCK.read())
            self.last = last  # the time of a pipeline that is over ends with the last thing that happened

    # Blame: what is waited for, beside the time of callbacks.

    def begin_wait(self, now: float) -> None:
        """What was called waits for something."""
        self._wait = now, self.timing.total

    def end_wait(self, now: float) -> None:
        """The wait is over."""
        self.blame = self.blame_until(now)
        self._wait = None

    def blame_until(self, now: float) -> float:
        """Return the blame, with the wait that is under way."""
        wait = self._wait
        return self.blame if wait is None else self.blame + self.timing.waited(*wait, now)

    # Chunks.

    def takes(self, chunk: Any) -> None:
        """A chunk is handed to the stage."""
        self.chunks_in += 1
        self.size_in += size_of(chunk)
        if self.step_before is not None:
            self.step_before.gives(chunk)

    def chunk_is_taken(self, chunk: Any) -> None:
        """See `Meter`."""
        self.takes(chunk)

    def gives(self, chunk: Any) -> None:
        """The stage has given a chunk."""
        self.chunks_out += 1
        self.size_out += size_of(chunk)

    def chunk_is_put(self, chunk: Any) -> None:
        """See `Meter`: the fast path puts marks that only stand for chunks, when it simulates."""
        if type(chunk) is not Tagged:
            self.gives(chunk)
            self.has_put()

    def bytes_are_put(self, count: int) -> None:
        """See `Meter`."""
        self.chunks_out += 1
        self.size_out += count
        self.has_put()

    def has_put(self) -> None:
        """A chunk is on its way to the next stage."""

    def began_to_wait(self) -> None:
        """See `Meter`."""
        if self.state != BUSY:
            self.enter(BLOCKED, CLOCK.read())


class ItemCounts(Counts):
    """Of an asynchronous iterable: it works until its item is there, and nothing tells of its end."""

    __slots__ = ()

    def stream_has_ended(self) -> None:
        """See `Counts`: no item is waited for any more."""
        if self.state == BUSY:
            now = CLOCK.read()
            self.end_wait(now)
            self.enter(self.idle, now)


class AskedCounts(Counts):
    """Of a stage that works when it is read: what its readable side wants decides.

    `has_input` tells whether it has something to work on; None if nobody can tell, as when inputs are merged.
    """

    __slots__ = ("has_input", "is_asked")

    def __init__(self, jobs: Any, has_input: bool | None) -> None:
        super().__init__(jobs, BLOCKED if has_input is None else STARVED)
        self.has_input = has_input
        self.is_asked = False

    def asked(self) -> None:
        """Somebody wants a chunk."""
        self.is_asked = True
        self._go_on()

    def has_put(self) -> None:
        """The chunk is there."""
        self.is_asked = False
        self._go_on()

    def took(self, has_input: bool) -> None:
        """There is something to work on, or no more."""
        self.has_input = has_input
        self._go_on()

    def _go_on(self) -> None:
        if self.has_input is None:
            state = STARVED if self.is_asked else BLOCKED
        elif self.has_input:
            state = BUSY if self.is_asked else BLOCKED
        else:
            state = STARVED
        if state == self.state:
            return
        now = CLOCK.read()
        if self.state == BUSY:
            self.end_wait(now)
        elif state == BUSY:
            self.begin_wait(now)
        self.enter(state, now)


class StepCounts(Counts):
    """Of one operator of a chain: `chain` are those of the whole, which is asked or not."""

    __slots__ = ("chain", "place")

    def __init__(self, jobs: Any, chain: ChainCounts) -> None:
        super().__init__(jobs, STARVED)
        self.chain = chain
        self.place = len(chain.steps)
        chain.steps.append(self)

    def takes(self, chunk: Any) -> None:
        """See `Counts`: what one step takes, the step before it has given."""
        super().takes(chunk)
        if self.place:
            self.chain.steps[self.place - 1].gives(chunk)

    def totals(self, now: float) -> Totals:
        """See `Counts`: what is not busy is divided by what the chain does meanwhile."""
        own = super().totals(now)
        idle = own.starved + own.blocked
        behind = sum(each.busy_time(now) for each in self.chain.steps[self.place + 1 :])
        blocked = min(idle, self.chain.not_asked(now) + behind)
        return Totals(idle - blocked, blocked, own.busy, own.blame, own.fast)

    def busy_time(self, now: float) -> float:
        """Return how long the function has worked."""
        return super().totals(now).busy


class ChainCounts(AskedCounts):
    """Of a chain of operators: whether it is asked for chunks. What it gives, its last step gives."""

    __slots__ = ("is_drained", "steps")

    def __init__(self, jobs: Any) -> None:
        super().__init__(jobs, None)
        self.steps: list[StepCounts] = []
        # Somebody asks all the time: for_each(), reduce().
        self.is_drained = False

    def gives(self, chunk: Any) -> None:
        """See `Counts`."""
        super().gives(chunk)
        if self.steps:
            self.steps[-1].gives(chunk)

    def not_asked(self, now: float) -> float:
        """Return how long nobody has asked for anything."""
        return 0.0 if self.is_drained else super().totals(now).blocked


class LoadCounts(Counts):
    """Of a stage with several calls at a time: it is busy by as much as calls run of those that may.

    `wants` tells whether it would take another chunk; what is idle is starved then, else blocked.
    """

    __slots__ = ("_total", "limit", "running", "wants")

    def __init__(self, jobs: Any, limit: int, wants: Callable[[], bool] | None) -> None:
        super().__init__(jobs, STARVED)
        self.limit = limit
        self.running = 0
        self.wants = wants
        self._total = 0.0

    def _pass(self, now: float) -> None:
        shares = self._shares(now)
        for state, share in enumerate(shares):
            self._times[state] += share
        if self.running:
            waited = self.timing.waited(self._since, self._total, now)
            self.blame += waited * self._share_of_calls()
        self._since = self.last = now
        self._total = self.timing.total

    def _shares(self, now: float) -> tuple[float, float, float]:
        passed = max(now - self._since, 0.0)
        busy = passed * self._share_of_calls()
        if self.idle_state() == STARVED:
            return passed - busy, 0.0, busy
        return 0.0, passed - busy, busy

    def idle_state(self) -> int:
        """Return the state of what does not run."""
        return STARVED if self.wants is None or self.wants() else BLOCKED

    def begin(self) -> None:
        """A call begins."""
        self._pass(CLOCK.read())
        self.running += 1
        self.state = BUSY

    def end(self) -> None:
        """A call has ended."""
        self._pass(CLOCK.read())
        self.running -= 1
        self.state = BUSY if self.running else self.idle_state()

    def has_put(self) -> None:
        """A result was taken."""
        self._pass(CLOCK.read())

    def totals(self, now: float) -> Totals:
        """See `Counts`."""
        starved, blocked, busy = (time + share for time, share in zip(self._times, self._shares(now), strict=True))
        waited = self.timing.waited(self._since, self._total, now) if self.running else 0.0
        return Totals(starved, blocked, busy, self.blame + waited * self._share_of_calls(), self.fast)

    def _share_of_calls(self) -> float:
        return min(self.running / self.limit, 1.0)
