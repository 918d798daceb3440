"""Port of encoding/streams/backpressure.any.js."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from webstreams import Promise
from webstreams.encoding import TextDecoderStream, TextEncoderStream
from wpt_ports.harness import Test, add_port, assert_array_equals, delay

CLASSES: list[tuple[Callable[[], Any], str, Any]] = [
    (TextDecoderStream, "TextDecoderStream", b"A"),
    (TextEncoderStream, "TextEncoderStream", "A"),
]


async def write_waits_for_the_read(make_stream: Callable[[], Any], chunk: Any, t: Test) -> None:
    stream = make_stream()
    writer = stream.writable.get_writer()
    reader = stream.readable.get_reader()
    events: list[object] = []
    await delay(0)
    write = writer.write(chunk)
    write.then(lambda _: events.append("write"))
    await delay(0)
    events.append("paused")
    await reader.read()
    events.append("read")
    await write
    assert_array_equals(events, ["paused", "read", "write"], "write should happen after read")


async def second_write_waits_for_the_second_read(make_stream: Callable[[], Any], chunk: Any, t: Test) -> None:
    stream = make_stream()
    writer = stream.writable.get_writer()
    reader = stream.readable.get_reader()
    events: list[object] = []
    await delay(0)
    read1 = reader.read()
    read1.then(lambda _: events.append("read1"))
    write1 = writer.write(chunk)
    write2 = writer.write(chunk)
    write1.then(lambda _: events.append("write1"))
    write2.then(lambda _: events.append("write2"))
    await delay(0)
    events.append("paused")
    read2 = reader.read()
    read2.then(lambda _: events.append("read2"))
    await Promise.all([write1, write2, read1, read2])
    assert_array_equals(
        events, ["read1", "write1", "paused", "read2", "write2"], "writes should not happen before read2"
    )


for constructor, name, input_chunk in CLASSES:
    add_port(
        __name__,
        f"write() should not complete until read relieves backpressure for {name}",
        partial(write_waits_for_the_read, constructor, input_chunk),
    )
    add_port(
        __name__,
        f"additional writes should wait for backpressure to be relieved for class {name}",
        partial(second_write_waits_for_the_second_read, constructor, input_chunk),
    )
