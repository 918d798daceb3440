"""Port of streams/piping/general-addition.any.js."""

from __future__ import annotations

from typing import Any

from webstreams import Promise, ReadableStream, WritableStream
from wpt_ports.harness import Test, promise_test
from wpt_ports.resources.piping import StartOnly


@promise_test("enqueue() must not synchronously call write algorithm")
async def enqueue_does_not_write(t: Test) -> None:
    written: list[Any] = []
    source = StartOnly()
    rs: ReadableStream[Any] = ReadableStream(source, {"high_water_mark": 0})
    ws: WritableStream[Any] = WritableStream({"write": lambda chunk, controller: written.append(chunk)})
    rs.pipe_to(ws)

    await Promise.resolve(None)
    source.controller.enqueue()
    assert not written, "the write algorithm must not run synchronously"
