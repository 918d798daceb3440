"""Port of streams/writable-streams/aborting.any.js."""

from __future__ import annotations

import math
from typing import Any

from webstreams import (
    AbortError,
    AbortSignal,
    CountQueuingStrategy,
    Promise,
    WritableStream,
    WritableStreamDefaultController,
)
from wpt_ports.harness import (
    Test,
    assert_array_equals,
    delay,
    flush_async_events,
    promise_rejects_exactly,
    promise_rejects_js,
    promise_test,
    rejection,
    run,
    test,
)
from wpt_ports.resources.recording_streams import recording_writable_stream
from wpt_ports.resources.sink_utils import Pending, Thenable, never, raising, record, value_of

error1 = Exception("error1")
error2 = Exception("error2")


@promise_test("Aborting a WritableStream before it starts should cause the writer's unsettled ready promise to reject")
async def abort_before_start_rejects_ready(t: Test) -> None:
    ws = WritableStream[Any]({"write": t.unreached("write() is called")})
    writer = ws.get_writer()
    write_promise = writer.write("a")
    ready_promise = writer.ready
    writer.abort(error1)
    assert writer.ready is ready_promise, "ready stays the same promise"
    await Promise.all(
        [
            run(promise_rejects_exactly(t, error1, ready_promise, "ready")),
            run(promise_rejects_exactly(t, error1, write_promise, "write()")),
        ]
    )


@promise_test("Aborting a WritableStream should cause the writer's fulfilled ready promise to reset to a rejected one")
async def abort_replaces_fulfilled_ready(t: Test) -> None:
    ws = WritableStream[Any]()
    writer = ws.get_writer()
    writer.write("a")
    ready_promise = writer.ready
    await ready_promise
    writer.abort(error1)
    assert writer.ready is not ready_promise, "ready is another promise"
    await promise_rejects_exactly(t, error1, writer.ready, "ready")


@promise_test("abort() on a released writer rejects")
async def abort_on_released_writer(t: Test) -> None:
    ws = WritableStream[Any]()
    writer = ws.get_writer()
    writer.release_lock()
    await promise_rejects_js(t, TypeError, writer.abort(), "abort()")


@promise_test("Aborting a WritableStream immediately prevents future writes")
async def abort_prevents_future_writes(t: Test) -> None:
    ws = recording_writable_stream()
    await delay(0)
    writer = ws.get_writer()
    abort_promise = writer.abort(error1)
    await Promise.all(
        [
            run(promise_rejects_exactly(t, error1, writer.write(1), "write(1)")),
            run(promise_rejects_exactly(t, error1, writer.write(2), "write(2)")),
            abort_promise,
        ]
    )
    assert_array_equals(ws.events, ["abort", error1])


@promise_test("Aborting a WritableStream prevents further writes after any that are in progress")
async def abort_prevents_writes_after_one_in_progress(t: Test) -> None:
    ws = recording_writable_stream()
    await delay(0)
    writer = ws.get_writer()
    results = [
        writer.write(1),
        run(promise_rejects_exactly(t, error1, writer.write(2), "write(2)")),
        run(promise_rejects_exactly(t, error1, writer.write(3), "write(3)")),
    ]
    abort_promise = writer.abort(error1)
    results += [
        run(promise_rejects_exactly(t, error1, writer.write(4), "write(4)")),
        run(promise_rejects_exactly(t, error1, writer.write(5), "write(5)")),
    ]
    await abort_promise
    assert_array_equals(ws.events, ["write", 1, "abort", error1])
    await Promise.all(results)


@promise_test(
    "Fulfillment value of writer.abort() call must be undefined even if the underlying sink returns a non-undefined "
    "value"
)
async def abort_fulfills_with_none(t: Test) -> None:
    ws = WritableStream[Any]({"abort": lambda reason: "Hello"})
    writer = ws.get_writer()
    value = await value_of(writer.abort("a"))
    assert value is None, "abort() is fulfilled with None"


@promise_test("WritableStream if sink's abort throws, the promise returned by writer.abort() rejects")
async def sink_abort_raises_writer_abort(t: Test) -> None:
    ws = WritableStream[Any]({"abort": raising(error1)})
    writer = ws.get_writer()
    await promise_rejects_exactly(t, error1, writer.abort(None), "abort()")


@promise_test(
    "WritableStream if sink's abort throws, the promise returned by multiple writer.abort()s is the same and rejects"
)
async def sink_abort_raises_two_writer_aborts(t: Test) -> None:
    ws = WritableStream[Any]({"abort": raising(error1)})
    writer = ws.get_writer()
    abort_promise1 = writer.abort(None)
    abort_promise2 = writer.abort(None)
    assert abort_promise1 is abort_promise2, "both calls give the same promise"
    await promise_rejects_exactly(t, error1, abort_promise1, "abort()")


@promise_test("WritableStream if sink's abort throws, the promise returned by ws.abort() rejects")
async def sink_abort_raises_stream_abort(t: Test) -> None:
    ws = WritableStream[Any]({"abort": raising(error1)})
    await promise_rejects_exactly(t, error1, ws.abort(None), "abort()")


