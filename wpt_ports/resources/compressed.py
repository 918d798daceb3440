"""Upstream ``compression/resources/``: formats, compressed bytes, and whole streams."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import brotli  # type: ignore[import-untyped]

from webstreams import ReadableStream
from webstreams.compression import CompressionStream, DecompressionStream

FORMATS = ("deflate", "deflate-raw", "gzip", "brotli")
# How hard large data is compressed, which the web leaves open: by the default, or quickly where that takes long.
LARGE_DATA_LEVELS = {"brotli": 5}

EXPECTED_OUTPUT = b"expected output"
COMPRESSED: dict[str, bytes] = {
    "deflate": bytes.fromhex("789c4bad28484d2e494d51c82f2d29282d010030ad0624"),
    "gzip": bytes.fromhex("1f8b08000000000000034bad28484d2e494d51c82f2d29282d0100b00139b30f000000"),
    "deflate-raw": bytes.fromhex("4bad28484d2e494d51c82f2d29282d0100"),
    "brotli": bytes.fromhex("2138000465787065637465" + "64206f757470757403"),
}


def independently_decompressed(data: bytes, format: str) -> bytes:
    """What pako does for upstream: decompress without the streams."""
    if format == "gzip":
        return gzip.decompress(data)
    if format == "brotli":
        return bytes(brotli.decompress(data))
    return zlib.decompress(data, -15 if format == "deflate-raw" else 15)


def compressor(format: str, level: int | None = None) -> CompressionStream:
    """Make a stream in a format of any name."""
    untyped: Any = format
    return CompressionStream(untyped, level=level)


def decompressor(format: str) -> DecompressionStream:
    """Make a stream in a format of any name."""
    untyped: Any = format
    return DecompressionStream(untyped)


async def concatenated(stream: ReadableStream[bytes]) -> bytes:
    """Read a stream to its end."""
    parts = bytearray()
    reader = stream.get_reader()
    while True:
        result = await reader.read()
        if result.done:
            return bytes(parts)
        parts += result.value


async def compressed(chunks: list[bytes], format: str, level: int | None = None) -> bytes:
    """Write all chunks and close without waiting, read everything, and then wait for the close."""
    stream = compressor(format, level)
    writer = stream.writable.get_writer()
    for chunk in chunks:
        writer.write(chunk)
    closed = writer.close()
    data = await concatenated(stream.readable)
    await closed
    return data
