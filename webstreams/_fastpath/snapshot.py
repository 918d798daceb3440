"""The state of a pipeline, copied and put back: every slot of its parts but the constant ones (`_streams.part`).

A chunk in a snapshot is not the chunk itself but tells which one it is: the n-th youngest that a stage has given. So
one snapshot fits every period.
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
from .pipeline import Stage


class Tagged:
    """Stands for a chunk while a pipeline is recorded: knows which stage gave it, and as which one."""

    __slots__ = ("number", "stage", "value")

    def __init__(self, value: Any, stage: Stage) -> None:
        self.value = value
        self.stage = stage
        self.number = stage.count
        stage.count += 1

    def reference(self) -> Reference:
        """Tell how many younger chunks the stage has given since."""
        return Reference(self.stage.index, self.stage.count - 1 - self.number)


class Reference(NamedTuple):
    """Which chunk: of which stage, and how many younger ones that has given."""

    stage: int
    age: int


class Several(NamedTuple):
    """The elements of a deque or of a list."""

    elements: tuple[Any, ...]


_NOTHING: Final = Several(())
_CONTAINERS: Final = frozenset({deque, list})
# Values of other types are taken as they are.
_SPECIAL: Final = frozenset({deque, list, Tagged})


# Which slots a snapshot takes.


class Plan(NamedTuple):
    """What a snapshot takes of a class of parts."""

    names: tuple[str, ...]
    get: Callable[[Part], tuple[Any, ...]]
    # For each name, whether the slot holds chunks.
    holds_chunks: tuple[bool, ...]


_PLANS: Final[dict[type[Part], Plan]] = {}


def plan_for(kind: type[Part]) -> Plan:
    """Return what a snapshot takes of a class."""
    plan = _PLANS.get(kind)
    if plan is None:
        plan = _PLANS[kind] = _make_plan(kind)
    return plan


def _make_plan(kind: type[Part]) -> Plan:
    names = moving_slots(kind)
    chunk_slots = _declared(kind, "_chunk_slots")
    # With a single name, attrgetter gives no tuple.
    get = attrgetter(*names) if len(names) > 1 else partial(_only_slot, names[0])
    return Plan(names, get, tuple(name in chunk_slots for name in names))


def moving_slots(kind: type[Part]) -> tuple[str, ...]:
    """Return the names of all slots of a class that are not declared to be constant."""
    names = {name for each in _part_classes(kind) for name in slots_of(each)}
    return tuple(sorted(names - _declared(kind, "_constant") - {"__weakref__"}))


def slots_of(kind: type[Part]) -> tuple[str, ...]:
    """Return the names of a class's own slots; mypyc keeps them under another name."""
    names = vars(kind).get("__mypyc_attrs__", vars(kind).get("__slots__", ()))
    return (names,) if isinstance(names, str) else tuple(names)


def _part_classes(kind: type[Part]) -> Iterator[type[Part]]:
    """Return the classes that declare something: those of this package, not the ones that users derive from them."""
    return (each for each in kind.__mro__ if "_constant" in vars(each))


def _declared(kind: type[Part], name: str) -> set[str]:
    return set(chain.from_iterable(vars(each).get(name, ()) for each in _part_classes(kind)))


def _only_slot(name: str, part: Part) -> tuple[Any]:
    return (getattr(part, name),)


# Snapshots.


class Snapshot:
    """The state of all parts of a pipeline, and the jobs that are queued."""

    __slots__ = ("jobs", "parts", "values")

    def __init__(self, parts: Sequence[Part], queue: JobQueue) -> None:
        self.parts = parts
        # What the slots of each part held.
        self.values: list[tuple[Any, ...]] = [_taken_of(part) for part in parts]
        self.jobs: list[Job] = list(queue.jobs)

    def _slots(self) -> Iterator[tuple[Part, str, Any]]:
        """Yield every slot, and what was taken of it."""
        for part, values in zip(self.parts, self.values, strict=True):
            for name, taken in zip(plan_for(type(part)).names, values, strict=True):
                yield part, name, taken

    def equals(self, other: Snapshot) -> bool:
        """Whether two snapshots show the same state."""
        return self.jobs == other.jobs and self.values == other.values

    def references(self) -> Iterator[Reference]:
        """Yield every chunk in the state."""
        for taken in chain.from_iterable(self.values):
            for each in taken.elements if type(taken) is Several else (taken,):
                if type(each) is Reference:
                    yield each

    def find_chunks(self, queue: JobQueue) -> dict[Reference, Any] | None:
        """Return the chunks if the state is this one now, else None: the guard at the entry of a run."""
        chunks: dict[Reference, Any] = {}
        for part, values in zip(self.parts, self.values, strict=True):
            for value, taken in zip(plan_for(type(part)).get(part), values, strict=True):
                if value is not taken and not _is_like(value, taken, chunks):
                    return None
        return chunks if list(queue.jobs) == self.jobs else None

    def restore(self, histories: Sequence[Sequence[Any]], queue: JobQueue) -> None:
        """Put the state back, with the chunks of now."""
        for part, name, taken in self._slots():
            if type(taken) is Several:
                elements = [_chunk(histories, each) if type(each) is Reference else each for each in taken.elements]
                held = getattr(part, name)
                held.clear()
                held.extend(elements)
            else:
                setattr(part, name, _chunk(histories, taken) if type(taken) is Reference else taken)
        queue.jobs.extend(self.jobs)


def _taken_of(part: Part) -> tuple[Any, ...]:
    plan = plan_for(type(part))
    values = plan.get(part)
    if not any(plan.holds_chunks) and _SPECIAL.isdisjoint(map(type, values)):
        return values
    return tuple(map(_taken, values, plan.holds_chunks))


def _taken(value: Any, holds_chunks: bool) -> Any:
    if type(value) in _CONTAINERS:
        return _NOTHING if not value else Several(tuple(_taken_one(each, holds_chunks) for each in value))
    return _taken_one(value, holds_chunks and value is not None)


def _taken_one(value: Any, is_chunk: bool) -> Any:
    if type(value) is Tagged:
        return value.reference()
    # A chunk that came before the recording: its place in the order is not known.
    return object() if is_chunk else value


def _is_like(value: Any, taken: Any, chunks: dict[Reference, Any]) -> bool:
    if type(taken) is not Several:
        return _is_one_like(value, taken, chunks)
    return (
        type(value) in _CONTAINERS
        and len(value) == len(taken.elements)
        and all(_is_one_like(each, other, chunks) for each, other in zip(value, taken.elements, strict=True))
    )


def _is_one_like(value: Any, taken: Any, chunks: dict[Reference, Any]) -> bool:
    if type(taken) is Reference:
        return chunks.setdefault(taken, value) is value
    # What users give may have an ``==`` of its own.
    return value is taken or (type(value) is type(taken) and bool(value == taken))


def _chunk(histories: Sequence[Sequence[Any]], reference: Reference) -> Any:
    return histories[reference.stage][-1 - reference.age]


def untag(parts: Sequence[Part]) -> None:
    """Put the chunks themselves back into the parts of a pipeline."""
    for part in parts:
        plan = plan_for(type(part))
        for name, value in zip(plan.names, plan.get(part), strict=True):
            if type(value) is Tagged:
                setattr(part, name, value.value)
            elif type(value) in _CONTAINERS:
                for index, each in enumerate(value):
                    if type(each) is Tagged:
                        value[index] = each.value
