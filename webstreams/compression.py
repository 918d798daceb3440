"""CompressionStream and DecompressionStream. Compression Standard, https://compression.spec.whatwg.org."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

from typing_extensions import Buffer

from ._debug.repr import show
from ._platform.staying import Staying
from ._streams.readable.stream import ReadableStream
from ._streams.writable.stream import WritableStream
from ._transforms.compressors import make_compressor
from ._transforms.decompressors import make_decompressor
from ._transforms.demand_driven import Codec, PulledPair
from ._transforms.formats import DEFAULT_MAX_WINDOW

__all__ = ["CompressionFormat", "CompressionStream", "DecompressionStream"]

CompressionFormat: TypeAlias = Literal["brotli", "deflate", "deflate-raw", "gzip", "zstd"]


class _GenericTransformStream(Staying):
    """The two sides of a transform. Streams Standard, 9.3.1."""

    __slots__ = ("__weakref__", "_format", "_pair")

    def __init__(self, format: CompressionFormat, codec: Codec) -> None:
        self._format = format
        self._pair = PulledPair(codec, type(self).__name__)

    @property
    def readable(self) -> ReadableStream[bytes]:
        """The side that the results come out of: `bytes`, of 64 KiB at most."""
        return self._pair.readable

    @property
    def writable(self) -> WritableStream[Buffer]:
        """The side that chunks are written to: any C-contiguous object with the buffer protocol."""
        return self._pair.writable

    def __repr__(self) -> str:
        """Show both sides."""
        return show(self, self._details())

    def _details(self) -> Iterator[str]:
        yield self._format
        yield f"from {self._pair.writable!r} to {self._pair.readable!r}"


class CompressionStream(_GenericTransformStream):
    """Compresses bytes. Compression Standard, section 4.

    `format` is "gzip", "deflate" (which is zlib's format), "deflate-raw", "brotli" or "zstd". The last two need an
    optional package: ``pip install "webstreams[brotli]"``, ``pip install "webstreams[zstd]"`` (none on Python 3.14).
    `level` is how hard it tries, in the numbers of the format (zlib 0 to 9, Brotli 0 to 11, zstd up to 22, with
    windows of 8 MiB at most, so that receivers take what it makes); by default the format's own default, which for
    Brotli is the slowest.

    A compressor keeps what it is given until it has a block; so what was written may come out much later. With
    `flush_chunks`, all of a chunk comes out when the chunk is used up, and a decompressor at the other end can give all
    of it: for events and messages that somebody waits for. That costs a few bytes for every chunk.

    The high-water marks are those of a transform stream: 1 chunk in `writable`, 0 in `readable`. Nothing is compressed
    unless somebody reads. More than 16 KiB at once are compressed in a thread, and a chunk that is not `bytes` must not
    be changed until its write is done. A write of anything but bytes errors both sides with `TypeError`.

    Raises `TypeError` for a format that does not exist or whose package is missing and for a level that is not an
    integer, `ValueError` for a level that the format does not have, `RuntimeError` without a running event loop.

    >>> import asyncio, gzip
    >>> from webstreams import ReadableStream
    >>> from webstreams.compression import CompressionStream
    >>> async def main() -> bytes:
    ...     source = ReadableStream.from_([b"hello ", b"world"])
    ...     return b"".join([chunk async for chunk in source.pipe_through(CompressionStream("gzip"))])
    >>> gzip.decompress(asyncio.run(main()))
    b'hello world'
    """

    __slots__ = ()

    def __init__(self, format: CompressionFormat, *, level: int | None = None, flush_chunks: bool = False) -> None:
        super().__init__(format, make_compressor(format, level, bool(flush_chunks)))


class DecompressionStream(_GenericTransformStream):
    """Decompresses bytes. Compression Standard, section 5.

    `format` is as for `CompressionStream`. What comes out is bounded: each read makes one piece of at most 64 KiB,
    however much is in a chunk, and while nobody reads nothing more is decompressed. A write is done when everything
    that its chunk holds has been read. A piece is decompressed in the event loop's thread, which takes it about a
    quarter of a millisecond: another thread would cost half as much again. A `worker` uses another core.

    Both sides are errored with `DataError`, which is a `TypeError`, when the data is corrupt (with the codec's own
    error as its `__cause__`), when it ends too early, and when trailing data follows its end; so "gzip" takes one
    member only, as the Standard says. With `concatenated` it takes all members, one after the other, as ``gzip -d``
    does; zero bytes between them and behind them are padding. "zstd", which the Standard does not have, takes any
    number of frames (RFC 8878).

    `max_window` bounds the memory that the sender of "zstd" data can make each stream hold (bytes): data that wants a
    larger window raises `DataError`. The default, 8 MiB, is what RFC 9659 lets HTTP use; ``zstd --long`` makes data
    that wants more. The other formats have windows of a fixed size: 32 KiB, Brotli 16 MiB at most.

    Raises `TypeError` for a format that does not exist or whose package is missing and for a `max_window` that is not
    an integer, `ValueError` for one below 1 and for `concatenated` with a format other than "gzip", `RuntimeError`
    without a running event loop.

    >>> import asyncio, gzip
    >>> from webstreams import ReadableStream
    >>> from webstreams.compression import DecompressionStream
    >>> async def main() -> bytes:
    ...     source = ReadableStream.from_([gzip.compress(b"hello")])
    ...     return b"".join([chunk async for chunk in source.pipe_through(DecompressionStream("gzip"))])
    >>> asyncio.run(main())
    b'hello'
    """

    __slots__ = ()

    def __init__(
        self, format: CompressionFormat, *, concatenated: bool = False, max_window: int = DEFAULT_MAX_WINDOW
    ) -> None:
        super().__init__(format, make_decompressor(format, bool(concatenated), max_window))
