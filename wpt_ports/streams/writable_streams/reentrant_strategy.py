"""Port of streams/writable-streams/reentrant-strategy.any.js.

The strategy's size() calls methods of the stream here, as no real program should: it shows small departures from the
Standard.
"""

from __future__ import annotations

from typing import Any

from webstreams import Promise, WritableStream
from wpt_ports.harness import (
    Test,
    assert_array_equals,
    flush_async_events,
    promise_rejects_exactly,
    promise_rejects_js,
    promise_test,
    run,
)
from wpt_ports.resources.recording_streams import recording_writable_stream
from wpt_ports.resources.sink_utils import record

error1 = Exception("error1")


@promise_test("writes should be written in the standard order")
async def order_of_sink_writes(t: Test) -> None:
    def size(chunk: int) -> int:
        if chunk > 0:
            writer.write(chunk - 1)
        return chunk

    ws = recording_writable_stream({}, {"size": size})
    writer = ws.get_writer()
    await writer.write(2)
    assert_array_equals(ws.events, ["write", 0, "write", 1, "write", 2], "the order of the writes")


@promise_test("writer.write() promises should resolve in the standard order")
async def order_of_write_promises(t: Test) -> None:
    events: list[object] = []

    def size(chunk: int) -> int:
        events.extend(["size", chunk])
        if chunk > 0:
            writer.write(chunk - 1).then(record(events, "writer.write done", chunk - 1))
        return chunk

    ws = WritableStream[Any]({"write": lambda chunk, controller: events.extend(["sink.write", chunk])}, {"size": size})
    writer = ws.get_writer()
    await writer.write(2).then(record(events, "writer.write done", 2))
    await flush_async_events()
    expected: list[object] = ["size", 2, "size", 1, "size", 0]
    expected += ["sink.write", 0, "sink.write", 1, "writer.write done", 0]
    expected += ["sink.write", 2, "writer.write done", 1, "writer.write done", 2]
    assert_array_equals(events, expected, "the order of the events")


@promise_test("controller.error() should work when called from within strategy.size()")
async def error_within_size(t: Test) -> None:
    def size(chunk: object) -> int:
        ws.controller.error(error1)
        return 1

    ws = recording_writable_stream({}, {"size": size})
    resolved: list[str] = []
    writer = ws.get_writer()
    ready1 = writer.ready.then(record(resolved, "ready1"))
    write = run(promise_rejects_exactly(t, error1, writer.write(None), "write()")).then(record(resolved, "write"))
    ready2 = run(promise_rejects_exactly(t, error1, writer.ready, "ready")).then(record(resolved, "ready2"))
    closed = run(promise_rejects_exactly(t, error1, writer.closed, "closed")).then(record(resolved, "closed"))
    await Promise.all([ready1, write, ready2, closed])
    assert_array_equals(resolved, ["ready1", "write", "ready2", "closed"], "the order of settling")
    assert_array_equals(ws.events, [], "the sink's write() is not called")


@promise_test("close() should work when called from within strategy.size()")
async def close_within_size(t: Test) -> None:
    def size(chunk: object) -> int:
        writer.close()
        return 1

    ws = recording_writable_stream({}, {"size": size})
    writer = ws.get_writer()
    await promise_rejects_js(t, TypeError, writer.write("a"), "write()")
    assert_array_equals(ws.events, ["close"], "the sink's write() is not called")


@promise_test("abort() should work when called from within strategy.size()")
async def abort_within_size(t: Test) -> None:
    def size(chunk: object) -> int:
        writer.abort(error1)
        return 1

    ws = recording_writable_stream({}, {"size": size})
    writer = ws.get_writer()
    await promise_rejects_exactly(t, error1, writer.write("a"), "write()")
    assert_array_equals(ws.events, ["abort", error1], "the sink's write() is not called")


@promise_test("releaseLock() should abort the write() when called within strategy.size()")
async def release_within_size(t: Test) -> None:
    def size(chunk: object) -> int:
        writer.release_lock()
        return 1

    ws = recording_writable_stream({}, {"size": size})
    writer = ws.get_writer()
    await Promise.all(
        [
            run(promise_rejects_js(t, TypeError, writer.write("a"), "write()")),
            run(promise_rejects_js(t, TypeError, writer.ready, "ready")),
            run(promise_rejects_js(t, TypeError, writer.closed, "closed")),
        ]
    )
    assert_array_equals(ws.events, [], "the sink's write() is not called")


@promise_test("original reader should error when new reader is created within strategy.size()")
async def new_writer_within_size(t: Test) -> None:
    promises_of_writer2: list[Promise[Any]] = []

    def size(chunk: int) -> int:
        if chunk > 0:
            writer1.release_lock()
            writer2 = ws.get_writer()
            promises_of_writer2.extend([writer2.write(0), writer2.close(), writer2.closed])
        return 1

    ws = recording_writable_stream({}, {"size": size})
    writer1 = ws.get_writer()
    promises_of_writer1 = [
        run(promise_rejects_js(t, TypeError, writer1.write(1), "write()")),
        run(promise_rejects_js(t, TypeError, writer1.ready, "ready")),
        run(promise_rejects_js(t, TypeError, writer1.closed, "closed")),
    ]
    assert len(promises_of_writer2) == 3
    await Promise.all([*promises_of_writer1, *promises_of_writer2])
    assert_array_equals(ws.events, ["write", 0, "close"], "the sink's write() is called once")
