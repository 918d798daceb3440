"""`pipeline` and `compose`: from any source through any stages into any sink, and everything that ends them."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from tests.faults.helpers import failure, quiet, read_all, reason, soon, turns
from tests.grids import each_of, each_row
from webstreams import (
    AbortController,
    AbortSignal,
    ReadableStream,
    TransformStream,
    WritableStream,
    compose,
    pipeline,
)

from .support import Silent, Source, nothing_alive

ERROR = ValueError("a reason")
REASON = object()


async def double(numbers: AsyncIterator[int]) -> AsyncIterator[int]:
    async for number in numbers:
        yield 2 * number


async def first_three(numbers: AsyncIterator[int]) -> AsyncIterator[int]:
    count = 0
    async for number in numbers:
        yield number
        count += 1
        if count == 3:
            return


async def failing(numbers: AsyncIterator[int]) -> AsyncIterator[int]:
    async for number in numbers:
        if number == 5:
            raise ERROR
        yield number


def fail_at_five(number: int, controller: Any) -> None:
    if number == 5:
        raise ERROR
    controller.enqueue(number)


class Sink:
    """Records what it gets, and how it ends."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.chunks: list[Any] = []
        self.ends: list[Any] = []
        self.fail_at = fail_at
        self.stream: WritableStream[Any] = WritableStream(self)

    def write(self, chunk: Any, controller: Any) -> None:
        if chunk == self.fail_at:
            raise ERROR
        self.chunks.append(chunk)

    def close(self) -> None:
        self.ends.append("closed")

    def abort(self, reason: object) -> None:
        self.ends.append(reason)


