"""Port of compression/decompression-extra-input.any.js."""

from __future__ import annotations

from ..harness import Test, add_port, promise_rejects_js
from ..resources.compressed import COMPRESSED, EXPECTED_OUTPUT, FORMATS, decompressor


class ExtraInput:
    """A subtest: one format."""

    def __init__(self, format: str) -> None:
        self.format = format

    async def __call__(self, t: Test) -> None:
        stream = decompressor(self.format)
        reader = stream.readable.get_reader()
        writer = stream.writable.get_writer()
        writer.write(COMPRESSED[self.format] + b"\0").then(None, lambda _: None)
        assert (await reader.read()).value == EXPECTED_OUTPUT, "value should match"
        await promise_rejects_js(t, TypeError, reader.read(), "Extra input should eventually throw")


for format in FORMATS:
    title = f"decompressing {format} input with extra pad should still give the output"
    add_port(__name__, title, ExtraInput(format))
