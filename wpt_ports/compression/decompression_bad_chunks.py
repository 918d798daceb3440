"""Port of compression/decompression-bad-chunks.any.js."""

from __future__ import annotations

from typing import Any

from ..harness import Test, add_port, promise_rejects_js
from ..resources.compressed import COMPRESSED, FORMATS, decompressor
from .compression_bad_chunks import BAD_CHUNKS

INVALID: dict[str, Any] = {
    "invalid deflate bytes": b"\0" + COMPRESSED["deflate"][1:],
    "invalid gzip bytes": b"\0" + COMPRESSED["gzip"][1:],
}


class BadChunk:
    """A subtest: a bad chunk in one format. Some are found to be bad only when the stream is closed."""

    def __init__(self, format: str, chunk: Any) -> None:
        self.format = format
        self.chunk = chunk

    async def __call__(self, t: Test) -> None:
        stream = decompressor(self.format)
        reader = stream.readable.get_reader()
        writer = stream.writable.get_writer()
        writer.write(self.chunk).then(None, lambda _: None)
        reader.read().then(None, lambda _: None)
        await promise_rejects_js(t, TypeError, writer.close(), "writer.close() should reject")
        await promise_rejects_js(t, TypeError, writer.closed, "writer.closed should reject")
        await promise_rejects_js(t, TypeError, reader.read(), "reader.read() should reject")
        await promise_rejects_js(t, TypeError, reader.closed, "reader.closed should reject")


for format in FORMATS:
    for name, chunk in {**BAD_CHUNKS, **INVALID}.items():
        add_port(__name__, f"chunk of type {name} should error the stream for {format}", BadChunk(format, chunk))
