"""Port of streams/writable-streams/start.any.js."""

from __future__ import annotations

from typing import Any

from webstreams import Promise, WritableStream
from wpt_ports.harness import (
    Test,
    assert_array_equals,
    assert_throws_exactly,
    flush_async_events,
    promise_rejects_exactly,
    promise_test,
    run,
    test,
)
from wpt_ports.resources.recording_streams import recording_writable_stream
from wpt_ports.resources.sink_utils import Pending, Thenable, raising, record

error1 = Exception("error1")


@promise_test("underlying sink's write should not be called until start finishes")
async def write_waits_for_start(t: Test) -> None:
    start = Pending()
    ws = recording_writable_stream({"start": start})
    writer = ws.get_writer()
    assert writer.desired_size == 1, "before write()"
    writer.write("a")
    assert writer.desired_size == 0, "after write()"
    await flush_async_events()
    assert_array_equals(ws.events, [], "while start() runs")
    start.resolve()
    await writer.ready
    assert_array_equals(ws.events, ["write", "a"], "after start()")


@promise_test("underlying sink's close should not be called until start finishes")
async def close_waits_for_start(t: Test) -> None:
    start = Pending()
    ws = recording_writable_stream({"start": start})
    writer = ws.get_writer()
    writer.close()
    assert writer.desired_size == 1
    await flush_async_events()
    assert_array_equals(ws.events, [], "while start() runs")
    start.resolve()
    await writer.closed


@test("underlying sink's write or close should not be called if start throws")
def nothing_called_if_start_raises(t: Test) -> None:
    passed_error = Exception("horrible things")
    # Not a recording stream: when the constructor raises, there is none to look at.
    calls: list[str] = []
    sink: Any = {
        "start": raising(passed_error),
        "write": lambda chunk, controller: calls.append("write"),
        "close": lambda: calls.append("close"),
    }
    assert_throws_exactly(passed_error, lambda: WritableStream[Any](sink), "the constructor")
    assert_array_equals(calls, [], "neither write() nor close() is called")


@promise_test("underlying sink's write or close should not be invoked if the promise returned by start is rejected")
async def nothing_called_if_start_rejects(t: Test) -> None:
    ws = recording_writable_stream({"start": lambda controller: Promise.reject(None)})
    await flush_async_events()
    assert_array_equals(ws.events, [], "neither write() nor close() is called")


@promise_test("returning a thenable from start() should work")
async def thenable_from_start(t: Test) -> None:
    ws = WritableStream[Any]({"start": lambda controller: Thenable(error1)})
    await promise_rejects_exactly(t, error1, ws.get_writer().closed, "closed")


@promise_test("controller.error() during start should cause writes to fail")
async def error_in_start(t: Test) -> None:
    ws = recording_writable_stream({"start": lambda controller: controller.error(error1)})
    await promise_rejects_exactly(t, error1, ws.get_writer().write("a"), "write()")
    assert_array_equals(ws.events, [], "the sink's write() is not called")


@promise_test("controller.error() during async start should cause existing writes to fail")
async def error_during_async_start(t: Test) -> None:
    start = Pending()
    ws = recording_writable_stream({"start": start})
    writer = ws.get_writer()
    write_promise = writer.write("a")
    close_promise = writer.close()
    start.controller.error(error1)
    start.resolve()
    await Promise.all(
        [
            run(promise_rejects_exactly(t, error1, write_promise, "write()")),
            run(promise_rejects_exactly(t, error1, close_promise, "close()")),
        ]
    )
    assert_array_equals(ws.events, [], "neither write() nor close() is called")


@promise_test("when start() rejects, writer promises should reject in standard order")
async def order_when_start_rejects(t: Test) -> None:
    events: list[str] = []
    promises: list[Promise[Any]] = []

    def catch_and_record(promise: Promise[Any], name: str) -> None:
        promises.append(promise.then(t.unreached(f"{name} is fulfilled"), record(events, name)))

    ws = WritableStream[Any]({"start": lambda controller: Promise.reject(None)}, {"high_water_mark": 0})
    writer = ws.get_writer()
    catch_and_record(writer.ready, "ready")
    catch_and_record(writer.closed, "closed")
    catch_and_record(writer.write(None), "write")
    await Promise.all(promises)
    assert_array_equals(events, ["ready", "write", "closed"], "the order of rejecting")
