"""Port of streams/transform-streams/general.any.js."""

from __future__ import annotations

import inspect
from math import inf
from typing import Any

from webstreams import Promise, TransformStream
from wpt_ports.harness import (
    Test,
    assert_array_equals,
    assert_throws_js,
    delay,
    flush_async_events,
    promise_rejects_exactly,
    promise_rejects_js,
    promise_test,
    run,
    test,
)
from wpt_ports.resources.rs_utils import readable_stream_to_array
from wpt_ports.resources.ts_utils import ControllerKeeper, discard


@test("TransformStream can be constructed with a transform function")
def construct_with_transform(t: Test) -> None:
    TransformStream[Any, Any]({"transform": discard})


@test("TransformStream can be constructed with no transform function")
def construct_without_transform(t: Test) -> None:
    TransformStream[Any, Any]()
    TransformStream[Any, Any]({})


@test("TransformStream writable starts in the writable state")
def writable_starts_writable(t: Test) -> None:
    ts = TransformStream[Any, Any]({"transform": discard})
    assert ts.writable.get_writer().desired_size == 1


@promise_test("Identity TransformStream: can read from readable what is put into writable")
async def identity(t: Test) -> None:
    ts = TransformStream[Any, Any]()
    writer = ts.writable.get_writer()
    writer.write("a")
    assert writer.desired_size == 0, "full after write()"
    assert await ts.readable.get_reader().read() == ("a", False)
    await delay(0)
    assert writer.desired_size == 1, "empty again"


@promise_test(
    "Uppercaser sync TransformStream: can read from readable transformed version of what is put into writable"
)
async def sync_uppercaser(t: Test) -> None:
    keeper = ControllerKeeper()

    def transform(chunk: Any, _: Any) -> None:
        keeper.controller.enqueue(chunk.upper())

    ts = TransformStream[Any, Any]({"start": keeper.start, "transform": transform})
    ts.writable.get_writer().write("a")
    assert await ts.readable.get_reader().read() == ("A", False)


@promise_test("Uppercaser-doubler sync TransformStream: can read both chunks put into the readable")
async def sync_uppercaser_doubler(t: Test) -> None:
    keeper = ControllerKeeper()

    def transform(chunk: Any, _: Any) -> None:
        keeper.controller.enqueue(chunk.upper())
        keeper.controller.enqueue(chunk.upper())

    ts = TransformStream[Any, Any]({"start": keeper.start, "transform": transform})
    ts.writable.get_writer().write("a")
    reader = ts.readable.get_reader()
    assert await reader.read() == ("A", False), "the first of the two"
    assert await reader.read() == ("A", False), "the second of the two"


@promise_test(
    "Uppercaser async TransformStream: can read from readable transformed version of what is put into writable"
)
async def async_uppercaser(t: Test) -> None:
    keeper = ControllerKeeper()

    async def transform(chunk: Any, _: Any) -> None:
        await delay(0)
        keeper.controller.enqueue(chunk.upper())

    ts = TransformStream[Any, Any]({"start": keeper.start, "transform": transform})
    ts.writable.get_writer().write("a")
    assert await ts.readable.get_reader().read() == ("A", False)


@promise_test("Uppercaser-doubler async TransformStream: can read both chunks put into the readable")
async def async_uppercaser_doubler(t: Test) -> None:
    calls: list[tuple[Any, Any, Any]] = []

    def transform(chunk: Any, controller: Any) -> Any:
        async def enqueue_later() -> None:
            await delay(0)
            controller.enqueue(chunk.upper())

        run(enqueue_later())
        promise, return_from_transform, _ = Promise.with_resolvers()
        calls.append((chunk, controller, return_from_transform))
        return promise

    ts = TransformStream[Any, Any]({"transform": transform})
    reader = ts.readable.get_reader()
    ts.writable.get_writer().write("a")
    assert await reader.read() == ("A", False), "the first of the two"
    ((chunk, controller, return_from_transform),) = calls
    controller.enqueue(chunk.upper())
    assert await reader.read() == ("A", False), "the second of the two"
    return_from_transform(None)


@promise_test("TransformStream: by default, closing the writable closes the readable (when there are no queued writes)")
async def close_closes_the_readable(t: Test) -> None:
    ts = TransformStream[Any, Any]({"transform": discard})
    writer = ts.writable.get_writer()
    writer.close()
    await Promise.all([writer.closed, ts.readable.get_reader().closed])


