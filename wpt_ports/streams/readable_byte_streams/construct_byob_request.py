"""Port of streams/readable-byte-streams/construct-byob-request.any.js."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

from webstreams import ReadableByteStreamController, ReadableStreamBYOBRequest
from wpt_ports.harness import Test, add_port, assert_throws_js
from wpt_ports.resources.byte_views import controlled_byte_stream

# A mock with a spec passes isinstance(): an object that only pretends to be one of the class.
CONTROLLERS: dict[str, Callable[[], Any]] = {
    "undefined": lambda: None,
    "null": lambda: None,
    "fake": lambda: Mock(spec=ReadableByteStreamController),
    "real": lambda: controlled_byte_stream()[1],
}
VIEWS: dict[str, Callable[[], Any]] = {
    "undefined": lambda: None,
    "null": lambda: None,
    "fake": lambda: Mock(spec=memoryview),
    "real": lambda: memoryview(bytearray(16)),
}


def add_constructor_port(controller_type: str, view_type: str) -> None:
    async def construct(t: Test) -> None:
        request_class: Any = ReadableStreamBYOBRequest
        controller, view = CONTROLLERS[controller_type](), VIEWS[view_type]()
        assert_throws_js(TypeError, lambda: request_class(controller, view), "not to be constructed")

    title = (
        f"ReadableStreamBYOBRequest constructor should throw when passed a {controller_type} "
        f"ReadableByteStreamController and a {view_type} view"
    )
    add_port(__name__, title, construct)


for each_controller in CONTROLLERS:
    for each_view in VIEWS:
        add_constructor_port(each_controller, each_view)
