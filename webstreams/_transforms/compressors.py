"""The compressor of each format."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from .._platform.arguments import checked_integer
from .demand_driven import STEP, Codec
from .formats import DEFAULT_MAX_WINDOW, INLINE, WINDOW_BITS, Input, brotli, check_format, zstd

# For codecs that may take long over a few bytes: they gather a block, and compress it all at once.
NEVER_INLINE: Final = -1
# A call in a thread takes this much at most: who cancels waits for it (bytes).
LONGEST_CALL: Final = 1 << 20
# From this level on, zstd is too slow for the loop's thread.
SLOW_ZSTD_LEVEL: Final = 7
# From this level on, zstd would take a larger window than receivers allow by default, ours and browsers (RFC 9659).
ULTRA_ZSTD_LEVEL: Final = 20


class Compressor(Input):
    """Compresses. After each chunk it gives what is still inside, if `flush_chunk` is not None."""

    __slots__ = ("_compress", "_finish", "_flush_chunk", "_inline")

    def __init__(
        self,
        compress: Callable[[memoryview], bytes],
        finish: Callable[[], bytes],
        flush_chunk: Callable[[], bytes] | None,
        inline: int = INLINE,
    ) -> None:
        super().__init__()
        self._compress = compress
        self._finish = finish
        self._flush_chunk = flush_chunk
        self._inline = inline

    def is_quick(self) -> bool:
        """Whether there is little to compress."""
        return len(self._rest) <= self._inline

    def step(self) -> bytes:
        """Compress a part of the chunk, as long as the result is short."""
        made: list[bytes] = []
        size = taken = 0
        while self._rest and size < STEP and taken < LONGEST_CALL:
            taken += STEP
            made.append(self._compress(self._next_part(STEP)))
            size += len(made[-1])
        self.used_up = not self._rest
        if self.used_up and self._flush_chunk is not None:
            made.append(self._flush_chunk())
        return made[0] if len(made) == 1 else b"".join(made)

    def finish(self) -> bytes:
        """Return what is still inside, and the trailer."""
        return self._finish()


def make_compressor(name: Any, level: Any, flush_chunks: bool) -> Codec:
    """Return a codec that compresses; raises `TypeError` for a format that is not supported here."""
    check_format(name)
    if name == "brotli":
        return _brotli_compressor(level, flush_chunks)
    if name == "zstd":
        return _zstd_compressor(level, flush_chunks)
    return _zlib_compressor(WINDOW_BITS[name], level, flush_chunks)


def _zlib_compressor(window_bits: int, level: Any, flush_chunks: bool) -> Compressor:
    level = checked_level(level, -1, 9)
    codec = zlib.compressobj(-1 if level is None else level, zlib.DEFLATED, window_bits)
    return Compressor(codec.compress, codec.flush, partial(codec.flush, zlib.Z_SYNC_FLUSH) if flush_chunks else None)


def _brotli_compressor(level: Any, flush_chunks: bool) -> Compressor:
    level = checked_level(level, 0, 11)
    codec = brotli.Compressor() if level is None else brotli.Compressor(quality=level)
    return Compressor(codec.process, codec.finish, codec.flush if flush_chunks else None, NEVER_INLINE)


def _zstd_compressor(level: Any, flush_chunks: bool) -> Compressor:
    level = checked_level(level, *zstd.CompressionParameter.compression_level.bounds())
    parameters = zstd.CompressionParameter
    options = {} if level is None else {parameters.compression_level: level}
    if (level or 0) >= ULTRA_ZSTD_LEVEL:
        options[parameters.window_log] = (DEFAULT_MAX_WINDOW - 1).bit_length()
    codec = zstd.ZstdCompressor(options=options)
    flush = partial(codec.flush, zstd.ZstdCompressor.FLUSH_BLOCK) if flush_chunks else None
    return Compressor(codec.compress, codec.flush, flush, NEVER_INLINE if (level or 0) >= SLOW_ZSTD_LEVEL else INLINE)


def checked_level(level: Any, lowest: int, highest: int) -> int | None:
    """Return a compression level; raises TypeError for a non-integer, ValueError for one out of range."""
    if level is None:
        return None
    number = checked_integer(level, "level")
    if not lowest <= number <= highest:
        raise ValueError(f"level must be from {lowest} to {highest} in this format, not {number}")
    return number
