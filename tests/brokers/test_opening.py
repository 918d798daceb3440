"""Streams that end while they are being opened, and ends that somebody waits for in several ways."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.brokers.memory import MemoryBroker, memory_stream
from tests.faults.helpers import turns
from tests.grids import each_of
from tests.waiting import until
from webstreams.brokers import Deliveries, Delivery, DeliveryLost, _feeding, _source
from webstreams.brokers._feeding import FetchingSource
from webstreams.brokers.delivery import Outcome


class Gated(MemoryBroker):
    """Opens when it is told to, and writes down what it does."""

    def __init__(self, limit: int = 2, count: int = 10) -> None:
        super().__init__(limit, count)
        self.gate = asyncio.Event()
        self.events: list[str] = []
        self.error: Exception | None = None

    async def open(self) -> None:
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.events.append("opened")
        await super().open()

    async def stop(self) -> None:
        self.events.append("stopped")

    async def give_back(self, keys: list[int]) -> None:
        self.events.append("given back")


async def nothing_is_left() -> None:
    await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})


@each_of(end=["drain", "cancel"])
async def test_what_is_being_opened_is_stopped_after_that(end: str) -> None:
    broker = Gated()
    stream = Deliveries[int](broker)
    ending = asyncio.ensure_future(getattr(stream, end)())
    await turns(10)
    assert broker.events == [] and not ending.done()
    broker.gate.set()
    await ending
    assert broker.events == ["opened", "stopped", "given back"]
    assert (await stream.get_reader().read()).done
    assert list(broker.waiting) == [(number, 1) for number in range(10)]
    await nothing_is_left()


@pytest.mark.parametrize("end", ["drain", "cancel"])
async def test_what_is_open_much_later_is_stopped_all_the_same(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_source, "PARTING_TIME", 0.01)
    broker = Gated()
    stream = Deliveries[int](broker)
    try:
        await (stream.drain(0.01) if end == "drain" else stream.cancel())
    except TimeoutError:
        assert broker.events == []  # somebody who ends a stream is told when that has not been possible
    assert (await stream.get_reader().read()).done
    broker.gate.set()
    await until(lambda: broker.events == ["opened", "stopped"])
    await nothing_is_left()


async def test_a_stream_that_cannot_be_opened_while_it_is_drained_is_errored() -> None:
    broker = Gated()
    broker.error = ConnectionError("nobody is there")
    stream = Deliveries[int](broker)
    reading = asyncio.ensure_future(stream.get_reader().read())
    draining = asyncio.ensure_future(stream.drain())
    await turns(10)
    broker.gate.set()
    with pytest.raises(ConnectionError, match="nobody is there"):
        await reading
    await draining
    assert broker.events == ["stopped"]
    await nothing_is_left()


async def test_a_second_drain_waits_too() -> None:
    stream, broker = memory_stream(limit=2, count=2)
    reader = stream.get_reader()
    deliveries = [(await reader.read()).value for _ in range(2)]
    draining = [asyncio.ensure_future(stream.drain()) for _ in range(2)]
    await turns(10)
    assert not any(each.done() for each in draining)
    for delivery in deliveries:
        assert delivery is not None
        await delivery.ack()
    await asyncio.gather(*draining)
    assert (broker.acknowledged, broker.stopped) == ([0, 1], 1)


async def test_a_drain_that_nobody_waits_for_any_longer_gives_back_what_is_open() -> None:
    stream, broker = memory_stream(limit=2, count=2)
    delivery = (await stream.get_reader().read()).value
    draining = asyncio.ensure_future(stream.drain(3600))
    await turns(10)
    draining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await draining
    assert [number for number, _ in broker.waiting] == [0, 1]
    assert delivery is not None
    with pytest.raises(DeliveryLost):
        await delivery.ack()
    await nothing_is_left()


async def test_what_nobody_reads_while_it_is_drained_goes_back_and_the_stream_closes() -> None:
    stream, broker = memory_stream(limit=2, count=2)
    await until(lambda: stream.unsettled == 2)
    await stream.drain(0.01)
    assert [number for number, _ in broker.waiting] == [0, 1]
    assert (await stream.get_reader().read()).done


# Sources that fetch.


class Tended(FetchingSource[int]):
    """Fetches one number after the other, and counts how often it looks after what is open."""

    def __init__(self) -> None:
        super().__init__(2, "the broker in memory")
        self.gate = asyncio.Event()
        self.number = 0
        self.tended = 0
        self.tend_error: Exception | None = None
        self.settled: list[tuple[int, Outcome]] = []

    async def open(self) -> None:
        await self.gate.wait()
        self.begin(0.001)

    async def fetch(self, count: int) -> None:
        self.number += 1
        self.deliver((self.number, self.number, None, 1))

    async def tend(self) -> None:
        self.tended += 1
        if self.tend_error is not None:
            raise self.tend_error

    async def settle(self, key: int, outcome: Outcome) -> None:
        self.settled.append((key, outcome))

    async def acknowledge_together(self, keys: list[int]) -> None:
        self.settled.extend((key, "ack") for key in keys)

    async def stop(self) -> None:
        await self.finish_fetching(cancel=True)

    async def give_back(self, keys: list[int]) -> None:
        self.settled.extend((key, "requeue") for key in keys)


async def drained_with_one_open() -> tuple[Tended, Delivery[Any], asyncio.Future[None], Any]:
    source = Tended()
    source.gate.set()
    stream = Deliveries[int](source)
    reader = stream.get_reader()
    first, second = [(await reader.read()).value for _ in range(2)]
    assert first is not None and second is not None
    draining = asyncio.ensure_future(stream.drain())
    await second.ack()
    return source, first, draining, reader


async def test_what_is_worked_on_is_looked_after_while_the_stream_is_drained() -> None:
    source, delivery, draining, reader = await drained_with_one_open()
    assert (await reader.read()).done  # nothing is fetched any more
    before = source.tended
    await until(lambda: source.tended > before + 3)
    await delivery.ack()
    await draining
    assert source.settled == [(2, "ack"), (1, "ack")]
    await nothing_is_left()


async def test_what_comes_before_the_broker_has_stopped_is_given() -> None:
    stream, broker = memory_stream(limit=4, count=0)
    reader = stream.get_reader()
    gate = asyncio.Event()

    async def stop() -> None:
        await gate.wait()

    broker.stop = stop  # type: ignore[method-assign]
    draining = asyncio.ensure_future(stream.drain())
    await turns(10)
    reading = asyncio.ensure_future(reader.read())
    await turns(10)
    broker.deliver((1, 7, None, 1))
    gate.set()
    delivery = (await reading).value
    assert delivery is not None and delivery.value == 7
    await delivery.ack()
    await draining
    assert (await reader.read()).done
    await nothing_is_left()


async def test_a_connection_whose_loss_shows_while_it_is_drained_ends_the_waiting() -> None:
    source, delivery, draining, _ = await drained_with_one_open()
    source.tend_error = error = ConnectionError("lost")
    await draining
    with pytest.raises(DeliveryLost) as caught:
        await delivery.ack()
    assert caught.value.__cause__ is error
    await nothing_is_left()


@each_of(end=["drain", "cancel"])
async def test_a_source_that_is_ended_while_it_opens_does_not_begin(end: str) -> None:
    source = Tended()
    stream = Deliveries[int](source)
    ending = asyncio.ensure_future(getattr(stream, end)())
    await turns(10)
    source.gate.set()
    await ending
    assert (source.number, source.tended) == (0, 0)
    await nothing_is_left()


class Forgetful(Tended):
    """Its first fetch forgets that it was cancelled, as ``wait_for()`` of Python 3.11 can."""

    def __init__(self) -> None:
        super().__init__()
        self.cancellations = 0

    async def fetch(self, count: int) -> None:
        for _ in range(2):
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                self.cancellations += 1
        raise asyncio.CancelledError


async def test_a_fetch_that_forgets_its_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_feeding, "LONGEST_FETCH", 3600.0)
    source = Forgetful()
    source.gate.set()
    stream = Deliveries[int](source)
    await until(lambda: source.tended > 0)
    async with asyncio.timeout(60):
        await stream.drain(3600)
    assert source.cancellations == 2
    await nothing_is_left()
