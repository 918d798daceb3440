"""TextEncoderStream and TextDecoderStream, beyond what the ports of upstream's tests say."""

from __future__ import annotations

import array
import asyncio
import gc
import hashlib
import json
import mmap
import random
import subprocess
import sys
import weakref
from typing import Any

import pytest

from tests.grids import each_of, each_row
from tests.loops import on_one_loop
from tests.shares import share_of
from tests.waiting import another_task
from webstreams import DataError, ReadableStream
from webstreams._text.decoders import TextDecoder
from webstreams.encoding import TextDecoderStream, TextEncoderStream

UNICODE = ["utf-8", "utf-16le", "utf-16be"]
MULTI_BYTE = ["big5", "euc-jp", "euc-kr", "gb18030", "gbk", "iso-2022-jp", "shift_jis"]
# Bytes at the borders of the ranges of the encodings.
BYTES = bytes([0x1B, 0x24, 0x28, 0x30, 0x39, 0x40, 0x41, 0x42, 0x4A, 0x5C, 0x7E, 0x80, 0x81, 0x8E, 0x8F, 0xA0, 0xA1])
BYTES += bytes([0xAD, 0xBF, 0xC2, 0xD8, 0xDC, 0xDF, 0xE0, 0xED, 0xEF, 0xF0, 0xF4, 0xFC, 0xFD, 0xFE, 0xFF])


def decode(data: bytes, encoding: str, *, fatal: bool = False) -> str:
    return TextDecoder(encoding, fatal, ignore_bom=True).decode(data, final=True)


async def decoded(chunks: list[Any], *arguments: Any, **options: Any) -> list[str]:
    return await ReadableStream.from_(chunks).pipe_through(TextDecoderStream(*arguments, **options)).list()


# Attributes and arguments.


async def test_defaults() -> None:
    stream = TextDecoderStream()
    assert (stream.encoding, stream.fatal, stream.ignore_bom) == ("utf-8", False, False)
    assert TextEncoderStream().encoding == "utf-8"
    assert TextDecoderStream(None).encoding == "utf-8"


async def test_options_are_keyword_only_and_attributes_read_only() -> None:
    make: Any = TextDecoderStream
    with pytest.raises(TypeError):
        make("utf-8", True)
    for stream in (TextDecoderStream(), TextEncoderStream()):
        for name in ("encoding", "readable", "writable"):
            with pytest.raises(AttributeError):
                setattr(stream, name, None)


@each_row(
    ("label", "name"),
    [
        ("\t\n\f\r UTF8 ", "utf-8"),
        ("Unicode", "utf-16le"),
        ("unicodeFFFE", "utf-16be"),
        ("latin1", "windows-1252"),
        ("x-user-defined", "x-user-defined"),
        ("logical", "iso-8859-8-i"),
        ("GB2312", "gbk"),
        ("x-x-big5", "big5"),
        ("ks_c_5601-1987", "euc-kr"),
    ],
)
async def test_labels(label: str, name: str) -> None:
    assert TextDecoderStream(label).encoding == name


@each_of(label=["", "utf-7", "utf\u20118", "\u212aoi8", "\ud800", "hz-gb-2312", "replacement", "\x0butf-8"])
async def test_unknown_labels(label: str) -> None:
    with pytest.raises(ValueError, match="label"):
        TextDecoderStream(label)


async def test_a_label_is_a_string() -> None:
    label: Any = b"utf-8"
    with pytest.raises(TypeError, match="label"):
        TextDecoderStream(label)


CORE_ALONE = """
import asyncio, sys
sys.modules["webencodings"] = None
from webstreams.encoding import TextDecoderStream
async def main():
    print([TextDecoderStream(label).encoding for label in ("utf8", "UTF-16", "utf-16be")])
    for label in ("latin1", "nonsense"):
        try:
            TextDecoderStream(label)
        except ValueError as error:
            print("webstreams[encodings]" in str(error), label in str(error))
asyncio.run(main())
"""


