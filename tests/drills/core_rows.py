"""Rows of the core: streams of the program's own, iterables, generators, threads, queues."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, NamedTuple

from webstreams import (
    CompressionStream,
    DecompressionStream,
    ReadableStream,
    TextDecoderStream,
    TextEncoderStream,
    TransformStream,
    WritableStream,
    channel,
    from_blocking_iterable,
    from_queue,
    generator_transform,
    lines,
    to_callable,
    to_generator,
    to_queue,
)
from webstreams.threads import ThreadSafeWriter, readable_from_thread

from .rows import BYTES, Drill, sink, source, transform


async def for_ever() -> None:
    await asyncio.Event().wait()


async def a_turn() -> None:
    await asyncio.sleep(0)


# Sinks.


class Recording:
    """A sink of a program's own."""

    def __init__(self, drill: Drill) -> None:
        self.is_stalled = drill.is_stalled
        self.closed = False
        drill.published = lambda: self.closed

    async def write(self, chunk: Any, controller: Any) -> None:
        await (for_ever() if self.is_stalled else a_turn())

    async def close(self) -> None:
        self.closed = True


@sink("object with coroutines")
async def object_with_coroutines(drill: Drill) -> WritableStream[Any]:
    return WritableStream(Recording(drill))


@sink("object that listens to its signal")
async def listening(drill: Drill) -> WritableStream[Any]:
    loop = asyncio.get_running_loop()

    def write(chunk: Any, controller: Any) -> Any:
        future = loop.create_future()

        def settle(event: object = None) -> None:
            if not future.done():
                future.set_result(None)

        if not drill.is_stalled:
            loop.call_soon(settle)
        controller.signal.add_event_listener("abort", settle, once=True)
        return future

    closed: list[bool] = []
    drill.published = lambda: closed
    return WritableStream({"write": write, "close": lambda: closed.append(True)})


@sink("object that starts", states=("stalled",))
async def starting(drill: Drill) -> WritableStream[Any]:
    return WritableStream({"start": lambda controller: for_ever()})


@sink("to_callable")
async def callable_(drill: Drill) -> WritableStream[Any]:
    return to_callable(lambda chunk: for_ever() if drill.is_stalled else a_turn())


@sink("to_generator, asynchronous")
async def async_generator(drill: Drill) -> WritableStream[Any]:
    closed: list[bool] = []
    drill.published = lambda: closed

    async def receive() -> Any:
        try:
            while True:
                yield
                await (for_ever() if drill.is_stalled else a_turn())
        except GeneratorExit:
            closed.append(True)
            raise

    return to_generator(receive())


@sink("to_generator, plain", states=("running", "not begun"))
async def plain_generator(drill: Drill) -> WritableStream[Any]:
    closed: list[bool] = []
    drill.published = lambda: closed

    def receive() -> Any:
        try:
            while True:
                yield
        except GeneratorExit:
            closed.append(True)
            raise

    generator = receive()
    drill.peers.callback(lambda: generator)  # not dropped before that
    return to_generator(generator)


@sink("to_queue")
async def queue(drill: Drill) -> WritableStream[Any]:
    items: asyncio.Queue[Any] = asyncio.Queue(1 if drill.is_stalled else 0)
    drill.published = lambda: [items.get_nowait() for _ in range(items.qsize())][-1:] == [None]
    return to_queue(items, end=None)


UNREAD: dict[str, Callable[[], Any]] = {
    "TransformStream": TransformStream,
    "lines": lines,
    "gzip": lambda: CompressionStream("gzip"),
    "TextDecoderStream": TextDecoderStream,
    "generator_transform": lambda: generator_transform(pass_on),
    "channel": lambda: Ends(*channel()),
}


