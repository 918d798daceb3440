"""Port of streams/transform-streams/reentrant-strategies.any.js.

The ``size()`` of the readable strategy may call back into its transform stream.
"""

from __future__ import annotations

from math import inf
from typing import Any

from webstreams import Promise, TransformStream
from wpt_ports.harness import (
    Test,
    assert_array_equals,
    delay,
    flush_async_events,
    promise_rejects_exactly,
    promise_test,
)
from wpt_ports.resources.recording_streams import recording_writable_stream
from wpt_ports.resources.rs_utils import readable_stream_to_array
from wpt_ports.resources.ts_utils import ControllerKeeper

error1 = Exception("error1")


@promise_test("enqueue() inside size() should work")
async def enqueue_inside_size(t: Test) -> None:
    keeper = ControllerKeeper()
    calls = 0

    def size(chunk: Any) -> float:
        nonlocal calls
        calls += 1
        if calls < 2:
            keeper.controller.enqueue("b")
        return 1

    ts = TransformStream[Any, Any](keeper, None, {"size": size, "high_water_mark": inf})
    writer = ts.writable.get_writer()
    await Promise.all([writer.write("a"), writer.close()])
    assert_array_equals(await readable_stream_to_array(ts.readable), ["b", "a"])


@promise_test("terminate() inside size() should work")
async def terminate_inside_size(t: Test) -> None:
    keeper = ControllerKeeper()

    def size(chunk: Any) -> float:
        # The queue is empty, so this closes the readable: the chunk is still queued, but can never be read.
        keeper.controller.terminate()
        return 1

    ts = TransformStream[Any, Any](keeper, None, {"size": size, "high_water_mark": inf})
    await ts.writable.get_writer().write("a")
    assert_array_equals(await readable_stream_to_array(ts.readable), [])


@promise_test("error() inside size() should work")
async def error_inside_size(t: Test) -> None:
    keeper = ControllerKeeper()

    def size(chunk: Any) -> float:
        keeper.controller.error(error1)
        return 1

    ts = TransformStream[Any, Any](keeper, None, {"size": size, "high_water_mark": inf})
    await ts.writable.get_writer().write("a")
    await promise_rejects_exactly(t, error1, ts.readable.get_reader().read(), "read()")


@promise_test("desiredSize inside size() should work")
async def desired_size_inside_size(t: Test) -> None:
    keeper = ControllerKeeper()

    def size(chunk: Any) -> float:
        assert keeper.controller.desired_size == 1
        return 1

    ts = TransformStream[Any, Any](keeper, None, {"size": size, "high_water_mark": 1})
    writer = ts.writable.get_writer()
    await Promise.all([writer.write("a"), writer.close()])
    assert_array_equals(await readable_stream_to_array(ts.readable), ["a"])


@promise_test("readable cancel() inside size() should work")
async def cancel_inside_size(t: Test) -> None:
    cancel_promise: Any = None

    def size(chunk: Any) -> float:
        nonlocal cancel_promise
        cancel_promise = ts.readable.cancel(error1)
        return 1

    ts = TransformStream[Any, Any]({}, None, {"size": size, "high_water_mark": inf})
    writer = ts.writable.get_writer()
    await writer.write("a")
    await Promise.all([promise_rejects_exactly(t, error1, writer.closed, "writer.closed"), cancel_promise])


@promise_test("pipeTo() inside size() should work")
async def pipe_to_inside_size(t: Test) -> None:
    keeper = ControllerKeeper()
    pipe_to_promise: Any = None
    ws = recording_writable_stream()

    def size(chunk: Any) -> float:
        nonlocal pipe_to_promise
        if pipe_to_promise is None:
            pipe_to_promise = ts.readable.pipe_to(ws)
        return 1

    ts = TransformStream[Any, Any](keeper, None, {"size": size, "high_water_mark": 1})
    # With start() settled, enqueue() calls size() in the same step.
    await delay(0)
    keeper.controller.enqueue("a")
    assert pipe_to_promise is not None
    # A pipe may need a second chunk to see the first: https://github.com/whatwg/streams/issues/794
    keeper.controller.enqueue("a")
    await delay(0)
    assert_array_equals(ws.events, ["write", "a", "write", "a"], "both chunks arrive")
    keeper.controller.terminate()
    await pipe_to_promise
    assert_array_equals(ws.events, ["write", "a", "write", "a", "close"], "the destination is closed")