async def asynchronously(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


def generator(count: int) -> Iterator[int]:
    yield from range(count)


SOURCES: dict[str, Callable[[], Any]] = {
    "range": lambda: range(10),
    "generator": lambda: generator(10),
    "async generator": lambda: asynchronously(10),
    "stream": lambda: Source(10).stream,
}
STAGES: dict[str, Callable[[], list[Any]]] = {
    "none": list,
    "a generator": lambda: [double],
    "a pair": lambda: [TransformStream()],
    "several": lambda: [TransformStream(), double, TransformStream(), double],
}


@each_of(source=SOURCES)
@each_of(stages=STAGES)
async def test_everything_goes_through(source: str, stages: str) -> None:
    factor = {"none": 1, "a generator": 2, "a pair": 1, "several": 4}[stages]
    sink, chunks = Sink(), list[int]()
    await soon(pipeline(SOURCES[source](), *STAGES[stages](), sink=sink.stream))
    await soon(pipeline(SOURCES[source](), *STAGES[stages](), sink=chunks.append))
    assert sink.chunks == chunks == [factor * number for number in range(10)]
    assert sink.ends == ["closed"]
    assert not sink.stream.locked
    await nothing_alive()


async def test_a_coroutine_function_as_sink_is_waited_for() -> None:
    running, most, chunks = 0, 0, list[int]()

    async def take(number: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await turns(2)
        chunks.append(number)
        running -= 1

    await soon(pipeline(range(5), double, sink=take))
    assert (chunks, most) == ([0, 2, 4, 6, 8], 1)


# Everything that ends it: one error, all ends free.


@each_of(stages=STAGES)
async def test_an_error_of_the_source(stages: str) -> None:
    source, sink = Source(3, error=ERROR), Sink()
    with quiet():
        assert await failure(pipeline(source.stream, *STAGES[stages](), sink=sink.stream)) is ERROR
    assert (source.cancelled, sink.ends) == ([], [ERROR])
    assert not sink.stream.locked
    await nothing_alive(source)


@each_of(stage=["generator", "transformer"])
@each_of(before=STAGES)
@each_of(after=STAGES)
async def test_an_error_of_a_stage(stage: str, before: str, after: str) -> None:
    source, sink = Source(), Sink()
    bad: Any = failing if stage == "generator" else TransformStream({"transform": fail_at_five})
    if before in {"a generator", "several"}:
        source.next = 5  # twice five is not five
        bad = TransformStream({"transform": lambda chunk, controller: fail_at_five(5, controller)})
    with quiet():
        promise = pipeline(source.stream, *STAGES[before](), bad, *STAGES[after](), sink=sink.stream)
        assert await failure(promise) is ERROR
    assert (source.cancelled, sink.ends) == ([ERROR], [ERROR])
    assert not sink.stream.locked
    await nothing_alive(source)


@each_of(stages=STAGES)
async def test_an_error_of_the_sink(stages: str) -> None:
    source, sink = Source(), Sink(fail_at=8)
    with quiet():
        assert await failure(pipeline(source.stream, *STAGES[stages](), sink=sink.stream)) is ERROR
    assert source.cancelled == [ERROR]
    await nothing_alive(source)


@each_of(stages=STAGES)
async def test_it_is_settled_when_the_source_has_cancelled(stages: str) -> None:
    gate = asyncio.Event()
    source: ReadableStream[int] = ReadableStream(
        {"pull": lambda controller: controller.enqueue(8), "cancel": lambda reason: gate.wait()}
    )
    promise = pipeline(source, *STAGES[stages](), sink=lambda chunk: 1 / 0)
    await turns(100)
    assert not promise.done()
    gate.set()
    assert isinstance(await failure(promise), ZeroDivisionError)
    assert not source.locked


@each_of(stages=STAGES)
@each_of(abort_reason=[ERROR, REASON])
@each_of(moment=[0, 1, 3, 10])
async def test_its_signal(stages: str, abort_reason: Any, moment: int) -> None:
    source, sink, controller = Source(), Sink(), AbortController()
    with quiet():
        promise = pipeline(source.stream, *STAGES[stages](), sink=sink.stream, signal=controller.signal)
        await turns(moment)
        controller.abort(abort_reason)
        assert await reason(promise) is abort_reason
    assert (source.cancelled, sink.ends) == ([abort_reason], [abort_reason])
    await nothing_alive(source)


@each_of(stages=STAGES)
async def test_a_signal_that_is_aborted_before(stages: str) -> None:
    source, sink = Source(), Sink()
    with quiet():
        promise = pipeline(source.stream, *STAGES[stages](), sink=sink.stream, signal=AbortSignal.abort(ERROR))
        assert await failure(promise) is ERROR
    assert (source.given, source.cancelled, sink.ends) == (0, [ERROR], [ERROR])
    await nothing_alive(source)


@each_of(stages=STAGES)
@each_of(kind=[Source, Silent])
@each_of(moment=[1, 3, 10])
async def test_the_task_that_awaits_it_is_cancelled(stages: str, kind: type[Source], moment: int) -> None:
    source, sink = kind(), Sink()
    with quiet():
        task = asyncio.ensure_future(_wait(pipeline(source.stream, *STAGES[stages](), sink=sink.stream)))
        await turns(moment)
        task.cancel()
        await soon(asyncio.wait([task]))
    assert task.cancelled()
    assert [len(source.cancelled), len(sink.ends)] == [1, 1]
    assert sink.ends != ["closed"]
    assert not sink.stream.locked
    await nothing_alive(source)


@each_of(place=[0, 1, 2])
async def test_the_task_is_cancelled_while_a_stage_waits_for_something_that_does_not_come(place: int) -> None:
    cancelled: list[int] = []

    async def wait(chunk: int, controller: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(chunk)

    source, sink = Source(), Sink()
    pairs = [TransformStream[int, int]({"transform": wait} if index == place else None) for index in range(3)]
    task = asyncio.ensure_future(_wait(pipeline(source.stream, *pairs, sink=sink.stream)))
    await turns(20)
    task.cancel()
    await soon(asyncio.wait([task]))
    assert task.cancelled()
    assert cancelled == [0]
    assert [len(source.cancelled), len(sink.ends)] == [1, 1]
    await nothing_alive(source)


async def _wait(promise: Any) -> None:
    await promise


@each_of(before=STAGES)
@each_of(after=STAGES)
async def test_a_stage_that_ends_early_is_a_success(before: str, after: str) -> None:
    source, sink = Source(), Sink()
    with quiet():
        await soon(pipeline(source.stream, *STAGES[before](), first_three, *STAGES[after](), sink=sink.stream))
    assert (len(sink.chunks), sink.ends) == (3, ["closed"])
    assert len(source.cancelled) == 1
    await nothing_alive(source)


async def test_a_transformer_that_terminates() -> None:
    source, sink = Source(), Sink()
    with quiet():
        stage = TransformStream[int, int]({"transform": lambda chunk, controller: controller.terminate()})
        await soon(pipeline(source.stream, stage, sink=sink.stream))
    assert (sink.chunks, sink.ends, len(source.cancelled)) == ([], ["closed"], 1)
    await nothing_alive(source)


async def test_backpressure_reaches_the_source() -> None:
    source, gate = Source(100), asyncio.Event()
    promise = pipeline(source.stream, TransformStream(), double, sink=lambda chunk: gate.wait())
    await turns(100)
    assert 0 < source.given < 10
    assert not promise.done()
    gate.set()
    await soon(promise)
    assert source.given == 100
    await nothing_alive(source)


async def test_a_rejection_that_nobody_looks_at_is_reported_once(reported: list[dict[str, Any]]) -> None:
    pipeline(Source(0, error=ERROR).stream, sink=print)
    await turns(20)
    gc.collect()
    assert [each["exception"] for each in reported] == [ERROR]
    assert "pipeline()" in reported[0]["message"]


# What is refused, before anything starts.


async def coroutine_function(chunk: Any) -> None: ...


@each_row(
    ("arguments", "message"),
    [
        ((None,), "the source must be a stream or an iterable, not NoneType"),
        ((coroutine_function,), "not the function coroutine_function: call it"),
        (("text",), "the source is a str"),
        ((b"bytes",), "the source is a bytes"),
        (([1], None), "stage 1 must have"),
        (([1], TransformStream), "stage 1 must have"),
        (([1], double, 3), "stage 2 must have"),
        (([1], coroutine_function), "stage 1 must be a function of all the chunks"),
        (([1], double, lambda chunks: 3), "stage 2 must be a function of all the chunks"),
    ],
)
async def test_what_is_no_source_or_stage_is_refused(arguments: Any, message: str) -> None:
    sink = Sink()
    with pytest.raises(TypeError, match=message):
        pipeline(*arguments, sink=sink.stream)
    assert not sink.stream.locked
    assert sink.ends == []


@each_row(
    ("sink", "message"),
    [
        (None, "sink must be a WritableStream or a function"),
        ([], "sink must be a WritableStream or a function"),
        (list, "sink must be a WritableStream or a function"),
        (double, "an asynchronous generator function is a stage"),
    ],
)
async def test_what_is_no_sink_is_refused(sink: Any, message: str) -> None:
    source = Source()
    with pytest.raises(TypeError, match=message):
        pipeline(source.stream, TransformStream(), sink=sink)
    assert source.given == 0
    await nothing_alive(source)


async def test_a_generator_is_not_touched_by_a_refused_call() -> None:
    numbers = generator(3)
    with pytest.raises(TypeError):
        pipeline(numbers, 3, sink=print)  # type: ignore[call-overload]
    assert list(numbers) == [0, 1, 2]


async def test_a_signal_that_is_none_is_refused() -> None:
    source = Source()
    with pytest.raises(TypeError, match="signal must be an AbortSignal or None, not AbortController"):
        pipeline(source.stream, sink=print, signal=AbortController())  # type: ignore[call-overload]
    await nothing_alive(source)


async def test_locked_and_repeated_streams_are_refused_and_nothing_else_is_locked() -> None:
    source, sink, stage = Source(), Sink(), TransformStream[int, int]()
    with source.stream.get_reader(), pytest.raises(TypeError, match=r"pipeline.* is locked to"):
        pipeline(source.stream, stage, sink=sink.stream)
    writer = sink.stream.get_writer()
    with pytest.raises(TypeError, match=r"pipeline.* is locked to"):
        pipeline(source.stream, stage, sink=sink.stream)
    writer.release_lock()
    with pytest.raises(TypeError, match="twice"):
        pipeline(source.stream, stage, stage, sink=sink.stream)
    with pytest.raises(TypeError, match="twice"):
        compose(stage, double, stage)
    ends = (source.stream, stage.readable, stage.writable, sink.stream)
    assert [each.locked for each in ends] == [False] * 4
    await nothing_alive(source)


# compose().


async def test_a_composed_pair_is_one_stage() -> None:
    pair: Any = compose(TransformStream(), double, compose(double), TransformStream())
    assert await read_all(ReadableStream.from_(range(4)).pipe_through(pair)) == [0, 4, 8, 12]
    assert repr(pair).startswith("<composed pair from <WritableStream")
    await nothing_alive()


async def test_of_nothing_chunks_pass_unchanged() -> None:
    assert await read_all(ReadableStream.from_(range(4)).pipe_through(compose())) == [0, 1, 2, 3]


@each_of(end=["source", "stage", "cancel", "abort"])
async def test_errors_go_through_a_composed_pair_both_ways(end: str) -> None:
    source = Source(3, error=ERROR) if end == "source" else Source()
    stage: TransformStream[int, int] = TransformStream({"transform": fail_at_five} if end == "stage" else None)
    pair = compose(TransformStream[int, int](), stage, TransformStream[int, int]())
    controller = AbortController()
    with quiet():
        stream = source.stream.pipe_through(pair, signal=controller.signal)
        reader = stream.get_reader()
        if end == "cancel":
            await soon(reader.read())
            await soon(reader.cancel(ERROR))
        else:
            if end == "abort":
                controller.abort(ERROR)
            with pytest.raises(ValueError, match="a reason"):
                while True:
                    await soon(reader.read())
        reader.release_lock()
        await turns(20)
    assert source.cancelled == ([] if end == "source" else [ERROR])
    await nothing_alive(source)


async def test_what_cannot_be_composed_is_refused() -> None:
    stage: TransformStream[int, int] = TransformStream()
    with pytest.raises(TypeError, match=r"compose\(\): stage 2 must have"):
        compose(stage, 3)  # type: ignore[call-overload]
    assert not stage.readable.locked
    writer = stage.writable.get_writer()
    with pytest.raises(TypeError, match="is locked to"):
        compose(stage)
    writer.release_lock()
