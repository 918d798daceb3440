"""What ``bytes()``, ``text()``, ``json()`` and ``list()`` of a stream collect its chunks in, and their limit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from ._platform.arguments import checked_size
from ._platform.buffer import is_bytes_like, wrong_chunk
from ._text.decoders import UTF_8, TextDecoder, as_bytes, encoding_name

_SPLIT_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")


class LimitExceeded(ValueError):
    """There was more than the `limit` that was given.

    `limit` is that number, `unit` what it counts: "bytes", "characters" or "chunks". What came before is lost, and the
    rest was not asked for.

    >>> from webstreams.consumers import LimitExceeded
    >>> print(LimitExceeded("the stream", 10, "bytes"))
    the stream has more than 10 bytes
    """

    def __init__(self, what: str, limit: int, unit: str) -> None:
        super().__init__(what, limit, unit)
        self.limit = limit
        self.unit = unit

    def __str__(self) -> str:
        """What has more of what."""
        return f"{self.args[0]} has more than {self.limit} {self.unit if self.limit != 1 else self.unit[:-1]}"


def checked_limit(limit: Any) -> int | None:
    """Return a limit; raises `TypeError` unless it is an integer or None, and `ValueError` for a negative one."""
    return None if limit is None else checked_size(limit, "limit")


class TakesLong(Exception):
    """Stops the run that gives the chunks: one of them is to be worked on in parts, which these are."""

    def __init__(self, rest: Iterator[None]) -> None:
        self.rest = rest


class Collector:
    """Takes the chunks, and watches the limit."""

    __slots__ = ("_limit", "_size")

    unit = "bytes"
    # Whether no chunk takes long.
    is_quick = True

    def __init__(self, limit: int | None) -> None:
        self._limit = checked_limit(limit)
        self._size = 0

    def take(self, chunk: Any) -> Iterator[None] | None:
        """Keep a chunk; of one that takes long, return an iterator that does a part of the work at each step."""
        raise NotImplementedError

    def take_at_once(self, chunk: Any) -> None:
        """Keep a chunk; raises `TakesLong` for one that takes long."""
        rest = self.take(chunk)
        if rest is not None:
            raise TakesLong(rest)

    def taker_of_many(self) -> Callable[[list[Any]], object] | None:
        """Return what keeps many chunks in one, if there is no limit and nothing else to do for each."""
        return None

    def _count(self, size: int) -> None:
        self._size += size
        if self._limit is not None and self._size > self._limit:
            raise LimitExceeded("the stream", self._limit, self.unit)


class ListOfChunks(Collector):
    """Puts the chunks into a list."""

    __slots__ = ("chunks",)

    unit = "chunks"

    def __init__(self, limit: int | None) -> None:
        super().__init__(limit)
        self.chunks: list[Any] = []

    def take(self, chunk: Any) -> None:
        """See `Collector`."""
        self.chunks.append(chunk)
        if self._limit is not None:  # called for every chunk: most lists have no limit
            self._count(1)

    def taker_of_many(self) -> Callable[[list[Any]], object] | None:
        """See `Collector`."""
        return self.chunks.extend if self._limit is None else None


class JoinedBytes(Collector):
    """Joins bytes-like chunks."""

    __slots__ = ("_parts",)

    def __init__(self, limit: int | None) -> None:
        super().__init__(limit)
        self._parts: list[bytes] = []

    def take(self, chunk: Any) -> None:
        """See `Collector`."""
        data = as_bytes(chunk)
        self._count(len(data))
        self._parts.append(data)

    def result(self) -> bytes:
        """Return everything."""
        return b"".join(self._parts)


class JoinedText(Collector):
    """Decodes bytes-like chunks, and joins them and `str` chunks."""

    __slots__ = ("_decoder", "_may_have_pairs", "_parts")

    is_quick = False

    def __init__(self, limit: int | None, encoding: str | None = UTF_8, fatal: bool = False) -> None:
        self._decoder = TextDecoder(encoding_name(encoding), bool(fatal), ignore_bom=False)
        super().__init__(limit)
        self._parts: list[str] = []
        # Whether a chunk of text began with the second half of a surrogate pair.
        self._may_have_pairs = False

    def take(self, chunk: Any) -> Iterator[None] | None:
        """See `Collector`."""
        if isinstance(chunk, str):
            self._count(_length_in_utf8(chunk) if self._limit is not None else 0)
            self._may_have_pairs |= "\udc00" <= chunk[:1] <= "\udfff"
            self._parts.append(chunk)
        elif is_bytes_like(chunk):
            data = as_bytes(chunk)
            self._count(len(data))
            if self._decoder.takes_long(data):
                return map(self._parts.append, self._decoder.in_parts(data))
            self._parts.append(self._decoder.decode(data))
        else:
            raise wrong_chunk(chunk, wanted="a str or a bytes-like object")
        return None

    def result(self) -> str:
        """Return everything."""
        self._parts.append(self._decoder.decode(b"", final=True))
        text = "".join(self._parts)
        return _SPLIT_PAIR.sub(_join_pair, text) if self._may_have_pairs else text


def _length_in_utf8(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _join_pair(pair: re.Match[str]) -> str:
    return pair[0].encode("utf-16-le", "surrogatepass").decode("utf-16-le")
