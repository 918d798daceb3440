"""Section 8.1: queue-with-sizes, the queue of the default controllers."""

from __future__ import annotations

import math
from bisect import bisect
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar, Final

from .._platform.idl import NOTHING, is_non_negative_number, to_number
from .part import Part

_INFINITE: Final = math.inf


class PutBackChunks:
    """Remembers which chunks at the front of a queue were put back there, to keep them in the order of their delivery.

    A chunk is put back when the task that awaited its read was cancelled; several tasks may be, in any order.

    # Python: in the Standard a chunk enters a queue at the back only. One that is put back belongs in front of all that
    # were not delivered yet.
    """

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        # In the order of the queue: the serial number of each delivery, and the chunk.
        self._entries: list[tuple[int, Any]] = []

    def place(self, serial: int, chunk: Any, queue: deque[Any]) -> int:
        """Return the index in the queue at which a chunk belongs; forget those that were read meanwhile."""
        entries = self._entries
        while entries and not self._are_in_front_of(queue):
            del entries[0]
        index = bisect([each for each, _ in entries], serial)
        entries.insert(index, (serial, chunk))
        return index

    def are_in(self, queue: deque[Any]) -> bool:
        """Whether some have not been read again."""
        return any(each is chunk for _, chunk in self._entries for each in queue)

    def _are_in_front_of(self, queue: deque[Any]) -> bool:
        entries = self._entries
        return len(entries) <= len(queue) and all(queue[i] is chunk for i, (_, chunk) in enumerate(entries))


class QueueTotal(Part):
    """What both kinds of queues have: [[queueTotalSize]]."""

    __slots__ = ("total",)
    _constant: ClassVar[tuple[str, ...]] = ()

    # An int as long as all sizes are; compiled code needs no objects for it, and takes ints for floats (`as_shown`).
    total: float

    def chunk_count(self) -> int:
        """How many chunks are in the queue."""
        raise NotImplementedError

    def put_by_steps(self) -> None:
        """Have every chunk put by all steps from now on, also where nothing but this is done."""


class QueueWithSizes(QueueTotal):
    """[[queue]] and [[queueTotalSize]].

    # Python: without a size algorithm every chunk counts 1, and no sizes are kept.
    """

    __slots__ = ("_put_back", "brimful", "chunks", "plenty", "sizes")
    # While chunks pass, no chunk is put back, close() is not called and nobody begins to observe.
    _constant: ClassVar[tuple[str, ...]] = ("_put_back", "brimful", "plenty")
    _chunk_slots: ClassVar[tuple[str, ...]] = ("chunks",)

    brimful: float
    plenty: float

    def __init__(self, sized: bool, high_water_mark: float = _INFINITE) -> None:
        self.chunks: deque[Any] = deque()
        self.sizes: deque[float] | None = deque() if sized else None
        # From this total on, to take a chunk out is all that a read does: the queue stays full, so that nobody is asked
        # for more, and does not become empty, so that no stream closes.
        self.plenty = _INFINITE if sized else high_water_mark + 1 if high_water_mark > 1 else 2
        # From this total on, to put a chunk in is all that enqueue() does: no read waits, nobody is asked for more, a
        # transform has its backpressure already. Infinite from the call of close() on.
        self.brimful = _INFINITE if sized else max(high_water_mark, 1)
        self.total = NOTHING
        self._put_back: PutBackChunks | None = None

    def enqueue_close(self, sentinel: object) -> None:
        """EnqueueValueWithSize, for the close sentinel of a writable stream."""
        self.chunks.append(sentinel)
        if self.sizes is not None:
            self.sizes.append(0)

    def enqueue_value_with_size(self, value: Any, size: Any) -> None:
        """EnqueueValueWithSize; ValueError unless the size is a finite, non-negative number."""
        number = float(to_number(size))
        if not is_non_negative_number(number) or number == math.inf:
            raise ValueError(f"the size of a chunk must be a finite, non-negative number; size() returned {size!r}")
        if self.sizes is not None:
            self.sizes.append(number)
        self.chunks.append(value)
        self.total += number

    def dequeue_value(self) -> Any:
        """DequeueValue."""
        if self.sizes is None:
            self.total -= 1
        else:
            self.total = max(self.total - self.sizes.popleft(), 0)  # they are added and subtracted in floating point
        return self.chunks.popleft()

    def dequeue_close(self) -> None:
        """DequeueValue, for the close sentinel of a writable stream: of size 0, and the last in the queue."""
        self.chunks.popleft()
        if self.sizes is not None:
            self.sizes.popleft()

    def measure_again(self, size_of: Callable[[Any], float]) -> None:
        """Set the sizes anew, after chunks have been put into the queue without them."""
        self.sizes = deque([float(size_of(chunk)) for chunk in self.chunks])
        self.total = sum(self.sizes)

    def chunk_count(self) -> int:
        """How many chunks are in the queue."""
        return len(self.chunks)

    def count_again(self) -> None:
        """Set the total anew, after others have put chunks into a queue that keeps no sizes."""
        self.total = NOTHING + len(self.chunks)

    def reset_queue(self) -> None:
        """ResetQueue."""
        self.chunks.clear()
        if self.sizes is not None:
            self.sizes.clear()
        self.total = NOTHING

    def put_by_steps(self) -> None:
        """See `QueueTotal`."""
        self.brimful = _INFINITE

    def put_back(self, value: Any, serial: int) -> None:
        """Take a chunk back that was dequeued for a read which was cancelled; its size is not counted again."""
        self.put_by_steps()  # the queue is full now perhaps, and no enqueue() has seen it
        if self._put_back is None:
            self._put_back = PutBackChunks()
        index = self._put_back.place(serial, value, self.chunks)
        self.chunks.insert(index, value)
        if self.sizes is None:
            self.total += 1
        else:
            self.sizes.insert(index, 0)


def as_shown(number: float) -> int | float:
    """Return a total or what is left of a mark as users get it, in both builds: a whole number is an int."""
    if isinstance(number, int) or not number.is_integer():
        return number
    return int(number)
