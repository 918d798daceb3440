"""Port of compression/decompression-correct-input.any.js."""

from __future__ import annotations

from ..harness import Test, add_port
from ..resources.compressed import COMPRESSED, EXPECTED_OUTPUT, FORMATS, decompressor


class CorrectInput:
    """A subtest: one format."""

    def __init__(self, format: str) -> None:
        self.format = format

    async def __call__(self, t: Test) -> None:
        stream = decompressor(self.format)
        reader = stream.readable.get_reader()
        writer = stream.writable.get_writer()
        writer.write(COMPRESSED[self.format])
        assert (await reader.read()).value == EXPECTED_OUTPUT, "value should match"


for format in FORMATS:
    add_port(__name__, f"decompressing {format} input should work", CorrectInput(format))
# The title of before there were more formats, which goes on to count.
add_port(__name__, "decompressing deflated input should work", CorrectInput("deflate"))