@promise_test(
    "WritableStream if sink's abort throws, for an abort performed during a write, the promise returned by "
    "ws.abort() rejects"
)
async def sink_abort_raises_during_write(t: Test) -> None:
    write = Pending()
    ws = WritableStream[Any]({"write": write, "abort": raising(error1)})
    writer = ws.get_writer()
    writer.write(None).then(None, lambda _: None)
    await flush_async_events()
    abort_promise = writer.abort(None)
    write.resolve()
    await promise_rejects_exactly(t, error1, abort_promise, "abort()")


@promise_test("Aborting a WritableStream passes through the given reason")
async def abort_passes_the_reason(t: Test) -> None:
    ws = recording_writable_stream()
    writer = ws.get_writer()
    await writer.abort(error1)
    assert_array_equals(ws.events, ["abort", error1])


@promise_test("Aborting a WritableStream puts it in an errored state with the error passed to abort()")
async def abort_errors_the_stream(t: Test) -> None:
    ws = WritableStream[Any]()
    writer = ws.get_writer()
    abort_promise = writer.abort(error1)
    events: list[str] = []
    writer.ready.then(None, record(events, "ready"))
    writer.closed.then(None, record(events, "closed"))
    await Promise.all(
        [
            abort_promise,
            run(promise_rejects_exactly(t, error1, writer.write(None), "write()")),
            run(promise_rejects_exactly(t, error1, writer.close(), "close()")),
            run(promise_rejects_exactly(t, error1, writer.ready, "ready")),
            run(promise_rejects_exactly(t, error1, writer.closed, "closed")),
        ]
    )
    assert_array_equals(events, ["ready", "closed"], "ready is rejected before closed")


@promise_test(
    "Aborting a WritableStream causes any outstanding write() promises to be rejected with the reason supplied"
)
async def abort_rejects_outstanding_writes(t: Test) -> None:
    ws = WritableStream[Any]()
    writer = ws.get_writer()
    write_promise = run(promise_rejects_exactly(t, error1, writer.write("a"), "write()"))
    writer.abort(error1)
    await write_promise


@promise_test("Closing but then immediately aborting a WritableStream causes the stream to error")
async def close_then_abort_at_once(t: Test) -> None:
    ws = recording_writable_stream()
    writer = ws.get_writer()
    close_promise = writer.close()
    abort_promise = writer.abort(error1)
    await Promise.all(
        [
            run(promise_rejects_exactly(t, error1, writer.closed, "closed")),
            run(promise_rejects_exactly(t, error1, close_promise, "close()")),
            abort_promise,
        ]
    )
    assert_array_equals(ws.events, ["abort", error1])


@promise_test("Closing a WritableStream and aborting it while it closes causes the stream to ignore the abort attempt")
async def abort_while_closing_is_ignored(t: Test) -> None:
    close = Pending()
    ws = WritableStream[Any]({"close": close})
    writer = ws.get_writer()
    close_promise = writer.close()
    await delay(0)
    abort_promise = writer.abort(error1)
    close.resolve()
    await Promise.all([writer.closed, abort_promise, close_promise])


@promise_test("Aborting a WritableStream after it is closed is a no-op")
async def abort_after_close(t: Test) -> None:
    ws = WritableStream[Any]()
    writer = ws.get_writer()
    writer.close()
    await delay(0)
    await writer.abort()


@promise_test("WritableStream should NOT call underlying sink's close if no abort is supplied (historical)")
async def abort_does_not_fall_back_to_close(t: Test) -> None:
    # Not a recording stream: that one always has an abort().
    events: list[str] = []
    ws = WritableStream[Any]({"close": lambda: events.append("close")})
    writer = ws.get_writer()
    writer.abort(error1)
    await promise_rejects_exactly(t, error1, writer.closed, "closed")
    assert_array_equals(events, [], "close() is not called")


@promise_test("returning a thenable from abort() should work")
async def thenable_from_abort(t: Test) -> None:
    thenable = Thenable()
    ws = WritableStream[Any]({"abort": lambda reason: thenable})
    writer = ws.get_writer()
    await writer.abort()
    assert thenable.awaited, "what the sink returned is awaited"


@promise_test(".closed should not resolve before fulfilled write()")
async def closed_waits_for_fulfilled_write(t: Test) -> None:
    ws = WritableStream[Any]({"write": lambda chunk, controller: flush_async_events()})
    writer = ws.get_writer()
    await writer.ready
    write_promise = writer.write("a")
    writer.abort(error1)
    order: list[str] = []
    await Promise.all(
        [
            write_promise.then(record(order, "write")),
            run(promise_rejects_exactly(t, error1, writer.closed, "closed")).then(record(order, "closed")),
        ]
    )
    assert_array_equals(order, ["write", "closed"], "closed settles after write()")


