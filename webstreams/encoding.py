"""TextEncoderStream and TextDecoderStream of the Encoding Standard."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from typing import Any, Final

from typing_extensions import Buffer

from ._debug.repr import show
from ._engine.awaiting import next_turn
from ._platform.buffer import is_bytes_like, wrong_chunk
from ._platform.mistakes import tell_option_names
from ._platform.staying import Staying
from ._streams.door import show_sides
from ._streams.readable.stream import ReadableStream
from ._streams.transform.controller import TransformStreamDefaultController
from ._streams.transform.stream import TransformStream
from ._streams.writable.stream import WritableStream
from ._text.decoders import UTF_8, TextDecoder, as_bytes, encoding_name


class TextEncoderStream(Staying):
    """Turns text into UTF-8: `str` chunks written to `writable` come out of `readable` as `bytes`. Encoding Standard,
    7.4.

    A surrogate pair is one character, also if its halves are in two chunks; a surrogate on its own becomes U+FFFD.
    An empty chunk gives none. A chunk that is not a `str` is converted by ``str()``, and what that raises errors both
    sides; a bytes-like chunk errors them with `TypeError`, because it is not text.

    Raises `RuntimeError` when no event loop runs in this thread.

    >>> import asyncio
    >>> from webstreams import ReadableStream
    >>> from webstreams.encoding import TextEncoderStream
    >>> async def main():
    ...     words = ReadableStream.from_(["sm\u00f8r", "br\u00f8d"])
    ...     async for chunk in words.pipe_through(TextEncoderStream()):
    ...         print(chunk)
    >>> asyncio.run(main())
    b'sm\\xc3\\xb8r'
    b'br\\xc3\\xb8d'
    """

    __slots__ = ("__weakref__", "_transform")

    def __init__(self) -> None:
        self._transform: TransformStream[str, bytes] = TransformStream(_Encoding())

    @property
    def encoding(self) -> str:
        """The string "utf-8"."""
        return UTF_8

    @property
    def readable(self) -> ReadableStream[bytes]:
        """The side that the bytes come out of."""
        return self._transform.readable

    @property
    def writable(self) -> WritableStream[str]:
        """The side that text is written to."""
        return self._transform.writable

    def __repr__(self) -> str:
        """Show both sides."""
        return show(self, self._details())

    def _details(self) -> Iterator[str]:
        yield from show_sides(self._transform.readable, self._transform.writable)


class TextDecoderStream(Staying):
    """Turns bytes into text: bytes-like chunks written to `writable` come out of `readable` as `str`. Encoding
    Standard, 7.3.

    `label` is any label of the Encoding Standard; None is UTF-8. UTF-8 and UTF-16 need nothing else, all others the
    extra "encodings" of this package. A character that is split between chunks comes out when it is complete, and a
    chunk that completes none gives none. Invalid bytes become U+FFFD, as many as the Standard says; with `fatal` they
    error both sides with a `DataError` that names the encoding and the position. The byte order mark of UTF-8 and
    UTF-16 is left out, unless `ignore_bom` is set: then it is a character like others. A chunk that is not bytes-like
    errors both sides with `TypeError`.

    Raises `ValueError` for an unknown label, `TypeError` for one that is not a `str`; `RuntimeError` when no event loop
    runs in this thread.

    >>> import asyncio
    >>> from webstreams import ReadableStream
    >>> from webstreams.encoding import TextDecoderStream
    >>> async def main():
    ...     pieces = ReadableStream.from_([b"caf\\xc3", b"\\xa9 cr\\xc3\\xa8me", b"\\xff"])
    ...     async for text in pieces.pipe_through(TextDecoderStream()):
    ...         print(ascii(text))
    >>> asyncio.run(main())
    'caf'
    '\\xe9 cr\\xe8me'
    '\\ufffd'
    """

    __slots__ = ("__weakref__", "_encoding", "_fatal", "_ignore_bom", "_transform")

    def __init__(self, label: str | None = UTF_8, *, fatal: bool = False, ignore_bom: bool = False) -> None:
        self._encoding = encoding_name(label)
        self._fatal = bool(fatal)
        self._ignore_bom = bool(ignore_bom)
        # Only the transformer has the decoder: it is freed as soon as the stream is cancelled, aborted or errored.
        decoding = _Decoding(TextDecoder(self._encoding, self._fatal, self._ignore_bom))
        self._transform: TransformStream[Buffer, str] = TransformStream(decoding)

    @property
    def encoding(self) -> str:
        """The name of the encoding, in lower case."""
        return self._encoding

    @property
    def fatal(self) -> bool:
        """Whether invalid bytes are an error."""
        return self._fatal

    @property
    def ignore_bom(self) -> bool:
        """Whether a byte order mark is a character like others."""
        return self._ignore_bom

    @property
    def readable(self) -> ReadableStream[str]:
        """The side that the text comes out of."""
        return self._transform.readable

    @property
    def writable(self) -> WritableStream[Buffer]:
        """The side that bytes are written to."""
        return self._transform.writable

    def __repr__(self) -> str:
        """Show the encoding and both sides."""
        return show(self, self._details())

    def _details(self) -> Iterator[str]:
        options = (" fatal" if self._fatal else "") + (" ignore_bom" if self._ignore_bom else "")
        yield self._encoding + options
        yield from show_sides(self._transform.readable, self._transform.writable)


tell_option_names(TextDecoderStream, "__init__")

# So much is encoded at once, and of a text with surrogates, which takes a thousand times as long (characters).
_PART: Final = 1 << 17
_PART_WITH_SURROGATES: Final = 1 << 13


class _Encoding:
    """The transformer of a `TextEncoderStream`."""

    __slots__ = ("_leading",)

    stage_name = "TextEncoderStream"

    def __init__(self) -> None:
        # The leading surrogate that ended the last chunk.
        self._leading = ""

    def transform(
        self, chunk: Any, controller: TransformStreamDefaultController[bytes]
    ) -> Coroutine[Any, Any, None] | None:
        """Encode and enqueue a chunk."""
        text = self._leading + _as_text(chunk)
        self._leading = ""
        if "\ud800" <= text[-1:] <= "\udbff":
            self._leading = text[-1]
            text = text[:-1]
        if len(text) > _PART_WITH_SURROGATES:
            try:
                data = text.encode() if len(text) <= _PART else None
            except UnicodeEncodeError:
                data = None
            if data is None:
                return self._transform_in_parts(text, controller)
            controller.enqueue(data)
        elif text:
            controller.enqueue(_encode(text))
        return None

    async def _transform_in_parts(self, text: str, controller: TransformStreamDefaultController[bytes]) -> None:
        """Do the same, so that no task of the loop waits for a whole chunk."""
        made = []
        for part in _in_parts(text, _PART):
            try:
                made.append(part.encode())
            except UnicodeEncodeError:
                for small in _in_parts(part, _PART_WITH_SURROGATES):
                    made.append(_encode(small))
                    await next_turn()
            else:
                await next_turn()
        controller.enqueue(b"".join(made))

    def flush(self, controller: TransformStreamDefaultController[bytes]) -> None:
        """Encode and flush."""
        if self._leading:
            controller.enqueue(_encode(self._leading))


class _Decoding:
    """The transformer of a `TextDecoderStream`."""

    __slots__ = ("__weakref__", "_decoder")

    stage_name = "TextDecoderStream"

    def __init__(self, decoder: TextDecoder) -> None:
        self._decoder = decoder

    def transform(
        self, chunk: Buffer, controller: TransformStreamDefaultController[str]
    ) -> Coroutine[Any, Any, None] | None:
        """Decode and enqueue a chunk."""
        data = as_bytes(chunk)
        if self._decoder.takes_long(data):
            return self._transform_in_parts(data, controller)
        text = self._decoder.decode(data)
        if text:
            controller.enqueue(text)
        return None

    async def _transform_in_parts(self, data: bytes, controller: TransformStreamDefaultController[str]) -> None:
        """Do the same, so that no task of the loop waits for a whole chunk."""
        parts = []
        for part in self._decoder.in_parts(data):
            parts.append(part)
            await next_turn()
        text = "".join(parts)
        if text:
            controller.enqueue(text)

    def flush(self, controller: TransformStreamDefaultController[str]) -> None:
        """Flush and enqueue."""
        text = self._decoder.decode(b"", final=True)
        if text:
            controller.enqueue(text)


def _as_text(chunk: Any) -> str:
    if isinstance(chunk, str):
        return chunk
    if is_bytes_like(chunk):
        raise wrong_chunk(chunk, wanted="a str")
    return str(chunk)


def _encode(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        # UTF-16 puts the halves of a pair together, and replaces those that are alone.
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def _in_parts(text: str, size: int) -> Iterator[str]:
    """Cut a text into parts, but no surrogate pair."""
    start = 0
    while start < len(text):
        end = start + size
        if "\ud800" <= text[end - 1 : end] <= "\udbff" and "\udc00" <= text[end : end + 1] <= "\udfff":
            end += 1
        yield text[start:end]
        start = end
