"""ResilientStream.drain(): an end in good order, whatever the stream is busy with."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.brokers.memory import MemoryBroker, memory_stream
from tests.brokers.refusing import Refusing
from tests.faults.helpers import turns
from tests.grids import each_of
from tests.waiting import until
from webstreams import ReadableStream, WritableStream
from webstreams.brokers import Deliveries, Delivery, DeliveryLost, ResilientStream, acknowledging, resilient


class Connections:
    """Opens connections, and writes down what becomes of them."""

    def __init__(self, *streams: ReadableStream[Any]) -> None:
        self.streams = list(streams)
        self.events: list[str] = []

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[ReadableStream[Any]]:
        self.events.append("opened")
        try:
            yield self.streams.pop(0)
        finally:
            self.events.append("closed")


async def nothing_is_left() -> None:
    await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})


def no_pause(attempt: int) -> float:
    return 0


async def take(reader: Any) -> Delivery[Any]:
    delivery: Delivery[Any] = (await reader.read()).value
    return delivery


async def test_before_the_first_read_it_opens_nothing() -> None:
    connections = Connections()
    stream = resilient(connections.connect)
    assert isinstance(stream, ResilientStream)
    await stream.drain()
    assert (await stream.get_reader().read()).done
    assert connections.events == []


async def test_between_connections_it_closes_at_once() -> None:
    refusing = Refusing()
    stream = refusing.stream()
    reading = asyncio.ensure_future(stream.get_reader().read())
    await refusing.paused.wait()
    await stream.drain()
    assert (await reading).done
    await nothing_is_left()


async def test_a_connection_that_is_being_opened_is_given_up() -> None:
    events: list[str] = []

    @asynccontextmanager
    async def connect() -> AsyncIterator[ReadableStream[int]]:
        events.append("opening")
        try:
            await asyncio.Event().wait()
            yield ReadableStream()
        finally:
            events.append("given up")

    stream = resilient(connect)
    reading = asyncio.ensure_future(stream.get_reader().read())
    await until(lambda: events == ["opening"])
    await stream.drain()
    assert (await reading).done
    assert events == ["opening", "given up"]
    await nothing_is_left()


async def test_a_connection_that_is_open_all_the_same_is_closed() -> None:
    """Whoever opens it does not let itself be cancelled, or has ended at this very moment."""
    inner, broker = memory_stream(limit=2, count=2)
    gate = asyncio.Event()

    class Stubborn(Connections):
        @asynccontextmanager
        async def connect(self) -> AsyncIterator[ReadableStream[Any]]:
            try:
                await gate.wait()
            except asyncio.CancelledError:
                pass
            async with super().connect() as stream:
                yield stream

    connections = Stubborn(inner)
    stream = resilient(connections.connect)
    reading = asyncio.ensure_future(stream.get_reader().read())
    await turns(10)
    await stream.drain()
    assert (await reading).done
    assert connections.events == ["opened", "closed"]
    assert (broker.stopped, [number for number, _ in broker.waiting]) == (1, [0, 1])
    await nothing_is_left()


async def test_a_consumer_that_is_being_opened_is_stopped_when_it_is_open() -> None:
    broker = MemoryBroker(2, 2)
    gate = asyncio.Event()
    push = broker.open

    async def open_late() -> None:
        await gate.wait()
        await push()

    broker.open = open_late  # type: ignore[method-assign]
    connections = Connections(Deliveries(broker))
    stream = resilient(connections.connect)
    reading = asyncio.ensure_future(stream.get_reader().read())
    await until(lambda: bool(connections.events))
    draining = asyncio.ensure_future(stream.drain())
    await turns(10)
    assert not draining.done()
    gate.set()
    await draining
    assert (await reading).done
    assert connections.events == ["opened", "closed"]
    assert (broker.stopped, len(broker.waiting)) == (1, 2)
    await nothing_is_left()


@each_of(is_read=[False, True])
async def test_the_deliveries_of_a_connection_are_finished(is_read: bool) -> None:
    inner, broker = memory_stream(limit=4, count=2)
    connections = Connections(inner)
    stream = resilient(connections.connect)
    reader = stream.get_reader()
    deliveries = [await take(reader) for _ in range(2)]
    reading = asyncio.ensure_future(reader.read()) if is_read else None
    draining = asyncio.ensure_future(stream.drain())
    await turns(10)
    assert not draining.done()
    for delivery in deliveries:
        assert connections.events == ["opened"]
        await delivery.ack()
    await draining
    assert connections.events == ["opened", "closed"]
    assert broker.acknowledged == [0, 1]
    assert (await (reading or reader.read())).done
    await nothing_is_left()


async def test_a_pipe_runs_to_its_end() -> None:
    inner, broker = memory_stream(limit=4, count=1000)
    connections = Connections(inner)
    stream = resilient(connections.connect)
    written: list[int] = []

    async def write(batch: list[int], controller: object) -> None:
        await asyncio.sleep(0)
        written.extend(batch)

    batches = stream.batched(3, seconds=0.01).map(Delivery[Any].join)
    pipe = batches.pipe_to(acknowledging(WritableStream({"write": write})))
    await until(lambda: len(written) > 10)
    await stream.drain()
    await pipe
    assert connections.events == ["opened", "closed"]
    assert sorted(broker.acknowledged) == written == list(range(len(written)))
    assert len(broker.waiting) == 1000 - len(written)


async def test_a_connection_that_is_lost_meanwhile_is_the_last_one(caplog: pytest.LogCaptureFixture) -> None:
    inner, broker = memory_stream(limit=4, count=1)
    connections = Connections(inner)
    stream = resilient(connections.connect, backoff=no_pause)
    reader = stream.get_reader()
    delivery = await take(reader)
    reading = asyncio.ensure_future(reader.read())
    gate = asyncio.Event()

    async def stop() -> None:
        await gate.wait()

    broker.stop = stop  # type: ignore[method-assign]
    draining = asyncio.ensure_future(stream.drain())
    await turns(10)
    with caplog.at_level(logging.WARNING):
        broker.fail(ConnectionError("lost"))
        gate.set()
        await draining
    assert (await reading).done
    assert connections.events == ["opened", "closed"]
    assert "is not opened again" in caplog.text
    with pytest.raises(DeliveryLost):
        await delivery.ack()
    await nothing_is_left()


async def test_what_takes_too_long_goes_back() -> None:
    inner, broker = memory_stream(limit=4, count=1)
    connections = Connections(inner)
    stream = resilient(connections.connect)
    reader = stream.get_reader()
    delivery = await take(reader)
    await stream.drain(0.01)
    assert connections.events == ["opened", "closed"]
    assert list(broker.waiting) == [(0, 2)]
    with pytest.raises(DeliveryLost):
        await delivery.ack()
    assert (await reader.read()).done


async def test_an_inner_stream_of_another_kind_is_cancelled() -> None:
    reasons: list[object] = []
    connections = Connections(ReadableStream({"cancel": reasons.append}, {"high_water_mark": 0}))
    stream = resilient(connections.connect)
    reading = asyncio.ensure_future(stream.get_reader().read())
    await until(lambda: connections.events == ["opened"])
    await turns(10)
    await stream.drain()
    assert (await reading).done
    assert reasons == ["it was drained"]
    assert connections.events == ["opened", "closed"]


async def test_a_stream_that_has_ended_can_be_drained() -> None:
    ended = resilient(Connections(ReadableStream.from_([1])).connect)
    assert [number async for number in ended] == [1]
    cancelled = resilient(Connections().connect)
    await cancelled.cancel()
    failed = resilient(Connections().connect, attempts=1, retry=lambda error: True)
    with pytest.raises(IndexError):  # there is no connection to give
        await failed.get_reader().read()
    for stream in (ended, cancelled, failed):
        await stream.drain()
        await stream.drain()


async def test_an_opening_that_the_client_itself_cancels_is_a_failure() -> None:
    """aiormq cancels what waits for an answer when the connection is lost."""
    tries = iter([asyncio.CancelledError(), None])

    async def open_stream() -> ReadableStream[int]:
        if error := next(tries):
            raise error
        return ReadableStream.from_([1])

    assert [number async for number in resilient(open_stream, backoff=no_pause)] == [1]
