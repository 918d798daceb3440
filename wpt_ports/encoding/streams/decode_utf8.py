"""Port of encoding/streams/decode-utf8.any.js."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from mmap import mmap
from typing import Any

from webstreams.encoding import TextDecoderStream
from wpt_ports.harness import Test, add_port, assert_array_equals, promise_test
from wpt_ports.resources.array_streams import readable_stream_from_array, readable_stream_to_array

TEXT = "I \U0001f499 streams"
MakeChunk = Callable[[bytes], memoryview]


def in_own_memory(data: bytes) -> memoryview:
    return memoryview(bytearray(data))


def in_shared_memory(data: bytes) -> memoryview:
    """What stands for a SharedArrayBuffer: memory that other processes may have mapped, too."""
    memory = mmap(-1, max(len(data), 1))
    view = memoryview(memory)[: len(data)]
    view[:] = data
    return view


async def decode(*chunks: Any) -> list[str]:
    return await readable_stream_to_array(readable_stream_from_array(chunks).pipe_through(TextDecoderStream()))


async def one_chunk(make_chunk: MakeChunk, t: Test) -> None:
    assert_array_equals(await decode(make_chunk(TEXT.encode())), [TEXT], "the output should be in one chunk")


async def empty_chunk(make_chunk: MakeChunk, t: Test) -> None:
    assert_array_equals(await decode(make_chunk(b"")), [], "no chunks should be output")


async def initial_empty_chunk(make_chunk: MakeChunk, t: Test) -> None:
    array = await decode(make_chunk(b""), make_chunk(TEXT.encode()))
    assert_array_equals(array, [TEXT], "the output should be in one chunk")


async def trailing_empty_chunk(make_chunk: MakeChunk, t: Test) -> None:
    array = await decode(make_chunk(TEXT.encode()), make_chunk(b""))
    assert_array_equals(array, [TEXT], "the output should be in one chunk")


async def end_of_file(make_chunk: MakeChunk, t: Test) -> None:
    assert_array_equals(await decode(make_chunk(b"\xf0\x9f\x92")), ["\ufffd"])


SHARED: dict[str, Callable[[MakeChunk, Test], Any]] = {
    "decoding one UTF-8 chunk should give one output string": one_chunk,
    "decoding an empty chunk should give no output chunks": empty_chunk,
    "an initial empty chunk should be ignored": initial_empty_chunk,
    "a trailing empty chunk should be ignored": trailing_empty_chunk,
    "UTF-8 EOF handling": end_of_file,
}
for kind, maker in (("ArrayBuffer", in_own_memory), ("SharedArrayBuffer", in_shared_memory)):
    for title, function in SHARED.items():
        add_port(__name__, f"{title} - {kind}", partial(function, maker))


@promise_test("decoding a transferred Uint8Array chunk should give no output")
async def transferred_view(t: Test) -> None:
    view = memoryview(bytearray(b"\0A\0"))[1:2]
    view.release()
    assert_array_equals(await decode(view), [], "no chunks should be output")


@promise_test("decoding a transferred ArrayBuffer chunk should give no output")
async def transferred_buffer(t: Test) -> None:
    buffer = memoryview(bytearray(1))
    buffer.release()
    assert_array_equals(await decode(buffer), [], "no chunks should be output")
