"""What no run must begin with, or take for a part of a pipeline: each test is a program that would go wrong."""

from __future__ import annotations

import asyncio
import weakref
from typing import Any

import pytest

from webstreams import ReadableStream, TransformStream, WritableStream, queue_microtask
from webstreams.operations import tee

from .pipelines import assert_alike, numbers, on_both_paths
from .programs import periods

LAST = 120
LATE = 60


class Thing:
    """Can be referred to weakly."""


def test_a_microtask_that_was_queued_at_an_entry_is_forgotten() -> None:
    """A state that it is a job of would keep it for as long as the run."""

    async def program() -> list[Any]:
        log: list[Any] = []
        seen: list[weakref.ref[Thing]] = []

        def again(thing: Thing, count: int) -> None:
            if count:
                queue_microtask(again, thing, count - 1)

        def write(chunk: int, controller: Any) -> None:
            if chunk == LATE:
                thing = Thing()
                seen.append(weakref.ref(thing))
                queue_microtask(again, thing, 12)
            elif chunk == LATE + 20:
                log.append(seen[0]() is None)

        await numbers(LAST).pipe_to(WritableStream({"write": write}))
        log.append(periods() > 10)
        return log

    assert assert_alike(program) == [True]


@pytest.mark.parametrize("side", ["the first writable", "the first readable", "the last writable"])
def test_size_is_called_with_chunks_only(side: str) -> None:
    async def program() -> list[Any]:
        log: list[Any] = []

        def size(chunk: int) -> int:
            log.append((side, chunk))
            return 1

        def strategy(of: str) -> Any:
            return {"high_water_mark": 2, "size": size} if of == side else {"high_water_mark": 2}

        mapped: TransformStream[int, int] = TransformStream(
            {"transform": lambda chunk, controller: controller.enqueue(chunk)},
            strategy("the first writable"),
            strategy("the first readable"),
        )
        sink: WritableStream[int] = WritableStream(
            {"write": lambda chunk, _: log.append(chunk)}, strategy("the last writable")
        )
        await numbers(LAST).pipe_through(mapped).pipe_to(sink)
        return log

    plain, fast = on_both_paths(program)
    assert fast == plain


def test_each_chunk_is_cloned_for_the_second_branch() -> None:
    async def program() -> list[Any]:
        logs: list[list[Any]] = [[], []]
        chunks = [[number] for number in range(LAST)]
        branches = tee(ReadableStream.from_(chunks))
        sinks = [WritableStream({"write": lambda chunk, _, log=log: log.append(chunk)}) for log in logs]
        await asyncio.gather(*(branch.pipe_to(sink) for branch, sink in zip(branches, sinks, strict=True)))
        return [
            logs[0] == logs[1] == chunks,
            [given is chunk for given, chunk in zip(logs[0], chunks, strict=True)],
            [given is chunk for given, chunk in zip(logs[1], chunks, strict=True)],
        ]

    expected = [True, [True] * LAST, [False] * LAST]
    assert on_both_paths(program) == (expected, expected)
