"""Port of streams/writable-streams/write.any.js."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from webstreams import Promise, WritableStream, WritableStreamDefaultController, WritableStreamDefaultWriter
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
)
from wpt_ports.resources.recording_streams import recording_writable_stream
from wpt_ports.resources.sink_utils import Thenable, raising, value_of

error1 = Exception("error1")
error2 = Exception("error2")


def write_all_and_close(chunks: Iterable[Any], writer: WritableStreamDefaultWriter[Any]) -> Promise[None]:
    """Write without waiting, then close."""
    for chunk in chunks:
        writer.write(chunk)
    return writer.close()


@promise_test("WritableStream should complete asynchronous writes before close resolves")
async def async_writes_before_close(t: Test) -> None:
    class Sink:
        storage: list[int]

        def start(self, controller: object) -> None:
            self.storage = []

        async def write(self, chunk: int, controller: object) -> None:
            await delay(0)
            self.storage.append(chunk)

        async def close(self) -> None:
            await delay(0)

    sink = Sink()
    writer = WritableStream[Any](sink).get_writer()
    chunks = [1, 2, 3, 4, 5]
    await write_all_and_close(chunks, writer)
    assert_array_equals(sink.storage, chunks, "what the sink got")


@promise_test("WritableStream should complete synchronous writes before close resolves")
async def sync_writes_before_close(t: Test) -> None:
    ws = recording_writable_stream()
    writer = ws.get_writer()
    await write_all_and_close([1, 2, 3, 4, 5], writer)
    expected = ["write", 1, "write", 2, "write", 3, "write", 4, "write", 5, "close"]
    assert_array_equals(ws.events, expected, "what the sink got")


@promise_test(
    "fulfillment value of ws.write() call should be undefined even if the underlying sink returns a non-undefined value"
)
async def write_fulfills_with_none(t: Test) -> None:
    ws = WritableStream[Any]({"write": lambda chunk, controller: "Hello"})
    writer = ws.get_writer()
    value = await value_of(writer.write("a"))
    assert value is None, "write() is fulfilled with None"


@promise_test("WritableStream should transition to waiting until write is acknowledged")
async def waiting_until_write_ends(t: Test) -> None:
    resolvers: list[Callable[[None], object]] = []
    events: list[str] = []

    def write(chunk: object, controller: object) -> Promise[None]:
        promise, resolve, _ = Promise[None].with_resolvers()
        resolvers.append(resolve)
        return promise

    ws = WritableStream[Any]({"write": write})
    writer = ws.get_writer()
    assert writer.desired_size == 1, "before write()"
    await writer.ready
    write_promise = writer.write("a")
    assert resolvers, "the sink's write() is called"
    assert writer.desired_size == 0, "after write()"

    async def check_write() -> None:
        value = await value_of(write_promise)
        events.append("write")
        assert not resolvers, "the sink's write ends before write()"
        assert value is None, "write() is fulfilled with None"

    async def check_ready() -> None:
        value = await value_of(writer.ready)
        assert not resolvers, "the sink's write ends before ready"
        assert events == ["write"], "write() is fulfilled before ready"
        assert writer.desired_size == 1, "after the write"
        assert value is None, "ready is fulfilled with None"

    async def end_write() -> None:
        await flush_async_events()
        resolvers.pop()(None)

    await Promise.all([run(check_write()), run(check_ready()), run(end_write())])


@promise_test("when write returns a rejected promise, queued writes and close should be cleared")
async def rejecting_write_clears_queue(t: Test) -> None:
    rejectors: list[Callable[[Any], object]] = []

    def write(chunk: object, controller: object) -> Promise[None]:
        promise, _, reject = Promise[None].with_resolvers()
        rejectors.append(reject)
        return promise

    async def check_rejection(promise: Promise[None], name: str) -> None:
        await promise_rejects_exactly(t, error1, promise, name)
        assert not rejectors, f"the sink's write is rejected before {name}"

    async def reject_write() -> None:
        await flush_async_events()
        rejectors.pop()(error1)

    ws = WritableStream[Any]({"write": write})
    writer = ws.get_writer()
    assert writer.desired_size == 1, "before write()"
    await writer.ready
    write_promise = writer.write("a")
    assert len(rejectors) == 1, "the sink's write() is called"
    assert writer.desired_size == 0, "after the 1st write()"
    write_promise2 = writer.write("b")
    assert len(rejectors) == 1, "the sink's write() is not called again"
    assert writer.desired_size == -1, "after the 2nd write()"
    close_promise = writer.close()
    assert writer.desired_size == -1, "after close()"
    await Promise.all(
        [
            run(check_rejection(close_promise, "close()")),
            run(check_rejection(write_promise, "the 1st write()")),
            run(check_rejection(write_promise2, "the 2nd write()")),
            run(reject_write()),
        ]
    )


@promise_test("when sink's write throws an error, the stream should become errored and the promise should reject")
async def raising_write(t: Test) -> None:
    ws = WritableStream[Any]({"write": raising(error1)})
    writer = ws.get_writer()
    await promise_rejects_exactly(t, error1, writer.write("a"), "write()")
    await promise_rejects_js(t, TypeError, writer.close(), "close()")


@promise_test(
    "writer.write(), ready and closed reject with the error passed to controller.error() made before sink.write"
    " rejection"
)
async def error_before_write_raises(t: Test) -> None:
    def write(chunk: object, controller: WritableStreamDefaultController) -> None:
        controller.error(error1)
        raise error2

    ws = WritableStream[Any]({"write": write})
    writer = ws.get_writer()
    await promise_rejects_exactly(t, error2, writer.write("a"), "write()")
    await Promise.all(
        [
            run(promise_rejects_exactly(t, error1, writer.ready, "ready")),
            run(promise_rejects_exactly(t, error1, writer.closed, "closed")),
        ]
    )


@promise_test("a large queue of writes should be processed completely")
async def large_queue(t: Test) -> None:
    number_of_writes = 1000
    first_write, resolve_first_write, _ = Promise[None].with_resolvers()
    write_count = 0

    def write(chunk: object, controller: object) -> Promise[None]:
        nonlocal write_count
        write_count += 1
        return first_write if write_count == 1 else Promise.resolve(None)

    ws = WritableStream[Any]({"write": write})
    writer = ws.get_writer()
    await writer.ready
    for _ in range(number_of_writes - 1):
        writer.write("a")
    write_promise = writer.write("a")
    assert write_count == 1, "only the first write has begun"
    resolve_first_write(None)
    await write_promise
    assert write_count == number_of_writes, "every write reached the sink"


@promise_test("WritableStreamDefaultWriter should work when manually constructed")
async def manually_constructed_writer(t: Test) -> None:
    stream = recording_writable_stream()
    released_writer = stream.get_writer()
    constructor = type(released_writer)
    released_writer.release_lock()
    writer = constructor(stream)
    await writer.ready
    writer.write("a")
    assert_array_equals(stream.events, ["write", "a"], "the sink's write() is called")


@promise_test("returning a thenable from write() should work")
async def thenable_from_write(t: Test) -> None:
    thenable = Thenable()
    ws = WritableStream[Any]({"write": lambda chunk, controller: thenable})
    await ws.get_writer().write("a")
    assert thenable.awaited, "what the sink returned is awaited"


@promise_test("failing DefaultWriter constructor should not release an existing writer")
async def failing_writer_constructor(t: Test) -> None:
    stream = WritableStream[Any]()
    writer = stream.get_writer()
    constructor = type(writer)
    assert_throws_js(TypeError, lambda: constructor(stream), "the constructor on a locked stream")
    # closed only settles while the stream still knows its writer.
    await Promise.all([writer.close(), writer.closed])


@promise_test("write() on a stream with HWM 0 should not cause the ready Promise to resolve")
async def write_with_high_water_mark_0(t: Test) -> None:
    ws = WritableStream[Any]({"start": lambda controller: Promise.reject(error1)}, {"high_water_mark": 0})
    writer = ws.get_writer()
    await Promise.all(
        [
            run(promise_rejects_exactly(t, error1, writer.ready, "ready")),
            run(promise_rejects_exactly(t, error1, writer.write(None), "write()")),
        ]
    )


@promise_test("writing to a released writer should reject the returned promise")
async def write_with_released_writer(t: Test) -> None:
    ws = WritableStream[Any]()
    writer = ws.get_writer()
    writer.release_lock()
    await promise_rejects_js(t, TypeError, writer.write(None), "write()")