@promise_test(".closed should not resolve before rejected write(); write() error should not overwrite abort() error")
async def closed_waits_for_rejected_write(t: Test) -> None:
    ws = WritableStream[Any]({"write": lambda chunk, controller: Promise.reject(error1)})
    writer = ws.get_writer()
    await writer.ready
    write_promise = writer.write("a")
    abort_promise = writer.abort(error2)
    order: list[str] = []
    await Promise.all(
        [
            run(promise_rejects_exactly(t, error1, write_promise, "write()")).then(record(order, "write")),
            run(promise_rejects_exactly(t, error2, writer.closed, "closed")).then(record(order, "closed")),
            abort_promise,
        ]
    )
    assert_array_equals(order, ["write", "closed"], "closed settles after write()")


@promise_test("writes should be satisfied in order when aborting")
async def writes_settle_in_order(t: Test) -> None:
    ws = WritableStream[Any](
        {"write": lambda chunk, controller: flush_async_events()}, CountQueuingStrategy(high_water_mark=4)
    )
    writer = ws.get_writer()
    await writer.ready
    order: list[int] = []
    await Promise.all(
        [
            writer.write("1").then(record(order, 1)),
            run(promise_rejects_exactly(t, error1, writer.write("2"), "first queued write")).then(record(order, 2)),
            run(promise_rejects_exactly(t, error1, writer.write("3"), "second queued write")).then(record(order, 3)),
            writer.abort(error1),
        ]
    )
    assert_array_equals(order, [1, 2, 3], "writes settle in order")


@promise_test("writes should be satisfied in order after rejected write when aborting")
async def writes_settle_in_order_after_rejection(t: Test) -> None:
    ws = WritableStream[Any](
        {"write": lambda chunk, controller: Promise.reject(error1)}, CountQueuingStrategy(high_water_mark=4)
    )
    writer = ws.get_writer()
    await writer.ready
    order: list[int] = []
    await Promise.all(
        [
            run(promise_rejects_exactly(t, error1, writer.write("1"), "write in flight")).then(record(order, 1)),
            run(promise_rejects_exactly(t, error2, writer.write("2"), "first queued write")).then(record(order, 2)),
            run(promise_rejects_exactly(t, error2, writer.write("3"), "second queued write")).then(record(order, 3)),
            writer.abort(error2),
        ]
    )
    assert_array_equals(order, [1, 2, 3], "writes settle in order")


@promise_test("close() should reject with abort reason why abort() is first error")
async def close_rejects_with_abort_reason(t: Test) -> None:
    ws = WritableStream[Any]({"write": lambda chunk, controller: Promise.reject(error1)})
    writer = ws.get_writer()
    await writer.ready
    await Promise.all(
        [
            run(promise_rejects_exactly(t, error1, writer.write("a"), "write()")),
            run(promise_rejects_exactly(t, error2, writer.close(), "close()")),
            writer.abort(error2),
        ]
    )


@promise_test("underlying abort() should not be called until underlying write() completes")
async def sink_abort_waits_for_write(t: Test) -> None:
    write = Pending()
    ws = recording_writable_stream({"write": write})
    writer = ws.get_writer()
    await writer.ready
    writer.write("a")
    abort_promise = writer.abort("b")
    await flush_async_events()
    assert_array_equals(ws.events, ["write", "a"], "while the write is in flight")
    write.resolve()
    await abort_promise
    assert_array_equals(ws.events, ["write", "a", "abort", "b"], "after the write")


@promise_test("underlying abort() should not be called if underlying close() has started")
async def sink_abort_not_called_after_close_started(t: Test) -> None:
    close = Pending()
    ws = recording_writable_stream({"close": close})
    writer = ws.get_writer()
    await writer.ready
    writer.close()
    abort_promise = writer.abort()
    await flush_async_events()
    assert_array_equals(ws.events, ["close"], "while the close is in flight")
    close.resolve()
    await abort_promise
    assert_array_equals(ws.events, ["close"], "after the close")


@promise_test(
    "if underlying close() has started and then rejects, the abort() and close() promises should reject with the "
    "underlying close rejection reason"
)
async def started_close_rejects(t: Test) -> None:
    close = Pending()
    aborts: list[object] = []
    ws = WritableStream[Any]({"close": close, "abort": aborts.append})
    writer = ws.get_writer()
    await writer.ready
    close_promise = writer.close()
    abort_promise = writer.abort()
    await flush_async_events()
    assert_array_equals(aborts, [], "the sink is not aborted while the close is in flight")
    close.reject(error1)
    await promise_rejects_exactly(t, error1, abort_promise, "abort()")
    await promise_rejects_exactly(t, error1, close_promise, "close()")
    assert_array_equals(aborts, [], "the sink is not aborted after the close")


@promise_test(
    "an abort() that happens during a write() should trigger the underlying abort() even with a close() queued"
)
async def abort_during_write_with_close_queued(t: Test) -> None:
    write = Pending()
    ws = recording_writable_stream({"write": write})
    writer = ws.get_writer()
    await writer.ready
    writer.write("a")
    close_promise = writer.close()
    abort_promise = writer.abort(error1)
    await flush_async_events()
    assert_array_equals(ws.events, ["write", "a"], "while the write is in flight")
    write.resolve()
    await abort_promise
    assert_array_equals(ws.events, ["write", "a", "abort", error1], "after the write")
    await promise_rejects_exactly(t, error1, close_promise, "close()")


