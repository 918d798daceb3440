"""Port of compression/compression-output-length.any.js."""

from __future__ import annotations

from ..harness import Test, add_port
from ..resources.compressed import FORMATS, LARGE_DATA_LEVELS, compressed
from ..resources.large_data import LARGE_DATA

# The titles of before there were more formats, which go on to count.
EARLIER_NAMES = {"deflated": "deflate", "gzipped": "gzip"}


class OutputLength:
    """A subtest: one format."""

    def __init__(self, format: str) -> None:
        self.format = format

    async def __call__(self, t: Test) -> None:
        data = await compressed([LARGE_DATA], self.format, LARGE_DATA_LEVELS.get(self.format))
        assert len(data) < len(LARGE_DATA), "output should be smaller"


for name, format in {**EARLIER_NAMES, **dict(zip(FORMATS, FORMATS, strict=True))}.items():
    title = f"the length of {name} data should be shorter than that of the original data"
    add_port(__name__, title, OutputLength(format))
