"""A task is cancelled whose stream waits for somebody else: the other branch of a tee, a transform that does not get
on, a `cancel()` that never ends. Issue 11, 7, and API.md: "Cancellation", "The end of an event loop".
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from tests.faults.helpers import soon
from tests.grids import by_key, each_of
from tests.waiting import LIMIT
from webstreams import (
    LimitExceeded,
    ReadableStream,
    StreamError,
    TransformStream,
    WritableStream,
    channel,
    merge,
    pipeline,
    to_callable,
    to_queue,
)

Consume = Callable[[ReadableStream[Any]], Awaitable[object]]


async def iterate(stream: ReadableStream[Any]) -> None:
    async for _ in stream:
        pass


async def iterate_in_block(stream: ReadableStream[Any]) -> None:
    async with stream.values() as chunks:
        async for _ in chunks:
            pass


# Whoever reads a stream to its end.
CONSUMERS: dict[str, Consume] = {
    "pipe_to": lambda stream: stream.pipe_to(WritableStream()),
    "pipe_through": lambda stream: stream.pipe_through(TransformStream()).pipe_to(WritableStream()),
    "pipeline": lambda stream: pipeline(stream, TransformStream(), sink=WritableStream()),
    "list": lambda stream: stream.list(),
    "bytes": lambda stream: stream.bytes(),
    "text": lambda stream: stream.text(),
    "for_each": lambda stream: stream.for_each(lambda chunk: None),
    "for_each, concurrently": lambda stream: stream.for_each(for_ever, concurrency=2),
    "reduce": lambda stream: stream.reduce(lambda result, chunk: result, 0),
    "operators": lambda stream: stream.map(lambda chunk: chunk).filter(bool).list(),
    "async for": iterate,
    "values": iterate_in_block,
}
EACH = each_of(consume=by_key(CONSUMERS))


async def for_ever(*arguments: object) -> None:
    await asyncio.Event().wait()


def never(*arguments: object) -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


async def give_up(work: Awaitable[object]) -> None:
    """Wait for a moment; the moment is over soon."""

    async def wait() -> None:
        async with asyncio.timeout(0.01):
            await work

    with pytest.raises(TimeoutError):
        await soon(wait())


# One branch of a tee: the other one lives on, and nobody reads it.

TEES: dict[str, Callable[[ReadableStream[Any]], ReadableStream[Any]]] = {
    "the branch": lambda branch: branch,
    "operators": lambda branch: branch.map(lambda chunk: chunk),
    "a transform": lambda branch: branch.pipe_through(TransformStream()),
    "merge": lambda branch: merge(branch, ReadableStream()),
}


@each_of(through=by_key(TEES))
@EACH
@each_of(kind=[None, "bytes"])
async def test_one_branch_of_a_tee(consume: Consume, through: Any, kind: Any) -> None:
    controllers: list[Any] = []
    branch, other = ReadableStream[Any]({"type": kind, "start": controllers.append}).tee()
    await give_up(consume(through(branch)))
    controllers[0].enqueue(b"the other one goes on")
    controllers[0].close()
    assert await other.list() == [b"the other one goes on"]


async def test_the_source_is_cancelled_with_the_second_branch() -> None:
    cancelled: list[Any] = []
    branch, other = ReadableStream({"cancel": cancelled.append}).tee()
    await give_up(branch.list())
    assert cancelled == []
    await soon(other.cancel("enough"))
    ((first, second),) = cancelled
    assert str(first) == "the task that read the stream was cancelled" and second == "enough"


async def test_the_promise_of_one_branch_is_the_standards() -> None:
    branch, other = ReadableStream[Any]().tee()
    cancelling = branch.cancel()
    await asyncio.sleep(0.01)
    assert not cancelling.done()
    await other.cancel()
    await soon(cancelling)


async def test_leaving_a_block_does_not_wait_for_the_other_branch() -> None:
    branch, other = ReadableStream.from_([1, 2, 3]).tee()

    async def leave() -> None:
        async with branch.values() as chunks:
            async for _ in chunks:
                break

    await soon(leave())
    assert await other.list() == [1, 2, 3]


async def test_a_limit_does_not_wait_for_the_other_branch() -> None:
    branch, other = ReadableStream.from_([b"one", b"two"]).tee()

    async def read() -> None:
        with pytest.raises(LimitExceeded):
            await branch.bytes(limit=1)

    await soon(read())
    assert not other.locked


async def test_a_pipe_that_waits_for_the_other_branch_already() -> None:
    """The Standard has it wait there, as the destination is errored; its task need not."""
    branch, other = ReadableStream.from_([1, 2]).tee()

    def fail(chunk: object, controller: object) -> None:
        raise ValueError("of the sink")

    piping = branch.pipe_to(WritableStream({"write": fail}))
    await asyncio.sleep(0.01)
    assert not piping.done()
    await give_up(piping)
    assert not other.locked and not branch.locked


# A transform that does not get on.


@EACH
async def test_a_transform_that_does_not_get_on(consume: Consume) -> None:
    """It is ended, and the source before it cancelled, whoever reads behind it."""
    log: list[str] = []

    async def transform(chunk: object, controller: object) -> None:
        try:
            await for_ever()
        finally:
            log.append("transform")

    source = ReadableStream(
        {"pull": lambda controller: controller.enqueue(1), "cancel": lambda reason: log.append("source")})  # fmt: skip
    await give_up(consume(source.pipe_through(TransformStream({"transform": transform}))))
    gc.collect()
    await asyncio.sleep(0.01)
    assert sorted(log) == ["source", "transform"]


async def test_a_loop_that_is_left_lets_the_write_under_way_end() -> None:
    """Nothing was cancelled: that is the Standard's."""
    log: list[str] = []

    async def transform(chunk: int, controller: Any) -> None:
        if chunk:
            await asyncio.sleep(0.02)
        controller.enqueue(chunk)
        log.append(f"transformed {chunk}")

    stream = ReadableStream.from_([0, 1, 2]).pipe_through(TransformStream({"transform": transform}))
    chunks = stream.values()
    assert await anext(chunks) == 0
    with suppress(TimeoutError):
        await asyncio.wait_for(anext(chunks), 0.001)  # a read that is withdrawn is not the end of the loop
    await anext(chunks)
    await asyncio.sleep(0)
    await chunks.aclose()
    await asyncio.sleep(0.05)
    assert log[:2] == ["transformed 0", "transformed 1"]


