"""The streams between operators that have become one chain: locked, and closed or errored when they would have been."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...holder import LockHolder
from ..controller import ReadableStreamDefaultController
from ..reader import ReadableStreamDefaultReader
from ..state import ReadableStreamState


class Between:
    """The locks of those of one chain, each with the number of steps before it."""

    __slots__ = ("_locks",)

    def __init__(self) -> None:
        self._locks: list[tuple[ReadableStreamDefaultReader[Any], int]] = []

    def __iter__(self) -> Iterator[tuple[ReadableStreamDefaultReader[Any], int]]:
        """Return the locks, each with the number of steps before it."""
        return iter(self._locks)

    def lock(self, stream: ReadableStreamState[Any], holder: LockHolder, consumer: object, index: int) -> None:
        """Add a stream: `index` steps are before it."""
        reader: ReadableStreamDefaultReader[Any] = ReadableStreamDefaultReader(stream)
        reader._holder = holder
        reader._consumer = consumer
        self._locks.append((reader, index))

    def disturb(self) -> None:
        """Note that the first chunk is asked for."""
        for reader, _ in self._locks:
            if reader._stream is not None:
                reader._stream._disturbed = True

    def close(self, index: int) -> None:
        """Close the streams that feed a step, as their cancellation would."""
        closed = [each for each in self._locks if each[1] <= index]
        self._locks = [each for each in self._locks if each[1] > index]
        for reader, _ in closed:
            _end_stream(reader, None, False)

    def end(self, error: object, index: int) -> None:
        """Close the other ones, or error them."""
        ended, self._locks = self._locks, []
        for reader, _ in ended:
            _end_stream(reader, error, index < 0)


def _end_stream(reader: ReadableStreamDefaultReader[Any], error: object, is_errored: bool) -> None:
    stream = reader._stream
    assert stream is not None
    controller = stream._controller
    assert isinstance(controller, ReadableStreamDefaultController)
    if is_errored:
        controller._error(error)
    else:
        controller._close()
    reader._release()
