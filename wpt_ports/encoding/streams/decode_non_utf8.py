"""Port of encoding/streams/decode-non-utf8.any.js."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from webstreams import Promise
from webstreams.encoding import TextDecoderStream
from wpt_ports.harness import Test, add_port, promise_rejects_js


class Encoding(NamedTuple):
    name: str
    value: bytes
    expected: str
    # None: all bytes are valid.
    invalid: bytes | None


ENCODINGS = [
    Encoding("UTF-16BE", b"\x6c\x34", "\u6c34", b"\xd8\x00"),
    Encoding("UTF-16LE", b"\x34\x6c", "\u6c34", b"\x00\xd8"),
    Encoding("Shift_JIS", b"\x90\x85", "\u6c34", b"\xff"),
    Encoding("ISO-2022-JP", b"ABC\x1bABC", "ABC\ufffdABC", b"\x0e"),
    Encoding("ISO-8859-14", b"d\xf0r", "d\u0175r", None),
]


async def decodes(encoding: Encoding, t: Test) -> None:
    stream = TextDecoderStream(encoding.name)
    reader = stream.readable.get_reader()
    writer = stream.writable.get_writer()
    write = writer.write(encoding.value)
    value, done = await reader.read()
    assert not done, "readable should not be closed"
    assert value == encoding.expected, "chunk should match expected"
    await write


async def decodes_invalid_sequences(encoding: Encoding, invalid: bytes, t: Test) -> None:
    stream = TextDecoderStream(encoding.name)
    reader = stream.readable.get_reader()
    writer = stream.writable.get_writer()
    write = writer.write(invalid)
    close = writer.close()
    value, done = await reader.read()
    assert not done, "readable should not be closed"
    assert value == "\ufffd", "output should be replacement character"
    await Promise.all([write, close])


async def rejects_invalid_sequences(encoding: Encoding, invalid: bytes, t: Test) -> None:
    stream = TextDecoderStream(encoding.name, fatal=True)
    reader = stream.readable.get_reader()
    writer = stream.writable.get_writer()
    write = writer.write(invalid)
    close = writer.close()
    await promise_rejects_js(t, TypeError, reader.read(), "readable should be errored")
    await promise_rejects_js(t, TypeError, Promise.all([write, close]), "writable should be errored")


for each in ENCODINGS:
    add_port(__name__, f"TextDecoderStream should be able to decode {each.name}", partial(decodes, each))
    if each.invalid is not None:
        add_port(
            __name__,
            f"TextDecoderStream should be able to decode invalid sequences in {each.name}",
            partial(decodes_invalid_sequences, each, each.invalid),
        )
        add_port(
            __name__,
            f"TextDecoderStream should be able to reject invalid sequences in {each.name}",
            partial(rejects_invalid_sequences, each, each.invalid),
        )
