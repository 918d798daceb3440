"""Transforms that cut a stream in another way: into lines, into chunks of one size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Generic, SupportsIndex

from typing_extensions import Buffer, TypeVar

from ._cutting.lines import line_cutter
from ._cutting.sizes import SizeCutter
from ._debug.repr import show
from ._platform.arguments import checked_size
from ._platform.idl import INTERNAL, refuse_constructor
from ._platform.staying import Staying
from ._streams.door import enqueue_all, is_piped_into_sink
from ._streams.readable.stream import ReadableStream
from ._streams.writable.stream import WritableStream
from ._transforms.demand_driven import PulledPair

if TYPE_CHECKING:
    from ._streams.readable.controller import ReadableStreamDefaultController

S = TypeVar("S", bound=str | bytes, default=Any)


def lines(*, keep_ends: bool = False, limit: int | None = None, newline: str | None = None) -> LineStream[S]:
    r"""Cut a stream of `str` or of bytes-like chunks into lines, of the same type (`str` or `bytes`).

    A line ends with ``\n``, ``\r\n`` or ``\r``, as in Python's text files (and with nothing else: not with the form
    feed and the others that ``str.splitlines()`` knows). `newline` is another text that ends lines, and the only one
    then: ``newline="\n"`` leaves a ``\r`` in the line, ``newline="\0"`` takes what ``find -print0`` writes. In a stream
    of bytes it is encoded as UTF-8. What is behind the last end is a line if there is anything.

    The ends are left out unless `keep_ends` is set. A line is given as soon as its end has come; only with `keep_ends`
    does a ``\r`` at the end of a chunk wait for the next one, which may begin with its ``\n``.

    Lines are made when they are asked for, some thousand short ones at once: up to 16 KiB of a chunk, or one longer
    line. A write is done when the last line of its chunk has been made. `limit` is the longest line, in characters or
    bytes, without its end: a longer one errors both sides with `LimitExceeded`, before it is complete and behind the
    lines that came before it. A chunk of another type, or text and bytes mixed, raises `TypeError`.

    Raises `TypeError` and `ValueError` for a limit or a newline that cannot be one; `RuntimeError` without a running
    event loop. Not in the Standard.

    >>> import asyncio
    >>> from webstreams import ReadableStream
    >>> from webstreams.shaping import lines
    >>> async def main():
    ...     pieces = ReadableStream.from_(["spam\neg", "gs\r", "\n\nham"])
    ...     return await pieces.pipe_through(lines()).list()
    >>> asyncio.run(main())
    ['spam', 'eggs', '', 'ham']
    """
    return LineStream(INTERNAL, line_cutter(keep_ends, limit, newline))


class LineStream(Staying, Generic[S]):
    """What `lines` gives: the two sides of a transform. The lines have the type of what is written: `str`, or `bytes`
    for all bytes-like chunks. Not in the Standard.

    >>> import asyncio
    >>> from webstreams import LineStream, ReadableStream, lines
    >>> async def cut(cutter: LineStream[str]) -> list[str]:
    ...     return await ReadableStream.from_(["spam\\neg", "gs\\n"]).pipe_through(cutter).list()
    >>> async def main() -> list[str]:
    ...     return await cut(lines())
    >>> asyncio.run(main())
    ['spam', 'eggs']
    """

    __slots__ = ("__weakref__", "_pair")

    def __init__(self, token: object = None, *setup: Any) -> None:
        if token is not INTERNAL:
            raise refuse_constructor("LineStream", "call lines()")
        self._pair = _LinePair(setup[0], "lines()")

    @property
    def readable(self) -> ReadableStream[S]:
        """The side that the lines come out of."""
        return self._pair.readable

    @property
    def writable(self) -> WritableStream[S]:
        """The side that text or bytes are written to."""
        return self._pair.writable

    def __repr__(self) -> str:
        """Show both sides."""
        return show(self, self._details())

    def _details(self) -> Iterator[str]:
        yield f"from {self._pair.writable!r} to {self._pair.readable!r}"


class _LinePair(PulledPair):
    """A pair whose steps make lists of chunks."""

    __slots__ = ()

    def _pull(self, controller: ReadableStreamDefaultController[Any]) -> None:
        pieces = self._pieces
        if len(pieces) > 1:
            controller.enqueue(pieces.popleft())
        else:
            super()._pull(controller)

    def _accept(self, made: Any) -> None:
        """Give all at once; but one for each read where the fast path can keep that rhythm."""
        if not made:
            self._end_write_if_used_up()
        elif is_piped_into_sink(self._readable_controller):
            self._pieces.extend(made)
            self._give_piece()
        else:
            self._wanted = False
            enqueue_all(self._readable_controller, made)
            self._end_write_if_used_up()

    def _end(self, rest: Any) -> None:
        self._drop_codec()
        for line in rest:
            self._readable_controller.enqueue(line)
        self._readable_controller.close()


def chunked(size: SupportsIndex) -> ChunkedStream:
    """Cut a byte stream anew: every chunk has `size` bytes, the last one may have fewer.

    Chunks can be any bytes-like objects; what comes out is `bytes`. A chunk is made when it is asked for, however much
    was written at once, and a write is done when its chunk has been used up. `bytes` are copied once (not at all if
    they have the right size); a chunk that is not `bytes` must not be changed until its write is done.
    A write of anything but bytes errors both sides with `TypeError`.

    Raises `TypeError` for a size that is not an integer, `ValueError` for one below 1; `RuntimeError` without a running
    event loop.

    >>> import asyncio
    >>> from webstreams import ReadableStream
    >>> from webstreams.shaping import chunked
    >>> async def main():
    ...     return await ReadableStream.from_([b"spam", b"eggs!"]).pipe_through(chunked(4)).list()
    >>> asyncio.run(main())
    [b'spam', b'eggs', b'!']
    """
    return ChunkedStream(size)


class ChunkedStream(Staying):
    """What `chunked` gives: the two sides of a transform."""

    __slots__ = ("__weakref__", "_pair", "_size")

    def __init__(self, size: SupportsIndex) -> None:
        self._size = checked_size(size, "size", 1)
        self._pair = _UncutPair(SizeCutter(self._size), "chunked()")

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
