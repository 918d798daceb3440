"""Port of compression/compression-large-flush-output.any.js."""

from __future__ import annotations

import json

from ..harness import Test, add_port
from ..resources.compressed import FORMATS, compressor, concatenated, independently_decompressed

DATA = json.dumps(list(range(10_000)), separators=(",", ":")).encode()[:35_579]


class LargeFlush:
    """A subtest: one format."""

    def __init__(self, format: str) -> None:
        self.format = format

    async def __call__(self, t: Test) -> None:
        stream = compressor(self.format)
        writer = stream.writable.get_writer()
        writer.write(DATA)
        writer.close()
        data = await concatenated(stream.readable)
        assert independently_decompressed(data, self.format) == DATA, "value should match"


for format in FORMATS:
    add_port(__name__, f"{format} compression with large flush output", LargeFlush(format))
