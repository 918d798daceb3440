"""What is found, by whom, and that observing touches nothing."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from tests.grids import each_of, each_row
from webstreams import (
    CompressionStream,
    DecompressionStream,
    Promise,
    ReadableStream,
    TextDecoderStream,
    TransformStream,
    WritableStream,
    channel,
    compose,
    concat,
    from_blocking_iterable,
    from_bytes,
    merge,
    to_callable,
    zip_streams,
)
from webstreams.observe import Pipeline, label, observe, terminal, web
from webstreams.observe._stages import STAGES
from webstreams.observe._watched import PIPELINES


def names(pipeline: Pipeline) -> list[str]:
    return [stage.name for stage in pipeline.stages]


def chain_of_stages() -> tuple[list[Any], Any]:
    """A pipeline, every object of it that can be observed, and the promise."""
    source = ReadableStream.from_([b"spam", b"eggs"])
    gzip, gunzip, text = CompressionStream("gzip"), DecompressionStream("gzip"), TextDecoderStream()
    sink = to_callable(str)
    label(sink, "sink")
    ends = [source, gzip, gunzip, text, gzip.readable, gunzip.writable, sink]
    piping = source.pipe_through(gzip).pipe_through(gunzip).pipe_through(text).pipe_to(sink)
    return [*ends, piping], piping


@each_of(index=range(8))
async def test_the_whole_pipeline_is_found_from_any_of_its_parts(index: int) -> None:
    subjects, piping = chain_of_stages()
    observed = observe(subjects[index])
    assert names(observed) == ["source", "CompressionStream", "DecompressionStream", "TextDecoderStream", "sink"]
    await piping
    stages = observed.stages
    assert [stage.state for stage in stages] == ["closed"] * 5
    assert stages[0].size_out == 8
    assert (stages[1].size_in, stages[3].size_out, stages[4].size_in) == (8, 8, 8)


async def test_stages_that_join_later_are_found_before_their_first_chunk() -> None:
    source = ReadableStream.from_(range(5))
    observed = observe(source, name="growing")
    assert names(observed) == ["source"]
    result = source.pipe_through(TransformStream()).map(str)
    left, right = result.tee()
    assert await left.list() == ["0", "1", "2", "3", "4"]
    assert await right.take(2).list() == ["0", "1"]
    stages = {stage.name: stage for stage in observed.stages}
    assert list(stages) == ["source", "transform", "str", "branch 1", "branch 2", "take"]
    assert [stage.chunks_out for stage in stages.values()][:4] == [5, 5, 5, 5]


async def test_what_writes_to_a_stream_later_is_found() -> None:
    sink = WritableStream({"write": lambda chunk, controller: None})
    observed = observe(sink)
    await ReadableStream.from_(["abc"]).pipe_to(sink)
    assert names(observed) == ["source", "sink"]
    assert [stage.chunks_out or stage.chunks_in for stage in observed.stages] == [1, 1]


class Tools:
    def double(self, number: int) -> int:
        return 2 * number

    async def check(self, number: int) -> int:
        return number


def numbers() -> Iterator[int]:
    yield from range(5)


async def test_a_source_in_a_thread_is_one_stage_that_is_called_as_what_it_iterates() -> None:
    stream = from_blocking_iterable(numbers())
    observed = observe(stream)
    assert await stream.list() == list(range(5))
    assert [(stage.name, stage.kind, stage.chunks_out) for stage in observed.stages] == [("numbers", "source", 5)]


async def test_methods_are_called_by_their_own_names() -> None:
    tools = Tools()
    stream = ReadableStream.from_(range(5)).map(tools.double).map(tools.check, concurrency=2)
    observed = observe(stream)
    assert await stream.list() == [0, 2, 4, 6, 8]
    assert names(observed) == ["source", "double", "check"]


async def test_a_composed_pair_is_all_of_its_stages() -> None:
    pair = compose(CompressionStream("gzip"), DecompressionStream("gzip"))
    observed = observe(pair)
    await ReadableStream.from_([b"spam"]).pipe_through(pair).bytes()
    assert names(observed) == ["source", "CompressionStream", "DecompressionStream"]


async def test_a_pair_of_the_users_is_one_stage() -> None:
    waiting: list[Any] = []
    readable: ReadableStream[Any] = ReadableStream({"start": waiting.append})
    writable: WritableStream[Any] = WritableStream(
        {
            "write": lambda chunk, controller: waiting[0].enqueue(chunk * 2),
            "close": lambda: waiting.pop().close(),
        }
    )

    class Doubling:
        def __init__(self) -> None:
            self.readable, self.writable = readable, writable

    doubled = ReadableStream.from_([1, 2]).pipe_through(Doubling())
    observed = observe(doubled)
    assert await doubled.list() == [2, 4]
    assert [(stage.kind, stage.chunks_in, stage.chunks_out) for stage in observed.stages] == [
        ("source", 0, 2),
        ("transform", 2, 2),
    ]


async def test_bytes_are_counted_in_both_ways_of_giving_them() -> None:
    stream = from_bytes([b"spam", b"eggs"])
    observed = observe(stream)
    with stream.get_reader(mode="byob") as reader:
        result = await reader.read(bytearray(8), min=8)
    assert bytes(result.value or b"") == b"spameggs"
    assert observed.stages[-1].size_out == 8


async def test_each_operator_of_a_chain_counts_what_it_gives() -> None:
    stream = ReadableStream.from_(range(8)).flat_map(lambda each: [each, each]).drop(2).filter(bool).batched(3)
    observed = observe(stream)
    assert len(await stream.list()) == 5
    assert [(stage.name, stage.chunks_in, stage.chunks_out) for stage in observed.stages] == [
        ("source", 0, 8),
        ("flat_map", 8, 16),
        ("drop", 16, 14),
        ("bool", 14, 14),
        ("batched", 14, 5),
    ]


async def test_a_pipeline_over_an_asynchronous_iterable_ends() -> None:
    async def items() -> AsyncIterator[int]:
        for number in range(3):
            await asyncio.sleep(0)
            yield number

    piping = ReadableStream.from_(items()).pipe_to(to_callable(str))
    observed = observe(piping)
    await piping
    assert observed.is_over
    assert [stage.chunks_out or stage.chunks_in for stage in observed.stages] == [3, 3]


async def test_a_transform_stream_whose_writable_side_has_ended() -> None:
    """As a program of the corpus has it: the readable side still has a chunk."""

    def begin(controller: Any) -> None:
        controller.enqueue("spam")
        controller.terminate()

    stream: TransformStream[Any, Any] = TransformStream({"start": begin}, readable_strategy={"high_water_mark": 3})
    await asyncio.sleep(0)
    observed = observe(stream.readable)
    assert await stream.readable.list() == ["spam"]
    assert [(stage.kind, stage.state) for stage in observed.stages] == [("transform", "errored")]


async def test_nothing_is_locked_read_or_kept() -> None:
    pulls: list[int] = []
    stream: ReadableStream[int] = ReadableStream({"pull": lambda controller: pulls.append(1)}, {"high_water_mark": 0})
    observed = observe(stream)
    await asyncio.sleep(0)
    assert not stream.locked
    assert not pulls
    assert names(observed) == ["<lambda>"] or names(observed) == ["source"]
    writer = WritableStream().get_writer()
    await writer.close()


async def test_many_pipelines_leave_nothing() -> None:
    """Ten thousand of them: ``python -m tests.observe.hundred``."""

    def make(count: int) -> Callable[[], Any]:
        async def run() -> None:
            for _ in range(count):
                piping = ReadableStream.from_([1]).map(str).pipe_through(TransformStream()).pipe_to(WritableStream())
                observe(piping, name="many")
                await piping

        return run

    await make(100)()
    gc.collect()
    before, pipelines, stages = len(gc.get_objects()), len(PIPELINES), len(STAGES)
    for _ in range(4):
        await make(100)()
        gc.collect()
    assert len(gc.get_objects()) < before + 400
    assert len(PIPELINES) <= pipelines + 2
    assert len(STAGES) <= stages + 8


async def test_a_pipeline_outlives_its_streams_only_in_numbers() -> None:
    async def run() -> Pipeline:
        piping = ReadableStream.from_([b"spam"]).pipe_to(WritableStream())
        observed = observe(piping, name="short")
        await piping
        return observed

    observed = await run()
    gc.collect()
    assert [stage.state for stage in observed.stages] == ["closed", "closed"]
    assert observed.stages[0].size_out == 4
    assert observed.bottleneck is None or observed.bottleneck.name
    assert repr(observed) == "<Pipeline 'short', 2 stages>"


async def test_the_loop_is_busy_and_another_thread_looks() -> None:
    stream = ReadableStream.from_(range(10)).pipe_through(TransformStream())
    observed = observe(stream, name="busy")
    seen: list[Any] = []
    asked, answered = threading.Event(), threading.Event()

    def look() -> None:
        asked.wait(30)
        seen.append((observed.stages, observed.bottleneck, observed.tree()))
        answered.set()

    thread = threading.Thread(target=look)
    thread.start()

    def hold(chunk: int) -> None:
        asked.set()
        assert answered.wait(30)

    await stream.for_each(hold)
    thread.join()
    (stages, _, tree) = seen[0]
    assert [stage.name for stage in stages][:2] == ["source", "transform"]
    assert tree.startswith("busy\n")


async def test_errors_are_shown_and_noted_as_without_it() -> None:
    def fail(chunk: int, controller: Any) -> None:
        raise ValueError("spam")

    stream = ReadableStream.from_([1]).pipe_through(TransformStream({"transform": fail}))
    observed = observe(stream)
    with pytest.raises(ValueError, match="spam") as caught:
        await stream.list()
    assert any("in the stage" in note and "fail" in note for note in caught.value.__notes__)
    stage = observed.stages[1]
    assert (stage.name, stage.state, stage.error, stage.desired_size) == ("fail", "errored", caught.value, None)


async def test_a_codec_that_works_in_a_thread_is_busy() -> None:
    chunks = [os.urandom(300_000) for _ in range(8)]
    stream = ReadableStream.from_(chunks).pipe_through(CompressionStream("gzip"))
    observed = observe(stream)
    await stream.pipe_to(WritableStream())
    assert observed.bottleneck is not None
    assert observed.bottleneck.name == "CompressionStream"
    assert observed.stages[1].busy > 0.5


@each_of(wrong=[None, 1, "stream", [1]])
async def test_anything_else_is_a_mistake(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"observe\(\) needs a ReadableStream"):
        observe(wrong)
    with pytest.raises(TypeError, match=r"label\(\) needs a ReadableStream"):
        label(wrong, "name")


async def test_a_promise_of_something_else_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="the promise of their end or a pair"):
        observe(Promise.resolve(None))


async def later(chunk: Any) -> Any:
    await asyncio.sleep(0)
    return chunk


def _numbers() -> ReadableStream[Any]:
    return ReadableStream.from_(range(4))


@each_row(
    ("made", "expected"),
    [
        (lambda: merge(_numbers(), _numbers()), [(0, 4), (0, 4), (8, 8)]),
        (lambda: concat(_numbers(), _numbers()), [(0, 4), (0, 4), (8, 8)]),
        (lambda: zip_streams(_numbers(), _numbers()), [(0, 4), (0, 4), (8, 4)]),
        (lambda: _numbers().batched(3, seconds=60), [(0, 4), (4, 2)]),
        (lambda: _numbers().map(str).throttled(100, 1).map(str), [(0, 4), (4, 4), (4, 4), (4, 4)]),
        (lambda: _numbers().filter(bool).debounced(0.001), [(0, 4), (4, 3), (3, 1)]),
        (lambda: _numbers().filter(bool).map(later, concurrency=2).map(str), [(0, 4), (4, 3), (3, 3), (3, 3)]),
    ],
)
async def test_what_a_stage_is_handed_and_what_it_gives(
    made: Callable[[], ReadableStream[Any]], expected: list[tuple[int, int]]
) -> None:
    stream = made()
    observed = observe(stream)
    await stream.pipe_to(WritableStream())
    assert [(stage.chunks_in, stage.chunks_out) for stage in observed.stages[:-1]] == expected


async def test_for_each_with_several_calls_behind_an_operator() -> None:
    ending = _numbers().filter(bool).for_each(later, concurrency=2)
    observed = observe(ending)
    await ending
    assert [(stage.chunks_in, stage.chunks_out) for stage in observed.stages] == [(0, 4), (4, 3), (3, 0)]


async def test_a_channel_has_its_name() -> None:
    writable, _ = channel(policy="drop-oldest")
    assert names(observe(writable)) == ["channel()"]


async def test_a_name_has_to_be_one() -> None:
    with pytest.raises(TypeError, match="name must be a str"):
        observe(WritableStream(), name=1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="needs the name as a str"):
        label(WritableStream(), "")


async def test_a_log_names_the_bottleneck_and_warns_once_when_nothing_moves(caplog: pytest.LogCaptureFixture) -> None:
    going_on = asyncio.Event()

    async def stuck(chunk: int) -> None:
        await going_on.wait()

    piping = ReadableStream.from_(range(3)).pipe_to(to_callable(stuck))
    observed = observe(piping, name="orders")
    with caplog.at_level(logging.INFO, "tests.observe"):
        logged = observed.log(logging.getLogger("tests.observe"), 0.02, stalled=0.05)
        while not (warnings := [record for record in caplog.records if record.levelno == logging.WARNING]):
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        going_on.set()
        await piping
        await logged
    assert warnings == [record for record in caplog.records if record.levelno == logging.WARNING]
    assert re.fullmatch(r"orders: nothing has moved for \d+ s; it waits for the stage stuck", warnings[0].getMessage())
    assert "held up by stuck" in caplog.records[1].getMessage()
    assert caplog.records[-1].getMessage().startswith("orders: 3 chunks")


@each_row(("interval", "error"), [(0, ValueError), (-1, ValueError), (float("inf"), ValueError), ("1", TypeError)])
async def test_an_interval_is_a_positive_number(interval: Any, error: type[Exception]) -> None:
    observed = observe(ReadableStream())
    looks: list[Callable[[], Any]] = [
        lambda: observed.watch(interval),
        lambda: observed.log(logging.getLogger("tests.observe"), interval),
        lambda: observed.log(logging.getLogger("tests.observe"), stalled=interval),
        lambda: terminal.show(observed, interval=interval),
        lambda: web.app(observed, interval=interval),
    ]
    for look in looks:
        with pytest.raises(error, match=r"^(interval|stalled) must be"):
            look()


async def test_a_logger_has_to_be_one() -> None:
    with pytest.raises(TypeError, match=r"logger must be a logging\.Logger, not str"):
        observe(ReadableStream()).log("tests.observe")  # type: ignore[arg-type]


async def test_a_watch_has_a_period_of_its_own() -> None:
    piping = ReadableStream.from_(range(20)).pipe_to(to_callable(lambda number: asyncio.sleep(0.01)))
    observed = observe(piping, name="numbers")
    snapshots = []
    async for snapshot in observed.watch(0.03):
        snapshots.append(snapshot)
        assert observed.stages
    assert len(snapshots) > 2
    assert snapshots[-1].stages[-1].chunks_in == 20
    assert all(snapshot.name == "numbers" for snapshot in snapshots)
    await piping


async def test_what_attributes_of_users_objects_mean_is_not_guessed() -> None:
    class Source:
        """Has names that objects of the package have, too."""

        _hub = _inputs = _chunks = _codec = _producer = ledger = channels = readable = writable = 1

        def __init__(self) -> None:
            self.left = 20

        def pull(self, controller: Any) -> None:
            self.left -= 1
            controller.enqueue(b"spam") if self.left else controller.close()

    class Sink:
        _function = _workers = overlapping = readable = writable = 1

        def write(self, chunk: Any, controller: Any) -> None:
            """Take it."""

    stream: ReadableStream[bytes] = ReadableStream(Source())
    piping = stream.pipe_through(TransformStream()).pipe_to(WritableStream(Sink()))
    observed = observe(piping)
    await piping
    assert names(observed) == ["Source", "transform", "Sink"]
    assert observed.stages[2].chunks_in == 19


async def test_a_stage_keeps_its_label_when_its_streams_are_gone() -> None:
    async def observed() -> Any:
        numbers = ReadableStream.from_(range(3))
        label(numbers, "numbers")
        through: TransformStream[Any, Any] = TransformStream()
        label(through, "through")
        piping = numbers.pipe_through(through).pipe_to(WritableStream())
        pipeline = observe(piping)
        await piping
        return pipeline

    pipeline = await observed()
    gc.collect()
    assert [stage.name for stage in pipeline.stages][:2] == ["numbers", "through"]
