"""Port of streams/writable-streams/close.any.js."""

from __future__ import annotations

from typing import Any

from webstreams import Promise, WritableStream, WritableStreamDefaultController
from wpt_ports.harness import (
    Test,
    assert_array_equals,
    delay,
    flush_async_events,
    promise_rejects_exactly,
    promise_rejects_js,
    promise_test,
    run,
)
from wpt_ports.resources.recording_streams import recording_writable_stream
from wpt_ports.resources.sink_utils import Pending, Thenable, never, raising, record, value_of

error1 = Exception("error1")
error2 = Exception("error2")


@promise_test(
    "fulfillment value of writer.close() call must be undefined even if the underlying sink returns a non-undefined "
    "value"
)
async def close_fulfills_with_none(t: Test) -> None:
    ws = WritableStream[Any]({"close": lambda: "Hello"})
    writer = ws.get_writer()
    value = await value_of(writer.close())
    assert value is None, "close() is fulfilled with None"


@promise_test(
    "when sink calls error asynchronously while sink close is in-flight, the stream should not become errored"
)
async def error_during_close(t: Test) -> None:
    controllers: list[WritableStreamDefaultController] = []
    close = Pending()
    ws = WritableStream[Any]({"start": controllers.append, "close": close})
    writer = ws.get_writer()
    close_promise = writer.close()
    await flush_async_events()
    controllers[0].error(error1)
    await flush_async_events()
    close.resolve()
    await Promise.all(
        [close_promise, writer.closed, run(flush_async_events()).then(lambda _: writer.closed)],
    )


@promise_test("when sink calls error synchronously while closing, the stream should not become errored")
async def error_within_close(t: Test) -> None:
    controllers: list[WritableStreamDefaultController] = []
    passed_error = Exception("error me")
    ws = WritableStream[Any]({"start": controllers.append, "close": lambda: controllers[0].error(passed_error)})
    writer = ws.get_writer()
    await writer.close()
    await writer.closed


@promise_test(
    "when the sink throws during close, and the close is requested while a write is still in-flight, the stream should "
    "become errored during the close"
)
async def close_raises_after_write(t: Test) -> None:
    ws = WritableStream[Any]({"close": raising(error1)})
    writer = ws.get_writer()
    await Promise.all(
        [
            writer.write("y"),
            run(promise_rejects_exactly(t, error1, writer.close(), "close()")),
            run(promise_rejects_exactly(t, error1, writer.closed, "closed")),
        ]
    )


@promise_test("releaseLock on a stream with a pending write in which the stream has been errored")
async def release_with_pending_write(t: Test) -> None:
    def write(chunk: object, controller: WritableStreamDefaultController) -> Promise[None]:
        controller.error(error1)
        return never()

    ws = WritableStream[Any]({"write": write})
    writer = ws.get_writer()
    writer.write("a")
    await delay(0)
    writer.release_lock()


@promise_test("releaseLock on a stream with a pending close in which controller.error() was called")
async def release_with_pending_close(t: Test) -> None:
    controllers: list[WritableStreamDefaultController] = []

    def close() -> Promise[None]:
        controllers[0].error(error1)
        return never()

    ws = WritableStream[Any]({"start": controllers.append, "close": close})
    writer = ws.get_writer()
    writer.close()
    await delay(0)
    writer.release_lock()


@promise_test("when close is called on a WritableStream in writable state, ready should return a fulfilled promise")
async def ready_after_close_when_writable(t: Test) -> None:
    ws = recording_writable_stream()
    writer = ws.get_writer()
    await writer.ready
    assert writer.desired_size == 1, "before close()"
    writer.close()
    assert writer.desired_size == 1, "after close()"
    value = await value_of(writer.ready)
    assert value is None, "ready is fulfilled with None"
    assert_array_equals(ws.events, ["close"], "neither write() nor abort() is called")


