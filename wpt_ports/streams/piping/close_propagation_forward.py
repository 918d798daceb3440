"""Port of streams/piping/close-propagation-forward.any.js."""

from __future__ import annotations

from typing import Any

from webstreams import CountQueuingStrategy, Promise
from wpt_ports.harness import (
    Test,
    assert_array_equals,
    delay,
    flush_async_events,
    promise_rejects_exactly,
    promise_test,
    run,
)
from wpt_ports.resources.piping import (
    FALSY_OPTIONS,
    TRUTHY_OPTIONS,
    HeldWrites,
    closing,
    enqueuing,
    fulfills_with_none,
    raising,
)
from wpt_ports.resources.recording_streams import (
    RecordingReadableStream,
    RecordingWritableStream,
    recording_readable_stream,
    recording_writable_stream,
)

error1 = Exception("error1")


async def assert_both_closed(rs: RecordingReadableStream, ws: RecordingWritableStream) -> None:
    await Promise.all([rs.get_reader().closed, ws.get_writer().closed])


async def assert_source_closed_and_sink_errored(
    t: Test, rs: RecordingReadableStream, ws: RecordingWritableStream
) -> None:
    await Promise.all([rs.get_reader().closed, run(promise_rejects_exactly(t, error1, ws.get_writer().closed))])


def close_soon(t: Test, rs: RecordingReadableStream) -> None:
    """Close the source on a timer."""
    t.step_timeout(rs.controller.close, 0)


def hello_then_close_soon(t: Test, rs: RecordingReadableStream) -> None:
    """Enqueue one chunk on a timer, and close on the next."""

    def enqueue() -> None:
        rs.controller.enqueue("Hello")
        t.step_timeout(rs.controller.close, 0)

    t.step_timeout(enqueue, 10)


def never_desires_chunks() -> CountQueuingStrategy:
    return CountQueuingStrategy(high_water_mark=0)


@promise_test("Closing must be propagated forward: starts closed; preventClose omitted; fulfilled close promise")
async def starts_closed(t: Test) -> None:
    rs = recording_readable_stream({"start": closing})
    ws = recording_writable_stream()

    await fulfills_with_none(rs.pipe_to(ws))
    assert_array_equals(rs.events, [])
    assert_array_equals(ws.events, ["close"])
    await assert_both_closed(rs, ws)


@promise_test("Closing must be propagated forward: starts closed; preventClose omitted; rejected close promise")
async def starts_closed_close_rejects(t: Test) -> None:
    rs = recording_readable_stream({"start": closing})
    ws = recording_writable_stream({"close": raising(error1)})

    await promise_rejects_exactly(t, error1, rs.pipe_to(ws), "pipe_to must reject with the same error")
    assert_array_equals(rs.events, [])
    assert_array_equals(ws.events, ["close"])
    await assert_source_closed_and_sink_errored(t, rs, ws)


def add_falsy(name: str, falsy: Any) -> None:
    @promise_test(
        f"Closing must be propagated forward: starts closed; preventClose = {name} (falsy); fulfilled close promise"
    )
    async def prevent_close_falsy(t: Test) -> None:
        rs = recording_readable_stream({"start": closing})
        ws = recording_writable_stream()

        await fulfills_with_none(rs.pipe_to(ws, prevent_close=falsy))
        assert_array_equals(rs.events, [])
        assert_array_equals(ws.events, ["close"])
        await assert_both_closed(rs, ws)


for name, value in FALSY_OPTIONS:
    add_falsy(name, value)


async def assert_sink_left_open(**options: Any) -> None:
    """Pipe a closed source with `options`, which keep the sink from being closed."""
    rs = recording_readable_stream({"start": closing})
    ws = recording_writable_stream()

    await fulfills_with_none(rs.pipe_to(ws, **options))
    assert_array_equals(rs.events, [])
    assert_array_equals(ws.events, [])
    await rs.get_reader().closed


def add_truthy(name: str, truthy: Any) -> None:
    @promise_test(f"Closing must be propagated forward: starts closed; preventClose = {name} (truthy)")
    async def prevent_close_truthy(t: Test) -> None:
        await assert_sink_left_open(prevent_close=truthy)


for name, value in TRUTHY_OPTIONS:
    add_truthy(name, value)


@promise_test("Closing must be propagated forward: starts closed; preventClose = true, preventAbort = true")
async def prevent_close_and_abort(t: Test) -> None:
    await assert_sink_left_open(prevent_close=True, prevent_abort=True)


@promise_test(
    "Closing must be propagated forward: starts closed; preventClose = true, preventAbort = true, preventCancel = true"
)
async def prevent_everything(t: Test) -> None:
    await assert_sink_left_open(prevent_close=True, prevent_abort=True, prevent_cancel=True)


