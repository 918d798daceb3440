"""Everything that a stream gives, as one object: what stands behind ``stream.bytes()``, ``.text()``, ``.json()`` and
``.list()``.

They are coroutines: nothing happens before they are awaited (or made a task), and then the stream is locked. No
standard has them, so they are not promises of one; a coroutine can be cancelled with the task that runs it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ._engine.awaiting import next_turn
from ._platform.arguments import checked_size
from ._platform.buffer import is_bytes_like, wrong_chunk
from ._platform.errors import AbortError, is_control_flow
from ._text.decoders import UTF_8, TextDecoder, as_bytes, encoding_name

if TYPE_CHECKING:
    from ._streams.readable.reader import ReadableStreamDefaultReader

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
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


class Readable(Protocol[T_co]):
    """A stream that can be locked."""

    def get_reader(self) -> ReadableStreamDefaultReader[T_co]:
        """Lock the stream."""
        ...


async def collect_bytes(stream: Readable[Any], limit: int | None = None) -> bytes:
    """Join the bytes-like chunks of a stream."""
    collector = _Bytes(limit)
    await _consume(stream, collector)
    return collector.result()


async def collect_text(
    stream: Readable[Any], encoding: str | None = UTF_8, *, fatal: bool = False, limit: int | None = None
) -> str:
    """Decode the bytes-like chunks of a stream, join its `str` chunks."""
    collector = _Text(TextDecoder(encoding_name(encoding), bool(fatal), ignore_bom=False), limit)
    await _consume(stream, collector)
    return collector.result()


async def collect_json(stream: Readable[Any], limit: int | None = None) -> Any:
    """Parse the text of a stream, which is UTF-8."""
    return json.loads(await collect_text(stream, limit=limit))


async def collect_list(stream: Readable[T], limit: int | None = None) -> list[T]:
    """Put the chunks of a stream into a list."""
    collector = _List(limit)
    await _consume(stream, collector)
    return collector.chunks


def checked_limit(limit: Any) -> int | None:
    """Return a limit; raises `TypeError` unless it is an integer or None, and `ValueError` for a negative one."""
    return None if limit is None else checked_size(limit, "limit")


async def _consume(stream: Readable[Any], collector: _Collector) -> None:
    """Read to the end. When anything fails on the way, the stream is cancelled; the lock is free in any case."""
    reader = stream.get_reader()
    try:
        take = collector.take if collector.is_quick else collector.take_at_once
        while True:
            try:
                under_way = reader._collect(take)
            except _TakesLong as chunk_that:
                rest: Iterator[None] | None = chunk_that.rest
            else:
                chunk, done = await (reader.read() if under_way is None else under_way)
                if done:
                    break
                rest = collector.take(chunk)
                if rest is None and reader._is_at_end():
                    break
            if rest is not None:
                for _ in rest:
                    await next_turn()
    except GeneratorExit:
        raise  # nobody runs the coroutine any more, and perhaps no loop either
    except BaseException as error:
        end = reader._jobs.end
        if end.is_near and is_control_flow(error):
            reader._jobs.report(f"reading all of {stream!r} was cut off by the end of the event loop", error)
        await _leave(reader, error)
        raise
    reader.release_lock()


async def _leave(reader: ReadableStreamDefaultReader[Any], error: BaseException) -> None:
    """Cancel the source and wait until it is done. The first error is the one that counts."""
    reason = AbortError("the task that read the stream was cancelled") if is_control_flow(error) else error
    cancelling = reader.cancel(reason)
    reader.release_lock()
    try:
        await cancelling
    except Exception:
        pass  # of the source's cancel(); or the stream was errored, which is what `error` says


class _TakesLong(Exception):
    """Stops the run that gives the chunks: one of them is to be worked on in parts, which these are."""

    def __init__(self, rest: Iterator[None]) -> None:
        self.rest = rest


class _Collector:
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
        """Keep a chunk; raises `_TakesLong` for one that takes long."""
        rest = self.take(chunk)
        if rest is not None:
            raise _TakesLong(rest)

    def _count(self, size: int) -> None:
        self._size += size
        if self._limit is not None and self._size > self._limit:
            raise LimitExceeded("the stream", self._limit, self.unit)


class _List(_Collector):
    __slots__ = ("chunks",)

    unit = "chunks"

    def __init__(self, limit: int | None) -> None:
        super().__init__(limit)
        self.chunks: list[Any] = []

    def take(self, chunk: Any) -> None:
        self.chunks.append(chunk)
        if self._limit is not None:  # called for every chunk: most lists have no limit
            self._count(1)


class _Bytes(_Collector):
    __slots__ = ("_parts",)

    def __init__(self, limit: int | None) -> None:
        super().__init__(limit)
        self._parts: list[bytes] = []

    def take(self, chunk: Any) -> None:
        data = as_bytes(chunk)
        self._count(len(data))
        self._parts.append(data)

    def result(self) -> bytes:
        return b"".join(self._parts)


class _Text(_Collector):
    __slots__ = ("_decoder", "_may_have_pairs", "_parts")

    is_quick = False

    def __init__(self, decoder: TextDecoder, limit: int | None) -> None:
        super().__init__(limit)
        self._decoder = decoder
        self._parts: list[str] = []
        # Whether a chunk of text began with the second half of a surrogate pair.
        self._may_have_pairs = False

    def take(self, chunk: Any) -> Iterator[None] | None:
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
        self._parts.append(self._decoder.decode(b"", final=True))
        text = "".join(self._parts)
        return _SPLIT_PAIR.sub(_join_pair, text) if self._may_have_pairs else text


def _length_in_utf8(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _join_pair(pair: re.Match[str]) -> str:
    return pair[0].encode("utf-16-le", "surrogatepass").decode("utf-16-le")
