"""The decompressor of all formats: it makes what is asked for, with the decoder of a format (`decoders`)."""

from __future__ import annotations

import zlib
from typing import Any, Final

from .._platform.arguments import checked_integer
from .._platform.errors import DataError
from .decoders import BrotliDecoder, Decoder, ZlibDecoder, ZstdDecoder
from .demand_driven import PIECE, Codec
from .formats import DEFAULT_MAX_WINDOW, WINDOW_BITS, Input, brotli, check_format, zstd

# So many members, frames or blocks are read in one step at most, however little they hold: each takes a few
# microseconds.
LONGEST_STEP: Final = 32


class Decompressor(Input):
    """Decompresses: a piece at a time, and one byte ahead to know whether the chunk is used up, where it may be."""

    __slots__ = ("_ahead", "_decoder", "_errors", "_format")

    def __init__(self, name: str, decoder: Decoder, errors: type[Exception]) -> None:
        super().__init__()
        self._format = name
        self._decoder = decoder
        self._errors = errors
        # Something that is known to come next.
        self._ahead = b""

    def is_quick(self) -> bool:
        """Return true: a piece takes about a quarter of a millisecond in every format.

        A thread takes half as much processor time again to make it, also for several pieces at once.
        """
        return True

    def step(self) -> bytes:
        """Decompress a piece."""
        made, self._ahead = self._ahead, b""
        made = self._fill(made, PIECE)
        if made and self.failure is None and self._decoder.has_plenty:
            self.used_up = False
            return made
        try:
            if self.failure is None:
                self._ahead = self._fill(b"", 1)
        except DataError as error:
            if not made:
                raise
            self.failure = error
        decoder = self._decoder
        if decoder.has_junk and not self._ahead:
            self.failure = DataError(f"trailing data after the end of the {self._format} data{decoder.cure}")
        self.used_up = not self._ahead and not decoder.has_more and not self._rest
        return made

    def _fill(self, made: bytes, size: int) -> bytes:
        """Go on until there is something and the decoder has no more, or `size` bytes are there."""
        decoder = self._decoder
        for _ in range(LONGEST_STEP):
            is_hungry = not decoder.has_more
            if len(made) >= size or decoder.has_junk or (is_hungry and (made or not self._rest)):
                break
            try:
                more = self._push(self._next_part(PIECE) if is_hungry else b"", size - len(made))
            except DataError as error:
                if not made:
                    raise
                self.failure = error  # what came before it is given first
                break
            made = made + more if made else more
        return made

    def _push(self, data: memoryview | bytes, limit: int) -> bytes:
        try:
            return self._decoder.push(data, limit)
        except self._errors as error:
            raise DataError(f"the {self._format} data is corrupt: {error}") from error

    def finish(self) -> bytes:
        """Check that the data is complete."""
        if not self._decoder.is_at_end():
            raise DataError(f"the {self._format} data is truncated: it ended in the middle")
        return b""


def make_decompressor(name: Any, concatenated: bool = False, max_window: Any = DEFAULT_MAX_WINDOW) -> Codec:
    """Return a codec that decompresses; raises `TypeError` for a format that is not supported here."""
    check_format(name)
    window = checked_integer(max_window, "max_window")
    if window < 1:
        raise ValueError(f"max_window must be at least 1 byte, not {window}")
    if concatenated and name not in ("gzip", "zstd"):
        raise ValueError(f'concatenated=True is for "gzip": a stream in the format "{name}" has one part only')
    if name == "brotli":
        return Decompressor(name, BrotliDecoder(), brotli.error)
    if name == "zstd":
        return Decompressor(name, ZstdDecoder(window), zstd.ZstdError)
    return Decompressor(name, ZlibDecoder(WINDOW_BITS[name], concatenated), zlib.error)
