"""Port of streams/transform-streams/terminate.any.js."""

from __future__ import annotations

from typing import Any

from webstreams import Promise, ReadableStream, TransformStream
from wpt_ports.harness import (
    Test,
    assert_array_equals,
    assert_throws_js,
    delay,
    promise_rejects_exactly,
    promise_rejects_js,
    promise_test,
    run,
    test,
)
from wpt_ports.resources.recording_streams import recording_transform_stream

error1 = Exception("error1")


@promise_test("controller.terminate() should error pipeTo()")
async def terminate_errors_the_pipe(t: Test) -> None:
    ts = recording_transform_stream({}, None, {"high_water_mark": 0})
    rs = ReadableStream[Any]({"start": lambda controller: controller.enqueue(0)})
    pipe_to_rejected = False

    def note_rejected(_: Any) -> None:
        nonlocal pipe_to_rejected
        pipe_to_rejected = True

    pipe_to_promise = run(promise_rejects_js(t, TypeError, rs.pipe_to(ts.writable), "pipe_to()")).then(note_rejected)
    await delay(0)
    assert_array_equals(ts.events, [], "transform() has seen no chunk")
    assert not pipe_to_rejected, "pipe_to() has not rejected yet"
    ts.controller.terminate()
    await pipe_to_promise
    assert_array_equals(ts.events, [], "transform() still has seen no chunk")
    assert pipe_to_rejected


@promise_test("controller.terminate() should prevent remaining chunks from being processed")
async def terminate_drops_remaining_chunks(t: Test) -> None:
    def start(controller: Any) -> None:
        controller.enqueue(0)
        controller.enqueue(1)

    ts = recording_transform_stream({}, None, {"high_water_mark": 1})
    rs = ReadableStream[Any]({"start": start})
    pipe_to_promise = rs.pipe_to(ts.writable)
    await delay(0)
    assert_array_equals(ts.events, ["transform", 0], "transform() has seen one chunk")
    ts.controller.terminate()
    await promise_rejects_js(t, TypeError, pipe_to_promise, "pipe_to()")
    assert_array_equals(ts.events, ["transform", 0], "transform() still has seen one chunk only")


@test("controller.enqueue() should throw after controller.terminate()")
def enqueue_after_terminate(t: Test) -> None:
    def start(controller: Any) -> None:
        controller.enqueue(0)
        controller.terminate()
        assert_throws_js(TypeError, lambda: controller.enqueue(1), "enqueue()")

    TransformStream[Any, Any]({"start": start})


@promise_test("controller.error() after controller.terminate() with queued chunk should error the readable")
async def error_after_terminate_with_chunk(t: Test) -> None:
    def start(controller: Any) -> None:
        controller.enqueue(0)
        controller.terminate()
        controller.error(error1)

    ts = TransformStream[Any, Any]({"start": start})
    await Promise.all(
        [
            promise_rejects_js(t, TypeError, ts.writable.abort(), "abort()"),
            promise_rejects_exactly(t, error1, ts.readable.cancel(), "cancel()"),
            promise_rejects_exactly(t, error1, ts.readable.get_reader().closed, "reader.closed"),
        ]
    )


@promise_test("controller.error() after controller.terminate() without queued chunk should do nothing")
async def error_after_terminate_without_chunk(t: Test) -> None:
    def start(controller: Any) -> None:
        controller.terminate()
        controller.error(error1)

    ts = TransformStream[Any, Any]({"start": start})
    await Promise.all(
        [
            promise_rejects_js(t, TypeError, ts.writable.abort(), "abort()"),
            ts.readable.cancel(),
            ts.readable.get_reader().closed,
        ]
    )


@promise_test("controller.terminate() inside flush() should not prevent writer.close() from succeeding")
async def terminate_inside_flush(t: Test) -> None:
    ts = TransformStream[Any, Any]({"flush": lambda controller: controller.terminate()})
    writer = ts.writable.get_writer()
    await Promise.all([writer.close(), writer.closed, ts.readable.get_reader().closed])
