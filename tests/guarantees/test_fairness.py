"""Work whose ends are always ready lets the loop's other tasks run.

Time is what the work says it is: every chunk costs a tenth of a millisecond on a clock of the test's own, which the job
queue looks at instead of the real one. So the tests count, and measure nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.faults.helpers import (
    WORKERS,
    EndlessByteSource,
    EndlessSource,
    Heartbeat,
    RecordingSource,
    byob_read_loop,
    drain,
    iteration,
    other_tasks,
    pipe,
    read_loop,
    stream_of,
)
from tests.grids import each_of
from tests.loops import on_every_loop
from webstreams import Promise, ReadableStream, TransformStream, WritableStream
from webstreams._engine.jobs import MAX_COUNTDOWN

# Milliseconds.
COST_OF_A_CHUNK = 0.1
# "About 10 ms": the budget of a turn is below that, and the clock is looked at only now and then.
LONGEST_WAIT = 12.0
CHUNKS = 1_500


class Work(Heartbeat):
    """So many chunks, which cost time; and a heartbeat that notes how long it had to wait for each of its turns."""

    def __init__(self, chunks: int = CHUNKS) -> None:
        super().__init__()
        self.now = 1000.0
        self.waits: list[float] = []
        self._chunks = chunks

    def clock(self) -> float:
        """The time in seconds."""
        return self.now / 1000

    def goes_on(self) -> bool:
        """Whether there is one more chunk; it costs time."""
        self.steps += 1
        self.now += COST_OF_A_CHUNK
        return self.steps <= self._chunks

    async def beat(self) -> None:
        before = self.now
        while True:
            await asyncio.sleep(0)
            self.beats += 1
            self.waits.append(self.now - before)
            before = self.now

    def tick(self) -> None:
        self.ticks += 1
        if self.steps <= self._chunks:
            asyncio.get_running_loop().call_later(0, self.tick)


class WorkUntilItIsSeen(Work):
    """The same, which ends when the heartbeat has had two turns."""

    def goes_on(self) -> bool:
        return super().goes_on() and (self.steps <= CHUNKS or self.beats < 2)


def sink() -> WritableStream[Any]:
    """Takes every chunk at once."""
    return WritableStream({"write": lambda chunk, controller: None})


def late_sink() -> WritableStream[Any]:
    """Takes every chunk at once, in a coroutine."""

    async def write(chunk: Any, controller: Any) -> None:
        pass

    return WritableStream({"write": write})


class EndlessAsyncSource(EndlessSource):
    """The same in coroutines that are never suspended."""

    async def pull(self, controller: Any) -> None:  # type: ignore[override]
        super().pull(controller)


async def ready_loop(work: Heartbeat) -> None:
    writer = sink().get_writer()
    while work.goes_on():
        await writer.ready
        writer.write("chunk")


async def roomy_ready_loop(work: Heartbeat) -> None:
    """`ready` is fulfilled already, nearly always."""
    writer = WritableStream[Any]({"write": lambda chunk, controller: None}, {"high_water_mark": 1e9}).get_writer()
    while work.goes_on():
        await writer.ready
        writer.write("chunk")


async def await_write_loop(work: Heartbeat) -> None:
    writer = sink().get_writer()
    while work.goes_on():
        await writer.write("chunk")


async def coroutine_write_loop(work: Heartbeat) -> None:
    writer = late_sink().get_writer()
    while work.goes_on():
        await writer.write("chunk")


async def coroutine_read_loop(work: Heartbeat) -> None:
    await drain(ReadableStream[Any](EndlessAsyncSource(work)).get_reader())


async def full_queue_loop(work: Heartbeat) -> None:
    """Everything is in the queue: each read is fulfilled when it is awaited."""
    source = RecordingSource()
    stream = stream_of(source)
    for _ in range(CHUNKS):
        source.controller.enqueue("chunk")
    source.controller.close()
    async for _ in stream:
        work.goes_on()


async def async_generator_iteration(work: Heartbeat) -> None:
    async def generate() -> AsyncIterator[str]:
        while work.goes_on():
            yield "chunk"

    async for _ in ReadableStream.from_(generate()):
        pass


async def coroutine_pipe(work: Heartbeat) -> None:
    await ReadableStream[Any](EndlessAsyncSource(work)).pipe_to(late_sink())


async def pipe_through_transforms(work: Heartbeat) -> None:
    def transform(chunk: Any, controller: Any) -> None:
        controller.enqueue(chunk)

    end: ReadableStream[Any] = ReadableStream(EndlessSource(work))
    for _ in range(3):
        end = end.pipe_through(TransformStream({"transform": transform}))
    await end.pipe_to(sink())


async def pipe_through_a_coroutine_transform(work: Heartbeat) -> None:
    async def transform(chunk: Any, controller: Any) -> None:
        controller.enqueue(chunk)

    middle: TransformStream[Any, Any] = TransformStream({"transform": transform})
    await ReadableStream[Any](EndlessSource(work)).pipe_through(middle).pipe_to(sink())


async def transformed_read_loop(work: Heartbeat) -> None:
    await drain(ReadableStream[Any](EndlessSource(work)).pipe_through(TransformStream()).get_reader())


async def lines_of_one_chunk(work: Heartbeat) -> None:
    """One chunk has them all (issue 11, 10)."""
    async for _ in ReadableStream.from_([b"\n" * CHUNKS]).lines():
        work.goes_on()


def filtered(work: Heartbeat, period: int, source: ReadableStream[Any] | None = None) -> ReadableStream[Any]:
    """One chunk of so many."""

    def transform(chunk: Any, controller: Any) -> None:
        if work.steps % period == 0:
            controller.enqueue(chunk)

    endless: ReadableStream[Any] = source or ReadableStream(EndlessSource(work))
    return endless.pipe_through(TransformStream({"transform": transform}))


async def filtered_pipe(work: Heartbeat) -> None:
    await filtered(work, 2).pipe_to(sink())


async def strictly_filtered_pipe(work: Heartbeat) -> None:
    await filtered(work, 500).pipe_to(sink())


async def strictly_filtered_items(work: Heartbeat) -> None:
    items = ("chunk" for _ in iter(work.goes_on, False))
    await filtered(work, 500, ReadableStream.from_(items)).pipe_to(sink())


async def filtered_list(work: Heartbeat) -> None:
    await filtered(work, 2).list()


async def filtered_iteration(work: Heartbeat) -> None:
    async for _ in filtered(work, 3):
        pass


async def tee_into_two_pipes(work: Heartbeat) -> None:
    one, two = ReadableStream[Any](EndlessSource(work)).tee()
    await asyncio.gather(one.pipe_to(sink()), two.pipe_to(sink()))


async def byte_tee_into_two_pipes(work: Heartbeat) -> None:
    one, two = ReadableStream(EndlessByteSource(work)).tee()
    await asyncio.gather(one.pipe_to(sink()), two.pipe_to(sink()))


async def several_pipes(work: Heartbeat) -> None:
    await asyncio.gather(*(ReadableStream[Any](EndlessSource(work)).pipe_to(sink()) for _ in range(10)))


async def several_read_loops(work: Heartbeat) -> None:
    await asyncio.gather(*(drain(ReadableStream[Any](EndlessSource(work)).get_reader()) for _ in range(10)))


async def microtasks(work: Heartbeat) -> None:
    promise: Promise[Any] = Promise.resolve()
    while work.goes_on():
        promise = promise.then(lambda _: None)
        await promise


OWN_WORKERS = [
    ready_loop,
    roomy_ready_loop,
    await_write_loop,
    coroutine_write_loop,
    coroutine_read_loop,
    full_queue_loop,
    async_generator_iteration,
    coroutine_pipe,
    pipe_through_transforms,
    pipe_through_a_coroutine_transform,
    transformed_read_loop,
    lines_of_one_chunk,
    filtered_pipe,
    strictly_filtered_pipe,
    strictly_filtered_items,
    filtered_list,
    filtered_iteration,
    tee_into_two_pipes,
    byte_tee_into_two_pipes,
    several_pipes,
    several_read_loops,
    microtasks,
]
Worker = Callable[[Heartbeat], Awaitable[None]]
EVERY_WORKER = each_of(worker=[*WORKERS, *OWN_WORKERS])


class WorkThatBecomesSlow(Work):
    """The same, of which a chunk costs nearly nothing at first, and a thousand times as much then."""

    def goes_on(self) -> bool:
        self.steps += 1
        self.now += 0.001 if self.steps <= self._chunks * 2 // 3 else 1.0
        return self.steps <= self._chunks


@contextmanager
def clock_of(work: Work) -> Iterator[None]:
    """Have the job queue look at the clock of the work."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("webstreams._engine.jobs.monotonic", work.clock)
        yield