@promise_test("when close is called on a WritableStream in waiting state, ready promise should be fulfilled")
async def ready_after_close_when_waiting(t: Test) -> None:
    ws = recording_writable_stream({"write": never})
    writer = ws.get_writer()
    await writer.ready
    writer.write("a")
    assert writer.desired_size == 0
    called_close = False

    async def check_ready() -> None:
        value = await value_of(writer.ready)
        assert value is None, "ready is fulfilled with None"
        assert called_close, "ready is pending until close()"
        assert_array_equals(ws.events, ["write", "a"], "the sink is not aborted")

    async def close_later() -> None:
        nonlocal called_close
        await flush_async_events()
        writer.close()
        called_close = True

    await Promise.all([run(check_ready()), run(close_later())])


@promise_test(
    "when close is called on a WritableStream in waiting state, ready should be fulfilled immediately even if close "
    "takes a long time"
)
async def ready_does_not_wait_for_close(t: Test) -> None:
    async_close_finished = False

    async def close() -> None:
        nonlocal async_close_finished
        await flush_async_events()
        async_close_finished = True

    ws = recording_writable_stream({"close": close})
    writer = ws.get_writer()
    await writer.ready
    writer.write("a")
    writer.close()
    value = await value_of(writer.ready)
    assert not async_close_finished, "ready is fulfilled before the sink's close ends"
    assert value is None, "ready is fulfilled with None"
    assert_array_equals(ws.events, ["write", "a", "close"], "the sink is not aborted")


@promise_test("returning a thenable from close() should work")
async def thenable_from_close(t: Test) -> None:
    letter = Exception("letter")
    ws = WritableStream[Any]({"close": lambda: Thenable(letter)})
    await promise_rejects_exactly(t, letter, ws.get_writer().close(), "close()")


@promise_test("releaseLock() should not change the result of sync close()")
async def release_after_sync_close(t: Test) -> None:
    ws = WritableStream[Any]()
    writer = ws.get_writer()
    await writer.ready
    close_promise = writer.close()
    closed_promise = writer.closed
    writer.release_lock()
    await Promise.all([close_promise, run(promise_rejects_js(t, TypeError, closed_promise, "closed"))])


@promise_test("releaseLock() should not change the result of async close()")
async def release_after_async_close(t: Test) -> None:
    ws = WritableStream[Any]({"close": flush_async_events})
    writer = ws.get_writer()
    await writer.ready
    close_promise = writer.close()
    closed_promise = writer.closed
    writer.release_lock()
    await Promise.all([close_promise, run(promise_rejects_js(t, TypeError, closed_promise, "closed"))])


@promise_test("close() should set state to CLOSED even if writer has detached")
async def close_after_release(t: Test) -> None:
    close = Pending()
    ws = WritableStream[Any]({"close": close})
    writer = ws.get_writer()
    close_promise = writer.close()
    writer.release_lock()
    await delay(0)
    close.resolve()
    await close_promise
    assert ws.get_writer().desired_size == 0


@promise_test("the promise returned by async abort during close should resolve")
async def abort_during_close_after_release(t: Test) -> None:
    close = Pending()
    ws = WritableStream[Any]({"close": close})
    writer = ws.get_writer()
    writer.close()
    writer.release_lock()
    await delay(0)
    aborting_writer = ws.get_writer()
    abort_promise = aborting_writer.abort()
    aborting_writer.release_lock()
    close.resolve()
    await abort_promise


@promise_test("promises must fulfill/reject in the expected order on closure")
async def order_on_closure(t: Test) -> None:
    ws = WritableStream[Any]({})
    writer = ws.get_writer()
    close_promise = writer.close()
    events: list[str] = []
    await Promise.all([close_promise.then(record(events, "close")), writer.closed.then(record(events, "closed"))])
    assert_array_equals(events, ["close", "closed"])


