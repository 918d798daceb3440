"""What holds for each broker, on the real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.brokers.places import Place
from tests.brokers.places.rabbitmq import RabbitPlace
from tests.brokers.proxy import Proxy
from tests.brokers.servers import Kafka, RabbitMQ, Server
from tests.waiting import until
from webstreams import SKIP, WritableStream
from webstreams.brokers import Deliveries, Delivery, DeliveryLost, acknowledging, on_value, resilient

pytestmark = pytest.mark.timeout(300)


def numbers(bodies: Any) -> list[int]:
    return [int(body) for body in bodies]


async def read(reader: Any) -> Delivery[Any]:
    """Read one delivery; fail if none comes."""
    async with asyncio.timeout(60):
        result = await reader.read()
    assert not result.done
    delivery: Delivery[Any] = result.value
    return delivery


async def empty(place: Place) -> None:
    """Wait until the broker has nothing more: everything was settled."""
    async with asyncio.timeout(60):
        while await place.waiting() != (0, 0):
            await asyncio.sleep(0.05)


async def unsettled(place: Place, server: Server) -> int:
    """Ask the broker how many messages are not acknowledged."""
    if isinstance(place, RabbitPlace):
        assert isinstance(server, RabbitMQ)
        return (await asyncio.to_thread(server.unsettled, place.name))[0]
    return (await place.waiting())[0]


async def test_everything_is_written_and_acknowledged(place: Place) -> None:
    await place.make()
    await place.fill(500)
    written: list[bytes] = []
    sink: WritableStream[Any] = WritableStream({"write": lambda value, controller: written.append(place.body(value))})
    async with place.connect() as connection:
        stream = place.consume(connection, 50)
        pipe = stream.pipe_to(acknowledging(sink))
        await until(lambda: len(written) >= 500, 60)
        await stream.drain()
        await pipe
    assert sorted(numbers(written)) == list(range(500))
    await empty(place)


async def test_the_broker_keeps_what_the_sink_cannot_take(place: Place, server: Server) -> None:
    """Unsettled messages, asked from the broker, are never above the limit; the rest waits there, not here."""
    await place.make()
    await place.fill(400)
    gate = asyncio.Semaphore(0)
    written: list[bytes] = []
    most: list[int] = []

    async def write(value: Any, controller: object) -> None:
        await gate.acquire()
        written.append(place.body(value))

    async with place.connect() as connection:
        stream = place.consume(connection, 20)
        pipe = stream.pipe_to(acknowledging(WritableStream({"write": write})))
        await until(lambda: stream.unsettled == 20, 60)
        for step in range(1, 4):
            for _ in range(50):
                gate.release()
                await asyncio.sleep(0)
                most.append(stream.unsettled)
            wanted = 50 * step
            await until(lambda: len(written) >= wanted and stream.unsettled == 20, 60)  # noqa: B023
            asked = await unsettled(place, server)
            assert asked <= 20
            assert len(stream._source.unread) <= 20
            backlog = sum(await place.waiting())
            assert backlog >= 400 - 50 * step - 21
        assert max(most) <= 20
        for _ in range(400):
            gate.release()
        await until(lambda: len(written) >= 400, 60)
        await stream.drain()
        await pipe
    await empty(place)


async def test_what_nobody_settled_comes_again(place: Place) -> None:
    await place.make()
    await place.fill(20)
    async with place.connect() as connection:
        reader = place.consume(connection, 10).get_reader()
        deliveries = [await read(reader) for _ in range(5)]
        await deliveries[0].ack()
        with pytest.raises(RuntimeError, match="settled once"):
            await deliveries[0].ack()
        await reader.cancel()
        for delivery in deliveries[1:]:
            with pytest.raises(DeliveryLost):
                await delivery.ack()
        first = int(place.body(deliveries[0].value))
        stream = place.consume(connection, 20)
        reader = stream.get_reader()
        again = [await read(reader) for _ in range(19)]
        assert sorted(numbers(place.body(each.value) for each in again)) == sorted({*range(20)} - {first})
        for delivery in again:
            await delivery.ack()
        await stream.drain()
    await empty(place)


def own_tasks() -> list[str]:
    """The tasks of the streams, without those of the clients."""
    coroutines: list[Any] = [task.get_coro() for task in asyncio.all_tasks()]
    return [each.__qualname__ for each in coroutines if "webstreams/brokers" in each.cr_code.co_filename]


@pytest.mark.parametrize("end", ["drain", "cancel"])
async def test_a_stream_that_ends_before_it_is_open_leaves_no_consumer(place: Place, end: str) -> None:
    await place.make()
    await place.fill(3)
    async with place.connect() as connection:
        ended = place.consume(connection, 10)
        await getattr(ended, end)()
        assert (await ended.get_reader().read()).done
        assert own_tasks() == []
        stream = place.consume(connection, 10)
        reader = stream.get_reader()
        for _ in range(3):
            delivery = await read(reader)
            assert delivery.attempt == 1
            await delivery.ack()
        await stream.drain()
        assert own_tasks() == []
    await empty(place)


async def test_what_is_given_back_comes_again_with_its_attempt_counted(place: Place) -> None:
    await place.make()
    await place.fill(1)
    async with place.connect() as connection:
        reader = place.consume(connection, 10).get_reader()
        delivery = await read(reader)
        assert delivery.attempt == 1
        await delivery.nack()
        again = await read(reader)
        assert again.value == delivery.value
        assert again.attempt in (2, None)
        await again.ack()
        await reader.cancel()
    await empty(place)


async def test_a_pipeline_settles_every_delivery_and_none_too_early(place: Place) -> None:
    """A filter, a flat_map, several calls at a time and a batch of 7: the sink's log against the acknowledgements."""
    await place.make()
    await place.fill(140)
    written: list[list[int]] = []
    too_early: list[int] = []

    async def parse(value: Any) -> Any:
        number = int(place.body(value))
        await asyncio.sleep(0)
        return SKIP if number % 10 == 0 else number

    def twice(delivery: Delivery[int]) -> list[Delivery[int]]:
        return delivery.derive(delivery.value, -delivery.value)

    async def write(batch: list[int], controller: object) -> None:
        await asyncio.sleep(0)
        written.append(batch)

    async with place.connect() as connection:
        stream = place.consume(connection, 40)
        watch(stream, written, too_early, place)
        batches = stream.map(on_value(parse), concurrency=8).flat_map(twice).batched(7).map(Delivery.join)
        pipe = batches.pipe_to(acknowledging(WritableStream({"write": write})))
        await until(lambda: len(written) >= 126 * 2 // 7, 60)
        await stream.drain()
        await pipe
    expected = [number for number in range(140) if number % 10]
    assert sorted(abs(each) for batch in written for each in batch) == sorted(expected * 2)
    assert {len(batch) for batch in written} == {7}
    assert too_early == []
    await empty(place)


def watch(stream: Deliveries[Any], written: list[list[int]], too_early: list[int], place: Place) -> None:
    """Note each delivery that is acknowledged before its two numbers are written."""
    source = stream._source
    settle, acknowledge, open_entries = source.settle, source.acknowledge, source.ledger.open
    # The keys themselves are kept, too: some cannot be hashed, and an id is used again.
    values: dict[int, tuple[Any, int]] = {}

    def opened(messages: Any) -> Any:
        messages = list(messages)
        values.update({id(key): (key, int(place.body(value))) for key, value, _, _ in messages})
        return open_entries(messages)

    def check(key: Any, outcome: Any) -> None:
        number = values[id(key)][1]
        done = sum(abs(each) == number for batch in written for each in batch)
        if outcome == "ack" and done < (0 if number % 10 == 0 else 2):
            too_early.append(number)

    async def settled(key: Any, outcome: Any) -> None:
        check(key, outcome)
        await settle(key, outcome)

    def acknowledged(delivery: Any) -> None:
        check(delivery.key, "ack")
        acknowledge(delivery)

    source.ledger.open = opened  # type: ignore[method-assign]
    source.ledger._settle = settled
    source.ledger.tell = acknowledged


# Lost connections.


async def through_proxy(place: Place, server: Server, proxy: Proxy) -> Server | None:
    """Have the connections of `place` go through the proxy; Kafka tells its clients where to connect to."""
    if place.broker != "kafka":
        return None
    own = Kafka()
    own.advertised = proxy.port
    own.start()
    proxy.target = own.port
    place.url = f"127.0.0.1:{proxy.port}"
    return own


async def test_a_lost_connection_errors_the_stream(place: Place, server: Server) -> None:
    async with Proxy(server.port) as proxy:
        own = await through_proxy(place, server, proxy)
        try:
            await place.make()
            await place.fill(10)
            async with place.connect(proxy.port) as connection:
                reader = place.consume(connection, 10).get_reader()
                delivery = await read(reader)
                for _ in range(9):
                    await read(reader)
                waiting = reader.read()
                proxy.refuse()
                with pytest.raises(place.lost):
                    async with asyncio.timeout(place.seconds_to_notice):
                        await waiting
                with pytest.raises(DeliveryLost) as caught:
                    await delivery.ack()
                assert isinstance(caught.value.__cause__, place.lost)
        finally:
            if own is not None:
                own.end()


async def test_a_publisher_reports_exactly_what_was_not_confirmed(place: Place, server: Server) -> None:
    """The connection is cut with 64 messages under way, of which the broker has confirmed some."""
    async with Proxy(server.port) as proxy:
        own = await through_proxy(place, server, proxy)
        try:
            await place.make()
            async with place.connect(proxy.port) as connection:
                publisher = place.publish(connection, in_flight=64, timeout=5)
                writer = publisher.get_writer()
                for number in range(100):
                    await writer.write(f"{number}".encode())
                proxy.hold_answers()
                writes = {number: writer.write(f"{number}".encode()) for number in range(100, 164)}
                assert writer.desired_size == 0
                beyond = writer.write(b"164")
                await asyncio.sleep(0.1)
                proxy.refuse()
                async with asyncio.timeout(60):
                    results = await asyncio.gather(*writes.values(), return_exceptions=True)
                    with pytest.raises(Exception) as caught:
                        await writer.closed
                    with pytest.raises(Exception):
                        await beyond
            failed = [number for number, result in zip(writes, results, strict=True) if result is not None]
            assert numbers(publisher.unconfirmed) == failed == list(range(100, 164))
            assert isinstance(caught.value, (*place.lost, TimeoutError))
        finally:
            if own is not None:
                own.end()


async def test_closing_waits_for_every_confirmation(place: Place) -> None:
    await place.make()
    async with place.connect() as connection:
        publisher = place.publish(connection)
        writer = publisher.get_writer()
        writes = [writer.write(f"{number}".encode()) for number in range(200)]
        await writer.close()
        assert all(write.done() for write in writes)
        await asyncio.gather(*writes)
        assert publisher.unconfirmed == []
        reader = place.consume(connection, 200).get_reader()
        bodies = [place.body((await read(reader)).value) for _ in range(200)]
        assert sorted(numbers(bodies)) == list(range(200))
        await reader.cancel()


async def test_a_broker_that_is_stopped_and_started_in_the_middle(place: Place, stoppable: Server) -> None:
    place.hasten()
    await place.make()
    await place.fill(100)
    written: set[int] = set()
    gate = asyncio.Event()
    errors: list[BaseException] = []

    @asynccontextmanager
    async def open_stream() -> AsyncIterator[Deliveries[Any]]:
        async with place.connect() as connection:
            yield place.consume(connection, 10)

    def try_again(error: Exception) -> bool:
        errors.append(error)
        return True

    async def write(value: Any, controller: object) -> None:
        written.add(int(place.body(value)))
        if len(written) == 50:
            gate.set()
            await asyncio.sleep(0.05)

    stream = resilient(open_stream, backoff=lambda attempt: 0.2, retry=try_again)
    pipe = asyncio.ensure_future(stream.pipe_to(acknowledging(WritableStream({"write": write}))))
    await gate.wait()
    await asyncio.to_thread(stoppable.stop)
    await until(lambda: bool(errors), place.seconds_to_notice)
    await asyncio.to_thread(stoppable.start)
    if not place.remembers:
        place.filled = 0
        await place.make()
        await place.fill(100)
    await until(lambda: len(written) >= 100, 120)
    assert not pipe.done()
    await empty(place)
    await stream.drain()
    await pipe
