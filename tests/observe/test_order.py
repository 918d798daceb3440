"""Observing changes the order of nothing: random programs give the same logs with it and without it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import product
from typing import Any, Literal

import pytest

from tests.differential import corpus
from tests.differential.compare import difference
from tests.differential.run_python import Machine
from tests.fastpath import programs
from tests.fastpath.compare import on_the_plain_path
from tests.fastpath.programs import CHECK, OFF, ON, Dice, Program, piped, piped_together, run
from tests.grids import each_of
from tests.shares import share_of
from webstreams import ReadableStream, TransformStream, WritableStream
from webstreams.observe import Pipeline, observe
from webstreams.observe._counts import Counts
from webstreams.observe._pipeline import watched_by
from webstreams.observe._stages import Stage

# Every so many programs of the corpus; all of them are run by ``python -m tests.observe.hundred``.
EVERY = 8
SEEDS = range(12)


class Objects(dict[str, Any]):
    """The objects of a program, each stream of which is observed as soon as it is there."""

    def __init__(self) -> None:
        super().__init__()
        self.pipelines: list[Pipeline] = []

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        if isinstance(value, (ReadableStream, WritableStream, TransformStream)):
            self.pipelines.append(observe(value))


def run_observed(program: Any) -> list[str]:
    """Run a program in a loop of its own and return its log."""
    machine = Machine()
    machine.objects = objects = Objects()
    loop = asyncio.new_event_loop()
    try:
        log: list[str] = loop.run_until_complete(machine.run(program))
        for pipeline in objects.pipelines:
            assert all(abs(stage.busy + stage.blocked + stage.starved - 1) < 1e-6 for stage in pipeline.stages)
        return log
    finally:
        loop.close()


def records(every: int) -> list[Any]:
    return [record for name in corpus.SIZES for record in corpus.load(name)[::every]]


@each_of(record=records(EVERY))
def test_a_program_of_the_reference_implementation(record: Any) -> None:
    program = record["program"]
    assert difference(program, run_observed(program), record["log"]) is None


class ObservedPipeline(programs.RandomPipeline):
    """Every part is observed when it is made; sometimes once more later."""

    def source(self) -> ReadableStream[Any]:
        stream = super().source()
        self.pipeline = observe(stream)
        return stream

    def transform(self, name: str) -> TransformStream[Any, Any]:
        stream = super().transform(name)
        observe(stream)
        return stream

    def sink(self, name: str) -> WritableStream[Any]:
        stream = super().sink(name)
        observe(stream)
        return stream


@pytest.mark.parametrize("mode", [ON, CHECK])
@pytest.mark.parametrize("program", [piped, piped_together])
def test_a_program_for_the_fast_path(mode: str, program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """And pipelines that are observed still take the fast path, and their chunks are counted there."""
    periods = 0
    seeds = share_of(SEEDS)
    for seed in seeds:
        plain, _ = on_the_plain_path(seed, asyncio.new_event_loop, program)
        with monkeypatch.context() as patch:
            patch.setattr(programs, "RandomPipeline", ObservedPipeline)
            observed = run(Dice(seed), asyncio.new_event_loop, mode, program)
        assert observed.log == plain.log, seed
        assert not observed.differences
        periods += observed.periods
    assert periods > (100 if seeds == SEEDS else 10)


@each_of(mode=[OFF, ON, CHECK])
@each_of(kind=["plain", "coroutine", "identity", "items"])
def test_chunks_are_counted_on_both_paths(mode: str, kind: str) -> None:
    async def main() -> list[Stage]:
        with programs.fast_paths(mode):
            stream = source(kind).pipe_through(TransformStream() if kind == "identity" else through(kind))
            piping = stream.pipe_to(WritableStream({"write": lambda chunk, controller: None}))
            pipeline = observe(piping)
            await piping
            assert mode == OFF or programs.periods() > 100
            return watched_by(pipeline).stages

    counts: list[Counts] = [stage.counts for stage in asyncio.run(main())]
    assert [each.chunks_out for each in counts] == [200, 200, 0]
    assert [each.chunks_in for each in counts] == [0, 200, 200]
    assert [each.size_out for each in counts] == [800, 800, 0]
    assert [each.size_in for each in counts] == [0, 800, 800]


def give(item: int, controller: Any) -> None:
    controller.enqueue(item)


async def give_later(item: int, controller: Any) -> None:
    controller.enqueue(item)


class EverySecond:
    """Leaves out every second chunk."""

    def __init__(self) -> None:
        self._is_wanted = False

    def transform(self, item: int, controller: Any) -> None:
        self._is_wanted = not self._is_wanted
        if self._is_wanted:
            controller.enqueue(item)


def give_twice(item: int, controller: Any) -> None:
    controller.enqueue(item)
    controller.enqueue(item)


# What makes a transformer, and how many times as many chunks that gives.
TRANSFORMS: list[tuple[Callable[[], Any], float]] = [
    (dict, 1),
    (lambda: {"transform": give}, 1),
    (lambda: {"transform": give_later}, 1),
    (EverySecond, 0.5),
    (lambda: {"transform": give_twice}, 2),
]
CHUNKS = 72


class Counting:
    """Gives so many chunks at a time."""

    def __init__(self, at_a_time: int) -> None:
        self._at_a_time = at_a_time
        self._given = 0

    def pull(self, controller: Any) -> None:
        for _ in range(self._at_a_time):
            controller.enqueue(self._given)
            self._given += 1
        if self._given == CHUNKS:
            controller.close()


class CountingInBytes(Counting):
    """Gives chunks of bytes."""

    type: Literal["bytes"] = "bytes"

    def pull(self, controller: Any) -> None:
        self._given += 1
        controller.enqueue(b"%d" % self._given)
        if self._given == CHUNKS:
            controller.close()


SOURCES: dict[str, Callable[[], ReadableStream[Any]]] = {
    "items": lambda: ReadableStream.from_(range(CHUNKS)),
    "one at a time": lambda: ReadableStream(Counting(1)),
    "three at a time": lambda: ReadableStream(Counting(3)),
    "ahead": lambda: ReadableStream(Counting(1), {"high_water_mark": 4}),
    "bytes": lambda: ReadableStream(CountingInBytes(1)),
}


async def pipe(stream: ReadableStream[Any]) -> None:
    await stream.pipe_to(WritableStream({"write": lambda chunk, controller: None}))


async def loop(stream: ReadableStream[Any]) -> None:
    async for _ in stream:
        pass


async def collect(stream: ReadableStream[Any]) -> None:
    await stream.list()


async def tee(stream: ReadableStream[Any]) -> None:
    one, other = stream.tee()
    await asyncio.gather(pipe(one), loop(other))


@each_of(end=[pipe, loop, collect, tee])
@each_of(name=SOURCES)
def test_every_chunk_is_counted_once(name: str, end: Callable[[Any], Any]) -> None:
    """The fast path begins and ends while chunks are between stages, and calls nothing for the branches of a tee."""
    asyncio.run(count_chunks(name, end))


async def count_chunks(name: str, end: Callable[[Any], Any]) -> None:
    for (first, one), (second, other) in share_of([*product(TRANSFORMS, TRANSFORMS)]):
        stream = SOURCES[name]()
        for make in (first, second):
            stream = stream.pipe_through(TransformStream(make()))
        pipeline = observe(stream)
        await end(stream)
        stages = pipeline.stages
        given = [CHUNKS, CHUNKS * one, CHUNKS * one * other]
        assert [stage.chunks_out for stage in stages[:3]] == given
        assert [stage.chunks_in for stage in stages[1:3]] == given[:2]
        branches = [stage.chunks_out for stage in stages if stage.kind == "branch"]
        assert branches == ([given[2]] * 2 if end is tee else [])


def source(kind: str) -> ReadableStream[bytes]:
    """Two hundred chunks of four bytes."""
    left = iter([b"spam"] * 200)

    def pull(controller: Any) -> None:
        chunk = next(left, None)
        if chunk is None:
            controller.close()
        else:
            controller.enqueue(chunk)

    async def pull_later(controller: Any) -> None:
        pull(controller)

    if kind == "items":
        return ReadableStream.from_(left)
    return ReadableStream({"pull": pull_later if kind == "coroutine" else pull})


def through(kind: str) -> TransformStream[bytes, bytes]:
    def transform(chunk: bytes, controller: Any) -> None:
        controller.enqueue(chunk)

    async def transform_later(chunk: bytes, controller: Any) -> None:
        controller.enqueue(chunk)

    return TransformStream({"transform": transform_later if kind == "coroutine" else transform})
