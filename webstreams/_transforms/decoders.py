"""What decompresses a format: zlib, Brotli and zstd behind one protocol, with several members or frames in a row."""

from __future__ import annotations

import zlib
from typing import Any, Final, Protocol

from .._platform.errors import DataError
from .demand_driven import PIECE
from .formats import INLINE, NO_BYTES, WINDOW_BITS, brotli, zstd

# What a member or frame is given at first: the libraries copy what is behind its end, and there may be thousands of
# tiny ones in a row (bytes).
_FIRST_PART: Final = 4096
# More input than the header of a deflate block has, which gives nothing: about 300 bytes at most (RFC 1951, 3.2.7).
_PLENTY: Final = 1024


class Decoder(Protocol):
    """A decompressor of a format."""

    has_more: bool
    """Whether to call it again with no data: not all of its input is used up, or not all of its output given."""
    has_plenty: bool
    """Whether so much of its input is left that the next call gives something, unless it is all empty blocks."""
    has_junk: bool
    """Whether there was something behind the end."""
    cure: str
    """What to do if there was."""

    def push(self, data: memoryview | bytes, limit: int) -> bytes:
        """Decompress; the result may be empty, and is not much longer than `limit` bytes."""
        ...

    def is_at_end(self) -> bool:
        """Whether the input may end here."""
        ...


class _Parts:
    """The input of a decoder, which is given to its library part by part."""

    __slots__ = ("_data", "_position", "_size", "cure", "has_junk", "has_more", "has_plenty")

    def __init__(self) -> None:
        self._data: memoryview | bytes = NO_BYTES
        self._position = 0
        self._size = _FIRST_PART
        self.has_more = False
        self.has_plenty = False
        self.has_junk = False
        self.cure = ""

    def _take(self, data: memoryview | bytes) -> None:
        if data:
            self._data = data
            self._position = 0

    def _next(self) -> memoryview | bytes:
        part = self._data[self._position : self._position + self._size]
        self._position += len(part)
        return part

    def _go_back(self, unused: bytes) -> None:
        """Say that the library did not use the last bytes: of this part, or of one that it has kept since."""
        self._position -= len(unused)
        if self._position < 0:
            self._data = unused
            self._position = 0

    def _has_rest(self) -> bool:
        """Whether there is input; lets go of it if there is none, for it may be a buffer of the user's."""
        if self._position < len(self._data):
            return True
        self._let_go()
        return False

    def _let_go(self) -> None:
        self._data = NO_BYTES
        self._position = 0

    def _refuse_rest(self) -> None:
        self.has_junk = True
        self.has_more = False
        self._let_go()


class ZlibDecoder(_Parts):
    """gzip, deflate and deflate-raw; of gzip one member, or all (RFC 1952, 2.2) with zero bytes between and behind."""

    __slots__ = ("_codec", "_concatenated", "_window_bits")

    def __init__(self, window_bits: int, concatenated: bool) -> None:
        super().__init__()
        self._window_bits = window_bits
        self._concatenated = concatenated
        self._codec = zlib.decompressobj(window_bits)
        if window_bits == WINDOW_BITS["gzip"] and not concatenated:
            self.cure = ": DecompressionStream(..., concatenated=True) reads all members, and zero bytes behind them"

    def push(self, data: memoryview | bytes, limit: int) -> bytes:
        self._take(data)
        if self._codec.eof and self._has_rest() and not self._begin_member():
            return b""
        codec = self._codec
        made = codec.decompress(self._next(), limit)
        self._go_back(codec.unused_data if codec.eof else codec.unconsumed_tail)
        self._size = PIECE
        has_rest = self._has_rest()
        if has_rest and codec.eof and not self._concatenated:
            self._refuse_rest()
        else:
            self.has_more = has_rest or (len(made) >= limit and not codec.eof)
        self.has_plenty = not codec.eof and len(self._data) - self._position >= _PLENTY
        return made

    def _begin_member(self) -> bool:
        """Return whether another member begins here. Zero bytes are skipped, a part of them at a time."""
        if not self._concatenated:
            self._refuse_rest()
            return False
        padding = bytes(self._data[self._position : self._position + _FIRST_PART])
        rest = len(padding.lstrip(b"\0"))
        self._position += len(padding) - rest
        if rest == 0:
            self.has_more = self._has_rest()
            return False
        if self._data[self._position] != 0x1F:
            self._refuse_rest()
            return False
        self._codec = zlib.decompressobj(self._window_bits)
        self._size = _FIRST_PART
        return True

    def is_at_end(self) -> bool:
        return self._codec.eof


