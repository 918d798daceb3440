"""Port of streams/piping/abort.any.js."""

from __future__ import annotations

import math
from collections.abc import Awaitable
from typing import Any

from webstreams import (
    AbortController,
    AbortError,
    AbortSignal,
    CountQueuingStrategy,
    Promise,
    ReadableStream,
    WritableStream,
)
from wpt_ports.harness import (
    Test,
    assert_array_equals,
    delay,
    promise_rejects_dom,
    promise_rejects_exactly,
    promise_rejects_js,
    promise_test,
    rejection,
    run,
    same,
)
from wpt_ports.resources.piping import FakeAbortSignal, StartOnly, closing, enqueuing, erroring, rejecting
from wpt_ports.resources.recording_streams import recording_readable_stream, recording_writable_stream

error1 = Exception("error1")
error2 = Exception("error2")

# With a high water mark of 0 nothing is pulled before the pipe reads, which an aborted pipe must not do.
NOTHING_QUEUED: Any = {"high_water_mark": 0}

INVALID_SIGNALS: list[tuple[str, Any]] = [
    ("AbortSignal", "AbortSignal"),
    ("true", True),
    ("-1", -1),
    ("[object AbortSignal]", FakeAbortSignal()),
]

# None is undefined, so upstream's null has another falsy reason in its place, which is no missing one either.
REASONS: list[tuple[str, Any]] = [("null", 0), ("undefined", None), ("error1: error1", error1)]


def error_on_pull(controller: Any) -> None:
    """A `pull` callback that makes the test fail when the pipe was not aborted."""
    controller.error("failed to abort")


def aborted_signal(reason: object = None) -> AbortSignal:
    """The signal of a controller that has aborted."""
    abort_controller = AbortController()
    abort_controller.abort(reason)
    return abort_controller.signal


async def rejects_with_abort_reason(t: Test, reason: object, promise: Awaitable[Any]) -> object:
    """Check that `promise` is rejected with `reason`, or with an AbortError when there is none; give the error."""
    if reason is None:
        await promise_rejects_dom(t, "AbortError", promise, "pipe_to rejects with an AbortError")
    else:
        await promise_rejects_exactly(t, reason, promise, "pipe_to rejects with the abort reason")
    return await rejection(promise)


def add_invalid_signal(name: str, invalid_signal: Any) -> None:
    @promise_test(f"a signal argument '{name}' should cause pipeTo() to reject")
    async def rejects_invalid_signal(t: Test) -> None:
        rs = recording_readable_stream({"pull": error_on_pull}, NOTHING_QUEUED)
        ws = recording_writable_stream()
        await promise_rejects_js(t, TypeError, rs.pipe_to(ws, signal=invalid_signal), "pipe_to should reject")
        assert len(rs.events) == 0, "no callback of the source should have been called"
        assert len(ws.events) == 0, "no callback of the sink should have been called"


for name, value in INVALID_SIGNALS:
    add_invalid_signal(name, value)


@promise_test("an aborted signal should cause the writable stream to reject with an AbortError")
async def aborted_signal_errors_writable(t: Test) -> None:
    rs = recording_readable_stream({"pull": error_on_pull}, NOTHING_QUEUED)
    ws: WritableStream[Any] = WritableStream()
    signal = aborted_signal()

    await promise_rejects_dom(t, "AbortError", rs.pipe_to(ws, signal=signal), "pipe_to should reject")
    writable_errored = run(promise_rejects_dom(t, "AbortError", ws.get_writer().closed, "closed should reject"))
    await Promise.all([rs.get_reader().closed, writable_errored])
    assert len(rs.events) == 2, "cancel should have been called"
    assert rs.events[0] == "cancel", "first event should be cancel"
    assert isinstance(rs.events[1], AbortError), "the argument to cancel should be an AbortError"


def add_same_error_object(name: str, reason: Any) -> None:
    @promise_test(f"(reason: '{name}') all the error objects should be the same object")
    async def one_error_object(t: Test) -> None:
        rs = recording_readable_stream({"pull": error_on_pull}, NOTHING_QUEUED)
        ws: WritableStream[Any] = WritableStream()
        signal = aborted_signal(reason)

        error = await rejects_with_abort_reason(t, reason, rs.pipe_to(ws, signal=signal))
        await rs.get_reader().closed
        await promise_rejects_exactly(t, error, ws.get_writer().closed, "the writable has the same error")
        assert same(signal.reason, error), "signal.reason should be the error"
        assert len(rs.events) == 2, "cancel should have been called"
        assert rs.events[0] == "cancel", "first event should be cancel"
        assert same(rs.events[1], error), "the readable should be cancelled with the same object"


