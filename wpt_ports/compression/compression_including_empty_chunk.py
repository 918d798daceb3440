"""Port of compression/compression-including-empty-chunk.any.js."""

from __future__ import annotations

from ..harness import Test, add_port
from ..resources.compressed import FORMATS, compressed, independently_decompressed

CHUNK_LISTS = (["", "Hello", "Hello"], ["Hello", "", "Hello"], ["Hello", "Hello", ""])


class EmptyChunk:
    """A subtest: a list of chunks in one format."""

    def __init__(self, format: str, chunks: list[str]) -> None:
        self.format = format
        self.chunks = chunks

    async def __call__(self, t: Test) -> None:
        data = await compressed([chunk.encode() for chunk in self.chunks], self.format)
        assert independently_decompressed(data, self.format) == b"HelloHello", "value should match"


for format in FORMATS:
    for chunks in CHUNK_LISTS:
        title = f"the result of compressing [{','.join(chunks)}] with {format} should be 'HelloHello'"
        add_port(__name__, title, EmptyChunk(format, chunks))
