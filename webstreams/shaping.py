"""Transforms that cut a stream in another way: into lines, into chunks of one size."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator
from typing import Any, Generic, SupportsIndex

from typing_extensions import Buffer, TypeVar

from ._debug.repr import show
from ._streams.readable.stream import ReadableStream
from ._streams.transform.controller import TransformStreamDefaultController
from ._streams.transform.stream import TransformStream
from ._streams.writable.stream import WritableStream
from ._text.decoders import as_bytes
from ._transforms.demand_driven import PulledPair
from .consumers import LimitExceeded, checked_limit

T = TypeVar("T", str, bytes)

_TEXT_END = re.compile(r"\r\n?|\n")
_BYTES_END = re.compile(rb"\r\n?|\n")


def lines(*, keep_ends: bool = False, limit: int | None = None) -> TransformStream[Any, Any]:
    r"""Cut a stream of `str` or of bytes-like chunks into lines, of the same type (`str` or `bytes`).

    A line ends with ``\n``, ``\r\n`` or ``\r``, as in Python's text files (and with nothing else: not with the form
    feed and the others that ``str.splitlines()`` knows). The ends are left out unless `keep_ends` is set. A ``\r`` at
    the end of a chunk waits for the next one, which may begin with its ``\n``. What is behind the last end is a line
    if there is anything.

    `limit` is the longest line, in characters or bytes, without its end: a longer one errors both sides with
    `LimitExceeded`, before it is complete. All lines of a chunk are in the queue when its write is done; so chunks of
    64 KiB keep memory flat. A chunk of another type, or text and bytes mixed, is a `TypeError`.

    Raises `TypeError` and `ValueError` for a limit that cannot be one; `RuntimeError` without a running event loop.

    >>> import asyncio
    >>> from webstreams import ReadableStream
    >>> from webstreams.shaping import lines
    >>> async def main():
    ...     pieces = ReadableStream.from_(["spam\neg", "gs\r", "\n\nham"])
    ...     return await pieces.pipe_through(lines()).list()
    >>> asyncio.run(main())
    ['spam', 'eggs', '', 'ham']
    """
    return TransformStream(_LineCutter(bool(keep_ends), checked_limit(limit)))


class _LineCutter:
    """The transformer of `lines`, for the type of the first chunk."""

    __slots__ = ("_keep_ends", "_limit", "_lines")

    def __init__(self, keep_ends: bool, limit: int | None) -> None:
        self._keep_ends = keep_ends
        self._limit = limit
        self._lines: _Lines[str] | _Lines[bytes] | None = None

    def transform(self, chunk: Any, controller: TransformStreamDefaultController[Any]) -> None:
        """Give the lines that end in a chunk."""
        data = chunk if isinstance(chunk, str) else as_bytes(chunk)
        cutter: Any = self._lines
        if cutter is None:
            kind: Any = _Lines("") if isinstance(data, str) else _Lines(b"")
            cutter = self._lines = kind
        if type(data[:0]) is not type(cutter.nothing):
            raise TypeError("the chunks of one stream of lines must all be str, or all be bytes-like")
        for line, end in cutter.cut(data):
            self._check(len(line), cutter)
            controller.enqueue(line + end if self._keep_ends else line)
        self._check(cutter.pending_size, cutter)

    def flush(self, controller: TransformStreamDefaultController[Any]) -> None:
        """Give the last line."""
        cutter: Any = self._lines
        if cutter is not None:
            for line, end in cutter.rest():
                controller.enqueue(line + end if self._keep_ends else line)

    def _check(self, size: int, cutter: _Lines[Any]) -> None:
        if self._limit is not None and size > self._limit:
            raise LimitExceeded("a line", self._limit, "characters" if isinstance(cutter.nothing, str) else "bytes")


class _Lines(Generic[T]):
    """Cuts text or bytes at the ends of lines, and keeps what has no end yet."""

    __slots__ = ("_line_feed", "_parts", "_pattern", "_return", "_waits", "nothing", "pending_size")

    def __init__(self, nothing: T) -> None:
        text = isinstance(nothing, str)
        self.nothing: T = nothing
        self.pending_size = 0
        self._pattern: Any = _TEXT_END if text else _BYTES_END
        self._line_feed: Any = "\n" if text else b"\n"
        self._return: Any = "\r" if text else b"\r"
        self._parts: list[T] = []
        # Whether a carriage return was the last thing that came.
        self._waits = False

    def cut(self, data: T) -> Iterator[tuple[T, T]]:
        """Give the lines that end in `data`, each with its end."""
        if not data:
            return
        start = 0
        if self._waits:
            self._waits = False
            start = 1 if data[:1] == self._line_feed else 0
            yield self._take_pending(), self._return + data[:start]
        for match in self._pattern.finditer(data, start):
            if match.end() == len(data) and match[0] == self._return:
                self._waits = True
                self._keep(data[start : match.start()])
                return
            line = data[start : match.start()]
            if self._parts:
                self._parts.append(line)
                line = self._take_pending()
            yield line, match[0]
            start = match.end()
        self._keep(data[start:])

    def rest(self) -> list[tuple[T, T]]:
        """Give the last line, if there is one."""
        if not self._waits and not self._parts:
            return []
        return [(self._take_pending(), self._return if self._waits else self.nothing)]

    def _keep(self, part: T) -> None:
        if part:
            self._parts.append(part)
            self.pending_size += len(part)

    def _take_pending(self) -> T:
        parts, self._parts, self.pending_size = self._parts, [], 0
        return self.nothing.join(parts)


def chunked(size: SupportsIndex) -> ChunkedStream:
    """Cut a byte stream anew: every chunk has `size` bytes, the last one may have fewer.

    Chunks can be any bytes-like objects; what comes out is `bytes`. A chunk is made when it is asked for, however much
    was written at once, and a write is done when its chunk has been used up. `bytes` are copied once (not at all if
    they have the right size); a chunk that is not `bytes` must not be changed until its write is done.
    A write of anything but bytes errors both sides with `TypeError`.

    Raises `TypeError` for a size that is no integer, `ValueError` for one below 1; `RuntimeError` without a running
    event loop.

    >>> import asyncio
    >>> from webstreams import ReadableStream
    >>> from webstreams.shaping import chunked
    >>> async def main():
    ...     return await ReadableStream.from_([b"spam", b"eggs!"]).pipe_through(chunked(4)).list()
    >>> asyncio.run(main())
    [b'spam', b'eggs', b'!']
    """
    try:
        number = operator.index(size)
    except TypeError:
        raise TypeError(f"size must be an integer, not {type(size).__name__}") from None
    if number < 1:
        raise ValueError(f"size must be at least 1, is {number}")
    return ChunkedStream(number)


class ChunkedStream:
    """What `chunked` gives: the two sides of a transform."""

    __slots__ = ("__weakref__", "_pair", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._pair = _UncutPair(_SizeCutter(size))

    @property
    def readable(self) -> ReadableStream[bytes]:
        """The side that the chunks of the one size come out of."""
        return self._pair.readable

    @property
    def writable(self) -> WritableStream[Buffer]:
        """The side that bytes are written to."""
        return self._pair.writable

    def __repr__(self) -> str:
        """Show the size and both sides."""
        return show(self, self._details())

    def _details(self) -> Iterator[str]:
        yield f"size {self._size}"
        yield f"from {self._pair.writable!r} to {self._pair.readable!r}"


class _UncutPair(PulledPair):
    """A pair that gives what a step makes as it is, however long."""

    __slots__ = ()

    def _accept(self, made: bytes) -> None:
        if made:
            self._pieces.append(made)
            self._give_piece()
        else:
            self._end_write_if_used_up()

    def _end(self, rest: bytes) -> None:
        self._drop_codec()
        if rest:
            self._readable_controller.enqueue(rest)
        self._readable_controller.close()


class _SizeCutter:
    """Makes chunks of one size."""

    __slots__ = ("__weakref__", "_chunk", "_pending", "_pending_size", "_position", "_size", "failure", "used_up")

    def __init__(self, size: int) -> None:
        self._size = size
        # The chunk, and where its next byte is.
        self._chunk: Any = b""
        self._position = 0
        # The beginning of a chunk that is not complete.
        self._pending: list[bytes] = []
        self._pending_size = 0
        self.used_up = True
        self.failure: Exception | None = None

    def take(self, chunk: Any) -> None:
        """Accept any object with the buffer protocol."""
        self._chunk = as_bytes(chunk)
        self._position = 0
        self.used_up = not self._chunk

    def is_quick(self) -> bool:
        """Say yes: a step copies one chunk."""
        return True

    def step(self) -> bytes:
        """Give the next chunk, or nothing if it is not complete."""
        wanted = self._size - self._pending_size
        part: bytes = self._chunk[self._position : self._position + wanted]
        self._position += len(part)
        self.used_up = self._position == len(self._chunk)
        if self.used_up:
            self._chunk = b""
        if len(part) < wanted:
            self._pending.append(part)
            self._pending_size += len(part)
            return b""
        if not self._pending:
            return part
        self._pending.append(part)
        return self.finish()

    def finish(self) -> bytes:
        """Give what is there."""
        made = b"".join(self._pending)
        self._pending.clear()
        self._pending_size = 0
        return made
