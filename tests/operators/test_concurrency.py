"""``map()`` with several calls at a time."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import pytest

from tests.faults.helpers import failure, quiet, soon, turns
from tests.grids import each_of, each_row
from tests.waiting import another_task
from webstreams import SKIP, ReadableStream, StreamError, WritableStream
from webstreams.types import Skip

from .disorder import WAYS, run_many
from .gauge import Gauge, square
from .memory import OBJECTS, weigh_twice
from .table import BOOM, Numbers, fail, same_soon, settle


async def test_so_many_calls_run_at_a_time() -> None:
    gauge, source = Gauge(), Numbers(100)
    reader = source.stream().map(gauge, concurrency=3).get_reader()
    await turns(5)
    assert gauge.started == []  # nobody has read
    read = reader.read()
    await turns(10)
    assert gauge.started == [0, 1, 2]
    gauge.open(0)
    assert (await soon(read)).value == 0
    await turns(10)
    assert gauge.started == [0, 1, 2, 3]
    assert gauge.most == 3
    await soon(reader.cancel())
    assert sorted(gauge.cancelled) == [1, 2, 3]
    await settle()


@each_row(("ordered", "window"), [(True, None), (True, 3), (True, 50), (False, None), (False, 7)])
async def test_the_window_bounds_what_is_started_and_not_taken(ordered: bool, window: int | None) -> None:
    source = Numbers(1000)
    bound = window or (12 if ordered else 3)
    reader = source.stream().map(same_soon, concurrency=3, ordered=ordered, window=window).get_reader()
    for taken in range(1, 20):
        await soon(reader.read())
        await turns(40)
        assert source.pulls - taken == bound
    await soon(reader.cancel())


async def test_results_come_in_order_or_as_they_are_ready() -> None:
    for ordered, expected in ((True, [0, 1, 2, 3]), (False, [3, 2, 1, 0])):
        gauge = Gauge()
        task = asyncio.ensure_future(Numbers(4).stream().map(gauge, concurrency=4, ordered=ordered).list())
        await turns(10)
        for chunk in (3, 2, 1, 0):
            gauge.open(chunk)
            await turns(5)
        assert await soon(task) == expected


@each_of(ordered=[True, False])
async def test_the_first_failure_counts_at_once(ordered: bool) -> None:
    gauge, source = Gauge(), Numbers(100)

    async def third_fails(chunk: int) -> int:
        if chunk == 2:
            raise BOOM
        result: int = await gauge(chunk)
        return result

    with quiet(0):
        assert await failure(source.stream().map(third_fails, concurrency=4, ordered=ordered).list()) is BOOM
        assert gauge.running == 0
        assert sorted(gauge.cancelled) == gauge.started
        assert source.cancellations == [BOOM]
        await settle()


async def test_calls_that_fail_later_are_not_reported() -> None:
    release = asyncio.Event()

    async def fails(chunk: int) -> None:
        if chunk:
            try:
                await asyncio.Event().wait()
            finally:
                raise ValueError(chunk)
        await release.wait()
        raise BOOM

    with quiet():
        reading = asyncio.ensure_future(Numbers(100).stream().map(fails, concurrency=4).list())
        await turns(10)
        release.set()
        assert await failure(reading) is BOOM
        await settle()


@each_of(way=["cancel", "failure", "for_each", "pipe_to"])
async def test_a_call_that_suppresses_its_cancellation_is_waited_for(way: str) -> None:
    ended, release = [], asyncio.Event()

    async def stubborn(chunk: int) -> int:
        if chunk == 3:
            await release.wait()
            raise BOOM
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await turns(20)
        ended.append(chunk)
        return chunk

    stream = Numbers(100).stream()
    if way == "cancel":
        reader = stream.map(stubborn, concurrency=4).get_reader()
        reader.read()
        await turns(10)
        await soon(reader.cancel())
        assert sorted(ended) == [0, 1, 2]
    else:
        if way == "for_each":
            waiting: Any = stream.for_each(stubborn, concurrency=4)
        elif way == "pipe_to":
            waiting = stream.map(stubborn, concurrency=4).pipe_to(WritableStream())
        else:
            waiting = asyncio.ensure_future(stream.map(stubborn, concurrency=4).list())
        await turns(10)
        release.set()
        assert await failure(waiting) is BOOM
        assert sorted(ended) == [0, 1, 2]
    await settle()


async def test_equal_keys_run_one_after_the_other() -> None:
    gauge, source = Gauge(), Numbers(8)
    task = asyncio.ensure_future(source.stream().map(gauge, concurrency=4, key=lambda chunk: chunk % 2).list())
    await turns(20)
    assert gauge.started == [0, 1]
    gauge.open(1, 3, 5, 7)
    await turns(20)
    assert gauge.started == [0, 1, 3, 5, 7]  # the slow key holds nobody else up
    gauge.open(0, 2, 4, 6)
    assert await soon(task) == list(range(8))
    assert gauge.most == 2


async def test_a_slow_key_fills_no_more_than_the_window() -> None:
    gauge, source = Gauge(), Numbers(1000)
    reader = source.stream().map(gauge, concurrency=2, key=lambda _: 1).get_reader()
    reader.read()
    await turns(30)
    assert (gauge.started, source.pulls) == ([0], 8)
    await soon(reader.cancel())


async def test_a_key_that_cannot_be_one() -> None:
    source = Numbers(10)
    key: Any = list[Any]
    error = await failure(source.stream().map(same_soon, concurrency=2, key=lambda _: key()).list())
    assert isinstance(error, TypeError)
    assert source.cancellations == [error]


@each_of(concurrency=[1, 3])
async def test_what_is_skipped_leaves_the_window(concurrency: int) -> None:
    async def odd(chunk: int) -> Any:
        return chunk if chunk % 2 else SKIP

    for ordered in (True, False):
        stream = Numbers(50).stream().map(odd, concurrency=concurrency, ordered=ordered)
        assert sorted(await soon(stream.list())) == list(range(1, 50, 2))


async def test_skipping_everything_stops_with_the_consumer() -> None:
    source = Numbers(10**9)

    async def skip(_: object) -> Any:
        await asyncio.sleep(0)
        return SKIP

    task = asyncio.ensure_future(source.stream().map(skip, concurrency=4).list())
    await turns(50)
    task.cancel()
    await asyncio.wait([task])
    pulls = source.pulls
    await turns(50)
    assert source.pulls == pulls
    assert len(source.cancellations) == 1


async def test_the_timeout_ends_one_call_only() -> None:
    async def slow(chunk: int) -> int:
        if chunk == 1:
            await asyncio.Event().wait()
        return chunk

    errors: list[Exception] = []

    def answer(error: Exception, chunk: int) -> int:
        errors.append(error)
        return -chunk

    for concurrency in (1, 3):
        stream = Numbers(4).stream().map(slow, concurrency=concurrency, timeout=0.01, on_error=answer)
        assert await soon(stream.list()) == [0, -1, 2, 3]
    assert [type(error) for error in errors] == [TimeoutError, TimeoutError]
    assert isinstance(await failure(Numbers(4).stream().map(slow, timeout=0.01).list()), TimeoutError)


async def test_errors_are_answered() -> None:
    async def odd_fails(chunk: int) -> int:
        if chunk % 2:
            raise BOOM
        return chunk

    async def later(error: Exception, chunk: int) -> Any:
        return (error, chunk)

    def skip(error: Exception, chunk: int) -> Any:
        return SKIP

    for concurrency in (1, 3):
        stream = Numbers().stream().map(odd_fails, concurrency=concurrency, on_error=later)
        assert await soon(stream.list()) == [0, (BOOM, 1), 2, (BOOM, 3)]
        assert await soon(Numbers().stream().map(odd_fails, concurrency=concurrency, on_error=skip).list()) == [0, 2]
    assert await soon(Numbers(2).stream().map(fail, on_error=lambda error, chunk: chunk).list()) == [0, 1]
    error = await failure(Numbers().stream().map(odd_fails, concurrency=2, on_error=lambda error, _: 1 / 0).list())
    assert isinstance(error, ZeroDivisionError)


async def test_the_limiter_is_around_each_call() -> None:
    gauge, limiter = Gauge(), asyncio.Semaphore(2)
    gauge.open(*range(20))
    assert await soon(Numbers(20).stream().map(gauge, concurrency=8, limiter=limiter).list()) == list(range(20))
    assert gauge.most <= 2
    assert not limiter.locked()


def die(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


async def test_operators_may_share_one_limiter() -> None:
    limiter = asyncio.Semaphore(1)
    running = most = 0

    async def call(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return number

    def limited(stream: ReadableStream[int]) -> ReadableStream[int]:
        return stream.map(call, concurrency=3, limiter=limiter)

    both = [limited(limited(Numbers(6).stream())).list(), limited(Numbers(6).stream()).list()]
    assert await soon(asyncio.gather(*both)) == [list(range(6))] * 2
    assert most == 1
    await limiter.acquire()
    reader = limited(Numbers(6).stream()).get_reader()
    read = reader.read()
    await turns(3)
    await soon(reader.cancel())
    assert (await read).done
    limiter.release()
    assert not limiter.locked()
    await settle()


@each_of(ordered=[True, False])
async def test_what_on_error_leaves_out_frees_its_key(ordered: bool) -> None:
    async def call(number: int) -> int:
        await asyncio.sleep(0)
        if number % 4 == 1:
            raise BOOM
        return number

    def left_out(error: Exception, number: int) -> Skip:
        assert error is BOOM
        return SKIP

    def remainder(number: int) -> int:
        return number % 3

    results = Numbers(24).stream().map(call, concurrency=4, ordered=ordered, key=remainder, on_error=left_out)
    given = await soon(results.list())
    assert (given if ordered else sorted(given)) == [number for number in range(24) if number % 4 != 1]
    for key in range(3):
        mine = [number for number in given if number % 3 == key]
        assert mine == sorted(mine)
    await settle()


async def test_an_executor_runs_plain_functions() -> None:
    with ThreadPoolExecutor(3) as executor:
        stream = Numbers(50).stream().map(square, concurrency=3, executor=executor)
        assert await soon(stream.list()) == [number * number for number in range(50)]


async def test_processes() -> None:
    with ProcessPoolExecutor(2) as executor:
        stream = Numbers(20).stream().map(square, concurrency=4, executor=executor)
        assert await asyncio.wait_for(stream.list(), 60) == [number * number for number in range(20)]


async def test_a_killed_process_is_an_error_on_both_sides() -> None:
    source = Numbers(1000)
    with quiet(0), ProcessPoolExecutor(2) as executor:
        async with asyncio.timeout(60):
            with pytest.raises(BrokenProcessPool) as raised:
                await source.stream().map(die, concurrency=4, executor=executor).list()
        assert source.cancellations == [raised.value]
        await settle()


async def test_calls_that_have_begun_in_an_executor_are_waited_for() -> None:
    ended: list[int] = []

    def slow(number: int) -> int:
        time.sleep(0.05)
        ended.append(number)
        return number

    with ThreadPoolExecutor(1) as executor:
        reader = Numbers(100).stream().map(slow, concurrency=4, executor=executor).get_reader()
        read = reader.read()
        while executor._work_queue.qsize() < 2:
            await asyncio.sleep(0)
        await soon(reader.cancel())
        assert ended == [0]  # the one that had begun; the others were cancelled
        assert (await soon(read)).done


@each_of(error=[StopIteration(1), GeneratorExit(2), asyncio.CancelledError(3)])
@each_of(concurrency=[1, 2])
async def test_a_guarded_function_raises_what_steers_coroutines(error: BaseException, concurrency: int) -> None:
    def raise_it(*_: Any) -> Any:
        raise error

    with ThreadPoolExecutor(1) as executor:
        for options in ({"executor": executor, "concurrency": concurrency}, {"timeout": 9}, {"on_error": raise_it}):
            function = fail if "on_error" in options else raise_it
            stored = await failure(soon(Numbers().stream().map(function, **options).list()))
            assert isinstance(stored, StreamError)
            assert stored.reason is stored.__cause__ is error
        mended = Numbers(2).stream().map(raise_it, executor=executor, on_error=lambda error, chunk: (error, chunk))
        answers: list[Any] = await soon(mended.list())
    assert [(answer.reason, chunk) for answer, chunk in answers] == [(error, 0), (error, 1)]
    await settle()


async def test_an_executor_that_cancels_what_waits() -> None:
    """The call fails as that of a `Future` does; it is not the calling task that is cancelled."""
    gate = threading.Event()
    executor = ThreadPoolExecutor(1)
    executor.submit(gate.wait, 30)
    answers = Numbers(1).stream().map(square, executor=executor, on_error=lambda error, _: error).list()
    listing = asyncio.ensure_future(answers)
    while not executor._work_queue.qsize():
        await asyncio.sleep(0)
    executor.shutdown(wait=False, cancel_futures=True)
    gate.set()
    (error,) = await soon(listing)
    assert isinstance(error, concurrent.futures.CancelledError)
    await settle()


async def test_an_executor_that_was_shut_down() -> None:
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    assert isinstance(await failure(Numbers().stream().map(square, executor=executor).list()), RuntimeError)


# Tasks and contexts.


variable: contextvars.ContextVar[Any] = contextvars.ContextVar("variable", default=None)


async def test_calls_do_not_see_what_others_left_in_the_context() -> None:
    variable.set("made")

    async def look(chunk: int) -> Any:
        seen = variable.get()
        variable.set(chunk)
        await asyncio.sleep(0)
        return seen

    stream = Numbers(30).stream().map(look, concurrency=3)
    variable.set("read")
    assert await soon(stream.list()) == ["made"] * 30
    await settle()


async def test_the_workers_stand() -> None:
    tasks: set[int] = set()
    kept: list[Any] = []

    async def note(chunk: int) -> int:
        task = asyncio.current_task()
        if id(task) not in tasks:
            tasks.add(id(task))
            kept.append(task)
        await asyncio.sleep(0)
        return chunk

    assert len(await soon(Numbers(300).stream().map(note, concurrency=3).list())) == 300
    assert len(tasks) == 3


async def test_a_call_that_cancels_its_own_task_is_a_failure() -> None:
    async def suicide(chunk: int) -> int:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)
        return chunk

    source = Numbers(100)
    error = await failure(source.stream().map(suicide, concurrency=3).list())
    assert isinstance(error, StreamError)
    assert isinstance(error.reason, asyncio.CancelledError)
    assert source.cancellations == [error]
    await settle()


async def test_trivial_calls_let_the_loop_run() -> None:
    limit = time.monotonic() + 5

    def endless() -> Iterator[int]:
        number = 0
        while beats.count < 5 and time.monotonic() < limit:
            yield number
            number += 1

    async def skip(_: object) -> Any:
        return SKIP

    async with another_task() as beats:
        assert await soon(ReadableStream.from_(endless()).map(skip, concurrency=4, window=10**6).list()) == []
    assert beats.count >= 5


# Counts under disorder.


@each_of(seed=range(2))
async def test_the_limits_hold_in_any_disorder(seed: int) -> None:
    """`python -m tests.operators.disorder` does 10,000 of these runs."""
    with quiet():
        ways = await run_many(125, seed)
        assert sorted(ways) == sorted(WAYS)
        await settle()


async def test_many_items_take_constant_memory() -> None:
    """`python -m tests.operators.memory` does this with a million."""
    first, last = await weigh_twice(20_000)
    assert last.objects - first.objects < OBJECTS


async def test_what_is_dropped_says_nothing() -> None:
    with quiet():
        gauge = Gauge()
        reader = Numbers(10).stream().map(gauge, concurrency=3).get_reader()
        reader.read()
        await turns(10)
        del reader, gauge
