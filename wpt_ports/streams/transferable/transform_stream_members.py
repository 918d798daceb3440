"""Port of streams/transferable/transform-stream-members.any.js.

Python: `transfer` sends one stream at a time, so that the second one is refused.
"""

from __future__ import annotations

from typing import Any

from webstreams import TransformStream
from webstreams.workers import message_channel, transfer
from wpt_ports.harness import Test, add_port, assert_throws_js


def port_for(first: str, second: str) -> None:
    """Register the port for one combination; "" is the transform stream itself."""

    async def run(t: Test) -> None:
        ts: TransformStream[Any, Any] = TransformStream()
        streams = [getattr(ts, name) if name else ts for name in (first, second)]
        here, there = message_channel()
        with here, there:
            transfer(streams[0], here)
            assert_throws_js(TypeError, lambda: transfer(streams[1], here), "transferring should throw")

    classes = {"": "TransformStream", "readable": "ReadableStream", "writable": "WritableStream"}
    title = f"Transferring [object {classes[first]}],[object {classes[second]}] should fail"
    add_port(__name__, title, run)


for combination in (("", "readable"), ("readable", ""), ("", "writable"), ("writable", "")):
    port_for(*combination)
