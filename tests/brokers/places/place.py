"""What there is for each broker."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from webstreams.brokers import Deliveries, Publisher

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

    def connect_publisher(self) -> AbstractAsyncContextManager[Any]:
        """Open what a publishing stream needs."""
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

    def allowed(self, limit: int, ages: Sequence[float]) -> int:
        """Give how much may be unsettled for the broker, when consumers were killed so many seconds ago."""
        return limit

    def body(self, value: Any) -> bytes:
        """Give the body of a value."""
        assert isinstance(value, bytes)
        return value

    async def fill(self, count: int) -> None:
        """Publish the numbers up to `count`."""
        async with self.connect_publisher() as connection:
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
