"""RabbitMQ."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aio_pika
from aio_pika.exceptions import AMQPError

from webstreams.brokers import Deliveries, Publisher, rabbitmq

from .place import Place, with_port


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


PLACE: Final = RabbitPlace
