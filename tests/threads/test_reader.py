"""`ThreadSafeReader`."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import count
from typing import Any

import pytest

from tests.faults.helpers import turns
from webstreams import (
    ReadableStream,
    ReadDoneResult,
    StreamError,
)
from webstreams.threads import ThreadSafeReader

from .support import (
    A_MOMENT,
    BOOM,
    Worker,
    fed,
    in_thread,
    threads_wait,
)


async def test_a_thread_reads_every_chunk_once_in_order() -> None:
    reader = ThreadSafeReader(ReadableStream.from_(range(200)))
    assert await in_thread(list, reader) == list(range(200))


async def test_read_gives_value_and_done() -> None:
    reader = ThreadSafeReader(ReadableStream.from_(["a"]))
    first = await in_thread(reader.read)
    assert (first.value, first.done) == ("a", False)
    for _ in range(2):
        value, done = await in_thread(reader.read)
        assert (value, done) == (None, True)


async def test_several_threads_get_each_chunk_once() -> None:
    reader = ThreadSafeReader(ReadableStream.from_(range(200)))
    workers = [Worker(list, reader) for _ in range(4)]
    parts = [await worker.outcome() for worker in workers]
    assert sorted(chunk for part in parts for chunk in part) == list(range(200))
    assert all(part == sorted(part) for part in parts)


async def test_a_byte_stream_gives_bytes() -> None:
    def pull(controller: Any) -> None:
        controller.enqueue(bytearray(b"data"))
        controller.close()

    reader = ThreadSafeReader(ReadableStream({"type": "bytes", "pull": pull}))
    assert await in_thread(list, reader) == [b"data"]


async def test_the_reader_raises_the_stored_error() -> None:
    controller, reader, _ = fed()
    waits = Worker(reader.read)
    await threads_wait()
    controller.error(BOOM)
    with pytest.raises(ValueError, match="boom") as caught:
        await waits.outcome()
    assert caught.value is BOOM
    controller, reader, _ = fed()
    controller.error("broken")
    with pytest.raises(StreamError) as caught_reason:
        await in_thread(list, reader)
    assert caught_reason.value.reason == "broken"


async def test_leaving_the_iteration_early_keeps_the_rest_readable() -> None:
    reader = ThreadSafeReader(ReadableStream.from_(range(5)))

    def read_some() -> list[int]:
        chunks = []
        for chunk in reader:
            chunks.append(chunk)
            if chunk == 1:
                break
        return chunks

    assert await in_thread(read_some) == [0, 1]
    assert await in_thread(list, reader) == [2, 3, 4]


async def test_a_read_that_timed_out_leaves_the_chunk_to_the_next() -> None:
    controller, reader, _ = fed()
    with pytest.raises(TimeoutError):
        await in_thread(reader.read, A_MOMENT)
    controller.enqueue("chunk")
    assert await in_thread(reader.read) == ("chunk", False)


async def test_a_read_that_timed_out_leaves_the_chunk_to_the_next_reader() -> None:
    controller, reader, stream = fed()
    with pytest.raises(TimeoutError):
        await in_thread(reader.read, A_MOMENT)
    controller.enqueue("chunk")
    await in_thread(reader.release)
    assert await stream.get_reader().read() == ("chunk", False)


async def test_a_read_that_times_out_while_the_loop_is_blocked_takes_no_chunk() -> None:
    controller, reader, _ = fed()
    controller.enqueue("chunk")
    worker = Worker(reader.read, A_MOMENT)
    with pytest.raises(TimeoutError):
        worker.joined()  # blocks the loop
    await turns(10)
    assert await in_thread(reader.read) == ("chunk", False)


async def test_a_timeout_of_one_thread_does_not_disturb_the_read_of_another() -> None:
    controller, reader, _ = fed()
    patient = Worker(reader.read)
    await threads_wait()
    with pytest.raises(TimeoutError):
        await in_thread(reader.read, A_MOMENT)
    controller.enqueue("chunk")
    assert await patient.outcome() == ("chunk", False)


async def test_reads_that_time_out_at_any_moment_lose_no_chunk() -> None:
    async def numbers() -> AsyncIterator[int]:
        for number in range(300):
            await asyncio.sleep(0)
            yield number

    reader = ThreadSafeReader(ReadableStream.from_(numbers()))

    def consume() -> list[int]:
        chunks: list[int] = []
        done = False
        while not done:
            with suppress(TimeoutError):
                result = reader.read(timeout=random.uniform(0, 0.0005))
                done = result.done
                if not isinstance(result, ReadDoneResult):
                    chunks.append(result.value)
        return chunks

    assert await in_thread(consume) == list(range(300))


async def test_a_read_that_times_out_while_its_chunk_is_taken_from_the_queue_loses_nothing() -> None:
    numbers = count()

    def pull(controller: Any) -> None:
        number = next(numbers)
        if number < 4:
            time.sleep(4 * A_MOMENT)  # blocks the loop, until the read that made room for this chunk has timed out
        controller.enqueue(number)
        if number == 5:
            controller.close()

    reader = ThreadSafeReader(ReadableStream({"pull": pull}))

    def consume() -> list[Any]:
        chunks: list[Any] = []
        while True:
            with suppress(TimeoutError):
                value, done = reader.read(timeout=A_MOMENT)
                if done:
                    return chunks
                chunks.append(value)

    assert await in_thread(consume) == [0, 1, 2, 3, 4, 5]


async def test_cancel_ends_the_reads_that_wait() -> None:
    reasons: list[Any] = []
    reader = ThreadSafeReader(ReadableStream({"cancel": reasons.append}))
    waits = Worker(list, reader)
    await threads_wait()
    await in_thread(reader.cancel, "enough")
    assert await waits.outcome() == []
    assert reasons == ["enough"]


async def test_cancel_raises_what_the_sources_cancel_raises() -> None:
    def cancel(reason: Any) -> None:
        raise BOOM

    reader = ThreadSafeReader(ReadableStream({"cancel": cancel}))
    with pytest.raises(ValueError, match="boom"):
        await in_thread(reader.cancel)


async def test_release_makes_the_reads_that_wait_raise_and_frees_the_lock() -> None:
    controller, reader, stream = fed()
    waits = Worker(reader.read)
    await threads_wait()
    await in_thread(reader.release)
    with pytest.raises(TypeError, match="released"):
        await waits.outcome()
    await in_thread(reader.release)
    for action in (reader.read, reader.cancel):
        with pytest.raises(TypeError, match="released"):
            await in_thread(action)
    controller.enqueue("chunk")
    assert await stream.get_reader().read() == ("chunk", False)


async def test_the_context_manager_releases_the_lock() -> None:
    controller, reader, stream = fed()
    controller.enqueue("a")

    def consume() -> Any:
        with reader as the_same:
            return the_same.read().value

    assert await in_thread(consume) == "a"
    assert not stream.locked
