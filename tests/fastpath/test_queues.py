"""Queues that hold many chunks: what reads from them, in which order, and who has a turn meanwhile."""

from __future__ import annotations

import asyncio
import math
import random
from itertools import count
from typing import Any

import pytest

from tests.grids import each_of
from webstreams import ReadableStream, WritableStream
from webstreams._engine import jobs as _jobs
from webstreams.consumers import LimitExceeded

from ..shares import share_of
from ..waiting import another_task, each_look_ends_a_turn
from .pipelines import mapping, numbers, on_both_paths
from .programs import CHECK, EMITTED, OFF, ON, fast_paths, periods

FULL = 800


class Filled:
    """A stream whose queue is filled before it is read, and what its source heard."""

    def __init__(self, chunks: int, mark: float, closes: bool) -> None:
        self.log: list[Any] = []
        self.left = 3
        self.chunks = chunks
        self.closes = closes
        self.stream: ReadableStream[Any] = ReadableStream(
            {"start": self.start, "pull": self.pull, "cancel": lambda reason: self.log.append(("cancel", str(reason)))},
            {"high_water_mark": mark},
        )

    def start(self, controller: Any) -> None:
        for number in range(self.chunks):
            controller.enqueue(number)
        if self.closes:
            controller.close()

    def pull(self, controller: Any) -> None:
        self.log.append(("pull", controller.desired_size))
        self.left -= 1
        controller.enqueue(self.chunks + self.left) if self.left else controller.close()


@each_of(closes=[True, False])
@each_of(mark=[0, 1, 1.5, 2, 40, FULL, math.inf])
@each_of(end=["list", "for", "read"])
def test_a_full_queue_is_read_in_order_and_asks_for_more_in_time(end: str, mark: float, closes: bool) -> None:
    async def program() -> list[Any]:
        filled = Filled(FULL, mark, closes)
        log = filled.log
        if end == "list":
            chunks = await filled.stream.list()
        elif end == "for":
            chunks = []
            async for chunk in filled.stream:
                chunks.append(chunk)
        else:
            reader = filled.stream.get_reader()
            chunks = []
            while not (result := await reader.read()).done:
                chunks.append(result.value)
        assert chunks[:FULL] == list(range(FULL))
        return [*log, *chunks[FULL:]]

    plain, fast = on_both_paths(program)
    assert fast == plain
    if closes:
        assert not fast
    elif mark < math.inf:
        # As soon as there are fewer chunks than the mark; with none, as soon as a read waits.
        assert fast[0] == ("pull", mark - max(0, math.ceil(mark) - 1))


@pytest.mark.parametrize("mode", [OFF, ON, EMITTED])
def test_a_limit_ends_a_full_queue_at_its_chunk(mode: str) -> None:
    async def program() -> list[Any]:
        filled = Filled(FULL, 1, closes=True)
        with pytest.raises(LimitExceeded):
            await filled.stream.list(limit=500)
        return filled.log

    with fast_paths(mode):
        assert asyncio.run(program()) == [("cancel", "the stream has more than 500 chunks")]


@pytest.mark.parametrize("end", ["list", "for"])
async def test_others_have_their_turn_while_a_long_queue_is_read(end: str) -> None:
    """The clock says after each countdown that the turn has lasted too long."""
    stream = Filled(FULL, 1, closes=True).stream
    async with another_task() as beats:
        with each_look_ends_a_turn():
            chunks = await stream.list() if end == "list" else [chunk async for chunk in stream]
    assert chunks == list(range(FULL))
    assert beats.count > 10


class Bursts:
    """A chain of stages, some of which make many chunks of one; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.log: list[Any] = []

    def stage(self, name: str, most: int) -> Any:
        copies = [self.random.choice([0, 1, 1, 2, most]) for _ in range(5)]

        def transform(chunk: Any, controller: Any) -> None:
            self.log.append((name, chunk, controller.desired_size))
            for number in range(copies[hash(chunk) % 5]):
                controller.enqueue((chunk, number))

        return mapping(transform, 1, self.random.choice([0, 0, 1, 4]))

    async def run(self) -> tuple[list[Any], int]:
        stream = numbers(24)
        for name in "abc"[: self.random.choice([1, 2, 3])]:
            stream = stream.pipe_through(self.stage(name, self.random.choice([1, 9, 40])))
        await stream.pipe_to(WritableStream({"write": lambda chunk, _: self.log.append(("write", chunk))}))
        return self.log, periods()


@each_of(seed=share_of(range(12)))
def test_a_run_that_pauses_in_the_middle_of_a_queue_goes_on_there(seed: int) -> None:
    """With a clock by which each turn is over soon; no other task is there to tell."""
    logs = []
    ran = []
    for mode in (OFF, ON, EMITTED, CHECK):
        ticks = count()
        with fast_paths(mode), pytest.MonkeyPatch.context() as patch:
            patch.setattr(_jobs, "monotonic", lambda ticks=ticks: next(ticks) * _jobs.TURN_BUDGET / 6)
            log, fast = asyncio.run(Bursts(seed).run())
        logs.append(log)
        ran.append(fast)
    assert logs[0] == logs[1] == logs[2]
    assert ran[0] == 0
    assert min(ran[1:]) > 0