@promise_test(
    "if a writer is created for a stream with a pending abort, its ready should be rejected with the abort error"
)
async def new_writer_during_pending_abort(t: Test) -> None:
    ws = WritableStream[Any]({"write": never})
    writer = ws.get_writer()
    await writer.ready
    writer.write("a")
    writer.abort(error1)
    writer.release_lock()
    writer2 = ws.get_writer()
    await promise_rejects_exactly(t, error1, writer2.ready, "ready of the second writer")


@promise_test("writer close() promise should resolve before abort() promise")
async def close_settles_before_abort(t: Test) -> None:
    ws = WritableStream[Any]()
    writer = ws.get_writer()
    await writer.ready
    close_promise = writer.close()
    abort_promise = writer.abort()
    events: list[str] = []
    await Promise.all([close_promise.then(record(events, "close")), abort_promise.then(record(events, "abort"))])
    assert_array_equals(events, ["close", "abort"])


@promise_test("writer.ready should reject on controller error without waiting for underlying write")
async def ready_rejects_before_write_ends(t: Test) -> None:
    def write(chunk: object, controller: WritableStreamDefaultController) -> Promise[None]:
        controller.error(error1)
        return never()

    ws = WritableStream[Any]({"write": write})
    writer = ws.get_writer()
    await writer.ready
    writer.write("a")
    await promise_rejects_exactly(t, error1, writer.ready, "ready")


@promise_test("writer.abort() while there is an in-flight write, and then finish the write with rejection")
async def abort_then_write_rejects(t: Test) -> None:
    write = Pending()
    ws = WritableStream[Any]({"write": write})
    events: list[str] = []
    writer = ws.get_writer()
    writer.closed.then(None, record(events, "closed"))
    await flush_async_events()

    write_promise = writer.write("a")
    write_promise.then(None, record(events, "write"))
    abort_promise = writer.abort(error1)
    abort_promise.then(record(events, "abort"))
    await Promise.all(
        [
            run(promise_rejects_exactly(t, error1, writer.write("a"), "second write")),
            run(promise_rejects_exactly(t, error1, writer.ready, "ready while the write is in flight")),
            run(flush_async_events()),
        ]
    )
    assert_array_equals(events, [], "nothing settles while the write is in flight")

    write.reject(error2)
    await Promise.all(
        [
            run(promise_rejects_exactly(t, error2, write_promise, "first write")),
            abort_promise,
            run(promise_rejects_exactly(t, error1, writer.closed, "closed")),
            run(flush_async_events()),
        ]
    )
    assert_array_equals(events, ["write", "abort", "closed"], "all settle after the write")

    await Promise.all(
        [
            run(promise_rejects_exactly(t, error1, writer.write("a"), "third write")),
            run(promise_rejects_exactly(t, error1, writer.ready, "ready after the write")),
        ]
    )

    writer.release_lock()
    await Promise.all(
        [
            run(promise_rejects_js(t, TypeError, writer.ready, "ready after the release")),
            run(promise_rejects_js(t, TypeError, writer.closed, "closed after the release")),
        ]
    )


@promise_test("writer.abort(), controller.error() while there is an in-flight write, and then finish the write")
async def abort_then_error_during_write(t: Test) -> None:
    write = Pending()
    ws = WritableStream[Any]({"write": write})
    events: list[str] = []
    writer = ws.get_writer()
    writer.closed.then(None, record(events, "closed"))
    await flush_async_events()

    write_promise = writer.write("a")
    write_promise.then(record(events, "write"))
    abort_promise = writer.abort(error1)
    abort_promise.then(record(events, "abort"))
    await Promise.all(
        [
            run(promise_rejects_exactly(t, error1, writer.write("a"), "second write")),
            run(promise_rejects_exactly(t, error1, writer.ready, "ready after abort()")),
            run(flush_async_events()),
        ]
    )
    assert_array_equals(events, [], "nothing settles after abort()")

    # Too late: abort() has already made the stream "erroring".
    write.controller.error(error2)
    await Promise.all(
        [
            run(promise_rejects_exactly(t, error1, writer.write("a"), "third write")),
            run(promise_rejects_exactly(t, error1, writer.ready, "ready after error()")),
            run(flush_async_events()),
        ]
    )
    assert_array_equals(events, [], "nothing settles after error()")

    write.resolve()
    await Promise.all(
        [
            write_promise,
            abort_promise,
            run(promise_rejects_exactly(t, error1, writer.closed, "closed")),
            run(flush_async_events()),
        ]
    )
    assert_array_equals(events, ["write", "abort", "closed"], "all settle after the write")

    await Promise.all(
        [
            write_promise,
            run(promise_rejects_exactly(t, error1, writer.write("a"), "fourth write")),
            run(promise_rejects_exactly(t, error1, writer.ready, "ready after the write")),
        ]
    )

    writer.release_lock()
    await Promise.all(
        [
            run(promise_rejects_js(t, TypeError, writer.ready, "ready after the release")),
            run(promise_rejects_js(t, TypeError, writer.closed, "closed after the release")),
        ]
    )


