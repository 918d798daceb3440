"""Port of streams/piping/error-propagation-backward.any.js."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from webstreams import CountQueuingStrategy, Promise
from wpt_ports.harness import (
    Test,
    assert_array_equals,
    delay,
    flush_async_events,
    promise_rejects_exactly,
    promise_test,
)
from wpt_ports.resources.piping import FALSY_OPTIONS, TRUTHY_OPTIONS, enqueuing, raising, rejecting
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
    *,
    rs_events: Iterable[object],
    ws_events: Iterable[object],
    **options: Any,
) -> None:
    """Pipe with `options`: it rejects with `error`, and the two streams saw these events."""
    await promise_rejects_exactly(t, error, rs.pipe_to(ws, **options))
    assert_array_equals(rs.events_without_pulls, rs_events)
    assert_array_equals(ws.events, ws_events)


async def writable_stream_errored_by_a_write(t: Test) -> RecordingWritableStream:
    """A recording writable stream whose first write failed with error1."""
    ws = recording_writable_stream({"write": rejecting(error1)})
    writer = ws.get_writer()
    await promise_rejects_exactly(t, error1, writer.write("Hello"), "write() must reject with the write error")
    await promise_rejects_exactly(t, error1, writer.closed, "closed must reject with the write error")
    writer.release_lock()
    return ws


async def assert_pipe_into_errored_fails(
    t: Test, rs: RecordingReadableStream, error: Exception, rs_events: Iterable[object], **options: Any
) -> None:
    """Pipe into a stream that an earlier write errored."""
    ws = await writable_stream_errored_by_a_write(t)
    await assert_pipe_fails(t, rs, ws, error, rs_events=rs_events, ws_events=["write", "Hello"], **options)


@promise_test("Errors must be propagated backward: starts errored; preventCancel omitted; fulfilled cancel promise")
async def starts_errored(t: Test) -> None:
    rs = recording_readable_stream()
    ws = recording_writable_stream({"start": rejecting(error1)})
    await assert_pipe_fails(t, rs, ws, error1, rs_events=["cancel", error1], ws_events=[])


@promise_test(
    "Errors must be propagated backward: becomes errored before piping due to write; preventCancel omitted; "
    "fulfilled cancel promise"
)
async def errored_before_piping(t: Test) -> None:
    rs = recording_readable_stream()
    await assert_pipe_into_errored_fails(t, rs, error1, ["cancel", error1])


@promise_test(
    "Errors must be propagated backward: becomes errored before piping due to write; preventCancel omitted; "
    "rejected cancel promise"
)
async def errored_before_piping_cancel_rejects(t: Test) -> None:
    rs = recording_readable_stream({"cancel": raising(error2)})
    await assert_pipe_into_errored_fails(t, rs, error2, ["cancel", error1])


def add_falsy(name: str, falsy: Any) -> None:
    @promise_test(
        "Errors must be propagated backward: becomes errored before piping due to write; preventCancel = "
        f"{name} (falsy); fulfilled cancel promise"
    )
    async def prevent_cancel_falsy(t: Test) -> None:
        rs = recording_readable_stream()
        await assert_pipe_into_errored_fails(t, rs, error1, ["cancel", error1], prevent_cancel=falsy)


for name, value in FALSY_OPTIONS:
    add_falsy(name, value)


def add_truthy(name: str, truthy: Any) -> None:
    @promise_test(
        "Errors must be propagated backward: becomes errored before piping due to write; preventCancel = "
        f"{name} (truthy)"
    )
    async def prevent_cancel_truthy(t: Test) -> None:
        rs = recording_readable_stream()
        await assert_pipe_into_errored_fails(t, rs, error1, [], prevent_cancel=truthy)


for name, value in TRUTHY_OPTIONS:
    add_truthy(name, value)


@promise_test(
    "Errors must be propagated backward: becomes errored before piping due to write, preventCancel = true; "
    "preventAbort = true"
)
async def prevent_cancel_and_abort(t: Test) -> None:
    rs = recording_readable_stream()
    await assert_pipe_into_errored_fails(t, rs, error1, [], prevent_cancel=True, prevent_abort=True)


@promise_test(
    "Errors must be propagated backward: becomes errored before piping due to write; preventCancel = true, "
    "preventAbort = true, preventClose = true"
)
async def prevent_everything(t: Test) -> None:
    rs = recording_readable_stream()
    await assert_pipe_into_errored_fails(t, rs, error1, [], prevent_cancel=True, prevent_abort=True, prevent_close=True)


@promise_test(
    "Errors must be propagated backward: becomes errored during piping due to write; preventCancel omitted; "
    "fulfilled cancel promise"
)
async def write_raises(t: Test) -> None:
    rs = recording_readable_stream({"start": enqueuing("Hello")})
    ws = recording_writable_stream({"write": raising(error1)})
    await assert_pipe_fails(t, rs, ws, error1, rs_events=["cancel", error1], ws_events=["write", "Hello"])


@promise_test(
    "Errors must be propagated backward: becomes errored during piping due to write; preventCancel omitted; "
    "rejected cancel promise"
)
async def write_raises_cancel_rejects(t: Test) -> None:
    rs = recording_readable_stream({"start": enqueuing("Hello"), "cancel": raising(error2)})
    ws = recording_writable_stream({"write": raising(error1)})
    await assert_pipe_fails(t, rs, ws, error2, rs_events=["cancel", error1], ws_events=["write", "Hello"])


@promise_test("Errors must be propagated backward: becomes errored during piping due to write; preventCancel = true")
async def write_raises_prevent_cancel(t: Test) -> None:
    rs = recording_readable_stream({"start": enqueuing("Hello")})
    ws = recording_writable_stream({"write": raising(error1)})
    await assert_pipe_fails(t, rs, ws, error1, rs_events=[], ws_events=["write", "Hello"], prevent_cancel=True)


def writable_stream_failing_at_second_write() -> RecordingWritableStream:
    """A recording writable stream whose second write fails after a delay."""

    async def fail_later() -> None:
        await delay(0)
        raise error1

    def write(chunk: Any, controller: Any) -> Any:
        return fail_later() if len(ws.events) > 2 else None

    ws = recording_writable_stream({"write": write})
    return ws


@promise_test(
    "Errors must be propagated backward: becomes errored during piping due to write, but async; preventCancel = "
    "false; fulfilled cancel promise"
)
async def write_fails_later(t: Test) -> None:
    rs = recording_readable_stream({"start": enqueuing("a", "b", "c")})
    ws = writable_stream_failing_at_second_write()
    await assert_pipe_fails(t, rs, ws, error1, rs_events=["cancel", error1], ws_events=["write", "a", "write", "b"])


@promise_test(
    "Errors must be propagated backward: becomes errored during piping due to write, but async; preventCancel = "
    "false; rejected cancel promise"
)
async def write_fails_later_cancel_rejects(t: Test) -> None:
    rs = recording_readable_stream({"start": enqueuing("a", "b", "c"), "cancel": raising(error2)})
    ws = writable_stream_failing_at_second_write()
    await assert_pipe_fails(t, rs, ws, error2, rs_events=["cancel", error1], ws_events=["write", "a", "write", "b"])


@promise_test(
    "Errors must be propagated backward: becomes errored during piping due to write, but async; preventCancel = true"
)
async def write_fails_later_prevent_cancel(t: Test) -> None:
    rs = recording_readable_stream({"start": enqueuing("a", "b", "c")})
    ws = writable_stream_failing_at_second_write()
    await assert_pipe_fails(
        t, rs, ws, error1, rs_events=[], ws_events=["write", "a", "write", "b"], prevent_cancel=True
    )


async def assert_pipe_fails_after_piping(
    t: Test,
    rs: RecordingReadableStream,
    ws: RecordingWritableStream,
    error: Exception,
    rs_events: Iterable[object],
    **options: Any,
) -> None:
    """Pipe into a stream whose controller errors it on a timer."""
    pipe_promise = rs.pipe_to(ws, **options)
    t.step_timeout(lambda: ws.controller.error(error1), 10)

    await promise_rejects_exactly(t, error, pipe_promise)
    assert_array_equals(rs.events_without_pulls, rs_events)
    assert_array_equals(ws.events, [])


@promise_test(
    "Errors must be propagated backward: becomes errored after piping; preventCancel omitted; fulfilled cancel promise"
)
async def errors_after_piping(t: Test) -> None:
    rs = recording_readable_stream()
    ws = recording_writable_stream()
    await assert_pipe_fails_after_piping(t, rs, ws, error1, ["cancel", error1])


@promise_test(
    "Errors must be propagated backward: becomes errored after piping; preventCancel omitted; rejected cancel promise"
)
async def errors_after_piping_cancel_rejects(t: Test) -> None:
    rs = recording_readable_stream({"cancel": raising(error2)})
    ws = recording_writable_stream()
    await assert_pipe_fails_after_piping(t, rs, ws, error2, ["cancel", error1])


@promise_test("Errors must be propagated backward: becomes errored after piping; preventCancel = true")
async def errors_after_piping_prevent_cancel(t: Test) -> None:
    rs = recording_readable_stream()
    ws = recording_writable_stream()
    await assert_pipe_fails_after_piping(t, rs, ws, error1, [], prevent_cancel=True)


async def assert_last_write_fails(t: Test, **options: Any) -> None:
    """Pipe three chunks from a closed source into a sink that refuses the last one."""

    def write(chunk: Any, controller: Any) -> Any:
        return Promise.reject(error1) if chunk == "c" else None

    rs = recording_readable_stream({"start": enqueuing("a", "b", "c", close=True)})
    ws = recording_writable_stream({"write": write})
    ws_events = ["write", "a", "write", "b", "write", "c"]
    await assert_pipe_fails(t, rs, ws, error1, rs_events=[], ws_events=ws_events, **options)


@promise_test(
    "Errors must be propagated backward: becomes errored after piping due to last write; source is closed; "
    "preventCancel omitted (but cancel is never called)"
)
async def last_write_fails(t: Test) -> None:
    await assert_last_write_fails(t)


@promise_test(
    "Errors must be propagated backward: becomes errored after piping due to last write; source is closed; "
    "preventCancel = true"
)
async def last_write_fails_prevent_cancel(t: Test) -> None:
    await assert_last_write_fails(t, prevent_cancel=True)


@promise_test(
    "Errors must be propagated backward: becomes errored after piping; dest never desires chunks; preventCancel = "
    "false; fulfilled cancel promise"
)
async def errors_after_piping_without_demand(t: Test) -> None:
    rs = recording_readable_stream()
    ws = recording_writable_stream(None, never_desires_chunks())
    await assert_pipe_fails_after_piping(t, rs, ws, error1, ["cancel", error1])


@promise_test(
    "Errors must be propagated backward: becomes errored after piping; dest never desires chunks; preventCancel = "
    "false; rejected cancel promise"
)
async def errors_after_piping_without_demand_cancel_rejects(t: Test) -> None:
    rs = recording_readable_stream({"cancel": raising(error2)})
    ws = recording_writable_stream(None, never_desires_chunks())
    await assert_pipe_fails_after_piping(t, rs, ws, error2, ["cancel", error1])


@promise_test(
    "Errors must be propagated backward: becomes errored after piping; dest never desires chunks; preventCancel = true"
)
async def errors_after_piping_without_demand_prevent_cancel(t: Test) -> None:
    rs = recording_readable_stream()
    ws = recording_writable_stream(None, never_desires_chunks())
    await assert_pipe_fails_after_piping(t, rs, ws, error1, [], prevent_cancel=True)


@promise_test(
    "Errors must be propagated backward: becomes errored before piping via abort; preventCancel omitted; "
    "fulfilled cancel promise"
)
async def aborted_before_piping(t: Test) -> None:
    rs = recording_readable_stream()
    ws = recording_writable_stream()
    ws.abort(error1)
    await assert_pipe_fails(t, rs, ws, error1, rs_events=["cancel", error1], ws_events=["abort", error1])


@promise_test(
    "Errors must be propagated backward: becomes errored before piping via abort; preventCancel omitted; "
    "rejected cancel promise"
)
async def aborted_before_piping_cancel_rejects(t: Test) -> None:
    rs = recording_readable_stream({"cancel": raising(error2)})
    ws = recording_writable_stream()
    ws.abort(error1)

    await promise_rejects_exactly(t, error2, rs.pipe_to(ws), "pipe_to must reject with the cancel error")
    await promise_rejects_exactly(t, error1, ws.get_writer().closed, "closed must reject with error1")
    assert_array_equals(rs.events_without_pulls, ["cancel", error1])
    assert_array_equals(ws.events, ["abort", error1])


@promise_test("Errors must be propagated backward: becomes errored before piping via abort; preventCancel = true")
async def aborted_before_piping_prevent_cancel(t: Test) -> None:
    rs = recording_readable_stream()
    ws = recording_writable_stream()
    ws.abort(error1)
    await assert_pipe_fails(t, rs, ws, error1, rs_events=[], ws_events=["abort", error1], prevent_cancel=True)


@promise_test("Errors must be propagated backward: erroring via the controller errors once pending write completes")
async def controller_errors_during_write(t: Test) -> None:
    write_called, announce, _ = Promise.with_resolvers()

    def write(chunk: Any, controller: Any) -> Any:
        announce(None)
        return flush_async_events()

    rs = recording_readable_stream()
    ws = recording_writable_stream({"write": write})
    pipe_promise = rs.pipe_to(ws)
    rs.controller.enqueue("a")

    await write_called
    ws.controller.error(error1)
    await promise_rejects_exactly(t, error1, pipe_promise)
    assert_array_equals(rs.events_without_pulls, ["cancel", error1])
    assert_array_equals(ws.events, ["write", "a"])