@promise_test(
    "Closing must be propagated forward: becomes closed asynchronously; preventClose omitted; fulfilled close promise"
)
async def becomes_closed(t: Test) -> None:
    rs = recording_readable_stream()
    ws = recording_writable_stream()

    pipe_promise = rs.pipe_to(ws)
    close_soon(t, rs)

    await fulfills_with_none(pipe_promise)
    assert_array_equals(rs.events_without_pulls, [])
    assert_array_equals(ws.events, ["close"])
    await assert_both_closed(rs, ws)


@promise_test(
    "Closing must be propagated forward: becomes closed asynchronously; preventClose omitted; rejected close promise"
)
async def becomes_closed_close_rejects(t: Test) -> None:
    rs = recording_readable_stream()
    ws = recording_writable_stream({"close": raising(error1)})

    pipe_promise = rs.pipe_to(ws)
    close_soon(t, rs)

    await promise_rejects_exactly(t, error1, pipe_promise, "pipe_to must reject with the same error")
    assert_array_equals(rs.events_without_pulls, [])
    assert_array_equals(ws.events, ["close"])
    await assert_source_closed_and_sink_errored(t, rs, ws)


@promise_test("Closing must be propagated forward: becomes closed asynchronously; preventClose = true")
async def becomes_closed_prevent_close(t: Test) -> None:
    rs = recording_readable_stream()
    ws = recording_writable_stream()

    pipe_promise = rs.pipe_to(ws, prevent_close=True)
    close_soon(t, rs)

    await fulfills_with_none(pipe_promise)
    assert_array_equals(rs.events_without_pulls, [])
    assert_array_equals(ws.events, [])
    await rs.get_reader().closed


@promise_test(
    "Closing must be propagated forward: becomes closed asynchronously; dest never desires chunks; "
    "preventClose omitted; fulfilled close promise"
)
async def becomes_closed_without_demand(t: Test) -> None:
    rs = recording_readable_stream()
    ws = recording_writable_stream(None, never_desires_chunks())

    pipe_promise = rs.pipe_to(ws)
    close_soon(t, rs)

    await fulfills_with_none(pipe_promise)
    assert_array_equals(rs.events_without_pulls, [])
    assert_array_equals(ws.events, ["close"])
    await assert_both_closed(rs, ws)


@promise_test(
    "Closing must be propagated forward: becomes closed asynchronously; dest never desires chunks; "
    "preventClose omitted; rejected close promise"
)
async def becomes_closed_without_demand_close_rejects(t: Test) -> None:
    rs = recording_readable_stream()
    ws = recording_writable_stream({"close": raising(error1)}, never_desires_chunks())

    pipe_promise = rs.pipe_to(ws)
    close_soon(t, rs)

    await promise_rejects_exactly(t, error1, pipe_promise, "pipe_to must reject with the same error")
    assert_array_equals(rs.events_without_pulls, [])
    assert_array_equals(ws.events, ["close"])
    await assert_source_closed_and_sink_errored(t, rs, ws)


@promise_test(
    "Closing must be propagated forward: becomes closed asynchronously; dest never desires chunks; preventClose = true"
)
async def becomes_closed_without_demand_prevent_close(t: Test) -> None:
    rs = recording_readable_stream()
    ws = recording_writable_stream(None, never_desires_chunks())

    pipe_promise = rs.pipe_to(ws, prevent_close=True)
    close_soon(t, rs)

    await fulfills_with_none(pipe_promise)
    assert_array_equals(rs.events_without_pulls, [])
    assert_array_equals(ws.events, [])
    await rs.get_reader().closed


@promise_test(
    "Closing must be propagated forward: becomes closed after one chunk; preventClose omitted; fulfilled close promise"
)
async def closes_after_one_chunk(t: Test) -> None:
    rs = recording_readable_stream()
    ws = recording_writable_stream()

    pipe_promise = rs.pipe_to(ws)
    hello_then_close_soon(t, rs)

    await fulfills_with_none(pipe_promise)
    assert_array_equals(rs.events_without_pulls, [])
    assert_array_equals(ws.events, ["write", "Hello", "close"])
    await assert_both_closed(rs, ws)


@promise_test(
    "Closing must be propagated forward: becomes closed after one chunk; preventClose omitted; rejected close promise"
)
async def closes_after_one_chunk_close_rejects(t: Test) -> None:
    rs = recording_readable_stream()
    ws = recording_writable_stream({"close": raising(error1)})

    pipe_promise = rs.pipe_to(ws)
    hello_then_close_soon(t, rs)

    await promise_rejects_exactly(t, error1, pipe_promise, "pipe_to must reject with the same error")
    assert_array_equals(rs.events_without_pulls, [])
    assert_array_equals(ws.events, ["write", "Hello", "close"])
    await assert_source_closed_and_sink_errored(t, rs, ws)