@promise_test("writer.abort(), controller.error() while there is an in-flight close, and then finish the close")
async def abort_then_error_during_close(t: Test) -> None:
    controllers: list[WritableStreamDefaultController] = []
    close = Pending()
    ws = WritableStream[Any]({"start": controllers.append, "close": close})
    events: list[str] = []
    writer = ws.get_writer()
    writer.closed.then(record(events, "closed"))
    await flush_async_events()

    close_promise = writer.close()
    close_promise.then(record(events, "close"))
    abort_promise = writer.abort(error1)
    abort_promise.then(record(events, "abort"))
    await Promise.all(
        [
            run(promise_rejects_js(t, TypeError, writer.close(), "close() after abort()")),
            run(promise_rejects_exactly(t, error1, writer.ready, "ready after abort()")),
            run(flush_async_events()),
        ]
    )
    assert_array_equals(events, [], "nothing settles after abort()")

    controllers[0].error(error2)
    await Promise.all(
        [
            run(promise_rejects_js(t, TypeError, writer.close(), "close() after error()")),
            run(promise_rejects_exactly(t, error1, writer.ready, "ready after error()")),
            run(flush_async_events()),
        ]
    )
    assert_array_equals(events, [], "nothing settles after error()")

    close.resolve()
    await Promise.all([close_promise, abort_promise, writer.closed, run(flush_async_events())])
    assert_array_equals(events, ["close", "abort", "closed"], "all are fulfilled after the close")

    await Promise.all(
        [
            run(promise_rejects_js(t, TypeError, writer.close(), "close() after the close")),
            run(promise_rejects_exactly(t, error1, writer.ready, "ready after the close")),
        ]
    )

    writer.release_lock()
    await Promise.all(
        [
            run(promise_rejects_js(t, TypeError, writer.close(), "close() after the release")),
            run(promise_rejects_js(t, TypeError, writer.ready, "ready after the release")),
            run(promise_rejects_js(t, TypeError, writer.closed, "closed after the release")),
        ]
    )


@promise_test("controller.error(), writer.abort() while there is an in-flight write, and then finish the write")
async def error_then_abort_during_write(t: Test) -> None:
    write = Pending()
    ws = recording_writable_stream({"write": write})
    events: list[str] = []
    writer = ws.get_writer()
    writer.closed.then(None, record(events, "closed"))
    await flush_async_events()

    write_promise = writer.write("a")
    write_promise.then(record(events, "write"))
    write.controller.error(error2)
    await Promise.all(
        [
            run(promise_rejects_exactly(t, error2, writer.write("a"), "second write")),
            run(promise_rejects_exactly(t, error2, writer.ready, "ready after error()")),
            run(flush_async_events()),
        ]
    )
    assert_array_equals(events, [], "nothing settles after error()")

    abort_promise = writer.abort(error1)
    abort_promise.then(None, record(events, "abort"))
    await Promise.all(
        [
            run(promise_rejects_exactly(t, error2, writer.write("a"), "third write")),
            run(flush_async_events()),
        ]
    )
    assert_array_equals(events, [], "nothing settles after abort()")

    write.resolve()
    await Promise.all(
        [
            run(promise_rejects_exactly(t, error2, abort_promise, "abort()")),
            run(promise_rejects_exactly(t, error2, writer.closed, "closed")),
            run(flush_async_events()),
        ]
    )
    assert_array_equals(events, ["write", "abort", "closed"], "all settle after the write")
    assert_array_equals(ws.events, ["write", "a"], "the sink is not aborted")

    await Promise.all(
        [
            write_promise,
            run(promise_rejects_exactly(t, error2, writer.write("a"), "fourth write")),
            run(promise_rejects_exactly(t, error2, writer.ready, "ready after the write")),
        ]
    )

    writer.release_lock()
    await Promise.all(
        [
            run(promise_rejects_js(t, TypeError, writer.ready, "ready after the release")),
            run(promise_rejects_js(t, TypeError, writer.closed, "closed after the release")),
        ]
    )


