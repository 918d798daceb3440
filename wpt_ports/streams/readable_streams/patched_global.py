"""Port of streams/readable-streams/patched-global.any.js."""

from __future__ import annotations

from typing import Any

import webstreams
from webstreams import (
    Promise,
    ReadableStream,
    ReadableStreamDefaultController,
    ReadableStreamDefaultReader,
    WritableStream,
)
from wpt_ports.harness import Test, promise_test, test


def patch(t: Test, owner: Any, name: str) -> None:
    """Make `owner.name` raise when it is called, until the test is over."""
    if isinstance(owner, type):
        owner = next(each for each in owner.__mro__ if name in vars(each))
    original = vars(owner)[name]

    def patched(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError(f"the patched {name} was called")

    try:
        setattr(owner, name, patched)
    except TypeError:
        # A compiled class cannot be patched in the first place.
        return
    t.add_cleanup(lambda: setattr(owner, name, original))


def is_readable_stream(value: Any) -> bool:
    return type(value) is ReadableStream and value.locked is False


@test("ReadableStream tee() should not call the global ReadableStream")
def tee_and_global_readable_stream(t: Test) -> None:
    rs: ReadableStream[Any] = ReadableStream()
    patch(t, webstreams, "ReadableStream")
    branch1, branch2 = rs.tee()
    assert is_readable_stream(branch1), "branch1 should be a ReadableStream"
    assert is_readable_stream(branch2), "branch2 should be a ReadableStream"


@promise_test(
    "ReadableStream async iterator should use the original values of getReader() and ReadableStreamDefaultReader"
    " methods"
)
async def iterator_and_patched_methods(t: Test) -> None:
    def start(controller: ReadableStreamDefaultController[Any]) -> None:
        for chunk in (1, 2, 3):
            controller.enqueue(chunk)
        controller.close()

    rs: ReadableStream[Any] = ReadableStream({"start": start})
    original_get_reader = ReadableStream.get_reader
    patch(t, ReadableStream, "get_reader")
    for name in ("read", "cancel", "release_lock"):
        owner = next(cls for cls in ReadableStreamDefaultReader.__mro__ if name in vars(cls))
        patch(t, owner, name)

    async for _ in rs:
        break

    reader = original_get_reader(rs)
    await reader.closed


@test("tee() should not call Promise.prototype.then()")
def tee_and_patched_then(t: Test) -> None:
    patch(t, Promise, "then")
    rs: ReadableStream[Any] = ReadableStream()
    branch1, branch2 = rs.tee()
    assert is_readable_stream(branch1), "branch1 should be a ReadableStream"
    assert is_readable_stream(branch2), "branch2 should be a ReadableStream"


@test("pipeTo() should not call Promise.prototype.then()")
def pipe_to_and_patched_then(t: Test) -> None:
    patch(t, Promise, "then")
    controllers: list[ReadableStreamDefaultController[Any]] = []
    rs: ReadableStream[Any] = ReadableStream({"start": controllers.append})
    ws: WritableStream[Any] = WritableStream()
    rs.pipe_to(ws)
    controllers[0].close()
