"""The state of a pipeline, copied and put back: every slot of its parts but the constant ones (`_streams.part`).

A chunk in a snapshot is not the chunk itself but tells which one it is: the n-th youngest that a stage has given, or
the n-th in a queue of many. So one snapshot fits every period.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from operator import attrgetter
from typing import Any, Final, NamedTuple

from .._engine.jobs import Job, JobQueue
from .._streams.part import Part
from .giver import Giver


class Tagged:
    """Stands for a chunk in a simulation: knows who gave it, and as which one."""

    __slots__ = ("giver", "number")

    def __init__(self, giver: Giver, number: int) -> None:
        self.giver = giver
        self.number = number

    def reference(self) -> Reference:
        """Tell how many younger chunks have been given since."""
        return Reference(self.giver.index, self.giver.count - 1 - self.number)


def given_by(giver: Giver) -> Tagged:
    """Return the next chunk of a giver."""
    giver.count += 1
    return Tagged(giver, giver.count - 1)


class Reference(NamedTuple):
    """Which chunk: of which giver, and how many younger ones that has given; -1, -2 ... are the first, the second ...
    in the queue of a reservoir."""

    giver: int
    age: int


class Several(NamedTuple):
    """The elements of a deque or of a list."""

    elements: tuple[Any, ...]


_NOTHING: Final = Several(())
CONTAINERS: Final = frozenset({deque, list})
# Values of other types are taken as they are.
_SPECIAL: Final = frozenset({deque, list, Tagged})


# Which slots a snapshot takes.


class Plan(NamedTuple):
    """What a snapshot takes of a class of parts."""

    names: tuple[str, ...]
    get: Callable[[Part], tuple[Any, ...]]
    chunk_names: tuple[str, ...]


_PLANS: Final[dict[type[Part], Plan]] = {}


def plan_for(kind: type[Part]) -> Plan:
    """Return what a snapshot takes of a class."""
    plan = _PLANS.get(kind)
    if plan is None:
        plan = _PLANS[kind] = _make_plan(kind)
    return plan


def _make_plan(kind: type[Part]) -> Plan:
    names = moving_slots(kind)
    return Plan(names, getter(names), tuple(sorted(_declared(kind, "_chunk_slots"))))


def chunk_slots(kind: type[Part]) -> tuple[str, ...]:
    """Return the names of the slots of a class that hold chunks."""
    return plan_for(kind).chunk_names


def moving_slots(kind: type[Part]) -> tuple[str, ...]:
    """Return the names of all slots of a class that are not declared to be constant."""
    names = {name for each in _part_classes(kind) for name in slots_of(each)}
    return tuple(sorted(names - _declared(kind, "_constant") - {"__weakref__"}))


def slots_of(kind: type[Part]) -> tuple[str, ...]:
    """Return the names of a class's own slots; mypyc keeps them under another name, with those that it inherits."""
    names = vars(kind).get("__mypyc_attrs__", vars(kind).get("__slots__", ()))
    unseen = getattr(kind, "_unseen", ())
    return (names,) if isinstance(names, str) else tuple([name for name in names if name not in unseen])


def _part_classes(kind: type[Part]) -> Iterator[type[Part]]:
    """Give the classes that declare something: those of this package, not the ones that users derive from them."""
    return (each for each in kind.__mro__ if "_constant" in vars(each))


def _declared(kind: type[Part], name: str) -> set[str]:
    return set(chain.from_iterable(vars(each).get(name, ()) for each in _part_classes(kind)))


def getter(names: Sequence[str]) -> Callable[[Part], tuple[Any, ...]]:
    """Return what takes these slots of a part."""
    # With a single name, attrgetter gives no tuple.
    return attrgetter(*names) if len(names) > 1 else partial(_few_slots, names)


def _few_slots(names: Sequence[str], part: Part) -> tuple[Any, ...]:
    return tuple([getattr(part, name) for name in names])


# Snapshots.


class Snapshot:
    """The state of all parts of a pipeline, and the jobs that are queued."""

    __slots__ = ("jobs", "parts", "values")

    def __init__(self, parts: Sequence[Part], queue: JobQueue) -> None:
        self.parts = parts
        # What the slots of each part held.
        self.values: list[tuple[Any, ...]] = [_taken_of(part) for part in parts]
        self.jobs: list[Job] = list(queue.jobs)

    def slots(self) -> Iterator[tuple[Part, str, Any]]:
        """Give every slot, and what was taken of it."""
        for part, values in zip(self.parts, self.values, strict=True):
            for name, taken in zip(plan_for(type(part)).names, values, strict=True):
                yield part, name, taken

    def equals(self, other: Snapshot) -> bool:
        """Whether two snapshots show the same state."""
        return self.jobs == other.jobs and self.values == other.values

    def references(self) -> Iterator[Reference]:
        """Give every chunk in the state."""
        for taken in chain.from_iterable(self.values):
            for each in taken.elements if type(taken) is Several else (taken,):
                if type(each) is Reference:
                    yield each

    def restore(self, histories: Sequence[Sequence[Any]], stores: Sequence[Sequence[Any]], queue: JobQueue) -> None:
        """Put the state back, with the chunks of now: those that were given, and those in reservoirs."""
        for part, name, taken in self.slots():
            if type(taken) is Several:
                elements = [
                    chunk_of(each, histories, stores) if type(each) is Reference else each for each in taken.elements
                ]
                held = container_in(part, name)
                held.clear()
                held.extend(elements)
            else:
                setattr(part, name, chunk_of(taken, histories, stores) if type(taken) is Reference else taken)
        queue.jobs.extend(self.jobs)


def container_in(part: Part, name: str) -> Any:
    """Return the deque or the list in a slot; a deque is made where none was needed yet."""
    held = getattr(part, name)
    if held is None:
        held = deque()
        setattr(part, name, held)
    return held


def chunk_of(reference: Reference, histories: Sequence[Sequence[Any]], stores: Sequence[Sequence[Any]]) -> Any:
    """Return the chunk that a reference means."""
    giver, age = reference
    return (histories if age >= 0 else stores)[giver][-1 - age]


def _taken_of(part: Part) -> tuple[Any, ...]:
    plan = plan_for(type(part))
    values = plan.get(part)
    if _SPECIAL.isdisjoint(map(type, values)):
        return values
    return tuple(map(_taken, values))


def _taken(value: Any) -> Any:
    if type(value) in CONTAINERS:
        return _NOTHING if not value else Several(tuple(map(_taken_one, value)))
    return _taken_one(value)


def _taken_one(value: Any) -> Any:
    return value.reference() if type(value) is Tagged else value


def tag(parts: Sequence[Part], giver: Giver) -> list[Any]:
    """Put marks in the place of all chunks in the parts of a pipeline; return the chunks."""
    chunks: list[Any] = []
    for part in parts:
        for name in chunk_slots(type(part)):
            value = getattr(part, name)
            if type(value) is deque:
                for index, each in enumerate(value):
                    if type(each) is not Tagged:
                        value[index] = given_by(giver)
                        chunks.append(each)
            elif value is not None and type(value) is not Tagged:
                setattr(part, name, given_by(giver))
                chunks.append(value)
    return chunks
