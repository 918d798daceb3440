"""Port of compression/decompression-buffersource.any.js."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from functools import partial
from typing import Any

from ..harness import Test, add_port
from ..resources.compressed import decompressor

# The length of each is a multiple of eight bytes.
INPUT: dict[str, bytes] = {
    "deflate": bytes([120, 156, 75, 52, 48, 52, 50, 54, 49, 53, 3, 0, 8, 136, 1, 199]),
    "gzip": bytes([31, 139, 8, 0, 0, 0, 0, 0, 0, 3, 75, 52, 48, 52, 2, 0, 216, 252, 63, 136, 4, 0, 0, 0]),
    "deflate-raw": bytes.fromhex("000600f9ff4142434445460100" + "00ffff"),
    "brotli": bytes.fromhex("21080004666f6f03"),
}
OUTPUT = {"deflate": b"a0123456", "gzip": b"a012", "deflate-raw": b"ABCDEF", "brotli": b"foo"}


def clamped(data: bytes) -> memoryview:
    """Python's items are never clamped: the same bytes, writable."""
    return memoryview(bytearray(data))


TYPES: dict[str, Callable[[bytes], Any]] = {
    "ArrayBuffer": bytearray,
    "Int8Array": partial(array, "b"),
    "Uint8Array": bytes,
    "Uint8ClampedArray": clamped,
    "Int16Array": partial(array, "h"),
    "Uint16Array": partial(array, "H"),
    "Int32Array": partial(array, "i"),
    "Uint32Array": partial(array, "I"),
    "Float32Array": partial(array, "f"),
    "Float64Array": partial(array, "d"),
    "DataView": memoryview,
}


class BufferSource:
    """A subtest: one type of buffer in one format."""

    def __init__(self, format: str, make: Callable[[bytes], Any]) -> None:
        self.format = format
        self.make = make

    async def __call__(self, t: Test) -> None:
        stream = decompressor(self.format)
        reader = stream.readable.get_reader()
        writer = stream.writable.get_writer()
        writer.write(self.make(INPUT[self.format]))
        writer.close()
        assert (await reader.read()).value == OUTPUT[self.format], "value should match"


for format in INPUT:
    for name, make in TYPES.items():
        add_port(__name__, f"chunk of type {name} should work for {format}", BufferSource(format, make))
# As it was spelled once.
add_port(__name__, "chunk of type Uint8ClambedArray should work for gzip", BufferSource("gzip", clamped))
