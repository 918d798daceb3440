"""Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from webstreams.brokers import Deliveries, Publisher, kafka

from .place import Place, with_port

# How long a member of the group may be silent (seconds); Tansu takes half of it for each change of the members.
SESSION_TIME: Final = 4.0


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
        async with self.consumer() as consumer:
            yield KafkaClients(consumer, None)

    @asynccontextmanager
    async def connect_publisher(self) -> AsyncIterator[Any]:
        """Without a consumer, which would be one more member of the group."""
        async with AIOKafkaProducer(bootstrap_servers=self.url) as producer:
            yield KafkaClients(None, producer)

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
            "session_timeout_ms": round(SESSION_TIME * 1000),
            "heartbeat_interval_ms": 300,
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

    def allowed(self, limit: int, ages: Sequence[float]) -> int:
        # Each one begins at the committed positions: what it has may be of another partition than what a dead one had.
        return limit * (self.partitions if ages else 1)


PLACE: Final = KafkaPlace
