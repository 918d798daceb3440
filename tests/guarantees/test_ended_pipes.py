"""A task that awaits pipe_to() is cancelled while the sink does not get on: API.md, "Cancellation"."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from tests.faults.helpers import other_tasks, soon, turns
from tests.grids import each_of
from webstreams import AbortController, AbortError, Promise, ReadableStream, TransformStream, WritableStream

Waiting = Callable[[Awaitable[Any]], Awaitable[Any]]


def endless(log: list[Any] | None = None) -> ReadableStream[int]:
    """A stream that always has a chunk."""

    def cancel(reason: Any) -> None:
        if log is not None:
            log.append("source")

    return ReadableStream({"pull": lambda controller: controller.enqueue(1), "cancel": cancel})


def never() -> Promise[None]:
    promise, _, _ = Promise.with_resolvers()
    return promise


class Stalled:
    """A sink in which one member never ends; as a coroutine, or as a promise that the signal rejects."""

    def __init__(self, log: list[Any], member: str, is_coroutine: bool) -> None:
        self.log = log
        self.member = member
        self.is_coroutine = is_coroutine
        self.signal: Any = None

    def stall(self, member: str) -> Any:
        if member != self.member:
            return None
        self.log.append(member)
        if self.is_coroutine:
            return self.wait()
        promise, _, reject = Promise.with_resolvers()
        self.signal.add_event_listener("abort", lambda event: reject(self.signal.reason))
        return promise

    async def wait(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.log.append("cancelled")

    def start(self, controller: Any) -> Any:
        self.signal = controller.signal
        return self.stall("start")

    def write(self, chunk: Any, controller: Any) -> Any:
        return self.stall("write")

    def close(self) -> Any:
        return self.stall("close")

    def abort(self, reason: Any) -> None:
        self.log.append(type(reason))


async def by_task_cancel(waited: Awaitable[Any]) -> None:
    async def wait() -> None:
        await waited

    task = asyncio.create_task(wait())
    await turns()
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()


async def by_timeout(waited: Awaitable[Any]) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await waited


async def by_wait_for(waited: Awaitable[Any]) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(waited, 0.01)


async def by_anyio(waited: Awaitable[Any]) -> None:
    with anyio.move_on_after(0.01) as scope:
        await waited
    assert scope.cancelled_caught


async def by_a_group(waited: Awaitable[Any]) -> None:
    async def fail() -> None:
        await turns()
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            await waited


WAYS = [by_task_cancel, by_timeout, by_wait_for, by_anyio, by_a_group]


@each_of(way=WAYS)
@each_of(is_coroutine=[True, False])
@each_of(member=["start", "write", "close"])
async def test_a_sink_that_does_not_get_on_does_not_hold_up_the_end(
    way: Waiting, is_coroutine: bool, member: str, reported: list[Any]
) -> None:
    log: list[Any] = []
    source = ReadableStream.from_([1, 2]) if member == "close" else endless(log)
    sink = WritableStream[int](Stalled(log, member, is_coroutine))
    pipe = source.pipe_to(sink)
    await turns()
    await soon(way(pipe))
    await turns()
    ends: list[Any] = ["cancelled"] if is_coroutine else []
    ends += [] if member == "close" else [AbortError, "source"]  # the Standard: no abort() after close()
    assert sorted(map(str, log)) == sorted(map(str, [member, *ends]))
    assert [source.locked, sink.locked] == [False, False]
    assert other_tasks() == set()
    assert reported == []


@each_of(way=[by_task_cancel, by_timeout, by_anyio])
async def test_prevent_abort_frees_both_locks_at_once_and_keeps_what_was_handed_over(way: Waiting) -> None:
    gate, open_gate, _ = Promise.with_resolvers()
    log: list[int] = []

    def write(chunk: int, controller: Any) -> Any:
        log.append(chunk)
        return gate

    source = ReadableStream.from_(range(10))
    sink = WritableStream[int]({"write": write}, {"high_water_mark": 3})
    pipe = source.pipe_to(sink, prevent_abort=True, prevent_cancel=True)
    await turns()
    await soon(way(pipe))
    assert [source.locked, sink.locked] == [False, False]
    assert log == [0]
    open_gate(None)
    await soon(source.pipe_to(sink))
    assert log == list(range(10))


async def test_a_sink_that_is_deaf_is_waited_for_until_the_second_cancellation() -> None:
    gate, open_gate, _ = Promise.with_resolvers()
    log: list[Any] = []
    sink = WritableStream[int]({"write": lambda chunk, controller: gate, "abort": log.append})
    source = endless()

    async def wait() -> None:
        await source.pipe_to(sink)

    task = asyncio.create_task(wait())
    await turns()
    task.cancel()
    await turns()
    assert not task.done()
    task.cancel()
    await turns()
    assert task.cancelled()
    assert log == []
    open_gate(None)
    await turns()
    assert [type(each) for each in log] == [AbortError]
    assert [source.locked, sink.locked] == [False, False]


async def test_a_done_callback_does_not_keep_the_pipe_under_way() -> None:
    log: list[Any] = []
    pipe = endless(log).pipe_to(WritableStream(Stalled(log, "write", is_coroutine=True)))
    pipe.add_done_callback(lambda promise: log.append("done"))
    await soon(by_task_cancel(pipe))
    await turns()
    assert "done" in log and "source" in log


async def test_the_pipe_goes_on_while_another_task_awaits_it() -> None:
    log: list[Any] = []
    pipe = endless(log).pipe_to(WritableStream(Stalled(log, "write", is_coroutine=True)))

    async def wait() -> None:
        await pipe

    other = asyncio.create_task(wait())
    await soon(by_task_cancel(pipe))
    await turns()
    assert log == ["write"]
    other.cancel()
    await soon(asyncio.wait({other}))
    assert log == ["write", "source", "cancelled", AbortError]


async def test_a_pipe_that_waits_after_an_abort_of_its_signal_ends_when_its_task_is_cancelled() -> None:
    """Aborting the signal keeps the Standard's steps; cancelling the task then is not one of them."""
    controller = AbortController()
    log: list[Any] = []
    sink = WritableStream[int](Stalled(log, "write", is_coroutine=True))
    pipe = endless(log).pipe_to(sink, signal=controller.signal)
    await turns()
    controller.abort()
    await turns()
    assert log == ["write"]  # the write is finished first
    await soon(by_task_cancel(pipe))
    assert log[:2] == ["write", "source"]
    assert not sink.locked


