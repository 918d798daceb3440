"""Port of compression/decompression-empty-input.any.js."""

from __future__ import annotations

from ..harness import Test, add_port
from ..resources.compressed import decompressor

NOTHING = {
    "gzip": bytes([31, 139, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    "deflate": bytes([120, 156, 3, 0, 0, 0, 0, 1]),
    "deflate-raw": bytes([1, 0, 0, 255, 255]),
    "brotli": bytes([6]),
}


class EmptyInput:
    """A subtest: one format."""

    def __init__(self, format: str) -> None:
        self.format = format

    async def __call__(self, t: Test) -> None:
        stream = decompressor(self.format)
        reader = stream.readable.get_reader()
        writer = stream.writable.get_writer()
        write = writer.write(NOTHING[self.format])
        writer.close()
        value, done = await reader.read()
        assert done, "read() should set done"
        assert value is None, "value should be None"
        await write


for format in NOTHING:
    add_port(__name__, f"decompressing {format} empty input should work", EmptyInput(format))
