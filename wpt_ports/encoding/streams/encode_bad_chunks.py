"""Port of encoding/streams/encode-bad-chunks.any.js."""

from __future__ import annotations

from functools import partial
from typing import Any

from webstreams.encoding import TextDecoderStream, TextEncoderStream
from wpt_ports.harness import Test, add_port, promise_rejects_exactly, promise_test
from wpt_ports.resources.array_streams import readable_stream_from_array, readable_stream_to_array

error1 = Exception("error1")


class Unstringable:
    """An object that cannot be converted to a string."""

    def __str__(self) -> str:
        raise error1


@promise_test("a chunk that cannot be converted to a string should error the streams")
async def unstringable_chunk(t: Test) -> None:
    stream = TextEncoderStream()
    writer = stream.writable.get_writer()
    reader = stream.readable.get_reader()
    chunk: Any = Unstringable()
    write = writer.write(chunk)
    read = reader.read()
    await promise_rejects_exactly(t, error1, read, "read should reject with error1")
    await promise_rejects_exactly(t, error1, write, "write should reject with error1")
    await promise_rejects_exactly(t, error1, reader.closed, "readable should be errored with error1")
    await promise_rejects_exactly(t, error1, writer.closed, "writable should be errored with error1")


# What str() gives stands for what JavaScript's ToString gives; undefined and null are both None.
ODD_INPUTS: list[tuple[str, Any, str]] = [
    ("undefined", None, "None"),
    ("null", None, "None"),
    ("numeric", 3.14, "3.14"),
    ("object", {}, "{}"),
    ("array", ["hi"], "['hi']"),
]


async def is_converted(value: Any, expected: str, t: Test) -> None:
    readable = readable_stream_from_array([value]).pipe_through(TextEncoderStream()).pipe_through(TextDecoderStream())
    output = await readable_stream_to_array(readable)
    assert len(output) == 1, "output should contain one chunk"
    assert output[0] == expected, "output should be correct"


for name, odd_value, string in ODD_INPUTS:
    add_port(
        __name__,
        f"input of type {name} should be converted correctly to string",
        partial(is_converted, odd_value, string),
    )
