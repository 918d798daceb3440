"""Redis Streams."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError

from webstreams.brokers import Deliveries, Publisher, redis

from .place import GROUP, Place, with_port


class RedisPlace(Place):
    broker = "redis"
    lost = (OSError, RedisError)
    claim_idle = 60.0

    async def make(self) -> None:
        async with self.connect() as client:
            await client.xgroup_create(self.name, GROUP, id="0", mkstream=True)

    @asynccontextmanager
    async def connect(self, port: int | None = None) -> AsyncIterator[Any]:
        # By default the client tries for twenty seconds before it tells of a lost connection.
        retry = Retry(ExponentialBackoff(cap=0.2, base=0.05), retries=3)
        client = Redis.from_url(with_port(self.url, port), retry=retry)
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


PLACE: Final = RedisPlace
