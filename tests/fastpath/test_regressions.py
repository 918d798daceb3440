"""Programs in which the fast path once differed from the plain path, each with what was wrong."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.grids import each_of, each_row
from webstreams import Promise, ReadableStream, TransformStream, WritableStream, queue_microtask
from webstreams._engine import jobs as _jobs
from webstreams._engine.jobs import current_jobs
from webstreams._fastpath import policy
from webstreams._fastpath.ends import ReadEnd

from .pipelines import assert_alike, mapping, numbers, on_both_paths
from .programs import fast_paths, periods

LAST = 300


def filled(count: int, mark: float, log: list[Any]) -> ReadableStream[Any]:
    """A stream with so many chunks in its queue, whose source gives numbers after them."""
    given = iter(range(LAST))

    def start(controller: Any) -> None:
        for number in range(count):
            controller.enqueue(("first", number))

    def pull(controller: Any) -> None:
        log.append(("pull", controller.desired_size))
        controller.enqueue(next(given))

    return ReadableStream({"start": start, "pull": pull}, {"high_water_mark": mark})


def test_a_period_without_callbacks_is_no_end_of_a_run_of_coroutines() -> None:
    """The run repeated the end of the period before it: one of the chunks of a full queue was lost."""

    async def program() -> list[Any]:
        log: list[Any] = []

        def start(controller: Any) -> None:
            for number in range(60):
                controller.enqueue(number)
            controller.close()

        async def transform(chunk: int, controller: Any) -> None:
            log.append(("transform", chunk))
            controller.enqueue(chunk)

        async def write(chunk: int, controller: Any) -> None:
            log.append(("write", chunk))

        count = iter(range(60))

        async def pull(controller: Any) -> None:
            number = next(count, None)
            controller.close() if number is None else controller.enqueue(("beside", number))

        stream: ReadableStream[Any] = ReadableStream({"start": start})
        stream = stream.pipe_through(mapping(transform))
        for _ in range(4):
            stream = stream.pipe_through(TransformStream())
        beside: ReadableStream[Any] = ReadableStream({"pull": pull}, {"high_water_mark": 0})
        sinks = [WritableStream({"write": write}) for _ in range(2)]
        await asyncio.gather(stream.pipe_to(sinks[0]), beside.pipe_to(sinks[1]))
        log.append(periods() > 30)
        return log

    assert_alike(program)


@pytest.mark.parametrize("mark", [0, 1, 5])
def test_the_jobs_after_a_full_queue_are_scheduled(mark: int) -> None:
    """A full queue queues no jobs. When it was empty, nobody ran those that the source needs."""

    async def program() -> list[Any]:
        log: list[Any] = []
        reader = filled(30, mark, log).get_reader()
        await asyncio.sleep(0)
        for _ in range(40):
            log.append((await reader.read()).value)
        reads = [reader.read(), reader.read()]
        for _ in range(3):
            log.append("turn")
            await asyncio.sleep(0)
        log += [(await read).value for read in reads]
        return log

    plain, fast = on_both_paths(program)
    assert fast == plain


@each_of(stages=[0, 1])
@each_of(mark=[32, 33, 50])
def test_a_long_queue_with_a_high_mark_that_is_closed_is_piped_to_its_end(mark: int, stages: int) -> None:
    """The end was simulated, and the pipe did not hear of it: it waited for ever."""

    async def program() -> list[Any]:
        log: list[Any] = []

        def start(controller: Any) -> None:
            for number in range(mark + 12):
                controller.enqueue(number)
            controller.close()

        stream: ReadableStream[Any] = ReadableStream({"start": start}, {"high_water_mark": mark})
        for _ in range(stages):
            stream = stream.pipe_through(mapping(lambda chunk, controller: controller.enqueue(chunk)))
        sink: WritableStream[Any] = WritableStream(
            {
                "write": lambda chunk, _: log.append(chunk),
                "close": lambda: log.append("close"),
            }
        )
        await asyncio.wait_for(stream.pipe_to(sink), timeout=30)
        return log

    plain, fast = on_both_paths(program)
    assert fast == plain == [*range(mark + 12), "close"]


@each_of(end=["pipe", "read"])
@each_row(("mark", "given"), [(0, 8), (0, 9), (11, 12), (13, 13), (16, 17), (20, 25), (32, 40), (40, 45)])
def test_many_chunks_are_more_than_the_mark(mark: int, given: int, end: str) -> None:
    """Twelve chunks were taken for a full queue, whatever its high-water mark."""

    async def program() -> list[Any]:
        log: list[Any] = []

        def transform(chunk: int, controller: Any) -> None:
            log.append(("transform", chunk, controller.desired_size))
            for number in range(given):
                controller.enqueue((chunk, number))

        stream = numbers(20).pipe_through(mapping(transform, 2, mark))
        if end == "read":
            async for chunk in stream:
                log.append(chunk)
        else:
            await stream.pipe_to(WritableStream({"write": lambda chunk, _: log.append(chunk)}))
        return log

    plain, fast = on_both_paths(program)
    assert fast == plain


@pytest.mark.parametrize("stages", [0, 1])
def test_a_chunk_that_is_none_comes_to_its_read(stages: int) -> None:
    """At a side exit it was taken for a read that had no chunk yet."""

    async def program() -> list[Any]:
        log: list[Any] = []

        def pull(controller: Any) -> None:
            controller.enqueue(None)

        stream: ReadableStream[Any] = ReadableStream({"pull": pull}, {"high_water_mark": 3})
        for _ in range(stages):
            stream = stream.pipe_through(mapping(lambda chunk, controller: controller.enqueue(chunk), 1, 2))
        iterator = stream.values()
        for number in range(60):
            item = iterator.__anext__()
            if number % 7 == 0:
                log.append(repr(item))  # leaves the run
            log.append((number, await item))
        log.append(periods() > 10)
        return log

    assert_alike(program)


def test_reads_that_are_pending_when_another_one_begins_get_their_chunks() -> None:
    """They got the marks of a simulation, if the last one was awaited first."""

    async def program() -> list[Any]:
        reader = ReadableStream.from_(range(LAST)).get_reader()
        log: list[Any] = []
        for number in range(40):
            reads = [reader.read() for _ in range(1 + number % 3)]
            log += [await each for each in reversed(reads)]
        return log

    plain, fast = on_both_paths(program)
    assert fast == plain
    assert {type(each.value) for each in fast} == {int}


def test_a_read_that_is_withdrawn_while_another_one_is_under_way_loses_no_chunk() -> None:
    """A run had begun with the first one pending, whatever became of that."""

    async def program() -> list[Any]:
        log: list[Any] = []
        gate, open_gate, _ = Promise.with_resolvers()
        count = iter(range(LAST))

        async def pull(controller: Any) -> None:
            number = next(count)
            if number == 3:
                await gate
            controller.enqueue(number)

        async def wait(read: Any) -> None:
            log.append(("waited", (await read).value))

        reader = ReadableStream({"pull": pull}, {"high_water_mark": 0}).get_reader()
        for _ in range(3):
            log.append((await reader.read()).value)
        waiting = asyncio.create_task(wait(reader.read()))
        for _ in range(3):
            await asyncio.sleep(0)
        queue_microtask(log.append, "microtask")
        await Promise.resolve(None)
        read = reader.read()
        assert current_jobs().run is None
        waiting.cancel()
        queue_microtask(open_gate, None)
        return [*log, (await read).value, waiting.cancelled()]

    plain, fast = on_both_paths(program)
    assert fast == plain == [0, 1, 2, "microtask", 3, True]


@pytest.mark.parametrize("end", ["for", "list"])
def test_a_long_queue_is_read_by_the_plain_path(end: str) -> None:
    """The run is left at the first read of the queue."""

    async def program() -> list[Any]:
        log: list[Any] = []

        def transform(chunk: int, controller: Any) -> None:
            log.append(("transform", chunk, controller.desired_size))
            for number in range(600 if chunk % 3 == 2 else 2):
                controller.enqueue((chunk, number))

        stream = numbers(60).pipe_through(mapping(transform))
        log += [chunk async for chunk in stream] if end == "for" else await stream.list()
        return log

    plain, fast = on_both_paths(program)
    assert fast == plain


# What does not repeat itself costs no more than the plain path: it is left alone.


@pytest.fixture
def _clock_that_stands(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(_jobs, "monotonic", lambda: 0.0)
    yield


@pytest.mark.usefixtures("_clock_that_stands")
async def test_streams_that_are_read_by_turns_are_left_alone() -> None:
    readers = [numbers(2001).get_reader() for _ in range(2)]
    for number in range(2000):
        for reader in readers:
            assert await reader.read() == (number, False)
    ends = [reader._consumer for reader in readers]
    for end in ends:
        assert isinstance(end, ReadEnd)
        assert end.interval >= 512
    assert periods() < 200


@pytest.mark.usefixtures("_clock_that_stands")
async def test_a_pipeline_in_which_nothing_repeats_itself_is_left_alone() -> None:
    given = 0

    def transform(chunk: int, controller: Any) -> None:
        nonlocal given
        for _ in range(hash((chunk, given)) % 7):
            given += 1
            controller.enqueue(chunk)

    stream = numbers(300)
    for _ in range(2):
        stream = stream.pipe_through(mapping(transform))
    await stream.pipe_to(WritableStream())
    found = current_jobs().policy
    assert isinstance(found, policy.TracePolicy)
    assert found._full_interval > policy.MAX_INTERVAL
    assert periods() < 300


@contextmanager
def collections_after(allocations: int) -> Iterator[Callable[[], None]]:
    """Give what has garbage collected after so many allocations from then on; before that it is not."""
    thresholds = gc.get_threshold()

    def begin() -> None:
        gc.set_threshold(allocations, 0, 0)
        gc.enable()

    gc.disable()
    gc.freeze()
    try:
        yield begin
    finally:  # what was frozen stays so, as after every few tests: nothing looks at all objects of the run again
        gc.set_threshold(*thresholds)
        gc.enable()


@pytest.mark.parametrize("copies", [1, 2])
def test_a_branch_that_is_collected_in_the_midst_of_a_run_is_cancelled(copies: int) -> None:
    """It queued a job, which a simulation dropped with its own: the source was never cancelled."""

    async def program(begin: Callable[[], None]) -> list[Any]:
        log: list[Any] = []
        dropped: ReadableStream[Any] = ReadableStream({"cancel": lambda reason: log.append("cancelled")})
        branches = [dropped.tee()]
        count = iter(range(100))

        def pull(controller: Any) -> None:
            number = next(count)
            for _ in range(copies if number == 60 else 1):
                controller.enqueue(number)
            if number == 60:
                gc.collect(0)  # the allocations are counted from here on
                branches.clear()
                begin()
            elif number == 80:
                gc.collect()
            elif number == 99:
                controller.close()

        stream: ReadableStream[int] = ReadableStream({"pull": pull})
        chunks = await stream.pipe_through(TransformStream()).list()
        for _ in range(4):
            await asyncio.sleep(0)
        return [*log, chunks == sorted([*range(100), *[60] * (copies - 1)]), periods() > 30]

    with fast_paths("1"):
        for allocations in range(1, 13):
            with collections_after(allocations) as begin:
                assert asyncio.run(program(begin)) == ["cancelled", True, True], allocations
