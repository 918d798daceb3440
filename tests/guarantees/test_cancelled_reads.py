"""No chunk is lost to a cancelled task: it is read by whoever reads next."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Awaitable, Iterable
from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.faults.helpers import turns
from tests.loops import EVERY_LOOP
from webstreams import ReadableStream

from .cancelling import (
    BYTE_CONSUMERS,
    BYTE_FEEDS,
    CONSUMERS,
    FEEDS,
    PROGRAMS,
    REST,
    STEPS,
    Consumer,
    Feed,
    LoopFactory,
    Pushed,
    PushedBytes,
    Step,
    TeedBytes,
    finished,
    jobs_later,
    run,
)


class Program:
    """Consumers after one another; the next one starts when the last one has ended."""

    def __init__(self, feed: Feed, kinds: list[type[Consumer]]) -> None:
        self.feed = feed
        self.kinds = kinds
        self.received: list[bytes] = []
        self.consumer = Consumer(feed.stream, self.received)
        self.next_byte = 0

    def put(self) -> None:
        """Put one to three bytes that were not there before."""
        count = 1 + self.next_byte % 3
        chunk = bytes(each % 256 for each in range(self.next_byte, self.next_byte + count))
        self.next_byte += count
        self.feed.put(chunk)

    async def run(self, steps: list[Step]) -> None:
        for word, number in steps:
            if word == "put":
                jobs_later(number, self.put)
            elif word == "stop":
                jobs_later(number, self.consumer.stop)
            elif word == "put and stop":
                await turns(3)  # the consumer waits in its read by now, unless it has ended
                self.put()
                jobs_later(number, self.consumer.stop)
            elif word == "turn":
                await turns(number)
            else:
                await self.consumer.end()
                self.consumer = self.kinds[number % len(self.kinds)](self.feed.stream, self.received)
        await turns(REST)
        await self.consumer.end()

    async def drain(self) -> None:
        """End the stream, and read what is left."""
        self.feed.close()
        last = Consumer(self.feed.stream, self.received)
        await finished(last.task)
        last.task.result()
        assert last.ended


@EVERY_LOOP
@PROGRAMS
@given(kind=st.sampled_from(FEEDS), steps=STEPS)
def test_no_chunk_is_lost_to_a_cancellation_of_what_reads_chunks(
    make_loop: LoopFactory, kind: type[Feed], steps: list[Step]
) -> None:
    async def main() -> None:
        program = Program(kind(), CONSUMERS)
        await program.run(steps)
        await program.drain()
        if kind in BYTE_FEEDS:
            assert b"".join(program.received) == b"".join(program.feed.given)
        else:
            assert program.received == program.feed.given

    run(make_loop, main)


@EVERY_LOOP
@PROGRAMS
@given(kind=st.sampled_from(BYTE_FEEDS), steps=STEPS)
def test_no_chunk_is_lost_to_a_cancellation_of_what_reads_bytes_into_its_own_memory(
    make_loop: LoopFactory, kind: type[Feed], steps: list[Step]
) -> None:
    async def main() -> None:
        program = Program(kind(), BYTE_CONSUMERS)
        await program.run(steps)
        await program.drain()
        assert b"".join(program.received) == b"".join(program.feed.given)

    run(make_loop, main)


@EVERY_LOOP
@PROGRAMS
@given(kind=st.sampled_from(FEEDS), steps=STEPS)
def test_no_chunk_is_lost_to_a_cancellation_that_comes_with_the_end_of_the_stream(
    make_loop: LoopFactory, kind: type[Feed], steps: list[Step]
) -> None:
    async def main() -> None:
        program = Program(kind(), CONSUMERS)
        await program.run(steps)
        consumer = Consumer(program.feed.stream, program.received)
        await turns(REST)
        program.put()
        program.feed.close()
        jobs_later(len(steps) % 5, consumer.stop)
        await finished(consumer.task)
        last = Consumer(program.feed.stream, program.received)
        await finished(last.task)
        assert last.ended
        assert b"".join(program.received) == b"".join(program.feed.given)

    run(make_loop, main)


# Several tasks that read at once.


class Pool:
    """Tasks that share a reader. What each read got is known by the order in which the reads were called."""

    def __init__(self, feed: Feed, reads_into_memory: bool) -> None:
        self.feed = feed
        self.reader: Any = feed.stream.get_reader(mode="byob") if reads_into_memory else feed.stream.get_reader()
        self.reads_into_memory = reads_into_memory
        self.calls = 0
        self.received: dict[int, bytes] = {}
        self.cancelled = 0
        self.tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self.tasks.append(asyncio.create_task(self.work()))

    async def work(self) -> None:
        done = False
        while not done:
            call, self.calls = self.calls, self.calls + 1
            try:
                value, done = await self.read()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
            if value:
                self.received[call] = bytes(value)

    def read(self) -> Awaitable[Any]:
        read: Awaitable[Any] = self.reader.read(bytearray(1)) if self.reads_into_memory else self.reader.read()
        return read

    def stop(self, number: int) -> None:
        if self.tasks:
            self.tasks.pop(number % len(self.tasks)).cancel()

    def put(self) -> None:
        self.feed.put(bytes([len(self.feed.given) % 256]))

    async def run(self, steps: list[Step]) -> None:
        for word, number in steps:
            if word == "put":
                jobs_later(number, self.put)
            elif word == "stop":
                jobs_later(number % 3, partial(self.stop, number))
            elif word == "put and stop":
                await turns(3)
                self.put()
                jobs_later(number % 2, partial(self.stop, number))
            elif word == "turn":
                await turns(number)
            else:
                self.start()
        await turns(REST)

    async def drain(self) -> None:
        self.start()
        await turns(REST)
        self.feed.close()
        for task in self.tasks:
            await finished(task)
            task.result()


def longest_rise(values: Iterable[Any]) -> int:
    """The length of the longest subsequence that is in order."""
    ends: list[Any] = []
    for value in values:
        place = bisect_left(ends, value)
        ends[place : place + 1] = [value]
    return len(ends)


@EVERY_LOOP
@PROGRAMS
@given(kind=st.sampled_from(FEEDS), into_memory=st.booleans(), steps=STEPS)
def test_no_chunk_is_lost_to_a_cancellation_of_one_of_several_tasks_that_read(
    make_loop: LoopFactory, kind: type[Feed], into_memory: bool, steps: list[Step]
) -> None:
    async def main() -> None:
        pool = Pool(kind(), into_memory and kind in BYTE_FEEDS)
        pool.start()
        pool.start()
        await pool.run(steps)
        await pool.drain()
        in_order_of_calls = [pool.received[call] for call in sorted(pool.received)]
        assert sorted(in_order_of_calls) == pool.feed.given
        # Each cancelled read gives back one chunk at most; all others were handed out in the order of the calls.
        assert longest_rise(in_order_of_calls) >= len(in_order_of_calls) - pool.cancelled

    run(make_loop, main)


@EVERY_LOOP
@PROGRAMS
@given(count=st.integers(1, 8), chosen=st.sets(st.integers(0, 7)), jobs=st.integers(0, 3), in_memory=st.booleans())
def test_no_chunk_is_lost_to_a_cancellation_of_several_reads_that_were_answered_at_once(
    make_loop: LoopFactory, count: int, chosen: set[int], jobs: int, in_memory: bool
) -> None:
    async def main() -> None:
        feed = PushedBytes() if in_memory else Pushed()
        reader: Any = feed.stream.get_reader(mode="byob") if in_memory else feed.stream.get_reader()
        received: list[bytes] = []

        async def read() -> None:
            received.append(bytes((await (reader.read(bytearray(1)) if in_memory else reader.read())).value))

        tasks = [asyncio.create_task(read()) for _ in range(count)]
        await turns(REST)
        for number in range(count):
            feed.put(bytes([number]))
        for number, task in enumerate(tasks):
            if number in chosen:
                jobs_later(jobs, task.cancel)
        await asyncio.wait(tasks)
        stayed = [bytes([number]) for number, task in enumerate(tasks) if not task.cancelled()]
        assert received == stayed
        received.clear()
        for _ in range(count - len(stayed)):
            await finished(asyncio.create_task(read()))
        assert received == [bytes([number]) for number, task in enumerate(tasks) if task.cancelled()]

    run(make_loop, main)


async def test_no_chunk_is_lost_to_a_cancellation_of_a_branch_that_waited_for_more_bytes_than_came() -> None:
    feed = TeedBytes()
    first, second = feed.branches
    reader = second.get_reader(mode="byob")

    async def read() -> None:
        await reader.read(bytearray(4), min=3)

    task = asyncio.create_task(read())
    await turns(REST)
    feed.put(b"ab")
    await turns(REST)
    task.cancel()
    await turns(REST)
    feed.close()
    value, done = await reader.read(bytearray(4))
    assert bytes(value or b"") == b"ab"
    assert not done
    assert (await reader.read(bytearray(4))).done
    assert [chunk async for chunk in first] == [b"ab"]


# Sources that read other streams.


@EVERY_LOOP
@PROGRAMS
@given(steps=STEPS)
def test_no_chunk_is_lost_to_a_cancellation_inside_the_source_of_another_stream(
    make_loop: LoopFactory, steps: list[Step]
) -> None:
    """The task of a `pull` that reads is cancelled: its stream is errored, and the chunk stays where it was."""

    async def main() -> None:
        feed = Pushed()
        received: list[bytes | None] = []
        tasks: list[asyncio.Task[Any] | None] = []

        async def pull(controller: Any) -> None:
            tasks.append(asyncio.current_task())
            with feed.stream.get_reader() as inner:
                while True:
                    received.append((await inner.read()).value)

        def start() -> None:
            if not feed.stream.locked:
                ReadableStream({"pull": pull})

        def stop() -> None:
            for task in tasks:
                if task is not None:
                    task.cancel()

        for word, number in steps:
            if word == "turn":
                await turns(number)
            elif word == "put":
                jobs_later(number, lambda: feed.put(bytes([len(feed.given)])))
            elif word == "start":
                start()
            else:
                jobs_later(number, stop)
        await turns(REST)
        stop()
        await turns(REST)
        assert not feed.stream.locked
        feed.close()
        received += [chunk async for chunk in feed.stream]
        assert received == feed.given

    run(make_loop, main)


async def test_no_chunk_is_lost_to_a_cancellation_in_the_turn_in_which_a_callback_began_to_read() -> None:
    feed = Pushed()
    reader = feed.stream.get_reader()
    tasks: list[Any] = []

    async def pull(controller: Any) -> None:
        tasks.append(asyncio.current_task())
        controller.enqueue((await reader.read()).value)

    outer = ReadableStream[bytes]({"pull": pull}, {"high_water_mark": 0})
    await turns(REST)
    read = outer.get_reader().read()
    assert len(tasks) == 1
    tasks[0].cancel()
    feed.put(b"chunk")
    await turns(REST)
    assert read.exception() is not None
    feed.close()
    assert await reader.read() == (b"chunk", False)


async def test_no_chunk_is_lost_to_a_cancellation_when_the_reads_were_shielded_from_it() -> None:
    feed = Pushed()
    reader = feed.stream.get_reader()
    read = reader.read()

    async def wait() -> None:
        await asyncio.shield(read)

    task = asyncio.create_task(wait())
    await turns(REST)
    task.cancel()
    await turns(REST)
    assert task.cancelled()
    feed.put(b"chunk")
    assert await read == (b"chunk", False)


async def test_no_chunk_is_lost_to_a_cancellation_of_one_of_two_tasks_that_await_the_same_read() -> None:
    feed = Pushed()
    reader = feed.stream.get_reader()
    read = reader.read()

    async def wait() -> Any:
        return await read

    first, second = asyncio.create_task(wait()), asyncio.create_task(wait())
    await turns(REST)
    feed.put(b"chunk")
    first.cancel()
    await turns(REST)
    assert first.cancelled()
    assert second.result() == (b"chunk", False)
