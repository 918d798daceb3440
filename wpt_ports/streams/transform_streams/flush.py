"""Port of streams/transform-streams/flush.any.js."""

from __future__ import annotations

from typing import Any

from webstreams import Promise, TransformStream
from wpt_ports.harness import Test, delay, promise_rejects_exactly, promise_test
from wpt_ports.resources.ts_utils import ControllerKeeper, discard

error1 = Exception("error1")


@promise_test("TransformStream flush is called immediately when the writable is closed, if no writes are queued")
async def flush_runs_on_close(t: Test) -> None:
    flushed: list[Any] = []
    ts = TransformStream[Any, Any]({"transform": discard, "flush": flushed.append})
    await ts.writable.get_writer().close()
    assert flushed, "flush() was called"


@promise_test("TransformStream flush is called after all queued writes finish, once the writable is closed")
async def flush_waits_for_writes(t: Test) -> None:
    resolvers: list[Any] = []
    events: list[str] = []

    def transform(chunk: Any, controller: Any) -> Any:
        promise, resolve, _ = Promise.with_resolvers()
        resolvers.append(resolve)
        return promise

    def flush(controller: Any) -> Any:
        events.append("flush")
        return Promise.with_resolvers()[0]

    ts = TransformStream[Any, Any]({"transform": transform, "flush": flush}, None, {"high_water_mark": 1})
    writer = ts.writable.get_writer()
    writer.write("a")
    writer.close()
    assert events == [], "close() does not call flush() while a write is unfinished"
    ts.readable.get_reader().closed.then(lambda _: events.append("closed"))
    await delay(0)
    assert events == [], "flush() is not called later either while a write is unfinished"
    resolvers[0](None)
    await delay(0)
    assert events == ["flush"], "flush() is called in the end; the readable stays open until it has finished"


@promise_test("TransformStream flush gets a chance to enqueue more into the readable")
async def flush_enqueues(t: Test) -> None:
    keeper = ControllerKeeper()

    def flush(_: Any) -> None:
        keeper.controller.enqueue("x")
        keeper.controller.enqueue("y")

    ts = TransformStream[Any, Any]({"start": keeper.start, "transform": discard, "flush": flush})
    reader = ts.readable.get_reader()
    writer = ts.writable.get_writer()
    writer.write("a")
    writer.close()
    assert await reader.read() == ("x", False)
    assert await reader.read() == ("y", False)


@promise_test("TransformStream flush gets a chance to enqueue more into the readable, and can then async close")
async def flush_enqueues_then_closes_later(t: Test) -> None:
    keeper = ControllerKeeper()

    async def flush(_: Any) -> None:
        keeper.controller.enqueue("x")
        keeper.controller.enqueue("y")
        await delay(0)

    async def read_both() -> None:
        assert await reader.read() == ("x", False)
        assert await reader.read() == ("y", False)

    ts = TransformStream[Any, Any]({"start": keeper.start, "transform": discard, "flush": flush})
    reader = ts.readable.get_reader()
    writer = ts.writable.get_writer()
    writer.write("a")
    writer.close()
    await Promise.all([read_both(), reader.closed])


@promise_test("error() during flush should cause writer.close() to reject")
async def error_during_flush(t: Test) -> None:
    ts = TransformStream[Any, Any]({"flush": lambda controller: controller.error(error1)})
    await promise_rejects_exactly(t, error1, ts.writable.get_writer().close(), "close()")


@promise_test(
    "closing the writable side should call transformer.flush() and a parallel readable.cancel() should not reject"
)
async def close_with_parallel_cancel(t: Test) -> None:
    flushed: list[Any] = []
    ts = TransformStream[Any, Any]({"flush": flushed.append, "cancel": t.unreached("cancel should not be called")})
    close_promise = ts.writable.close()
    await delay(0)
    cancel_promise = ts.readable.cancel(error1)
    await Promise.all([close_promise, cancel_promise])
    assert flushed, "flush() was called"
