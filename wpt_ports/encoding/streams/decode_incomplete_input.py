"""Port of encoding/streams/decode-incomplete-input.any.js."""

from __future__ import annotations

from webstreams.encoding import TextDecoderStream
from wpt_ports.harness import Test, assert_array_equals, promise_rejects_js, promise_test
from wpt_ports.resources.array_streams import readable_stream_from_array, readable_stream_to_array

INPUT = b"\xe5"


@promise_test('incomplete input with error mode "replacement" should end with a replacement character')
async def replacement_mode(t: Test) -> None:
    output = readable_stream_from_array([INPUT]).pipe_through(TextDecoderStream())
    array = await readable_stream_to_array(output)
    assert_array_equals(array, ["\ufffd"], "array should have one element")


@promise_test('incomplete input with error mode "fatal" should error the stream')
async def fatal_mode(t: Test) -> None:
    output = readable_stream_from_array([INPUT]).pipe_through(TextDecoderStream("utf-8", fatal=True))
    reader = output.get_reader()
    await promise_rejects_js(t, TypeError, reader.read(), "read should reject")
