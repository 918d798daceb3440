"""In debug mode: a warning when the limit is less than what the pipeline holds."""

from __future__ import annotations

import asyncio
import warnings

import pytest

from tests.brokers.memory import memory_stream
from tests.waiting import until
from webstreams import AbortController, StreamError, WritableStream
from webstreams.brokers import Delivery, acknowledging
from webstreams.brokers import _standstill as standstill


async def test_a_batch_that_is_larger_than_the_limit_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standstill, "STANDSTILL", 0.02)
    asyncio.get_running_loop().set_debug(True)
    stream, broker = memory_stream(limit=8, count=30)
    controller = AbortController()
    batches = stream.batched(10).map(Delivery[int].join)
    pipe = batches.pipe_to(acknowledging(WritableStream[list[int]]()), signal=controller.signal)
    with pytest.warns(ResourceWarning, match="in_flight=8 must be at least what the stages hold") as caught:
        await until(lambda: bool(stream._source.watch and stream._source.watch._has_warned))
    assert len(caught) == 1
    assert caught[0].filename.endswith("memory.py")  # where the stream was made
    controller.abort("enough")
    with pytest.raises(StreamError, match="enough"):
        await pipe
    assert len(broker.waiting) == 30


async def test_a_slow_pipeline_is_not_told_of_as_long_as_something_is_settled() -> None:
    asyncio.get_running_loop().set_debug(True)
    stream, _ = memory_stream(limit=2, count=5)
    watch = stream._source.watch
    assert watch is not None
    reader = stream.get_reader()
    deliveries = [(await reader.read()).value for _ in range(2)]
    waiting = reader.read()
    before = list(stream._source.ledger)
    assert deliveries[0] is not None
    await deliveries[0].ack()
    await waiting
    still_waiting = reader.read()
    await until(lambda: watch._timer is not None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        watch._look(before)
    assert not watch._has_warned
    await reader.cancel()
    await still_waiting


async def test_nothing_looks_at_a_stream_that_has_ended_or_without_debug_mode() -> None:
    asyncio.get_running_loop().set_debug(False)
    stream, _ = memory_stream(limit=1, count=5)
    assert stream._source.watch is None
    asyncio.get_running_loop().set_debug(True)
    stream, _ = memory_stream(limit=1, count=5)
    watch = stream._source.watch
    reader = stream.get_reader()
    await reader.read()
    waiting = reader.read()
    await until(lambda: watch is not None and watch._timer is not None)
    await reader.cancel()
    assert (await waiting).done
    assert watch is not None and watch._timer is not None and watch._timer.cancelled()