@promise_test("promises must fulfill/reject in the expected order on aborted closure")
async def order_on_aborted_closure(t: Test) -> None:
    ws = WritableStream[Any]({})
    # Before the stream has started, abort() would not wait for the close.
    await delay(0)
    writer = ws.get_writer()
    close_promise = writer.close()
    abort_promise = writer.abort(error1)
    events: list[str] = []
    await Promise.all(
        [
            close_promise.then(record(events, "close")),
            abort_promise.then(record(events, "abort")),
            writer.closed.then(record(events, "closed")),
        ]
    )
    assert_array_equals(events, ["close", "abort", "closed"])


@promise_test("promises must fulfill/reject in the expected order on aborted and errored closure")
async def order_on_aborted_and_errored_closure(t: Test) -> None:
    ws = WritableStream[Any]({"close": lambda: Promise.reject(error1)})
    # Before the stream has started, abort() would not wait for the close.
    await delay(0)
    writer = ws.get_writer()
    close_promise = writer.close()
    abort_promise = writer.abort(error2)
    events: list[str] = []
    close_promise.then(None, record(events, "close"))
    abort_promise.then(None, record(events, "abort"))
    writer.closed.then(None, record(events, "closed"))
    await Promise.all(
        [
            run(promise_rejects_exactly(t, error1, close_promise, "close()")),
            run(promise_rejects_exactly(t, error1, abort_promise, "abort()")),
            run(promise_rejects_exactly(t, error2, writer.closed, "closed")),
        ]
    )
    assert_array_equals(events, ["close", "abort", "closed"])


@promise_test("close() should not reject until no sink methods are in flight")
async def close_waits_for_write_in_flight(t: Test) -> None:
    write = Pending()
    ws = WritableStream[Any]({"write": write})
    writer = ws.get_writer()
    await writer.ready
    write_promise = writer.write("c")
    write.controller.error(error1)
    close_promise = writer.close()
    events: list[str] = []
    close_promise.then(None, record(events, "close"))
    await flush_async_events()
    assert_array_equals(events, [], "while the write is in flight")
    write.resolve()
    await Promise.all([write_promise, run(promise_rejects_exactly(t, error1, close_promise, "close()"))])
    assert_array_equals(events, ["close"], "after the write")


@promise_test("ready promise should be initialised as fulfilled for a writer on a closed stream")
async def ready_on_closed_stream(t: Test) -> None:
    ws = WritableStream[Any]()
    writer1 = ws.get_writer()
    await writer1.close()
    writer1.release_lock()
    writer2 = ws.get_writer()
    ready = writer2.ready
    assert type(ready) is Promise
    await ready


@promise_test("close() on a writable stream should work")
async def close_writable_stream(t: Test) -> None:
    ws = WritableStream[Any]()
    ws.close()
    writer = ws.get_writer()
    await writer.closed


@promise_test("close() on a locked stream should reject")
async def close_locked_stream(t: Test) -> None:
    ws = WritableStream[Any]()
    ws.get_writer()
    await promise_rejects_js(t, TypeError, ws.close(), "close()")


@promise_test("close() on an erroring stream should reject")
async def close_erroring_stream(t: Test) -> None:
    ws = WritableStream[Any]({"start": lambda controller: controller.error(error1)})
    await promise_rejects_exactly(t, error1, ws.close(), "close()")


@promise_test("close() on an errored stream should reject")
async def close_errored_stream(t: Test) -> None:
    ws = WritableStream[Any]({"start": lambda controller: controller.error(error1)})
    writer = ws.get_writer()
    await promise_rejects_exactly(t, error1, writer.closed, "closed")
    writer.release_lock()
    await promise_rejects_js(t, TypeError, ws.close(), "close()")


@promise_test("close() on an closed stream should reject")
async def close_closed_stream(t: Test) -> None:
    ws = WritableStream[Any]()
    writer = ws.get_writer()
    await writer.close()
    await promise_rejects_js(t, TypeError, ws.close(), "close()")


@promise_test("close() on a stream with a pending close should reject")
async def close_closing_stream(t: Test) -> None:
    ws = WritableStream[Any]({"close": never})
    writer = ws.get_writer()
    writer.close()
    writer.release_lock()
    await promise_rejects_js(t, TypeError, ws.close(), "close()")
