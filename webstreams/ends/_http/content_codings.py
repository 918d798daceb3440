"""Content codings of HTTP (RFC 9110, 8.4.1), undone in pieces and checked up to their end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final, Self

from ..._transforms.decompressors import make_decompressor
from ..._transforms.demand_driven import Codec
from ..._transforms.formats import MISSING

# The format of each coding.
_FORMATS: Final = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate", "br": "brotli", "zstd": "zstd"}
# A body with the coding "deflate" begins like this if it is what RFC 9110 says; many servers send "deflate-raw".
_ZLIB_METHOD: Final = 8
_ZLIB_HEADER: Final = 2


def formats_of(content_encoding: str) -> list[str] | None:
    """Return the formats of a Content-Encoding in their order; None if one of them cannot be undone here."""
    names = [name.strip().lower() for name in content_encoding.split(",")]
    formats = [_FORMATS.get(name, "") for name in names if name not in ("", "identity")]
    return None if any(not each or each in MISSING for each in formats) else formats


def decode(chunks: AsyncIterator[bytes], formats: list[str]) -> AsyncIterator[bytes]:
    """Undo codings, the last one first."""
    for each in reversed(formats):
        chunks = DecodedChunks(chunks, each)
    return chunks


class DecodedChunks:
    """The chunks of a body, decompressed; raises `DataError` for a body that is corrupt or incomplete.

    A body without a byte is complete: that of an answer to HEAD has a Content-Encoding, too.
    """

    def __init__(self, chunks: AsyncIterator[bytes], format: str) -> None:
        self._chunks = chunks
        self._format = format
        # None until so much has come that it is known how to decode it.
        self._codec: Codec | None = None
        self._head = b""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while True:
            codec = self._codec
            if codec is not None and codec.failure is not None:
                raise codec.failure
            if codec is None or codec.used_up:
                chunk = await anext(self._chunks, None)
                if chunk is None:
                    self._finish()
                    raise StopAsyncIteration
                self._take(chunk)
                continue
            step = codec.step
            made = step() if codec.is_quick() else await asyncio.get_running_loop().run_in_executor(None, step)
            if made:
                return made

    async def aclose(self) -> None:
        """Let go of everything."""
        self._codec = None
        inner: Any = self._chunks
        if hasattr(inner, "aclose"):
            await inner.aclose()

    def _take(self, chunk: bytes) -> None:
        if self._codec is None:
            self._head += chunk
            if len(self._head) < _ZLIB_HEADER:
                return
            chunk, self._head = self._head, b""
            self._codec = self._begin(chunk)
        self._codec.take(chunk)

    def _begin(self, start: bytes) -> Codec:
        name = self._format
        if name == "deflate" and not _is_zlib(start):
            name = "deflate-raw"
        return make_decompressor(name, concatenated=name == "gzip")

    def _finish(self) -> None:
        if self._codec is None and self._head:
            self._codec = self._begin(self._head)
        if self._codec is not None:
            self._codec.finish()


def _is_zlib(start: bytes) -> bool:
    """Whether data may begin with the header of RFC 1950."""
    first, second = (start + b"\0")[:_ZLIB_HEADER]
    return first & 0x0F == _ZLIB_METHOD and (first * 256 + second) % 31 == 0
