"""Byte sources for the ports, and what a typed array tells of itself, told of a memoryview.

``buffer``, ``byteOffset`` and ``byteLength`` have counterparts: the object that a memoryview is a view of, the distance
of the two addresses, and ``nbytes``. A detached buffer is a released memoryview.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from webstreams import Promise, ReadableStream
from wpt_ports.harness import Test

Answer = Callable[[Any], object]


@dataclass(frozen=True)
class ViewInfo:
    """Item format of a view, length of its buffer, and where the view lies in it, all lengths in bytes."""

    format: str
    buffer_length: int
    offset: int
    length: int


def view_info(view: memoryview) -> ViewInfo:
    """``extractViewInfo``: what a view tells of itself as long as it is not released."""
    buffer = memoryview(view.obj)
    return ViewInfo(view.format, buffer.nbytes, _address(view) - _address(buffer), view.nbytes)


def _address(view: memoryview) -> int:
    return ctypes.addressof((ctypes.c_char * 0).from_buffer(view))


def whole_buffer(view: memoryview) -> memoryview:
    """``view.buffer``: a view of everything that `view` is a part of."""
    return memoryview(view.obj)


def is_released(view: memoryview) -> bool:
    """Whether `view` was released: what is left of a view whose buffer was detached."""
    try:
        view.nbytes
    except ValueError:
        return True
    return False


def uint8(*items: int) -> memoryview:
    """``new Uint8Array([...])``, over a bytearray of its own."""
    return memoryview(bytearray(items))


def uint16(length: int) -> memoryview:
    """``new Uint16Array(length)``, over a bytearray of its own."""
    return memoryview(bytearray(2 * length)).cast("H")


def assert_typed_array_equals(actual: object, expected: memoryview, message: str = "") -> None:
    """``assert_typed_array_equals``: same format, position and contents, and the same contents of the whole buffer."""
    assert isinstance(actual, memoryview), f"{actual!r} is no memoryview {message}"
    assert view_info(actual) == view_info(expected), f"{view_info(actual)} is not {view_info(expected)} {message}"
    assert actual.tobytes() == expected.tobytes(), f"{actual.tobytes()!r} is not {expected.tobytes()!r} {message}"
    left, right = whole_buffer(actual).tobytes(), whole_buffer(expected).tobytes()
    assert left == right, f"the buffer {left!r} is not {right!r} {message}"


def assert_bytes(actual: object, expected: bytes, message: str = "") -> None:
    """Check a chunk that a default reader got from a byte stream."""
    assert type(actual) is bytes, f"{actual!r} is not bytes {message}"
    assert actual == expected, f"{actual!r} is not {expected!r} {message}"


def byte_stream(strategy: Any = None, **members: Any) -> ReadableStream[Any]:
    """A stream over the underlying byte source with these members."""
    source: Any = {"type": "bytes", **members}
    return ReadableStream(source, strategy)


def controlled_byte_stream(strategy: Any = None, **members: Any) -> tuple[ReadableStream[Any], Any]:
    """A stream over the underlying byte source with these members, and the controller that `start` was given."""
    controllers: list[Any] = []
    stream = byte_stream(strategy, start=controllers.append, **members)
    return stream, controllers[0]


def step_func_done(t: Test, function: Callable[..., object]) -> tuple[Callable[..., None], Promise[None]]:
    """``t.step_func_done``: `function`, to be run once, and a promise that it did."""
    finished, finish, _ = Promise.with_resolvers()
    step = t.step(function)
    called = False

    def once(*args: object) -> None:
        nonlocal called
        if called:
            return
        called = True
        try:
            step(*args)
        finally:
            finish(None)

    return once, finished


class RecordingPull:
    """A `pull` that keeps what it saw of the BYOB request's view, then answers with the next of `answers`, if any."""

    def __init__(self, *answers: Answer) -> None:
        self.count = 0
        self.view_infos: list[ViewInfo] = []
        self._answers = answers

    def pull(self, controller: Any) -> None:
        request = controller.byob_request
        assert request is not None, "no BYOB request"
        assert request.view is not None, "a BYOB request without a view"
        self.view_infos.append(view_info(request.view))
        if self.count < len(self._answers):
            self._answers[self.count](controller)
        self.count += 1


def respond_with(*items: int) -> Answer:
    """Write `items` into the BYOB request's view and respond."""

    def answer(controller: Any) -> None:
        request = controller.byob_request
        request.view[: len(items)] = bytes(items)
        request.respond(len(items))

    return answer


def enqueue(*items: int) -> Answer:
    """Enqueue `items` as one chunk."""
    return lambda controller: controller.enqueue(bytes(items))
