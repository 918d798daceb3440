"""Port of compression/decompression-corrupt-input.any.js."""

from __future__ import annotations

from typing import NamedTuple

from ..harness import Test, add_port, promise_test
from ..resources.compressed import COMPRESSED, EXPECTED_OUTPUT, concatenated, decompressor


class Field(NamedTuple):
    """A field of a format (RFC 1950, RFC 1952): where it is, and what becomes of its values."""

    name: str
    offset: int
    length: int
    cases: dict[int, str]


FIELDS = {
    "deflate": [
        Field("CMF", 0, 1, {0: "error"}),
        Field("FLG", 1, 1, {218: "success", 1: "success", 94: "success", 157: "error"}),
        Field("DATA", 18, 1, {4: "success", 5: "error"}),
        Field("ADLER", -4, 4, {255: "error"}),
    ],
    "gzip": [
        Field("ID", 0, 2, {255: "error"}),
        Field("CM", 2, 1, {0: "error"}),
        Field("FLG", 3, 1, {1: "success", 2: "error"}),
        Field("MTIME", 4, 4, {255: "success"}),
        Field("XFL", 8, 1, {255: "success"}),
        Field("OS", 9, 1, {128: "success"}),
        Field("DATA", 26, 1, {3: "error", 4: "success"}),
        Field("CRC", -8, 4, {0: "error"}),
        Field("ISIZE", -4, 4, {1: "error"}),
    ],
    "brotli": [],
}


async def decompression(data: bytes, format: str) -> str:
    """Decompress; tell what becomes of it."""
    stream = decompressor(format)
    writer = stream.writable.get_writer()
    writer.write(data).then(None, lambda _: None)
    writer.close().then(None, lambda _: None)
    try:
        output = await concatenated(stream.readable)
    except Exception as error:
        return "error" if isinstance(error, TypeError) else type(error).__name__
    return "success" if output == EXPECTED_OUTPUT else "corrupt"


class Decompression:
    """A subtest: some input in one format, and what should become of it."""

    def __init__(self, format: str, data: bytes, expected: str) -> None:
        self.format = format
        self.data = data
        self.expected = expected

    async def __call__(self, t: Test) -> None:
        assert await decompression(self.data, self.format) == self.expected, "result should match"


def corrupted(data: bytes, field: Field, value: int) -> bytes:
    """Set every byte of a field."""
    result = bytearray(data)
    offset = field.offset % len(data)
    result[offset : offset + field.length] = bytes([value]) * field.length
    return bytes(result)


for format, fields in FIELDS.items():
    data = COMPRESSED[format]
    add_port(
        __name__,
        f"the unchanged input for '{format}' should decompress successfully",
        Decompression(format, data, "success"),
    )
    add_port(
        __name__,
        f"truncating the input for '{format}' should give an error",
        Decompression(format, data[:-1], "error"),
    )
    add_port(
        __name__, f"trailing junk for '{format}' should give an error", Decompression(format, data + b"\0", "error")
    )
    for field in fields:
        for value, expected in field.cases.items():
            title = f"format '{format}' field {field.name} should be {expected} for {value}"
            add_port(__name__, title, Decompression(format, corrupted(data, field, value), expected))


@promise_test("the deflate input compressed with dictionary should give an error")
async def dictionary(t: Test) -> None:
    # zlib.compressobj(zdict=b"thequickbrownfoxjumped\0") made it.
    data = bytes.fromhex("78bb74ee09592bc12e0c0074ee0959")
    assert await decompression(data, "deflate") == "error", "Data compressed with a dictionary should raise TypeError"
