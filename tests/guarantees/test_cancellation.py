"""What a cancelled task leaves behind: no chunk is lost, writes stay written, and a pipe cleans up.

The programs that Hypothesis makes are run turn by turn of an event loop of their own. A consumer is stopped in the same
turn in which a chunk is handed over, some jobs before or after it, or some turns of the loop away from it.
"""

from __future__ import annotations

import asyncio
import gc
from bisect import bisect_left
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.grids import each_of
from tests.loops import LOOP_FACTORIES
from webstreams import ReadableStream, WritableStream, queue_microtask

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

EVERY_LOOP = pytest.mark.parametrize("make_loop", LOOP_FACTORIES.values(), ids=LOOP_FACTORIES)
PROGRAMS = settings(max_examples=40, deadline=None, derandomize=True)

# More turns than anything takes that does not hang, and than anything needs to come to rest.
MANY_TURNS = 2000
REST = 12
# A program that would hang fails after this many seconds instead.
PATIENCE = 30.0


def run(make_loop: LoopFactory, main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a program in a loop of its own, which must have nothing to report, also about its garbage."""
    reported: list[dict[str, Any]] = []

    async def quietly() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
        async with asyncio.timeout(PATIENCE):
            await main()
        # What the program made is in the youngest generation, because nothing was collected meanwhile.
        gc.collect(0)

    gc.disable()
    try:
        with asyncio.Runner(loop_factory=make_loop) as runner:
            runner.run(quietly())
    finally:
        gc.enable()
    assert reported == []


async def turns(count: int = REST) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def finished(task: asyncio.Future[Any]) -> None:
    """Wait for the end of a task."""
    for _ in range(MANY_TURNS):
        if task.done():
            return
        await asyncio.sleep(0)
    raise AssertionError(f"not done after {MANY_TURNS} turns of the event loop: {task!r}")


def jobs_later(count: int, function: Callable[[], object]) -> None:
    """Call a function now, or as the microtask that is so many generations away."""
    if count == 0:
        function()
    else:
        queue_microtask(jobs_later, count - 1, function)


def other_tasks() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks() - {asyncio.current_task()}


# Feeds: a stream, what puts a chunk into it and what ends it.


class Feed:
    """Puts chunks into a stream, and knows all that were put."""

    def __init__(self) -> None:
        self.given: list[bytes] = []
        self.stream: ReadableStream[bytes] = self.make()

    def make(self) -> ReadableStream[bytes]:
        raise NotImplementedError

    def put(self, chunk: bytes) -> None:
        self.given.append(chunk)
        self.deliver(chunk)

    def deliver(self, chunk: bytes) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class Pushed(Feed):
    """The chunks are enqueued from outside."""

    type: str | None = None
    controller: Any

    def make(self) -> ReadableStream[bytes]:
        def start(controller: Any) -> None:
            self.controller = controller

        source: Any = {"type": self.type, "start": start}
        stream: ReadableStream[bytes] = ReadableStream(source)
        return stream

    def deliver(self, chunk: bytes) -> None:
        self.controller.enqueue(chunk)

    def close(self) -> None:
        self.controller.close()


class PushedBytes(Pushed):
    """A byte stream: every second chunk is written into the memory of a waiting BYOB read, if there is one."""

    type = "bytes"

    def deliver(self, chunk: bytes) -> None:
        request = self.controller.byob_request
        if request is None or len(self.given) % 2:
            self.controller.enqueue(chunk)
            return
        view = request.view
        count = min(len(view), len(chunk))
        view[:count] = chunk[:count]
        request.respond(count)
        if count < len(chunk):
            self.controller.enqueue(chunk[count:])

    def close(self) -> None:
        super().close()
        if self.controller.byob_request is not None:
            self.controller.byob_request.respond(0)


class AllocatedBytes(PushedBytes):
    """The same, with memory that the stream allocates for default readers."""

    def make(self) -> ReadableStream[bytes]:
        def start(controller: Any) -> None:
            self.controller = controller

        source: Any = {"type": "bytes", "start": start, "auto_allocate_chunk_size": 8}
        return ReadableStream(source)


class Waited(Feed):
    """The source waits for the chunks; None is the end."""

    def make(self) -> ReadableStream[bytes]:
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        return self.over_queue()

    def over_queue(self) -> ReadableStream[bytes]:
        raise NotImplementedError

    async def generate(self) -> AsyncIterator[bytes]:
        while (chunk := await self.queue.get()) is not None:
            yield chunk

    def deliver(self, chunk: bytes) -> None:
        self.queue.put_nowait(chunk)

    def close(self) -> None:
        self.queue.put_nowait(None)


class Pulled(Waited):
    """A coroutine callback waits for each chunk."""

    def over_queue(self) -> ReadableStream[bytes]:
        async def pull(controller: Any) -> None:
            chunk = await self.queue.get()
            if chunk is None:
                controller.close()
            else:
                controller.enqueue(chunk)

        return ReadableStream({"pull": pull})


class Generated(Waited):
    """A stream from an asynchronous generator."""

    def over_queue(self) -> ReadableStream[bytes]:
        return ReadableStream.from_(self.generate())


class Relayed(Waited):
    """A stream from another stream."""

    def over_queue(self) -> ReadableStream[bytes]:
        return ReadableStream.from_(ReadableStream.from_(self.generate()))


class Teed(Pushed):
    """A branch of a tee."""

    def make(self) -> ReadableStream[bytes]:
        self.branches = super().make().tee()
        return self.branches[0]


class TeedBytes(PushedBytes):
    """A branch of a tee of bytes."""

    def make(self) -> ReadableStream[bytes]:
        self.branches = super().make().tee()
        return self.branches[1]


FEEDS: list[type[Feed]] = [Pushed, PushedBytes, AllocatedBytes, Pulled, Generated, Relayed, Teed, TeedBytes]
BYTE_FEEDS: list[type[Feed]] = [PushedBytes, AllocatedBytes, TeedBytes]


# Consumers. Each reads until it is stopped, in its own way, or until the end.


class Stop(Exception):
    """Makes a task group cancel its other tasks."""


class Consumer:
    """A task that reads a stream and puts what it gets into a common list. It can be stopped once."""

    def __init__(self, stream: ReadableStream[bytes], received: list[bytes]) -> None:
        self.stream = stream
        self.received = received
        self.ended = False
        self.stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(self.work())

    async def work(self) -> None:
        with self.stream.get_reader() as reader:
            while self.take(await self.wait_for_read(reader.read())):
                pass

    async def wait_for_read(self, read: Any) -> Any:
        return await read

    def take(self, result: Any) -> bool:
        value, self.ended = result
        if not self.ended:
            self.received.append(bytes(value))
        return not self.ended

    def stop(self) -> None:
        self.task.cancel()

    async def end(self) -> None:
        """Stop, and wait until the task has ended. (`asyncio.wait_for` of Python 3.11 can swallow a cancellation.)"""
        self.stop()
        for _ in range(MANY_TURNS):
            if self.task.done():
                break
            await asyncio.sleep(0)
            self.task.cancel()
        await asyncio.wait({self.task})
        if not self.task.cancelled():
            self.task.result()


class WaitForConsumer(Consumer):
    """Reads with `asyncio.wait_for`."""

    async def wait_for_read(self, read: Any) -> Any:
        return await asyncio.wait_for(read, 60)


class ImpatientConsumer(Consumer):
    """Reads with an `asyncio.wait_for` that gives up in the next turn, or in the same one."""

    async def work(self) -> None:
        with self.stream.get_reader() as reader:
            for timeout in [1e-6, 0, 1e-6, 0, 0]:
                try:
                    if not self.take(await asyncio.wait_for(reader.read(), timeout)):
                        return
                except TimeoutError:
                    await asyncio.sleep(0)


class TimeoutConsumer(Consumer):
    """Reads in an `asyncio.timeout`, which ends when the consumer is stopped."""

    timeout: asyncio.Timeout | None = None

    async def work(self) -> None:
        try:
            async with asyncio.timeout(None) as self.timeout:
                await super().work()
        except TimeoutError:
            pass
        finally:
            self.timeout = None

    def stop(self) -> None:
        if self.timeout is not None and not self.timeout.expired():
            self.timeout.reschedule(asyncio.get_running_loop().time())


class GroupConsumer(Consumer):
    """Reads in a task group, in which another task fails when the consumer is stopped."""

    async def work(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                failing = group.create_task(self.fail())
                await super().work()
                failing.cancel()
        except* Stop:
            pass

    async def fail(self) -> None:
        await self.stopped
        raise Stop

    def stop(self) -> None:
        if not self.stopped.done():
            self.stopped.set_result(None)


class IteratingConsumer(Consumer):
    """Iterates over the stream without cancelling it."""

    async def work(self) -> None:
        async for chunk in self.stream.values(prevent_cancel=True):
            self.received.append(bytes(chunk))
        self.ended = True


class IteratingBlockConsumer(Consumer):
    """The same in a block, with a timeout around every step."""

    timeout: asyncio.Timeout | None = None

    async def work(self) -> None:
        async with self.stream.values(prevent_cancel=True) as chunks:
            while not self.ended:
                try:
                    async with asyncio.timeout(None) as self.timeout:
                        self.received.append(bytes(await anext(chunks)))
                except StopAsyncIteration:
                    self.ended = True
                except TimeoutError:
                    return
                finally:
                    self.timeout = None

    def stop(self) -> None:
        if self.timeout is not None and not self.timeout.expired():
            self.timeout.reschedule(asyncio.get_running_loop().time())


class ByobConsumer(Consumer):
    """Reads into memory of its own: `size` bytes, not less than `minimum` of them."""

    size = 4
    minimum = 3

    async def work(self) -> None:
        with self.stream.get_reader(mode="byob") as reader:
            while self.take(await self.wait_for_read(reader.read(bytearray(self.size), min=self.minimum))):
                pass

    def take(self, result: Any) -> bool:
        if result.done and result.value:
            self.received.append(bytes(result.value))
        return super().take(result)


class SmallByobConsumer(ByobConsumer):
    """One byte at a time, with `asyncio.wait_for`."""

    size = minimum = 1

    async def wait_for_read(self, read: Any) -> Any:
        return await asyncio.wait_for(read, 60)


class GreedyByobConsumer(ByobConsumer):
    """Waits until much memory is full, so that a read that is cancelled has got bytes already."""

    size = minimum = 9


CONSUMERS: list[type[Consumer]] = [
    Consumer,
    WaitForConsumer,
    ImpatientConsumer,
    TimeoutConsumer,
    GroupConsumer,
    IteratingConsumer,
    IteratingBlockConsumer,
]
BYTE_CONSUMERS: list[type[Consumer]] = [ByobConsumer, SmallByobConsumer, GreedyByobConsumer, *CONSUMERS]

# A step is a word and a number: how many turns are waited, how many jobs later something is done, or which consumer.
Step = tuple[str, int]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 4)),
        st.tuples(st.just("put"), st.just(0)),
        st.tuples(st.just("stop"), st.integers(0, 6)),
        st.tuples(st.just("put and stop"), st.integers(0, 4)),
        st.tuples(st.just("turn"), st.integers(1, 3)),
        st.tuples(st.just("start"), st.integers(0, 9)),
    ),
    min_size=4,
    max_size=30,
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
        await turns()
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
        await turns()
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
        await turns()

    async def drain(self) -> None:
        self.start()
        await turns()
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
        await turns()
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
    await turns()
    feed.put(b"ab")
    await turns()
    task.cancel()
    await turns()
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
        await turns()
        stop()
        await turns()
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
    await turns()
    read = outer.get_reader().read()
    assert len(tasks) == 1
    tasks[0].cancel()
    feed.put(b"chunk")
    await turns()
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
    await turns()
    task.cancel()
    await turns()
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
    await turns()
    feed.put(b"chunk")
    first.cancel()
    await turns()
    assert first.cancelled()
    assert second.result() == (b"chunk", False)


# Writes.


class SlowSink:
    """Finishes each write after some turns of the loop."""

    def __init__(self, pace: int) -> None:
        self.pace = pace
        self.begun: list[Any] = []
        self.written: list[Any] = []
        self.ends: list[str] = []

    async def write(self, chunk: Any, controller: Any) -> None:
        self.begun.append(chunk)
        await turns(self.pace)
        self.written.append(chunk)

    async def close(self) -> None:
        await turns(self.pace)
        self.ends.append("close")

    def abort(self, reason: Any) -> None:
        self.ends.append("abort")


class WriterProgram:
    """Tasks that wait for a writer's promises in different ways, and are cancelled."""

    def __init__(self, sink: SlowSink, high_water_mark: int) -> None:
        self.stream = WritableStream[int](sink, {"high_water_mark": high_water_mark})
        self.writer = self.stream.get_writer()
        self.called: list[int] = []
        self.tasks: list[asyncio.Task[None]] = []

    def write(self) -> Any:
        number = len(self.called)
        self.called.append(number)
        return self.writer.write(number)

    async def await_write(self) -> None:
        await self.write()

    async def await_ready(self) -> None:
        await self.writer.ready
        await self.write()

    async def await_ready_only(self) -> None:
        await self.writer.ready
        self.write()

    async def await_within_timeout(self) -> None:
        async with asyncio.timeout(60):
            await asyncio.wait_for(self.write(), 60)

    async def await_impatiently(self) -> None:
        try:
            await asyncio.wait_for(self.write(), 1e-6)
        except TimeoutError:
            self.write()

    async def await_in_group(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.await_write())
            group.create_task(self.await_ready())

    async def await_closed(self) -> None:
        await self.writer.closed

    def start(self, number: int) -> None:
        ways = [
            self.await_write,
            self.await_ready,
            self.await_ready_only,
            self.await_within_timeout,
            self.await_impatiently,
            self.await_in_group,
            self.await_closed,
        ]
        self.tasks.append(asyncio.create_task(ways[number % len(ways)]()))

    def stop(self, number: int) -> None:
        if self.tasks:
            self.tasks[number % len(self.tasks)].cancel()

    async def run(self, steps: list[Step]) -> None:
        for word, number in steps:
            if word == "turn":
                await turns(number)
            elif word == "stop":
                jobs_later(number % 3, partial(self.stop, number))
            else:
                self.start(number)

    async def close(self, waits: int) -> None:
        """Call `close()` in a task that is cancelled while it waits."""

        async def close() -> None:
            await self.writer.close()

        task = asyncio.create_task(close())
        await turns(waits)
        task.cancel()
        await asyncio.wait({task})


@EVERY_LOOP
@PROGRAMS
@given(steps=STEPS, pace=st.integers(0, 3), high_water_mark=st.integers(1, 3), waits=st.integers(1, 4))
def test_writes_survive_their_waiter_in_order_and_once(
    make_loop: LoopFactory, steps: list[Step], pace: int, high_water_mark: int, waits: int
) -> None:
    async def main() -> None:
        sink = SlowSink(pace)
        program = WriterProgram(sink, high_water_mark)
        await program.run(steps)
        for task in program.tasks:
            task.cancel()
        if program.tasks:
            await asyncio.wait(program.tasks)
        await program.close(waits)
        await program.writer.closed
        assert sink.written == program.called
        assert sink.ends == ["close"]

    run(make_loop, main)


async def test_writes_survive_their_waiter_that_was_cancelled_before_the_sink_began() -> None:
    sink = SlowSink(3)
    writer = WritableStream[str](sink, {"high_water_mark": 2}).get_writer()
    writer.write("first")

    async def wait() -> None:
        await writer.write("second")

    task = asyncio.create_task(wait())
    await turns(2)
    assert sink.begun == ["first"]
    task.cancel()
    third = writer.write("third")
    await third
    assert task.cancelled()
    assert sink.written == ["first", "second", "third"]


async def test_writes_survive_their_waiter_that_waited_for_the_end_of_a_block() -> None:
    sink = SlowSink(4)
    stream = WritableStream[str](sink, {"high_water_mark": 4})

    async def block() -> None:
        async with stream.get_writer() as writer:
            writer.write("first")
            writer.write("second")

    task = asyncio.create_task(block())
    await turns(2)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert not stream.locked
    await turns(30)
    assert sink.written == ["first", "second"]
    assert sink.ends == ["close"]


async def test_writes_survive_their_waiter_in_the_turn_in_which_a_callback_began_to_write() -> None:
    sink = SlowSink(2)
    writer = WritableStream[str](sink).get_writer()
    tasks: list[Any] = []

    async def pull(controller: Any) -> None:
        tasks.append(asyncio.current_task())
        await writer.write("chunk")

    outer = ReadableStream[str]({"pull": pull}, {"high_water_mark": 0})
    await turns()
    read = outer.get_reader().read()
    tasks[0].cancel()
    await turns()
    assert read.exception() is not None
    await writer.close()
    assert sink.written == ["chunk"]


# Pipes.


class PipeProgram:
    """A pipe that is awaited by a task, which is cancelled."""

    def __init__(self, pace: int, high_water_mark: int, **options: bool) -> None:
        self.feed = Pushed()
        self.sink = SlowSink(pace)
        self.cancels = 0
        self.source: Any = self.feed.stream
        self.dest = WritableStream[bytes](self.sink, {"high_water_mark": high_water_mark})
        self.options = options
        self.task = asyncio.create_task(self.work())
        self.locks_at_the_end: list[bool] = []
        self.written_at_the_end: list[Any] = []

    async def work(self) -> None:
        try:
            await self.source.pipe_to(self.dest, **self.options)
        finally:
            self.locks_at_the_end = [self.source.locked, self.dest.locked]
            self.written_at_the_end = list(self.sink.written)

    def put(self) -> None:
        self.feed.put(bytes([len(self.feed.given)]))


PIPES = {
    "pace": st.integers(0, 3),
    "high_water_mark": st.integers(1, 3),
    "prevent_close": st.booleans(),
    "prevent_abort": st.booleans(),
    "prevent_cancel": st.booleans(),
}
# How many turns pass before the first cancellation and between it and the next, and which chunks come when.
CANCELLATIONS = st.lists(st.integers(0, 3), min_size=1, max_size=4)
CHUNKS = st.lists(st.integers(0, 2), max_size=6)


@EVERY_LOOP
@PROGRAMS
@given(options=st.fixed_dictionaries(PIPES), chunks=CHUNKS, cancellations=CANCELLATIONS)
def test_a_cancelled_pipe_cleans_up_whenever_it_is_cancelled(
    make_loop: LoopFactory, options: dict[str, Any], chunks: list[int], cancellations: list[int]
) -> None:
    async def main() -> None:
        program = PipeProgram(**options)
        await turns(2)
        for waits in chunks:
            program.put()
            await turns(waits)
        for waits in cancellations:
            program.task.cancel()
            await turns(waits)
        await finished(program.task)
        assert program.task.cancelled()
        if len(cancellations) == 1:  # a second one ends the waiting
            assert program.locks_at_the_end == [False, False]
        await turns()
        assert [program.source.locked, program.dest.locked] == [False, False]
        while other_tasks():  # what was handed over is written
            await turns(1)
        sink, given_chunks = program.sink, program.feed.given
        # What was written was written in order and once.
        assert sink.begun == given_chunks[: len(sink.begun)]
        assert sink.written == sink.begun[: len(sink.written)]
        if options["prevent_abort"]:
            # What was handed over stays in the destination.
            assert sink.written == sink.begun
            assert sink.ends == []
        else:
            # The write under way was cancelled, and nothing was written any more.
            assert len(sink.written) >= len(sink.begun) - 1
            assert program.written_at_the_end == sink.written
            assert sink.ends == ["abort"]
            with pytest.raises(Exception, match="cancelled"):
                await program.dest.get_writer().closed
        if options["prevent_cancel"]:
            program.feed.close()
            rest = [chunk async for chunk in program.source]
            assert rest == given_chunks[len(given_chunks) - len(rest) :]
            if options["prevent_abort"]:
                assert sink.written + rest == given_chunks
        else:
            assert (await program.source.get_reader().read()).done

    run(make_loop, main)


@EVERY_LOOP
@PROGRAMS
@given(pace=st.integers(0, 2), chunks=st.lists(st.integers(0, 3), max_size=8), lives=CANCELLATIONS)
def test_a_cancelled_pipe_cleans_up_so_that_the_next_pipe_goes_on_where_it_stopped(
    make_loop: LoopFactory, pace: int, chunks: list[int], lives: list[int]
) -> None:
    async def main() -> None:
        feed, sink = Pushed(), SlowSink(pace)
        dest = WritableStream[bytes](sink, {"high_water_mark": 2})

        async def pipe() -> None:
            await feed.stream.pipe_to(dest, prevent_abort=True, prevent_cancel=True)

        for number, waits in enumerate(chunks):
            task = asyncio.create_task(pipe())
            await turns(waits)
            feed.put(bytes([number]))
            await turns(lives[number % len(lives)])
            task.cancel()
            await finished(task)
        feed.close()
        await pipe()
        assert sink.written == feed.given
        assert sink.ends == ["close"]

    run(make_loop, main)


@each_of(prevent_cancel=[False, True])
@each_of(prevent_abort=[False, True])
async def test_a_cancelled_pipe_cleans_up_although_it_is_cancelled_again_meanwhile(
    prevent_abort: bool, prevent_cancel: bool
) -> None:
    write: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    cancel: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    calls: list[str] = []

    def write_slowly(chunk: Any, controller: Any) -> asyncio.Future[None]:
        calls.append(f"write {chunk}")
        return write  # no coroutine, and deaf to the signal

    async def cancel_slowly(reason: Any) -> None:
        calls.append("cancel")
        await cancel

    source = ReadableStream[str]({"start": lambda controller: controller.enqueue("chunk"), "cancel": cancel_slowly})
    dest = WritableStream[str]({"write": write_slowly, "abort": lambda reason: calls.append("abort")})

    async def pipe() -> None:
        await source.pipe_to(dest, prevent_abort=prevent_abort, prevent_cancel=prevent_cancel)

    task = asyncio.create_task(pipe())
    await turns()
    task.cancel()
    await turns()
    waits = not (prevent_abort and prevent_cancel)
    assert task.done() != waits
    assert [source.locked, dest.locked] == [not prevent_abort, not prevent_abort]
    task.cancel()
    await turns()
    assert task.cancelled()
    assert calls == ["write chunk"] + ["cancel"] * (not prevent_cancel)
    write.set_result(None)
    cancel.set_result(None)
    await turns()
    assert [source.locked, dest.locked] == [False, False]
    assert calls == ["write chunk"] + ["cancel"] * (not prevent_cancel) + ["abort"] * (not prevent_abort)
    assert other_tasks() == set()


@each_of(way=["timeout", "wait_for", "group"])
async def test_a_cancelled_pipe_cleans_up_before_what_cancelled_it_goes_on(way: str) -> None:
    sink = SlowSink(5)
    source = ReadableStream[str]({"start": lambda controller: controller.enqueue("chunk")})
    dest = WritableStream[str](sink)

    async def fail() -> None:
        await turns(3)
        raise Stop

    if way == "timeout":
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.005):
                await source.pipe_to(dest)
    elif way == "wait_for":
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(source.pipe_to(dest), 0.005)
    else:
        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.TaskGroup() as group:
                group.create_task(fail())
                await source.pipe_to(dest)
        assert [type(each) for each in caught.value.exceptions] == [Stop]
    assert [source.locked, dest.locked] == [False, False]
    assert sink.begun == ["chunk"]
    assert sink.ends == ["abort"]
    await turns()
    assert other_tasks() == set()


async def test_a_cancelled_pipe_cleans_up_in_the_turn_in_which_a_callback_began_it() -> None:
    sink = SlowSink(3)
    source = ReadableStream[str]({"start": lambda controller: controller.enqueue("chunk")})
    dest = WritableStream[str](sink)
    tasks: list[Any] = []
    locks: list[bool] = []

    async def pull(controller: Any) -> None:
        tasks.append(asyncio.current_task())
        try:
            await source.pipe_to(dest)
        finally:
            locks.extend([source.locked, dest.locked])

    outer = ReadableStream[str]({"pull": pull}, {"high_water_mark": 0})
    await turns()
    read = outer.get_reader().read()
    tasks[0].cancel()
    await turns(30)
    assert read.exception() is not None
    assert locks == [False, False]
    assert sink.ends == ["abort"]
    assert sink.begun == sink.written
