"""Port of compression/compression-with-detach.any.js."""

from __future__ import annotations

import random
import zlib

from webstreams import ReadableStream
from webstreams.compression import CompressionStream

from ..harness import Test, promise_test

INPUT_LENGTH = 500_000


async def concatenated_and_released(stream: ReadableStream[bytes], view: memoryview) -> bytes:
    """Read a stream to its end, and release `view` as soon as something comes."""
    parts = bytearray()
    async for chunk in stream:
        view.release()
        parts += chunk
    return bytes(parts)


@promise_test("data should be correctly compressed even if input is detached partway")
async def input_released(t: Test) -> None:
    data = random.Random(0).randbytes(INPUT_LENGTH)
    view = memoryview(bytearray(data))
    stream = CompressionStream("deflate")
    writer = stream.writable.get_writer()
    writer.write(view)
    writer.close()
    output = await concatenated_and_released(stream.readable, view)
    assert zlib.decompress(output) == data, "decompressing the output should return the input"
