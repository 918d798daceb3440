"""Operators that take their chunks from a stream: they are stages of the pipeline, and nobody can tell."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.grids import each_of
from webstreams import ReadableStream, TransformStream, WritableStream
from webstreams.observe import observe

from .pipelines import assert_alike, mapping, numbers, on_both_paths
from .programs import CHECK, EMITTED, ON, fast_paths, periods

CHUNKS = 120

Stream = ReadableStream[Any]


def doubling() -> TransformStream[Any, Any]:
    return mapping(lambda chunk, controller: controller.enqueue(2 * chunk))


INPUTS: dict[str, Callable[[], Stream]] = {
    "a source": lambda: numbers(CHUNKS),
    "a transform stream": lambda: numbers(CHUNKS).pipe_through(doubling()),
    "two transform streams": lambda: (
        ReadableStream.from_(range(CHUNKS)).pipe_through(doubling()).pipe_through(doubling())
    ),
    "a generator": lambda: ReadableStream.from_(later()).pipe_through(doubling()),
    "operators, one by one": lambda: used(numbers(CHUNKS).map(lambda chunk: chunk + 1)).filter(is_odd),
}


async def later() -> Any:
    for number in range(CHUNKS):
        yield number


def used(stream: Stream) -> Stream:
    """The same stream, whose reader was there: operators behind it do not join its chain."""
    reader = stream.get_reader()
    reading: Any = reader.read()
    reading.cancel()
    reader.release_lock()
    return stream


def is_odd(chunk: int) -> bool:
    return chunk % 2 == 1


async def add_later(chunk: int) -> int:
    return chunk + 1


OPERATORS: dict[str, Callable[[Stream], Stream]] = {
    "map": lambda stream: stream.map(lambda chunk: chunk + 1),
    "map with a coroutine function": lambda stream: stream.map(add_later),
    "filter": lambda stream: stream.filter(lambda chunk: chunk % 4 < 2),
    "tap": lambda stream: stream.tap(lambda chunk: None),
    "batched": lambda stream: stream.batched(3).map(sum),
    "take": lambda stream: stream.take(CHUNKS - 40),
    "three": lambda stream: stream.map(lambda chunk: chunk + 1).filter(is_odd).map(str),
    "a stage behind": lambda stream: stream.map(lambda chunk: chunk + 1).pipe_through(doubling()),
}


async def piped(stream: Stream, log: list[Any]) -> None:
    await stream.pipe_to(WritableStream({"write": lambda chunk, _: log.append(chunk)}))


async def read(stream: Stream, log: list[Any]) -> None:
    with stream.get_reader() as reader:
        while not (result := await reader.read()).done:
            log.append(result.value)


async def iterated(stream: Stream, log: list[Any]) -> None:
    async for chunk in stream:
        log.append(chunk)


async def listed(stream: Stream, log: list[Any]) -> None:
    log += await stream.list()


async def visited(stream: Stream, log: list[Any]) -> None:
    await stream.for_each(log.append)


async def reduced(stream: Stream, log: list[Any]) -> None:
    log.append(await stream.reduce(lambda total, chunk: f"{total} {chunk}", ""))


ENDS = (piped, read, iterated, listed, visited, reduced)


@each_of(end=ENDS)
@each_of(operator=OPERATORS)
def test_operators_behind_a_transform_stream_run(operator: str, end: Callable[..., Coroutine[Any, Any, None]]) -> None:
    async def program() -> list[Any]:
        log: list[Any] = []
        await end(OPERATORS[operator](INPUTS["a transform stream"]()), log)
        return [*log, periods() > 0]

    assert assert_alike(program)


@each_of(end=[piped, read, iterated, listed])
@each_of(given=INPUTS)
def test_operators_behind_other_streams_run(given: str, end: Callable[..., Coroutine[Any, Any, None]]) -> None:
    async def program() -> list[Any]:
        log: list[Any] = []
        await end(INPUTS[given]().map(lambda chunk: chunk - 1), log)
        return [*log, periods() > 0]

    assert assert_alike(program)


@pytest.mark.parametrize("mode", [ON, EMITTED, CHECK])
def test_most_chunks_pass_in_a_run(mode: str) -> None:
    async def program() -> int:
        stream = INPUTS["a transform stream"]().map(lambda chunk: chunk + 1).filter(is_odd)
        await stream.pipe_to(WritableStream())
        return periods()

    with fast_paths(mode):
        assert asyncio.run(program()) > CHUNKS - 50


MANY: dict[str, Callable[[Stream], Stream]] = {
    "flat_map": lambda stream: stream.flat_map(lambda chunk: [chunk] * 100),
    "lines": lambda stream: stream.map(lambda chunk: f"{chunk}\n" * 100).lines(),
    "lines and more": lambda stream: stream.map(lambda chunk: f"{chunk}\n" * 10).lines().map(int).filter(is_odd),
}


@pytest.mark.parametrize("operator", ["flat_map", "lines"])
def test_a_pipe_behind_operators_that_make_many_of_one_runs(operator: str) -> None:
    """It begins there: what the operators have made is in the queue, and the stream behind them is no part."""

    async def program() -> list[Any]:
        log: list[Any] = []
        await piped(MANY[operator](numbers(30).pipe_through(doubling())), log)
        return [*log, periods() > len(log) / 2]

    assert assert_alike(program)


@each_of(end=ENDS)
@each_of(operator=MANY)
def test_operators_that_make_many_of_one_are_alike(
    operator: str, end: Callable[..., Coroutine[Any, Any, None]]
) -> None:
    async def program() -> list[Any]:
        log: list[Any] = []
        await end(MANY[operator](numbers(30).pipe_through(doubling())), log)
        return log

    plain, fast = on_both_paths(program)
    assert fast == plain


async def many_of_one(stream: Stream, log: list[Any]) -> None:
    async for chunk in stream.tap(log.append).flat_map(lambda chunk: [chunk] * (chunk % 4)):
        log.append(("given", chunk))


async def several_at_once(stream: Stream, log: list[Any]) -> None:
    async for chunk in stream.filter(lambda chunk: chunk % 4 < 2).map(add_later, concurrency=3):
        log.append(chunk)


async def that_waits(stream: Stream, log: list[Any]) -> None:
    async def wait(chunk: int) -> int:
        if chunk % 80 == 0:
            await asyncio.sleep(0)
        log.append(("called", chunk))
        return chunk

    await stream.map(wait).pipe_to(WritableStream({"write": lambda chunk, _: log.append(chunk)}))


async def that_fails(stream: Stream, log: list[Any]) -> None:
    def fail(chunk: int) -> int:
        log.append(chunk)
        return 1 // (chunk - 160)

    with pytest.raises(ZeroDivisionError):
        await stream.map(fail).for_each(log.append)


async def that_touches_the_stream(stream: Stream, log: list[Any]) -> None:
    def touch(chunk: int) -> int:
        if chunk % 30 == 0:
            log.append((repr(stream), stream.locked))
        return chunk

    async for chunk in stream.map(touch):
        log.append(chunk)


async def beside_a_branch(stream: Stream, log: list[Any]) -> None:
    first, second = stream.tee()
    pipe = second.pipe_to(WritableStream({"write": lambda chunk, _: log.append(("second", chunk))}))
    async for chunk in first.map(lambda chunk: chunk + 1):
        log.append(("first", chunk))
    await pipe


async def that_is_left(stream: Stream, log: list[Any]) -> None:
    async for chunk in stream.map(lambda chunk: chunk + 1):
        log.append(chunk)
        if chunk > 160:
            break
    log.append(stream.locked)


@each_of(given=INPUTS)
@each_of(
    program=[
        many_of_one,
        several_at_once,
        that_waits,
        that_fails,
        that_touches_the_stream,
        beside_a_branch,
        that_is_left,
    ]
)
def test_what_does_not_repeat_itself_is_alike(given: str, program: Callable[..., Coroutine[Any, Any, None]]) -> None:
    async def run() -> list[Any]:
        log: list[Any] = []
        # Only inputs whose chunks get that high fail.
        await program(
            INPUTS[given]() if program is not that_fails else numbers(200).pipe_through(TransformStream()), log
        )
        return log

    plain, fast = on_both_paths(run)
    assert len(plain) > CHUNKS // 5
    assert fast == plain


def test_chunks_are_counted_on_both_paths() -> None:
    async def program() -> list[Any]:
        stream = (
            numbers(CHUNKS).pipe_through(doubling()).map(lambda chunk: chunk + 1).filter(lambda chunk: chunk % 3 > 0)
        )
        pipe = stream.pipe_to(WritableStream())
        pipeline = observe(pipe)
        await pipe
        return [(stage.name, stage.chunks_in, stage.chunks_out) for stage in pipeline.stages]

    plain, fast = on_both_paths(program)
    assert fast == plain
    assert CHUNKS in {count for stage in plain for count in stage}
