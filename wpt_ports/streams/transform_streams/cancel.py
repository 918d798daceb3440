"""Port of streams/transform-streams/cancel.any.js."""

from __future__ import annotations

from typing import Any

from webstreams import Promise, TransformStream
from wpt_ports.harness import Test, flush_async_events, promise_rejects_exactly, promise_test
from wpt_ports.resources.ts_utils import ControllerKeeper

thrown_error = Exception("error1")
original_reason = Exception("error2")
cancel_reason = Exception("cancel reason")
abort_reason = Exception("abort reason")


def throwing_cancel(reason: Any) -> None:
    """A ``cancel`` that raises."""
    assert reason is original_reason, "transformer.cancel() gets the reason"
    raise thrown_error


async def async_throwing_cancel(reason: Any) -> None:
    """A ``cancel`` that rejects."""
    throwing_cancel(reason)


class ErroringTransformer(ControllerKeeper):
    """Errors its stream in ``cancel``; its ``flush`` must not be called."""

    def __init__(self, t: Test) -> None:
        self.flush = t.unreached("flush should not be called")

    async def cancel(self, reason: Any) -> None:
        """The transformer's ``cancel``."""
        assert reason is original_reason, "transformer.cancel() gets the reason"
        self.controller.error(thrown_error)


@promise_test("cancelling the readable side should call transformer.cancel()")
async def readable_cancel_calls_cancel(t: Test) -> None:
    reasons: list[Any] = []
    ts = TransformStream[Any, Any]({"cancel": reasons.append})
    cancel_promise: Any = ts.readable.cancel(thrown_error)
    assert await cancel_promise is None, "readable.cancel() gives nothing"
    assert reasons == [thrown_error], "transformer.cancel() gets the reason"


@promise_test("cancelling the readable side should reject if transformer.cancel() throws")
async def readable_cancel_rejects(t: Test) -> None:
    ts = TransformStream[Any, Any]({"cancel": throwing_cancel})
    writer = ts.writable.get_writer()
    cancel_promise = ts.readable.cancel(original_reason)
    await promise_rejects_exactly(t, thrown_error, cancel_promise, "readable.cancel()")
    await promise_rejects_exactly(t, thrown_error, writer.closed, "writer.closed")


@promise_test("aborting the writable side should call transformer.abort()")
async def writable_abort_calls_cancel(t: Test) -> None:
    reasons: list[Any] = []
    ts = TransformStream[Any, Any]({"cancel": reasons.append, "flush": t.unreached("flush should not be called")})
    abort_promise: Any = ts.writable.abort(thrown_error)
    assert await abort_promise is None, "writable.abort() gives nothing"
    assert reasons == [thrown_error], "transformer.cancel() gets the reason"


@promise_test("aborting the writable side should reject if transformer.cancel() throws")
async def writable_abort_rejects(t: Test) -> None:
    ts = TransformStream[Any, Any]({"cancel": throwing_cancel, "flush": t.unreached("flush should not be called")})
    reader = ts.readable.get_reader()
    abort_promise = ts.writable.abort(original_reason)
    await promise_rejects_exactly(t, thrown_error, abort_promise, "writable.abort()")
    await promise_rejects_exactly(t, thrown_error, reader.closed, "reader.closed")


async def check_cancel_and_close_reject(t: Test, ts: TransformStream[Any, Any]) -> None:
    """A ``cancel()`` and the ``close()`` called right after it both reject with `thrown_error`."""
    cancel_promise = ts.readable.cancel(original_reason)
    close_promise = ts.writable.close()
    await Promise.all(
        [
            promise_rejects_exactly(t, thrown_error, cancel_promise, "readable.cancel()"),
            promise_rejects_exactly(t, thrown_error, close_promise, "writable.close()"),
        ]
    )


@promise_test("closing the writable side should reject if a parallel transformer.cancel() throws")
async def close_rejects_when_parallel_cancel_throws(t: Test) -> None:
    transformer: Any = {"cancel": async_throwing_cancel, "flush": t.unreached("flush should not be called")}
    await check_cancel_and_close_reject(t, TransformStream[Any, Any](transformer))


@promise_test(
    "readable.cancel() and a parallel writable.close() should reject if a transformer.cancel() calls controller.error()"
)
async def cancel_and_close_reject_when_cancel_errors(t: Test) -> None:
    await check_cancel_and_close_reject(t, TransformStream[Any, Any](ErroringTransformer(t)))


@promise_test("writable.abort() and readable.cancel() should reject if a transformer.cancel() calls controller.error()")
async def abort_and_cancel_reject_when_cancel_errors(t: Test) -> None:
    ts = TransformStream[Any, Any](ErroringTransformer(t))
    abort_promise = ts.writable.abort(original_reason)
    await promise_rejects_exactly(t, thrown_error, abort_promise, "writable.abort()")
    cancel_promise = ts.readable.cancel(1)
    await promise_rejects_exactly(t, thrown_error, cancel_promise, "readable.cancel()")


@promise_test("readable.cancel() should not call cancel() when flush() is already called from writable.close()")
async def cancel_inside_flush(t: Test) -> None:
    cancel_promises: list[Promise[None]] = []

    def flush(controller: Any) -> None:
        cancel_promises.append(ts.readable.cancel(cancel_reason))

    ts = TransformStream[Any, Any]({"flush": flush, "cancel": t.unreached("cancel should not be called")})
    await flush_async_events()
    await ts.writable.close()
    assert len(cancel_promises) == 1, "flush() was called"
    await cancel_promises[0]


@promise_test("readable.cancel() should not call cancel() again when already called from writable.abort()")
async def cancel_inside_cancel_from_abort(t: Test) -> None:
    calls = 0
    cancel_promise: Any = None

    def cancel(reason: Any) -> None:
        nonlocal calls, cancel_promise
        calls += 1
        if calls == 1:
            cancel_promise = ts.readable.cancel(cancel_reason)

    ts = TransformStream[Any, Any]({"cancel": cancel, "flush": t.unreached("flush should not be called")})
    await flush_async_events()
    await ts.writable.abort(abort_reason)
    assert calls == 1
    await cancel_promise
    assert calls == 1


@promise_test("writable.close() should not call flush() when cancel() is already called from readable.cancel()")
async def close_inside_cancel(t: Test) -> None:
    close_promises: list[Promise[None]] = []

    def cancel(reason: Any) -> None:
        close_promises.append(ts.writable.close())

    ts = TransformStream[Any, Any]({"cancel": cancel, "flush": t.unreached("flush should not be called")})
    await flush_async_events()
    await ts.readable.cancel(cancel_reason)
    assert len(close_promises) == 1, "cancel() was called"
    await close_promises[0]


@promise_test("writable.abort() should not call cancel() again when already called from readable.cancel()")
async def abort_inside_cancel_from_cancel(t: Test) -> None:
    calls = 0
    abort_promise: Any = None

    def cancel(reason: Any) -> None:
        nonlocal calls, abort_promise
        calls += 1
        if calls == 1:
            abort_promise = ts.writable.abort(abort_reason)

    ts = TransformStream[Any, Any]({"cancel": cancel, "flush": t.unreached("flush should not be called")})
    await flush_async_events()
    await promise_rejects_exactly(t, abort_reason, ts.readable.cancel(cancel_reason), "readable.cancel()")
    assert calls == 1
    await promise_rejects_exactly(t, abort_reason, abort_promise, "writable.abort()")
    assert calls == 1
