"""Results of ``map(concurrency=...)`` that wait in the queue of the stream until a turn of the event loop is over."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.faults.helpers import failure, quiet, soon, turns
from tests.grids import each_of
from tests.waiting import each_look_ends_a_turn
from webstreams import SKIP, Promise, ReadableStreamDefaultReader
from webstreams._engine.jobs import current_jobs

from .table import BOOM, Numbers, settle

WINDOW = 12
Reader = ReadableStreamDefaultReader[Any]


async def at_once(chunk: int) -> int:
    return chunk


async def ready_reader(source: Numbers, function: Any = at_once, ordered: bool = True) -> Reader:
    """Return a reader that has taken one result; all others that the window admits are ready."""
    stream = source.stream().map(function, concurrency=3, ordered=ordered, window=WINDOW)
    reader = stream.get_reader()
    assert (await soon(reader.read())).value == 0
    await turns(40)
    return reader


@each_of(ordered=[True, False])
async def test_reads_of_one_turn_are_answered_and_the_window_is_filled_after_it(ordered: bool) -> None:
    source = Numbers(1000)
    reader = await ready_reader(source, ordered=ordered)
    taken = 1
    for count in (5, 1, 7, WINDOW, WINDOW - 1, 3):
        reads = [reader.read() for _ in range(count)]
        assert all(read.done() for read in reads)
        assert source.pulls - taken <= WINDOW + 1  # the source is asked for the next one, at most
        assert [read.result().value for read in reads] == list(range(taken, taken + count))
        taken += count
        await turns(40)
        assert source.pulls - taken == WINDOW
    await soon(reader.cancel(BOOM))
    assert source.cancellations == [BOOM]
    await settle()


async def test_a_read_more_than_there_are_results_waits_for_its_call() -> None:
    reader = await ready_reader(Numbers(1000))
    reads = [reader.read() for _ in range(WINDOW + 5)]
    assert [read.done() for read in reads] == [True] * WINDOW + [False] * 5
    assert [(await soon(read)).value for read in reads] == list(range(1, WINDOW + 6))
    await soon(reader.cancel())
    await settle()


async def test_what_is_taken_out_of_the_queue_does_not_count_in_the_window() -> None:
    source = Numbers(1000)
    stream = source.stream().map(at_once, concurrency=3, window=WINDOW)
    reader = stream.get_reader()
    taken = 0
    for count in (1, 1, 5):
        for _ in range(count):
            reader.read()
        taken += count
        if count == 5:  # one chunk more is on its way
            assert f"window {source.pulls - taken - 1}/{WINDOW}" in repr(stream)
        await turns(40)
        assert f"window {WINDOW}/{WINDOW}" in repr(stream)
    await soon(reader.cancel())
    await settle()


@each_of(ordered=[True, False])
async def test_a_failure_is_told_before_the_results_that_wait(ordered: bool) -> None:
    source = Numbers(1000)

    async def fails(chunk: int) -> int:
        if chunk == WINDOW + 1:
            raise BOOM
        return chunk

    with quiet(0):
        reader = await ready_reader(source, fails, ordered)
        assert (await soon(reader.read())).value == 1  # the call that fails may begin
        await turns(40)
        assert await failure(reader.read()) is BOOM
        assert source.cancellations == [BOOM]
        await settle()


async def test_results_that_are_left_out_are_not_in_the_queue() -> None:
    async def odd(chunk: int) -> Any:
        return chunk if chunk % 2 or chunk == 0 else SKIP

    source = Numbers(40)
    reader = await ready_reader(source, odd)
    values = []
    while not (result := await soon(reader.read())).done:
        values.append(result.value)
    assert values == list(range(1, 40, 2))
    await settle()


async def test_reads_that_are_cancelled_give_their_results_back_in_order() -> None:
    for cancelled in ([1, 2], [2, 1], [3], [1, 3]):
        reader = await ready_reader(Numbers(100))

        async def read(reader: ReadableStreamDefaultReader[Any] = reader) -> Any:
            return (await reader.read()).value

        tasks = {number: asyncio.ensure_future(read()) for number in range(1, 5)}
        await asyncio.sleep(0)
        for number in cancelled:
            tasks[number].cancel()
        await asyncio.wait(tasks.values())
        got: list[Any] = [task.result() for task in tasks.values() if not task.cancelled()]
        rest: list[Any] = [(await soon(reader.read())).value for _ in range(20)]
        assert rest == sorted(rest)
        assert sorted(got + rest) == list(range(1, len(got) + 21))
        await soon(reader.cancel())
        await settle()


async def test_a_result_that_is_put_back_when_the_end_is_near_is_the_last_one() -> None:
    """All within one turn: the end is found, then a read gives its result back, and only then the stream is closed."""
    reader = await ready_reader(Numbers(WINDOW))  # no worker is left
    jobs = current_jobs()

    has_begun = []

    async def read_until_the_end() -> None:
        has_begun.append(True)
        *_, last = [reader.read() for _ in range(1, WINDOW)]
        withdrawn: Any = reader.read()
        assert withdrawn.cancel()
        jobs.countdown = 0  # the time is up, so that this has to wait
        await last

    with each_look_ends_a_turn():
        task = asyncio.create_task(read_until_the_end())
        if not has_begun:  # as an eager task has
            await asyncio.sleep(0)
        jobs.countdown = WINDOW
        task.cancel()
        for _ in range(3):
            await Promise.resolve(None)
        result = await reader.read()
        assert result.value == WINDOW - 1
    assert (await soon(reader.read())).done
    await soon(reader.closed)
    await settle()


async def test_the_end_comes_behind_what_is_in_the_queue() -> None:
    source = Numbers(WINDOW + 1)
    reader = await ready_reader(source)
    reads = [reader.read() for _ in range(WINDOW + 1)]
    results = [await soon(read) for read in reads]
    assert [each.value for each in results] == [*range(1, WINDOW + 1), None]
    assert results[-1].done
    await soon(reader.closed)
    await settle()
