"""Port of encoding/streams/readable-writable-properties.any.js."""

from __future__ import annotations

from webstreams import ReadableStream, ReadableStreamDefaultReader, WritableStream, WritableStreamDefaultWriter
from webstreams.encoding import TextDecoderStream, TextEncoderStream
from wpt_ports.harness import Test, test


@test("TextEncoderStream readable and writable properties must pass brand checks")
def encoder_properties(t: Test) -> None:
    stream = TextEncoderStream()
    assert isinstance(ReadableStream.get_reader(stream.readable), ReadableStreamDefaultReader)
    assert isinstance(WritableStream.get_writer(stream.writable), WritableStreamDefaultWriter)


@test("TextDecoderStream readable and writable properties must pass brand checks")
def decoder_properties(t: Test) -> None:
    stream = TextDecoderStream()
    assert isinstance(ReadableStream.get_reader(stream.readable), ReadableStreamDefaultReader)
    assert isinstance(WritableStream.get_writer(stream.writable), WritableStreamDefaultWriter)
