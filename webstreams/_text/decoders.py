"""Labels and decoders of the Encoding Standard, fed chunk by chunk (its sections 4.2 and 7.1, without the streams).

UTF-8 and UTF-16 need nothing but Python; the tables of the other encodings come with the package `webencodings`.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any, Final, Protocol

from typing_extensions import Buffer

from .._platform.buffer import is_released, open_view
from .._platform.errors import DataError

UTF_8: Final = "utf-8"
_BOM: Final = "\ufeff"
_ASCII_WHITESPACE: Final = "\t\n\f\r "
_LABELS: Final = {
    "utf-8": ("unicode-1-1-utf-8", "unicode11utf8", "unicode20utf8", "utf-8", "utf8", "x-unicode20utf8"),
    "utf-16be": ("unicodefffe", "utf-16be"),
    "utf-16le": ("csunicode", "iso-10646-ucs-2", "ucs-2", "unicode", "unicodefeff", "utf-16", "utf-16le"),
}
# How much is decoded at once (bytes): some milliseconds at most, also if it is all invalid. Each byte of some encodings
# goes through Python code, and so does what is invalid in all of them but UTF-8.
_PART_OF_UTF_8: Final = 256 * 1024
_PART: Final = 16 * 1024
_PART_OF_SLOW: Final = 4096
_UNICODE_NAMES: Final = {label: name for name, labels in _LABELS.items() for label in labels}


class Decoder(Protocol):
    """Turns bytes into text; keeps the bytes of a character that is not complete yet."""

    def decode(self, data: bytes, final: bool = False, /) -> str:
        """Decode the next bytes; `UnicodeDecodeError` for those that are invalid, unless they are to be replaced."""
        ...


def encoding_name(label: str | None) -> str:
    """Get an encoding: its name in lower case. ValueError for an unknown label, and for "replacement"."""
    if label is None:
        return UTF_8
    if not isinstance(label, str):
        raise TypeError(f"the label of an encoding must be a str, not {type(label).__name__}")
    stripped = label.strip(_ASCII_WHITESPACE)
    key = stripped.lower() if stripped.isascii() else ""
    return _UNICODE_NAMES.get(key) or _legacy_name(key, label)


def _legacy_name(key: str, label: str) -> str:
    legacy = _legacy()
    name: str | None = legacy.legacy_name(key)
    if name is not None:
        return name
    if legacy.HAS_LEGACY_ENCODINGS:
        raise ValueError(f"{label!r} is not the label of an encoding that can be decoded")
    raise ValueError(
        f"{label!r} is not a label of UTF-8 or UTF-16; the other encodings need the package webencodings: "
        f'pip install "webstreams[{legacy.EXTRA}]"'
    )


@cache
def _legacy() -> Any:
    """Return the module of the other encodings, whose tables are loaded when one is first asked for."""
    return import_module("webstreams._text.legacy")


def as_bytes(chunk: Buffer) -> bytes:
    """Return the bytes of a chunk, copied if mutable, none for a released memoryview; raises TypeError for others."""
    if isinstance(chunk, bytes):
        return chunk
    return b"" if is_released(chunk) else open_view(chunk, "the chunk").tobytes()


class TextDecoder:
    """What the decoder streams and ``text()`` share: a decoder, the byte order mark, and the error for the user."""

    __slots__ = ("_bytes_before", "_decoder", "_encoding", "_may_have_bom", "_part")

    def __init__(self, encoding: str, fatal: bool, ignore_bom: bool) -> None:
        self._encoding = encoding
        self._decoder = _make_decoder(encoding, fatal)
        self._may_have_bom = not ignore_bom and encoding in _LABELS
        self._bytes_before = 0
        self._part = _PART_OF_UTF_8 if encoding == UTF_8 else _PART
        if encoding not in _LABELS and _legacy().is_slow(self._decoder):
            self._part = _PART_OF_SLOW

    def takes_long(self, data: bytes) -> bool:
        """Whether bytes should be decoded `in_parts`, with turns for others in between."""
        return len(data) > self._part

    def in_parts(self, data: bytes) -> Iterator[str]:
        """Decode the next bytes; each step takes some milliseconds at most."""
        for start in range(0, len(data), self._part):
            yield self.decode(data[start : start + self._part])

    def decode(self, data: bytes, final: bool = False) -> str:
        """Decode the next bytes; with `final`, these are the last ones. DataError for invalid bytes when fatal."""
        self._bytes_before += len(data)
        try:
            text = self._decoder.decode(data, final)
        except UnicodeDecodeError as error:
            # The error keeps the whole chunk: what follows has to know the place only.
            raise self._data_error(error) from None
        if text and self._may_have_bom:
            self._may_have_bom = False
            return text.removeprefix(_BOM)
        return text

    def _data_error(self, error: UnicodeDecodeError) -> DataError:
        position = self._bytes_before - len(error.object) + error.start
        what = f"byte 0x{error.object[error.start]:02x}" if error.end - error.start == 1 else "bytes"
        return DataError(f"the text is not valid {self._encoding}: {what} at position {position}: {error.reason}")


def _make_decoder(encoding: str, fatal: bool) -> Decoder:
    if encoding in _LABELS:
        return UnicodeDecoder(encoding, fatal)
    decoder: Decoder = _legacy().legacy_decoder(encoding, fatal)
    return decoder


class UnicodeDecoder:
    """UTF-8 and UTF-16, by the decoders of Python: they take the same bytes for one error as the Standard does."""

    __slots__ = ("_decode", "_errors", "_pending")

    def __init__(self, encoding: str, fatal: bool) -> None:
        self._decode = _UNICODE_DECODERS[encoding]
        self._errors = "strict" if fatal else "replace"
        self._pending = b""

    def decode(self, data: bytes, final: bool = False) -> str:
        """Decode the next bytes."""
        data = self._pending + data
        text, length = self._decode(data, self._errors, final)
        self._pending = rest = data[length:]
        if rest and self._decode is codecs.utf_8_decode and rest[0] == 0xED and rest[1:] >= b"\xa0":
            # Python waits for the third byte of a surrogate; the Standard knows that there is none in UTF-8.
            self._pending = b""
            text += self._decode(rest, self._errors, True)[0]
        return text


_UNICODE_DECODERS: Final = {
    "utf-8": codecs.utf_8_decode,
    "utf-16be": codecs.utf_16_be_decode,
    "utf-16le": codecs.utf_16_le_decode,
}
