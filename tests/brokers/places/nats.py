"""NATS JetStream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import nats
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig

from webstreams.brokers import Deliveries, Publisher
from webstreams.brokers import nats as jetstream

from .place import GROUP, Place, with_port


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

    def allowed(self, limit: int, ages: Sequence[float]) -> int:
        # What a dead one had is counted until it is delivered again: after that time, and when there is room for it.
        return limit * (1 + sum(age < 3 * self.ack_wait for age in ages))


PLACE: Final = NatsPlace
