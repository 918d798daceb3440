"""Port of compression/compression-stream.any.js."""

from __future__ import annotations

from ..harness import Test, add_port, assert_throws_js, test
from ..resources.compressed import FORMATS, LARGE_DATA_LEVELS, compressed, compressor, independently_decompressed
from ..resources.large_data import LARGE_DATA, SMALL_DATA

DATA = {"empty data": b"", "small amount data": SMALL_DATA, "large amount data": LARGE_DATA}
# The titles of before there were more formats, which go on to count.
EARLIER_NAMES = {"deflated": "deflate", "gzipped": "gzip"}


@test("CompressionStream constructor should throw on invalid format")
def invalid_format(t: Test) -> None:
    assert_throws_js(TypeError, lambda: compressor("nonvalid"), "non supported format should throw")


class RoundTrip:
    """A subtest: some data in one format."""

    def __init__(self, format: str, data: bytes) -> None:
        self.format = format
        self.data = data

    async def __call__(self, t: Test) -> None:
        level = LARGE_DATA_LEVELS.get(self.format) if self.data is LARGE_DATA else None
        data = await compressed([self.data], self.format, level)
        assert independently_decompressed(data, self.format) == self.data, "value should match"


for name, format in {**EARLIER_NAMES, **dict(zip(FORMATS, FORMATS, strict=True))}.items():
    for label, data in DATA.items():
        add_port(__name__, f"{name} {label} should be reinflated back to its origin", RoundTrip(format, data))
