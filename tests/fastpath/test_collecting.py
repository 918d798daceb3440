"""What collects everything behind operators: chunks are taken as they are made, and nobody can tell."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import pytest

from tests.grids import each_of
from webstreams import Promise, ReadableStream
from webstreams.consumers import LimitExceeded
from webstreams.observe import observe

from .pipelines import on_both_paths
from .programs import ON, fast_paths

CHUNKS = 300

Program = Callable[[list[Any]], Awaitable[Any]]


def noting(log: list[Any], number: int) -> int:
    """Return the number, and note that."""
    log.append(number)
    return number


async def with_jobs(log: list[Any]) -> Any:
    """A step that queues jobs now and then: they run before the next step."""

    def step(number: int) -> int:
        log.append(number)
        if number % 7 == 0:
            promise: Promise[None] = Promise.resolve(None)
            promise.then(lambda _: log.append(f"job of {number}"))
        return number

    return await ReadableStream.from_(range(CHUNKS)).map(step).list()


async def with_pieces(log: list[Any]) -> Any:
    """Several chunks for one, and none."""
    pieces = ReadableStream.from_(["ab\ncd", "", "e\n\nf\n"] * 40).tap(log.append).lines().filter(len)
    return await pieces.list()


async def with_another_reader(log: list[Any]) -> Any:
    """A step that reads another stream, which is on the fast path by then."""
    with ReadableStream.from_(range(CHUNKS)).get_reader() as other:
        for _ in range(100):
            log.append((await other.read()).value)

        def step(number: int) -> int:
            if number % 11 == 0:
                read = other.read()
                read.then(lambda result: log.append(("other", result.value)))
            return noting(log, number)

        return await ReadableStream.from_(range(CHUNKS)).map(step).list()


async def with_a_coroutine(log: list[Any]) -> Any:
    """A step that waits now and then, and one that does not."""

    async def step(number: int) -> int:
        if number % 50 == 0:
            await asyncio.sleep(0)
        return noting(log, number)

    return await ReadableStream.from_(range(CHUNKS)).map(step).filter(lambda number: number % 2 == 0).list()


async def with_an_async_source(log: list[Any]) -> Any:
    """Items that come later."""

    async def numbers() -> Any:
        for number in range(CHUNKS):
            if number % 60 == 0:
                await asyncio.sleep(0)
            yield noting(log, number)

    return await ReadableStream.from_(numbers()).map(str).list()


async def with_a_failure(log: list[Any]) -> Any:
    """A step that fails."""
    stream = ReadableStream.from_(range(CHUNKS)).map(partial(noting, log)).map(lambda number: 1 // (200 - number))
    with pytest.raises(ZeroDivisionError) as caught:
        await stream.list()
    log.append((stream.locked, caught.value.__notes__))
    with pytest.raises(ZeroDivisionError):
        await stream.list()


async def with_a_limit(log: list[Any]) -> Any:
    """More than may be collected: nothing more is asked for."""

    class Source:
        numbers = iter(range(CHUNKS))

        def __iter__(self) -> Any:
            return self

        def __next__(self) -> int:
            return noting(log, next(self.numbers))

        def close(self) -> None:
            log.append("closed")

    stream = ReadableStream.from_(Source()).map(str)
    with pytest.raises(LimitExceeded):
        await stream.list(limit=200)
    log.append(stream.locked)


async def with_text(log: list[Any]) -> Any:
    """Text, whose collector takes long for some chunks."""
    chunks = ReadableStream.from_([b"spam", b"x" * 200_000, b"eggs"]).tap(lambda chunk: log.append(len(chunk)))
    return await chunks.text()


async def with_an_end_by_take(log: list[Any]) -> Any:
    """An operator that ends the stream."""
    return await ReadableStream.from_(range(CHUNKS)).map(partial(noting, log)).take(150).list()


async def with_a_beginning_by_hand(log: list[Any]) -> Any:
    """Some chunks are read before the rest is collected."""
    stream = ReadableStream.from_(range(CHUNKS)).map(partial(noting, log))
    with stream.get_reader() as reader:
        for _ in range(3):
            log.append(("read", (await reader.read()).value))
    return await stream.list()


async def in_a_callback(log: list[Any]) -> Any:
    """Where jobs run already."""

    async def pull(controller: Any) -> None:
        controller.enqueue(await ReadableStream.from_(range(5)).map(partial(noting, log)).list())
        if len(log) >= CHUNKS:
            controller.close()

    return await ReadableStream({"pull": pull}).list()


PROGRAMS: list[Program] = [
    with_jobs, with_pieces, with_another_reader, with_a_coroutine, with_an_async_source, with_a_failure, with_a_limit,
    with_text, with_an_end_by_take, with_a_beginning_by_hand, in_a_callback,
]  # fmt: skip


@each_of(program=PROGRAMS)
def test_nobody_can_tell(program: Program) -> None:
    async def run() -> list[Any]:
        log: list[Any] = []
        log.append(("result", await program(log)))
        return log

    plain, fast = on_both_paths(run)
    assert fast == plain
    assert len(plain) > 3


def test_most_chunks_are_taken_without_a_read() -> None:
    async def main() -> int:
        stream = ReadableStream.from_(range(CHUNKS)).map(int)
        stream._jobs.reads_left = 10 * CHUNKS  # every read counts down from here
        assert await stream.list() == list(range(CHUNKS))
        return 10 * CHUNKS - stream._jobs.reads_left

    with fast_paths(ON):
        assert asyncio.run(main()) < 5


def test_other_tasks_have_their_turn() -> None:
    async def main() -> int:
        turns = 0

        def numbers() -> Iterator[int]:
            for number in range(10_000_000):
                if turns > 3:
                    return
                yield number

        async def watch() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        watching = asyncio.ensure_future(watch())
        await ReadableStream.from_(numbers()).map(int).list()
        watching.cancel()
        return turns

    assert asyncio.run(main()) > 3


def test_what_is_observed_is_counted() -> None:
    async def main() -> int:
        stream = ReadableStream.from_(range(CHUNKS)).map(int)
        pipeline = observe(stream)
        await stream.list()
        return pipeline.stages[-1].chunks_out

    with fast_paths(ON):
        assert asyncio.run(main()) == CHUNKS
