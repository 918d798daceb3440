"""Programs that are cancelled in any turn: what puts chunks into streams, what takes them, and the steps between.

The programs that Hypothesis makes are run turn by turn of an event loop of their own. A consumer is stopped in the same
turn in which a chunk is handed over, some jobs before or after it, or some turns of the loop away from it.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from hypothesis import strategies as st

from tests.faults.helpers import turns
from tests.shares import drawn
from webstreams import ReadableStream, queue_microtask

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

PROGRAMS = drawn(40)

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


# A sink.


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