async def do_beside_a_heart(worker: Worker, work: Work) -> None:
    """Do all the work, while another task notes how long it waits for its turns."""
    beating = asyncio.create_task(work.beat())
    with clock_of(work):
        await asyncio.sleep(0)
        await worker(work)
        await asyncio.sleep(0)
    beating.cancel()
    await asyncio.wait({beating})
    assert work.steps >= CHUNKS


@EVERY_WORKER
@on_every_loop
async def test_no_other_task_waits_longer_than_about_ten_milliseconds(worker: Worker) -> None:
    work = Work()
    await do_beside_a_heart(worker, work)
    assert max(work.waits) <= LONGEST_WAIT
    assert work.beats >= CHUNKS * COST_OF_A_CHUNK / LONGEST_WAIT
    assert not other_tasks()


@EVERY_WORKER
@on_every_loop
async def test_others_do_not_wait_long_either_when_quick_chunks_are_followed_by_slow_ones(worker: Worker) -> None:
    """When these begin, the clock was last looked at for quick ones; it is looked at after some chunks anyway."""
    work = WorkThatBecomesSlow()
    await do_beside_a_heart(worker, work)
    assert max(work.waits) <= LONGEST_WAIT + MAX_COUNTDOWN


@EVERY_WORKER
@on_every_loop
async def test_timers_and_callbacks_of_the_loop_get_their_turns(worker: Worker) -> None:
    work = Work()
    asyncio.get_running_loop().call_soon(work.tick)
    with clock_of(work):
        await worker(work)
    assert work.steps >= CHUNKS
    assert work.ticks >= 5


@EVERY_WORKER
@on_every_loop
async def test_work_that_is_short_is_not_interrupted_for_others(worker: Worker) -> None:
    """A few ready chunks cost few turns of the loop: fairness is not one turn for every chunk."""
    work = Work(40)
    beating = asyncio.create_task(work.beat())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("webstreams._engine.jobs.monotonic", lambda: 0.0)
        await asyncio.sleep(0)
        await worker(work)
    beating.cancel()
    await asyncio.wait({beating})
    assert work.beats < 40


@each_of(
    worker=[
        read_loop,
        byob_read_loop,
        iteration,
        roomy_ready_loop,
        await_write_loop,
        pipe,
        pipe_through_transforms,
        tee_into_two_pipes,
    ]
)
async def test_other_tasks_have_turns_by_the_real_clock_too(worker: Worker) -> None:
    """So many chunks take far longer than 10 ms everywhere: other tasks have turns before the end."""
    work = WorkUntilItIsSeen(2_000_000)
    beating = asyncio.create_task(work.beat())
    await worker(work)
    beats = work.beats
    beating.cancel()
    await asyncio.wait({beating})
    assert work.steps >= CHUNKS
    assert beats >= 2
