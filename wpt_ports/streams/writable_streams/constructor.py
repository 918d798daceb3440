"""Port of streams/writable-streams/constructor.any.js."""

from __future__ import annotations

import math
from typing import Any

from webstreams import Promise, WritableStream, WritableStreamDefaultController
from wpt_ports.harness import (
    Test,
    assert_array_equals,
    assert_throws_exactly,
    assert_throws_js,
    is_awaitable,
    promise_rejects_exactly,
    promise_test,
    rejection,
    run,
    test,
)
from wpt_ports.resources.sink_utils import value_of

error1 = Exception("error1")
error2 = Exception("error2")


@promise_test("controller argument should be passed to start method")
async def controller_for_start(t: Test) -> None:
    controllers: list[WritableStreamDefaultController] = []
    ws = WritableStream[Any]({"start": controllers.append})
    # Not within start(): the stream is already constructed.
    controllers[0].error(error1)
    writer = ws.get_writer()
    assert writer.desired_size is None
    assert await rejection(writer.closed) is error1, "the stream is errored by what was passed"


@promise_test("controller argument should be passed to write method")
async def controller_for_write(t: Test) -> None:
    ws = WritableStream[Any]({"write": lambda chunk, controller: controller.error(error1)})
    writer = ws.get_writer()
    await Promise.all([writer.write("a"), run(promise_rejects_exactly(t, error1, writer.closed, "closed"))])


@promise_test("controller argument should not be passed to close method")
async def no_controller_for_close(t: Test) -> None:
    @t.step
    def close(*arguments: object) -> None:
        assert_array_equals(arguments, [], "the arguments of close()")

    ws = WritableStream[Any]({"close": close})
    await ws.get_writer().close()


@promise_test("highWaterMark should be reflected to desiredSize")
async def desired_size_of_high_water_mark(t: Test) -> None:
    ws = WritableStream[Any]({}, {"high_water_mark": 1000, "size": lambda chunk: 1})
    writer = ws.get_writer()
    assert writer.desired_size == 1000
    value = await value_of(writer.ready)
    assert value is None, "ready is fulfilled with None"


@promise_test(
    "WritableStream should be writable and ready should fulfill immediately if the strategy does not apply backpressure"
)
async def ready_without_backpressure(t: Test) -> None:
    ws = WritableStream[Any]({}, {"high_water_mark": math.inf, "size": lambda chunk: 0})
    writer = ws.get_writer()
    assert writer.desired_size == math.inf
    await writer.ready


@test("WritableStream should be constructible with no arguments")
def construct_without_arguments(t: Test) -> None:
    WritableStream[Any]()


class RaisingSink:
    """A sink whose `start` cannot be read."""

    write: None  # for type checkers: it has none

    @property
    def start(self) -> Any:
        """Raise."""
        raise error1


class RaisingStrategy:
    """A strategy whose `size` cannot be read."""

    high_water_mark = 0

    @property
    def size(self) -> Any:
        """Raise."""
        raise error2


@test("underlyingSink argument should be converted after queuingStrategy argument")
def strategy_is_converted_first(t: Test) -> None:
    assert_throws_exactly(error2, lambda: WritableStream[Any](RaisingSink(), RaisingStrategy()))


@test("WritableStream instances should have standard methods and properties")
def standard_members(t: Test) -> None:
    writer = WritableStream[Any]({}).get_writer()
    for name in ("write", "abort", "close"):
        assert callable(getattr(writer, name)), f"the writer has a {name}() method"
    assert writer.desired_size == 1, "at first"
    for name in ("ready", "closed"):
        promise = getattr(writer, name)
        assert is_awaitable(promise), f"{name} is awaitable"
        assert callable(promise.then), f"{name} has a then() method"


@test("WritableStreamDefaultController constructor should throw")
def controller_constructor(t: Test) -> None:
    controllers: list[WritableStreamDefaultController] = []
    WritableStream[Any]({"start": controllers.append})
    constructor: Any = type(controllers[0])
    assert_throws_js(TypeError, lambda: constructor({}), "the constructor")


@test("WritableStreamDefaultController constructor should throw when passed an initialised WritableStream")
def controller_constructor_with_stream(t: Test) -> None:
    controllers: list[WritableStreamDefaultController] = []
    stream = WritableStream[Any]({"start": controllers.append})
    constructor: Any = type(controllers[0])
    assert_throws_js(TypeError, lambda: constructor(stream), "the constructor")


@test("WritableStreamDefaultWriter should throw unless passed a WritableStream")
def writer_constructor_without_stream(t: Test) -> None:
    stream = WritableStream[Any]()
    writer = stream.get_writer()
    constructor: Any = type(writer)
    writer.release_lock()
    assert_throws_js(TypeError, lambda: constructor({}), "the constructor")


@test("WritableStreamDefaultWriter constructor should throw when stream argument is locked")
def writer_constructor_with_locked_stream(t: Test) -> None:
    stream = WritableStream[Any]()
    writer = stream.get_writer()
    constructor: Any = type(writer)
    assert_throws_js(TypeError, lambda: constructor(stream), "the constructor")
