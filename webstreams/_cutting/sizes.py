"""Cuts bytes into chunks of one size."""

from __future__ import annotations

from typing import Any

from .._text.decoders import as_bytes


class SizeCutter:
    """Makes chunks of one size."""

    __slots__ = ("__weakref__", "_chunk", "_pending", "_pending_size", "_position", "_size", "failure", "used_up")

    def __init__(self, size: int) -> None:
        self._size = size
        # The chunk, and where its next byte is.
        self._chunk: Any = b""
        self._position = 0
        # The beginning of a chunk that is not complete.
        self._pending: list[bytes] = []
        self._pending_size = 0
        self.used_up = True
        self.failure: Exception | None = None

    def take(self, chunk: Any) -> None:
        """Accept any object with the buffer protocol."""
        self._chunk = as_bytes(chunk)
        self._position = 0
        self.used_up = not self._chunk

    def is_quick(self) -> bool:
        """Say yes: a step copies one chunk."""
        return True

    def step(self) -> bytes:
        """Return the next chunk, or nothing if it is not complete."""
        wanted = self._size - self._pending_size
        part: bytes = self._chunk[self._position : self._position + wanted]
        self._position += len(part)
        self.used_up = self._position == len(self._chunk)
        if self.used_up:
            self._chunk = b""
        if len(part) < wanted:
            self._pending.append(part)
            self._pending_size += len(part)
            return b""
        if not self._pending:
            return part
        self._pending.append(part)
        return self.finish()

    def finish(self) -> bytes:
        """Return the rest, which is shorter than a chunk."""
        made = b"".join(self._pending)
        self._pending.clear()
        self._pending_size = 0
        return made
