"""Port of streams/transform-streams/errors.any.js."""

from __future__ import annotations

from math import inf
from typing import Any

from webstreams import Promise, TransformStream
from wpt_ports.harness import (
    Test,
    assert_throws_js,
    delay,
    flush_async_events,
    promise_rejects_exactly,
    promise_test,
    test,
)
from wpt_ports.resources.ts_utils import ControllerKeeper, discard

thrown_error = Exception("error1")
ignored_error = Exception("ignored error")


class URIError(Exception):
    """JavaScript's URIError: a class that no stream raises by itself."""


def throwing_transform(chunk: Any, controller: Any) -> None:
    """A ``transform`` that raises."""
    raise thrown_error


def throwing_flush(controller: Any) -> None:
    """A ``flush`` that raises."""
    raise thrown_error


@promise_test("TransformStream errors thrown in transform put the writable and readable in an errored state")
async def transform_raises(t: Test) -> None:
    ts = TransformStream[Any, Any](
        {"transform": throwing_transform, "cancel": t.unreached("cancel should not be called")}
    )
    reader = ts.readable.get_reader()
    writer = ts.writable.get_writer()
    await Promise.all(
        [
            promise_rejects_exactly(t, thrown_error, writer.write("a"), "write()"),
            promise_rejects_exactly(t, thrown_error, reader.read(), "read()"),
            promise_rejects_exactly(t, thrown_error, reader.closed, "reader.closed"),
            promise_rejects_exactly(t, thrown_error, writer.closed, "writer.closed"),
        ]
    )


@promise_test("TransformStream errors thrown in flush put the writable and readable in an errored state")
async def flush_raises(t: Test) -> None:
    cancel = t.unreached("cancel should not be called")
    ts = TransformStream[Any, Any]({"transform": discard, "flush": throwing_flush, "cancel": cancel})
    reader = ts.readable.get_reader()
    writer = ts.writable.get_writer()
    await Promise.all(
        [
            writer.write("a"),
            promise_rejects_exactly(t, thrown_error, writer.close(), "close()"),
            promise_rejects_exactly(t, thrown_error, reader.read(), "read()"),
            promise_rejects_exactly(t, thrown_error, reader.closed, "reader.closed"),
            promise_rejects_exactly(t, thrown_error, writer.closed, "writer.closed"),
        ]
    )


@test("errored TransformStream should not enqueue new chunks")
def errored_stream_takes_no_chunk(t: Test) -> None:
    def start(controller: Any) -> None:
        controller.enqueue("a")
        controller.error(Exception("generic error"))
        assert_throws_js(TypeError, lambda: controller.enqueue("b"), "enqueue()")

    TransformStream[Any, Any]({"start": start, "cancel": t.unreached("cancel should not be called")})


async def check_failed_start(t: Test, start: Any, error: Exception) -> None:
    """A ``start`` that fails later errors both sides with `error`; no other callback runs."""
    ts = TransformStream[Any, Any](
        {
            "start": start,
            "transform": t.unreached("transform should not be called"),
            "flush": t.unreached("flush should not be called"),
            "cancel": t.unreached("cancel should not be called"),
        }
    )
    writer = ts.writable.get_writer()
    reader = ts.readable.get_reader()
    await Promise.all(
        [
            promise_rejects_exactly(t, error, writer.write("a"), "write()"),
            promise_rejects_exactly(t, error, writer.close(), "close()"),
            promise_rejects_exactly(t, error, reader.read(), "read()"),
        ]
    )


@promise_test("TransformStream transformer.start() rejected promise should error the stream")
async def start_rejects(t: Test) -> None:
    async def start(controller: Any) -> None:
        await flush_async_events()
        raise thrown_error

    await check_failed_start(t, start, thrown_error)


@promise_test("when controller.error is followed by a rejection, the error reason should come from controller.error")
async def start_errors_then_rejects(t: Test) -> None:
    controller_error = Exception("start failure")

    async def start(controller: Any) -> None:
        await flush_async_events()
        controller.error(controller_error)
        raise ignored_error

    await check_failed_start(t, start, controller_error)


@test("TransformStream constructor should throw when start does")
def constructor_raises_what_start_raises(t: Test) -> None:
    def start(controller: Any) -> None:
        raise URIError("start thrown error")

    transformer: Any = {"start": start, "transform": discard}
    assert_throws_js(URIError, lambda: TransformStream[Any, Any](transformer), "constructor")


