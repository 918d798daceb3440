"""Port of streams/writable-streams/bad-underlying-sinks.any.js."""

from __future__ import annotations

from typing import Any

from webstreams import Promise, WritableStream
from wpt_ports.harness import (
    Test,
    assert_array_equals,
    assert_throws_exactly,
    assert_throws_js,
    delay,
    flush_async_events,
    promise_rejects_exactly,
    promise_test,
    run,
    test,
)
from wpt_ports.resources.recording_streams import recording_writable_stream
from wpt_ports.resources.sink_utils import Pending, raising

error1 = Exception("error1")


class WithApply:
    """Not callable, but it has an `apply` method."""

    def apply(self) -> None:
        """Do nothing."""


def stream_with(sink: Any) -> WritableStream[Any]:
    """A stream with a sink that type checkers may refuse."""
    return WritableStream(sink)


def sink_with_raising_property(name: str) -> object:
    """A sink whose member `name` cannot be read."""
    return type("Sink", (), {name: property(raising(error1))})()


@test("start: errors in start cause WritableStream constructor to throw")
def errors_in_start(t: Test) -> None:
    assert_throws_exactly(error1, lambda: stream_with(sink_with_raising_property("start")), "a raising property")
    assert_throws_exactly(error1, lambda: stream_with({"start": raising(error1)}), "a raising method")
    assert_throws_js(TypeError, lambda: stream_with({"start": "not a function or None"}), "a string")
    assert_throws_js(TypeError, lambda: stream_with({"start": WithApply()}), "an object with apply()")


@promise_test("close: throwing method should cause writer close() and ready to reject")
async def raising_close(t: Test) -> None:
    ws = recording_writable_stream({"close": raising(error1)})
    writer = ws.get_writer()
    await promise_rejects_exactly(t, error1, writer.close(), "close()")
    await promise_rejects_exactly(t, error1, writer.ready, "ready")
    await promise_rejects_exactly(t, error1, writer.closed, "closed")
    assert_array_equals(ws.events, ["close"])


@promise_test("close: returning a rejected promise should cause writer close() and ready to reject")
async def rejecting_close(t: Test) -> None:
    ws = recording_writable_stream({"close": lambda: Promise.reject(error1)})
    writer = ws.get_writer()
    await promise_rejects_exactly(t, error1, writer.close(), "close()")
    await promise_rejects_exactly(t, error1, writer.ready, "ready")
    assert_array_equals(ws.events, ["close"])


@test("close: throwing getter should cause constructor to throw")
def raising_close_property(t: Test) -> None:
    assert_throws_exactly(error1, lambda: stream_with(sink_with_raising_property("close")), "the constructor")


@test("write: throwing getter should cause write() and closed to reject")
def raising_write_property(t: Test) -> None:
    assert_throws_exactly(error1, lambda: stream_with(sink_with_raising_property("write")), "the constructor")


@promise_test("write: throwing method should cause write() and closed to reject")
async def raising_write(t: Test) -> None:
    ws = WritableStream[Any]({"write": raising(error1)})
    writer = ws.get_writer()
    await promise_rejects_exactly(t, error1, writer.write("a"), "write()")
    await promise_rejects_exactly(t, error1, writer.closed, "closed")


@promise_test(
    "write: returning a promise that becomes rejected after the writer write() should cause writer write() and ready "
    "to reject"
)
async def write_that_rejects_later(t: Test) -> None:
    write = Pending()
    ws = recording_writable_stream({"write": write})
    await flush_async_events()
    writer = ws.get_writer()
    write_promise = writer.write("a")
    write.reject(error1)
    await Promise.all(
        [
            run(promise_rejects_exactly(t, error1, write_promise, "write()")),
            run(promise_rejects_exactly(t, error1, writer.ready, "ready")),
        ]
    )
    assert_array_equals(ws.events, ["write", "a"])


@promise_test("write: returning a rejected promise (second write) should cause writer write() and ready to reject")
async def second_write_rejects(t: Test) -> None:
    def write(chunk: object, controller: object) -> Any:
        return delay(0) if len(ws.events) == 2 else Promise.reject(error1)

    ws = recording_writable_stream({"write": write})
    writer = ws.get_writer()
    # Not awaited: ready must be tested while the queue is full.
    writer.write("a")
    ready_promise = writer.ready
    await promise_rejects_exactly(t, error1, writer.write("b"), "second write")
    assert writer.ready is ready_promise, "the pending ready is settled, not replaced"
    await promise_rejects_exactly(t, error1, writer.ready, "ready")
    assert_array_equals(ws.events, ["write", "a", "write", "b"])


@test("start: non-function start method")
def start_that_is_no_function(t: Test) -> None:
    assert_throws_js(TypeError, lambda: stream_with({"start": "test"}), "the constructor")


@test("write: non-function write method")
def write_that_is_no_function(t: Test) -> None:
    assert_throws_js(TypeError, lambda: stream_with({"write": "test"}), "the constructor")


@test("close: non-function close method")
def close_that_is_no_function(t: Test) -> None:
    assert_throws_js(TypeError, lambda: stream_with({"close": "test"}), "the constructor")


@test("abort: non-function abort method with .apply")
def abort_that_is_no_function(t: Test) -> None:
    assert_throws_js(TypeError, lambda: stream_with({"abort": WithApply()}), "the constructor")


@test("abort: throwing getter should cause abort() and closed to reject")
def raising_abort_property(t: Test) -> None:
    assert_throws_exactly(error1, lambda: stream_with(sink_with_raising_property("abort")), "the constructor")


@promise_test("abort: throwing method should cause abort() and closed to reject")
async def raising_abort(t: Test) -> None:
    abort_reason = Exception("different string")
    ws = WritableStream[Any]({"abort": raising(error1)})
    writer = ws.get_writer()
    await promise_rejects_exactly(t, error1, writer.abort(abort_reason), "abort()")
    await promise_rejects_exactly(t, abort_reason, writer.closed, "closed")
