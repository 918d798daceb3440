"""The formats of the Compression Standard, section 3, each as two codecs.

zlib is part of Python. Brotli and zstd are optional: the package Brotli, 1.2 or newer, whose decompressor can be told
when to stop; and `compression.zstd` of Python 3.14, or the package backports.zstd before that.
"""

from __future__ import annotations

import operator
import sys
import zlib
from collections.abc import Callable
from importlib import import_module
from operator import attrgetter
from typing import Any, Final, Protocol

from .._platform.buffer import as_bytes_view, open_view
from .demand_driven import PIECE, STEP, Codec

# Why the package of a format cannot be used.
MISSING: Final[dict[str, ImportError]] = {}


def _optional(name: str, module: str, needed: str) -> Any:
    """Import the module of a format; None if it is missing, or so old that it has not got what is needed."""
    try:
        found = import_module(module)
    except ImportError as error:
        MISSING[name] = error
        return None
    try:
        attrgetter(needed)(found)
    except AttributeError as error:
        MISSING[name] = ImportError(f"{module} {getattr(found, '__version__', '')} is too old: {error}", name=module)
        return None
    return found


brotli: Final = _optional("brotli", "brotli", "Decompressor.can_accept_more_data")
zstd: Final = _optional(
    "zstd", "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd", "ZstdDecompressor"
)

# Up to this many bytes are compressed or decompressed in the loop's thread (bytes).
INLINE: Final = 16384
# For codecs that may take long over a few bytes: they gather a block, and compress it all at once.
NEVER_INLINE: Final = -1
# A call in a thread takes this much at most: who cancels waits for it (bytes).
LONGEST_CALL: Final = 1 << 20
# From this level on, zstd is too slow for the loop's thread.
SLOW_ZSTD_LEVEL: Final = 7

_NO_BYTES: Final = memoryview(b"")


class _Input:
    """What compressors and decompressors have in common: the chunk."""

    __slots__ = ("__weakref__", "_rest", "failure", "used_up")

    def __init__(self) -> None:
        self._rest = _NO_BYTES
        self.used_up = True
        self.failure: Exception | None = None

    def take(self, chunk: Any) -> None:
        """Accept any object with the buffer protocol."""
        self._rest = as_bytes_view(open_view(chunk, "a chunk"), "a chunk") or _NO_BYTES
        self.used_up = not self._rest

    def _next_part(self, size: int) -> memoryview:
        part, self._rest = self._rest[:size], self._rest[size:]
        if not self._rest:
            self._rest = _NO_BYTES  # which keeps no buffer of the author's from being resized
        return part


# Compression.


class Compressor(_Input):
    """Compresses."""

    __slots__ = ("_compress", "_flush", "_inline")

    def __init__(
        self, compress: Callable[[memoryview], bytes], flush: Callable[[], bytes], inline: int = INLINE
    ) -> None:
        super().__init__()
        self._compress = compress
        self._flush = flush
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
        return made[0] if len(made) == 1 else b"".join(made)

    def finish(self) -> bytes:
        """Give what is still inside, and the trailer."""
        return self._flush()


def _zlib_compressor(window_bits: int, level: int | None) -> Compressor:
    level = checked_level(level, -1, 9)
    codec = zlib.compressobj(-1 if level is None else level, zlib.DEFLATED, window_bits)
    return Compressor(codec.compress, codec.flush)


def _brotli_compressor(level: int | None) -> Compressor:
    level = checked_level(level, 0, 11)
    codec = brotli.Compressor() if level is None else brotli.Compressor(quality=level)
    return Compressor(codec.process, codec.finish, NEVER_INLINE)


def _zstd_compressor(level: int | None) -> Compressor:
    lowest, highest = zstd.CompressionParameter.compression_level.bounds()
    level = checked_level(level, lowest, highest)
    codec = zstd.ZstdCompressor(level)
    return Compressor(codec.compress, codec.flush, NEVER_INLINE if (level or 0) >= SLOW_ZSTD_LEVEL else INLINE)


def checked_level(level: Any, lowest: int, highest: int) -> int | None:
    """Give a compression level; TypeError for what is no integer, ValueError for one that the format does not have."""
    if level is None:
        return None
    if isinstance(level, bool):
        raise TypeError("level must be an integer, not bool")
    try:
        number = operator.index(level)
    except TypeError:
        raise TypeError(f"level must be an integer, not {type(level).__name__}") from None
    if not lowest <= number <= highest:
        raise ValueError(f"level must be from {lowest} to {highest} in this format, not {number}")
    return number


# Decompression.


class Decoder(Protocol):
    """A decompressor of a format.

    When ``push()`` gives less than `limit` bytes, it has used up its input and has nothing more to give; otherwise it
    is to be called again with no data.
    """

    has_junk: bool
    """Whether there was something behind the end."""

    def push(self, data: memoryview | bytes, limit: int) -> bytes:
        """Decompress; the result is not much longer than `limit` bytes."""
        ...

    def is_at_end(self) -> bool:
        """Whether the input may end here."""
        ...


