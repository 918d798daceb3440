"""The bottleneck by name, and the shares: pipelines whose costs are known, under a clock that only the test moves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from webstreams import (
    ReadableStream,
    TransformStream,
    WritableStream,
    from_producer,
    generator_transform,
    merge,
    pipeline,
    share,
    to_callable,
)
from webstreams.observe import Pipeline, Snapshot, StageStatistics, label, observe
from webstreams.observe._look import Look

from .support import Clock

COUNT = 200
US = 1e-6
MS = 1e-3


def by_name(pipeline: Pipeline) -> dict[str, StageStatistics]:
    """The stages, whose shares add up to all of the time."""
    stages = {stage.name: stage for stage in pipeline.stages}
    for stage in stages.values():
        assert stage.busy + stage.blocked + stage.starved == pytest.approx(1)
        assert min(stage.busy, stage.blocked, stage.starved) >= 0
    return stages


def named(pipeline: Pipeline) -> str | None:
    slowest = pipeline.bottleneck
    return None if slowest is None else slowest.name


def transform(function: Any) -> TransformStream[Any, Any]:
    return TransformStream({"transform": lambda chunk, controller: controller.enqueue(function(chunk))})


def slow_transform(clock: Clock, seconds: float) -> TransformStream[Any, Any]:
    async def work(chunk: Any, controller: Any) -> None:
        await clock.sleep(seconds)
        controller.enqueue(chunk)

    return TransformStream({"transform": work})


@pytest.mark.parametrize(
    ("costs", "expected"),
    [((20, 60, 20), "middle"), ((60, 20, 20), "items"), ((20, 20, 60), "last"), ((5, 10, 30), "last")],
)
async def test_synchronous_stages(clock: Clock, costs: tuple[int, int, int], expected: str) -> None:
    """They hold the event loop in turn: each is busy with its own part."""
    source, middle, sink = (cost * US for cost in costs)
    stage = transform(clock.working(middle))
    label(stage, "middle")
    last = to_callable(clock.working(sink))
    label(last, "last")
    piping = ReadableStream.from_(clock.items(COUNT, source)).pipe_through(stage).pipe_to(last)
    observed = observe(piping)
    await piping
    assert named(observed) == expected
    stages = by_name(observed)
    assert [stages[name].busy for name in ("items", "middle", "last")] == [
        pytest.approx(cost / sum(costs), abs=0.02) for cost in costs
    ]
    assert stages["items"].chunks_out == stages["middle"].chunks_in == stages["last"].chunks_in == COUNT
    assert stages["items"].blocked == pytest.approx(1 - costs[0] / sum(costs), abs=0.02)
    assert stages["last"].starved == pytest.approx(1 - costs[2] / sum(costs), abs=0.02)


@pytest.mark.parametrize(
    ("costs", "expected"),
    [((1, 5, 1), "middle"), ((5, 1, 1), "arrivals"), ((1, 1, 5), "wait"), ((4, 1, 3), "arrivals")],
)
async def test_sleeping_coroutines(clock: Clock, costs: tuple[int, int, int], expected: str) -> None:
    """They wait side by side: the slowest sets the pace."""
    source, middle, sink = (cost * MS for cost in costs)
    stage = slow_transform(clock, middle)
    label(stage, "middle")
    last = to_callable(clock.waiting(sink))
    piping = ReadableStream.from_(clock.arrivals(50, source)).pipe_through(stage).pipe_to(last)
    observed = observe(piping)
    began = clock.now
    await clock.drive(piping)
    assert named(observed) == expected
    stages = by_name(observed)
    passed = clock.now - began
    for name, cost in zip(("arrivals", "middle", "wait"), (source, middle, sink), strict=True):
        assert stages[name].busy == pytest.approx(50 * cost / passed, abs=0.02)
    if expected != "arrivals":
        assert stages["arrivals"].starved < 0.02
    else:
        assert stages["wait"].blocked < 0.02


async def test_a_slow_sink_blocks_all_before_it(clock: Clock) -> None:
    piping = ReadableStream.from_(range(50)).pipe_through(transform(str)).pipe_to(to_callable(clock.waiting(MS)))
    observed = observe(piping)
    await clock.drive(piping)
    assert named(observed) == "wait"
    stages = observed.stages
    assert [stage.blocked > 0.9 for stage in stages] == [True, True, False]
    assert stages[-1].busy == pytest.approx(1, abs=0.05)


async def test_a_source_that_has_ended_holds_nobody_up(clock: Clock) -> None:
    """Its last chunks are still on their way: a look at what has passed since finds that it has waited for nothing."""
    look = Look()
    shown: list[Snapshot] = []

    async def write(number: int) -> None:
        await clock.sleep(20 * MS)
        if number > 6:
            assert not observed.is_over
            shown.append(look.take(observed._watched))
        if number == 9:
            asyncio.get_running_loop().call_soon(clock.spend, 20 * MS)  # before the end is noticed

    stream = ReadableStream.from_(range(10))
    for _ in range(4):
        stream = stream.pipe_through(TransformStream())
    piping = stream.pipe_to(to_callable(write))
    observed = observe(piping)
    await clock.drive(piping)
    assert [each.bottleneck and each.bottleneck.name for each in shown] == ["write"] * 3
    assert [each.stages[0].starved for each in shown[1:]] == [0, 0]
    assert observed.is_over
    last = look.take(observed._watched, is_last=True)
    assert last.bottleneck is not None and last.bottleneck.name == "write"


async def test_work_that_holds_the_loop_beside_a_wait_for_the_network(clock: Clock) -> None:
    """While the one works, nobody sees that the others are done: they look busy, and do not hold it up."""

    async def work(chunk: Any, controller: Any) -> None:
        clock.spend(5 * MS)
        controller.enqueue(chunk)

    stage = TransformStream({"transform": work})
    label(stage, "work")
    piping = ReadableStream.from_(clock.arrivals(50, MS)).pipe_through(stage).pipe_to(to_callable(clock.waiting(MS)))
    observed = observe(piping)
    await clock.drive(piping)
    assert named(observed) == "work"
    assert by_name(observed)["work"].busy > 0.6


async def test_a_source_that_holds_the_loop_and_a_sink_that_waits_shorter(clock: Clock) -> None:
    """The sink's write is always pending, because nobody looks before the source has returned."""
    piping = ReadableStream.from_(clock.items(50, 5 * MS)).pipe_to(to_callable(clock.waiting(MS)))
    observed = observe(piping)
    await clock.drive(piping)
    assert named(observed) == "items"


