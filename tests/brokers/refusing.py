"""A broker that nobody can connect to."""

from __future__ import annotations

import asyncio

from webstreams import ReadableStream
from webstreams.brokers import ResilientStream, resilient


class Refusing:
    """Refuses the first connection; the next one would be tried in an hour."""

    def __init__(self) -> None:
        # Set in the pause before the next one.
        self.paused = asyncio.Event()

    def stream(self) -> ResilientStream[int]:
        """Return the stream that tries to connect."""
        return resilient(self._open, backoff=self._pause)

    async def _open(self) -> ReadableStream[int]:
        raise ConnectionRefusedError

    def _pause(self, attempt: int) -> float:
        self.paused.set()
        return 3600
