"""Port of streams/piping/transform-streams.any.js."""

from __future__ import annotations

from typing import Any

from webstreams import ReadableStream, TransformStream, WritableStream
from wpt_ports.harness import Test, promise_test
from wpt_ports.resources.piping import enqueuing


@promise_test("Piping through an identity transform stream should close the destination when the source closes")
async def identity_transform_closes(t: Test) -> None:
    rs: ReadableStream[Any] = ReadableStream({"start": enqueuing("a", "b", "c", close=True)})
    ts: TransformStream[Any, Any] = TransformStream()
    ws: WritableStream[Any] = WritableStream()

    await rs.pipe_through(ts).pipe_to(ws)
    await ws.get_writer().closed
