"""Port of streams/readable-streams/reentrant-strategies.any.js."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from webstreams import Promise, ReadableStream, ReadableStreamDefaultController
from wpt_ports.harness import (
    Test,
    assert_array_equals,
    assert_throws_js,
    delay,
    flush_async_events,
    promise_rejects_exactly,
    promise_test,
)
from wpt_ports.resources.recording_streams import recording_writable_stream
from wpt_ports.resources.rs_utils import readable_stream_to_array

error1 = Exception("error1")

Controller = ReadableStreamDefaultController[Any]


def stream_with_size(
    size: Callable[[Any], float],
    high_water_mark: float | None = None,
    source: Mapping[str, Any] | None = None,
) -> tuple[ReadableStream[Any], Controller]:
    """A stream with this strategy, and what controls it."""
    controllers: list[Controller] = []
    members: Any = {"start": controllers.append, **(source or {})}
    strategy: Any = {"size": size, "high_water_mark": high_water_mark}
    rs: ReadableStream[Any] = ReadableStream(members, strategy)
    return rs, controllers[0]


@promise_test("enqueue() inside size() should work")
async def enqueue_inside_size(t: Test) -> None:
    calls = 0

    def size(chunk: Any) -> int:
        nonlocal calls
        calls += 1
        if calls < 2:
            controller.enqueue("b")
        return 1

    rs, controller = stream_with_size(size)
    controller.enqueue("a")
    controller.close()
    assert_array_equals(await readable_stream_to_array(rs), ["b", "a"], "there should be two chunks")


@promise_test("close() inside size() should not crash")
async def close_inside_size(t: Test) -> None:
    def size(chunk: Any) -> int:
        # The queue is empty, so this closes the stream; the chunk is enqueued all the same and can never be read.
        controller.close()
        return 1

    rs, controller = stream_with_size(size)
    controller.enqueue("a")
    assert_array_equals(await readable_stream_to_array(rs), [], "there should be no chunks")


@promise_test("close request inside size() should work")
async def close_request_inside_size(t: Test) -> None:
    calls = 0

    def size(chunk: Any) -> int:
        nonlocal calls
        calls += 1
        if calls == 2:
            # There is a chunk in the queue, so the stream stays readable for now.
            controller.close()
        return 1

    rs, controller = stream_with_size(size)
    controller.enqueue("a")
    controller.enqueue("b")
    assert_array_equals(await readable_stream_to_array(rs), ["a", "b"], "there should be two chunks")


@promise_test("error() inside size() should work")
async def error_inside_size(t: Test) -> None:
    def size(chunk: Any) -> int:
        controller.error(error1)
        return 1

    rs, controller = stream_with_size(size)
    controller.enqueue("a")
    await promise_rejects_exactly(t, error1, rs.get_reader().read(), "read() should reject")


@promise_test("desiredSize inside size() should work")
async def desired_size_inside_size(t: Test) -> None:
    def size(chunk: Any) -> int:
        assert controller.desired_size == 1, "desired_size should be 1"
        return 1

    rs, controller = stream_with_size(size, high_water_mark=1)
    controller.enqueue("a")
    controller.close()
    assert_array_equals(await readable_stream_to_array(rs), ["a"], "there should be one chunk")


@promise_test("cancel() inside size() should work")
async def cancel_inside_size(t: Test) -> None:
    cancel_promise: Any = None

    def cancel(reason: Any) -> None:
        assert reason is error1, "reason should be error1"
        assert_throws_js(TypeError, lambda: controller.enqueue(None), "enqueue() should raise")

    def size(chunk: Any) -> float:
        nonlocal cancel_promise
        cancel_promise = rs.cancel(error1)
        return 1

    rs, controller = stream_with_size(size, math.inf, {"cancel": t.step(cancel)})
    controller.enqueue("a")
    reader = rs.get_reader()
    await Promise.all([reader.closed, cancel_promise])


@promise_test("pipeTo() inside size() should behave as expected")
async def pipe_to_inside_size(t: Test) -> None:
    pipe_to_promise: Any = None
    ws = recording_writable_stream()

    def size(chunk: Any) -> float:
        nonlocal pipe_to_promise
        if pipe_to_promise is None:
            pipe_to_promise = rs.pipe_to(ws)
        return 1

    rs, controller = stream_with_size(size, high_water_mark=1)
    controller.enqueue("a")
    assert pipe_to_promise is not None

    # The first chunk may wait in the queue until another one is enqueued: whatwg/streams#794.
    controller.enqueue("a")

    await delay(0)
    assert_array_equals(ws.events, ["write", "a", "write", "a"], "ws should contain two chunks")
    controller.close()
    await pipe_to_promise
    assert_array_equals(ws.events, ["write", "a", "write", "a", "close"], "target should have been closed")


@promise_test("read() inside of size() should behave as expected")
async def read_inside_size(t: Test) -> None:
    read_promise: Any = None
    calls = 0
    results: list[Any] = []

    def size(chunk: Any) -> float:
        nonlocal read_promise, calls
        # The chunk is not in the queue yet, so this read has to wait.
        read_promise = reader.read()
        calls += 1
        return 1

    rs, controller = stream_with_size(size, high_water_mark=0)
    reader = rs.get_reader()
    controller.enqueue("a")
    read_promise.then(results.append)

    await flush_async_events()
    assert len(results) == 0
    controller.enqueue("b")
    assert calls == 1, "size() should have been called once"

    await delay(0)
    assert len(results) == 1
    assert calls == 1, "size() should only be called once"

    # The pending read gets the chunk that finds it waiting: whatwg/streams#794.
    assert await read_promise == ("b", False), "chunk b should have been read"
    assert calls == 1, "calls should still be 1"
    assert await reader.read() == ("a", False), "chunk a should come after b"


@promise_test("getReader() inside size() should work")
async def get_reader_inside_size(t: Test) -> None:
    reader: Any = None

    def size(chunk: Any) -> float:
        nonlocal reader
        reader = rs.get_reader()
        return 1

    rs, controller = stream_with_size(size)
    controller.enqueue("a")
    assert await reader.read() == ("a", False)


@promise_test("tee() inside size() should work")
async def tee_inside_size(t: Test) -> None:
    branches: Any = None

    def size(chunk: Any) -> float:
        nonlocal branches
        branches = rs.tee()
        return 1

    rs, controller = stream_with_size(size)
    controller.enqueue("a")
    assert rs.locked, "rs should be locked"
    controller.close()

    branch1, branch2 = branches
    chunks1, chunks2 = await Promise.all([readable_stream_to_array(branch1), readable_stream_to_array(branch2)])
    assert_array_equals(chunks1, ["a"], "branch1 should have one chunk")
    assert_array_equals(chunks2, ["a"], "branch2 should have one chunk")