@promise_test("controller.error(), writer.abort() while there is an in-flight close, and then finish the close")
async def error_then_abort_during_close(t: Test) -> None:
    controllers: list[WritableStreamDefaultController] = []
    close = Pending()
    ws = WritableStream[Any]({"start": controllers.append, "close": close})
    events: list[str] = []
    writer = ws.get_writer()
    writer.closed.then(record(events, "closed"))
    await flush_async_events()

    close_promise = writer.close()
    close_promise.then(record(events, "close"))
    controllers[0].error(error2)
    await flush_async_events()
    assert_array_equals(events, [], "nothing settles after error()")

    abort_promise = writer.abort(error1)
    abort_promise.then(record(events, "abort"))
    await Promise.all(
        [
            run(promise_rejects_exactly(t, error2, writer.ready, "ready after abort()")),
            run(flush_async_events()),
        ]
    )
    assert_array_equals(events, [], "nothing settles after abort()")

    close.resolve()
    await Promise.all(
        [
            close_promise,
            run(promise_rejects_exactly(t, error2, writer.ready, "ready after the close")),
            writer.closed,
            run(flush_async_events()),
        ]
    )
    assert_array_equals(events, ["close", "abort", "closed"], "all are fulfilled after the close")

    writer.release_lock()
    await Promise.all(
        [
            run(promise_rejects_js(t, TypeError, writer.ready, "ready after the release")),
            run(promise_rejects_js(t, TypeError, writer.closed, "closed after the release")),
        ]
    )


@promise_test("releaseLock() while aborting should reject the original closed promise")
async def release_while_aborting(t: Test) -> None:
    write = Pending()
    ws = WritableStream[Any]({"write": write})
    writer = ws.get_writer()
    await writer.ready
    write_promise = writer.write("a")
    closed = writer.closed
    abort_promise = writer.abort()
    writer.release_lock()
    write.resolve()
    await Promise.all([write_promise, abort_promise, run(promise_rejects_js(t, TypeError, closed, "closed"))])


@promise_test("releaseLock() during delayed async abort() should reject the writer.closed promise")
async def release_during_sink_abort(t: Test) -> None:
    write = Pending()
    pending_abort = Pending()
    abort_started, resolve_abort_started, _ = Promise[None].with_resolvers()

    def abort(reason: object) -> Promise[None]:
        resolve_abort_started(None)
        return pending_abort(reason)

    ws = WritableStream[Any]({"write": write, "abort": abort})
    writer = ws.get_writer()
    await writer.ready
    write_promise = writer.write("a")
    closed = writer.closed
    abort_promise = writer.abort()
    write.resolve()
    await abort_started
    writer.release_lock()
    assert writer.closed is closed, "closed stays the same promise"
    pending_abort.resolve()
    await Promise.all([write_promise, abort_promise, run(promise_rejects_js(t, TypeError, closed, "closed"))])


@promise_test("sink abort() should not be called until sink start() is done")
async def sink_abort_waits_for_start(t: Test) -> None:
    start = Pending()
    ws = recording_writable_stream({"start": start})
    abort_promise = ws.abort("done")
    await flush_async_events()
    assert_array_equals(ws.events, [], "while start() runs")
    start.resolve()
    await abort_promise
    assert_array_equals(ws.events, ["abort", "done"], "after start()")


@promise_test("if start attempts to error the controller after abort() has been called, then it should lose")
async def error_in_start_loses_to_abort(t: Test) -> None:
    start = Pending()
    ws = recording_writable_stream({"start": start})
    abort_promise = ws.abort("done")
    start.controller.error(error1)
    start.resolve()
    await abort_promise
    assert_array_equals(ws.events, ["abort", "done"], "the sink is aborted all the same")


@promise_test("stream abort() promise should still resolve if sink start() rejects")
async def stream_abort_with_rejecting_start(t: Test) -> None:
    ws = recording_writable_stream({"start": lambda controller: Promise.reject(error1)})
    await ws.abort("done")
    assert_array_equals(ws.events, ["abort", "done"], "the sink is aborted all the same")


@promise_test("writer abort() during sink start() should replace the writer.ready promise synchronously")
async def abort_during_start_replaces_ready(t: Test) -> None:
    ws = WritableStream[Any]()
    writer = ws.get_writer()
    ready1 = writer.ready
    writer.abort(error1)
    ready2 = writer.ready
    assert ready1 is not ready2, "ready is another promise"
    await Promise.all([ready1, run(promise_rejects_exactly(t, error1, ready2, "the second ready"))])


@promise_test(
    "promises returned from other writer methods should be rejected when writer abort() happens during sink start()"
)
async def other_promises_reject_in_order(t: Test) -> None:
    events: list[str] = []
    ws = recording_writable_stream()
    writer = ws.get_writer()
    write_promise1 = writer.write(1)
    abort_promise = writer.abort(error1)
    write_promise2 = writer.write(2)
    close_promise = writer.close()
    write_promise1.then(None, record(events, "write1"))
    abort_promise.then(record(events, "abort"))
    write_promise2.then(None, record(events, "write2"))
    close_promise.then(None, record(events, "close"))
    await Promise.all(
        [
            run(promise_rejects_exactly(t, error1, write_promise1, "first write")),
            abort_promise,
            run(promise_rejects_exactly(t, error1, write_promise2, "second write")),
            run(promise_rejects_exactly(t, error1, close_promise, "close()")),
        ]
    )
    assert_array_equals(events, ["write2", "write1", "abort", "close"], "the order of settling")
    assert_array_equals(ws.events, ["abort", error1], "the sink's write() is not called")


