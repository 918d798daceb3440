"""Which records of a partition are finished. Kafka stores one number: everything before it is done."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any


class Offsets:
    """The records of one partition that were delivered, in their order, and the longest finished prefix of them."""

    def __init__(self, partition: Any, first: int) -> None:
        self.partition = partition
        # Another member has the partition: what is finished here counts for nobody.
        self.is_gone = False
        # The record that comes next after all that are finished without a gap: what is committed.
        self.next = first
        self.committed = first
        # How many records were delivered and are not before the committed position.
        self.outstanding = 0
        self._passed = 0
        self._delivered: deque[int] = deque()
        self._finished: set[int] = set()

    def deliver(self, offsets: Sequence[int]) -> None:
        """Records were delivered; offsets grow, but may have gaps."""
        self._delivered.extend(offsets)
        self.outstanding += len(offsets)

    def finish(self, offset: int) -> int:
        """A record is done with; return how many more are before the position now."""
        delivered, finished = self._delivered, self._finished
        if not delivered or delivered[0] != offset:
            finished.add(offset)
            return 0
        delivered.popleft()
        self.next = offset + 1
        count = 1
        if finished:
            count += self._pass_finished()
        self._passed += count
        return count

    def _pass_finished(self) -> int:
        """Go on past what was finished before its turn."""
        delivered, finished = self._delivered, self._finished
        count = 0
        while delivered and delivered[0] in finished:
            first = delivered.popleft()
            finished.remove(first)
            self.next = first + 1
            count += 1
        return count

    def prepare(self) -> tuple[int, int]:
        """Return the position to commit, and how many records it newly covers; `commit` takes both."""
        return self.next, self._passed

    def commit(self, position: int, passed: int) -> None:
        """The position was committed."""
        self.committed = position
        self._passed -= passed
        self.outstanding -= passed
