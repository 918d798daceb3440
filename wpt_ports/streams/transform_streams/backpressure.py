"""Port of streams/transform-streams/backpressure.any.js."""

from __future__ import annotations

from math import inf
from typing import Any

from webstreams import CountQueuingStrategy, Promise, ReadableStream, TransformStream
from wpt_ports.harness import (
    Test,
    assert_array_equals,
    delay,
    flush_async_events,
    promise_rejects_exactly,
    promise_test,
)
from wpt_ports.resources.recording_streams import recording_transform_stream
from wpt_ports.resources.ts_utils import discard

error1 = Exception("error1")


@promise_test("backpressure allows no transforms with a default identity transform and no reader")
async def no_transform_without_reader(t: Test) -> None:
    ts = recording_transform_stream()
    writer = ts.writable.get_writer()
    writer.write("a")
    await flush_async_events()
    assert_array_equals(ts.events, [], "nothing is transformed")


@promise_test(
    "backpressure only allows one transform() with a identity transform with a readable HWM of 1 and no reader"
)
async def one_transform_fills_the_readable(t: Test) -> None:
    ts = recording_transform_stream({}, None, {"high_water_mark": 1})
    writer = ts.writable.get_writer()
    writer.write("a")
    writer.write("b")
    await flush_async_events()
    assert_array_equals(ts.events, ["transform", "a"], "the second chunk waits for ever")


@promise_test("transform() should keep being called as long as there is no backpressure")
async def transforms_while_nothing_is_enqueued(t: Test) -> None:
    ts = recording_transform_stream({"transform": discard}, None, {"high_water_mark": 1})
    writer = ts.writable.get_writer()
    await Promise.all([writer.write(number) for number in range(4)])
    expected = ["transform", 0, "transform", 1, "transform", 2, "transform", 3]
    assert_array_equals(ts.events, expected, "all four chunks are transformed")


@promise_test("writes should resolve as soon as transform completes")
async def writes_resolve_after_transform(t: Test) -> None:
    ts = TransformStream[Any, Any]({}, None, {"high_water_mark": 1})
    writer = ts.writable.get_writer()
    reader = ts.readable.get_reader()
    events: list[str] = []
    writer_promises = [
        writer.write("a").then(lambda _: events.append("a")),
        writer.write("b").then(lambda _: events.append("b")),
        writer.close().then(lambda _: events.append("closed")),
    ]
    await delay(0)
    assert_array_equals(events, ["a"], "the first write has resolved")
    assert await reader.read() == ("a", False)
    await delay(0)
    assert_array_equals(events, ["a", "b", "closed"], "both writes and close() have resolved")
    assert await reader.read() == ("b", False)
    assert (await reader.read()).done
    await Promise.all(writer_promises)


@promise_test("calling pull() before the first write() with backpressure should work")
async def read_before_write(t: Test) -> None:
    ts = TransformStream[Any, Any](None, None, {"high_water_mark": 0})
    writer = ts.writable.get_writer()
    reader = ts.readable.get_reader()
    read_promise = reader.read()
    writer.write("a")
    assert await read_promise == ("a", False)


@promise_test("transform() should be able to read the chunk it just enqueued")
async def transform_reads_its_own_chunk(t: Test) -> None:
    def transform(chunk: Any, controller: Any) -> Any:
        controller.enqueue(chunk)
        return reader.read()

    ts = recording_transform_stream({"transform": transform}, None, {"high_water_mark": 1})
    writer = ts.writable.get_writer()
    reader = ts.readable.get_reader()
    await writer.write("a")


@promise_test("blocking transform() should cause backpressure")
async def blocking_transform(t: Test) -> None:
    transform_promise, resolve_transform, _ = Promise.with_resolvers()
    ts = recording_transform_stream(
        {"transform": lambda chunk, controller: transform_promise}, None, CountQueuingStrategy(high_water_mark=inf)
    )
    writer = ts.writable.get_writer()
    assert writer.desired_size == 1
    await delay(0)
    writer.write("a")
    assert_array_equals(ts.events, ["transform", "a"])
    assert writer.desired_size == 0
    await flush_async_events()
    assert writer.desired_size == 0, "still waiting for transform()"
    resolve_transform(None)
    await delay(0)
    assert writer.desired_size == 1


@promise_test("writer.closed should resolve after readable is canceled during start")
async def closed_after_cancel_during_start(t: Test) -> None:
    ts = TransformStream[Any, Any]()
    ts.readable.cancel(error1)
    await promise_rejects_exactly(t, error1, ts.writable.get_writer().closed, "closed")


async def check_closed_after_cancel(t: Test, high_water_mark: int) -> None:
    """Cancelling the readable of a started stream rejects the writer's ``closed``."""
    ts = TransformStream[Any, Any]({}, None, {"high_water_mark": high_water_mark})
    await delay(0)
    ts.readable.cancel(error1)
    await promise_rejects_exactly(t, error1, ts.writable.get_writer().closed, "closed")


@promise_test("writer.closed should resolve after readable is canceled with backpressure")
async def closed_after_cancel_with_backpressure(t: Test) -> None:
    await check_closed_after_cancel(t, 0)


@promise_test("writer.closed should resolve after readable is canceled with no backpressure")
async def closed_after_cancel_without_backpressure(t: Test) -> None:
    await check_closed_after_cancel(t, 1)


@promise_test("cancelling the readable should cause a pending write to resolve")
async def cancel_resolves_pending_write(t: Test) -> None:
    ts = TransformStream[Any, Any]({}, None, {"high_water_mark": 1})
    writer = ts.writable.get_writer()
    await delay(0)
    write_promise = writer.write("a")
    ts.readable.cancel(error1)
    await write_promise


@promise_test("cancelling the readable side of a TransformStream should abort an empty pipe")
async def cancel_aborts_empty_pipe(t: Test) -> None:
    rs = ReadableStream[Any]()
    ts = TransformStream[Any, Any]()
    pipe_promise = rs.pipe_to(ts.writable)
    ts.readable.cancel(error1)
    await promise_rejects_exactly(t, error1, pipe_promise, "pipe_to()")


@promise_test("cancelling the readable side of a TransformStream should abort an empty pipe after startup")
async def cancel_aborts_started_empty_pipe(t: Test) -> None:
    rs = ReadableStream[Any]()
    ts = TransformStream[Any, Any]()
    pipe_promise = rs.pipe_to(ts.writable)
    await delay(0)
    ts.readable.cancel(error1)
    await promise_rejects_exactly(t, error1, pipe_promise, "pipe_to()")


@promise_test("cancelling the readable side of a TransformStream should abort a full pipe")
async def cancel_aborts_full_pipe(t: Test) -> None:
    def start(controller: Any) -> None:
        controller.enqueue("a")
        controller.enqueue("b")
        controller.enqueue("c")

    rs = ReadableStream[Any]({"start": start})
    ts = TransformStream[Any, Any]()
    pipe_promise = rs.pipe_to(ts.writable)
    await delay(0)
    ts.readable.cancel(error1)
    await promise_rejects_exactly(t, error1, pipe_promise, "pipe_to()")
