"""What a cancelled task has written stays written, in order and once."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.faults.helpers import turns
from tests.loops import EVERY_LOOP
from webstreams import ReadableStream, WritableStream

from .cancelling import PROGRAMS, REST, STEPS, LoopFactory, SlowSink, Step, jobs_later, run


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
    await turns(REST)
    read = outer.get_reader().read()
    tasks[0].cancel()
    await turns(REST)
    assert read.exception() is not None
    await writer.close()
    assert sink.written == ["chunk"]
