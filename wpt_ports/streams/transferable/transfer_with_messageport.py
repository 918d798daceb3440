"""Port of streams/transferable/transfer-with-messageport.window.js."""

from __future__ import annotations

import pickle
from typing import Any

from webstreams import ReadableStream, TransformStream, WritableStream
from wpt_ports.harness import Test, assert_throws_js, test


def assert_not_serializable(stream: Any) -> None:
    assert_throws_js(TypeError, lambda: pickle.dumps({"stream": stream}), "pickling should throw")


@test("ReadableStream must not be serializable")
def readable(t: Test) -> None:
    assert_not_serializable(ReadableStream())


@test("WritableStream must not be serializable")
def writable(t: Test) -> None:
    assert_not_serializable(WritableStream())


@test("TransformStream must not be serializable")
def transform(t: Test) -> None:
    assert_not_serializable(TransformStream())
