"""A cancelled pipe cleans up, and nothing that it had read is lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.faults.helpers import other_tasks, turns
from tests.grids import each_of
from tests.loops import EVERY_LOOP
from webstreams import ReadableStream, WritableStream

from .cancelling import PROGRAMS, REST, LoopFactory, Pushed, SlowSink, Stop, finished, run


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
        await turns(REST)
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
    await turns(REST)
    task.cancel()
    await turns(REST)
    waits = not (prevent_abort and prevent_cancel)
    assert task.done() != waits
    assert [source.locked, dest.locked] == [not prevent_abort, not prevent_abort]
    task.cancel()
    await turns(REST)
    assert task.cancelled()
    assert calls == ["write chunk"] + ["cancel"] * (not prevent_cancel)
    write.set_result(None)
    cancel.set_result(None)
    await turns(REST)
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
    await turns(REST)
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
    await turns(REST)
    read = outer.get_reader().read()
    tasks[0].cancel()
    await turns(30)
    assert read.exception() is not None
    assert locks == [False, False]
    assert sink.ends == ["abort"]
    assert sink.begun == sink.written