for name, value in REASONS:
    add_same_error_object(name, value)


@promise_test("preventCancel should prevent canceling the readable")
async def prevent_cancel(t: Test) -> None:
    rs = recording_readable_stream({"pull": error_on_pull}, NOTHING_QUEUED)
    ws: WritableStream[Any] = WritableStream()
    pipe_promise = rs.pipe_to(ws, signal=aborted_signal(), prevent_cancel=True)
    await promise_rejects_dom(t, "AbortError", pipe_promise, "pipe_to should reject")
    assert len(rs.events) == 0, "cancel should not be called"


@promise_test("preventAbort should prevent aborting the readable")
async def prevent_abort(t: Test) -> None:
    rs: ReadableStream[Any] = ReadableStream({"pull": error_on_pull}, NOTHING_QUEUED)
    ws = recording_writable_stream()
    pipe_promise = rs.pipe_to(ws, signal=aborted_signal(), prevent_abort=True)
    await promise_rejects_dom(t, "AbortError", pipe_promise, "pipe_to should reject")
    assert len(ws.events) == 0, "the writable should not have been aborted"
    await ws.get_writer().ready


@promise_test("preventCancel and preventAbort should prevent canceling the readable and aborting the readable")
async def prevent_cancel_and_abort(t: Test) -> None:
    rs = recording_readable_stream({"pull": error_on_pull}, NOTHING_QUEUED)
    ws = recording_writable_stream()
    pipe_promise = rs.pipe_to(ws, signal=aborted_signal(), prevent_cancel=True, prevent_abort=True)
    await promise_rejects_dom(t, "AbortError", pipe_promise, "pipe_to should reject")
    assert len(rs.events) == 0, "cancel should not be called"
    assert len(ws.events) == 0, "the writable should not have been aborted"
    await ws.get_writer().ready


def add_no_further_reads(name: str, reason: Any) -> None:
    @promise_test(f"(reason: '{name}') abort should prevent further reads")
    async def no_further_reads(t: Test) -> None:
        rs: ReadableStream[Any] = ReadableStream({"start": enqueuing("a", "b", close=True)})
        abort_controller = AbortController()
        signal = abort_controller.signal

        def write(chunk: Any, controller: Any) -> None:
            abort_controller.abort(reason)

        ws = recording_writable_stream({"write": write})
        error = await rejects_with_abort_reason(t, reason, rs.pipe_to(ws, signal=signal))
        assert same(signal.reason, error), "signal.reason should be the error"
        assert len(ws.events) == 4, "only chunk a should have been written"
        assert_array_equals(ws.events[:3], ["write", "a", "abort"], "events should match")
        assert same(ws.events[3], error), "the abort reason should be the error"


for name, value in REASONS:
    add_no_further_reads(name, value)


def add_pending_writes_complete(name: str, reason: Any) -> None:
    @promise_test(f"(reason: '{name}') all pending writes should complete on abort")
    async def pending_writes_complete(t: Test) -> None:
        source = StartOnly()
        rs: ReadableStream[Any] = ReadableStream(source)
        source.controller.enqueue("a")
        source.controller.enqueue("b")
        abort_controller = AbortController()
        signal = abort_controller.signal
        write_promise, resolve_write, _ = Promise[Any].with_resolvers()
        infinite = CountQueuingStrategy(high_water_mark=math.inf)
        ws = recording_writable_stream({"write": lambda chunk, controller: write_promise}, infinite)
        pipe_promise = rs.pipe_to(ws, signal=signal)

        await delay(0)
        abort_controller.abort(reason)
        await Promise.resolve(None)
        source.controller.close()
        await Promise.resolve(None)
        resolve_write(None)
        await Promise.resolve(None)

        error = await rejects_with_abort_reason(t, reason, pipe_promise)
        assert same(signal.reason, error), "signal.reason should be the error"
        assert len(ws.events) == 6, "chunks a and b should have been written"
        assert_array_equals(ws.events[:5], ["write", "a", "write", "b", "abort"], "events should match")
        assert same(ws.events[5], error), "the abort reason should be the error"


