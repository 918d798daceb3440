"""Port of compression/compression-bad-chunks.any.js."""

from __future__ import annotations

from typing import Any

from ..harness import Test, add_port, promise_rejects_js
from ..resources.compressed import FORMATS, compressor

BAD_CHUNKS: dict[str, Any] = {
    "undefined": None,
    "null": None,
    "numeric": 3.14,
    "object, not BufferSource": {},
    "array": [65],
}


class BadChunk:
    """A subtest: a bad chunk in one format."""

    def __init__(self, format: str, chunk: Any) -> None:
        self.format = format
        self.chunk = chunk

    async def __call__(self, t: Test) -> None:
        stream = compressor(self.format)
        reader = stream.readable.get_reader()
        writer = stream.writable.get_writer()
        write = writer.write(self.chunk)
        read = reader.read()
        await promise_rejects_js(t, TypeError, write, "write should reject")
        await promise_rejects_js(t, TypeError, read, "read should reject")


for format in FORMATS:
    for name, chunk in BAD_CHUNKS.items():
        add_port(__name__, f"chunk of type {name} should error the stream for {format}", BadChunk(format, chunk))