async def pass_on(chunks: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for chunk in chunks:
        yield chunk


class Ends(NamedTuple):
    """The two ends of a channel, as a pair."""

    writable: WritableStream[Any]
    readable: ReadableStream[Any]


def add_unread(name: str, make: Callable[[], Any]) -> None:
    @sink(f"{name}, whose readable side nobody reads", states=("stalled",))
    async def unread(drill: Drill) -> WritableStream[Any]:
        pair = make()
        drill.peers.callback(lambda: pair)
        writable: WritableStream[Any] = pair.writable
        return writable


for title, make_pair in UNREAD.items():
    add_unread(title, make_pair)


# Sources.


@source("object with coroutines")
async def pulled(drill: Drill) -> ReadableStream[Any]:
    task: list[Any] = []

    async def pull(controller: Any) -> None:
        task[:] = [asyncio.current_task()]
        await (for_ever() if drill.is_stalled else a_turn())
        controller.enqueue(BYTES)

    async def cancel(reason: Any) -> None:
        task[0].cancel()

    return ReadableStream({"pull": pull, "cancel": cancel}, {"high_water_mark": 0})


@source("bytes")
async def pulled_bytes(drill: Drill) -> ReadableStream[Any]:
    pull = None if drill.is_stalled else lambda controller: controller.enqueue(BYTES)
    return ReadableStream({"type": "bytes", "pull": pull})


@source("from_, plain", states=("running", "not begun"))
async def iterable(drill: Drill) -> ReadableStream[Any]:
    return ReadableStream.from_(itertools.repeat(BYTES))


@source("from_, asynchronous generator")
async def async_iterable(drill: Drill) -> ReadableStream[Any]:
    async def give() -> AsyncIterator[bytes]:
        while True:
            yield BYTES
            await (for_ever() if drill.is_stalled else a_turn())

    return ReadableStream.from_(give())


@source("from_, asynchronous generator that takes its cancellation for the end")
async def soft_iterable(drill: Drill) -> ReadableStream[Any]:
    async def give() -> AsyncIterator[bytes]:
        try:
            while True:
                yield BYTES
                await (for_ever() if drill.is_stalled else a_turn())
        except asyncio.CancelledError:
            return

    return ReadableStream.from_(give())


@source("from_, asynchronous generator over another one")
async def nested_iterable(drill: Drill) -> ReadableStream[Any]:
    async def give() -> AsyncIterator[bytes]:
        while True:
            yield BYTES
            await (for_ever() if drill.is_stalled else a_turn())

    async def pass_on(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            yield chunk

    return ReadableStream.from_(pass_on(give()))


@source("tee")
async def teed(drill: Drill) -> ReadableStream[Any]:
    stream: ReadableStream[Any] = await pulled(drill)
    one, other = stream.tee()
    cancelled = other.cancel()  # done when the other one is cancelled, too
    drill.peers.callback(lambda: cancelled)
    return one


@source("from_queue")
async def from_a_queue(drill: Drill) -> ReadableStream[Any]:
    class Full(asyncio.Queue[Any]):
        def get_nowait(self) -> Any:
            if drill.is_stalled:
                raise asyncio.QueueEmpty
            return BYTES

        def task_done(self) -> None:
            pass

    return from_queue(Full())


@source("from_blocking_iterable", threads=1)
async def blocking_iterable(drill: Drill) -> ReadableStream[Any]:
    gate = threading.Event()
    drill.peers.callback(gate.set)

    def give() -> Iterator[bytes]:
        while not (drill.is_stalled and gate.wait()):
            yield BYTES

    return from_blocking_iterable(give())


@source("readable_from_thread", threads=1)
async def thread(drill: Drill) -> ReadableStream[Any]:
    gate = threading.Event()
    drill.peers.callback(gate.set)

    def write(writer: ThreadSafeWriter[bytes]) -> None:
        while not (drill.is_stalled and gate.wait()):
            writer.write(BYTES)

    return readable_from_thread(write)


# Transforms, between endless bytes and a file.


@transform("object with coroutines")
async def transformer(drill: Drill) -> Any:
    async def pass_on(chunk: bytes, controller: Any) -> None:
        await (for_ever() if drill.is_stalled else a_turn())
        controller.enqueue(chunk)

    return TransformStream({"transform": pass_on})


@transform("generator_transform")
async def through_generator(drill: Drill) -> Any:
    async def pass_on(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            await (for_ever() if drill.is_stalled else a_turn())
            yield chunk

    return generator_transform(pass_on)


class Chain:
    """Several pairs as one."""

    def __init__(self, *pairs: Any) -> None:
        self.writable = pairs[0].writable
        self.readable = pairs[0].readable
        for pair in pairs[1:]:
            self.readable = self.readable.pipe_through(pair)


@transform("text", states=("running", "not begun"))
async def text(drill: Drill) -> Any:
    return Chain(TextDecoderStream(), TextEncoderStream())


@transform("lines", states=("running", "not begun"))
async def in_lines(drill: Drill) -> Any:
    return Chain(TextDecoderStream(), lines(keep_ends=True), TextEncoderStream())


@transform("gzip", states=("running", "not begun"))
async def gzip(drill: Drill) -> Any:
    return Chain(CompressionStream("gzip"), DecompressionStream("gzip"))
