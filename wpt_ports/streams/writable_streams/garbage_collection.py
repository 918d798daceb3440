"""Port of streams/writable-streams/garbage-collection.any.js."""

from __future__ import annotations

from typing import Any

from webstreams import Promise, WritableStream
from wpt_ports.harness import Test, garbage_collect, promise_test


@promise_test("A WritableStream and its writer should not be garbage collected while there is a write promise pending")
async def pending_write_keeps_stream(t: Test) -> None:
    written: list[object] = []

    def start_writing() -> Promise[None]:
        ws = WritableStream[Any]({"write": lambda chunk, controller: written.append(chunk)})
        writer = ws.get_writer()
        return writer.write("something")

    promise = start_writing()
    garbage_collect()
    await promise
    assert written
