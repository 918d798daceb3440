"""``for_each()``, ``reduce()`` and ``to_callable()``: several calls at a time at the end of a pipeline."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.helpers import RecordingSource, failure, quiet, soon, stream_of, turns
from tests.grids import each_of
from webstreams import to_callable

from .gauge import Gauge
from .table import BOOM, Numbers, fail, same, same_at_once, same_soon, settle

# for_each and reduce.


@each_of(concurrency=[1, 4])
async def test_for_each(concurrency: int) -> None:
    gauge, source = Gauge(), Numbers(20)
    gauge.open(*range(20))
    stream = source.stream()
    promise = stream.for_each(gauge, concurrency=concurrency)
    assert await soon(promise) is None  # type: ignore[func-returns-value]
    assert sorted(gauge.ended) == list(range(20))
    assert gauge.most <= concurrency
    assert not stream.locked
    await settle()


@each_of(concurrency=[1, 4])
async def test_for_each_fails_with_the_function_and_with_the_source(concurrency: int) -> None:
    with quiet(0):
        source = Numbers(50)
        assert await failure(source.stream().for_each(fail_async, concurrency=concurrency)) is BOOM
        assert source.cancellations == [BOOM]
        assert await failure(Numbers(2, "error").stream().for_each(same_soon, concurrency=concurrency)) is BOOM
        await settle()


async def fail_async(_: object) -> None:
    raise BOOM


@each_of(way=["for_each", "for_each of four", "reduce"])
async def test_cancelling_the_task_that_waits_ends_everything(way: str) -> None:
    gauge, source = Gauge(), Numbers(50)
    stream = source.stream()

    async def use() -> None:
        if way == "reduce":
            await stream.reduce(lambda _, chunk: gauge(chunk), 0)
        else:
            await stream.for_each(gauge, concurrency=4 if way == "for_each of four" else 1)

    with quiet(0):
        task = asyncio.ensure_future(use())
        await turns(10)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert gauge.running == 0
        assert gauge.cancelled
        assert len(source.cancellations) == 1
        assert not stream.locked
        await settle()


async def test_reduce() -> None:
    async def add(total: int, number: int) -> int:
        await asyncio.sleep(0)
        return total + number

    assert await soon(Numbers(5).stream().reduce(lambda total, number: total + number, 10)) == 20
    assert await soon(Numbers(5).stream().reduce(add, 0)) == 10
    assert await soon(Numbers(0).stream().reduce(add, 7)) == 7
    assert await failure(Numbers(5).stream().reduce(lambda *_: fail(_), 0)) is BOOM
    with pytest.raises(TypeError, match="needs a function"):
        Numbers().stream().reduce(3, 0)  # type: ignore[call-overload]


async def test_an_error_of_the_source_is_told_while_no_call_may_begin() -> None:
    """All calls hang, and one more chunk waits for them: nothing is read."""
    for window in (2, 8):
        gauge, source = Gauge(), RecordingSource()
        stream = stream_of(source, 0)
        for chunk in range(9):
            source.controller.enqueue(chunk)
        read = stream.map(gauge, concurrency=2, window=window).get_reader().read()
        await turns(10)
        assert gauge.running == 2
        source.controller.error(BOOM)
        assert await failure(read) is BOOM
        assert gauge.running == 0


# to_callable.


async def test_a_sink_with_several_calls() -> None:
    gauge = Gauge()
    piping = Numbers(9).stream().pipe_to(to_callable(gauge, concurrency=3))
    await turns(30)
    assert gauge.started == [0, 1, 2]
    gauge.open(*range(9))
    await soon(piping)
    assert sorted(gauge.ended) == list(range(9))
    assert gauge.most == 3
    await settle()


async def test_a_sink_whose_call_fails() -> None:
    gauge, source = Gauge(), Numbers(50)

    async def third_fails(chunk: int) -> None:
        if chunk == 2:
            raise BOOM
        await gauge(chunk)

    with quiet(0):
        assert await failure(source.stream().pipe_to(to_callable(third_fails, concurrency=4))) is BOOM
        assert gauge.running == 0
        assert source.cancellations == [BOOM]
        await settle()


async def test_a_sink_that_is_aborted() -> None:
    gauge = Gauge()
    writer = to_callable(gauge, concurrency=2).get_writer()
    writer.write(1)
    writer.write(2)
    await turns(5)
    await soon(writer.abort("reason"))
    assert sorted(gauge.cancelled) == [1, 2]
    await settle()


async def test_a_sink_refuses_what_map_refuses() -> None:
    with pytest.raises(ValueError, match="concurrency must be at least 1"):
        to_callable(same_at_once, concurrency=0)
    with pytest.raises(TypeError, match="needs a coroutine function"):
        to_callable(same, concurrency=2)
