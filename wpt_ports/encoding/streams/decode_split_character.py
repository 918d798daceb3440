"""Port of encoding/streams/decode-split-character.any.js."""

from __future__ import annotations

from functools import partial

from webstreams.encoding import TextDecoderStream
from wpt_ports.harness import Test, add_port, assert_array_equals, promise_test
from wpt_ports.resources.array_streams import readable_stream_from_array, readable_stream_to_array

INPUT = "I \U0001f499 streams".encode()
EXPECTED = ["I ", "\U0001f499 streams"]


async def decode(*chunks: bytes) -> list[str]:
    return await readable_stream_to_array(readable_stream_from_array(chunks).pipe_through(TextDecoderStream()))


async def split_code_point(split_point: int, t: Test) -> None:
    array = await decode(INPUT[:split_point], INPUT[split_point:])
    assert_array_equals(array, EXPECTED, "the split code point should be in the second chunk of the output")


@promise_test("a code point should be emitted as soon as all bytes are available")
async def complete_code_point(t: Test) -> None:
    array = await decode(INPUT[:6], INPUT[6:])
    assert_array_equals(
        array, ["I \U0001f499", " streams"], "the multibyte character should be in the first chunk of the output"
    )


async def empty_chunk_between(split_point: int, t: Test) -> None:
    array = await decode(INPUT[:split_point], b"", INPUT[split_point:])
    assert len(array) == 2, "two chunks should be output"
    assert "".join(array) == "".join(EXPECTED), "output should be unchanged by the empty chunk"


for place in range(2, 6):
    add_port(
        __name__,
        f"a code point split between chunks should not be emitted until all bytes are available; split point = {place}",
        partial(split_code_point, place),
    )

for place in range(1, 7):
    add_port(
        __name__,
        f"an empty chunk inside a code point split between chunks should not change the output; split point = {place}",
        partial(empty_chunk_between, place),
    )