class ZstdDecoder(_Parts):
    """One frame or several, as RFC 8878, 3.1, has it; none that wants a larger window than is allowed."""

    __slots__ = ("_codec", "_frames", "_head", "_max_window", "_options")

    def __init__(self, max_window: int) -> None:
        super().__init__()
        self._max_window = max_window
        lowest, highest = zstd.DecompressionParameter.window_log_max.bounds()
        log = min(max((max_window - 1).bit_length(), lowest), highest)
        self._options = {zstd.DecompressionParameter.window_log_max: log}
        # None between two frames; what is known of the next one until the size of its window is.
        self._codec: Any = None
        self._head = b""
        self._frames = 0

    def push(self, data: memoryview | bytes, limit: int) -> bytes:
        self._take(data)
        part: memoryview | bytes = b""
        if self._codec is None:
            if not self._begin_frame():
                return b""
            part, self._head = self._head + self._next(), b""
        elif self._codec.needs_input:
            part = self._next()
        codec = self._codec
        made: bytes = codec.decompress(part, limit)
        self._size = PIECE
        if codec.eof:
            self._go_back(codec.unused_data)
            self._codec = None
        self.has_more = self._has_rest() or not (codec.eof or (codec.needs_input and len(made) < limit))
        return made

    def _begin_frame(self) -> bool:
        """Return whether a frame begins here that is allowed to."""
        known = self._head + bytes(self._data[self._position : self._position + LONGEST_HEADER])
        if self._frames and not _may_begin_frame(known):
            self._refuse_rest()
            return False
        window = _window_size(known)
        if window is None:
            self._head = known
            self._let_go()
            self.has_more = False
            return False
        if window > self._max_window:
            raise DataError(
                f"the zstd data wants a window of {window} bytes of memory, more than max_window={self._max_window}: "
                f'make the stream with DecompressionStream("zstd", max_window={window}) if you trust the data'
            )
        self._codec = zstd.ZstdDecompressor(options=self._options)
        self._size = _FIRST_PART
        self._frames += 1
        return True

    def is_at_end(self) -> bool:
        return self._frames > 0 and self._codec is None and not self._head


# The header of a Zstandard frame (RFC 8878, 3.1.1.1): the magic number, a byte that describes the rest, perhaps the
# window, a dictionary, and the size of the content.
_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_SKIPPABLE: Final = b"\x2a\x4d\x18"
_SINGLE_SEGMENT: Final = 0x20
_DICTIONARY_SIZES: Final = (0, 1, 2, 4)
LONGEST_HEADER: Final = 18


def _may_begin_frame(start: bytes) -> bool:
    """Whether up to four bytes are the beginning of a Zstandard frame or of a skippable one (RFC 8878, 3.1)."""
    return _MAGIC.startswith(start[:4]) or (0x50 <= start[0] <= 0x5F and _SKIPPABLE.startswith(start[1:4]))


def _window_size(start: bytes) -> int | None:
    """Return how much memory a frame wants for what it refers back to; None if more of its header has to be known.

    0 for anything other than a Zstandard frame: a skippable one, or something that the library refuses.
    """
    if start[:4] != _MAGIC:
        return 0 if not _may_begin_frame(start) or len(start) >= 4 else None
    if len(start) < 6:
        return None
    descriptor = start[4]
    if not descriptor & _SINGLE_SEGMENT:
        base = 1 << (10 + (start[5] >> 3))
        return base + base // 8 * (start[5] & 7)
    begin = 5 + _DICTIONARY_SIZES[descriptor & 3]
    size = 1 << (descriptor >> 6)
    if len(start) < begin + size:
        return None
    content = int.from_bytes(start[begin : begin + size], "little")
    return content + 256 if size == 2 else content


class BrotliDecoder:
    """Brotli.

    Its decompressor cannot tell data behind the end from corrupt data, and gives nothing of the call in which it comes
    upon either. So short input is kept, to find out.
    """

    __slots__ = ("_codec", "_input", "_made", "cure", "has_junk", "has_more", "has_plenty")

    def __init__(self) -> None:
        self._codec = brotli.Decompressor()
        self.has_more = False
        self.has_plenty = False
        self.has_junk = False
        self.cure = ""
        # The whole input, as long as it is short; and how many bytes came out.
        self._input: bytearray | None = bytearray()
        self._made = 0

    def push(self, data: memoryview | bytes, limit: int) -> bytes:
        if self._codec.is_finished():
            self.has_junk = bool(data)
            self.has_more = False
            return b""
        if self._input is not None:
            self._input += data
            if len(self._input) > INLINE:
                self._input = None
        try:
            made: bytes = self._codec.process(data, output_buffer_limit=limit)
        except brotli.error:
            if self._input is None or self._made > PIECE:
                raise
            made = self._find_end(self._input)
        self._made += len(made)
        # Less than the limit is no sign that there is no more: only a call that gives nothing is.
        self.has_more = bool(made) and not self.has_junk and not self._codec.is_finished()
        return made

    def _find_end(self, data: bytearray) -> bytes:
        """Begin again, byte by byte, and give what comes out up to the end that was not given before."""
        codec = self._codec = brotli.Decompressor()
        made = bytearray()
        for position in range(len(data)):
            made += codec.process(data[position : position + 1])
            if codec.is_finished():
                self.has_junk = True
                break
        return bytes(made[self._made :])

    def is_at_end(self) -> bool:
        return bool(self._codec.is_finished())
