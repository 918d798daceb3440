"""The readable ends of what has to learn when nobody has such an end any more."""

from __future__ import annotations

from typing import Any
from weakref import ref

from .._streams.door import close, enqueue, fail, has_queued, is_waited_for
from .._streams.readable.stream import ReadableStream


class Outlet:
    """The stream that somebody reads; kept alive only while a read waits, so that dropping it is noticed."""

    __slots__ = ("_kept", "_stream")

    def __init__(self, stream: ReadableStream[Any]) -> None:
        self._stream = ref(stream)
        self._kept: ReadableStream[Any] | None = None

    def keep(self) -> None:
        """Keep the stream, because a read waits: a pipe out of it may be all that goes on."""
        self._kept = self._stream()

    def keep_while_waited_for(self) -> None:
        """Keep the stream, if a read waits."""
        stream = self._stream()
        self._kept = stream if stream is not None and is_waited_for(stream) else None

    def enqueue(self, chunk: Any) -> None:
        """Enqueue a chunk, if the stream still exists."""
        stream, self._kept = self._stream(), None
        if stream is not None:
            enqueue(stream, chunk)

    def is_empty(self) -> bool:
        """Whether everything that was given has been read."""
        stream = self._stream()
        return stream is None or not has_queued(stream)

    def close(self) -> None:
        """Close the stream after what it was given."""
        stream, self._kept = self._stream(), None
        if stream is not None:
            close(stream)

    def error(self, error: object) -> None:
        """Error the stream."""
        stream, self._kept = self._stream(), None
        if stream is not None:
            fail(stream, error)
