"""What only one of the brokers has: dead letters, claims, leases, rebalances."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiormq.exceptions import ConnectionClosed
from nats.aio.subscription import Subscription
from nats.errors import StaleConnectionError

from tests.brokers.places import GROUP, Place
from tests.brokers.places.kafka import KafkaClients, KafkaPlace
from tests.brokers.places.nats import NatsPlace
from tests.brokers.places.redis import RedisPlace
from tests.brokers.real.test_each_broker import read
from tests.brokers.servers import Server
from tests.waiting import until
from webstreams import Promise, WritableStream
from webstreams.brokers import Deliveries, _feeding, _source, acknowledging, kafka, nats, redis

pytestmark = pytest.mark.timeout(300)


@pytest.mark.brokers("rabbitmq")
async def test_rabbitmq_takes_what_is_rejected_to_the_dead_letters(place: Place) -> None:
    await place.make()
    await place.fill(1)
    async with place.connect() as channels:
        reader = place.consume(channels, 5).get_reader()
        await (await read(reader)).nack(requeue=False)
        dead = await channels.publishing.get_queue(place.name + "-dead")
        async with asyncio.timeout(30):
            while (message := await dead.get(fail=False, no_ack=True)) is None:
                await asyncio.sleep(0.02)
        assert message.body == b"0"
        await reader.cancel()


@pytest.mark.brokers("rabbitmq")
async def test_a_silent_rabbitmq_is_a_lost_connection(place: Place, stoppable: Server) -> None:
    """The client cancels what it does itself when it has missed three heartbeats, and tells that as its reason."""
    await place.make()
    await place.fill(1)
    place.url += "?heartbeat=1"
    async with place.connect() as channels:
        reader = place.consume(channels, 5).get_reader()
        await read(reader)
        waiting = reader.read()
        with stoppable.silent(), pytest.raises(ConnectionClosed):
            await asyncio.wait_for(waiting, 60)


async def ready(place: Place, count: int) -> None:
    """Wait until so many messages of a queue of RabbitMQ are there to be delivered."""
    async with asyncio.timeout(30):
        while (await place.waiting())[1] != count:
            await asyncio.sleep(0.02)


@pytest.mark.brokers("rabbitmq")
async def test_rabbitmq_is_told_of_nothing_more_than_was_acknowledged(place: Place) -> None:
    """Several messages are acknowledged with one command, which must not cover one that is open."""
    await place.make()
    await place.fill(20)
    async with place.connect() as channels:
        reader = place.consume(channels, 10).get_reader()
        deliveries = [await read(reader) for _ in range(10)]
        await deliveries[2].nack()
        acknowledging = [asyncio.ensure_future(each.ack()) for each in (*deliveries[:2], *deliveries[3:5])]
        await asyncio.gather(*acknowledging)
        late = [asyncio.ensure_future(each.ack()) for each in deliveries[6:]]
        await asyncio.sleep(0)
        await reader.cancel()
        await asyncio.gather(*late)
    await ready(place, 20 - 8)


@pytest.mark.brokers("rabbitmq")
async def test_two_streams_on_one_channel_of_rabbitmq_acknowledge_their_own(place: Place) -> None:
    await place.make()
    await place.fill(20)
    async with place.connect() as channels:
        readers = [place.consume(channels, 10).get_reader() for _ in range(2)]
        deliveries = [[await read(reader) for _ in range(5)] for reader in readers]
        for each in reversed(deliveries[1]):
            await each.ack()
        for reader in readers:
            await reader.cancel()
    await ready(place, 20 - 5)


@pytest.mark.brokers("redis")
async def test_redis_claims_what_a_dead_consumer_left(place: Place) -> None:
    assert isinstance(place, RedisPlace)
    place.claim_idle = 0.5
    await place.make()
    await place.fill(5)
    async with place.connect() as client:
        await client.xreadgroup(GROUP, "dead", {place.name: ">"}, count=3)
        reader = place.consume(client, 10, "alive").get_reader()
        deliveries = [await read(reader) for _ in range(5)]
        assert sorted(place.body(each.value) for each in deliveries) == [b"0", b"1", b"2", b"3", b"4"]
        assert sorted(each.attempt or 0 for each in deliveries) == [1, 1, 2, 2, 2]
        await reader.cancel()


@pytest.mark.brokers("redis")
async def test_redis_keeps_what_is_worked_on_from_being_claimed(place: Place) -> None:
    assert isinstance(place, RedisPlace)
    place.claim_idle = 0.6
    await place.make()
    await place.fill(1)
    async with place.connect() as client:
        working = place.consume(client, 10, "working").get_reader()
        delivery = await read(working)
        other = place.consume(client, 10, "other")
        waiting = other.get_reader().read()
        await asyncio.sleep(3 * place.claim_idle)
        assert not waiting.done()
        await delivery.ack()
        await working.cancel()
        await other._source.cancel(None)


@pytest.mark.brokers("redis")
@pytest.mark.parametrize("end", ["drain", "cancel"])
async def test_redis_acknowledges_what_was_to_go_with_a_read_that_was_given_up(place: Place, end: str) -> None:
    """As long as there are more entries, an acknowledgement goes with the next read."""
    await place.make()
    await place.fill(2000)
    written: list[bytes] = []
    sink: WritableStream[Any] = WritableStream({"write": lambda value, controller: written.append(place.body(value))})
    async with place.connect() as client:
        stream = place.consume(client, 20)
        pipe = stream.pipe_to(acknowledging(sink))
        await until(lambda: len(written) > 100)
        # Both while reads follow one another.
        await (stream.drain() if end == "drain" else stream._source.cancel(None))
        if end == "drain":
            await pipe
            assert await place.waiting() == (0, 2000 - len(written))
        else:
            assert len(written) - 20 <= 2000 - sum(await place.waiting()) <= len(written)
        assert 100 < len(written) < 2000


@pytest.mark.brokers("redis")
async def test_the_end_does_not_wait_for_a_read_of_redis_that_waits(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever it comes: just after the last entry, the read has not been sent yet, or was sent in this turn."""
    assert isinstance(place, RedisPlace)
    place.claim_idle = 3600.0
    monkeypatch.setattr(redis, "BLOCK_TIME", 3600.0)
    monkeypatch.setattr(_feeding, "LONGEST_FETCH", 3600.0)
    await place.make()
    for turns in range(8):
        await place.fill(10)
        written = asyncio.Semaphore(0)
        sink: WritableStream[Any] = WritableStream({"write": lambda value, controller, to=written: to.release()})
        async with place.connect() as client, asyncio.timeout(60):
            stream = place.consume(client, 8)
            pipe = stream.pipe_to(acknowledging(sink))
            for _ in range(10):
                await written.acquire()
            for _ in range(turns):
                await asyncio.sleep(0)
            await stream.drain(3600)
            await pipe
    assert await place.waiting() == (0, 0)


