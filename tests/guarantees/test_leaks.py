"""Memory stays constant: for many chunks, for cancelled waits, for many pipes on one signal."""

from __future__ import annotations

import asyncio
import functools
import gc
import types
import weakref
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.faults.helpers import (
    SOURCES,
    ByteSource,
    RecordingSource,
    failure,
    quiet,
    soon,
    stream_of,
    turns,
)
from tests.faults.support import listener_count
from tests.grids import each_of
from webstreams import AbortController, AbortSignal, ReadableStream, TransformStream, WritableStream

CHUNKS = 400
# Objects that are alive at these chunks are counted.
SAMPLES = (100, 250, CHUNKS - 1)
# What may differ between two samples, for hundreds of chunks: what the loop is about to run.
TOLERANCE = 20

ASYNCIO = (asyncio.Future, asyncio.Handle, functools.partial, types.MethodType, types.CoroutineType)


def census() -> Counter[str]:
    """How many futures, tasks, callbacks and objects of the library are alive."""
    gc.collect()
    return Counter(
        type(each).__qualname__
        for each in gc.get_objects()
        if issubclass(type(each), ASYNCIO) or type(each).__module__.startswith("webstreams")
    )


class Census:
    """Counts at some of the chunks that go by."""

    def __init__(self) -> None:
        self.seen = 0
        self.samples: list[Counter[str]] = []

    def pass_by(self) -> None:
        self.seen += 1
        if self.seen in SAMPLES:
            self.samples.append(census())

    async def settle(self) -> None:
        """Before a sample: let the loop run what it was given in its last turn, as the tasks that ended in it."""
        if self.seen + 1 in SAMPLES:
            await turns()

    def assert_constant(self) -> None:
        assert self.seen >= CHUNKS
        assert len(self.samples) == len(SAMPLES)
        assert_same(*self.samples)


def assert_same(first: Counter[str], *others: Counter[str]) -> None:
    for other in others:
        growth = {name: count - first[name] for name, count in other.items() if count - first[name] > TOLERANCE}
        assert growth == {}


class Source:
    """Gives all the chunks, one for each pull."""

    def __init__(self) -> None:
        self._given = 0

    def pull(self, controller: Any) -> None:
        self._given += 1
        controller.enqueue(b"chunk")
        if self._given == CHUNKS:
            controller.close()


class LateSource(Source):
    """The same from a coroutine that is suspended each time."""

    async def pull(self, controller: Any) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        super().pull(controller)


class ByteChunks(Source):
    type = "bytes"


EVERY_SOURCE = each_of(source_type=[Source, LateSource, ByteChunks])
Make = Callable[[], Any]


def counting_sink(counting: Census, suspends: bool = False) -> WritableStream[Any]:
    async def write_late(chunk: Any, controller: Any) -> None:
        await asyncio.sleep(0)
        counting.pass_by()

    def write(chunk: Any, controller: Any) -> None:
        counting.pass_by()

    return WritableStream({"write": write_late if suspends else write})


async def count_reads(stream: ReadableStream[Any], counting: Census) -> None:
    with stream.get_reader() as reader:
        while not (await reader.read()).done:
            await counting.settle()
            counting.pass_by()


# Many chunks


@EVERY_SOURCE
async def test_a_read_loop_keeps_the_number_of_objects_constant(source_type: Make) -> None:
    counting = Census()
    await count_reads(ReadableStream(source_type()), counting)
    counting.assert_constant()


async def test_a_byob_read_loop_keeps_the_number_of_objects_constant() -> None:
    counting = Census()

    def pull(controller: Any) -> None:
        controller.byob_request.view[:1] = b"x"
        controller.byob_request.respond(1)

    reader = ReadableStream({"type": "bytes", "pull": pull}).get_reader(mode="byob")
    memory = bytearray(4)
    while counting.seen < CHUNKS:
        await reader.read(memory)
        await counting.settle()
        counting.pass_by()
    counting.assert_constant()


@EVERY_SOURCE
async def test_async_for_keeps_the_number_of_objects_constant(source_type: Make) -> None:
    counting = Census()
    async for _ in ReadableStream[Any](source_type()):
        await counting.settle()
        counting.pass_by()
    counting.assert_constant()


@each_of(waits_for=["ready", "write", "both"])
async def test_a_write_loop_keeps_the_number_of_objects_constant(waits_for: str) -> None:
    counting = Census()
    writer = counting_sink(counting).get_writer()
    for _ in range(CHUNKS):
        if waits_for != "write":
            await writer.ready
        written = writer.write("chunk")
        if waits_for != "ready":
            await written
    await writer.close()
    counting.assert_constant()


@EVERY_SOURCE
@each_of(suspends=[False, True])
@each_of(with_signal=[False, True])
async def test_a_pipe_keeps_the_number_of_objects_constant(
    source_type: Make, suspends: bool, with_signal: bool
) -> None:
    counting = Census()
    controller = AbortController()
    stream: ReadableStream[Any] = ReadableStream(source_type())
    signal = controller.signal if with_signal else None
    await stream.pipe_to(counting_sink(counting, suspends), signal=signal)
    counting.assert_constant()
    assert listener_count(controller.signal) == 0


@EVERY_SOURCE
async def test_a_tee_keeps_the_number_of_objects_constant(source_type: Make) -> None:
    counting = Census()
    one, two = ReadableStream[Any](source_type()).tee()
    await asyncio.gather(count_reads(one, counting), count_reads(two, Census()))
    counting.assert_constant()