@promise_test("abort() should succeed despite rejection from write")
async def abort_despite_rejected_write(t: Test) -> None:
    write = Pending()
    ws = WritableStream[Any]({"write": write})
    writer = ws.get_writer()
    await writer.ready
    write_promise = writer.write("a")
    abort_promise = writer.abort()
    write.controller.error(error1)
    write.reject(error2)
    await Promise.all([run(promise_rejects_exactly(t, error2, write_promise, "write()")), abort_promise])


@promise_test("abort() should be rejected with the rejection returned from close()")
async def abort_rejects_with_close(t: Test) -> None:
    controllers: list[WritableStreamDefaultController] = []
    close = Pending()
    ws = WritableStream[Any]({"start": controllers.append, "close": close})
    writer = ws.get_writer()
    await writer.ready
    close_promise = writer.close()
    abort_promise = writer.abort()
    controllers[0].error(error1)
    close.reject(error2)
    await Promise.all(
        [
            run(promise_rejects_exactly(t, error2, close_promise, "close()")),
            run(promise_rejects_exactly(t, error2, abort_promise, "abort()")),
        ]
    )


@promise_test("a rejecting sink.write() should not prevent sink.abort() from being called")
async def sink_abort_after_rejecting_write(t: Test) -> None:
    write = Pending()
    ws = recording_writable_stream({"write": write})
    writer = ws.get_writer()
    await writer.ready
    write_promise = writer.write("1")
    abort_promise = writer.abort(error2)
    write.reject(error1)
    await Promise.all(
        [
            run(promise_rejects_exactly(t, error1, write_promise, "write()")),
            abort_promise,
            run(promise_rejects_exactly(t, error2, writer.closed, "closed")),
        ]
    )
    assert_array_equals(ws.events, ["write", "1", "abort", error2], "the sink is aborted")


@promise_test("when start errors after stream abort(), underlying sink abort() should be called anyway")
async def sink_abort_after_rejecting_start(t: Test) -> None:
    ws = recording_writable_stream({"start": lambda controller: Promise.reject(error1)})
    await ws.abort(error2)
    assert_array_equals(ws.events, ["abort", error2])


@promise_test(
    "when calling abort() twice on the same stream, both should give the same promise that fulfills with undefined"
)
async def two_aborts_give_one_promise(t: Test) -> None:
    ws = WritableStream[Any]()
    abort_promise1 = ws.abort()
    abort_promise2 = ws.abort()
    assert abort_promise1 is abort_promise2, "both calls give the same promise"
    value = await value_of(abort_promise1)
    assert value is None, "abort() is fulfilled with None"


@promise_test(
    "when calling abort() twice on the same stream, but sequentially so so there's no pending abort the second time, "
    "both should fulfill with undefined"
)
async def two_aborts_in_sequence(t: Test) -> None:
    ws = WritableStream[Any]()
    abort_promise1 = ws.abort()
    value1 = await value_of(abort_promise1)
    assert value1 is None, "the first abort() is fulfilled with None"
    abort_promise2 = ws.abort()
    assert abort_promise2 is not abort_promise1, "the second call gives a new promise"
    value2 = await value_of(abort_promise2)
    assert value2 is None, "the second abort() is fulfilled with None"


@promise_test("calling abort() on an errored stream should fulfill with undefined")
async def abort_on_errored_stream(t: Test) -> None:
    ws = WritableStream[Any]({"start": lambda controller: controller.error(error1)})
    writer = ws.get_writer()
    await promise_rejects_exactly(t, error1, writer.closed, "closed")
    value = await value_of(writer.abort())
    assert value is None, "abort() is fulfilled with None"


@promise_test(
    "sink abort() should not be called if stream was erroring due to controller.error() before abort() was called"
)
async def sink_abort_not_called_after_error(t: Test) -> None:
    write = Pending()
    ws = recording_writable_stream({"write": write})
    writer = ws.get_writer()
    await writer.ready
    write_promise = writer.write("chunk")
    ws.controller.error(error1)
    abort_promise = writer.abort(error2)
    write.resolve()
    await Promise.all([write_promise, run(promise_rejects_exactly(t, error1, abort_promise, "abort()"))])
    assert_array_equals(ws.events, ["write", "chunk"], "the sink is not aborted")


@promise_test("sink abort() should not be called if stream was erroring due to bad strategy before abort() was called")
async def sink_abort_not_called_after_bad_size(t: Test) -> None:
    write = Pending()
    size = 1.0
    ws = recording_writable_stream({"write": write}, {"size": lambda chunk: size, "high_water_mark": 1})
    writer = ws.get_writer()
    await writer.ready
    write_promise1 = writer.write("chunk1")
    size = math.nan
    write_promise2 = writer.write("chunk2")
    abort_promise = writer.abort(error2)
    write.resolve()
    await Promise.all(
        [
            write_promise1,
            run(promise_rejects_js(t, ValueError, write_promise2, "second write")),
            run(promise_rejects_js(t, ValueError, abort_promise, "abort()")),
        ]
    )
    assert_array_equals(ws.events, ["write", "chunk1"], "the sink is not aborted")


