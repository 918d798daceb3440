"""Deliveries that a pipe writes to acknowledging(): on the fast path, and with the same account as by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.brokers.memory import MemoryBroker, logged, memory_stream, until
from webstreams import ReadableStream, WritableStream
from webstreams.brokers import Deliveries, Delivery, OnFailure, Outcome, acknowledging
from webstreams.brokers._ledger import OwnedDelivery, Telling
from webstreams.brokers.delivery import Acknowledged


class QuickBroker(MemoryBroker):
    """Acknowledges at once, as Kafka does."""

    acknowledges_at_once = True

    def acknowledge_now(self, key: int) -> bool:
        self.acknowledged.append(key)
        asyncio.get_running_loop().call_soon(self._push)
        return True


class SlowBroker(MemoryBroker):
    """Acknowledges when it is told to."""

    def __init__(self, limit: int, count: int) -> None:
        super().__init__(limit, count)
        self.waiting_for_it: list[Acknowledged] = []

    def acknowledge(self, delivery: OwnedDelivery, done: Acknowledged) -> None:
        self.acknowledged.append(delivery.key)
        self.waiting_for_it.append(Telling(self.ledger, delivery, done))


def numbers_written_by(is_coroutine: bool) -> tuple[WritableStream[int], list[int]]:
    """Make a sink that waits for nothing."""
    written: list[int] = []

    async def write(value: int, controller: object) -> None:
        written.append(value)

    plain: Callable[[int, object], None] = lambda value, controller: written.append(value)  # noqa: E731
    return WritableStream({"write": write if is_coroutine else plain}), written


@pytest.mark.parametrize("is_coroutine", [False, True])
@pytest.mark.parametrize("kind", [MemoryBroker, QuickBroker])
async def test_everything_is_written_once_and_acknowledged_after_that(
    kind: type[MemoryBroker], is_coroutine: bool
) -> None:
    broker = kind(100, 1000)
    stream = Deliveries[int](broker)
    sink, written = numbers_written_by(is_coroutine)
    too_early: list[int] = []

    def acknowledge_now(key: int) -> bool:
        if key not in written[-200:]:
            too_early.append(key)
        return type(broker).acknowledge_now(broker, key)

    broker.ledger.tell_now = acknowledge_now
    pipe = stream.pipe_to(acknowledging(sink))
    await until(lambda: len(broker.acknowledged) >= 1000)
    await stream.drain()
    await pipe
    assert written == list(range(1000))
    assert sorted(broker.acknowledged) == written
    assert too_early == []
    assert broker.most_open <= 100


async def test_the_fast_path_is_taken() -> None:
    broker = QuickBroker(100, 3000)
    stream = Deliveries[int](broker)
    sink, _ = numbers_written_by(is_coroutine=False)
    pipe = stream.pipe_to(acknowledging(sink))
    await until(lambda: len(broker.acknowledged) >= 3000)
    await stream.drain()
    await pipe
    policy: Any = stream._jobs.policy
    # Most chunks, on a machine that has nothing else to do: the clock says when other tasks get their turns.
    assert policy is None or policy.periods > 300 or not is_on()


def is_on() -> bool:
    """Whether the fast path is on, without a check of each period."""
    from webstreams._fastpath.policy import FAST_PATHS

    return FAST_PATHS == "1"


@pytest.mark.parametrize("is_coroutine", [False, True])
@pytest.mark.parametrize(("on_failure", "outcome"), [("requeue", "requeue"), ("reject", "reject")])
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


@pytest.mark.parametrize("is_coroutine", [False, True])
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
    for done in broker.waiting_for_it:
        done(None)
    await pipe
    await draining


async def test_no_more_is_acknowledged_meanwhile_than_the_stream_takes_at_a_time() -> None:
    broker = SlowBroker(1000, 1000)
    stream = Deliveries[int](broker)
    sink, written = numbers_written_by(is_coroutine=False)
    pipe = stream.pipe_to(acknowledging(sink))
    await until(lambda: len(written) >= 65)
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(written) == 65
    while len(written) < 1000 or broker.waiting_for_it:
        waiting, broker.waiting_for_it = broker.waiting_for_it, []
        for done in waiting:
            done(None)
        await asyncio.sleep(0)
    await stream.drain()
    await pipe


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
    broker.waiting_for_it[0](None)
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
