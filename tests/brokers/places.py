"""The same few things for each broker: a place for messages, a connection, a consuming and a publishing stream."""

from __future__ import annotations

import asyncio
import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import aio_pika
import nats
from aio_pika.exceptions import AMQPError
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig
from redis.asyncio import Redis
from redis.exceptions import RedisError

from webstreams.brokers import Deliveries, Publisher, kafka, rabbitmq, redis
from webstreams.brokers import nats as jetstream

GROUP: Final = "workers"


class Place(ABC):
    """A queue, topic, stream or key with a name that nobody else has."""

    broker = ""
    # How a lost connection is told.
    lost: tuple[type[Exception], ...] = (OSError,)
    # How long that may take (seconds), as the documentation of the module says, with a margin for a busy machine.
    seconds_to_notice = 20.0
    # Whether the server has its messages again after it was stopped.
    remembers = True

    def __init__(self, url: str, name: str | None = None) -> None:
        self.url = url
        self.name = name or f"test-{uuid.uuid4().hex[:12]}"
        self.filled = 0

    @abstractmethod
    async def make(self) -> None:
        """Make the place."""

    @abstractmethod
    def connect(self, port: int | None = None) -> AbstractAsyncContextManager[Any]:
        """Open what the streams need; perhaps by way of another port."""

    def connect_consumer(self) -> AbstractAsyncContextManager[Any]:
        """Open what a consuming stream needs."""
        return self.connect()

    def hasten(self) -> None:
        """Have the broker notice soon that a consumer was killed, if it would wait."""
        return

    @abstractmethod
    def consume(self, connection: Any, limit: int) -> Deliveries[Any]:
        """Make a consuming stream."""

    @abstractmethod
    def publish(self, connection: Any, **options: Any) -> Publisher[Any]:
        """Make a publishing stream."""

    @abstractmethod
    async def waiting(self) -> tuple[int, int]:
        """Ask the broker how many messages are delivered and not acknowledged, and how many were not delivered yet."""

    def body(self, value: Any) -> bytes:
        """Give the body of a value."""
        assert isinstance(value, bytes)
        return value

    async def fill(self, count: int) -> None:
        """Publish the numbers up to `count`."""
        async with self.connect() as connection:
            await self.fill_by(connection, range(count))

    async def fill_by(self, connection: Any, numbers: range) -> None:
        """Publish some numbers."""
        self.filled += len(numbers)
        async with self.publish(connection).get_writer() as writer:
            for number in numbers:
                await writer.ready
                writer.write(str(number).encode())._mark_handled()


def with_port(url: str, port: int | None) -> str:
    """Replace the port of a URL."""
    if port is None:
        return url
    before, _, rest = url.rpartition(":")
    return f"{before}:{port}{rest.lstrip('0123456789')}"


@dataclass
class RabbitChannels:
    """One connection, with a channel for each direction."""

    connection: Any
    consuming: Any
    publishing: Any


class RabbitPlace(Place):
    broker = "rabbitmq"
    lost = (OSError, AMQPError)

    async def make(self) -> None:
        async with self.connect() as channels:
            dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": self.name + "-dead"}
            await channels.consuming.declare_queue(self.name, durable=True, arguments=dead)
            await channels.consuming.declare_queue(self.name + "-dead", durable=True)

    @asynccontextmanager
    async def connect(self, port: int | None = None) -> AsyncIterator[Any]:
        connection = await aio_pika.connect(with_port(self.url, port))
        try:
            yield RabbitChannels(connection, await connection.channel(), await connection.channel())
        finally:
            await connection.close()

    def consume(self, connection: Any, limit: int) -> Deliveries[Any]:
        return rabbitmq.consume(connection.consuming, self.name, prefetch=limit)

    def publish(self, connection: Any, **options: Any) -> Publisher[Any]:
        return rabbitmq.publish(connection.publishing.default_exchange, routing_key=self.name, **options)

    async def waiting(self) -> tuple[int, int]:
        # The protocol tells only of those that are ready; the rest is in the tests that ask rabbitmqctl.
        async with self.connect() as channels:
            queue = await channels.consuming.declare_queue(self.name, passive=True)
            return 0, queue.declaration_result.message_count


