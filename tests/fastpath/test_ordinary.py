"""What has not started, is about to end or is no part: no run begins with it (`pipeline.is_ordinary`).

Each test is a program that would go wrong otherwise.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import pytest

from webstreams import Promise, ReadableStream, TransformStream, WritableStream
from webstreams.ends import generator_transform

from .pipelines import assert_alike, mapping, numbers
from .programs import periods

LAST = 200
LATE = 60


async def turns(count: int) -> None:
    """Let the event loop have so many turns."""
    for _ in range(count):
        await asyncio.sleep(0)


def test_a_source_is_asked_for_more_as_soon_as_it_has_started() -> None:
    """Before that, a queue that has room for more is no reason to ask."""

    async def program() -> list[Any]:
        log: list[Any] = []
        may_start = asyncio.Event()
        count = iter(range(LAST, 2 * LAST))

        async def start(controller: Any) -> None:
            for number in range(LAST):
                controller.enqueue(number)
            await may_start.wait()

        def pull(controller: Any) -> None:
            number = next(count)
            log.append(("pull", number))
            controller.enqueue(number)
            if number == 2 * LAST - 1:
                controller.close()

        def write(chunk: int, controller: Any) -> None:
            log.append(chunk)
            if chunk == LAST - 1:
                may_start.set()
            elif chunk == LAST + LATE:
                log.append(repr(controller))  # leaves the run: the next one begins with a full queue

        stream: ReadableStream[int] = ReadableStream({"start": start, "pull": pull}, {"high_water_mark": 3})
        await stream.pipe_to(WritableStream({"write": write}))
        log.append(periods() > 10)
        return log

    assert_alike(program)


def test_a_sink_is_written_to_as_soon_as_it_has_started() -> None:
    """Before that, a chunk that is written waits in its queue."""

    async def program() -> list[Any]:
        log: list[Any] = []
        may_start = asyncio.Event()

        async def start(controller: Any) -> None:
            await may_start.wait()

        async def items() -> AsyncIterator[int]:
            for number in range(LAST):
                if number == LATE:
                    may_start.set()
                    await turns(4)
                yield number

        def transform(chunk: int, controller: Any) -> None:
            if chunk > LATE:
                controller.enqueue(chunk)

        sink: WritableStream[int] = WritableStream({"start": start, "write": lambda chunk, _: log.append(chunk)})
        pipe = ReadableStream.from_(items()).pipe_through(mapping(transform)).pipe_to(sink)
        await turns(12)
        log += [repr(pipe), periods() > 10]
        return log

    assert "fulfilled" in assert_alike(program)[-1]


@pytest.mark.parametrize("stages", [0, 1])
def test_a_read_of_a_stream_that_is_being_cancelled_is_over(stages: int) -> None:
    async def program() -> list[Any]:
        log: list[Any] = []
        cancelled, _, _ = Promise.with_resolvers()
        count = iter(range(LAST))

        def transform(chunk: int, controller: Any) -> None:
            controller.enqueue(chunk)

        source: Any = {"pull": lambda controller: controller.enqueue(next(count)), "cancel": lambda _: cancelled}
        transformer: Any = {"transform": transform, "cancel": lambda _: cancelled}
        stream: ReadableStream[int] = ReadableStream(source, {"high_water_mark": 0})
        for _ in range(stages):
            stream = stream.pipe_through(TransformStream(transformer))
        reader = stream.get_reader()
        for _ in range(LATE):
            log.append(await reader.read())
        cancelling = reader.cancel("enough")
        for _ in range(4):
            await Promise.resolve(None)
        read = reader.read()
        await turns(2)
        log += [repr(read), repr(cancelling), periods() > 10]
        return log

    assert "done=True" in assert_alike(program)[-2]


def test_the_end_of_an_iterator_is_no_chunk() -> None:
    """It is told some jobs after the iterator has told it, among which a branch that has chunks left may be read."""

    async def program() -> list[Any]:
        log: list[Any] = []
        may_go_on, resolve, _ = Promise.with_resolvers()

        def items() -> Iterator[int]:
            yield from range(LAST)
            resolve(None)

        def write_slowly(chunk: int, controller: Any) -> Any:
            log.append((1, chunk))
            return may_go_on if chunk == LATE else None

        branches = ReadableStream.from_(items()).tee()
        sinks: list[WritableStream[int]] = [
            WritableStream({"write": write_slowly}),
            WritableStream({"write": lambda chunk, _: log.append((2, chunk))}),
        ]
        await asyncio.gather(*(branch.pipe_to(sink) for branch, sink in zip(branches, sinks, strict=True)))
        log.append(periods() > 10)
        return log

    assert_alike(program)


def test_the_read_of_a_generator_that_waits_in_its_task_is_answered_by_a_chunk_only() -> None:
    """A simulation would answer it: people see what a task waits for."""

    async def program() -> list[Any]:
        log: list[Any] = []
        tasks: list[asyncio.Task[Any] | None] = []

        async def items() -> AsyncIterator[int]:
            for number in range(LAST):
                if number == LATE:
                    await turns(4)  # meanwhile the event loop runs the task of the generator
                elif number == LAST - 10:
                    log.extend(re.findall(r"<ReadPromise (\w+)", repr(tasks[0])))
                yield number

        def transform(chunk: int, controller: Any) -> None:
            if chunk < LATE or chunk == LAST - 1:
                controller.enqueue(chunk)

        async def through(chunks: AsyncIterator[int]) -> AsyncIterator[int]:
            async for chunk in chunks:
                yield chunk
                if len(log) == LATE:
                    tasks.append(asyncio.current_task())

        stream = ReadableStream.from_(items()).pipe_through(mapping(transform))
        sink: WritableStream[int] = WritableStream({"write": lambda chunk, _: log.append(chunk)})
        await stream.pipe_through(generator_transform(through)).pipe_to(sink)
        log.append(periods() > 10)
        return log

    assert assert_alike(program)[-2:] == ["pending", LAST - 1]


@pytest.mark.parametrize("is_watched", [False, True])
def test_who_wrote_before_a_pipe_began_hears_of_it_when_it_is_done(is_watched: bool) -> None:
    """A simulation fulfilled the promises of these writes, and what waited for them was lost."""

    async def program() -> list[Any]:
        log: list[Any] = []
        writes: list[Promise[None]] = []

        def write(chunk: Any, controller: Any) -> None:
            log.append((chunk, sum(each.done() for each in writes)))

        def done(number: int, _: Any) -> None:
            log.append(("done", number))

        sink: WritableStream[Any] = WritableStream({"write": write}, {"high_water_mark": 2 * LAST})
        writer = sink.get_writer()
        for number in range(LATE):
            promise = writer.write(("before", number))
            writes.append(promise)
            if is_watched:
                promise.add_done_callback(partial(done, number))
        writer.release_lock()
        await numbers(LAST).pipe_to(sink)
        log.append(periods() > 10)
        return log

    assert_alike(program)
