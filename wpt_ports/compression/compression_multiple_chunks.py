"""Port of compression/compression-multiple-chunks.any.js."""

from __future__ import annotations

from ..harness import Test, add_port
from ..resources.compressed import FORMATS, compressed, independently_decompressed


class MultipleChunks:
    """A subtest: a number of chunks in one format."""

    def __init__(self, format: str, count: int) -> None:
        self.format = format
        self.count = count

    async def __call__(self, t: Test) -> None:
        data = await compressed([b"Hello"] * self.count, self.format)
        assert independently_decompressed(data, self.format) == b"Hello" * self.count, "value should match"


for format in FORMATS:
    for count in range(2, 17):
        add_port(__name__, f"compressing {count} chunks with {format} should work", MultipleChunks(format, count))
