"""Byte streams: reading chunks, and reading into the reader's own memory."""

from __future__ import annotations

from webstreams import ReadableByteStreamController, ReadableStream

from ..catalogue import Scenario, Work
from .parts import read_all

SIZE = 1024


class ByteSource:
    """Gives so many new chunks of 1 KiB, one for each pull."""

    type = "bytes"

    def __init__(self, chunks: int) -> None:
        self.chunks = chunks
        self.sent = 0

    def pull(self, controller: ReadableByteStreamController) -> None:
        """Return the next chunk."""
        if self.sent == self.chunks:
            controller.close()
        else:
            controller.enqueue(bytes(SIZE))
            self.sent += 1


class FillingSource(ByteSource):
    """Fills the memory that the reader gave."""

    def pull(self, controller: ReadableByteStreamController) -> None:
        """Fill all of the view."""
        request = controller.byob_request
        assert request is not None
        if self.sent == self.chunks:
            controller.close()
            request.respond(0)
        else:
            view = request.view
            assert view is not None
            view[0] = self.sent & 255
            request.respond(SIZE)
            self.sent += 1


def read_bytes(chunks: int) -> Work:
    """Read chunks that the source made."""
    return read_all(ReadableStream(ByteSource(chunks)).get_reader())


async def read_byob(chunks: int) -> int:
    """Read into one piece of memory that goes to the source and back."""
    reader = ReadableStream(FillingSource(chunks)).get_reader(mode="byob")
    arrived = 0
    result = await reader.read(memoryview(bytearray(SIZE)))
    while not result.done:
        arrived += 1
        result = await reader.read(result.value)
    return arrived


SCENARIOS: dict[str, Scenario] = {
    "read-bytes": read_bytes,
    "read-byob": read_byob,
}
