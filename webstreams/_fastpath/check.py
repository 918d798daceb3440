"""``WEBSTREAMS_FAST_PATHS=check``: every period of a run is repeated on the plain path, and compared.

The callbacks are called once, from the run. Then the plain path runs from the same state with stand-ins that do what
the callbacks did: it has to make the same calls, with the same chunks, and to end in the same state. While the run has
the streams, nothing else may have changed them: a guard is missing where that happens. A difference is reported to the
event loop's exception handler as a `RuntimeError`, and the loop's fast path is given up.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, zip_longest
from operator import is_
from typing import Any, ClassVar, Final, NamedTuple

from .._engine.build import compiled
from .._streams.part import Part
from .._streams.readable.pipe import Pipe
from .._streams.readable.reader import ReadPromise
from .graph import Segment, State, Step
from .pipeline import Pipeline, Stage
from .snapshot import CONTAINERS, Snapshot, getter, plan_for, slots_of
from .writing import WriteRun

_ABSENT: Final = object()


class CheckedRun(WriteRun):
    """A run each of whose periods is repeated on the plain path."""

    LONG_BURST: ClassVar[int] = 0
    __slots__ = ("_changed", "_constant", "_frozen", "has_differed")

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(pipeline)
        # All slots of all parts as they are while the run goes on.
        self._frozen: list[Held] = []
        # The slots that are declared to be constant, at the begin of a period, and the names of those that are not.
        self._constant: list[Held] = []
        self._changed: set[str] = set()
        self.has_differed = False

    def _freeze(self) -> None:
        self._frozen = [Held(part, all_slots(type(part))) for part in self._pipeline.parts]

    def begin(self, kind: int, pipe: Pipe | None) -> bool:
        """See `PipelineRun`."""
        has_begun = super().begin(kind, pipe)
        if has_begun:
            self._freeze()
        return has_begun

    def take(self, controller: object, chunk: Any) -> bool:
        """See `Run`."""
        is_behind = bool(self.pending)
        taken = super().take(controller, chunk)
        if taken and is_behind:
            self._differs("a chunk was taken although the callback had queued a job before")
        return taken

    def leave(self) -> None:
        """See `PipelineRun`."""
        self._compare_frozen()
        super().leave()

    def _find(self, state: State, codes: tuple[int, ...]) -> Segment | None:
        self._compare_frozen()
        segment = super()._find(state, codes)
        self._freeze()
        return segment

    def _snapshot_in(self, step: Step) -> Snapshot:
        known = step.snapshot
        step.snapshot = self._explorer.find_snapshot_in(step)
        if known is not None and not known.equals(step.snapshot):
            self._differs(
                f"the state in {name_of(step.stage)} is another one than before", *differing(known, step.snapshot)
            )
        return step.snapshot

    def _periods_without_clock(self, segment: Segment) -> int:
        return 1

    def _has_to_pause(self) -> bool:
        return self.has_differed or super()._has_to_pause()

    def reads(self, key: object, promise: ReadPromise[Any]) -> bool:
        """See `Run`: no read is done in the quick way."""
        assert self._state is not None
        return self._reads_slowly(key, promise, self._state)

    def awaits(self, promise: Any) -> int:
        """See `Run`: no await is done in the quick way."""
        assert self._state is not None
        return self._awaits_slowly(promise, self._state)

    def _pass(self, segment: Segment) -> bool:
        return self._pass_slowly(segment)

    def _cycle_of(self, state: State, take: Callable[[Any], object] | None) -> Segment | None:
        return None

    def _note_follower(self, segment: Segment, following: Segment) -> None:
        """Every end of a period is looked at."""

    def _link(self, segment: Segment, step: Step, filtered: Segment) -> None:
        """Every end of a period is looked at."""

    def _arrive(self, segment: Segment) -> None:
        self._compare_frozen()
        if self.pending and segment.rows:
            self._differs("a job was queued by a callback, and the run went on")
        own = list(self.pending)
        self._constant = []
        self._explorer.watch = self._look_at_constant_slots
        again = self._explorer.repeat(segment.state, segment.codes)
        self._explorer.watch = None
        changed = [f"{name} changes in a period, and is declared to be constant" for name in sorted(self._changed)]
        differences = [*differing_segments(segment, again), *changed]
        if differences:
            self._differs(*differences, segment=segment)
        self.pending.extend(own)
        super()._arrive(segment)
        self._freeze()

    def _look_at_constant_slots(self) -> None:
        if not self._constant:
            self._constant = [Held(part, constant_slots(type(part))) for part in self._pipeline.parts]
        for held in self._constant:
            self._changed.update(held.changed())

    def _compare_frozen(self) -> None:
        """See whether something has changed the streams without leaving the run."""
        changed = [name for held in self._frozen for name in held.changed()]
        self._frozen = []
        if changed:
            self._differs(f"{', '.join(changed)} changed while the run was not left, last in {self._name_of_last()}")

    def _name_of_last(self) -> str:
        step = getattr(self, "current", None)
        return name_of(step.stage) if isinstance(step, Step) else "no callback"

    def _differs(self, *differences: str, segment: Segment | None = None) -> None:
        if not self.has_differed:
            self.has_differed = True
            text = describe(segment or self._segment, differences)
            self._jobs.report("the fast path differs from the plain path", RuntimeError(text))


def differing_segments(known: Segment, again: Segment | None) -> Iterator[str]:
    """Tell where the period of a run and the same one on the plain path differ."""
    if again is None:
        yield "the period is not understood any more"
        return
    for one, other in zip_longest(known.steps, again.steps):
        if one is None or other is None or one.stage is not other.stage:
            called = "nothing" if other is None else name_of(other.stage)
            yield f"{called} is called instead of {'nothing' if one is None else name_of(one.stage)}"
            return
        if one.chunk != other.chunk:
            yield f"{name_of(one.stage)} gets the chunk {other.chunk}, not {one.chunk}"
        if (one.before, one.after) != (other.before, other.after):
            sizes, known_sizes = (other.before, other.after), (one.before, one.after)
            yield f"in {name_of(one.stage)} desired_size is {sizes}, not {known_sizes}"
    if known.job_count != again.job_count:
        yield f"the period has {again.job_count} jobs, not {known.job_count}"
    if (known.value, known.is_answered, known.moves) != (again.value, again.is_answered, again.moves):
        yield "another chunk is read"
    if known.rest != again.rest:
        yield f"the promises of the writer are {again.rest}, not {known.rest}"
    if again.end is not known.end:
        yield "the period ends in another state"
        yield from differing(known.end.snapshot, again.end.snapshot)


class Watched(NamedTuple):
    """Slots of a class of parts that are looked at together."""

    names: tuple[str, ...]
    get: Callable[[Part], tuple[Any, ...]]


_ALL_SLOTS: Final[dict[type[Part], Watched]] = {}
_CONSTANT_SLOTS: Final[dict[type[Part], Watched]] = {}


class Held:
    """What slots of a part held."""

    __slots__ = ("_containers", "_part", "_values", "_watched")

    def __init__(self, part: Part, watched: Watched) -> None:
        self._part = part
        self._watched = watched
        values = self._values = self._read()
        # What was in the deques and the lists.
        self._containers: list[tuple[Any, list[Any]]] = []
        if not CONTAINERS.isdisjoint(map(type, values)):
            self._containers = [(each, list(each)) for each in values if type(each) in CONTAINERS]

    def _read(self) -> tuple[Any, ...]:
        try:
            return self._watched.get(self._part)
        except AttributeError:  # one of them holds nothing yet
            return tuple([getattr(self._part, name, _ABSENT) for name in self._watched.names])

    def changed(self) -> list[str]:
        """Name the slots that hold something else now, with their class."""
        values = self._read()
        if all(map(is_, values, self._values)) and all(_holds(*each) for each in self._containers):
            return []
        kind = type(self._part).__name__
        return [
            f"{kind}.{name}"
            for name, value, before in zip(self._watched.names, values, self._values, strict=True)
            if self._is_another(value, before)
        ]

    def _is_another(self, value: Any, before: Any) -> bool:
        if value is not before:
            return type(value) is not type(before) or type(value) not in (int, float, str) or value != before
        return not all(_holds(*each) for each in self._containers if each[0] is value)


def _holds(container: Any, elements: list[Any]) -> bool:
    return len(container) == len(elements) and all(map(is_, container, elements))


def all_slots(kind: type[Part]) -> Watched:
    """Return all slots that this package gives a part."""
    found = _ALL_SLOTS.get(kind)
    if found is None:
        names = chain.from_iterable(slots_of(each) for each in kind.__mro__ if "_constant" in vars(each))
        found = _ALL_SLOTS[kind] = _watched([name for name in names if name != "__weakref__"])
    return found


def constant_slots(kind: type[Part]) -> Watched:
    """Return the slots that no snapshot takes."""
    found = _CONSTANT_SLOTS.get(kind)
    if found is None:
        moving = plan_for(kind).names
        found = _CONSTANT_SLOTS[kind] = _watched([name for name in all_slots(kind).names if name not in moving])
    return found


def _watched(names: list[str]) -> Watched:
    return Watched(tuple(names), getter(names))


def differing(one: Snapshot, other: Snapshot) -> Iterator[str]:
    """Tell where two snapshots differ."""
    if one.jobs != other.jobs:
        yield f"the jobs are {list(map(name_of_job, other.jobs))}, not {list(map(name_of_job, one.jobs))}"
    for part, values, others in zip(one.parts, one.values, other.values, strict=True):
        for name, value, there in zip(plan_for(type(part)).names, values, others, strict=True):
            if value != there:
                yield f"{type(part).__name__}.{name} is {there!r}, not {value!r}"


def name_of(stage: Stage) -> str:
    """Name a callback."""
    name = getattr(stage.function, "__qualname__", type(stage.function).__name__)
    return f"{type(stage).__name__} {stage.index} ({name})"


def name_of_job(job: Any) -> str:
    """Name a job."""
    return str(getattr(job, "__qualname__", type(job).__name__))


def describe(segment: Segment | None, differences: Sequence[str]) -> str:
    """Say what differs, and what to send with a report of the bug."""
    steps = [] if segment is None else segment.steps
    calls = ", ".join(name_of(step.stage) for step in steps[:32])
    build = "compiled" if compiled else "not compiled"
    return "\n".join([
        "WEBSTREAMS_FAST_PATHS=check found that the fast path differs from the plain path:",
        *(f"- {each}" for each in differences),
        f"The period has {len(steps)} calls: {calls}.",
        f"Python {sys.version.split()[0]}, webstreams {build}.",
        "This is a bug of webstreams: please report it with this text and, if you can, with the program.",
        "Set WEBSTREAMS_FAST_PATHS=0 to do without the fast path until it is mended.",
    ])  # fmt: skip