@EVERY_SOURCE
async def test_a_tee_with_a_cancelled_branch_keeps_the_number_of_objects_constant(source_type: Make) -> None:
    counting = Census()
    one, two = ReadableStream[Any](source_type()).tee()
    cancelling = two.cancel()
    await count_reads(one, counting)
    counting.assert_constant()
    assert cancelling.done()


@EVERY_SOURCE
@each_of(is_async=[False, True])
async def test_a_transform_keeps_the_number_of_objects_constant(source_type: Make, is_async: bool) -> None:
    counting = Census()

    async def transform_late(chunk: Any, controller: Any) -> None:
        await asyncio.sleep(0)
        controller.enqueue(chunk)

    def transform(chunk: Any, controller: Any) -> None:
        controller.enqueue(chunk)

    middle: TransformStream[Any, Any] = TransformStream({"transform": transform_late if is_async else transform})
    await count_reads(ReadableStream[Any](source_type()).pipe_through(middle), counting)
    counting.assert_constant()


async def test_a_generator_behind_from_keeps_the_number_of_objects_constant() -> None:
    counting = Census()

    async def generate() -> Any:
        for number in range(CHUNKS):
            yield number

    await count_reads(ReadableStream.from_(generate()), counting)
    counting.assert_constant()


# Cancelled waits


async def cancelled(awaitable: Callable[[], Awaitable[Any]]) -> None:
    """Have a task wait, and cancel it."""

    async def wait() -> None:
        await awaitable()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()


@each_of(kind=["default", "bytes", "byob"])
async def test_a_thousand_cancelled_reads_leave_nothing_behind(kind: str) -> None:
    source = ByteSource() if kind == "byob" else SOURCES[kind]()
    stream = stream_of(source)
    reader: Any = stream.get_reader(mode="byob" if kind == "byob" else None)
    samples = []
    for _ in range(2):
        for _ in range(500):
            await cancelled(lambda: reader.read(bytearray(4)) if kind == "byob" else reader.read())
        samples.append(census())
    assert_same(*samples)
    source.controller.enqueue(b"a")
    read = reader.read(bytearray(4)) if kind == "byob" else reader.read()
    assert bytes((await soon(read)).value) == b"a"


async def test_a_thousand_reads_with_a_timeout_leave_nothing_behind() -> None:
    reader = stream_of(RecordingSource()).get_reader()
    samples = []
    for _ in range(2):
        for _ in range(500):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(), 0)
        samples.append(census())
    assert_same(*samples)


async def test_a_thousand_cancelled_iterations_leave_nothing_behind() -> None:
    iterator = stream_of(RecordingSource()).values()
    samples = []
    for _ in range(2):
        for _ in range(500):
            await cancelled(iterator.__anext__)
        samples.append(census())
    assert_same(*samples)


async def test_a_thousand_cancelled_waits_for_closed_and_ready_leave_nothing_behind() -> None:
    reader = stream_of(RecordingSource()).get_reader()
    writer: Any = WritableStream[Any]({}, {"high_water_mark": 0}).get_writer()
    samples = []
    for _ in range(2):
        for _ in range(334):
            await cancelled(lambda: reader.closed)
            await cancelled(lambda: writer.closed)
            await cancelled(lambda: writer.ready)
        samples.append(census())
    assert_same(*samples)


# A thousand pipes on one signal


async def test_a_thousand_pipes_one_after_the_other_leave_no_listener_on_their_signal() -> None:
    controller = AbortController()
    samples = []
    for _ in range(2):
        for _ in range(500):
            await ReadableStream.from_(["chunk"]).pipe_to(WritableStream(), signal=controller.signal)
            assert listener_count(controller.signal) == 0
        samples.append(census())
    assert_same(*samples)


async def test_a_thousand_pipes_at_once_leave_no_listener_on_their_signal() -> None:
    controller = AbortController()
    sources = [RecordingSource() for _ in range(1_000)]
    pipes = [stream_of(source).pipe_to(WritableStream(), signal=controller.signal) for source in sources]
    await turns()
    assert listener_count(controller.signal) == 1_000
    for source in sources[:500]:
        source.controller.close()
    await soon(asyncio.gather(*pipes[:500]))
    assert listener_count(controller.signal) == 500
    with quiet():
        controller.abort("enough")
        await asyncio.gather(*(failure(pipe) for pipe in pipes[500:]))
    assert listener_count(controller.signal) == 0
    assert [source.cancellations for source in sources[500:]] == [["enough"]] * 500


async def test_a_thousand_failed_or_refused_pipes_leave_no_listener_on_their_signal() -> None:
    controller = AbortController()
    locked: WritableStream[Any] = WritableStream()
    locked.get_writer()
    with quiet():
        for number in range(1_000):
            source = RecordingSource()
            stream = stream_of(source)
            destination = locked if number % 2 else WritableStream[Any]()
            pipe = stream.pipe_to(destination, signal=controller.signal)
            source.controller.error("broken")
            await failure(pipe)
            assert listener_count(controller.signal) == 0


async def test_a_thousand_signals_that_depend_on_one_are_collected() -> None:
    controller = AbortController()
    for _ in range(1_000):
        signal = AbortSignal.any([controller.signal])
        await ReadableStream.from_(["chunk"]).pipe_to(WritableStream(), signal=signal)
        alive = weakref.ref(signal)
        del signal
    await turns()
    gc.collect()
    assert alive() is None
    assert sum(weak() is not None for weak in controller.signal._dependent_signals) == 0
    last = AbortSignal.any([controller.signal])
    assert [weak() for weak in controller.signal._dependent_signals] == [last]
