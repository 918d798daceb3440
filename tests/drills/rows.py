"""The tables of the drills: every source, sink and transform of the library, and how it comes into each state.

A row is a name and a coroutine function, which makes the stream in the loop of the drill:

    @sink("file")
    async def file(drill: Drill) -> WritableStream[Any]: ...

`drill.state` says how the pipe is to be when it is ended:

- "stalled": it has begun and does not get on: this end does not go on, ever (the other one would);
- "running": it gets on, for ever;
- "not begun": no chunk has come or gone yet: the other end sees to that; this one is as in "running".

What belongs to the other side (a peer, a child, a thread) is there when the loop has ended: it is undone by
``drill.peers.callback(...)``. A sink says by ``drill.published = function`` how it shows if somebody could take what
has passed for the whole: the function is called when all is over, and has to give something false. Files that a sink
writes go into `drill.out`, which has to be empty in the end. With ``threads=1`` a row may leave a thread that is
blocked. With ``has_generators=True`` it reads asynchronous generators of somebody else's, which asyncio closes when its
loop ends: it reports each of them that is running, beside the one report of ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from webstreams import ReadableStream, WritableStream

Kind = Literal["source", "sink", "transform"]
State = Literal["stalled", "running", "not begun"]
STATES: tuple[State, ...] = ("stalled", "running", "not begun")


@dataclass
class Drill:
    """One pipe that will be ended."""

    state: State
    folder: Path
    peers: ExitStack = field(default_factory=ExitStack)
    published: Callable[[], object] = bool

    def __post_init__(self) -> None:
        self.out.mkdir(parents=True)

    @property
    def out(self) -> Path:
        """Where sinks write."""
        return self.folder / "out"

    @property
    def is_stalled(self) -> bool:
        """Whether the end of this row does not get on."""
        return self.state == "stalled"


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    kind: Kind
    name: str
    make: Callable[[Drill], Awaitable[Any]]
    states: tuple[State, ...]
    threads: int
    has_generators: bool

    @property
    def table(self) -> str:
        """The module that it is in."""
        return self.make.__module__

    def __str__(self) -> str:
        return f"{self.kind}-{self.name}"


ROWS: dict[str, Row] = {}

Made = Callable[[Drill], Awaitable[Any]]
Register = Callable[[Made], Made]


def _register(kind: Kind, name: str, states: tuple[State, ...], threads: int, has_generators: bool = False) -> Register:
    def register(make: Made) -> Made:
        row = Row(kind, name, make, states, threads, has_generators)
        assert str(row) not in ROWS, f"there are two rows of the name {row}"
        ROWS[str(row)] = row
        return make

    return register


def source(
    name: str, *, states: tuple[State, ...] = STATES, threads: int = 0, has_generators: bool = False
) -> Register:
    """Add a row: a function that gives a readable stream."""
    return _register("source", name, states, threads, has_generators)


def sink(name: str, *, states: tuple[State, ...] = STATES, threads: int = 0) -> Register:
    """Add a row: a function that gives a writable stream."""
    return _register("sink", name, states, threads)


def transform(name: str, *, states: tuple[State, ...] = STATES, threads: int = 0) -> Register:
    """Add a row: a function that gives a pair, which is between a source of bytes that always has more and a file."""
    return _register("transform", name, states, threads)


BYTES = (b"some bytes " * 10 + b"\n") * 10


def endless() -> ReadableStream[bytes]:
    """A source that always has more."""
    return ReadableStream({"pull": lambda controller: controller.enqueue(BYTES)})


def silent() -> ReadableStream[bytes]:
    """A source that has nothing yet."""
    return ReadableStream[bytes]()


def closed_door() -> WritableStream[Any]:
    """A sink that has not begun."""

    async def start(controller: Any) -> None:
        await asyncio.Event().wait()

    return WritableStream({"start": start})
