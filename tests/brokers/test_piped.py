"""Deliveries that a pipe writes to acknowledging(): on the fast path, and with the same account as by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.brokers.memory import MemoryBroker, logged, memory_stream
from tests.grids import each_of, each_row
from tests.waiting import until
from webstreams import ReadableStream, WritableStream
from webstreams.brokers import Deliveries, Delivery, OnFailure, Outcome, acknowledging
from webstreams.brokers._ledger import OwnedDelivery


class QuickBroker(MemoryBroker):
    """Acknowledges at once, as Kafka does."""

    acknowledges_at_once = True

    def acknowledge(self, delivery: OwnedDelivery) -> None:
        self.acknowledged.append(delivery.key)
        asyncio.get_running_loop().call_soon(self._push)


class SlowBroker(MemoryBroker):
    """Acknowledges when it is told to."""

    def __init__(self, limit: int, count: int) -> None:
        super().__init__(limit, count)
        self.waiting_for_it: list[OwnedDelivery] = []

    def acknowledge(self, delivery: OwnedDelivery) -> None:
        self.acknowledged.append(delivery.key)
        self.waiting_for_it.append(delivery)

    def tell(self) -> None:
        """Tell of all that have been acknowledged so far."""
        group, self.waiting_for_it = self.waiting_for_it, []
        self.ledger.told(group)
        self._push()


def numbers_written_by(is_coroutine: bool) -> tuple[WritableStream[int], list[int]]:
    """Make a sink that waits for nothing."""
    written: list[int] = []

    async def write(value: int, controller: object) -> None:
        written.append(value)

    plain: Callable[[int, object], None] = lambda value, controller: written.append(value)  # noqa: E731
    return WritableStream({"write": write if is_coroutine else plain}), written


@each_of(is_coroutine=[False, True])
@each_of(kind=[MemoryBroker, QuickBroker])
async def test_everything_is_written_once_and_acknowledged_after_that(
    kind: type[MemoryBroker], is_coroutine: bool
) -> None:
    broker = kind(100, 1000)
    stream = Deliveries[int](broker)
    sink, written = numbers_written_by(is_coroutine)
    too_early: list[int] = []

    def acknowledge(delivery: OwnedDelivery) -> None:
        if delivery.key not in written[-200:]:
            too_early.append(delivery.key)
        broker.acknowledge(delivery)

    broker.ledger.tell = acknowledge
    pipe = stream.pipe_to(acknowledging(sink))
    await until(lambda: len(broker.acknowledged) >= 1000)
    await stream.drain()
    await pipe
    assert written == list(range(1000))
    assert sorted(broker.acknowledged) == written
    assert too_early == []
    assert broker.most_open <= 100


async def test_the_fast_path_is_taken() -> None:
    broker = QuickBroker(3000, 0)
    source = ReadableStream.from_(broker.ledger.open((number, number, None, 1) for number in range(3000)))
    sink, written = numbers_written_by(is_coroutine=False)
    await source.pipe_to(acknowledging(sink))
    assert broker.acknowledged == written == list(range(3000))
    policy: Any = source._jobs.policy
    # Most chunks, on a machine that has nothing else to do: the clock says when other tasks get their turns.
    assert policy is None or policy.periods > 300 or not is_on()


def is_on() -> bool:
    """Whether the fast path is on, without a check of each period."""
    from webstreams._fastpath.policy import FAST_PATHS

    return FAST_PATHS == "1"


@each_of(is_coroutine=[False, True])
@each_row(("on_failure", "outcome"), [("requeue", "requeue"), ("reject", "reject")])
async def test_the_pipe_goes_on_after_a_failed_write(
    on_failure: OnFailure, outcome: Outcome, is_coroutine: bool
) -> None:
    logs = [logged(number) for number in range(200)]
    written: list[int] = []

    def write(value: int, controller: object) -> None:
        if value % 50 == 49:
            raise ValueError(value)
        written.append(value)

    async def write_later(value: int, controller: object) -> None:
        if value % 20 == 9:
            await asyncio.sleep(0)
        write(value, controller)

    sink: WritableStream[int] = WritableStream({"write": write_later if is_coroutine else write})
    source = ReadableStream.from_([delivery for delivery, _ in logs])
    await source.pipe_to(acknowledging(sink, on_failure=on_failure))
    assert written == [number for number in range(200) if number % 50 != 49]
    assert [log for _, log in logs] == [[outcome] if number % 50 == 49 else ["ack"] for number in range(200)]


@each_of(is_coroutine=[False, True])
async def test_the_pipe_stops_at_a_failed_write_and_everything_else_goes_back(is_coroutine: bool) -> None:
    stream, broker = memory_stream(limit=16, count=200)
    error = OSError("the disk is full")

    def write(value: int, controller: object) -> None:
        if value == 120:
            raise error

    async def write_later(value: int, controller: object) -> None:
        write(value, controller)

    sink: WritableStream[int] = WritableStream({"write": write_later if is_coroutine else write})
    with pytest.raises(OSError) as caught:
        await stream.pipe_to(acknowledging(sink))
    assert caught.value is error
    left = sorted(number for number, _ in broker.waiting)
    assert left == [number for number in range(200) if number not in broker.acknowledged]
    assert 120 in left
    assert set(broker.acknowledged) <= set(range(120))


async def test_a_sink_that_is_errored_while_it_writes_ends_the_pipe() -> None:
    stream, broker = memory_stream(limit=16, count=50)

    def write(value: int, controller: Any) -> None:
        if value == 30:
            controller.error(OSError("gone"))

    with pytest.raises(OSError, match="gone"):
        await stream.pipe_to(acknowledging(WritableStream({"write": write})))
    assert sorted([*broker.acknowledged, *(number for number, _ in broker.waiting)]) == list(range(50))


async def test_a_pipe_that_leaves_the_sink_open_waits_for_the_acknowledgements_too() -> None:
    broker = SlowBroker(10, 3)
    stream = Deliveries[int](broker)
    sink, written = numbers_written_by(is_coroutine=False)
    pipe = stream.pipe_to(acknowledging(sink), prevent_close=True)
    draining = asyncio.ensure_future(stream.drain())
    await until(lambda: written == [0, 1, 2])
    for _ in range(20):
        await asyncio.sleep(0)
    assert not pipe.done()
    broker.tell()
    await pipe
    await draining


@pytest.mark.parametrize("is_derived", [False, True])
async def test_what_is_acknowledged_meanwhile_is_limited(is_derived: bool) -> None:
    """By the limit of the source, and for parts by what acknowledging() takes at a time."""
    broker = SlowBroker(100, 1000)
    stream = Deliveries[int](broker)
    sink, written = numbers_written_by(is_coroutine=False)
    source = stream.map(lambda each: each.derive(each.value)[0]) if is_derived else stream
    limit = 65 if is_derived else 100
    pipe = source.pipe_to(acknowledging(sink))
    await until(lambda: len(written) >= limit)
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(written) == limit
    while len(written) < 1000 or broker.waiting_for_it:
        broker.tell()
        await asyncio.sleep(0)
    await stream.drain()
    await pipe
    assert written == list(range(1000))
    assert broker.most_open <= 100


async def test_what_is_no_delivery_ends_the_pipe() -> None:
    chunks: list[Any] = [logged(0)[0], "no delivery"]
    with pytest.raises(TypeError, match="takes deliveries, not str"):
        await ReadableStream.from_(chunks).pipe_to(acknowledging(WritableStream[Any]()))


async def test_a_delivery_that_is_settled_while_it_is_written_is_an_error() -> None:
    delivery: Delivery[str] = logged("a")[0]

    async def write_later(value: str, controller: object) -> None:
        await delivery.nack()

    with pytest.raises(RuntimeError, match="settled once"):
        await ReadableStream.from_([delivery]).pipe_to(acknowledging(WritableStream({"write": write_later})))


async def test_what_is_being_acknowledged_when_the_stream_ends_is_not_given_back_too() -> None:
    broker = SlowBroker(10, 4)
    stream = Deliveries[int](broker)
    reader = stream.get_reader()
    deliveries = [(await reader.read()).value for _ in range(3)]
    done: list[BaseException | None] = []
    assert deliveries[0] is not None
    deliveries[0]._acknowledge(done.append)
    cancelling = asyncio.ensure_future(reader.cancel())
    await until(lambda: len(broker.waiting) == 3)
    for _ in range(20):
        await asyncio.sleep(0)
    assert not cancelling.done()
    broker.tell()
    await cancelling
    assert done == [None]
    assert sorted(number for number, _ in broker.waiting) == [1, 2, 3]


async def test_a_stream_is_errored_when_nothing_of_it_is_under_way_any_more() -> None:
    order: list[str] = []

    class Broker(MemoryBroker):
        async def give_back(self, keys: list[int]) -> None:
            await asyncio.sleep(0.01)
            order.append("given back")

    broker = Broker(10, 2)
    reader = Deliveries[int](broker).get_reader()
    await reader.read()
    await reader.read()
    waiting = reader.read()
    broker.fail(ValueError("the consumer was deleted"))
    with pytest.raises(ValueError, match="was deleted"):
        await waiting
    assert order == ["given back"]


async def test_nothing_is_given_back_to_a_broker_that_is_lost() -> None:
    stream, broker = memory_stream(limit=10, count=3)
    reader = stream.get_reader()
    await reader.read()
    broker.fail(ConnectionResetError("lost"))
    with pytest.raises(ConnectionResetError):
        await reader.closed
    assert len(broker.waiting) == 0
