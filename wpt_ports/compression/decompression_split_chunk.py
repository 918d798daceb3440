"""Port of compression/decompression-split-chunk.any.js."""

from __future__ import annotations

from ..harness import Test, add_port
from ..resources.compressed import COMPRESSED, EXPECTED_OUTPUT, FORMATS, concatenated, decompressor


class SplitChunk:
    """A subtest: pieces of one size in one format."""

    def __init__(self, format: str, size: int) -> None:
        self.format = format
        self.size = size

    async def __call__(self, t: Test) -> None:
        stream = decompressor(self.format)
        writer = stream.writable.get_writer()
        data = COMPRESSED[self.format]
        for beginning in range(0, len(data), self.size):
            writer.write(data[beginning : beginning + self.size])
        writer.close()
        assert await concatenated(stream.readable) == EXPECTED_OUTPUT, "value should match"


for format in FORMATS:
    for size in range(1, 16):
        title = f"decompressing splitted chunk into pieces of size {size} should work in {format}"
        add_port(__name__, title, SplitChunk(format, size))
