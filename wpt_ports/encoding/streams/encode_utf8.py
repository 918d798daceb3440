"""Port of encoding/streams/encode-utf8.any.js."""

from __future__ import annotations

from functools import partial

from webstreams.encoding import TextEncoderStream
from wpt_ports.harness import Test, add_port, assert_array_equals
from wpt_ports.resources.array_streams import readable_stream_from_array, readable_stream_to_array

TEXT = "I \U0001f499 streams"
ASTRAL = "\U0001f499"
LEADING, TRAILING = "\ud83d", "\udc99"
ENCODED = b"\xf0\x9f\x92\x99"
REPLACEMENT = b"\xef\xbf\xbd"

# What is put in, and what comes out.
CASES: dict[str, tuple[list[str], list[bytes]]] = {
    "encoding one string of UTF-8 should give one complete chunk": ([TEXT], [TEXT.encode()]),
    "a character split between chunks should be correctly encoded": ([LEADING, TRAILING], [ENCODED]),
    "a character following one split between chunks should be correctly encoded": (
        [LEADING, TRAILING + ASTRAL],
        [ENCODED + ENCODED],
    ),
    "two consecutive astral characters each split down the middle should be correctly reassembled": (
        [LEADING, TRAILING + LEADING, TRAILING],
        [ENCODED, ENCODED],
    ),
    "two consecutive astral characters each split down the middle with an invalid surrogate in the middle should be "
    "correctly encoded": ([LEADING, TRAILING + LEADING + LEADING, TRAILING], [ENCODED + REPLACEMENT, ENCODED]),
    "a stream ending in a leading surrogate should emit a replacement character as a final chunk": (
        [LEADING],
        [REPLACEMENT],
    ),
    "an unmatched surrogate at the end of a chunk followed by an astral character in the next chunk should be "
    "replaced with the replacement character at the start of the next output chunk": (
        [LEADING, ASTRAL],
        [REPLACEMENT + ENCODED],
    ),
    "an unmatched surrogate at the end of a chunk followed by an ascii character in the next chunk should be "
    "replaced with the replacement character at the start of the next output chunk": (
        [LEADING, "A"],
        [REPLACEMENT + b"A"],
    ),
    "an unmatched surrogate at the end of a chunk followed by a plane 1 character split into two chunks should "
    "result in the encoded plane 1 character appearing in the last output chunk": (
        [LEADING, LEADING, TRAILING],
        [REPLACEMENT, ENCODED],
    ),
    "two leading chunks should result in two replacement characters": ([LEADING, LEADING], [REPLACEMENT, REPLACEMENT]),
    "a non-terminal unpaired leading surrogate should immediately be replaced": (
        [LEADING + LEADING, TRAILING],
        [REPLACEMENT, ENCODED],
    ),
    "a terminal unpaired trailing surrogate should immediately be replaced": (
        [TRAILING, ASTRAL],
        [REPLACEMENT, ENCODED],
    ),
    "a leading surrogate chunk should be carried past empty chunks": ([LEADING, "", TRAILING], [ENCODED]),
    "a leading surrogate chunk should error when it is clear it didn't form a pair": ([LEADING, ""], [REPLACEMENT]),
    "an empty string should result in no output chunk": ([""], []),
    "a leading empty chunk should be ignored": (["", TEXT], [TEXT.encode()]),
    "a trailing empty chunk should be ignored": ([TEXT, ""], [TEXT.encode()]),
    "a plain ASCII chunk should be converted": (["A"], [b"A"]),
    "characters in the ISO-8859-1 range should be encoded correctly": (["\xff"], [b"\xc3\xbf"]),
}


async def encodes(chunks: list[str], expected: list[bytes], t: Test) -> None:
    output = await readable_stream_to_array(readable_stream_from_array(chunks).pipe_through(TextEncoderStream()))
    assert_array_equals(output, expected)


for title, (given, wanted) in CASES.items():
    add_port(__name__, title, partial(encodes, given, wanted))
