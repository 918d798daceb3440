"""Data for the tests of compression, compressed by other means."""

from __future__ import annotations

import gzip
import random
import sys
import zlib
from collections.abc import Callable, Iterable
from typing import Any

import brotli  # type: ignore[import-untyped]
import pytest

from tests.grids import each_of
from webstreams import DataError, ReadableStream
from webstreams.compression import CompressionFormat, CompressionStream, DecompressionStream

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PIECE = 65536

# Each format by other means than ours.
COMPRESS: dict[CompressionFormat, Callable[[bytes], bytes]] = {
    "brotli": lambda data: bytes(brotli.compress(data, quality=4)),
    "deflate": zlib.compress,
    "deflate-raw": lambda data: zlib.compress(data, wbits=-15),
    "gzip": gzip.compress,
    "zstd": zstd.compress,
}
FORMATS = list(COMPRESS)
ALL_FORMATS = each_of(format=FORMATS)


def mixed_data(length: int) -> bytes:
    """Give data of which one half compresses well and the other does not."""
    half = length // 2
    return random.Random(length).randbytes(half) + bytes(length - half)


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


async def pieces(chunks: Iterable[Any], stream: CompressionStream | DecompressionStream) -> list[bytes]:
    """Send chunks through a stream; give what comes out of it."""
    return [piece async for piece in ReadableStream.from_(list(chunks)).pipe_through(stream)]


async def through(chunks: Iterable[Any], stream: CompressionStream | DecompressionStream) -> bytes:
    return b"".join(await pieces(chunks, stream))


async def failure(chunks: Iterable[Any], stream: DecompressionStream) -> tuple[bytes, DataError]:
    """Send what is wrong through a stream; give what comes out before its error, and that."""
    came = bytearray()
    with pytest.raises(DataError) as caught:
        async for piece in ReadableStream.from_(list(chunks)).pipe_through(stream):
            came += piece
    return bytes(came), caught.value
