"""What pipes keep alive: listeners, promises, chunks (P4, P5)."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from tests.dropping import Dropped
from tests.faults.helpers import turns
from webstreams import (
    AbortController,
    AbortSignal,
    Promise,
    ReadableStream,
    ReadableStreamDefaultController,
    TransformStream,
    WritableStream,
    WritableStreamDefaultController,
)

from . import support
from .support import (
    RecordingSink,
    RecordingSource,
    failing,
    listener_count,
    live_objects,
    quiet,
    read_all,
    rejection,
    stream_of,
    value,
)

nothing_reported = pytest.fixture(autouse=True)(support.nothing_reported)

# P4


async def _end_of_source(number: int, signal: AbortSignal) -> None:
    sink = RecordingSink()
    await value(stream_of([number]).pipe_to(WritableStream[Any](sink), signal=signal))
    assert sink.chunks == [number]


async def _error_of_source(number: int, signal: AbortSignal) -> None:
    error = Exception("source failed")
    readable = ReadableStream[Any]({"pull": failing(error)})
    assert await rejection(readable.pipe_to(WritableStream[Any](), signal=signal)) is error


async def _error_of_sink(number: int, signal: AbortSignal) -> None:
    error = Exception("sink failed")
    writable = WritableStream[Any]({"write": failing(error)})
    assert await rejection(stream_of([number]).pipe_to(writable, signal=signal)) is error


async def _end_of_pipe_through(number: int, signal: AbortSignal) -> None:
    assert await read_all(stream_of([number]).pipe_through(TransformStream[Any, Any](), signal=signal)) == [number]


PIPES_THAT_END = [_end_of_source, _error_of_source, _error_of_sink, _end_of_pipe_through]


@pytest.mark.parametrize("run", PIPES_THAT_END)
async def test_p4_pipes_that_end_leave_no_listener_on_the_signal(run: Callable[[int, AbortSignal], Any]) -> None:
    """200 pipes with one signal, one after the other: each leaves no listener when it ends (oven-sh/bun#28491)."""
    signal = AbortController().signal
    for number in range(200):
        await run(number, signal)
        await turns(1)
    assert listener_count(signal) == 0


async def test_p4_pipes_that_run_at_the_same_time_leave_no_listener() -> None:
    """200 pipes at the same time: 200 listeners while they run, none when all have ended."""
    signal = AbortController().signal
    sources = [RecordingSource() for _ in range(200)]
    pipes = [ReadableStream[Any](source).pipe_to(WritableStream[Any](), signal=signal) for source in sources]
    await turns()
    assert listener_count(signal) == 200
    for source in sources:
        source.controller.close()
    for pipe in pipes:
        await value(pipe)
    assert listener_count(signal) == 0


async def test_p4_ended_pipes_are_collected_while_their_signal_lives() -> None:
    """The streams of 200 ended pipes are collected though their signal is still there."""
    signal = AbortController().signal
    streams: weakref.WeakSet[Any] = weakref.WeakSet()
    for number in range(200):
        readable, writable = stream_of([number]), WritableStream[Any]()
        streams.update((readable, writable))
        await value(readable.pipe_to(writable, signal=signal))
    del readable, writable
    await turns()
    gc.collect()
    assert len(streams) == 0
    assert not signal.aborted


async def test_p4_pipes_that_never_end_are_gone_after_an_abort() -> None:
    """200 pipes that would never end: an abort ends them all, leaves no listener, and the streams are collected."""
    controller = AbortController()
    streams: weakref.WeakSet[Any] = weakref.WeakSet()
    pipes: list[Promise[None]] = []
    for _ in range(200):
        readable, writable = ReadableStream[Any](), WritableStream[Any]()
        streams.update((readable, writable))
        pipes.append(readable.pipe_to(writable, signal=controller.signal))
    await turns()
    assert listener_count(controller.signal) == 200
    reason = Exception("stop")
    controller.abort(reason)
    assert [await rejection(pipe) for pipe in pipes] == [reason] * 200
    assert listener_count(controller.signal) == 0
    del readable, writable
    pipes.clear()
    await turns()
    gc.collect()
    assert len(streams) == 0


async def test_p4_pipes_that_never_end_are_collected_with_their_signal() -> None:
    """200 pipes that never end are collected when the program has dropped everything, the signal too."""
    controller = AbortController()
    dropped = Dropped()
    dropped.add(controller, controller.signal)
    for _ in range(200):
        readable, writable = ReadableStream[Any](), WritableStream[Any]()
        dropped.add(readable, writable, readable.pipe_to(writable, signal=controller.signal))
    await turns()
    assert len(dropped.alive()) == 602
    del controller, readable, writable
    assert dropped.alive() == []


async def test_p4_pipes_that_never_end_without_a_signal_are_collected() -> None:
    """Pipes that never end and have no signal are collected when the program has dropped them."""
    dropped = Dropped()
    for _ in range(20):
        readable, writable = ReadableStream[Any](), WritableStream[Any]()
        dropped.add(readable, writable, readable.pipe_to(writable))
        del readable, writable
    await turns()
    assert dropped.alive() == []


async def test_p4_signals_that_depend_on_one_signal_are_collected() -> None:
    """200 pipes, each with an AbortSignal.any() of the one signal: the dependent signals are collected afterwards."""
    signal = AbortController().signal
    dependents: weakref.WeakSet[AbortSignal] = weakref.WeakSet()
    for number in range(200):
        dependent = AbortSignal.any([signal, AbortController().signal])
        dependents.add(dependent)
        await _end_of_source(number, dependent)
    del dependent
    await turns()
    gc.collect()
    assert len(dependents) == 0
    assert listener_count(signal) == 0


# P5


async def test_p5_a_pipe_against_constant_backpressure_keeps_few_objects() -> None:
    """2,048 chunks against constant backpressure: the number of live promises, futures and tasks stays the same.

    See MattiasBuelens/web-streams-polyfill#217, whatwg/streams#968, LadybirdBrowser/ladybird#7061.
    """
    counts: list[int] = []

    class Sink:
        async def write(self, chunk: int, controller: WritableStreamDefaultController) -> None:
            await asyncio.sleep(0)
            if chunk in (256, 1024, 2047):
                counts.append(live_objects(Promise, asyncio.Future))

    await value(stream_of(range(2048)).pipe_to(WritableStream[int](Sink())), 100_000)
    assert len(counts) == 3
    assert max(counts) - min(counts) <= 4


async def test_p5_a_chain_of_pipes_keeps_few_objects() -> None:
    """The same through three transforms, with a source that is pulled by hand and no room anywhere."""
    counts: list[int] = []

    class Source:
        next = 0

        def pull(self, controller: ReadableStreamDefaultController[int]) -> None:
            controller.enqueue(self.next)
            self.next += 1
            if self.next == 2048:
                controller.close()

    class Sink:
        async def write(self, chunk: int, controller: WritableStreamDefaultController) -> None:
            await asyncio.sleep(0)
            if chunk in (256, 1024, 2000):
                counts.append(live_objects(Promise, asyncio.Future))

    stream = ReadableStream[int](Source())
    for _ in range(3):
        stream = stream.pipe_through(TransformStream[int, int]())
    await value(stream.pipe_to(WritableStream[int](Sink())), 100_000)
    assert len(counts) == 3
    assert max(counts) - min(counts) <= 8


async def test_p5_a_loop_of_writes_that_waits_for_ready_keeps_few_objects() -> None:
    """The same for a loop of a program that waits for `ready` before each of 2,048 writes."""
    counts: list[int] = []

    class Sink:
        async def write(self, chunk: int, controller: WritableStreamDefaultController) -> None:
            await asyncio.sleep(0)

    writer = WritableStream[int](Sink()).get_writer()
    for number in range(2048):
        await writer.ready
        quiet(writer.write(number))
        if number in (256, 1024, 2000):
            counts.append(live_objects(Promise, asyncio.Future))
    await value(writer.close())
    assert len(counts) == 3
    assert max(counts) - min(counts) <= 4


async def test_p5_a_pipe_of_many_chunks_keeps_no_chunk() -> None:
    """Chunks that went through a pipe are not kept by it."""

    class Chunk:
        pass

    alive: weakref.WeakSet[Chunk] = weakref.WeakSet()
    most = 0

    class Source:
        left = 2000

        def pull(self, controller: ReadableStreamDefaultController[Chunk]) -> None:
            nonlocal most
            self.left -= 1
            chunk = Chunk()
            alive.add(chunk)
            most = max(most, len(alive))
            controller.enqueue(chunk)
            if self.left == 0:
                controller.close()

    await value(ReadableStream[Chunk](Source()).pipe_to(WritableStream[Chunk]()), 100_000)
    assert most <= 6
