"""Port of streams/transform-streams/strategies.any.js."""

from __future__ import annotations

from math import inf, nan
from typing import Any

from webstreams import Promise, TransformStream
from wpt_ports.harness import (
    Test,
    assert_array_equals,
    assert_throws_js,
    delay,
    promise_rejects_js,
    promise_test,
    test,
)
from wpt_ports.resources.recording_streams import recording_transform_stream


class ConvertsTo42:
    """An object that converts to a number."""

    def __float__(self) -> float:
        return 42.0


@test("writableStrategy highWaterMark should work")
def writable_high_water_mark(t: Test) -> None:
    ts = TransformStream[Any, Any]({}, {"high_water_mark": 17})
    assert ts.writable.get_writer().desired_size == 17


@promise_test("readableStrategy highWaterMark should work")
async def readable_high_water_mark(t: Test) -> None:
    ts = recording_transform_stream({}, None, {"high_water_mark": 9})
    writer = ts.writable.get_writer()
    for number in range(10):
        writer.write(number)
    await delay(0)
    expected = [event for number in range(9) for event in ("transform", number)]
    assert_array_equals(ts.events, expected, "nine chunks are transformed")


@promise_test("writable should have the correct size() function")
async def each_side_has_its_size(t: Test) -> None:
    calls: list[str] = []

    def writable_size(chunk: Any) -> float:
        calls.append("writable")
        return 1

    def readable_size(chunk: Any) -> float:
        calls.append("readable")
        return 1

    @t.step
    def transform(chunk: Any, controller: Any) -> None:
        assert calls == ["writable"], "only the writable has measured the chunk"
        calls.append("transform")
        controller.enqueue(chunk)
        assert calls == ["writable", "transform", "readable"], "now the readable has measured it too"

    ts = TransformStream[Any, Any](
        {"transform": transform}, {"size": writable_size}, {"size": readable_size, "high_water_mark": inf}
    )
    await ts.writable.get_writer().write()
    assert "transform" in calls, "transform() has been called"


@test("default writable strategy should be equivalent to { highWaterMark: 1 }")
def default_writable_strategy(t: Test) -> None:
    ts = TransformStream[Any, Any]()
    writer = ts.writable.get_writer()
    assert writer.desired_size == 1, "high-water mark"
    writer.write(None)
    assert writer.desired_size == 0, "size of a chunk"


@promise_test("default readable strategy should be equivalent to { highWaterMark: 0 }")
async def default_readable_strategy(t: Test) -> None:
    @t.step
    def transform(chunk: Any, controller: Any) -> None:
        assert controller.desired_size == 0, "high-water mark"
        controller.enqueue(None)
        assert controller.desired_size == 0, "the waiting read takes the first chunk"
        controller.enqueue(None)
        assert controller.desired_size == -1, "the second chunk is queued"

    ts = TransformStream[Any, Any]({"transform": transform})
    write_promise = ts.writable.get_writer().write()
    await ts.readable.get_reader().read()
    await write_promise


@test("a RangeError should be thrown for an invalid highWaterMark")
def invalid_high_water_mark(t: Test) -> None:
    def check(strategy: Any) -> None:
        assert_throws_js(ValueError, lambda: TransformStream[Any, Any](None, strategy), f"writable {strategy}")
        assert_throws_js(ValueError, lambda: TransformStream[Any, Any](None, None, strategy), f"readable {strategy}")

    check({"high_water_mark": -1})
    check({"high_water_mark": nan})


@test("writableStrategy highWaterMark should be converted to a number")
def writable_high_water_mark_is_converted(t: Test) -> None:
    strategy: Any = {"high_water_mark": ConvertsTo42()}
    ts = TransformStream[Any, Any](None, strategy)
    assert ts.writable.get_writer().desired_size == 42


@test("readableStrategy highWaterMark should be converted to a number")
def readable_high_water_mark_is_converted(t: Test) -> None:
    def start(controller: Any) -> None:
        assert controller.desired_size == 42

    strategy: Any = {"high_water_mark": ConvertsTo42()}
    TransformStream[Any, Any]({"start": start}, None, strategy)


@promise_test("a bad readableStrategy size function should cause writer.write() to reject on an identity transform")
async def bad_size_rejects_write(t: Test) -> None:
    ts = TransformStream[Any, Any](None, None, {"size": lambda chunk: nan, "high_water_mark": 1})
    await promise_rejects_js(t, ValueError, ts.writable.get_writer().write(), "write()")


@promise_test(
    "a bad readableStrategy size function should error the stream on enqueue even when transformer.transform() "
    "catches the exception"
)
async def bad_size_errors_the_stream(t: Test) -> None:
    def transform(chunk: Any, controller: Any) -> None:
        # This catches the exception, so transform() itself succeeds.
        assert_throws_js(ValueError, lambda: controller.enqueue(chunk), "enqueue()")

    ts = TransformStream[Any, Any]({"transform": transform}, None, {"size": lambda chunk: -1, "high_water_mark": 1})
    writer = ts.writable.get_writer()
    await writer.write()
    await Promise.all(
        [
            promise_rejects_js(t, ValueError, writer.ready, "writer.ready"),
            promise_rejects_js(t, ValueError, writer.closed, "writer.closed"),
            promise_rejects_js(t, ValueError, ts.readable.get_reader().closed, "reader.closed"),
        ]
    )