async def test_a_tee_with_a_slow_branch(clock: Clock) -> None:
    quick, slow = ReadableStream.from_(range(50)).tee()
    pipes = quick.pipe_to(to_callable(clock.working(0))), slow.pipe_to(to_callable(clock.waiting(MS)))
    observed = observe(pipes[0])
    await clock.drive(asyncio.gather(*pipes))
    assert named(observed) == "wait"
    stages = by_name(observed)
    assert [stage.kind for stage in stages.values()].count("branch") == 2
    assert stages["branch 2"].blocked > 0.9
    assert stages["wait"].busy == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(("call", "sink", "expected"), [(40, 1, "wait"), (20, 10, "wait 2")])
async def test_a_map_with_several_calls(clock: Clock, call: int, sink: int, expected: str) -> None:
    """It is busy by as much as calls run of those that may: four calls of 20 ms take 5 ms for a chunk."""
    mapped = ReadableStream.from_(range(100)).map(clock.waiting(call * MS), concurrency=4)
    piping = mapped.pipe_to(to_callable(clock.waiting(sink * MS)))
    observed = observe(piping)
    await clock.drive(piping)
    assert named(observed) == expected
    stages = by_name(observed)
    pace = max(call / 4, sink)
    assert stages["wait"].busy == pytest.approx(call / 4 / pace, abs=0.1)
    assert stages["wait 2"].busy == pytest.approx(sink / pace, abs=0.1)


async def test_calls_that_run_and_that_wait(clock: Clock) -> None:
    mapped = ReadableStream.from_(range(100)).map(clock.waiting(MS), concurrency=2)
    observed = observe(mapped)
    reading = asyncio.ensure_future(clock.drive(mapped.take(4).list()))
    for _ in range(20):
        await asyncio.sleep(0)
    stage = by_name(observed)["wait"]
    assert (stage.running, stage.waiting) == (2, 1)
    assert await reading == [0, 1, 2, 3]


@pytest.mark.parametrize(("sink", "expected"), [(5, "wait"), (0, "arrivals 2")])
async def test_a_merge_of_unequal_streams(clock: Clock, sink: int, expected: str) -> None:
    """Both sources wait all the time, one of them longer for a chunk; a slow sink holds up both."""
    merged = merge(ReadableStream.from_(clock.arrivals(200, 2 * MS)), ReadableStream.from_(clock.arrivals(40, 10 * MS)))
    piping = merged.pipe_to(to_callable(clock.waiting(sink * MS)))
    observed = observe(piping)
    await clock.drive(piping)
    assert named(observed) == expected
    stages = by_name(observed)
    assert stages["merge"].chunks_out == stages["wait"].chunks_in == 240


async def test_operators_by_their_functions(clock: Clock) -> None:
    async def parse(chunk: int) -> int:
        await clock.sleep(2 * MS)
        return chunk

    def check(chunk: int) -> bool:
        clock.spend(MS)
        return chunk % 2 == 0

    stream = ReadableStream.from_(range(100)).map(lambda chunk: chunk + 1).filter(check).map(parse)
    summing = stream.reduce(lambda total, chunk: total + chunk, 0)
    observed = observe(stream)
    assert await clock.drive(summing) == sum(range(2, 101, 2))
    stages = by_name(observed)
    assert list(stages) == ["source", "map", "check", "parse", "reduce"]
    assert [stage.chunks_in for stage in stages.values()] == [0, 100, 100, 50, 50]
    assert [stage.chunks_out for stage in stages.values()][:1] == [100]
    assert stages["check"].busy == pytest.approx(0.5, abs=0.05)
    assert stages["parse"].busy == pytest.approx(0.5, abs=0.05)
    assert stages["map"].blocked > 0.9
    assert stages["reduce"].kind == "sink"


