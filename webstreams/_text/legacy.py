"""The legacy encodings of the Encoding Standard (its sections 9 to 14), on the codecs that Python has.

`webencodings` knows the labels, and Python nearly all characters. Three things are done here: the few characters that
Python's codecs do not have or have elsewhere, the bytes that one error stands for, and characters split between chunks.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from functools import cache
from typing import Final

from .big5 import BIG5_CHARACTERS

try:
    import webencodings  # type: ignore[import-untyped, unused-ignore]
    from webencodings.labels import LABELS  # type: ignore[import-untyped, unused-ignore]
except ImportError:
    HAS_LEGACY_ENCODINGS = False
else:
    HAS_LEGACY_ENCODINGS = True

# The extra that installs webencodings.
EXTRA: Final = "encodings"
REPLACEMENT: Final = "\ufffd"
# What codecs.charmap_decode() takes for "no character".
_UNDEFINED: Final = "\ufffe"


def legacy_name(label: str) -> str | None:
    """Return the name of the encoding for a label in lower case; None if there is none, or it is "replacement"."""
    name: str | None = LABELS.get(label) if HAS_LEGACY_ENCODINGS else None
    return None if name == "replacement" else name


def is_slow(decoder: object) -> bool:
    """Whether a decoder works character by character, so that long chunks have to be cut."""
    return isinstance(decoder, (MultiByteDecoder, Iso2022JpDecoder))


def legacy_decoder(encoding: str, fatal: bool) -> SingleByteDecoder | MultiByteDecoder | Iso2022JpDecoder:
    """Make the decoder of an encoding that is neither UTF-8 nor UTF-16."""
    if encoding == "iso-2022-jp":
        return Iso2022JpDecoder(fatal)
    if encoding in _MULTI_BYTE:
        return MultiByteDecoder(encoding, fatal)
    return SingleByteDecoder(encoding, fatal)


def _python(codec: str, data: bytes) -> str | None:
    """Decode one character as a codec of Python does; None if it has none."""
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        return None


# Section 9: single-byte encodings.

_SINGLE_BYTE_CHARACTERS: Final = {
    "koi8-u": {0xAE: "\u045e", 0xBE: "\u040e"},
    "windows-1255": {0xCA: "\u05ba"},
}


@cache
def _single_byte_table(encoding: str) -> str:
    """Return the 256 characters of a single-byte encoding."""
    decode = webencodings.lookup(encoding).codec_info.decode
    # What Windows has no character for is a control character (C1) to the Standard, if it is in their range.
    controls = range(0x80, 0xA0) if encoding.startswith("windows-") else range(0)
    characters = []
    for byte in range(256):
        character: str = decode(bytes([byte]), "replace")[0]
        if character == REPLACEMENT:
            character = chr(byte) if byte in controls else _UNDEFINED
        characters.append(_SINGLE_BYTE_CHARACTERS.get(encoding, {}).get(byte, character))
    return "".join(characters)


class SingleByteDecoder:
    """A table of 256 characters."""

    __slots__ = ("_errors", "_table")

    def __init__(self, encoding: str, fatal: bool) -> None:
        self._table = _single_byte_table(encoding)
        self._errors = "strict" if fatal else "replace"

    def decode(self, data: bytes, final: bool = False) -> str:
        """Decode the next bytes."""
        return codecs.charmap_decode(data, self._errors, self._table)[0]


# Sections 10 to 13: multi-byte encodings. Bytes are cut into tokens; what follows a leading byte belongs to its token
# whether it makes a character or not. A token is a run of ASCII, one character, or one error. An ASCII byte that ends
# a token without a character stands for itself behind the error; only the four bytes of gb18030 are one error.

_GB18030_CHARACTERS: Final = {
    bytes.fromhex(code): character
    for code, character in (
        ("80", "\u20ac"),
        ("8135f437", "\ue7c7"),
        ("a3a0", "\u3000"),
        ("a6d9", "\ufe10"),
        ("a6da", "\ufe12"),
        ("a6db", "\ufe11"),
        ("a6dc", "\ufe13"),
        ("a6dd", "\ufe14"),
        ("a6de", "\ufe15"),
        ("a6df", "\ufe16"),
        ("a6ec", "\ufe17"),
        ("a6ed", "\ufe18"),
        ("a6f3", "\ufe19"),
        ("a8bc", "\u1e3f"),
        ("fe59", "\u9fb4"),
        ("fe61", "\u9fb5"),
        ("fe66", "\u9fb6"),
        ("fe67", "\u9fb7"),
        ("fe6d", "\u9fb8"),
        ("fe7e", "\u9fb9"),
        ("fe90", "\u9fba"),
        ("fea0", "\u9fbb"),
    )
}


def _gb18030(token: bytes) -> str | None:
    return _GB18030_CHARACTERS.get(token) or _python("gb18030", token)


def _big5(token: bytes) -> str | None:
    return BIG5_CHARACTERS.get(token) or _python("big5hkscs", token)


def _euc_kr(token: bytes) -> str | None:
    return _python("cp949", token)


def _shift_jis(token: bytes) -> str | None:
    return None if token in (b"\xa0", b"\xfd", b"\xfe", b"\xff") else _python("cp932", token)


def _euc_jp(token: bytes) -> str | None:
    if token[0] == 0x8F:
        return "\uff5e" if token == b"\x8f\xa2\xb7" else _python("euc_jp", token)
    if len(token) == 2 and token[0] >= 0xA1 <= token[1]:
        return jis0208(token[0] - 0xA1, token[1] - 0xA1)
    return _python("euc_jp", token)


@cache
def jis0208(row: int, column: int) -> str | None:
    """Return the character of the index jis0208 at a place: Shift_JIS has the same in another order."""
    if row > 93 or column > 93:
        return None
    lead, trail = row // 2, column + 94 * (row % 2)
    return _python("cp932", bytes([lead + (0x81 if lead < 0x1F else 0xC1), trail + (0x40 if trail < 0x3F else 0x41)]))


class _Tables:
    """How the bytes of a multi-byte encoding are cut and looked up."""

    __slots__ = ("fatal", "incomplete", "replacing", "tokens")

    def __init__(self, lookup: Callable[[bytes], str | None], tokens: bytes, incomplete: bytes) -> None:
        self.tokens = re.compile(rb"[\x00-\x7f]+|" + tokens + rb"|[^\x00-\x7f]", re.DOTALL)
        # What may be the beginning of a character, at the end of a chunk.
        self.incomplete = re.compile(incomplete)
        self.replacing = _Characters(lookup)
        self.fatal = _StrictCharacters(lookup)


class _Characters(dict[bytes, str]):
    """What the tokens stand for; filled as they come."""

    __slots__ = ("_lookup",)

    def __init__(self, lookup: Callable[[bytes], str | None]) -> None:
        super().__init__()
        self._lookup = lookup

    def __missing__(self, token: bytes) -> str:
        """Look a token up for the first time."""
        if token[0] < 0x80:
            return token.decode("ascii")
        text = self._lookup(token)
        if text is None:
            text = self._error(token)
        if len(token) < 4:  # there are a million of four bytes
            self[token] = text
        return text

    def _error(self, token: bytes) -> str:
        return REPLACEMENT + chr(token[-1]) if len(token) < 4 and token[-1] < 0x80 else REPLACEMENT


class _StrictCharacters(_Characters):
    """The same, without the errors."""

    __slots__ = ()

    def _error(self, token: bytes) -> str:
        raise LookupError


_LEAD: Final = rb"[\x81-\xfe]"
_MULTI_BYTE: Final = {
    "big5": _Tables(_big5, _LEAD + rb".", _LEAD),
    "euc-jp": _Tables(
        _euc_jp,
        rb"\x8f[\xa1-\xfe].|\x8f[\xa1-\xfe]\Z|[\x8e\x8f\xa1-\xfe].",
        rb"\x8f[\xa1-\xfe]?|[\x8e\xa1-\xfe]",
    ),
    "euc-kr": _Tables(_euc_kr, _LEAD + rb".", _LEAD),
    # A leading byte and a digit begin four bytes; if no such four follow, the leading byte alone is the error.
    "gb18030": _Tables(
        _gb18030,
        rb"[\x81-\xfe][0-9][\x81-\xfe][0-9]|[\x81-\xfe][0-9][\x81-\xfe]?\Z|[\x81-\xfe](?:(?=[0-9])|[^0-9])",
        rb"[\x81-\xfe](?:[0-9][\x81-\xfe]?)?",
    ),
    "shift_jis": _Tables(_shift_jis, rb"[\x81-\x9f\xe0-\xfc].", rb"[\x81-\x9f\xe0-\xfc]"),
}
_MULTI_BYTE["gbk"] = _MULTI_BYTE["gb18030"]


class MultiByteDecoder:
    """Cuts the bytes into tokens, and looks them up."""

    __slots__ = ("_characters", "_encoding", "_pending", "_tables")

    def __init__(self, encoding: str, fatal: bool) -> None:
        self._encoding = encoding
        self._tables = _MULTI_BYTE[encoding]
        self._characters = self._tables.fatal if fatal else self._tables.replacing
        self._pending = b""

    def decode(self, data: bytes, final: bool = False) -> str:
        """Decode the next bytes."""
        data = self._pending + data
        self._pending = b""
        tokens = self._tables.tokens.findall(data)
        end = ""
        if tokens and self._tables.incomplete.fullmatch(tokens[-1]):
            last = tokens.pop()
            if not final:
                self._pending = last
            elif self._characters is self._tables.fatal:
                tokens.append(last)  # is found to be no character
            else:
                end = REPLACEMENT
        try:
            return "".join(map(self._characters.__getitem__, tokens)) + end
        except LookupError:
            raise self._error(data, tokens) from None

    def _error(self, data: bytes, tokens: list[bytes]) -> UnicodeDecodeError:
        """Return the error for the first token that encodes no character."""
        start = 0
        for token in tokens:
            try:
                self._characters[token]
            except LookupError:
                return UnicodeDecodeError(self._encoding, data, start, start + len(token), "no character")
            start += len(token)
        raise AssertionError("there is no such token")


# Section 12.2: ISO-2022-JP, whose escape sequences change what the bytes mean.

_END: Final = -1
_ESCAPE: Final = 0x1B
_STATES: Final = {b"(B": "ascii", b"(J": "roman", b"(I": "katakana", b"$@": "lead", b"$B": "lead"}


class Iso2022JpDecoder:
    """The state machine of the Standard, byte by byte."""

    __slots__ = ("_fatal", "_lead", "_output", "_output_state", "_queue", "_state")

    def __init__(self, fatal: bool) -> None:
        self._fatal = fatal
        self._state = self._output_state = "ascii"
        self._lead = 0
        # Whether nothing came out since the last escape sequence.
        self._output = False
        # The bytes to come, the next one at the end.
        self._queue = bytearray()

    def decode(self, data: bytes, final: bool = False) -> str:
        """Decode the next bytes."""
        self._queue = queue = bytearray(reversed(data))
        result = []
        while queue:
            result.append(self._step(queue.pop(), data))
        while final and self._state in ("trail", "escape start", "escape"):
            result.append(self._step(_END, data))
            while queue:
                result.append(self._step(queue.pop(), data))
        return "".join(result)

    def _step(self, byte: int, data: bytes) -> str:
        text = self._escape_steps(byte) if self._state.startswith("escape") else self._text_steps(byte)
        if text == REPLACEMENT and self._fatal:
            end = max(len(data) - len(self._queue), 1) if data else 0
            raise UnicodeDecodeError("iso-2022-jp", data, max(end - 1, 0), end, "no character")
        return text

    def _text_steps(self, byte: int) -> str:
        state = self._state
        if byte == _ESCAPE:
            self._state = "escape start"
            return REPLACEMENT if state == "trail" else ""
        if state == "trail":
            self._state = "lead"
            return (jis0208(self._lead - 0x21, byte - 0x21) if 0x21 <= byte <= 0x7E else None) or REPLACEMENT
        self._output = False
        if state == "lead" and 0x21 <= byte <= 0x7E:
            self._lead = byte
            self._state = "trail"
            return ""
        if state == "katakana" and 0x21 <= byte <= 0x5F:
            return chr(byte + 0xFF61 - 0x21)
        if state in ("ascii", "roman") and byte <= 0x7F and byte not in (0x0E, 0x0F):
            return {0x5C: "\u00a5", 0x7E: "\u203e"}.get(byte, chr(byte)) if state == "roman" else chr(byte)
        return REPLACEMENT

    def _escape_steps(self, byte: int) -> str:
        if self._state == "escape start":
            if byte in b"$(" if byte != _END else False:
                self._lead = byte
                self._state = "escape"
                return ""
            restored = [byte]
        else:
            state = _STATES.get(bytes([self._lead, byte])) if byte != _END else None
            if state is not None:
                self._state = self._output_state = state
                had_output, self._output = self._output, True
                return REPLACEMENT if had_output else ""
            restored = [byte, self._lead]
        self._queue.extend(each for each in restored if each != _END)
        self._output = False
        self._state = self._output_state
        return REPLACEMENT
