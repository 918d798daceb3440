"""Port of streams/readable-streams/garbage-collection.any.js."""

from __future__ import annotations

from typing import Any

from webstreams import Promise, ReadableStream, ReadableStreamDefaultController
from wpt_ports.harness import (
    Test,
    assert_throws_js,
    delay,
    garbage_collect,
    promise_rejects_exactly,
    promise_test,
)


def controller_of_lost_stream() -> ReadableStreamDefaultController[Any]:
    controllers: list[ReadableStreamDefaultController[Any]] = []
    ReadableStream({"start": controllers.append})
    return controllers[0]


def controller_and_closed_promise() -> tuple[ReadableStreamDefaultController[Any], Promise[None]]:
    """What controls a stream, and the closed promise of its reader: neither stream nor reader is kept."""
    controllers: list[ReadableStreamDefaultController[Any]] = []
    stream: ReadableStream[Any] = ReadableStream({"start": controllers.append})
    return controllers[0], stream.get_reader().closed


@promise_test(
    "ReadableStreamController methods should continue working properly when scripts lose their reference to the"
    " readable stream"
)
async def controller_outlives_references_to_its_stream(t: Test) -> None:
    controller = controller_of_lost_stream()
    garbage_collect()
    await delay(50)
    controller.close()
    assert_throws_js(TypeError, controller.close, "close should raise a TypeError the second time")
    controller.error(None)


@promise_test("ReadableStream closed promise should fulfill even if the stream and reader JS references are lost")
async def closed_promise_fulfills(t: Test) -> None:
    controller, closed = controller_and_closed_promise()
    garbage_collect()
    await delay(50)
    controller.close()
    await closed


@promise_test("ReadableStream closed promise should reject even if stream and reader JS references are lost")
async def closed_promise_rejects(t: Test) -> None:
    the_error = Exception("boo")
    controller, closed = controller_and_closed_promise()
    garbage_collect()
    await delay(50)
    controller.error(the_error)
    await promise_rejects_exactly(t, the_error, closed)


@promise_test("Garbage-collecting a ReadableStreamDefaultReader should not unlock its stream")
async def lost_reader_keeps_its_lock(t: Test) -> None:
    rs: ReadableStream[Any] = ReadableStream({})
    rs.get_reader()
    garbage_collect()
    await delay(50)
    assert_throws_js(TypeError, rs.get_reader, "the old reader should still lock the stream after garbage collection")
