"""Which records of a partition are finished. Kafka stores one number: everything before it is done."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from ._ledger import OwnedDelivery


class Offsets:
    """The records of one partition that were delivered, in their order, and the longest finished prefix of them."""

    def __init__(self, partition: Any, first: int) -> None:
        self.partition = partition
        # The record that comes next after all that are finished without a gap: what is committed.
        self.next = first
        self.committed = first
        # How many records were delivered and are not before the committed position.
        self.outstanding = 0
        self._passed = 0
        self._delivered: deque[OwnedDelivery] = deque()

    def deliver(self, deliveries: Iterable[OwnedDelivery]) -> None:
        """Records were delivered; offsets grow, but may have gaps."""
        before = len(self._delivered)
        self._delivered.extend(deliveries)
        self.outstanding += len(self._delivered) - before

    def deliver_again(self, delivery: OwnedDelivery) -> None:
        """A record that was given back is delivered once more, in the place that it had."""
        offset = delivery.metadata.offset
        for index, each in enumerate(self._delivered):
            if each.metadata.offset == offset:
                self._delivered[index] = delivery

    def prepare(self) -> tuple[int, int]:
        """Return the position to commit, and how many records it newly covers; `commit` takes both."""
        delivered = self._delivered
        # What was given back, or open when the stream ended, still belongs to its account: it is never passed.
        last = None
        while delivered and delivered[0].ledger is None:
            last = delivered.popleft()
            self._passed += 1
        if last is not None:
            self.next = last.metadata.offset + 1
        return self.next, self._passed

    def commit(self, position: int, passed: int) -> None:
        """The position was committed."""
        self.committed = position
        self._passed -= passed
        self.outstanding -= passed
