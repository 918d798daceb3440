"""Sinks whose queues count bytes, as those of files and sockets do."""

from __future__ import annotations

from typing import Any, ClassVar

from .._engine.run import Measured
from .._streams.writable.controller import WritableStreamDefaultController
from .feeding import Feeding, chunks_of


class MeasuredSink:
    """A sink whose queue counts bytes.

    In a run and in simulations the sizes are 0: only small chunks pass, of which no more are in the queue than it has
    room for, so that nothing depends on their sizes.
    """

    __slots__ = ("_algorithm", "_controller", "_feeding", "limit")

    # There are never more chunks in the queue.
    MOST: ClassVar[int] = 4

    def __init__(self, controller: WritableStreamDefaultController, feeding: Feeding) -> None:
        self._controller = controller
        # What the chunks come from.
        self._feeding = feeding
        self._algorithm = controller._strategy_size_algorithm
        # What the size of a chunk has to be below (bytes): one more than the most fit.
        self.limit = controller._strategy_hwm / (self.MOST + 2)

    def can_begin(self) -> bool:
        """Whether what is in the queues is as in a run."""
        queue = self._controller._queue
        waits = [*queue.chunks, *chunks_of(self._feeding)]
        fits = Measured(None, self.limit, 0).fits
        return not self._controller._stream._backpressure and self.has_room() and all(map(fits, waits))

    def has_room(self) -> bool:
        """Whether there are few chunks in the queue."""
        return len(self._controller._queue.chunks) <= self.MOST

    def stop_counting(self) -> None:
        """Have the plain path give every chunk the size 0."""
        self._controller._strategy_size_algorithm = _no_size

    def count_again(self) -> None:
        """Have it count again."""
        self._controller._strategy_size_algorithm = self._algorithm

    def forget_sizes(self) -> None:
        """Give the chunks in the queue the size 0."""
        self._controller._queue.measure_again(_no_size)

    def measure(self) -> None:
        """Give the chunks in the queue their sizes."""
        assert self._algorithm is not None
        self._controller._queue.measure_again(self._algorithm)


def _no_size(_: Any) -> float:
    return 0
