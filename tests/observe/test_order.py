"""Observing changes the order of nothing: random programs give the same logs with it and without it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.differential import corpus
from tests.differential.compare import difference
from tests.differential.run_python import Machine
from tests.fastpath import programs
from tests.fastpath.programs import CHECK, OFF, ON, Dice, Program, piped, piped_together, run
from webstreams import ReadableStream, TransformStream, WritableStream
from webstreams.observe import Pipeline, observe
from webstreams.observe._counts import Counts
from webstreams.observe._pipeline import watched_by
from webstreams.observe._stages import Stage

# Every so many programs of the corpus; all of them are run by ``python -m tests.observe.hundred``.
EVERY = 8
SEEDS = range(40)


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


@pytest.mark.parametrize("record", records(EVERY), ids=lambda record: str(record["program"]["seed"]))
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
    for seed in SEEDS:
        plain = run(Dice(seed), asyncio.new_event_loop, OFF, program)
        with monkeypatch.context() as patch:
            patch.setattr(programs, "RandomPipeline", ObservedPipeline)
            observed = run(Dice(seed), asyncio.new_event_loop, mode, program)
        assert observed.log == plain.log, seed
        assert not observed.differences
        periods += observed.periods
    assert periods > 100


@pytest.mark.parametrize("mode", [OFF, ON, CHECK])
@pytest.mark.parametrize("kind", ["plain", "coroutine", "identity", "items"])
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
    assert [each.chunks_out for each in counts] == [500, 500, 0]
    assert [each.chunks_in for each in counts] == [0, 500, 500]
    assert [each.size_out for each in counts] == [2000, 2000, 0]
    assert [each.size_in for each in counts] == [0, 2000, 2000]


def source(kind: str) -> ReadableStream[bytes]:
    """Five hundred chunks of four bytes."""
    left = iter([b"spam"] * 500)

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