async def test_each_and_its_calls_are_a_sink(clock: Clock) -> None:
    ending = ReadableStream.from_(range(20)).for_each(clock.waiting(MS), concurrency=2)
    observed = observe(ending)
    await clock.drive(ending)
    assert [(stage.name, stage.kind, stage.chunks_in) for stage in observed.stages] == [
        ("source", "source", 0),
        ("wait", "sink", 20),
    ]
    assert named(observed) == "wait"


@pytest.mark.parametrize(("source", "work", "expected"), [(1, 4, "double"), (4, 1, "arrivals")])
async def test_a_generator_transform(clock: Clock, source: int, work: int, expected: str) -> None:
    """While its generator waits for a chunk, it has nothing to do."""

    async def double(chunks: Any) -> Any:
        async for chunk in chunks:
            await clock.sleep(work * MS)
            yield 2 * chunk

    stream = ReadableStream.from_(clock.arrivals(40, source * MS)).pipe_through(generator_transform(double))
    reading = stream.list()
    observed = observe(stream)
    await clock.drive(reading)
    assert named(observed) == expected
    stages = by_name(observed)
    assert list(stages) == ["arrivals", "double"]
    assert stages["double"].chunks_in == stages["double"].chunks_out == 40


async def test_a_producer_that_is_slow(clock: Clock) -> None:
    async def produce(writer: Any) -> None:
        for number in range(20):
            await clock.sleep(MS)
            await writer.write(number)

    piping = from_producer(produce).pipe_to(to_callable(clock.working(0)))
    observed = observe(piping)
    await clock.drive(piping)
    assert named(observed) == "produce"
    assert by_name(observed)["produce"].chunks_out == 20


async def test_a_pipeline_by_its_promise(clock: Clock) -> None:
    async def double(chunks: Any) -> Any:
        async for chunk in chunks:
            yield 2 * chunk

    promise = pipeline(range(30), double, transform(str), sink=clock.waiting(MS))
    observed = observe(promise, name="numbers")
    await clock.drive(promise)
    assert [stage.kind for stage in observed.stages] == ["source", "transform", "transform", "sink"]
    assert (observed.name, named(observed)) == ("numbers", "wait")


async def test_a_shared_stream_and_what_its_subscriptions_lose(clock: Clock) -> None:
    shared = share(ReadableStream.from_(clock.arrivals(50, MS)), policy="drop-oldest", high_water_mark=4)
    quick, slow = shared.subscribe(), shared.subscribe()
    label(slow, "archive")
    pipes = quick.pipe_to(to_callable(clock.working(0))), slow.pipe_to(to_callable(clock.waiting(5 * MS)))
    observed = observe(quick)
    await clock.drive(asyncio.gather(*pipes))
    stages = by_name(observed)
    assert stages["archive"].kind == "branch"
    assert stages["archive"].lost == slow.lost > 10
    assert stages["archive"].chunks_out + slow.lost == 50


async def test_none_when_nobody_reads(clock: Clock) -> None:
    stream = ReadableStream.from_(clock.arrivals(10, MS)).pipe_through(transform(str))
    observed = observe(stream)
    await clock.drive(clock.sleep(1))
    assert observed.bottleneck is None
    assert all(stage.busy < 0.05 for stage in observed.stages)


async def test_none_when_the_reader_is_slow(clock: Clock) -> None:
    """The one who holds it up is no stage."""

    async def read() -> None:
        async for _ in stream:
            await clock.sleep(10 * MS)

    stream = ReadableStream.from_(clock.arrivals(20, MS)).pipe_through(transform(str))
    observed = observe(stream)
    await clock.drive(read())
    assert observed.bottleneck is None


async def test_a_source_that_is_pushed_and_gives_nothing(clock: Clock) -> None:
    """It has no ``pull()``: nobody can tell what it does, but that all others wait for it."""
    controllers: list[Any] = []
    source: ReadableStream[int] = ReadableStream({"start": controllers.append})
    piping = source.pipe_to(WritableStream())
    observed = observe(piping)
    for number in range(10):
        await clock.drive(clock.sleep(MS))
        controllers[0].enqueue(number)
    controllers[0].close()
    await clock.drive(piping)
    stages = observed.stages
    assert observed.bottleneck is not None
    assert observed.bottleneck.kind == "source"
    assert stages[0].starved > 0.9
    assert stages[0].chunks_out == 10


async def test_shares_are_of_the_time_since_the_last_look(clock: Clock) -> None:
    stream = ReadableStream.from_(clock.arrivals(100, MS))
    observed = observe(stream)
    reader = stream.get_reader()
    for _ in range(20):
        await clock.drive(reader.read())
    assert observed.stages[0].busy > 0.9
    await clock.drive(clock.sleep(1))
    assert observed.stages[0].blocked > 0.9
    # An immediate look shows the same period, and the bottleneck is no look.
    assert observed.stages[0].blocked > 0.9
    for _ in range(20):
        await clock.drive(reader.read())
    assert observed.bottleneck is not None
    assert observed.stages[0].busy > 0.9
