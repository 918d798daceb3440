"""Port of streams/readable-streams/bad-strategies.any.js."""

from __future__ import annotations

import math
from typing import Any

from webstreams import Promise, ReadableStream
from wpt_ports.harness import (
    Test,
    assert_throws_exactly,
    assert_throws_js,
    promise_rejects_exactly,
    promise_test,
    run,
    test,
)
from wpt_ports.resources.rs_utils import readable_with_controller

BAD_SIZES = [math.nan, -math.inf, math.inf, -1]

the_error = Exception("a unique string")
controller_error = Exception("controller error")
thrown_error = Exception("thrown error")


def throw_the_error(chunk: object) -> Any:
    raise the_error


@test("Readable stream: throwing strategy.size getter")
def throwing_size_getter(t: Test) -> None:
    class Strategy:
        high_water_mark = 5

        @property
        def size(self) -> Any:
            raise the_error

    strategy: Any = Strategy()
    assert_throws_exactly(the_error, lambda: ReadableStream({}, strategy))


@promise_test("Readable stream: strategy.size errors the stream and then throws")
async def size_errors_and_throws(t: Test) -> None:
    def size(chunk: object) -> Any:
        controller.error(controller_error)
        raise thrown_error

    rs, controller = readable_with_controller({}, {"size": size, "high_water_mark": 5})
    assert_throws_exactly(thrown_error, lambda: controller.enqueue("a"))
    await promise_rejects_exactly(t, controller_error, rs.get_reader().closed)


@promise_test("Readable stream: strategy.size errors the stream and then returns Infinity")
async def size_errors_and_returns_infinity(t: Test) -> None:
    def size(chunk: object) -> float:
        controller.error(controller_error)
        return math.inf

    rs, controller = readable_with_controller({}, {"size": size, "high_water_mark": 5})
    assert_throws_js(ValueError, lambda: controller.enqueue("a"))
    await promise_rejects_exactly(t, controller_error, rs.get_reader().closed)


@promise_test("Readable stream: throwing strategy.size method")
async def throwing_size(t: Test) -> None:
    def start(controller: Any) -> None:
        assert_throws_exactly(the_error, lambda: controller.enqueue("a"))

    rs = ReadableStream[Any]({"start": start}, {"size": throw_the_error, "high_water_mark": 5})
    await promise_rejects_exactly(t, the_error, rs.get_reader().closed)


@test("Readable stream: throwing strategy.highWaterMark getter")
def throwing_high_water_mark_getter(t: Test) -> None:
    class Strategy:
        @property
        def high_water_mark(self) -> Any:
            raise the_error

        def size(self, chunk: object) -> int:
            return 1

    strategy: Any = Strategy()
    assert_throws_exactly(the_error, lambda: ReadableStream({}, strategy))


@test("Readable stream: invalid strategy.highWaterMark")
def invalid_high_water_mark(t: Test) -> None:
    def construct(high_water_mark: Any) -> ReadableStream[Any]:
        return ReadableStream({}, {"size": lambda chunk: 1, "high_water_mark": high_water_mark})

    values: list[Any] = [-1, -math.inf, math.nan, "foo", {}]
    for value in values:
        assert_throws_js(ValueError, lambda value=value: construct(value), f"for {value!r}")  # type: ignore[misc]


def enqueue_recording(controller: Any, errors: list[ValueError]) -> None:
    """Enqueue a chunk, which must raise a ValueError, and record that."""
    try:
        controller.enqueue("hi")
    except ValueError as error:
        assert type(error) is ValueError
        errors.append(error)
    else:
        raise AssertionError("enqueue() did not raise")


async def assert_bad_size_errors_stream(t: Test, member: str, size: float) -> None:
    """When the callback `member` enqueues a chunk of a bad `size`, the stream is errored with what enqueue() raised."""
    errors: list[ValueError] = []
    source: Any = {member: lambda controller: enqueue_recording(controller, errors)}
    rs = ReadableStream[Any](source, {"size": lambda chunk: size, "high_water_mark": 5})
    closed = rs.get_reader().closed
    await closed.then(t.unreached("closed must not be fulfilled"), lambda _: None)
    assert len(errors) == 1
    await promise_rejects_exactly(t, errors[0], closed, f"for {size}")


@promise_test("Readable stream: invalid strategy.size return value")
async def invalid_size(t: Test) -> None:
    await Promise.all([run(assert_bad_size_errors_stream(t, "start", size)) for size in BAD_SIZES])


@promise_test("Readable stream: invalid strategy.size return value when pulling")
async def invalid_size_when_pulling(t: Test) -> None:
    await Promise.all([run(assert_bad_size_errors_stream(t, "pull", size)) for size in BAD_SIZES])