def test_the_core_alone() -> None:
    """Without webencodings: UTF-8 and UTF-16, and an error that names the extra for the others."""
    done = subprocess.run([sys.executable, "-c", CORE_ALONE], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["['utf-8', 'utf-16le', 'utf-16be']", "True True", "True True"]


async def test_repr_shows_the_encoding_and_both_sides() -> None:
    assert repr(TextDecoderStream("l1", fatal=True)).startswith("<TextDecoderStream windows-1252 fatal, from <Writable")
    assert repr(TextEncoderStream()).startswith("<TextEncoderStream from <WritableStream")


# Chunks.


async def test_any_bytes_like_chunk() -> None:
    shared = mmap.mmap(-1, 3)
    shared[:] = b"map"
    view = memoryview(bytearray(b"-bytearray-"))[1:-1]
    chunks = [b"bytes", view, array.array("H", [0x4141]), memoryview(array.array("I", [0x42424242])), shared]
    assert "".join(await decoded(chunks)) == "bytesbytearrayAABBBBmap"


async def test_a_chunk_may_be_reused_when_its_write_is_done() -> None:
    stream = TextDecoderStream()
    reader, writer = stream.readable.get_reader(), stream.writable.get_writer()
    chunk = bytearray(b"\xe2\x82")
    read = reader.read()
    await writer.write(chunk)
    chunk[:] = b"xx"
    writer.write(b"\xac")
    assert (await read).value == "\u20ac"


async def test_text_is_no_chunk_of_a_decoder_and_bytes_none_of_an_encoder() -> None:
    with pytest.raises(TypeError, match="str"):
        await decoded(["text"])
    with pytest.raises(TypeError, match="bytearray"):
        chunks: list[Any] = [bytearray(b"bytes")]
        await ReadableStream.from_(chunks).pipe_through(TextEncoderStream()).list()


async def test_not_contiguous() -> None:
    with pytest.raises(TypeError, match="contiguous"):
        await decoded([memoryview(b"abcdef")[::2]])


# Errors.


async def test_a_fatal_error_tells_the_position_and_errors_both_sides() -> None:
    stream = TextDecoderStream("utf-8", fatal=True)
    reader, writer = stream.readable.get_reader(), stream.writable.get_writer()
    first = reader.read()
    await writer.write(b"caf\xc3")
    assert (await first).value == "caf"
    read = reader.read()
    with pytest.raises(TypeError, match=r"utf-8.*position 6") as caught:
        await writer.write(b"\xa9x\xff!")
    with pytest.raises(TypeError) as same:
        await read
    assert same.value is caught.value
    with pytest.raises(TypeError) as closed:
        await writer.closed
    assert closed.value is caught.value


@each_of(encoding=[*UNICODE, *MULTI_BYTE])
async def test_incomplete_input_is_fatal_at_the_end(encoding: str) -> None:
    data = b"\x1b$" if encoding == "iso-2022-jp" else b"\xe3" if encoding == "utf-8" else b"\x81"
    assert (await decoded([data], encoding))[-1][0] == "\ufffd"
    with pytest.raises(TypeError, match=encoding):
        await decoded([data], encoding, fatal=True)


# What the decoders do.


@each_of(encoding=[*UNICODE, *MULTI_BYTE])
def test_chunks_make_no_difference(encoding: str) -> None:
    """However the bytes are split, the text and the errors are the same."""
    numbers = random.Random(encoding)
    for _ in share_of(range(1500)):
        data = bytes(numbers.choice(BYTES) for _ in range(numbers.randrange(12)))
        decoder = TextDecoder(encoding, False, ignore_bom=True)
        text = "".join(decoder.decode(data[place : place + 1]) for place in range(len(data)))
        text += decoder.decode(b"", final=True)
        assert text == decode(data, encoding), data.hex()
        if "\ufffd" not in text:
            assert decode(data, encoding, fatal=True) == text


@each_of(encoding=[*UNICODE, *MULTI_BYTE])
def test_fatal_raises_where_the_other_mode_replaces(encoding: str) -> None:
    numbers = random.Random(encoding)
    for _ in range(500):
        data = bytes(numbers.choice(BYTES[:-1]) for _ in range(8))
        if encoding.startswith("utf-16"):
            data = data.replace(b"\xfd", b"\xdc")
        if "\ufffd" in decode(data, encoding):
            with pytest.raises(TypeError, match=encoding):
                decode(data, encoding, fatal=True)


def table_digest(encoding: str) -> str:
    """The characters of all codes of one or two bytes and some of three and four; only those that are characters."""
    found = {}
    for lead in range(0x80, 0x100):
        codes = [bytes([lead])] + [bytes([lead, trail]) for trail in range(0x30, 0x100)]
        if encoding == "euc-jp" and lead >= 0xA1:
            codes += [bytes([0x8F, lead, trail]) for trail in range(0xA1, 0xFF)]
        if encoding == "gb18030" and lead in (0x81, 0x84, 0x90, 0xE3):
            codes += [bytes([lead, 0x30 + n % 10, 0x81 + n % 126, 0x30 + n % 9]) for n in range(1260)]
        for code in codes:
            try:
                found[code.hex()] = decode(code, encoding, fatal=True)
            except TypeError:
                pass
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:16]


