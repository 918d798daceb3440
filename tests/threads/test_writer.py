"""`ThreadSafeWriter`: every chunk once, in order, and the thread waits; timeouts."""

from __future__ import annotations

import asyncio
import random
import threading
from contextlib import suppress

import pytest

from tests.faults.helpers import turns
from tests.grids import each_of
from tests.waiting import until
from webstreams import (
    ByteLengthQueuingStrategy,
    TransformStream,
    WritableStream,
)
from webstreams.threads import ThreadSafeWriter

from .support import (
    A_MOMENT,
    SlowSink,
    Worker,
    in_thread,
    quick,
    slow,
    threads_wait,
    write_all,
)

# The writer: every chunk once, in order, and the thread waits.


async def test_every_chunk_is_written_once_in_order() -> None:
    chunks, writer = quick()
    await in_thread(write_all, writer, *range(200))
    await turns(10)
    assert chunks == list(range(200))


async def test_the_chunks_of_several_threads_are_written_once_and_each_threads_in_order() -> None:
    chunks, writer = quick()
    workers = [Worker(write_all, writer, *((name, number) for number in range(50))) for name in "abcd"]
    for worker in workers:
        await worker.outcome()
    await turns(10)
    assert len(chunks) == 200
    for name in "abcd":
        assert [number for each, number in chunks if each == name] == list(range(50))


@each_of(high_water_mark=[1, 2, 3])
async def test_a_thread_is_never_further_ahead_than_the_high_water_mark(high_water_mark: int) -> None:
    sink, writer = slow(high_water_mark)
    handed_over: list[int] = []

    def produce() -> None:
        for number in range(10):
            writer.write(number)
            handed_over.append(number)

    worker = Worker(produce)
    for written in range(10 - high_water_mark):
        await until(lambda expected=written + high_water_mark: len(handed_over) == expected)  # type: ignore[misc]
        await threads_wait()
        await turns(10)
        assert len(handed_over) - len(sink.written) == high_water_mark
        sink.finish_one()
    await worker.outcome()
    assert len(handed_over) - len(sink.written) == high_water_mark
    sink.go_on()
    await turns(10)
    assert sink.written == handed_over == list(range(10))


async def test_several_threads_together_are_never_further_ahead_than_the_high_water_mark() -> None:
    sink, writer = slow(2)
    handed_over: list[int] = []

    def produce(first: int) -> None:
        for number in range(first, first + 5):
            writer.write(number)
            handed_over.append(number)

    workers = [Worker(produce, 10 * number) for number in range(4)]
    for written in range(18):
        await until(lambda expected=written + 2: len(handed_over) == expected)  # type: ignore[misc]
        await turns(10)
        assert len(sink.begun) <= len(handed_over) == len(sink.written) + 2
        sink.finish_one()
    for worker in workers:
        await worker.outcome()
    sink.go_on()
    await turns(10)
    assert (
        sorted(sink.written)
        == sorted(handed_over)
        == sorted(10 * name + each for name in range(4) for each in range(5))
    )


async def test_a_queue_in_bytes_takes_the_mark_and_one_chunk_at_most() -> None:
    sink = SlowSink()
    writer = ThreadSafeWriter(WritableStream(sink, ByteLengthQueuingStrategy(high_water_mark=10)))
    handed_over: list[bytes] = []

    def produce() -> None:
        for _ in range(5):
            writer.write(b"four")
            handed_over.append(b"four")

    worker = Worker(produce)
    await until(lambda: len(handed_over) == 3)
    await threads_wait()
    await turns(10)
    assert len(handed_over) == 3  # 12 bytes: the third began below the mark
    sink.go_on()
    await worker.outcome()


async def test_a_thread_waits_for_the_start_of_a_transform_and_its_readers() -> None:
    stream: TransformStream[str, str] = TransformStream()
    writer = ThreadSafeWriter(stream.writable)
    worker = Worker(write_all, writer, "a", "b")
    await threads_wait()
    reader = stream.readable.get_reader()
    assert (await reader.read()).value == "a"
    await worker.outcome()
    assert (await reader.read()).value == "b"


# The writer: timeouts.


async def test_a_write_that_timed_out_is_not_written() -> None:
    sink, writer = slow()

    def produce() -> None:
        writer.write("first")
        with pytest.raises(TimeoutError):
            writer.write("late", timeout=A_MOMENT)
        sink_may_go_on.set()
        writer.write("last")

    sink_may_go_on = threading.Event()
    worker = Worker(produce)
    await until(sink_may_go_on.is_set)
    sink.go_on()
    await worker.outcome()
    await turns(10)
    assert sink.written == ["first", "last"]


async def test_a_write_times_out_while_the_loop_is_blocked_and_is_not_written() -> None:
    chunks, writer = quick()

    def produce() -> None:
        writer.write("late", timeout=A_MOMENT)

    worker = Worker(produce)
    with pytest.raises(TimeoutError):
        worker.joined()  # blocks the loop
    await turns(10)
    assert chunks == []
    await in_thread(writer.write, "next")
    assert chunks == ["next"]


async def test_writes_that_time_out_at_any_moment_are_written_or_not_as_they_say() -> None:
    chunks, writer = quick()
    written: list[int] = []

    def produce() -> None:
        for number in range(300):
            with suppress(TimeoutError):
                writer.write(number, timeout=random.uniform(0, 0.0003))
                written.append(number)

    await in_thread(produce)
    await turns(10)
    assert chunks == written


async def test_writes_that_time_out_leave_nothing_behind() -> None:
    sink, writer = slow()

    def produce() -> None:
        writer.write("first")
        for _ in range(5):
            with pytest.raises(TimeoutError):
                writer.write("late", timeout=A_MOMENT)

    await in_thread(produce)
    await turns(10)
    assert len(asyncio.all_tasks()) == 1
    sink.go_on()
    await turns(10)
    assert sink.begun == ["first"]


async def test_a_timeout_that_is_not_needed_changes_nothing() -> None:
    chunks, writer = quick()

    def produce() -> None:
        writer.write("a", timeout=20)
        writer.close(timeout=20)

    await in_thread(produce)
    assert chunks == ["a"]
