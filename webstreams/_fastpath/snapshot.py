"""What moves in a pipeline while chunks pass, copied and put back.

A chunk in a snapshot is not the chunk itself but tells which one it is: the last one of its stage, or the one before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from itertools import chain
from operator import attrgetter
from typing import Any, Final, NamedTuple

from .._engine.jobs import Job, JobQueue

# The slots that hold chunks; a single one is empty when it is None.
CHUNK_SLOTS: Final = frozenset({"chunks", "_chunk", "_item", "_passing"})

_CONTAINERS: Final = frozenset({deque, list})


class Tagged:
    """Stands for a chunk while a pipeline is recorded: knows which stage gave it, and as which one."""

    __slots__ = ("number", "stage", "value")

    def __init__(self, value: Any, stage: Any) -> None:
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


class Snapshot:
    """The state of all parts of a pipeline, and the jobs that are queued."""

    __slots__ = ("jobs", "parts", "values")

    def __init__(self, parts: Sequence[Any], queue: JobQueue) -> None:
        self.parts = parts
        # What the slots of each part held.
        self.values: list[tuple[Any, ...]] = [_taken_of(part) for part in parts]
        self.jobs: list[Job] = list(queue.jobs)

    def _slots(self) -> Iterator[tuple[Any, str, Any]]:
        """Give every slot, and what was taken of it."""
        for part, values in zip(self.parts, self.values, strict=True):
            for name, taken in zip(part._moving, values, strict=True):
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

    def find_chunks(self, queue: JobQueue) -> dict[Reference, Any] | None:
        """Give the chunks if the state is this one now, else None."""
        chunks: dict[Reference, Any] = {}
        for part, name, taken in self._slots():
            if not _is_like(getattr(part, name), taken, chunks):
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


def _taken_of(part: Any) -> tuple[Any, ...]:
    kind: Any = type(part)
    get, is_chunk = _plan_for(kind)
    values: tuple[Any, ...] = get(part)
    if not any(is_chunk) and _CONTAINERS.isdisjoint(map(type, values)):
        return values
    return tuple(map(_taken, values, is_chunk))


def _only_slot(name: str, part: Any) -> tuple[Any]:
    return (getattr(part, name),)


@cache
def _plan_for(kind: Any) -> tuple[Callable[[Any], Any], tuple[bool, ...]]:
    """Give what gets all slots of a part, and which of them hold chunks."""
    names: tuple[str, ...] = kind._moving
    # With a single name it would give no tuple.
    get = attrgetter(*names) if len(names) > 1 else partial(_only_slot, names[0])
    return get, tuple(name in CHUNK_SLOTS for name in names)


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
    return len(value) == len(taken.elements) and all(
        _is_one_like(each, other, chunks) for each, other in zip(value, taken.elements, strict=True)
    )


def _is_one_like(value: Any, taken: Any, chunks: dict[Reference, Any]) -> bool:
    if type(taken) is Reference:
        return chunks.setdefault(taken, value) is value
    return bool(value == taken)


def _chunk(histories: Sequence[Sequence[Any]], reference: Reference) -> Any:
    return histories[reference.stage][-1 - reference.age]


def untag(parts: Sequence[Any]) -> None:
    """Put the chunks themselves back into the parts of a pipeline."""
    for part in parts:
        for name in CHUNK_SLOTS.intersection(part._moving):
            value = getattr(part, name)
            if type(value) is deque:
                for index, each in enumerate(value):
                    if type(each) is Tagged:
                        value[index] = each.value
            elif type(value) is Tagged:
                setattr(part, name, value.value)