@promise_test("abort with no arguments should set the stored error to undefined")
async def abort_without_reason(t: Test) -> None:
    ws = WritableStream[Any]()
    await ws.abort()
    writer = ws.get_writer()
    assert await rejection(writer.closed, "closed") is None, "the stored error is None"


@promise_test("abort with an undefined argument should set the stored error to undefined")
async def abort_with_none(t: Test) -> None:
    ws = WritableStream[Any]()
    await ws.abort(None)
    writer = ws.get_writer()
    assert await rejection(writer.closed, "closed") is None, "the stored error is None"


@promise_test("abort with a string argument should set the stored error to that argument")
async def abort_with_string(t: Test) -> None:
    ws = WritableStream[Any]()
    await ws.abort("string argument")
    writer = ws.get_writer()
    await promise_rejects_exactly(t, "string argument", writer.closed, "closed")


@promise_test("abort on a locked stream should reject")
async def abort_on_locked_stream(t: Test) -> None:
    ws = WritableStream[Any]()
    writer = ws.get_writer()
    await promise_rejects_js(t, TypeError, ws.abort(), "abort()")
    await writer.ready


@test("WritableStreamDefaultController.signal")
def controller_signal(t: Test) -> None:
    controllers: list[WritableStreamDefaultController] = []
    ws = WritableStream[Any]({"start": controllers.append})
    error = Exception("hello")
    signal: Any = controllers[0].signal
    assert isinstance(signal, AbortSignal)
    assert signal.aborted is False
    assert signal.reason is None, "no reason before abort()"
    ws.abort(error)
    signal = controllers[0].signal
    assert signal.aborted is True
    assert signal.reason is error


@promise_test("the abort signal is signalled synchronously - write")
async def signal_during_write(t: Test) -> None:
    controllers: list[WritableStreamDefaultController] = []
    called, resolve_called, _ = Promise[None].with_resolvers()

    def write(chunk: object, controller: WritableStreamDefaultController) -> Promise[None]:
        resolve_called(None)
        return never()

    ws = WritableStream[Any]({"start": controllers.append, "write": write})
    writer = ws.get_writer()
    writer.write(99)
    await called
    signal: Any = controllers[0].signal
    assert signal.aborted is False
    assert signal.reason is None, "no reason before abort()"
    writer.abort()
    signal = controllers[0].signal
    assert signal.aborted is True
    assert isinstance(signal.reason, AbortError), "the default reason of a signal"


@promise_test("the abort signal is signalled synchronously - close")
async def signal_during_close(t: Test) -> None:
    controllers: list[WritableStreamDefaultController] = []
    called, resolve_called, _ = Promise[None].with_resolvers()

    def close() -> Promise[None]:
        resolve_called(None)
        return never()

    ws = WritableStream[Any]({"start": controllers.append, "close": close})
    writer = ws.get_writer()
    writer.close()
    await called
    signal: Any = controllers[0].signal
    assert signal.aborted is False
    writer.abort()
    signal = controllers[0].signal
    assert signal.aborted is True


@promise_test("the abort signal is not signalled on error")
async def no_signal_on_error(t: Test) -> None:
    controllers: list[WritableStreamDefaultController] = []
    ws = WritableStream[Any]({"start": controllers.append})
    writer = ws.get_writer()
    error = TypeError()
    controllers[0].error(error)
    await promise_rejects_exactly(t, error, writer.closed)
    assert controllers[0].signal.aborted is False


@promise_test("the abort signal is not signalled on write failure")
async def no_signal_on_write_failure(t: Test) -> None:
    controllers: list[WritableStreamDefaultController] = []
    error = TypeError()

    async def write(chunk: object, controller: WritableStreamDefaultController) -> None:
        raise error

    ws = WritableStream[Any]({"start": controllers.append, "write": write})
    writer = ws.get_writer()
    await promise_rejects_exactly(t, error, writer.write("hello"), "write()")
    await promise_rejects_exactly(t, error, writer.closed, "closed")
    assert controllers[0].signal.aborted is False


@promise_test("the abort signal is not signalled on close failure")
async def no_signal_on_close_failure(t: Test) -> None:
    controllers: list[WritableStreamDefaultController] = []
    error = TypeError()

    async def close() -> None:
        raise error

    ws = WritableStream[Any]({"start": controllers.append, "close": close})
    writer = ws.get_writer()
    await promise_rejects_exactly(t, error, writer.close(), "close()")
    await promise_rejects_exactly(t, error, writer.closed, "closed")
    assert controllers[0].signal.aborted is False


@promise_test("recursive abort() call")
async def recursive_abort(t: Test) -> None:
    controllers: list[WritableStreamDefaultController] = []
    outer_error = SyntaxError()
    inner_error = TypeError()
    ws = WritableStream[Any]({"start": controllers.append})
    writer = ws.get_writer()
    controllers[0].signal.add_event_listener("abort", lambda *_: writer.abort(inner_error))
    writer.abort(outer_error)
    assert controllers[0].signal.aborted is True
    await promise_rejects_exactly(t, inner_error, writer.closed, "closed")