# Of the indexes of the Standard, at whatwg/encoding a985b62a9b45c17da3e17a9f0a0b4e30c34c4a8a.
DIGESTS = {
    "big5": "c5f0f3270cf45f3c",
    "euc-jp": "49f5278e0d8b4b8a",
    "euc-kr": "0583c90e3ec2fc99",
    "gb18030": "b2aa5c7b3da64422",
    "gbk": "68f6c409fe08ef94",
    "shift_jis": "0aa37735609c916b",
}


@each_of(encoding=share_of(list(DIGESTS)))
def test_the_tables_are_those_of_the_standard(encoding: str) -> None:
    assert table_digest(encoding) == DIGESTS[encoding]


@each_row(
    ("encoding", "data", "text"),
    [
        # One error for the longest beginning of a character, none for what follows.
        ("utf-8", "f09f92 41", "\ufffdA"),
        ("utf-8", "e080 41", "\ufffd\ufffdA"),
        ("utf-8", "eda080", "\ufffd\ufffd\ufffd"),
        ("utf-8", "f4908080", "\ufffd\ufffd\ufffd\ufffd"),
        ("utf-16le", "00d8 4100", "\ufffdA"),
        ("utf-16le", "00dc 4100", "\ufffdA"),
        ("utf-16le", "00d841", "\ufffd"),
        ("utf-16be", "d83ddc99", "\U0001f499"),
        # An ASCII byte behind a leading byte is not lost.
        ("shift_jis", "8130", "\ufffd0"),
        ("shift_jis", "80a0fdfeff", "\x80\ufffd\ufffd\ufffd\ufffd"),
        ("shift_jis", "f040", "\ue000"),
        ("euc-kr", "8141 81ff 30", "\uac02\ufffd0"),
        ("big5", "8862 a3e1 8145", "\u00ca\u0304\u20ac\ufffdE"),
        ("big5", "877a a145 c6a1", "\u3875\u2027\u2460"),
        ("euc-jp", "8ea1 8fb0a1 ada1 8f41 a1c1", "\uff61\u4e02\u2460\ufffdA\uff5e"),
        ("gb18030", "80 8135f437 a8bc", "\u20ac\ue7c7\u1e3f"),
        ("gb18030", "8130 41", "\ufffd0A"),
        ("gb18030", "813081 41", "\ufffd0\u4e04"),
        ("gb18030", "fe39fe39 30", "\ufffd0"),
        ("gbk", "a2e3 8431a437", "\u20ac\ufffd"),
        ("iso-2022-jp", "1b2442 2330 1b284a 5c7e 1b2842 5c", "\uff10\u00a5\u203e\\"),
        ("iso-2022-jp", "1b2849 31 1b284231", "\uff711"),
        ("iso-2022-jp", "1b2842 1b2842 41", "\ufffdA"),
        ("iso-2022-jp", "1b24", "\ufffd$"),
        ("windows-1252", "80 81 9f", "\u20ac\x81\u0178"),
        ("windows-1253", "aa 98", "\ufffd\x98"),
        ("windows-1255", "ca d9", "\u05ba\ufffd"),
        ("koi8-u", "ae be", "\u045e\u040e"),
        ("windows-874", "81 db", "\x81\ufffd"),
        ("x-user-defined", "7f 80 ff", "\x7f\uf780\uf7ff"),
        ("macintosh", "db", "\u20ac"),
    ],
)
def test_characters_and_errors(encoding: str, data: str, text: str) -> None:
    assert decode(bytes.fromhex(data), encoding) == text


def test_utf_8_errors_are_known_at_once() -> None:
    """Python alone would wait for the third byte of a surrogate."""
    decoder = TextDecoder("utf-8", False, ignore_bom=True)
    assert decoder.decode(b"\xed\xa0") == "\ufffd\ufffd"
    with pytest.raises(TypeError):
        TextDecoder("utf-8", True, ignore_bom=True).decode(b"\xed\xa0")


async def test_only_unicode_has_a_byte_order_mark() -> None:
    assert await decoded([b"\xef", b"\xbb\xbf", b"\xef\xbb\xbfa"]) == ["\ufeffa"]
    assert await decoded([b"\x84\x31\x95\x33a"], "gb18030") == ["\ufeffa"]
    assert await decoded([b"\xff", b"\xfea\0"], "utf-16") == ["a"]


# Encoding.


@on_one_loop
async def test_surrogates_in_any_chunks() -> None:
    """The pieces of a text with halves of pairs give the same bytes however it is split."""
    numbers = random.Random(1)
    for _ in range(300):
        text = "".join(numbers.choice("a\u20ac\U0001f499\ud83d\udc99") for _ in range(8))
        expected = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
        cuts = sorted(numbers.randrange(9) for _ in range(3))
        chunks = [text[a:b] for a, b in zip([0, *cuts], [*cuts, 8], strict=True)]
        output = await ReadableStream.from_(chunks).pipe_through(TextEncoderStream()).list()
        assert b"".join(output) == expected
        assert all(output)


