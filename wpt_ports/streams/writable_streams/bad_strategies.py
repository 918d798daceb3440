"""Port of streams/writable-streams/bad-strategies.any.js."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from webstreams import Promise, WritableStream
from wpt_ports.harness import (
    Test,
    assert_throws_exactly,
    assert_throws_js,
    promise_rejects_exactly,
    promise_test,
    rejection,
    run,
    test,
)
from wpt_ports.resources.sink_utils import raising

error1 = Exception("error1: a unique string")


class RaisingSizeStrategy:
    """A strategy whose `size` cannot be read."""

    high_water_mark = 5

    @property
    def size(self) -> Any:
        """Raise."""
        raise error1


class RaisingHighWaterMarkStrategy:
    """A strategy whose `high_water_mark` cannot be read."""

    def size(self, chunk: object) -> int:
        """Every chunk is one."""
        return 1

    @property
    def high_water_mark(self) -> Any:
        """Raise."""
        raise error1


def stream_with(strategy: Any) -> WritableStream[Any]:
    """A stream with a strategy that type checkers may refuse."""
    return WritableStream({}, strategy)


@test("Writable stream: throwing strategy.size getter")
def raising_size_property(t: Test) -> None:
    assert_throws_exactly(error1, lambda: stream_with(RaisingSizeStrategy()), "construction")


@test("reject any non-function value for strategy.size")
def size_that_is_no_function(t: Test) -> None:
    assert_throws_js(TypeError, lambda: stream_with({"size": "a string"}))


@test("Writable stream: throwing strategy.highWaterMark getter")
def raising_high_water_mark_property(t: Test) -> None:
    assert_throws_exactly(error1, lambda: stream_with(RaisingHighWaterMarkStrategy()), "construction")


@test("Writable stream: invalid strategy.highWaterMark")
def invalid_high_water_mark(t: Test) -> None:
    def construct(high_water_mark: object) -> WritableStream[Any]:
        return stream_with({"size": lambda chunk: 1, "high_water_mark": high_water_mark})

    invalid: list[object] = [-1, -math.inf, math.nan, "foo", {}]
    for high_water_mark in invalid:
        assert_throws_js(ValueError, partial(construct, high_water_mark), f"for {high_water_mark!r}")


@promise_test("Writable stream: throwing strategy.size method")
async def raising_size(t: Test) -> None:
    ws = stream_with({"size": raising(error1), "high_water_mark": 5})
    writer = ws.get_writer()
    await Promise.all(
        [
            run(promise_rejects_exactly(t, error1, writer.write("a"), "write()")),
            run(promise_rejects_exactly(t, error1, writer.closed, "closed")),
        ]
    )


@promise_test("Writable stream: invalid strategy.size return value")
async def invalid_size(t: Test) -> None:
    async def check(size: float) -> None:
        ws = stream_with({"size": lambda chunk: size, "high_water_mark": 5})
        writer = ws.get_writer()
        write_error = await rejection(writer.write("a"), "write()")
        assert type(write_error) is ValueError, f"write() rejected with {write_error!r} for {size}"
        closed_error = await rejection(writer.closed, "closed")
        assert closed_error is write_error, "closed is rejected with the error of write()"

    await Promise.all([run(check(size)) for size in (math.nan, -math.inf, math.inf, -1)])


@test("Writable stream: invalid size beats invalid highWaterMark")
def invalid_size_beats_invalid_high_water_mark(t: Test) -> None:
    strategy: Any = {"size": "not a function", "high_water_mark": math.nan}
    assert_throws_js(TypeError, lambda: WritableStream[Any](None, strategy), "the constructor")