@test("when strategy.size throws inside start(), the constructor should throw the same error")
def constructor_raises_what_size_raises(t: Test) -> None:
    def size(chunk: Any) -> float:
        raise URIError("size thrown error")

    transformer: Any = {"start": lambda controller: controller.enqueue("a"), "transform": discard}
    assert_throws_js(URIError, lambda: TransformStream[Any, Any](transformer, None, {"size": size}), "constructor")


@test("when strategy.size calls controller.error() then throws, the constructor should throw the first error")
def constructor_raises_the_first_error(t: Test) -> None:
    keeper = ControllerKeeper()

    def size(chunk: Any) -> float:
        keeper.controller.error(URIError("controller.error"))
        raise Exception("redundant error")

    def start(controller: Any) -> None:
        keeper.start(controller)
        controller.enqueue("a")

    transformer: Any = {"start": start, "transform": discard}
    assert_throws_js(URIError, lambda: TransformStream[Any, Any](transformer, None, {"size": size}), "constructor")


@promise_test("cancelling the readable side should error the writable")
async def cancel_errors_the_writable(t: Test) -> None:
    ts = TransformStream[Any, Any]()
    writer = ts.writable.get_writer()
    closed_promise = writer.closed
    await Promise.all(
        [
            ts.readable.cancel(thrown_error),
            promise_rejects_exactly(t, thrown_error, closed_promise, "writer.closed"),
        ]
    )


@promise_test("it should be possible to error the readable between close requested and complete")
async def error_between_close_and_closed(t: Test) -> None:
    keeper = ControllerKeeper()
    ts = TransformStream[Any, Any](keeper)
    writer = ts.writable.get_writer()
    reader = ts.readable.get_reader()
    write_promise = writer.write("a")
    close_promise = writer.close()
    keeper.controller.error(thrown_error)
    await Promise.all(
        [
            promise_rejects_exactly(t, thrown_error, reader.closed, "reader.closed"),
            promise_rejects_exactly(t, thrown_error, write_promise, "write()"),
            promise_rejects_exactly(t, thrown_error, close_promise, "close()"),
        ]
    )


@promise_test("an exception from transform() should error the stream if terminate has been requested but not completed")
async def transform_terminates_then_raises(t: Test) -> None:
    def transform(chunk: Any, controller: Any) -> None:
        controller.enqueue(chunk)
        controller.terminate()
        raise thrown_error

    ts = TransformStream[Any, Any]({"transform": transform}, None, {"high_water_mark": 1})
    write_promise = ts.writable.get_writer().write("a")
    closed_promise = ts.readable.get_reader().closed
    await Promise.all(
        [
            promise_rejects_exactly(t, thrown_error, write_promise, "write()"),
            promise_rejects_exactly(t, thrown_error, closed_promise, "reader.closed"),
        ]
    )


@promise_test(
    "abort should set the close reason for the writable when it happens before cancel during start, and cancel should "
    "reject"
)
async def abort_before_cancel_during_start(t: Test) -> None:
    ts = TransformStream[Any, Any]()
    writer = ts.writable.get_writer()
    # The reaction to start() has not run yet: the abort is queued, and the transform stream does not know of it.
    abort_promise = writer.abort(thrown_error)
    cancel_promise = ts.readable.cancel(Exception("cancel reason"))
    await Promise.all(
        [
            abort_promise,
            cancel_promise,
            promise_rejects_exactly(t, thrown_error, writer.closed, "writer.closed"),
        ]
    )


@promise_test(
    "abort should set the close reason for the writable when it happens before cancel during underlying sink write, "
    "but cancel should still succeed"
)
async def abort_before_cancel_during_write(t: Test) -> None:
    transform_promise, resolve_transform, _ = Promise.with_resolvers()
    transformer: Any = {"transform": lambda chunk, controller: transform_promise}
    ts = TransformStream[Any, Any](transformer, None, {"high_water_mark": 2})
    writer = ts.writable.get_writer()
    await delay(0)
    write_promise = writer.write()
    abort_promise = writer.abort(thrown_error)
    cancel_promise = ts.readable.cancel(Exception("cancel reason"))
    resolve_transform(None)
    await Promise.all(
        [
            write_promise,
            abort_promise,
            cancel_promise,
            promise_rejects_exactly(t, thrown_error, writer.closed, "writer.closed"),
        ]
    )