@promise_test("read() inside of size() should work")
async def read_inside_size(t: Test) -> None:
    keeper = ControllerKeeper()
    read_promises: list[Any] = []
    written: list[Any] = []

    def size(chunk: Any) -> float:
        # The queue is empty and this is the only read: it pulls, so that transform() goes on and enqueues "b", which
        # resolves the read without another call of size().
        read_promises.append(reader.read())
        return 1

    ts = TransformStream[Any, Any](keeper, None, {"size": size, "high_water_mark": 0})
    reader = ts.readable.get_reader()
    write_promise = ts.writable.get_writer().write("b").then(written.append)
    await flush_async_events()
    assert written == []
    keeper.controller.enqueue("a")
    assert len(read_promises) == 1, "size() has been called once"
    await delay(0)
    assert len(written) == 1
    assert len(read_promises) == 1, "size() is not called again"
    # Why this is not "a": https://github.com/whatwg/streams/issues/794
    assert await read_promises[0] == ("b", False)
    assert len(read_promises) == 1, "size() is still not called again"
    await write_promise


@promise_test("writer.write() inside size() should work")
async def write_inside_size(t: Test) -> None:
    write_promise1: Any = None
    calls = 0

    def size(chunk: Any) -> float:
        nonlocal calls, write_promise1
        calls += 1
        if calls < 2:
            write_promise1 = writer.write("a")
        return 1

    ts = TransformStream[Any, Any]({}, None, {"size": size, "high_water_mark": inf})
    writer = ts.writable.get_writer()
    # Once pull() has been called, write() calls transform(), enqueue() and size() in one step.
    await delay(0)
    write_promise2 = writer.write("b")
    assert calls == 1, "size() has been called once"
    await Promise.all([write_promise1, write_promise2, writer.close()])
    assert calls == 2, "size() has been called for both chunks"
    assert_array_equals(await readable_stream_to_array(ts.readable), ["b", "a"])
    assert calls == 2, "and not again"


@promise_test("synchronous writer.write() inside size() should work")
async def synchronous_write_inside_size(t: Test) -> None:
    keeper = ControllerKeeper()
    write_promise: Any = None
    calls = 0

    def size(chunk: Any) -> float:
        nonlocal calls, write_promise
        calls += 1
        if calls < 2:
            write_promise = writer.write("a")
        return 1

    ts = TransformStream[Any, Any](keeper, None, {"size": size, "high_water_mark": inf})
    writer = ts.writable.get_writer()
    # Once pull() has been called, enqueue() calls size(), write(), transform() and enqueue() in one step.
    await delay(0)
    keeper.controller.enqueue("b")
    assert calls == 2, "size() has been called for both chunks"
    await Promise.all([write_promise, writer.close()])
    # The inner enqueue() ends first, so its chunk comes first.
    assert_array_equals(await readable_stream_to_array(ts.readable), ["a", "b"])
    assert calls == 2, "and not again"


@promise_test("writer.close() inside size() should work")
async def close_inside_size(t: Test) -> None:
    keeper = ControllerKeeper()
    close_promise: Any = None

    def size(chunk: Any) -> float:
        nonlocal close_promise
        close_promise = writer.close()
        return 1

    ts = TransformStream[Any, Any](keeper, None, {"size": size, "high_water_mark": 1})
    writer = ts.writable.get_writer()
    reader = ts.readable.get_reader()
    # With start() settled, close() reaches the transform stream's sink in the same step.
    await delay(0)
    keeper.controller.enqueue("a")
    assert await reader.read() == ("a", False)
    assert (await reader.read()).done
    await close_promise


@promise_test("writer.abort() inside size() should work")
async def abort_inside_size(t: Test) -> None:
    keeper = ControllerKeeper()
    abort_promise: Any = None

    def size(chunk: Any) -> float:
        nonlocal abort_promise
        abort_promise = ts.writable.abort(error1)
        return 1

    ts = TransformStream[Any, Any](keeper, None, {"size": size, "high_water_mark": 1})
    reader = ts.readable.get_reader()
    # With start() settled, abort() reaches the transform stream's sink in the same step.
    await delay(0)
    keeper.controller.enqueue("a")
    assert await reader.read() == ("a", False)
    await Promise.all([promise_rejects_exactly(t, error1, reader.read(), "read()"), abort_promise])
