"""What the byte streams of HTTP share: an underlying source over something that gives bytes in chunks of any size."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final, Literal

from .._streams.readable.byte_controller import ReadableByteStreamController
from .._streams.readable.source import LaterSource

# What one read gets at most (bytes).
PIECE: Final = 64 * 1024


class ChunkSource(LaterSource):
    """An underlying byte source that asks for a chunk when the stream is pulled and nothing is left of the last one.

    What is cut off a chunk that is longer than `PIECE` waits here, not in the queue of the stream.
    """

    type: Literal["bytes"] = "bytes"

    def __init__(self) -> None:
        self._rest = memoryview(b"")
        self._reading: asyncio.Task[Any] | None = None

    async def next_chunk(self) -> bytes | bytearray | memoryview | None:
        """Return the next chunk, None at the end. It may be cancelled."""
        raise NotImplementedError

    async def release(self, *, early: bool) -> None:
        """Release the source of the chunks, at the end or `early`: when the stream is cancelled or has failed."""

    async def pull(self, controller: ReadableByteStreamController) -> None:
        """Enqueue one piece, or close the stream."""
        if not self._rest:
            chunk = await self._read()
            if chunk is None:
                controller.close()
                if controller.byob_request is not None:
                    controller.byob_request.respond(0)
                return
            if len(chunk) <= PIECE:
                controller.enqueue(chunk)
                return
            self._rest = memoryview(chunk)
        piece, self._rest = self._rest[:PIECE], self._rest[PIECE:]
        controller.enqueue(piece)

    async def cancel(self, reason: object) -> None:
        """End a read that is under way and release everything, whatever the reason is."""
        self._rest = memoryview(b"")
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
        await self.release(early=True)

    async def _read(self) -> bytes | bytearray | memoryview | None:
        self._reading = asyncio.current_task()
        try:
            chunk = await self.next_chunk()
            while chunk is not None and len(chunk) == 0:
                chunk = await self.next_chunk()
            if chunk is None:
                await self.release(early=False)
        except (Exception, asyncio.CancelledError):
            with suppress(Exception):  # the reader gets the first error
                await self.release(early=True)
            raise
        finally:
            self._reading = None
        return chunk
