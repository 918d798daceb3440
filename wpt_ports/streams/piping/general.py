"""Port of streams/piping/general.any.js."""

from __future__ import annotations

from typing import Any

from webstreams import CountQueuingStrategy, Promise, ReadableStream, WritableStream
from wpt_ports.harness import (
    Test,
    assert_array_equals,
    promise_rejects_exactly,
    promise_rejects_js,
    promise_test,
    test,
)
from wpt_ports.resources.piping import FakeWritableStream, SideEffect, closing, enqueuing, rejecting
from wpt_ports.resources.recording_streams import recording_readable_stream, recording_writable_stream


@test("Piping must lock both the ReadableStream and WritableStream")
def piping_locks(t: Test) -> None:
    rs: ReadableStream[Any] = ReadableStream()
    ws: WritableStream[Any] = WritableStream()
    assert not rs.locked, "sanity check: the ReadableStream must not start locked"
    assert not ws.locked, "sanity check: the WritableStream must not start locked"

    rs.pipe_to(ws)
    assert (rs.locked, ws.locked) == (True, True), "both streams must become locked"


@promise_test("Piping finishing must unlock both the ReadableStream and WritableStream")
async def finishing_unlocks(t: Test) -> None:
    rs: ReadableStream[Any] = ReadableStream({"start": closing})
    ws: WritableStream[Any] = WritableStream()

    await rs.pipe_to(ws)
    assert not rs.locked, "the ReadableStream must become unlocked"
    assert not ws.locked, "the WritableStream must become unlocked"


@promise_test("pipeTo must check the brand of its WritableStream argument")
async def destination_is_checked(t: Test) -> None:
    rs: ReadableStream[Any] = ReadableStream()
    fake: Any = FakeWritableStream()
    await promise_rejects_js(t, TypeError, rs.pipe_to(fake), "pipe_to should reject with a TypeError")


@promise_test("pipeTo must fail if the ReadableStream is locked, and not lock the WritableStream")
async def locked_readable(t: Test) -> None:
    rs: ReadableStream[Any] = ReadableStream()
    ws: WritableStream[Any] = WritableStream()
    rs.get_reader()
    assert rs.locked, "sanity check: the ReadableStream starts locked"
    assert not ws.locked, "sanity check: the WritableStream does not start locked"

    await promise_rejects_js(t, TypeError, rs.pipe_to(ws))
    assert not ws.locked, "the WritableStream must still be unlocked"


@promise_test("pipeTo must fail if the WritableStream is locked, and not lock the ReadableStream")
async def locked_writable(t: Test) -> None:
    rs: ReadableStream[Any] = ReadableStream()
    ws: WritableStream[Any] = WritableStream()
    ws.get_writer()
    assert not rs.locked, "sanity check: the ReadableStream does not start locked"
    assert ws.locked, "sanity check: the WritableStream starts locked"

    await promise_rejects_js(t, TypeError, rs.pipe_to(ws))
    assert not rs.locked, "the ReadableStream must still be unlocked"


@promise_test("Piping from a ReadableStream from which lots of chunks are synchronously readable")
async def many_chunks_at_once(t: Test) -> None:
    chunks = list(range(10))
    written: list[Any] = []

    def write(chunk: Any, controller: Any) -> None:
        written.append(chunk)

    def close() -> None:
        written.append("closed")

    rs: ReadableStream[Any] = ReadableStream({"start": enqueuing(*chunks, close=True)})
    strategy = CountQueuingStrategy(high_water_mark=len(chunks))
    ws: WritableStream[Any] = WritableStream({"write": write, "close": close}, strategy)

    await rs.pipe_to(ws)
    assert_array_equals(written, [*chunks, "closed"], "the correct values must be written")
    await Promise.all([rs.get_reader().closed, ws.get_writer().closed])


@promise_test("Piping from a ReadableStream for which a chunk becomes asynchronously readable after the pipeTo")
async def chunk_after_a_while(t: Test) -> None:
    rs = recording_readable_stream()
    ws = recording_writable_stream()
    pipe_promise = rs.pipe_to(ws)

    def enqueue() -> None:
        rs.controller.enqueue("Hello")
        t.step_timeout(rs.controller.close, 10)

    t.step_timeout(enqueue, 10)
    await pipe_promise
    assert_array_equals(ws.events, ["write", "Hello", "close"])


def add_rejection_from_pull(prevent_abort: bool) -> None:
    @promise_test(
        "an undefined rejection from pull should cause pipeTo() to reject when preventAbort is "
        f"{str(prevent_abort).lower()}"
    )
    async def rejection_from_pull(t: Test) -> None:
        rs: ReadableStream[Any] = ReadableStream({"pull": rejecting(None)})
        ws: WritableStream[Any] = WritableStream()
        await promise_rejects_exactly(t, None, rs.pipe_to(ws, prevent_abort=prevent_abort))


def add_rejection_from_write(prevent_cancel: bool) -> None:
    @promise_test(
        "an undefined rejection from write should cause pipeTo() to reject when preventCancel is "
        f"{str(prevent_cancel).lower()}"
    )
    async def rejection_from_write(t: Test) -> None:
        rs: ReadableStream[Any] = ReadableStream({"pull": enqueuing(0)})
        ws: WritableStream[Any] = WritableStream({"write": rejecting(None)})
        await promise_rejects_exactly(t, None, rs.pipe_to(ws, prevent_cancel=prevent_cancel))


for prevent in (True, False):
    add_rejection_from_pull(prevent)
    add_rejection_from_write(prevent)


@promise_test("pipeTo() should reject if an option getter grabs a writer")
async def option_grabs_writer(t: Test) -> None:
    rs: ReadableStream[Any] = ReadableStream()
    ws: WritableStream[Any] = WritableStream()
    grabs_writer: Any = SideEffect(ws.get_writer)
    await promise_rejects_js(t, TypeError, rs.pipe_to(ws, prevent_abort=grabs_writer), "pipe_to should reject")


@promise_test("pipeTo() promise should resolve if null is passed")
async def no_option_given(t: Test) -> None:
    none: Any = None
    rs: ReadableStream[Any] = ReadableStream({"start": closing})
    ws: WritableStream[Any] = WritableStream()
    await rs.pipe_to(ws, prevent_close=none, prevent_abort=none, prevent_cancel=none, signal=none)
