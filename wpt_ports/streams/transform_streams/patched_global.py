"""Port of streams/transform-streams/patched-global.any.js."""

from __future__ import annotations

from typing import Any

import webstreams
from webstreams import ReadableStreamDefaultReader, TransformStream, WritableStreamDefaultWriter
from wpt_ports.harness import Test, test


def replace_global(t: Test, name: str) -> None:
    """Until the end of the test, calling the public `name` of the package raises."""
    original = getattr(webstreams, name)

    def broken(*args: object) -> None:
        raise RuntimeError(f"called the global {name}")

    setattr(webstreams, name, broken)
    t.add_cleanup(lambda: setattr(webstreams, name, original))


@test("TransformStream should use the original value of ReadableStream and WritableStream")
def original_classes_are_used(t: Test) -> None:
    get_reader = webstreams.ReadableStream.get_reader
    get_writer = webstreams.WritableStream.get_writer
    replace_global(t, "ReadableStream")
    replace_global(t, "WritableStream")
    ts = TransformStream[Any, Any]()
    assert isinstance(get_reader(ts.readable), ReadableStreamDefaultReader)
    assert isinstance(get_writer(ts.writable), WritableStreamDefaultWriter)