@promise_test("TransformStream: by default, closing the writable waits for transforms to finish before closing both")
async def close_waits_for_transforms(t: Test) -> None:
    transform_promise, resolve_transform, _ = Promise.with_resolvers()
    readable_closed = False

    def note_closed(_: Any) -> None:
        nonlocal readable_closed
        readable_closed = True

    def check_closed(_: Any) -> None:
        assert readable_closed, "the readable is closed before the writable"

    transformer: Any = {"transform": lambda chunk, controller: transform_promise}
    ts = TransformStream[Any, Any](transformer, None, {"high_water_mark": 1})
    writer = ts.writable.get_writer()
    writer.write("a")
    writer.close()
    ts.readable.get_reader().closed.then(note_closed)
    await delay(0)
    assert not readable_closed, "the readable stays open while transform() runs"
    resolve_transform(None)
    await writer.closed.then(check_closed)


async def check_close_after_chunks(transform: Any, keeper: ControllerKeeper) -> None:
    """Closing right after one write still lets every chunk that `transform` enqueues be read."""
    ts = TransformStream[Any, Any]({"start": keeper.start, "transform": transform})
    writer = ts.writable.get_writer()
    writer.write("a")
    writer.close()
    readable_chunks = readable_stream_to_array(ts.readable)
    await writer.closed
    assert_array_equals(await readable_chunks, ["x", "y"])


@promise_test(
    "TransformStream: by default, closing the writable closes the readable after sync enqueues and async done"
)
async def close_after_sync_enqueues(t: Test) -> None:
    keeper = ControllerKeeper()

    async def transform(chunk: Any, _: Any) -> None:
        keeper.controller.enqueue("x")
        keeper.controller.enqueue("y")
        await delay(0)

    await check_close_after_chunks(transform, keeper)


@promise_test(
    "TransformStream: by default, closing the writable closes the readable after async enqueues and async done"
)
async def close_after_async_enqueues(t: Test) -> None:
    keeper = ControllerKeeper()

    async def transform(chunk: Any, _: Any) -> None:
        await delay(0)
        keeper.controller.enqueue("x")
        await Promise.resolve(None)
        keeper.controller.enqueue("y")
        await delay(0)

    await check_close_after_chunks(transform, keeper)


class SuffixTransformer:
    """A transformer whose callbacks need their own object."""

    suffix = "-suffix"

    def start(self, controller: Any) -> None:
        """Keep the controller and enqueue a first chunk."""
        self.controller = controller
        self.controller.enqueue("start" + self.suffix)

    def transform(self, chunk: Any, _: Any) -> None:
        """Enqueue the chunk with the suffix."""
        self.controller.enqueue(chunk + self.suffix)

    def flush(self, _: Any) -> None:
        """Enqueue a last chunk."""
        self.controller.enqueue("flushed" + self.suffix)


@promise_test("Transform stream should call transformer methods as methods")
async def callbacks_are_methods(t: Test) -> None:
    ts = TransformStream[Any, Any](SuffixTransformer())
    writer = ts.writable.get_writer()
    writer.write("a")
    writer.close()
    readable_chunks = readable_stream_to_array(ts.readable)
    await writer.closed
    assert_array_equals(await readable_chunks, ["start-suffix", "a-suffix", "flushed-suffix"])


@promise_test("TransformStream start, transform, and flush should be strictly ordered")
async def callbacks_are_ordered(t: Test) -> None:
    called: list[str] = []
    finished: list[str] = []

    async def finish(name: str) -> None:
        called.append(name)
        await flush_async_events()
        finished.append(name)

    @t.step
    def transform(chunk: Any, controller: Any) -> Any:
        assert finished == ["start"], "transform() waits for the promise of start()"
        return run(finish("transform"))

    @t.step
    def flush(controller: Any) -> Any:
        assert finished == ["start", "transform"], "flush() waits for the promise of transform()"
        return run(finish("flush"))

    transformer: Any = {"start": lambda controller: run(finish("start")), "transform": transform, "flush": flush}
    ts = TransformStream[Any, Any](transformer, None, {"high_water_mark": 1})
    assert called == ["start"], "start() is called by the constructor"
    writer = ts.writable.get_writer()
    write_promise = writer.write("a")
    await writer.close()
    assert finished == ["start", "transform", "flush"], "close() waits for the promise of flush()"
    await write_promise