for name, value in REASONS:
    add_pending_writes_complete(name, value)


def add_cancel_with_pending_pull(name: str, reason: Any) -> None:
    @promise_test(f"(reason: '{name}') underlyingSource.cancel() should called when abort, even with pending pull")
    async def cancel_with_pending_pull(t: Test) -> None:
        pull_promise, _, reject_pull = Promise[Any].with_resolvers()
        cancel_promise, _, reject_cancel = Promise[Any].with_resolvers()
        first, _, reject_first = Promise[Any].with_resolvers()
        pull_promise.then(None, reject_first)
        cancel_promise.then(None, reject_first)

        async def pull(controller: Any) -> None:
            await first

        rs = recording_readable_stream({"pull": pull, "cancel": reject_cancel})
        ws: WritableStream[Any] = WritableStream()
        abort_controller = AbortController()
        pipe_promise = rs.pipe_to(ws, signal=abort_controller.signal)
        pipe_promise.then(None, lambda _: None)

        await delay(0)
        abort_controller.abort(reason)
        reject_pull("should not catch pull rejection")
        await delay(0)
        assert len(rs.events_without_pulls) == 2, "cancel should have been called"
        assert rs.events_without_pulls[0] == "cancel", "first event should be cancel"
        await rejects_with_abort_reason(t, reason, pipe_promise)


for name, value in REASONS:
    add_cancel_with_pending_pull(name, value)


@promise_test("a rejection from underlyingSource.cancel() should be returned by pipeTo()")
async def rejection_from_cancel(t: Test) -> None:
    source: Any = {"pull": error_on_pull, "cancel": rejecting(error1)}
    rs: ReadableStream[Any] = ReadableStream(source, NOTHING_QUEUED)
    ws: WritableStream[Any] = WritableStream()
    await promise_rejects_exactly(t, error1, rs.pipe_to(ws, signal=aborted_signal()), "pipe_to should reject")


@promise_test("a rejection from underlyingSink.abort() should be returned by pipeTo()")
async def rejection_from_abort(t: Test) -> None:
    rs: ReadableStream[Any] = ReadableStream({"pull": error_on_pull}, NOTHING_QUEUED)
    ws: WritableStream[Any] = WritableStream({"abort": rejecting(error1)})
    await promise_rejects_exactly(t, error1, rs.pipe_to(ws, signal=aborted_signal()), "pipe_to should reject")


@promise_test("a rejection from underlyingSink.abort() should be preferred to one from underlyingSource.cancel()")
async def rejection_from_abort_wins(t: Test) -> None:
    events: list[str] = []

    def cancel(reason: Any) -> Any:
        events.append("cancel")
        return Promise.reject(error1)

    def abort(reason: Any) -> Any:
        events.append("abort")
        return Promise.reject(error2)

    rs: ReadableStream[Any] = ReadableStream({"pull": error_on_pull, "cancel": cancel}, NOTHING_QUEUED)
    ws: WritableStream[Any] = WritableStream({"abort": abort})
    await promise_rejects_exactly(t, error2, rs.pipe_to(ws, signal=aborted_signal()), "pipe_to should reject")
    assert_array_equals(events, ["abort", "cancel"], "abort() should be called before cancel()")


async def assert_signal_takes_priority(t: Test, rs: ReadableStream[Any], ws: WritableStream[Any]) -> None:
    pipe_promise = rs.pipe_to(ws, signal=aborted_signal())
    await promise_rejects_dom(t, "AbortError", pipe_promise, "pipe_to should reject")


@promise_test("abort signal takes priority over closed readable")
async def priority_over_closed_readable(t: Test) -> None:
    await assert_signal_takes_priority(t, ReadableStream({"start": closing}), WritableStream())


@promise_test("abort signal takes priority over errored readable")
async def priority_over_errored_readable(t: Test) -> None:
    await assert_signal_takes_priority(t, ReadableStream({"start": erroring(error1)}), WritableStream())