@promise_test("Closing must be propagated forward: becomes closed after one chunk; preventClose = true")
async def closes_after_one_chunk_prevent_close(t: Test) -> None:
    rs = recording_readable_stream()
    ws = recording_writable_stream()

    pipe_promise = rs.pipe_to(ws, prevent_close=True)
    hello_then_close_soon(t, rs)

    await fulfills_with_none(pipe_promise)
    assert_array_equals(rs.events_without_pulls, [])
    assert_array_equals(ws.events, ["write", "Hello"])
    await rs.get_reader().closed


@promise_test("Closing must be propagated forward: shutdown must not occur until the final write completes")
async def waits_for_final_write(t: Test) -> None:
    rs = recording_readable_stream()
    held = HeldWrites()
    ws = recording_writable_stream({"write": held.write})

    pipe_promise = rs.pipe_to(ws)
    rs.controller.enqueue("a")
    rs.controller.close()

    await flush_async_events()
    assert_array_equals(ws.events, ["write", "a"], "close must not have happened yet")
    assert not pipe_promise.done(), "the pipe must not be complete"

    held.finish()
    await pipe_promise
    assert_array_equals(ws.events, ["write", "a", "close"])


@promise_test(
    "Closing must be propagated forward: shutdown must not occur until the final write completes; preventClose = true"
)
async def waits_for_final_write_prevent_close(t: Test) -> None:
    rs = recording_readable_stream()
    held = HeldWrites()
    ws = recording_writable_stream({"write": held.write})

    pipe_promise = rs.pipe_to(ws, prevent_close=True)
    rs.controller.enqueue("a")
    rs.controller.close()

    await flush_async_events()
    assert_array_equals(ws.events, ["write", "a"], "the chunk must be written, close must not have happened")
    assert not pipe_promise.done(), "the pipe must not be complete"

    held.finish()
    await pipe_promise
    await flush_async_events()
    assert_array_equals(ws.events, ["write", "a"], "the chunk must be written, close must not have happened")


@promise_test(
    "Closing must be propagated forward: shutdown must not occur until the final write completes; "
    "becomes closed after first write"
)
async def closes_after_first_write(t: Test) -> None:
    rs = recording_readable_stream()
    held = HeldWrites()
    ws = recording_writable_stream({"write": held.write}, CountQueuingStrategy(high_water_mark=2))

    pipe_promise = rs.pipe_to(ws)
    rs.controller.enqueue("a")
    rs.controller.enqueue("b")

    await held.called
    await flush_async_events()
    assert_array_equals(ws.events, ["write", "a"], "only the first chunk must have been written")
    assert not pipe_promise.done(), "the pipe should not complete while the first write is pending"

    rs.controller.close()
    held.finish()
    await flush_async_events()
    assert_array_equals(ws.events, ["write", "a", "write", "b"], "close must not have happened yet")
    assert not pipe_promise.done(), "the pipe should not complete while the second write is pending"

    held.finish()
    await pipe_promise
    assert_array_equals(ws.events, ["write", "a", "write", "b", "close"], "all must have happened")


@promise_test(
    "Closing must be propagated forward: shutdown must not occur until the final write completes; "
    "becomes closed after first write; preventClose = true"
)
async def closes_after_first_write_prevent_close(t: Test) -> None:
    rs = recording_readable_stream()
    held = HeldWrites()
    ws = recording_writable_stream({"write": held.write}, CountQueuingStrategy(high_water_mark=2))

    pipe_promise = rs.pipe_to(ws, prevent_close=True)
    rs.controller.enqueue("a")
    rs.controller.enqueue("b")

    await held.called
    await flush_async_events()
    assert_array_equals(ws.events, ["write", "a"], "only the first chunk must have been written")
    assert not pipe_promise.done(), "the pipe should not complete while the first write is pending"

    rs.controller.close()
    held.finish()
    await flush_async_events()
    assert_array_equals(ws.events, ["write", "a", "write", "b"], "close must not have happened")
    assert not pipe_promise.done(), "the pipe should not complete while the second write is pending"

    held.finish()
    await pipe_promise
    await flush_async_events()
    assert_array_equals(ws.events, ["write", "a", "write", "b"], "close must not have happened")


@promise_test(
    "Closing must be propagated forward: erroring the writable while flushing pending writes should error pipeTo"
)
async def sink_errors_while_flushing(t: Test) -> None:
    rs = recording_readable_stream({"start": enqueuing("a", "b", close=True)})
    held = HeldWrites()
    ws = recording_writable_stream({"write": held.write}, {"high_water_mark": 3})

    pipe_promise = rs.pipe_to(ws)
    await delay(0)
    held.fail(error1)

    await promise_rejects_exactly(t, error1, pipe_promise, "pipe_to should reject")
    assert_array_equals(rs.events, [])
    assert_array_equals(ws.events, ["write", "a"])
    await assert_source_closed_and_sink_errored(t, rs, ws)
