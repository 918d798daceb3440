"""Pipes into workers: small chunks are taken at once, without a write for each; all others are written, in order."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any

import pytest

from tests.grids import each_of, each_row
from webstreams import AbortController, Promise, ReadableStream, queue_microtask
from webstreams.observe import observe
from webstreams.workers import worker, workers
from webstreams.workers._sending import SMALL

from . import functions

pytestmark = pytest.mark.usefixtures("from_nursery")

KINDS = ("process", "thread")
MIXED = [b"small", b"x" * (SMALL + 1), 1, b"", "text", bytearray(b"changes"), b"small", ["pickled"], b"last"] * 12


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


@pytest.mark.parametrize("kind", KINDS)  # processes are left out by the mutants
@each_of(count=[1, 2])
@each_of(window=[1, 2, 16])
@each_of(source=[lambda: ReadableStream.from_(MIXED), several_at_once])
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


# Items of an iterator are asked for one after the other while the worker takes them: as if each came by itself.

QUEUED = 24


class Touching:
    """An iterator that logs when it is asked, and does something else each time: what the plain path must show, too."""

    def __init__(self, log: list[Any], touch: Any) -> None:
        self.log = log
        self.touch = touch
        self.number = 0

    def __iter__(self) -> Touching:
        return self

    def __next__(self) -> bytes:
        self.number += 1
        if self.number > QUEUED:
            raise StopIteration
        self.log.append(f"asked {self.number}")
        self.touch(self)
        return b"%d" % self.number


def touch_nothing(items: Touching) -> None:
    """Only give the item."""


def queue_a_job(items: Touching) -> None:
    """Queue a job at some items."""
    if items.number % 3 == 1:
        number = items.number
        queue_microtask(lambda: items.log.append(f"job {number}"))


def queue_jobs_of_jobs(items: Touching) -> None:
    """Queue jobs that take longer than one item does on the plain path."""

    def again(left: int) -> None:
        items.log.append(f"job {number}")
        if left:
            queue_microtask(again, left - 1)

    number = items.number
    if number % 5 == 2:
        queue_microtask(again, 7)


def fail(items: Touching) -> None:
    """Raise in the midst."""
    if items.number == 7:
        raise KeyError("item 7")


def abort(items: Touching) -> None:
    """Abort the pipe in the midst: `controller` is set by the test."""
    if items.number == 7:
        items.controller.abort(KeyError("aborted"))  # type: ignore[attr-defined]


async def log_of(touch: Any, window: int, kind: Any, many: bool, reads: str) -> list[Any]:
    """Pipe an iterator into a worker and out of it; return what happened in which order, as far as that is certain."""
    log: list[Any] = []
    async with worker(functions.same, kind=kind, window=window) as stage:
        items = Touching(log, touch)
        items.controller = controller = AbortController()  # type: ignore[attr-defined]
        source = ReadableStream.from_(items)
        await asyncio.sleep(0)
        piped = source.pipe_to(stage.writable, signal=controller.signal)
        log.append("piped")
        given = source._controller._source  # type: ignore[attr-defined]
        assert given.takes is not None
        if not many:
            given.takes = None
        received: list[Any] = []
        try:
            if reads == "list":
                received += await stage.readable.list()
            else:
                async for chunk in stage.readable:
                    received.append(chunk)
        except KeyError as error:
            received.append(str(error))
        try:
            await piped
        except KeyError as error:
            log.append(str(error))
        if touch not in (fail, abort):
            assert received == [b"%d" % number for number in range(1, QUEUED + 1)]
    return log


@each_row(
    ("kind", "window", "touch"),
    [
        *itertools.product(["thread"], [1, 3, 16, 32], [touch_nothing, queue_a_job, fail, abort]),
        *itertools.product(["process"], [16], [touch_nothing, queue_a_job, fail, abort]),
        ("thread", 32, queue_jobs_of_jobs),  # when the worker makes room does not count
    ],
)
@each_of(reads=["list", "for"])
async def test_an_iterator_cannot_tell_that_its_items_are_taken_at_once(
    kind: Any, window: int, touch: Any, reads: str
) -> None:
    plain = await log_of(touch, window, kind, False, reads)
    assert plain[0] == "piped"
    assert await log_of(touch, window, kind, True, reads) == plain


async def test_nothing_is_asked_for_within_pipe_to() -> None:
    log: list[Any] = []
    async with worker(functions.same, kind="thread") as stage:
        source = ReadableStream.from_(Touching(log, touch_nothing))
        await asyncio.sleep(0.01)  # both have started
        piped = source.pipe_to(stage.writable)
        assert log == []
        assert len(await stage.readable.list()) == QUEUED
        await piped


async def test_an_iterator_that_takes_its_time_does_not_keep_other_tasks_waiting() -> None:
    log: list[Any] = []

    def slowly(items: Touching) -> None:
        time.sleep(0.01)  # longer than a turn of jobs may take

    async def tick() -> None:
        while True:
            log.append("tick")
            await asyncio.sleep(0)

    async with worker(functions.same, kind="thread", window=32) as stage:
        ticking = asyncio.create_task(tick())
        assert len(await ReadableStream.from_(Touching(log, slowly)).pipe_through(stage).list()) == QUEUED
        ticking.cancel()
    # The clock is looked at now and then.
    in_a_row = [len(list(group)) for entry, group in itertools.groupby(log, lambda entry: entry == "tick") if not entry]
    assert max(in_a_row) <= QUEUED // 2


async def test_an_iterator_that_has_lost_its_pipe_is_asked_as_always() -> None:
    log: list[Any] = []
    async with worker(functions.same, kind="thread", window=2) as stage:
        source = ReadableStream.from_(Touching(log, touch_nothing))
        controller = AbortController()
        piped = source.pipe_to(stage.writable, signal=controller.signal, prevent_cancel=True)
        reader = stage.readable.get_reader()
        assert (await reader.read()).value == b"1"
        controller.abort(KeyError("enough"))
        with pytest.raises(KeyError):
            await piped
        asked = len(log)
        with source.get_reader() as rest:
            assert (await rest.read()).value == b"%d" % (asked + 1)
            await asyncio.sleep(0.01)
            assert len(log) == asked + 1


@pytest.mark.parametrize("many", [False, True])
async def test_a_task_that_awaits_what_is_settled_goes_on_between_two_items(many: bool) -> None:
    log: list[Any] = []
    async with worker(functions.same, kind="thread", window=32) as stage:
        source = ReadableStream.from_(Touching(log, touch_nothing))
        await asyncio.sleep(0.01)  # both have started
        piped = source.pipe_to(stage.writable)
        given = source._controller._source  # type: ignore[attr-defined]
        if not many:
            given.takes = None
        for _ in range(20):
            await Promise.resolve(None)
            log.append("goes on")
        # It never waits while several items are asked for.
        assert "asked 3" in log
        assert not any("asked" in before and "asked" in after for before, after in itertools.pairwise(log))
        assert len(await stage.readable.list()) == QUEUED
        await piped


async def test_items_that_are_awaited_are_awaited() -> None:
    def items() -> Any:
        for number in range(0, 40, 2):
            yield b"%d" % number
            yield Promise.resolve(b"%d" % (number + 1))

    async with worker(functions.same, kind="thread") as stage:
        chunks = await ReadableStream.from_(items()).pipe_through(stage).list()
    assert chunks == [b"%d" % number for number in range(40)]


async def test_a_source_that_is_observed_counts_every_item() -> None:
    async with worker(functions.same, kind="thread") as stage:
        source = ReadableStream.from_([b"small"] * 100)
        observed = observe(source)
        assert await source.pipe_through(stage).list() == [b"small"] * 100
        assert observed.stages[0].chunks_out == 100
