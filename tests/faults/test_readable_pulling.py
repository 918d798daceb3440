"""Pulling, fairness and linear time (R3, R16, R31 and others)."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from webstreams import Promise

from .helpers import (
    BOTH_KINDS,
    ENOUGH,
    LIMIT,
    SOURCES,
    WORKERS,
    ByteSource,
    Heartbeat,
    RecordingSource,
    count_living,
    stream_of,
    turns,
)

# Pulling.


@BOTH_KINDS
async def test_r15_no_second_pull_at_once(kind: str) -> None:
    """Reads and an enqueue while an async pull() runs: never two at once, and exactly one follows."""
    gate = asyncio.Event()
    running = 0
    started: list[int] = []

    async def pull(_: Any) -> None:
        nonlocal running
        running += 1
        started.append(running)
        await gate.wait()
        running -= 1

    source = SOURCES[kind]()
    source.pull = pull
    reader = stream_of(source, 0).get_reader()
    await turns()
    reads = [reader.read(), reader.read(), reader.read()]
    await turns()
    source.controller.enqueue(b"one")
    await turns()
    assert started == [1]
    gate.set()
    await turns()
    assert started == [1, 1]
    source.controller.close()
    assert [(await each).value for each in reads] == [b"one", None, None]


@BOTH_KINDS
async def test_r15_no_follow_up_when_nothing_is_wanted(kind: str) -> None:
    """A read that an enqueue from outside has answered while an async pull() ran: no pull follows."""
    gate = asyncio.Event()
    pulls = 0

    async def pull(_: Any) -> None:
        nonlocal pulls
        pulls += 1
        await gate.wait()

    source = SOURCES[kind]()
    source.pull = pull
    reader = stream_of(source, 0).get_reader()
    await turns()
    first, second = reader.read(), reader.read()
    source.controller.enqueue(b"one")
    source.controller.enqueue(b"two")
    gate.set()
    await turns()
    assert [(await first).value, (await second).value] == [b"one", b"two"]
    assert pulls == 1


# Fairness.


@pytest.mark.parametrize("worker", WORKERS)
async def test_r16_always_ready_ends_let_other_tasks_run(worker: Callable[[Heartbeat], Awaitable[None]]) -> None:
    """A worker whose ends never suspend, beside a heartbeat task and a timer: both get their turns."""
    heart = Heartbeat()
    heart.tick()
    beating = asyncio.create_task(heart.beat())
    await worker(heart)
    beating.cancel()
    assert heart.beats >= ENOUGH
    assert heart.ticks >= ENOUGH
    assert heart.steps < LIMIT


# Linear time.


def test_r31_hundreds_of_thousands_of_queued_chunks_drain() -> None:
    """300,000 queued chunks are drained in order; quadratic time would take minutes and hit the limit."""
    count = 300_000

    async def main() -> None:
        source = RecordingSource()
        stream = stream_of(source)
        for number in range(count):
            source.controller.enqueue(number)
        source.controller.close()
        async with asyncio.timeout(90):
            reader = stream.get_reader()
            for number in range(count):
                assert (await reader.read()).value == number
            assert (await reader.read()).done

    asyncio.run(main())


def count_calls(work: Callable[[], object]) -> int:
    """How many Python and C functions are called, finalizers of other tests' objects not counted."""
    calls = 0

    def profile(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    gc.disable()
    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return calls


@pytest.mark.parametrize(("kind", "sized"), [("default", False), ("default", True), ("bytes", False)])
async def test_r31_the_work_for_a_chunk_does_not_depend_on_the_queue(kind: str, sized: bool) -> None:
    """A read calls as many functions with 10 chunks in the queue as with 10,000."""
    calls = []
    for count in (10, 10_000):
        source = SOURCES[kind]()
        reader = stream_of(source, None, (lambda chunk: 1) if sized else None).get_reader()
        for _ in range(count):
            source.controller.enqueue(b"chunk")
        await turns()
        await reader.read()
        calls.append(count_calls(reader.read))
    assert calls[0] == calls[1]


async def test_r31_the_work_for_a_byob_read_does_not_depend_on_the_queue() -> None:
    """The same for a BYOB read, with 10 and with 10,000 chunks in the queue."""
    calls = []
    for count in (10, 10_000):
        source = ByteSource()
        reader = stream_of(source).get_reader(mode="byob")
        for _ in range(count):
            source.controller.enqueue(b"chunk")
        await turns()
        await reader.read(bytearray(2))
        calls.append(count_calls(partial(reader.read, bytearray(2))))
    assert calls[0] == calls[1]


async def test_r31_drained_promises_are_gone() -> None:
    """Reading 10,000 queued chunks leaves no promises behind."""
    source = RecordingSource()
    reader = stream_of(source).get_reader()
    for number in range(10_000):
        source.controller.enqueue(number)
    await reader.read()
    before = count_living(Promise)
    for _ in range(9_999):
        await reader.read()
    assert count_living(Promise) <= before + 2
