"""Deliveries, and the streams that own them, without a broker."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.brokers.memory import Log, MemoryBroker, logged, memory_stream
from tests.grids import each_row
from tests.waiting import until
from webstreams import WritableStream
from webstreams.brokers import Deliveries, Delivery, DeliveryLost, acknowledging


async def test_a_delivery_is_settled_once() -> None:
    for first in (Delivery.ack, Delivery.nack):
        for second in (Delivery.ack, Delivery.nack):
            delivery, outcomes = logged("a")
            assert not delivery.settled
            await first(delivery)
            assert delivery.settled
            with pytest.raises(RuntimeError, match="settled once"):
                await second(delivery)
            with pytest.raises(RuntimeError, match="settled once"):
                delivery.derive(1)
            with pytest.raises(RuntimeError, match="settled once"):
                Delivery.join([delivery])
            assert len(outcomes) == 1


async def test_nack_gives_back_or_rejects() -> None:
    for arguments, outcome in (({}, "requeue"), ({"requeue": True}, "requeue"), ({"requeue": False}, "reject")):
        delivery, outcomes = logged("a")
        await delivery.nack(**arguments)
        assert outcomes == [outcome]


async def test_what_is_derived_is_acknowledged_together() -> None:
    delivery, outcomes = logged("a", attempt=2)
    parts = delivery.derive(1, 2, 3)
    assert [part.value for part in parts] == [1, 2, 3]
    assert {(part.metadata, part.attempt) for part in parts} == {("about a", 2)}
    for part in (parts[1], parts[0]):
        await part.ack()
        assert outcomes == []
    await parts[2].ack()
    assert outcomes == ["ack"]
    with pytest.raises(RuntimeError, match="taken apart already"):
        await delivery.ack()
    with pytest.raises(RuntimeError, match="acknowledged already"):
        await parts[0].ack()


@each_row(("requeue", "outcome"), [(True, "requeue"), (False, "reject")])
async def test_one_refused_part_refuses_all(requeue: bool, outcome: str) -> None:
    delivery, outcomes = logged("a")
    first, second, third = delivery.derive(1, 2, 3)
    await first.ack()
    await second.nack(requeue)
    assert outcomes == [outcome]
    await third.ack()  # too late to matter, but no mistake
    assert outcomes == [outcome]


async def test_a_delivery_of_which_nothing_is_derived_is_acknowledged() -> None:
    delivery, outcomes = logged("a")
    assert delivery.derive() == []
    for _ in range(5):
        await asyncio.sleep(0)
    assert outcomes == ["ack"]


async def test_joined_deliveries_are_settled_alike() -> None:
    for method, outcome in ((Delivery.ack, "ack"), (Delivery.nack, "requeue")):
        logs = [logged(number, attempt=number) for number in (1, 3, 2)]
        together = Delivery.join(each for each, _ in logs)
        assert together.value == [1, 3, 2]
        assert (together.metadata, together.attempt) == (["about 1", "about 3", "about 2"], 3)
        with pytest.raises(RuntimeError, match="joined with others already"):
            await logs[0][0].ack()
        await method(together)
        assert [outcomes for _, outcomes in logs] == [[outcome]] * 3


async def test_none_is_joined_if_one_cannot_be() -> None:
    (first, outcomes), (second, _) = logged(1), logged(2)
    await second.ack()
    with pytest.raises(RuntimeError, match="cannot be joined"):
        Delivery.join([first, second])
    await first.ack()
    assert outcomes == ["ack"]


async def test_a_delivery_that_is_given_twice_is_not_joined_and_keeps_its_duty() -> None:
    delivery, outcomes = logged(1)
    with pytest.raises(RuntimeError, match="a delivery twice"):
        Delivery.join([delivery, delivery])
    await delivery.ack()
    assert outcomes == ["ack"]


async def test_joining_nothing_gives_an_empty_batch() -> None:
    together = Delivery[Any].join([])
    assert (together.value, together.attempt) == ([], None)
    await together.ack()


async def test_joined_parts_of_derived_deliveries() -> None:
    (first, log_of_first), (second, log_of_second) = logged(1), logged(2)
    a, b = first.derive("a", "b")
    (c,) = second.derive("c")
    batch = Delivery.join([b, c])
    await batch.ack()
    assert (log_of_first, log_of_second) == ([], ["ack"])
    await a.ack()
    assert log_of_first == ["ack"]


async def test_all_joined_ones_are_settled_though_one_cannot_be() -> None:
    logs = [Log() for _ in range(3)]
    logs[1].error = ConnectionError("lost")
    together = Delivery.join([Delivery(number, log) for number, log in enumerate(logs)])
    with pytest.raises(ConnectionError, match="lost"):
        await together.ack()
    assert [log.outcomes for log in logs] == [["ack"], [], ["ack"]]


async def test_the_repr_tells_how_it_was_settled() -> None:
    delivery, _ = logged("a", attempt=3)
    assert repr(delivery) == "<Delivery unsettled attempt 3: 'a'>"
    await delivery.nack()
    assert repr(delivery) == "<Delivery given back attempt 3: 'a'>"


# The stream that owns them.


async def test_no_more_are_open_than_the_limit() -> None:
    stream, broker = memory_stream(limit=5, count=100)
    written: list[int] = []
    sink = WritableStream[int]({"write": lambda value, controller: written.append(value)})
    pipe = stream.pipe_to(acknowledging(sink))
    await until(lambda: len(broker.acknowledged) >= 100)
    assert written == broker.acknowledged == list(range(100))
    assert broker.most_open == 5
    await stream.drain()
    await pipe


async def test_what_nobody_settled_goes_back_when_the_stream_is_cancelled() -> None:
    stream, broker = memory_stream(limit=4, count=10)
    reader = stream.get_reader()
    first, second = [(await reader.read()).value for _ in range(2)]
    assert isinstance(first, Delivery) and isinstance(second, Delivery)
    await first.ack()
    await until(lambda: stream.unsettled >= 4)
    await reader.cancel("enough")
    assert broker.stopped == 1
    assert stream.unsettled == 0
    assert [number for number, _ in broker.waiting] == list(range(1, 10))
    assert dict(broker.waiting)[1] == 2
    with pytest.raises(DeliveryLost, match="the broker has the message back"):
        await second.ack()


async def test_what_a_transform_has_dropped_goes_back_too() -> None:
    """Deliveries in the queues of a pipeline whose sink fails are nowhere but in the account of their stream."""
    stream, broker = memory_stream(limit=8, count=8)
    error = OSError("the disk is full")

    def fail(value: int, controller: object) -> None:
        raise error

    with pytest.raises(OSError) as caught:
        await stream.pipe_to(acknowledging(WritableStream({"write": fail})))
    assert caught.value is error
    assert sorted(number for number, _ in broker.waiting) == list(range(8))
    assert broker.acknowledged == []


async def test_a_failed_acknowledgement_errors_the_stream() -> None:
    stream, broker = memory_stream(limit=4, count=4)
    error = ConnectionError("lost")
    broker.settling = lambda key, outcome: error
    reader = stream.get_reader()
    first, second = [(await reader.read()).value for _ in range(2)]
    assert isinstance(first, Delivery) and isinstance(second, Delivery)
    with pytest.raises(DeliveryLost) as caught:
        await first.ack()
    assert caught.value.__cause__ is error
    with pytest.raises(ConnectionError):
        await reader.read()
    (part,) = second.derive("a part")
    with pytest.raises(DeliveryLost) as caught:
        await part.ack()
    assert caught.value.__cause__ is error


async def test_a_part_is_told_that_the_stream_has_ended() -> None:
    stream, _ = memory_stream(limit=4, count=4)
    reader = stream.get_reader()
    delivery = (await reader.read()).value
    assert delivery is not None
    part, _ = delivery.derive(1, 2)
    await reader.cancel()
    with pytest.raises(DeliveryLost):
        await part.ack()


async def test_draining_lets_everything_run_through() -> None:
    stream, broker = memory_stream(limit=4, count=100)
    gate = asyncio.Event()
    written: list[int] = []

    async def write(value: int, controller: object) -> None:
        written.append(value)
        await gate.wait()

    pipe = stream.pipe_to(acknowledging(WritableStream({"write": write})))
    await until(lambda: bool(written))
    draining = asyncio.ensure_future(stream.drain())
    for _ in range(10):
        await asyncio.sleep(0)
    assert not draining.done()
    gate.set()
    await draining
    await pipe
    assert written == broker.acknowledged == list(range(4))
    assert [number for number, _ in broker.waiting] == list(range(4, 100))


async def test_a_stream_that_runs_empty_while_it_is_drained_closes_once() -> None:
    stream, broker = memory_stream(limit=2, count=2)
    gate = asyncio.Event()

    async def stop() -> None:
        await gate.wait()

    broker.stop = stop  # type: ignore[method-assign]
    reader = stream.get_reader()
    first = await reader.read()
    draining = asyncio.ensure_future(stream.drain())
    await asyncio.sleep(0)
    second = await reader.read()
    gate.set()
    assert (await reader.read()).done
    for result in (first, second):
        assert result.value is not None
        await result.value.ack()
    await draining
    assert broker.acknowledged == [0, 1]


async def test_a_connection_that_is_lost_while_it_is_drained_ends_the_stream() -> None:
    stream, broker = memory_stream(limit=2, count=2)

    async def stop() -> None:
        raise ConnectionError("lost")

    broker.stop = stop  # type: ignore[method-assign]
    reader = stream.get_reader()
    delivery = (await reader.read()).value
    assert delivery is not None
    await stream.drain()
    with pytest.raises(ConnectionError, match="lost"):
        await reader.read()
    with pytest.raises(DeliveryLost):
        await delivery.ack()


async def test_draining_gives_back_what_takes_too_long() -> None:
    stream, broker = memory_stream(limit=2, count=2)
    reader = stream.get_reader()
    delivery = (await reader.read()).value
    assert delivery is not None
    await stream.drain(0.01)
    assert [number for number, _ in broker.waiting] == [0, 1]
    with pytest.raises(DeliveryLost):
        await delivery.ack()


async def test_a_stream_that_cannot_begin_is_errored() -> None:
    broker = MemoryBroker(2, 2)
    error = ConnectionError("nobody is there")

    async def fail() -> None:
        raise error

    broker.open = fail  # type: ignore[method-assign]
    with pytest.raises(ConnectionError) as caught:
        await Deliveries(broker).get_reader().read()
    assert caught.value is error