# A sink that does not get on, and a block that writes to it.

SINKS: dict[str, Callable[[], WritableStream[Any]]] = {
    "write()": lambda: WritableStream({"write": for_ever}),
    "start()": lambda: WritableStream({"start": for_ever}),
    "to_callable": lambda: to_callable(for_ever),
    "to_callable, concurrently": lambda: to_callable(for_ever, concurrency=2),
    "to_queue": lambda: to_queue(asyncio.Queue(1)),
    "a channel": lambda: channel(1)[0],
    "a transform": lambda: TransformStream({"transform": for_ever}).writable,
}


@pytest.mark.parametrize("make", SINKS.values(), ids=SINKS)
async def test_a_block_that_writes_to_a_sink_that_does_not_get_on(make: Callable[[], WritableStream[Any]]) -> None:
    stream = make()

    async def write() -> None:
        async with stream.get_writer() as writer:
            while True:
                await writer.write(1)

    await give_up(write())
    assert not stream.locked
    with pytest.raises(StreamError):
        await stream.get_writer().closed


async def test_a_block_that_fails_lets_the_write_under_way_end() -> None:
    """Nothing was cancelled: the Standard has it wait."""
    log: list[str] = []

    async def slow(chunk: object, controller: object) -> None:
        await asyncio.sleep(0.01)
        log.append("written")

    with pytest.raises(ZeroDivisionError):
        async with WritableStream({"write": slow}).get_writer() as writer:
            writer.write(1)
            await asyncio.sleep(0)
            raise ZeroDivisionError
    assert log == ["written"]


# The loop ends, and somebody's callback never does.

STUCK: dict[str, Callable[[], Awaitable[object]]] = {
    "a write": lambda: endless().pipe_to(WritableStream({"write": never})),
    "a transform": lambda: endless().pipe_through(TransformStream({"transform": never})).pipe_to(WritableStream()),
    "a pipeline": lambda: pipeline(endless(), TransformStream({"transform": never}), sink=WritableStream()),
    "start()": lambda: endless().pipe_to(WritableStream({"start": never})),
    "close()": lambda: ReadableStream.from_([1]).pipe_to(WritableStream({"close": never})),
    "abort()": lambda: endless().pipe_to(WritableStream({"write": for_ever, "abort": for_ever})),
    "cancel() behind a pipe": lambda: ReadableStream({"cancel": for_ever}).pipe_to(WritableStream()),
    "cancel() behind list()": lambda: ReadableStream({"cancel": never}).list(),
    "cancel() behind for_each()": lambda: ReadableStream({"cancel": never}).for_each(print),
    "cancel() behind reduce()": lambda: ReadableStream({"cancel": for_ever}).map(str).reduce(max, ""),
    "cancel() behind a block": lambda: iterate_in_block(ReadableStream({"cancel": for_ever})),
    "a channel": lambda: endless().pipe_to(channel()[0]),
    "a block that writes": lambda: write_in_block(WritableStream({"write": never})),
    "abort() behind a block": lambda: write_in_block(WritableStream({"write": for_ever, "abort": for_ever})),
}


async def write_in_block(stream: WritableStream[Any]) -> None:
    async with stream.get_writer() as writer:
        await writer.write(1)


def endless() -> ReadableStream[int]:
    return ReadableStream({"pull": lambda controller: controller.enqueue(1)})


@pytest.mark.parametrize("make", STUCK.values(), ids=STUCK)
def test_the_end_of_the_loop_does_not_wait_for_ever(make: Callable[[], Awaitable[object]]) -> None:
    tasks: list[asyncio.Task[object]] = []

    async def wait() -> None:
        await make()

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        tasks.append(asyncio.create_task(wait()))
        await asyncio.sleep(0.01)

    loop = asyncio.new_event_loop()
    loop.call_later(LIMIT, loop.stop)  # then what waits raises RuntimeError
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main())
    assert tasks[0].done()
