"""Port of compression/decompression-with-detach.any.js."""

from __future__ import annotations

import zlib

from webstreams.compression import DecompressionStream

from ..harness import Test, promise_test
from .compression_with_detach import concatenated_and_released

OUTPUT_LENGTH = 1_000_000


@promise_test("data should be correctly decompressed even if input is detached partway")
async def input_released(t: Test) -> None:
    view = memoryview(bytearray(zlib.compress(bytes(OUTPUT_LENGTH))))
    stream = DecompressionStream("deflate")
    writer = stream.writable.get_writer()
    writer.write(view)
    writer.close()
    output = await concatenated_and_released(stream.readable, view)
    assert len(output) == OUTPUT_LENGTH, "output should be the right length"
