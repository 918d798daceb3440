"""A broker in memory: what the parts without a broker are tested with. It does what it is told and writes it down."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from webstreams.brokers import Delivery, Outcome
from webstreams.brokers._ledger import OwnedDelivery
from webstreams.brokers._source import BrokerSource, Deliveries
from webstreams.brokers.delivery import call_back


class Log:
    """A settlement that writes down how it was settled."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.error: Exception | None = None

    def require_open(self) -> None:
        if self.error is not None:
            raise self.error

    async def settle(self, outcome: Outcome) -> None:
        self.require_open()
        self.outcomes.append(outcome)


def logged(value: Any, attempt: int | None = None) -> tuple[Delivery[Any], list[Outcome]]:
    """Make a delivery, and the list of how it is settled."""
    log = Log()
    return Delivery(value, log, metadata=f"about {value}", attempt=attempt), log.outcomes


class MemoryBroker(BrokerSource[int]):
    """Pushes the numbers 0, 1, 2 and so on, as many as may be open; what is given back comes again, first."""

    def __init__(self, limit: int, count: int) -> None:
        super().__init__(limit, "the broker in memory")
        self.waiting: deque[tuple[int, int]] = deque((number, 1) for number in range(count))
        self.acknowledged: list[int] = []
        self.rejected: list[int] = []
        self.most_open = 0
        self.stopped = 0
        self.settling: Callable[[int, Outcome], Exception | None] = lambda key, outcome: None
        self._attempts: dict[int, int] = {}

    async def open(self) -> None:
        self._push()

    def _push(self) -> None:
        while self.waiting and self.ledger.free and not self.is_over:
            number, attempt = self.waiting.popleft()
            self._attempts[number] = attempt
            self.deliver((number, number, None, attempt))
            self.most_open = max(self.most_open, len(self.ledger))

    async def settle(self, key: int, outcome: Outcome) -> None:
        error = self.settling(key, outcome)
        if error is not None:
            raise error
        await asyncio.sleep(0)
        if outcome == "reject":
            self.rejected.append(key)
        else:
            self.waiting.appendleft((key, self._attempts[key] + 1))
        asyncio.get_running_loop().call_soon(self._push)

    def acknowledge(self, delivery: OwnedDelivery) -> None:
        call_back(self._note(delivery.key), partial(self._told, delivery))

    async def _note(self, key: int) -> None:
        error = self.settling(key, "ack")
        if error is not None:
            raise error
        await asyncio.sleep(0)
        self.acknowledged.append(key)

    def _told(self, delivery: OwnedDelivery, error: BaseException | None) -> None:
        self.ledger.told([delivery], error)
        self._push()

    async def stop(self) -> None:
        self.stopped += 1

    async def give_back(self, keys: list[int]) -> None:
        self.waiting.extendleft((key, self._attempts[key] + 1) for key in reversed(keys))


def memory_stream(limit: int, count: int) -> tuple[Deliveries[int], MemoryBroker]:
    """Make a stream of numbers and the broker that it comes from."""
    broker = MemoryBroker(limit, count)
    return Deliveries(broker), broker