class Decompressor(_Input):
    """Decompresses: a few pieces at a time, and one byte ahead to know whether the chunk is used up."""

    __slots__ = ("_ahead", "_decoder", "_errors", "_format", "_has_more")

    def __init__(self, name: str, decoder: Decoder, errors: type[Exception]) -> None:
        super().__init__()
        self._format = name
        self._decoder = decoder
        self._errors = errors
        # Something that is known to come next, and whether the decoder holds more of it.
        self._ahead = b""
        self._has_more = False

    def is_quick(self) -> bool:
        """Whether there is little to decompress, and little comes out."""
        return len(self._rest) <= INLINE and not self._has_more

    def step(self) -> bytes:
        """Decompress some pieces."""
        made, self._ahead = self._ahead, b""
        made = self._fill(made, STEP)
        try:
            self._ahead = self._fill(b"", 1)
        except TypeError as error:
            if not made:
                raise
            self.failure = error
        if self._decoder.has_junk and not self._ahead:
            self.failure = TypeError(f"there is more data behind the end of the {self._format} data")
        self.used_up = not self._ahead and not self._has_more and not self._rest
        return made

    def _fill(self, made: bytes, size: int) -> bytes:
        """Go on until there is something and the decoder has no more, or `size` bytes are there."""
        decoder = self._decoder
        while (self._has_more or (self._rest and not made)) and len(made) < size and not decoder.has_junk:
            limit = size - len(made)
            try:
                more = decoder.push(b"" if self._has_more else self._next_part(PIECE), limit)
            except self._errors as error:
                raise TypeError(f"the {self._format} data is corrupt: {error}") from error
            self._has_more = len(more) >= limit
            made = made + more if made else more
        return made

    def finish(self) -> bytes:
        """Check that the data is complete."""
        if not self._decoder.is_at_end():
            raise TypeError(f"the {self._format} data is truncated: it ended in the middle")
        return b""


class _ZlibDecoder:
    """gzip, deflate and deflate-raw."""

    __slots__ = ("_codec", "has_junk")

    def __init__(self, window_bits: int) -> None:
        self._codec = zlib.decompressobj(window_bits)
        self.has_junk = False

    def push(self, data: memoryview | bytes, limit: int) -> bytes:
        codec = self._codec
        if codec.eof:
            self.has_junk = bool(data)
            return b""
        made = codec.decompress(codec.unconsumed_tail or data, limit)
        self.has_junk = bool(codec.unused_data)
        return made

    def is_at_end(self) -> bool:
        return self._codec.eof


class _ZstdDecoder:
    """One frame or several, as RFC 8878, 3.1, has it."""

    __slots__ = ("_codec", "_is_new", "has_junk")

    def __init__(self) -> None:
        self._codec = zstd.ZstdDecompressor()
        self.has_junk = False

    def push(self, data: memoryview | bytes, limit: int) -> bytes:
        made = b""
        while len(made) < limit:
            if self._codec.eof:
                data = self._codec.unused_data or data
                if not data:
                    break
                if not _may_begin_frame(bytes(data[:4])):
                    self.has_junk = True
                    break
                self._codec = zstd.ZstdDecompressor()
            made += self._codec.decompress(data, limit - len(made))
            data = b""
            if not self._codec.eof:
                break
        return made

    def is_at_end(self) -> bool:
        return self._codec.eof and not self._codec.unused_data


def _may_begin_frame(start: bytes) -> bool:
    """Whether up to four bytes are the beginning of a Zstandard frame or of a skippable one (RFC 8878, 3.1)."""
    skippable = 0x50 <= start[0] <= 0x5F and b"\x2a\x4d\x18".startswith(start[1:])
    return skippable or b"\x28\xb5\x2f\xfd".startswith(start)


class _BrotliDecoder:
    """Brotli.

    Its decompressor cannot tell data behind the end from corrupt data, and gives nothing of the call in which it comes
    upon either. So short input is kept, to find out.
    """

    __slots__ = ("_codec", "_input", "_made", "has_junk")

    def __init__(self) -> None:
        self._codec = brotli.Decompressor()
        self.has_junk = False
        # The whole input, as long as it is short; and how many bytes came out.
        self._input: bytearray | None = bytearray()
        self._made = 0

    def push(self, data: memoryview | bytes, limit: int) -> bytes:
        if self._codec.is_finished():
            self.has_junk = bool(data)
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


# The formats.

WINDOW_BITS: Final = {"deflate": zlib.MAX_WBITS, "deflate-raw": -zlib.MAX_WBITS, "gzip": 16 + zlib.MAX_WBITS}
FORMATS: Final = ("brotli", "deflate", "deflate-raw", "gzip", "zstd")
_PACKAGES: Final = {"brotli": "Brotli 1.2 or newer", "zstd": "backports.zstd"}


def make_compressor(name: Any, level: int | None) -> Codec:
    """Give a codec that compresses; `TypeError` for a format that is not supported here."""
    check_format(name)
    if name == "brotli":
        return _brotli_compressor(level)
    return _zstd_compressor(level) if name == "zstd" else _zlib_compressor(WINDOW_BITS[name], level)


def make_decompressor(name: Any) -> Codec:
    """Give a codec that decompresses; `TypeError` for a format that is not supported here."""
    check_format(name)
    if name == "brotli":
        return Decompressor(name, _BrotliDecoder(), brotli.error)
    if name == "zstd":
        return Decompressor(name, _ZstdDecoder(), zstd.ZstdError)
    return Decompressor(name, _ZlibDecoder(WINDOW_BITS[name]), zlib.error)


def check_format(name: Any) -> None:
    """Raise `TypeError` for a format that does not exist, or whose package is missing."""
    if not isinstance(name, str):
        raise TypeError(f"format must be a string, not {type(name).__name__}")
    if name not in FORMATS:
        raise TypeError(f"there is no compression format {name!r}; there are {', '.join(FORMATS)}")
    if name in MISSING:
        raise TypeError(
            f'the compression format "{name}" needs the package {_PACKAGES[name]}: pip install "webstreams[{name}]"'
        ) from MISSING[name]
