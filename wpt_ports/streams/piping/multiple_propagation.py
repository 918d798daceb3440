"""Port of streams/piping/multiple-propagation.any.js."""

from __future__ import annotations

from typing import Any

from webstreams import Promise
from wpt_ports.harness import (
    Test,
    assert_array_equals,
    flush_async_events,
    promise_rejects_exactly,
    promise_test,
    run,
)
from wpt_ports.resources.piping import closing, erroring
from wpt_ports.resources.recording_streams import (
    RecordingWritableStream,
    recording_readable_stream,
    recording_writable_stream,
)

error1 = Exception("error1")
error2 = Exception("error2")


async def errored_writable_stream(t: Test) -> RecordingWritableStream:
    """A writable stream, made one job later, that has finished erroring with error2."""
    await Promise.resolve(None)
    ws = recording_writable_stream({"start": erroring(error2)})
    writer = ws.get_writer()
    await promise_rejects_exactly(t, error2, writer.closed, "the writable stream must be errored with error2")
    writer.release_lock()
    assert_array_equals(ws.events, [])
    return ws


def closing_writable_stream() -> tuple[RecordingWritableStream, Promise[Any]]:
    """A writable stream whose close() was just called, and the promise of that."""
    ws = recording_writable_stream()
    writer = ws.get_writer()
    close_promise = writer.close()
    writer.release_lock()
    return ws, close_promise


async def assert_errored_to_erroring(t: Test, error: Exception, **options: Any) -> None:
    """Pipe from an errored stream to one that is still erroring; the pipe rejects with `error`."""
    rs = recording_readable_stream({"start": erroring(error1)})
    ws = recording_writable_stream({"start": erroring(error2)})

    await promise_rejects_exactly(t, error, rs.pipe_to(ws, **options))
    assert_array_equals(rs.events, [])
    assert_array_equals(ws.events, [])
    readable_errored = run(promise_rejects_exactly(t, error1, rs.get_reader().closed))
    writable_errored = run(promise_rejects_exactly(t, error2, ws.get_writer().closed))
    await Promise.all([readable_errored, writable_errored])


async def assert_errored_to_errored(t: Test, **options: Any) -> None:
    """Pipe from an errored stream to an errored one; the readable stream's error wins."""
    rs = recording_readable_stream({"start": erroring(error1)})
    ws = await errored_writable_stream(t)

    await promise_rejects_exactly(t, error1, rs.pipe_to(ws, **options))
    assert_array_equals(rs.events, [])
    await promise_rejects_exactly(t, error1, rs.get_reader().closed)


@promise_test("Piping from an errored readable stream to an erroring writable stream")
async def errored_to_erroring(t: Test) -> None:
    # Aborting a stream that is erroring gives the stream's own error.
    await assert_errored_to_erroring(t, error2)


@promise_test("Piping from an errored readable stream to an errored writable stream")
async def errored_to_errored(t: Test) -> None:
    await assert_errored_to_errored(t)


@promise_test("Piping from an errored readable stream to an erroring writable stream; preventAbort = true")
async def errored_to_erroring_prevent_abort(t: Test) -> None:
    await assert_errored_to_erroring(t, error1, prevent_abort=True)


@promise_test("Piping from an errored readable stream to an errored writable stream; preventAbort = true")
async def errored_to_errored_prevent_abort(t: Test) -> None:
    await assert_errored_to_errored(t, prevent_abort=True)


@promise_test("Piping from an errored readable stream to a closing writable stream")
async def errored_to_closing(t: Test) -> None:
    rs = recording_readable_stream({"start": erroring(error1)})
    ws, close_promise = closing_writable_stream()

    await promise_rejects_exactly(t, error1, rs.pipe_to(ws), "pipe_to must reject with the readable stream's error")
    assert_array_equals(rs.events, [])
    assert_array_equals(ws.events, ["abort", error1])
    readable_errored = run(promise_rejects_exactly(t, error1, rs.get_reader().closed))
    writable_errored = run(promise_rejects_exactly(t, error1, ws.get_writer().closed))
    close_failed = run(promise_rejects_exactly(t, error1, close_promise))
    await Promise.all([readable_errored, writable_errored, close_failed])


@promise_test("Piping from an errored readable stream to a closed writable stream")
async def errored_to_closed(t: Test) -> None:
    rs = recording_readable_stream({"start": erroring(error1)})
    ws, close_promise = closing_writable_stream()
    await flush_async_events()

    await promise_rejects_exactly(t, error1, rs.pipe_to(ws), "pipe_to must reject with the readable stream's error")
    assert_array_equals(rs.events, [])
    assert_array_equals(ws.events, ["close"])
    readable_errored = run(promise_rejects_exactly(t, error1, rs.get_reader().closed))
    await Promise.all([readable_errored, ws.get_writer().closed, close_promise])


@promise_test("Piping from a closed readable stream to an erroring writable stream")
async def closed_to_erroring(t: Test) -> None:
    rs = recording_readable_stream({"start": closing})
    ws = recording_writable_stream({"start": erroring(error1)})

    await promise_rejects_exactly(t, error1, rs.pipe_to(ws), "pipe_to must reject with the writable stream's error")
    assert_array_equals(rs.events, [])
    assert_array_equals(ws.events, [])
    writable_errored = run(promise_rejects_exactly(t, error1, ws.get_writer().closed))
    await Promise.all([rs.get_reader().closed, writable_errored])


@promise_test("Piping from a closed readable stream to an errored writable stream")
async def closed_to_errored(t: Test) -> None:
    rs = recording_readable_stream({"start": closing})
    ws = await errored_writable_stream(t)

    await promise_rejects_exactly(t, error2, rs.pipe_to(ws), "pipe_to must reject with the writable stream's error")
    assert_array_equals(rs.events, [])
    await rs.get_reader().closed


@promise_test("Piping from a closed readable stream to a closed writable stream")
async def closed_to_closed(t: Test) -> None:
    rs = recording_readable_stream({"start": closing})
    ws, _ = closing_writable_stream()

    await rs.pipe_to(ws)
    assert_array_equals(rs.events, [])
    assert_array_equals(ws.events, ["close"])
    await Promise.all([rs.get_reader().closed, ws.get_writer().closed])