@each_of(member=["start", "transform", "flush"])
async def test_what_is_under_way_in_the_stages_between_ends_too(member: str, reported: list[Any]) -> None:
    log: list[Any] = []

    async def stall(*_: Any) -> None:
        log.append(member)
        try:
            await asyncio.Event().wait()
        finally:
            log.append("cancelled")

    source = ReadableStream.from_([1, 2]) if member == "flush" else endless(log)
    transformer: Any = {"transform": lambda chunk, controller: controller.enqueue(chunk)} | {member: stall}
    between = TransformStream[int, int](transformer)
    sink = WritableStream[int]()
    chain = source.pipe_through(TransformStream[int, int]()).pipe_through(between).pipe_through(TransformStream())
    await soon(by_task_cancel(chain.pipe_to(sink)))
    await turns()
    assert log[:2] == [member, "cancelled"] or sorted(log) == sorted([member, "cancelled", "source"])
    assert not source.locked
    assert other_tasks() == set()
    assert reported == []


async def test_a_pipe_into_a_pair_of_two_streams_ends_with_the_pipe_out_of_it() -> None:
    """Nothing tells the writable side of this pair that its readable side was cancelled."""
    log: list[Any] = []

    class Pair:
        readable = endless()
        writable = WritableStream[int](Stalled(log, "write", is_coroutine=False))

    source = endless(log)
    await soon(by_task_cancel(source.pipe_through(Pair()).pipe_to(WritableStream())))
    await turns()
    assert log == ["write", "source", AbortError] or log == ["write", AbortError, "source"]
    assert not source.locked


async def test_prevent_cancel_ends_nothing_in_front_of_the_pipe() -> None:
    log: list[Any] = []
    stages = endless(log).pipe_through(TransformStream[int, int]())
    sink = WritableStream[int](Stalled(log, "write", is_coroutine=True))
    await soon(by_task_cancel(stages.pipe_to(sink, prevent_cancel=True)))
    assert log == ["write", "cancelled", AbortError]
    assert (await soon(stages.get_reader().read())).value == 1
