"""Port of streams/readable-streams/cancel.any.js."""

from __future__ import annotations

from typing import Any

from webstreams import Promise, ReadableStream
from wpt_ports.harness import Test, delay, promise_rejects_exactly, promise_rejects_js, promise_test, run, test
from wpt_ports.resources.rs_utils import RandomPushSource, assert_result, readable_stream_to_array


class PushSourceAdapter:
    """An underlying source over an endless push source; its cancel() takes a millisecond."""

    def __init__(self, t: Test) -> None:
        self.source = RandomPushSource()
        self.cancellation_finished = False
        self._t = t

    def start(self, controller: Any) -> None:
        self.source.ondata = controller.enqueue
        self.source.onend = controller.close
        self.source.onerror = controller.error

    def pull(self, controller: Any) -> None:
        self.source.read_start()

    def cancel(self, reason: object) -> Any:
        self.source.read_stop()
        promise: Promise[None]
        promise, resolve, _ = Promise.with_resolvers()

        def finish() -> None:
            self.cancellation_finished = True
            resolve(None)

        self._t.step_timeout(finish, 1)
        return promise


@promise_test("ReadableStream cancellation: integration test on an infinite stream derived from a random push source")
async def random_push_source(t: Test) -> None:
    adapter = PushSourceAdapter(t)
    rs = ReadableStream[Any](adapter)
    reader = rs.get_reader()

    async def cancel_later() -> None:
        # Several delays, so that the source has pushed at least one chunk.
        for _ in range(3):
            await delay(5)
        cancelled = reader.cancel()
        assert not adapter.cancellation_finished, "the source is cancelled later"
        await cancelled

    cancelled = run(cancel_later())
    chunks = await readable_stream_to_array(rs, reader)
    assert len(chunks) > 0
    for index, chunk in enumerate(chunks):
        assert len(chunk) == 128, f"chunk {index}"
    await cancelled
    assert adapter.cancellation_finished, "cancel() waits for the source"


@test("ReadableStream cancellation: cancel(reason) should pass through the given reason to the underlying source")
def reason_is_passed_through(t: Test) -> None:
    reasons: list[Any] = []
    rs = ReadableStream[Any]({"cancel": reasons.append})
    passed = Exception("the reason")
    rs.cancel(passed)
    assert len(reasons) == 1
    assert reasons[0] is passed


@promise_test(
    "ReadableStream cancellation: cancel() on a locked stream should fail and not call the underlying source cancel"
)
async def cancel_locked(t: Test) -> None:
    def start(controller: Any) -> None:
        controller.enqueue("a")
        controller.close()

    rs = ReadableStream[Any]({"start": start, "cancel": t.unreached("cancel() must not be called")})
    reader = rs.get_reader()
    await promise_rejects_js(t, TypeError, rs.cancel())
    assert_result(await reader.read(), "a", message="read() still works")
    await reader.closed


@promise_test("ReadableStream cancellation: should fulfill promise when cancel callback went fine")
async def cancel_went_fine(t: Test) -> None:
    reasons: list[Any] = []
    rs = ReadableStream[Any]({"cancel": reasons.append})
    passed = Exception("the reason")
    await rs.cancel(passed)
    assert len(reasons) == 1
    assert reasons[0] is passed


@promise_test(
    "ReadableStream cancellation: returning a value from the underlying source's cancel should not affect the "
    "fulfillment value of the promise returned by the stream's cancel"
)
async def cancel_returns_value(t: Test) -> None:
    rs = ReadableStream[Any]({"cancel": lambda reason: "Hello"})
    promise: Any = rs.cancel()
    assert await promise is None


@promise_test("ReadableStream cancellation: should reject promise when cancel callback raises an exception")
async def cancel_raises(t: Test) -> None:
    error = Exception("test")
    calls: list[object] = []

    def cancel(reason: object) -> None:
        calls.append(reason)
        raise error

    await promise_rejects_exactly(t, error, ReadableStream[Any]({"cancel": cancel}).cancel("test"))
    assert calls == ["test"]


@promise_test(
    "ReadableStream cancellation: if the underlying source's cancel method returns a promise, the promise returned by "
    "the stream's cancel should fulfill when that one does (1)"
)
async def cancel_returns_promise(t: Test) -> None:
    passed = Exception("test")

    def cancel(reason: object) -> Any:
        assert reason is passed
        return delay(1)

    await ReadableStream[Any]({"cancel": cancel}).cancel(passed)


@promise_test(
    "ReadableStream cancellation: if the underlying source's cancel method returns a promise, the promise returned by "
    "the stream's cancel should fulfill when that one does (2)"
)
async def cancel_waits_for_promise(t: Test) -> None:
    source_promise: Promise[str]
    source_promise, resolve, _ = Promise.with_resolvers()
    settled: list[Any] = []

    def cancel(reason: object) -> Any:
        source_promise.then(settled.append)
        return source_promise

    rs = ReadableStream[Any]({"cancel": cancel})
    t.step_timeout(resolve, 1, "Hello")

    def check(value: object) -> None:
        assert settled == ["Hello"], "fulfilled only after the source's promise"
        assert value is None

    await rs.cancel().then(check)


@promise_test(
    "ReadableStream cancellation: if the underlying source's cancel method returns a promise, the promise returned by "
    "the stream's cancel should reject when that one does"
)
async def cancel_rejects_with_promise(t: Test) -> None:
    source_promise: Promise[None]
    source_promise, _, reject = Promise.with_resolvers()
    settled: list[Any] = []
    error = Exception("cancel failed")

    def cancel(reason: object) -> Any:
        source_promise.then(None, settled.append)
        return source_promise

    rs = ReadableStream[Any]({"cancel": cancel})
    t.step_timeout(reject, 1, error)

    def check(reason: object) -> None:
        assert len(settled) == 1, "rejected only after the source's promise"
        assert reason is error

    await rs.cancel().then(t.unreached("cancel() should be rejected"), check)


@promise_test("ReadableStream cancellation: cancelling before start finishes should prevent pull() from being called")
async def cancel_before_start_finishes(t: Test) -> None:
    never: Promise[None] = Promise.with_resolvers()[0]
    rs = ReadableStream[Any]({"start": lambda controller: never, "pull": t.unreached("pull() must not be called")})
    await Promise.all([rs.cancel(), rs.get_reader().closed])
