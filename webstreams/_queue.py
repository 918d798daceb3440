"""Section 8.1: queue-with-sizes, the queue of the default controllers."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

from ._idl import is_non_negative_number, to_number


class QueueWithSizes:
    """[[queue]] and [[queueTotalSize]].

    # Python: without a size algorithm every chunk counts 1, and no sizes are kept.
    """

    __slots__ = ("chunks", "sizes", "total")

    def __init__(self, sized: bool) -> None:
        self.chunks: deque[Any] = deque()
        self.sizes: deque[float] | None = deque() if sized else None
        self.total: float = 0

    def enqueue_close(self, sentinel: object) -> None:
        """EnqueueValueWithSize, for the close sentinel of a writable stream."""
        self.chunks.append(sentinel)
        if self.sizes is not None:
            self.sizes.append(0)

    def enqueue_value_with_size(self, value: Any, size: Any) -> None:
        """EnqueueValueWithSize; ValueError for a size that is no finite, non-negative number."""
        number = float(to_number(size))
        if not is_non_negative_number(number) or number == math.inf:
            raise ValueError(f"the size of a chunk must be a finite, non-negative number; size() returned {size!r}")
        if self.sizes is not None:
            self.sizes.append(number)
        self.chunks.append(value)
        self.total += number

    def dequeue_value(self) -> Any:
        """DequeueValue."""
        self.total -= 1 if self.sizes is None else self.sizes.popleft()
        self.total = max(self.total, 0)  # sizes are added and subtracted in floating point
        return self.chunks.popleft()

    def dequeue_close(self) -> None:
        """DequeueValue, for the close sentinel of a writable stream: of size 0, and the last in the queue."""
        self.chunks.popleft()
        if self.sizes is not None:
            self.sizes.popleft()

    def peek_queue_value(self) -> Any:
        """PeekQueueValue."""
        return self.chunks[0]

    def reset_queue(self) -> None:
        """ResetQueue."""
        self.chunks.clear()
        if self.sizes is not None:
            self.sizes.clear()
        self.total = 0

    def put_back(self, value: Any) -> None:
        """Take a chunk back in front that was dequeued for a read which was cancelled; its size was settled already."""
        self.chunks.appendleft(value)
        if self.sizes is None:
            self.total += 1
        else:
            self.sizes.appendleft(0)