@pytest.mark.brokers("redis")
async def test_a_silent_redis_is_asked_nothing_more(
    place: Place, stoppable: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in the midst of a read that would have gone on, and with acknowledgements on their way."""
    assert isinstance(place, RedisPlace)
    place.claim_idle = 0.6
    monkeypatch.setattr(redis, "BLOCK_TIME", 3600.0)
    monkeypatch.setattr(redis, "COMMAND_TIME", 0.5)
    monkeypatch.setattr(_feeding, "LONGEST_FETCH", 3600.0)
    monkeypatch.setattr(_source, "PARTING_TIME", 3600.0)
    await place.make()
    await place.fill(2000)
    written = asyncio.Semaphore(0)
    sink: WritableStream[Any] = WritableStream({"write": lambda value, controller: written.release()})
    async with place.connect() as client:
        pipe = place.consume(client, 20).pipe_to(acknowledging(sink))
        for _ in range(100):
            await written.acquire()
        with stoppable.silent():
            async with asyncio.timeout(60):
                with pytest.raises(TimeoutError, match="has not answered"):
                    await asyncio.shield(pipe)
            assert pipe.done()


@pytest.mark.brokers("redis")
async def test_redis_writes_what_is_rejected_to_the_dead_letters(place: Place) -> None:
    await place.make()
    await place.fill(1)
    refused: list[Any] = []
    sink: WritableStream[Any] = WritableStream({"write": lambda value, controller: refused.append(value)})
    async with place.connect() as client:
        reader = redis.consume(client, place.name, GROUP, "one", dead_letter=sink).get_reader()
        await (await read(reader)).nack(requeue=False)
        assert refused == [{b"data": b"0"}]
        assert await place.waiting() == (0, 0)
        await reader.cancel()


@pytest.mark.brokers("nats")
async def test_nats_is_told_that_the_work_is_in_progress(place: Place) -> None:
    assert isinstance(place, NatsPlace)
    place.ack_wait = 0.6
    await place.make()
    await place.fill(1)
    async with place.connect() as js:
        reader = place.consume(js, 10).get_reader()
        delivery = await read(reader)
        again = reader.read()
        await asyncio.sleep(3 * place.ack_wait)
        assert not again.done()
        await delivery.ack()
        await reader.cancel()
        assert (await js.consumer_info(place.name, GROUP)).num_redelivered == 0


@pytest.mark.brokers("nats")
async def test_a_silent_nats_server_is_not_waited_for(
    place: Place, stoppable: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Draining a subscription waits for an answer, which does not come."""
    monkeypatch.setattr(nats, "HEARTBEAT", 0.2)
    monkeypatch.setattr(_source, "PARTING_TIME", 3600.0)
    monkeypatch.setattr(Subscription, "drain", lambda subscription: asyncio.sleep(3600))
    await place.make()
    await place.fill(1)
    async with place.connect() as js:
        reader = place.consume(js, 10).get_reader()
        await read(reader)
        waiting = reader.read()
        with stoppable.silent(), pytest.raises(StaleConnectionError):
            await asyncio.wait_for(waiting, 60)


@pytest.mark.brokers("kafka")
async def test_kafka_writes_what_is_rejected_to_the_dead_letters(place: Place) -> None:
    await place.make()
    await place.fill(1)
    refused: list[Any] = []
    sink: WritableStream[Any] = WritableStream({"write": lambda record, controller: refused.append(record.value)})
    async with place.connect() as clients:
        reader = kafka.consume(clients.consumer, commit_interval=0.1, dead_letter=sink).get_reader()
        await (await read(reader)).nack(requeue=False)
        assert refused == [b"0"]
        await reader.cancel()
    assert await place.waiting() == (0, 0)


@pytest.mark.brokers("kafka")
async def test_kafka_commits_no_further_than_the_finished_prefix(place: Place) -> None:
    assert isinstance(place, KafkaPlace)
    place.partitions = 1
    await place.make()
    await place.fill(10)
    async with place.connect() as clients:
        reader = place.consume(clients, 100).get_reader()
        deliveries = [await read(reader) for _ in range(10)]
        for index in (0, 1, 2, 4, 6, 9):
            await deliveries[index].ack()
        async with asyncio.timeout(30):
            while await place.waiting() != (0, 7):
                await asyncio.sleep(0.05)
        await reader.cancel()
        reader = place.consume(clients, 100).get_reader()
        again = [await read(reader) for _ in range(7)]
        assert [each.value for each in again] == [str(number).encode() for number in range(3, 10)]
        await reader.cancel()
    assert await place.waiting() == (0, 7)


@pytest.mark.brokers("kafka")
async def test_the_end_does_not_wait_for_a_poll_of_kafka(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after it, the client finds out when nobody polls any more."""
    monkeypatch.setattr(kafka, "POLL_TIME", 3600.0)
    monkeypatch.setattr(_feeding, "LONGEST_FETCH", 3600.0)
    await place.make()
    await place.fill(1)
    async with place.connect() as clients:
        stream = place.consume(clients, 100)
        await (await read(stream.get_reader())).ack()
        source: Any = stream._source
        await until(lambda: source._polls == 1)
        async with asyncio.timeout(60):
            await stream.drain(3600)
        assert clients.consumer._subscription.fetcher_idle_time > 0
    assert await place.waiting() == (0, 0)


@pytest.mark.brokers("kafka")
async def test_what_a_poll_of_kafka_brings_at_the_end_comes_again(place: Place) -> None:
    assert isinstance(place, KafkaPlace)
    place.partitions = 1
    await place.make()
    await place.fill(3)
    async with place.connect() as clients:
        source: Any = place.consume(clients, 100)._source
        source._drained = True
        partition = TopicPartition(place.name, 0)
        async with asyncio.timeout(30):
            while not await clients.consumer.position(partition):
                await source.fetch(1)
        await source.give_back([])
        assert await clients.consumer.position(partition) == 0


@pytest.mark.brokers("kafka")
async def test_a_second_kafka_member_joins_and_leaves_under_load(place: Place) -> None:
    """No gap; what comes twice is no more than what was under way at the rebalances."""
    assert isinstance(place, KafkaPlace)
    await place.make()
    limit = 20
    written: dict[str, list[int]] = {"first": [], "second": []}

    def pipe(name: str, consumer: Any) -> tuple[Deliveries[bytes], Promise[None]]:
        async def write(value: bytes, controller: object) -> None:
            await asyncio.sleep(0)
            written[name].append(int(value))

        stream = place.consume(KafkaClients(consumer, None), limit)
        return stream, stream.pipe_to(acknowledging(WritableStream({"write": write})))

    async def more(name: str, count: int) -> None:
        wanted = len(written[name]) + count
        await until(lambda: len(written[name]) >= wanted, 60)

    enough = asyncio.Event()
    async with place.connect_publisher() as publishing, place.consumer() as first:
        filling = asyncio.ensure_future(fill_until(enough, place, publishing))
        stream, done = pipe("first", first)
        await more("first", 100)
        async with place.consumer() as second:
            other, other_done = pipe("second", second)
            await more("second", 50)
            await more("first", 50)
            await other.drain()
            await other_done
        await until(lambda: len(first.assignment()) == place.partitions, 60)
        await more("first", 100)
        enough.set()
        total = await filling
        everything = written["first"], written["second"]
        await until(lambda: len(set().union(*everything)) >= total, 60)
        await stream.drain()
        await done
    assert set().union(*everything) == set(range(total))
    assert sum(map(len, everything)) - total <= 3 * limit


async def fill_until(enough: asyncio.Event, place: Place, connection: Any) -> int:
    """Publish, a few at a time, so that there is something to do all the while; return how many."""
    total = 0
    while not enough.is_set():
        await place.fill_by(connection, range(total, total + 50))
        total += 50
        await asyncio.sleep(0.05)
    return total
