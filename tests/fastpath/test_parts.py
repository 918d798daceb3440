"""What the parts of pipelines declare, and the snapshots that are taken of them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import Any, ClassVar

from tests.grids import each_of
from webstreams import ReadableStream
from webstreams._engine.jobs import current_jobs
from webstreams._fastpath.giver import Giver
from webstreams._fastpath.snapshot import Reference, Snapshot, Tagged, given_by, moving_slots, slots_of, tag
from webstreams._streams.part import Part
from webstreams._streams.readable.state import ReadableStreamState


def part_classes(kind: type[Any] = Part) -> Iterator[type[Any]]:
    """All classes that can be parts. What is derived from them outside the Standard's room is taken as its base."""
    for each in kind.__subclasses__():
        if each.__module__.startswith("webstreams._streams."):
            yield each
            yield from part_classes(each)


CLASSES = sorted(set(part_classes()), key=lambda kind: kind.__name__)
# What mypyc makes a slot of, and Python a constant of the class.
CLASS_CONSTANTS = {"_is_byob", "_is_byte_controller"}


@each_of(kind=CLASSES)
def test_a_class_with_slots_declares_the_constant_ones(kind: type[Any]) -> None:
    own = set(slots_of(kind)) - {"__weakref__"} - CLASS_CONSTANTS
    inherited = {name for base in kind.__mro__[1:] if base is not object for name in slots_of(base)}
    if own - inherited:
        assert "_constant" in vars(kind), "a class with slots of its own has its own tuple, if only an empty one"


@each_of(kind=CLASSES)
def test_every_slot_is_taken_or_constant(kind: type[Any]) -> None:
    """What is named is a slot, and no slot is both or neither."""
    slots = {name for base in kind.__mro__ for name in slots_of(base)} - {"__weakref__"} - CLASS_CONSTANTS
    constant = {name for base in kind.__mro__ for name in vars(base).get("_constant", ())}
    chunk_slots = {name for base in kind.__mro__ for name in vars(base).get("_chunk_slots", ())}
    moving = set(moving_slots(kind)) - CLASS_CONSTANTS
    assert moving | constant == slots
    assert not moving & constant
    assert chunk_slots <= moving


def test_a_subclass_of_a_user_is_taken_as_its_base() -> None:
    class Mine(ReadableStream[int]):
        __slots__ = ("mine",)

    assert moving_slots(Mine) == moving_slots(ReadableStream)


class Shelf(ReadableStreamState[Any]):
    """A part with one slot of each kind more; `forgotten` should be a chunk slot.

    What is not compiled cannot derive from a compiled trait such as `Part` itself.
    """

    __slots__ = ("chunk", "chunks", "fixed", "forgotten", "number")
    _constant: ClassVar[tuple[str, ...]] = ("fixed",)
    _chunk_slots: ClassVar[tuple[str, ...]] = ("chunk", "chunks")

    def __init__(self) -> None:
        super().__init__(current_jobs())
        self.chunk: Any = None
        self.chunks: deque[Any] = deque()
        self.fixed = object()
        self.forgotten: Any = None
        self.number = 0


class Odd:
    """A chunk that says that it is equal to everything."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError("a chunk is never compared")

    __hash__ = None  # type: ignore[assignment]


def giver() -> Giver:
    return Giver()


async def test_a_snapshot_is_put_back_with_the_chunks_of_now() -> None:
    jobs, giving, shelf = current_jobs(), giver(), Shelf()
    old, middle, young = (given_by(giving) for _ in range(3))
    shelf.chunk, shelf.forgotten, shelf.number = old, middle, 1
    shelf.chunks.append(young)
    held, fixed = shelf.chunks, shelf.fixed
    snapshot = Snapshot([shelf], jobs)
    assert set(snapshot.references()) == {Reference(0, 0), Reference(0, 1), Reference(0, 2)}
    shelf.chunk, shelf.forgotten, shelf.number, shelf.fixed = None, None, 5, "new"
    shelf.chunks.extend("xy")
    snapshot.restore([["1", "2", "3"]], [], jobs)
    assert (shelf.chunk, shelf.forgotten, list(shelf.chunks), shelf.number) == ("1", "2", ["3"], 1)
    assert shelf.chunks is held
    assert shelf.fixed == "new" != fixed


async def test_a_snapshot_is_put_back_with_the_chunks_of_a_queue_of_many() -> None:
    jobs, giving, shelf = current_jobs(), giver(), Shelf()
    giving.count = 1
    shelf.chunk = Tagged(giving, 0)
    shelf.chunks.extend(Tagged(giving, number) for number in (1, 2))
    snapshot = Snapshot([shelf], jobs)
    assert list(snapshot.references()) == [Reference(0, 0), Reference(0, -1), Reference(0, -2)]
    snapshot.restore([["taken"]], [["first", "second"]], jobs)
    assert (shelf.chunk, list(shelf.chunks)) == ("taken", ["first", "second"])


async def test_a_container_is_made_where_there_was_none() -> None:
    jobs, shelf = current_jobs(), Shelf()
    shelf.forgotten = deque([1])
    snapshot = Snapshot([shelf], jobs)
    shelf.forgotten = None
    snapshot.restore([], [], jobs)
    assert shelf.forgotten == deque([1])


async def test_all_chunks_are_marked_and_none_is_compared() -> None:
    jobs, giving, shelf = current_jobs(), giver(), Shelf()
    chunk, other = Odd(), Odd()
    shelf.chunk = chunk
    shelf.chunks.append(other)
    assert all(a is b for a, b in zip(tag([shelf], giving), [chunk, other], strict=True))
    one = Snapshot([shelf], jobs)
    assert list(one.references()) == [Reference(0, 1), Reference(0, 0)]
    assert one.equals(Snapshot([shelf], jobs))
    shelf.number = 1
    assert not one.equals(Snapshot([shelf], jobs))


async def test_a_queued_job_is_part_of_the_state() -> None:
    jobs, shelf = current_jobs(), Shelf()
    snapshot = Snapshot([shelf], jobs)
    jobs.push(asyncio.get_running_loop().get_debug)
    assert not snapshot.equals(Snapshot([shelf], jobs))