class RedisPlace(Place):
    broker = "redis"
    lost = (OSError, RedisError)
    claim_idle = 60.0

    async def make(self) -> None:
        async with self.connect() as client:
            await client.xgroup_create(self.name, GROUP, id="0", mkstream=True)

    @asynccontextmanager
    async def connect(self, port: int | None = None) -> AsyncIterator[Any]:
        client = Redis.from_url(with_port(self.url, port))
        try:
            yield client
        finally:
            await client.aclose()

    def consume(self, connection: Any, limit: int, name: str = "one") -> Deliveries[Any]:
        return redis.consume(connection, self.name, GROUP, name, in_flight=limit, claim_idle=self.claim_idle)

    def publish(self, connection: Any, **options: Any) -> Publisher[Any]:
        return redis.publish(connection, self.name, **options)

    async def waiting(self) -> tuple[int, int]:
        async with self.connect() as client:
            (group,) = await client.xinfo_groups(self.name)
            return group["pending"], group["lag"] or 0

    def body(self, value: Any) -> bytes:
        body: bytes = value[b"data"]
        return body


class NatsPlace(Place):
    broker = "nats"
    lost = (OSError, NatsError)
    ack_wait = 30.0

    def hasten(self) -> None:
        self.ack_wait = 2.0

    async def make(self) -> None:
        async with self.connect() as js:
            await js.add_stream(name=self.name, subjects=[self.name])
            config = ConsumerConfig(durable_name=GROUP, ack_policy=AckPolicy.EXPLICIT, ack_wait=self.ack_wait)
            await js.add_consumer(self.name, config)

    @asynccontextmanager
    async def connect(self, port: int | None = None) -> AsyncIterator[Any]:
        async def be_quiet(error: Exception) -> None:
            """The client would log it."""

        url = with_port(self.url, port)
        client = await nats.connect(url, error_cb=be_quiet, connect_timeout=2, max_reconnect_attempts=1)
        try:
            yield client.jetstream()
        finally:
            with suppress(NatsError, OSError):
                await client.close()

    def consume(self, connection: Any, limit: int) -> Deliveries[Any]:
        return jetstream.consume(connection, self.name, GROUP, in_flight=limit)

    def publish(self, connection: Any, **options: Any) -> Publisher[Any]:
        return jetstream.publish(connection, self.name, **options)

    async def waiting(self) -> tuple[int, int]:
        async with self.connect() as js:
            info = await js.consumer_info(self.name, GROUP)
            return info.num_ack_pending, info.num_pending


@dataclass
class KafkaClients:
    """A consumer and a producer."""

    consumer: Any
    producer: Any


class KafkaPlace(Place):
    broker = "kafka"
    lost = (OSError, KafkaError)
    remembers = False
    partitions = 2

    @asynccontextmanager
    async def connect_consumer(self) -> AsyncIterator[Any]:
        async with self.consumer(session_timeout_ms=3000, heartbeat_interval_ms=500) as consumer:
            yield KafkaClients(consumer, None)

    async def make(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.url)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(self.name, self.partitions, 1)])
        finally:
            await admin.close()

    def consumer(self, **options: Any) -> Any:
        settings = {
            "bootstrap_servers": self.url,
            "group_id": self.name,
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
        }
        return AIOKafkaConsumer(self.name, **(settings | options))

    @asynccontextmanager
    async def connect(self, port: int | None = None) -> AsyncIterator[Any]:
        url = with_port(self.url, port)
        producer = AIOKafkaProducer(bootstrap_servers=url)
        consumer = self.consumer(bootstrap_servers=url)
        await producer.start()
        try:
            await consumer.start()
            yield KafkaClients(consumer, producer)
        finally:
            with suppress(TimeoutError):  # a producer waits for a broker that is away
                async with asyncio.timeout(2):
                    await producer.stop()
            # It may raise the cancellation of a task of its own.
            with suppress(TimeoutError, asyncio.CancelledError):
                async with asyncio.timeout(5):
                    await consumer.stop()

    def consume(self, connection: Any, limit: int) -> Deliveries[Any]:
        return kafka.consume(connection.consumer, in_flight=limit, commit_interval=0.2)

    def publish(self, connection: Any, **options: Any) -> Publisher[Any]:
        return kafka.produce(connection.producer, self.name, **options)

    async def waiting(self) -> tuple[int, int]:
        """Kafka knows positions only: what is not committed waits. (Tansu does not tell the ends of partitions.)"""
        asking = AIOKafkaConsumer(bootstrap_servers=self.url, group_id=self.name, enable_auto_commit=False)
        partitions = [TopicPartition(self.name, number) for number in range(self.partitions)]
        asking.assign(partitions)
        await asking.start()
        try:
            return 0, self.filled - sum([await asking.committed(each) or 0 for each in partitions])
        finally:
            await asking.stop()


PLACES: Final[dict[str, type[Place]]] = {each.broker: each for each in (RabbitPlace, KafkaPlace, NatsPlace, RedisPlace)}