@promise_test("abort signal takes priority over closed writable")
async def priority_over_closed_writable(t: Test) -> None:
    rs: ReadableStream[Any] = ReadableStream({"pull": error_on_pull}, NOTHING_QUEUED)
    ws: WritableStream[Any] = WritableStream()
    signal = aborted_signal()
    writer = ws.get_writer()
    await writer.close()
    writer.release_lock()
    await promise_rejects_dom(t, "AbortError", rs.pipe_to(ws, signal=signal), "pipe_to should reject")


@promise_test("abort signal takes priority over errored writable")
async def priority_over_errored_writable(t: Test) -> None:
    rs: ReadableStream[Any] = ReadableStream({"pull": error_on_pull}, NOTHING_QUEUED)
    ws: WritableStream[Any] = WritableStream({"start": erroring(error1)})
    await assert_signal_takes_priority(t, rs, ws)


@promise_test("abort should do nothing after the readable is closed")
async def abort_after_close(t: Test) -> None:
    source = StartOnly()
    rs: ReadableStream[Any] = ReadableStream(source)
    ws: WritableStream[Any] = WritableStream()
    abort_controller = AbortController()
    pipe_promise = rs.pipe_to(ws, signal=abort_controller.signal, prevent_close=True)
    source.controller.close()

    await Promise.resolve(None).then(lambda _: abort_controller.abort())
    await pipe_promise
    await ws.get_writer().write("this should succeed")


@promise_test("abort should do nothing after the readable is errored")
async def abort_after_error(t: Test) -> None:
    source = StartOnly()
    rs: ReadableStream[Any] = ReadableStream(source)
    ws: WritableStream[Any] = WritableStream()
    abort_controller = AbortController()
    pipe_promise = rs.pipe_to(ws, signal=abort_controller.signal, prevent_abort=True)
    source.controller.error(error1)

    await Promise.resolve(None).then(lambda _: abort_controller.abort())
    await promise_rejects_exactly(t, error1, pipe_promise, "pipe_to should reject")
    await ws.get_writer().write("this should succeed")


@promise_test("abort should do nothing after the readable is errored, even with pending writes")
async def abort_after_error_with_pending_write(t: Test) -> None:
    source = StartOnly()
    rs: ReadableStream[Any] = ReadableStream(source)
    write_promise, resolve_write, _ = Promise[Any].with_resolvers()

    def write(chunk: Any, controller: Any) -> Any:
        source.controller.error(error1)
        return write_promise

    ws: WritableStream[Any] = WritableStream({"write": write})
    abort_controller = AbortController()
    pipe_promise = rs.pipe_to(ws, signal=abort_controller.signal, prevent_abort=True)
    source.controller.enqueue("a")

    await delay(0)
    abort_controller.abort()
    resolve_write(None)
    await promise_rejects_exactly(t, error1, pipe_promise, "pipe_to should reject")
    await ws.get_writer().write("this should succeed")


@promise_test("abort should do nothing after the writable is errored")
async def abort_after_writable_error(t: Test) -> None:
    async def pull(controller: Any) -> None:
        await delay(0)
        controller.close()

    rs = recording_readable_stream({"pull": pull})
    sink = StartOnly()
    ws: WritableStream[Any] = WritableStream(sink)
    abort_controller = AbortController()
    pipe_promise = rs.pipe_to(ws, signal=abort_controller.signal, prevent_cancel=True)

    def error_writable(_: Any) -> Any:
        sink.controller.error(error1)
        return Promise.resolve(None)

    await Promise.resolve(None).then(error_writable).then(lambda _: abort_controller.abort())
    await promise_rejects_exactly(t, error1, pipe_promise, "pipe_to should reject")
    assert_array_equals(rs.events, ["pull"], "cancel should not have been called")


@promise_test("pipeTo on a teed readable byte stream should only be aborted when both branches are aborted")
async def teed_byte_stream(t: Test) -> None:
    rs: ReadableStream[Any] = ReadableStream({"pull": lambda controller: controller.enqueue(b""), "type": "bytes"})
    ws: WritableStream[Any] = WritableStream()
    first, second = rs.tee()
    aborted: list[Any] = []
    first.pipe_to(ws, signal=AbortSignal.abort()).then(None, aborted.append)

    await delay(0)
    assert not aborted, "pipe_to should not settle yet"
    await second.cancel()
    await delay(0)
    assert aborted, "pipe_to should be aborted now"
