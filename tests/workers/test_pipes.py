"""Pipes into workers: small chunks are taken at once, without a write for each; all others are written, in order."""

from __future__ import annotations

from typing import Any

import pytest

from webstreams import ReadableStream
from webstreams.observe import observe
from webstreams.workers import worker, workers
from webstreams.workers._sending import SMALL

from . import functions

pytestmark = pytest.mark.usefixtures("from_nursery")

KINDS = ("process", "thread")
MIXED = [b"small", b"x" * (SMALL + 1), 1, b"", "text", bytearray(b"changes"), b"small", ["pickled"], b"last"] * 20


def written(stage: Any) -> list[Any]:
    """Return what is written to a stage from now on."""
    chunks: list[Any] = []
    sink = stage.writable._controller._sink
    write = sink.write

    def note(chunk: Any, controller: Any) -> Any:
        chunks.append(chunk)
        return write(chunk, controller)

    sink.write = note
    return chunks


def several_at_once() -> ReadableStream[Any]:
    """A source that gives chunks in threes: some wait in its queue, and some are given to a read that waits."""
    chunks = list(MIXED)

    def pull(controller: Any) -> None:
        for _ in range(3):
            controller.enqueue(chunks.pop(0))
        if not chunks:
            controller.close()

    return ReadableStream({"pull": pull})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("window", [1, 2, 16])
@pytest.mark.parametrize("source", [lambda: ReadableStream.from_(MIXED), several_at_once])
async def test_chunks_that_are_taken_and_chunks_that_are_written_keep_their_order(
    kind: Any, count: int, window: int, source: Any
) -> None:
    async with workers(functions.same, count=count, kind=kind, window=window) as stage:
        assert await source().pipe_through(stage).list() == MIXED


@pytest.mark.parametrize("kind", KINDS)
async def test_few_of_the_small_chunks_of_a_pipe_are_written(kind: Any) -> None:
    async with worker(functions.same, kind=kind) as stage:
        chunks = written(stage)
        assert await ReadableStream.from_([b"small"] * 320).pipe_through(stage).list() == [b"small"] * 320
    # The first one of a window goes at once, and the last one waits for room.
    assert len(chunks) < 160


async def test_what_was_written_before_the_pipe_stays_ahead_of_it() -> None:
    async with worker(functions.same, kind="thread", window=2) as stage:
        writer = stage.writable.get_writer()
        promises = [writer.write(number) for number in range(5)]
        writer.release_lock()
        assert await ReadableStream.from_([5, 6, 7]).pipe_through(stage).list() == list(range(8))
        for promise in promises:
            await promise


async def test_a_stage_that_is_observed_counts_every_chunk() -> None:
    async with worker(functions.same, kind="thread") as stage:
        piped = ReadableStream.from_([b"small"] * 100).pipe_through(stage)
        observed = observe(piped)
        assert await piped.list() == [b"small"] * 100
        assert [each.chunks_in for each in observed.stages if each.name == "same"] == [100]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_pipe_whose_source_fails_ends_the_worker(kind: Any) -> None:
    def fails() -> Any:
        yield from [b"small"] * 40
        raise KeyError("from the source")

    async with worker(functions.same, kind=kind) as stage:
        with pytest.raises(KeyError, match="from the source"):
            await ReadableStream.from_(fails()).pipe_through(stage).list()
