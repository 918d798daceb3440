"""Queues and streams, in both directions."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from tests.faults.helpers import failure, other_tasks, read_all, reason, soon, turns
from webstreams import ReadableStream, WritableStream
from webstreams.ends.queues import from_queue, to_queue

from .web import until


def filled(*items: Any, size: int = 0) -> asyncio.Queue[Any]:
    queue: asyncio.Queue[Any] = asyncio.Queue(size)
    for item in items:
        queue.put_nowait(item)
    return queue


def items_of(queue: asyncio.Queue[Any]) -> list[Any]:
    return [queue.get_nowait() for _ in range(queue.qsize())]


# From a queue.


@pytest.mark.parametrize("end", [None, "end", object(), 0])
async def test_the_items_up_to_the_marker(end: object) -> None:
    queue = filled(1, [], 2, end, 3)
    assert await read_all(from_queue(queue, end=end)) == [1, [], 2]
    assert items_of(queue) == [3]


async def test_a_marker_is_not_what_is_merely_equal() -> None:
    assert await read_all(from_queue(filled(0, 0.0, True, False), end=False)) == [0, 0.0, True]


async def test_items_that_come_later() -> None:
    queue = filled()
    reading = asyncio.ensure_future(read_all(from_queue(queue, end=None)))
    for item in (1, 2, None):
        await turns()
        await queue.put(item)
    assert await soon(reading) == [1, 2]
    await until(lambda: not other_tasks())


async def test_nothing_is_taken_before_a_read() -> None:
    queue = filled(1, 2)
    stream = from_queue(queue)
    await turns()
    assert queue.qsize() == 2
    assert (await stream.get_reader().read()).value == 1
    await turns()
    assert items_of(queue) == [2]


async def test_streams_that_share_a_queue() -> None:
    queue = filled(*range(100))
    readers = [from_queue(queue).get_reader() for _ in range(3)]
    results = await asyncio.gather(*(readers[number % 3].read() for number in range(100)))
    assert sorted(result.value for result in results if result.value is not None) == list(range(100))


async def test_join_waits_until_the_items_are_read() -> None:
    queue = filled(1, 2, None)
    reader = from_queue(queue, end=None).get_reader()
    joining = asyncio.ensure_future(queue.join())
    await reader.read()
    await reader.read()
    await turns()
    assert not joining.done()
    assert (await reader.read()).done
    await soon(joining)


async def test_join_does_not_wait_for_a_stream_that_was_cancelled() -> None:
    queue = filled(1)
    stream = from_queue(queue)
    reader = stream.get_reader()
    await reader.read()
    await reader.cancel()
    await soon(queue.join())


async def test_cancelling_leaves_the_items_in_the_queue() -> None:
    for wait in range(6):
        queue = filled()
        reader = from_queue(queue).get_reader()
        waiting = reader.read()
        await turns(wait)
        queue.put_nowait("item")
        await turns(wait % 3)
        await reader.cancel()
        result = await waiting
        assert [result.value, *items_of(queue)] in ([None, "item"], ["item"])
        await until(lambda: not other_tasks())


async def test_a_cancelled_read_loses_no_item() -> None:
    queue = filled()
    reader = from_queue(queue).get_reader()
    received: list[Any] = []
    for number in range(300):
        waiting = asyncio.ensure_future(reader.read())
        await turns(number % 5)
        queue.put_nowait(number)
        await turns(number % 4)
        waiting.cancel()
        await asyncio.wait([waiting])
        if not waiting.cancelled():
            received.append(waiting.result().value)
    while len(received) < 300:
        received.append((await soon(reader.read())).value)
    assert received == list(range(300))


async def test_what_is_no_queue_to_read() -> None:
    with pytest.raises(TypeError, match="Queue"):
        from_queue([1, 2])  # type: ignore[call-overload]


# To a queue.


async def test_a_queue_that_is_full_slows_the_stream_down() -> None:
    queue = filled(size=2)
    taken: list[int] = []

    def pull(controller: Any) -> None:
        taken.append(len(taken))
        controller.enqueue(taken[-1])

    pipe = ReadableStream({"pull": pull}).pipe_to(to_queue(queue))
    await turns(20)
    assert len(taken) <= 5
    assert [await queue.get() for _ in range(10)] == list(range(10))
    await turns(20)
    assert len(taken) <= 15
    assert not pipe.done()


async def test_the_marker_comes_at_the_end() -> None:
    queue = filled()
    await ReadableStream.from_([1, 2]).pipe_to(to_queue(queue, end=None))
    assert items_of(queue) == [1, 2, None]


async def test_without_a_marker_nothing_comes() -> None:
    queue = filled()
    await ReadableStream.from_([1, 2]).pipe_to(to_queue(queue))
    await ReadableStream.from_([3]).pipe_to(to_queue(queue))
    assert items_of(queue) == [1, 2, 3]


async def test_aborting_takes_back_what_waits() -> None:
    queue = filled("old", size=1)
    writer = to_queue(queue, end=None).get_writer()
    writing = writer.write("new")
    await turns()
    await soon(writer.abort("enough"))
    assert await failure(writing)
    assert items_of(queue) == ["old"]
    await turns()
    assert items_of(queue) == []
    await until(lambda: not other_tasks())


async def test_aborting_stops_a_marker_that_waits() -> None:
    queue = filled("old", size=1)
    stream: WritableStream[Any] = to_queue(queue, end=None)
    closing = stream.close()
    await turns()
    assert await reason(stream.abort("enough")) == "enough"  # as the Standard has it when closing fails
    assert await reason(closing) == "enough"
    assert items_of(queue) == ["old"]


async def test_there_and_back() -> None:
    queue = filled(size=1)
    pipe = ReadableStream.from_(range(100)).pipe_to(to_queue(queue, end="end"))
    assert await soon(read_all(from_queue(queue, end="end"))) == list(range(100))
    await pipe


async def test_arguments_of_to_queue() -> None:
    with pytest.raises(TypeError, match="Queue"):
        to_queue([])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="both"):
        to_queue(filled(), end=None, shutdown=True)


if sys.version_info >= (3, 13):

    async def test_a_queue_that_was_shut_down_ends_the_stream() -> None:
        queue = filled(1, 2)
        queue.shutdown()
        assert await read_all(from_queue(queue)) == [1, 2]
        queue = filled()
        reading = asyncio.ensure_future(read_all(from_queue(queue)))
        await turns()
        queue.put_nowait(1)
        await turns()
        queue.shutdown()
        assert await soon(reading) == [1]

    async def test_closing_shuts_the_queue_down() -> None:
        queue = filled()
        await ReadableStream.from_([1]).pipe_to(to_queue(queue, shutdown=True))
        assert await queue.get() == 1
        assert isinstance(await failure(queue.get()), asyncio.QueueShutDown)

    async def test_aborting_shuts_the_queue_down_at_once() -> None:
        queue = filled()
        writer = to_queue(queue, shutdown=True).get_writer()
        await writer.write(1)
        await writer.abort("enough")
        assert isinstance(await failure(queue.get()), asyncio.QueueShutDown)

    async def test_writing_to_a_queue_that_was_shut_down() -> None:
        queue = filled(1, size=1)
        writer = to_queue(queue).get_writer()
        writing = writer.write(2)
        await turns()
        queue.shutdown()
        assert isinstance(await failure(writing), asyncio.QueueShutDown)

else:

    async def test_no_queue_can_be_shut_down() -> None:
        with pytest.raises(TypeError, match="shutdown"):
            to_queue(filled(), shutdown=True)