@promise_test("it should be possible to call transform() synchronously")
async def transform_runs_inside_write(t: Test) -> None:
    chunks: list[Any] = []
    transformer: Any = {"transform": lambda chunk, controller: chunks.append(chunk)}
    ts = TransformStream[Any, Any](transformer, None, {"high_water_mark": inf})
    # transform() runs inside write() only when there is no backpressure and every pending job has run.
    await delay(0)
    write_promise = ts.writable.get_writer().write()
    assert chunks == [None], "transform() has been called"
    await write_promise


@promise_test("closing the writable should close the readable when there are no queued chunks, even with backpressure")
async def close_with_backpressure(t: Test) -> None:
    ts = TransformStream[Any, Any]({}, None, {"high_water_mark": 0})
    writer = ts.writable.get_writer()
    writer.close()
    await Promise.all([writer.closed, ts.readable.get_reader().closed])


@test("enqueue() should throw after controller.terminate()")
def enqueue_after_terminate(t: Test) -> None:
    def start(controller: Any) -> None:
        controller.terminate()
        assert_throws_js(TypeError, controller.enqueue, "enqueue()")

    TransformStream[Any, Any]({"start": start})


@promise_test("enqueue() should throw after readable.cancel()")
async def enqueue_after_cancel(t: Test) -> None:
    keeper = ControllerKeeper()
    ts = TransformStream[Any, Any](keeper)
    cancel_promise = ts.readable.cancel()
    assert_throws_js(TypeError, keeper.controller.enqueue, "enqueue()")
    await cancel_promise


@test("controller.terminate() should do nothing the second time it is called")
def second_terminate_is_ignored(t: Test) -> None:
    def start(controller: Any) -> None:
        controller.terminate()
        controller.terminate()

    TransformStream[Any, Any]({"start": start})


@promise_test("terminate() should abort writable immediately after readable.cancel()")
async def terminate_right_after_cancel(t: Test) -> None:
    keeper = ControllerKeeper()
    ts = TransformStream[Any, Any](keeper)
    cancel_promise = ts.readable.cancel({"name": "cancel_reason"})
    keeper.controller.terminate()
    closed_promise = ts.writable.get_writer().closed
    await Promise.all([cancel_promise, promise_rejects_js(t, TypeError, closed_promise, "writer.closed")])


@promise_test("terminate() should do nothing after readable.cancel() resolves")
async def terminate_after_cancel_resolved(t: Test) -> None:
    keeper = ControllerKeeper()
    ts = TransformStream[Any, Any](keeper)
    cancel_reason = {"name": "cancel_reason"}
    await ts.readable.cancel(cancel_reason)
    keeper.controller.terminate()
    await promise_rejects_exactly(t, cancel_reason, ts.writable.get_writer().closed, "writer.closed")


@promise_test("start() should not be called twice")
async def start_runs_once(t: Test) -> None:
    controllers: list[Any] = []
    TransformStream[Any, Any]({"start": controllers.append})
    await flush_async_events()
    assert len(controllers) == 1


@test("specifying a defined readableType should throw")
def readable_type_is_refused(t: Test) -> None:
    transformer: Any = {"readable_type": "bytes"}
    assert_throws_js(ValueError, lambda: TransformStream[Any, Any](transformer), "constructor")


@test("specifying a defined writableType should throw")
def writable_type_is_refused(t: Test) -> None:
    transformer: Any = {"writable_type": "bytes"}
    assert_throws_js(ValueError, lambda: TransformStream[Any, Any](transformer), "constructor")


@test("Subclassing TransformStream should work")
def subclass(t: Test) -> None:
    class Subclass(TransformStream[Any, Any]):
        def extra_function(self) -> bool:
            return True

    assert Subclass.__bases__[0] is TransformStream
    sub = Subclass()
    assert isinstance(sub, TransformStream)
    assert isinstance(sub, Subclass)
    getter = inspect.getattr_static(TransformStream, "readable")
    assert getter.__get__(sub) is sub.readable, "the property of TransformStream works on the subclass"
    assert sub.extra_function()