@on_one_loop
@each_of(
    size=[8192, 8193, 131_072, 131_073, 300_000], made_of=["a\u20ac", "\ud83d\ude00", "x\U0001f600\udc00", "\ud800"]
)
async def test_long_chunks_with_surrogates(made_of: str, size: int) -> None:
    drawn = "".join(random.Random(size).choices(made_of, k=1009))  # a prime: each border is elsewhere in it
    text = (drawn * (size // len(drawn) + 1))[:size]
    expected = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
    output = await ReadableStream.from_([text, "."]).pipe_through(TextEncoderStream()).list()
    assert b"".join(output) == expected + b"."
    assert len(output) == 2, "one chunk gives one chunk"


@each_of(text=["\u20ac", "\ud800", "\U0001f600\udc00"])
async def test_a_long_text_lets_other_tasks_run(text: str) -> None:
    async with another_task() as beats:
        await ReadableStream.from_([text * 300_000]).pipe_through(TextEncoderStream()).list()
    assert beats.count > 300_000 / (1 << 17)


# Nothing is left (FAULTS T7).


@each_of(end=["cancel", "abort"])
async def test_t7_the_decoder_is_freed(end: str) -> None:
    """A decoder that was cancelled or aborted halfway is freed, though somebody keeps the stream."""
    stream = TextDecoderStream("utf-8", fatal=True)
    transformer = stream._transform._controller._transformer
    assert transformer is not None
    decoder = weakref.ref(transformer.transform.__self__)  # type: ignore[attr-defined]
    del transformer
    reader, writer = stream.readable.get_reader(), stream.writable.get_writer()
    read = reader.read()
    await writer.write(b"a\xc3")
    await read
    if end == "cancel":
        await reader.cancel()
    else:
        await writer.abort()
    gc.collect()
    assert decoder() is None


# The loop's other tasks.

SLOW = ["big5", "euc-jp", "euc-kr", "gb18030", "gbk", "iso-2022-jp", "shift_jis"]


@each_of(encoding=SLOW)
async def test_a_long_chunk_of_a_slow_encoding_lets_other_tasks_run(encoding: str) -> None:
    """Each byte takes up to a microsecond: 256 KiB at once would hold the loop for a tenth of a second."""
    text = "日本語 text " if encoding != "euc-kr" else "한국어 text "
    data = text.encode({"gbk": "gbk", "gb18030": "gb18030", "big5": "big5"}.get(encoding, encoding)) * 8_000
    came, beats = await decoded_beside_others(data, encoding)
    assert came == [text * 8_000], "one chunk gives one chunk"
    assert beats > len(data) / 4096


@each_row(
    ("encoding", "data"),
    [("utf-8", b"\xff"), ("utf-16le", b"\0\xd8"), ("utf-16be", b"\xd8\0"), ("windows-1253", b"\xd2")],
)
async def test_a_long_chunk_of_invalid_bytes_lets_other_tasks_run(encoding: str, data: bytes) -> None:
    """What is invalid takes a hundred times as long as what is not: in UTF-8 ten times."""
    came, beats = await decoded_beside_others(data * 300_000, encoding)
    assert "".join(came) == "\ufffd" * 300_000
    assert beats > len(data) * 300_000 / (1 << 18 if encoding == "utf-8" else 1 << 14)


async def decoded_beside_others(data: bytes, encoding: str) -> tuple[list[str], int]:
    """Decode a chunk; return what came, and how many turns another task had meanwhile."""
    async with another_task() as beats:
        came = await ReadableStream.from_([data]).pipe_through(TextDecoderStream(encoding)).list()
    return came, beats.count


async def test_an_error_in_a_long_chunk_of_a_slow_encoding_tells_its_place() -> None:
    stream = ReadableStream.from_([b"a" * 9000 + b"\xff" + b"a" * 9000])
    with pytest.raises(DataError, match="byte 0xff at position 9000"):
        await stream.pipe_through(TextDecoderStream("shift_jis", fatal=True)).list()


async def test_cancelling_in_the_middle_of_a_long_chunk() -> None:
    stream = TextDecoderStream("shift_jis")
    writer, reader = stream.writable.get_writer(), stream.readable.get_reader()
    write, read = writer.write(b"\x83e" * 100_000), reader.read()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not read.done()
    write.then(None, lambda _: None)
    reason = Exception("enough")
    await reader.cancel(reason)
    assert (await read).done
    with pytest.raises(Exception, match="enough"):
        await writer.closed