@promise_test("controller.error() should do nothing the second time it is called")
async def second_error_is_ignored(t: Test) -> None:
    def start(controller: Any) -> None:
        controller.error(thrown_error)
        controller.error(ignored_error)

    ts = TransformStream[Any, Any]({"start": start})
    await promise_rejects_exactly(t, thrown_error, ts.writable.abort(), "abort()")


@promise_test("controller.error() should close writable immediately after readable.cancel()")
async def error_right_after_cancel(t: Test) -> None:
    keeper = ControllerKeeper()
    ts = TransformStream[Any, Any](keeper)
    cancel_promise = ts.readable.cancel(ignored_error)
    keeper.controller.error(thrown_error)
    await Promise.all(
        [
            cancel_promise,
            promise_rejects_exactly(t, thrown_error, ts.writable.get_writer().closed, "writer.closed"),
        ]
    )


@promise_test("controller.error() should do nothing after readable.cancel() resolves")
async def error_after_cancel_resolved(t: Test) -> None:
    keeper = ControllerKeeper()
    ts = TransformStream[Any, Any](keeper)
    await ts.readable.cancel(thrown_error)
    keeper.controller.error(ignored_error)
    await promise_rejects_exactly(t, thrown_error, ts.writable.get_writer().closed, "writer.closed")


@promise_test("controller.error() should do nothing after writable.abort() has completed")
async def error_after_abort_completed(t: Test) -> None:
    keeper = ControllerKeeper()
    ts = TransformStream[Any, Any](keeper)
    await ts.writable.abort(thrown_error)
    keeper.controller.error(ignored_error)
    await promise_rejects_exactly(t, thrown_error, ts.writable.get_writer().closed, "writer.closed")


@promise_test("controller.error() should do nothing after a transformer method has thrown an exception")
async def error_after_transform_raised(t: Test) -> None:
    keeper = ControllerKeeper()
    transformer: Any = {"start": keeper.start, "transform": throwing_transform}
    ts = TransformStream[Any, Any](transformer, None, {"high_water_mark": inf})
    writer = ts.writable.get_writer()
    await promise_rejects_exactly(t, thrown_error, writer.write(), "write()")
    keeper.controller.error()
    await promise_rejects_exactly(t, thrown_error, writer.closed, "writer.closed")


@promise_test("erroring during write with backpressure should result in the write failing")
async def error_during_write_with_backpressure(t: Test) -> None:
    keeper = ControllerKeeper()
    chunks: list[Any] = []
    transformer: Any = {"start": keeper.start, "transform": lambda chunk, controller: chunks.append(chunk)}
    ts = TransformStream[Any, Any](transformer, None, {"high_water_mark": 1})
    await delay(0)
    keeper.controller.enqueue("a")
    writer = ts.writable.get_writer()
    write_promise = writer.write("b")
    assert chunks == [], "transform() waits for backpressure to be relieved"
    keeper.controller.error(thrown_error)
    await promise_rejects_exactly(t, thrown_error, write_promise, "write()")
    assert chunks == [], "transform() is not called"


@promise_test("a write() that was waiting for backpressure should reject if the writable is aborted")
async def abort_rejects_waiting_write(t: Test) -> None:
    ts = TransformStream[Any, Any]({}, None, {"high_water_mark": 0})
    await delay(0)
    writer = ts.writable.get_writer()
    write_promise = writer.write(0)
    abort_promise = writer.abort(thrown_error)
    # This read relieves the backpressure, so the write can finish; only then does the sink see the abort.
    read_promise = ts.readable.get_reader().read()
    await Promise.all(
        [
            promise_rejects_exactly(t, thrown_error, read_promise, "read()"),
            promise_rejects_exactly(t, thrown_error, write_promise, "write()"),
            abort_promise,
        ]
    )


@promise_test("the readable should be errored with the reason passed to the writable abort() method")
async def abort_errors_the_readable(t: Test) -> None:
    ts = TransformStream[Any, Any]()
    ts.writable.abort(thrown_error)
    reader = ts.readable.get_reader()
    await promise_rejects_exactly(t, thrown_error, reader.read(), "read()")
