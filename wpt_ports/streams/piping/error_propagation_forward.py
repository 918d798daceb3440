"""Port of streams/piping/error-propagation-forward.any.js."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from webstreams import CountQueuingStrategy
from wpt_ports.harness import Test, assert_array_equals, flush_async_events, promise_rejects_exactly, promise_test
from wpt_ports.resources.piping import FALSY_OPTIONS, TRUTHY_OPTIONS, HeldWrites, raising, rejecting
from wpt_ports.resources.recording_streams import (
    RecordingReadableStream,
    RecordingWritableStream,
    recording_readable_stream,
    recording_writable_stream,
)

error1 = Exception("error1")
error2 = Exception("error2")


def never_desires_chunks() -> CountQueuingStrategy:
    return CountQueuingStrategy(high_water_mark=0)


async def assert_pipe_fails(
    t: Test,
    rs: RecordingReadableStream,
    ws: RecordingWritableStream,
    error: Exception,
    ws_events: Iterable[object],
    **options: Any,
) -> None:
    """Pipe from a source that starts errored: the pipe rejects with `error`, the sink saw `ws_events`."""
    await promise_rejects_exactly(t, error, rs.pipe_to(ws, **options))
    assert_array_equals(rs.events, [])
    assert_array_equals(ws.events, ws_events)


async def assert_pipe_fails_while_empty(
    t: Test, ws: RecordingWritableStream, error: Exception, ws_events: Iterable[object], **options: Any
) -> None:
    """Pipe from a source that errors on a timer without having given a chunk."""
    rs = recording_readable_stream()
    pipe_promise = rs.pipe_to(ws, **options)
    t.step_timeout(lambda: rs.controller.error(error1), 10)

    await promise_rejects_exactly(t, error, pipe_promise)
    assert_array_equals(rs.events_without_pulls, [])
    assert_array_equals(ws.events, ws_events)


async def assert_pipe_fails_after_one_chunk(
    t: Test, ws: RecordingWritableStream, error: Exception, ws_events: Iterable[object], **options: Any
) -> None:
    """Pipe from a source that gives one chunk on a timer and errors on the next."""
    rs = recording_readable_stream()
    pipe_promise = rs.pipe_to(ws, **options)

    def enqueue() -> None:
        rs.controller.enqueue("Hello")
        t.step_timeout(lambda: rs.controller.error(error1), 10)

    t.step_timeout(enqueue, 10)

    await promise_rejects_exactly(t, error, pipe_promise)
    assert_array_equals(rs.events_without_pulls, [])
    assert_array_equals(ws.events, ws_events)


@promise_test("Errors must be propagated forward: starts errored; preventAbort = false; fulfilled abort promise")
async def starts_errored(t: Test) -> None:
    rs = recording_readable_stream({"start": rejecting(error1)})
    ws = recording_writable_stream()
    await assert_pipe_fails(t, rs, ws, error1, ["abort", error1])


@promise_test("Errors must be propagated forward: starts errored; preventAbort = false; rejected abort promise")
async def starts_errored_abort_rejects(t: Test) -> None:
    rs = recording_readable_stream({"start": rejecting(error1)})
    ws = recording_writable_stream({"abort": raising(error2)})
    await assert_pipe_fails(t, rs, ws, error2, ["abort", error1])


def add_falsy(name: str, falsy: Any) -> None:
    @promise_test(
        f"Errors must be propagated forward: starts errored; preventAbort = {name} (falsy); fulfilled abort promise"
    )
    async def prevent_abort_falsy(t: Test) -> None:
        rs = recording_readable_stream({"start": rejecting(error1)})
        ws = recording_writable_stream()
        await assert_pipe_fails(t, rs, ws, error1, ["abort", error1], prevent_abort=falsy)


for name, value in FALSY_OPTIONS:
    add_falsy(name, value)


def add_truthy(name: str, truthy: Any) -> None:
    @promise_test(f"Errors must be propagated forward: starts errored; preventAbort = {name} (truthy)")
    async def prevent_abort_truthy(t: Test) -> None:
        rs = recording_readable_stream({"start": rejecting(error1)})
        ws = recording_writable_stream()
        await assert_pipe_fails(t, rs, ws, error1, [], prevent_abort=truthy)


for name, value in TRUTHY_OPTIONS:
    add_truthy(name, value)


@promise_test("Errors must be propagated forward: starts errored; preventAbort = true, preventCancel = true")
async def prevent_abort_and_cancel(t: Test) -> None:
    rs = recording_readable_stream({"start": rejecting(error1)})
    ws = recording_writable_stream()
    await assert_pipe_fails(t, rs, ws, error1, [], prevent_abort=True, prevent_cancel=True)


@promise_test(
    "Errors must be propagated forward: starts errored; preventAbort = true, preventCancel = true, preventClose = true"
)
async def prevent_everything(t: Test) -> None:
    rs = recording_readable_stream({"start": rejecting(error1)})
    ws = recording_writable_stream()
    await assert_pipe_fails(t, rs, ws, error1, [], prevent_abort=True, prevent_cancel=True, prevent_close=True)


@promise_test(
    "Errors must be propagated forward: becomes errored while empty; preventAbort = false; fulfilled abort promise"
)
async def errors_while_empty(t: Test) -> None:
    ws = recording_writable_stream()
    await assert_pipe_fails_while_empty(t, ws, error1, ["abort", error1])


@promise_test(
    "Errors must be propagated forward: becomes errored while empty; preventAbort = false; rejected abort promise"
)
async def errors_while_empty_abort_rejects(t: Test) -> None:
    ws = recording_writable_stream({"abort": raising(error2)})
    await assert_pipe_fails_while_empty(t, ws, error2, ["abort", error1])


@promise_test("Errors must be propagated forward: becomes errored while empty; preventAbort = true")
async def errors_while_empty_prevent_abort(t: Test) -> None:
    ws = recording_writable_stream()
    await assert_pipe_fails_while_empty(t, ws, error1, [], prevent_abort=True)


@promise_test(
    "Errors must be propagated forward: becomes errored while empty; dest never desires chunks; "
    "preventAbort = false; fulfilled abort promise"
)
async def errors_while_empty_without_demand(t: Test) -> None:
    ws = recording_writable_stream(None, never_desires_chunks())
    await assert_pipe_fails_while_empty(t, ws, error1, ["abort", error1])


@promise_test(
    "Errors must be propagated forward: becomes errored while empty; dest never desires chunks; "
    "preventAbort = false; rejected abort promise"
)
async def errors_while_empty_without_demand_abort_rejects(t: Test) -> None:
    ws = recording_writable_stream({"abort": raising(error2)}, never_desires_chunks())
    await assert_pipe_fails_while_empty(t, ws, error2, ["abort", error1])


@promise_test(
    "Errors must be propagated forward: becomes errored while empty; dest never desires chunks; preventAbort = true"
)
async def errors_while_empty_without_demand_prevent_abort(t: Test) -> None:
    ws = recording_writable_stream(None, never_desires_chunks())
    await assert_pipe_fails_while_empty(t, ws, error1, [], prevent_abort=True)


@promise_test(
    "Errors must be propagated forward: becomes errored after one chunk; preventAbort = false; fulfilled abort promise"
)
async def errors_after_one_chunk(t: Test) -> None:
    ws = recording_writable_stream()
    await assert_pipe_fails_after_one_chunk(t, ws, error1, ["write", "Hello", "abort", error1])


@promise_test(
    "Errors must be propagated forward: becomes errored after one chunk; preventAbort = false; rejected abort promise"
)
async def errors_after_one_chunk_abort_rejects(t: Test) -> None:
    ws = recording_writable_stream({"abort": raising(error2)})
    await assert_pipe_fails_after_one_chunk(t, ws, error2, ["write", "Hello", "abort", error1])


@promise_test("Errors must be propagated forward: becomes errored after one chunk; preventAbort = true")
async def errors_after_one_chunk_prevent_abort(t: Test) -> None:
    ws = recording_writable_stream()
    await assert_pipe_fails_after_one_chunk(t, ws, error1, ["write", "Hello"], prevent_abort=True)


@promise_test(
    "Errors must be propagated forward: becomes errored after one chunk; dest never desires chunks; "
    "preventAbort = false; fulfilled abort promise"
)
async def errors_after_one_chunk_without_demand(t: Test) -> None:
    ws = recording_writable_stream(None, never_desires_chunks())
    await assert_pipe_fails_after_one_chunk(t, ws, error1, ["abort", error1])


@promise_test(
    "Errors must be propagated forward: becomes errored after one chunk; dest never desires chunks; "
    "preventAbort = false; rejected abort promise"
)
async def errors_after_one_chunk_without_demand_abort_rejects(t: Test) -> None:
    ws = recording_writable_stream({"abort": raising(error2)}, never_desires_chunks())
    await assert_pipe_fails_after_one_chunk(t, ws, error2, ["abort", error1])


@promise_test(
    "Errors must be propagated forward: becomes errored after one chunk; dest never desires chunks; preventAbort = true"
)
async def errors_after_one_chunk_without_demand_prevent_abort(t: Test) -> None:
    ws = recording_writable_stream(None, never_desires_chunks())
    await assert_pipe_fails_after_one_chunk(t, ws, error1, [], prevent_abort=True)


@promise_test("Errors must be propagated forward: shutdown must not occur until the final write completes")
async def waits_for_final_write(t: Test) -> None:
    rs = recording_readable_stream()
    held = HeldWrites()
    ws = recording_writable_stream({"write": held.write})

    pipe_promise = rs.pipe_to(ws)
    rs.controller.enqueue("a")

    await held.called
    rs.controller.error(error1)
    await flush_async_events()
    assert_array_equals(ws.events, ["write", "a"], "abort must not have happened yet")
    assert not pipe_promise.done(), "the pipe must not be complete"

    held.finish()
    await promise_rejects_exactly(t, error1, pipe_promise)
    assert_array_equals(ws.events, ["write", "a", "abort", error1])


@promise_test(
    "Errors must be propagated forward: shutdown must not occur until the final write completes; preventAbort = true"
)
async def waits_for_final_write_prevent_abort(t: Test) -> None:
    rs = recording_readable_stream()
    held = HeldWrites()
    ws = recording_writable_stream({"write": held.write})

    pipe_promise = rs.pipe_to(ws, prevent_abort=True)
    rs.controller.enqueue("a")

    await held.called
    rs.controller.error(error1)
    await flush_async_events()
    assert_array_equals(ws.events, ["write", "a"], "abort must not have happened")
    assert not pipe_promise.done(), "the pipe must not be complete"

    held.finish()
    await promise_rejects_exactly(t, error1, pipe_promise)
    await flush_async_events()
    assert_array_equals(ws.events, ["write", "a"], "abort must not have happened")


@promise_test(
    "Errors must be propagated forward: shutdown must not occur until the final write completes; "
    "becomes errored after first write"
)
async def errors_after_first_write(t: Test) -> None:
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

    rs.controller.error(error1)
    held.finish()
    await flush_async_events()
    assert_array_equals(ws.events, ["write", "a", "write", "b"], "abort must not have happened yet")
    assert not pipe_promise.done(), "the pipe should not complete while the second write is pending"

    held.finish()
    await promise_rejects_exactly(t, error1, pipe_promise)
    assert_array_equals(ws.events, ["write", "a", "write", "b", "abort", error1], "all must have happened")


@promise_test(
    "Errors must be propagated forward: shutdown must not occur until the final write completes; "
    "becomes errored after first write; preventAbort = true"
)
async def errors_after_first_write_prevent_abort(t: Test) -> None:
    rs = recording_readable_stream()
    held = HeldWrites()
    ws = recording_writable_stream({"write": held.write}, CountQueuingStrategy(high_water_mark=2))

    pipe_promise = rs.pipe_to(ws, prevent_abort=True)
    rs.controller.enqueue("a")
    rs.controller.enqueue("b")

    await held.called
    await flush_async_events()
    assert_array_equals(ws.events, ["write", "a"], "only the first chunk must have been written")
    assert not pipe_promise.done(), "the pipe should not complete while the first write is pending"

    rs.controller.error(error1)
    held.finish()
    await flush_async_events()
    assert_array_equals(ws.events, ["write", "a", "write", "b"], "abort must not have happened")
    assert not pipe_promise.done(), "the pipe should not complete while the second write is pending"

    held.finish()
    await promise_rejects_exactly(t, error1, pipe_promise)
    await flush_async_events()
    assert_array_equals(ws.events, ["write", "a", "write", "b"], "abort must not have happened")
