"""Port of compression/decompression-uint8array-output.any.js."""

from __future__ import annotations

from ..harness import Test, add_port
from ..resources.compressed import COMPRESSED, FORMATS, decompressor


class Output:
    """A subtest: one format."""

    def __init__(self, format: str) -> None:
        self.format = format

    async def __call__(self, t: Test) -> None:
        stream = decompressor(self.format)
        reader = stream.readable.get_reader()
        writer = stream.writable.get_writer()
        write = writer.write(COMPRESSED[self.format])
        value, _ = await reader.read()
        assert type(value) is bytes, "type should match"
        await write


for format in FORMATS:
    add_port(__name__, f"decompressing {format} output should give Uint8Array chunks", Output(format))
# The title of before there were more formats, which goes on to count.
add_port(__name__, "decompressing deflated output should give Uint8Array chunks", Output("deflate"))
