"""Port of streams/piping/close-propagation-backward.any.js."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from webstreams import Promise
from wpt_ports.harness import (
    Test,
    assert_array_equals,
    promise_rejects_exactly,
    promise_rejects_js,
    promise_test,
    rejection,
)
from wpt_ports.resources.piping import FALSY_OPTIONS, TRUTHY_OPTIONS
from wpt_ports.resources.recording_streams import (
    RecordingReadableStream,
    RecordingWritableStream,
    recording_readable_stream,
    recording_writable_stream,
)

error1 = Exception("error1")


def closing_writable_stream() -> RecordingWritableStream:
    """A recording writable stream whose close() was called and whose lock was released."""
    ws = recording_writable_stream()
    writer = ws.get_writer()
    writer.close()
    writer.release_lock()
    return ws


async def assert_closed_backward(
    rs: RecordingReadableStream, ws: RecordingWritableStream, pipe_promise: Awaitable[Any]
) -> None:
    """The pipe fails with a TypeError, which is also what the source was cancelled with."""
    error = await rejection(pipe_promise, "the promise must not fulfill")
    assert type(error) is TypeError, "the promise must reject with a TypeError"
    assert_array_equals(rs.events_without_pulls, ["cancel", error])
    assert_array_equals(ws.events, ["close"])
    await Promise.all([rs.get_reader().closed, ws.get_writer().closed])


async def assert_source_left_alone(
    t: Test, rs: RecordingReadableStream, ws: RecordingWritableStream, pipe_promise: Awaitable[Any]
) -> None:
    """The pipe fails with a TypeError, and the source is not cancelled."""
    await promise_rejects_js(t, TypeError, pipe_promise)
    assert_array_equals(rs.events_without_pulls, [])
    assert_array_equals(ws.events, ["close"])
    await ws.get_writer().closed


@promise_test("Closing must be propagated backward: starts closed; preventCancel omitted; fulfilled cancel promise")
async def starts_closed(t: Test) -> None:
    rs = recording_readable_stream()
    ws = closing_writable_stream()
    await assert_closed_backward(rs, ws, rs.pipe_to(ws))


@promise_test("Closing must be propagated backward: starts closed; preventCancel omitted; rejected cancel promise")
async def starts_closed_cancel_rejects(t: Test) -> None:
    reasons: list[Any] = []

    def cancel(reason: Any) -> None:
        reasons.append(reason)
        raise error1

    rs = recording_readable_stream({"cancel": cancel})
    ws = closing_writable_stream()

    await promise_rejects_exactly(t, error1, rs.pipe_to(ws), "pipe_to must reject with the same error")
    assert type(reasons[0]) is TypeError, "the cancel reason must be a TypeError"
    assert_array_equals(rs.events_without_pulls, ["cancel", reasons[0]])
    assert_array_equals(ws.events, ["close"])
    await Promise.all([rs.get_reader().closed, ws.get_writer().closed])


def add_falsy(name: str, falsy: Any) -> None:
    @promise_test(
        f"Closing must be propagated backward: starts closed; preventCancel = {name} (falsy); fulfilled cancel promise"
    )
    async def prevent_cancel_falsy(t: Test) -> None:
        rs = recording_readable_stream()
        ws = closing_writable_stream()
        await assert_closed_backward(rs, ws, rs.pipe_to(ws, prevent_cancel=falsy))


for name, value in FALSY_OPTIONS:
    add_falsy(name, value)


def add_truthy(name: str, truthy: Any) -> None:
    @promise_test(f"Closing must be propagated backward: starts closed; preventCancel = {name} (truthy)")
    async def prevent_cancel_truthy(t: Test) -> None:
        rs = recording_readable_stream()
        ws = closing_writable_stream()
        await assert_source_left_alone(t, rs, ws, rs.pipe_to(ws, prevent_cancel=truthy))


for name, value in TRUTHY_OPTIONS:
    add_truthy(name, value)


@promise_test("Closing must be propagated backward: starts closed; preventCancel = true, preventAbort = true")
async def prevent_cancel_and_abort(t: Test) -> None:
    rs = recording_readable_stream()
    ws = closing_writable_stream()
    await assert_source_left_alone(t, rs, ws, rs.pipe_to(ws, prevent_cancel=True, prevent_abort=True))


@promise_test(
    "Closing must be propagated backward: starts closed; preventCancel = true, preventAbort = true, preventClose = true"
)
async def prevent_everything(t: Test) -> None:
    rs = recording_readable_stream()
    ws = closing_writable_stream()
    pipe_promise = rs.pipe_to(ws, prevent_cancel=True, prevent_abort=True, prevent_close=True)
    await assert_source_left_alone(t, rs, ws, pipe_promise)
