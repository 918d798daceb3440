"""Reads of tasks that are cancelled or timed out: no chunk is lost (Y1, Y2)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from tests.grids import each_of
from webstreams import (
    ReadableStream,
    TransformStream,
)

from .cancelling import AROUND_DELIVERY, CANCEL_IN_ANY_TURN, deliver_and_cancel
from .helpers import (
    SOURCES,
    ByteSource,
    RecordingSource,
    after_microtasks,
    drain,
    quiet,
    reason,
    soon,
    stream_of,
    turns,
)

# Cancelled reads. A feed is a stream, what puts a chunk into it, and what ends it.

Feed = tuple[ReadableStream[Any], Callable[[bytes], Any], Callable[[], Any]]


def enqueued() -> Feed:
    source = RecordingSource()
    return stream_of(source), source.controller.enqueue, source.controller.close


def enqueued_bytes() -> Feed:
    source = ByteSource()
    return stream_of(source), source.controller.enqueue, source.controller.close


def allocated_bytes() -> Feed:
    source = ByteSource(auto_allocate_chunk_size=16)

    def close() -> None:
        source.controller.close()
        if source.controller.byob_request is not None:
            source.controller.byob_request.respond(0)

    return stream_of(source), source.controller.enqueue, close


def sized() -> Feed:
    source = RecordingSource()
    return stream_of(source, 10, len), source.controller.enqueue, source.controller.close


def pulled() -> Feed:
    queue: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def pull(controller: Any) -> None:
        chunk = await queue.get()
        if chunk is None:
            controller.close()
        else:
            controller.enqueue(chunk)

    return ReadableStream({"pull": pull}), queue.put_nowait, lambda: queue.put_nowait(None)


def generated() -> Feed:
    queue: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def generate() -> AsyncIterator[bytes]:
        while (chunk := await queue.get()) is not None:
            yield chunk

    return ReadableStream.from_(generate()), queue.put_nowait, lambda: queue.put_nowait(None)


def teed() -> Feed:
    stream, feed, close = enqueued()
    return stream.tee()[0], feed, close


def teed_bytes() -> Feed:
    stream, feed, close = enqueued_bytes()
    return stream.tee()[1], feed, close


def transformed() -> Feed:
    transform: TransformStream[Any, Any] = TransformStream()
    writer = transform.writable.get_writer()
    return transform.readable, writer.write, writer.close


FEEDS = [
    enqueued,
    enqueued_bytes,
    allocated_bytes,
    sized,
    pulled,
    generated,
    teed,
    teed_bytes,
    transformed,
]
EVERY_FEED = pytest.mark.parametrize("make", FEEDS)


def feed_two(feed: Callable[[bytes], Any]) -> Callable[[], None]:
    def deliver() -> None:
        feed(b"a")
        feed(b"b")

    return deliver


@EVERY_FEED
@CANCEL_IN_ANY_TURN
async def test_y1_read_cancelled_in_any_turn(make: Callable[[], Feed], turn: int, cancel_first: bool) -> None:
    """The task that awaits read() is cancelled in any turn around the delivery: the next reads get every chunk."""
    stream, feed, close = make()
    reader = stream.get_reader()
    taken: list[Any] = []

    async def take() -> None:
        taken.append((await reader.read()).value)

    with quiet(1):
        await deliver_and_cancel(feed_two(feed), asyncio.create_task(take()), turn, cancel_first)
        close()
        assert taken + await soon(drain(reader)) == [b"a", b"b"]


@EVERY_FEED
@each_of(delay=range(6), cancel_first=[False, True])
async def test_y1_read_cancelled_in_any_microtask(make: Callable[[], Feed], delay: int, cancel_first: bool) -> None:
    """The same with the cancellation some microtasks before or after the delivery."""
    stream, feed, close = make()
    reader = stream.get_reader()
    taken: list[Any] = []

    async def take() -> None:
        taken.append((await reader.read()).value)

    with quiet(1):
        task = asyncio.create_task(take())
        await turns(3)
        after_microtasks(0 if cancel_first else delay, task.cancel)
        after_microtasks(delay if cancel_first else 0, feed_two(feed))
        await asyncio.wait({task})
        close()
        assert taken + await soon(drain(reader)) == [b"a", b"b"]


@EVERY_FEED
@CANCEL_IN_ANY_TURN
async def test_y1_iteration_cancelled_in_any_turn(make: Callable[[], Feed], turn: int, cancel_first: bool) -> None:
    """The task that iterates with prevent_cancel is cancelled in any turn: who reads on gets every chunk."""
    stream, feed, close = make()
    taken: list[Any] = []

    async def take() -> None:
        async for chunk in stream.values(prevent_cancel=True):
            taken.append(chunk)

    with quiet(1):
        await deliver_and_cancel(feed_two(feed), asyncio.create_task(take()), turn, cancel_first)
        assert not stream.locked
        close()
        assert taken + await soon(drain(stream.get_reader())) == [b"a", b"b"]


@EVERY_FEED
@CANCEL_IN_ANY_TURN
async def test_y1_one_of_two_reads_cancelled_in_any_turn(
    make: Callable[[], Feed], turn: int, cancel_first: bool
) -> None:
    """Two tasks read and the first one is cancelled: no chunk is lost and none comes twice."""
    stream, feed, close = make()
    reader = stream.get_reader()
    taken: list[Any] = []

    async def take() -> None:
        taken.append((await reader.read()).value)

    with quiet(1):
        tasks = [asyncio.create_task(take()) for _ in range(2)]
        await deliver_and_cancel(feed_two(feed), tasks[0], turn, cancel_first)
        await soon(tasks[1])
        close()
        assert sorted(taken + await soon(drain(reader))) == [b"a", b"b"]


@each_of(ending=["close", "error"], turn=AROUND_DELIVERY)
async def test_y1_chunk_comes_back_when_the_stream_has_ended_meanwhile(turn: int, ending: str) -> None:
    """The last chunk and the end come in one step and the read is cancelled: the chunk is read before the end."""
    source = RecordingSource()
    reader = stream_of(source).get_reader()
    taken: list[Any] = []

    async def take() -> None:
        taken.append((await reader.read()).value)

    def deliver() -> None:
        source.controller.enqueue(b"a")
        if ending == "close":
            source.controller.close()

    await deliver_and_cancel(deliver, asyncio.create_task(take()), turn, False)
    if ending == "error" and not taken:
        assert (await soon(reader.read())).value == b"a"
    if ending == "error":
        source.controller.error("broken")
        assert await reason(reader.read()) == "broken"
    else:
        assert taken + await soon(drain(reader)) == [b"a"]


async def read_with_timeout(reader: Any) -> Any:
    async with asyncio.timeout(0):
        return (await reader.read()).value


async def read_with_wait_for(reader: Any) -> Any:
    return (await asyncio.wait_for(reader.read(), 1e-6)).value


async def read_with_wait_for_zero(reader: Any) -> Any:
    return (await asyncio.wait_for(reader.read(), 0)).value


@pytest.mark.parametrize("kind", ["default", "bytes"])
@pytest.mark.parametrize("read", [read_with_timeout, read_with_wait_for, read_with_wait_for_zero])
async def test_y2_thousands_of_reads_with_a_timeout(kind: str, read: Callable[[Any], Awaitable[Any]]) -> None:
    """2,000 reads with a timeout that is always due, beside a producer: no chunk is lost and none comes twice.

    Fewer for byte streams, whose readers are cancelled in the same way.
    """
    choose = random.Random(2)
    source = SOURCES[kind]()
    reader = stream_of(source).get_reader()
    given: list[bytes] = []
    taken: list[bytes] = []
    timeouts = 0

    async def produce() -> None:
        while True:
            for _ in range(choose.choice([0] * 14 + [1, 3])):
                given.append(b"%d" % len(given))
                source.controller.enqueue(given[-1])
            await asyncio.sleep(0)

    producer = asyncio.create_task(produce())
    for _ in range(2_000 if kind == "default" else 1_000):
        try:
            taken.append(await read(reader))
        except TimeoutError:
            timeouts += 1
    producer.cancel()
    await asyncio.wait({producer})
    source.controller.close()
    assert taken + await soon(drain(reader)) == given
    assert timeouts > 100
    assert len(given) > 100
