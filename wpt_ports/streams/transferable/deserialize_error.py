"""Port of streams/transferable/deserialize-error.window.js.

Python: what fails is told as it is; it needs no name of its own. Upstream sends code that another site must not have.
"""

from __future__ import annotations

from typing import Any

from webstreams import WritableStream
from webstreams.workers import receive, transfer
from wpt_ports.harness import Test, promise_test
from wpt_ports.resources.realms import everywhere
from wpt_ports.resources.recording_streams import RecordingReadableStream


class FailsThere:
    """Can be pickled, but not unpickled."""

    def __reduce__(self) -> Any:
        return (int, ("no number",))


async def write(port: Any) -> str:
    """Write it; returns what the stream fails with."""
    writer = (await receive(port)).get_writer()
    writer.write(FailsThere()).add_done_callback(lambda promise: promise.exception())
    try:
        await writer.closed
    except ValueError as error:
        return str(error)
    raise AssertionError("the stream should be errored")


@promise_test("a WritableStream deserialization failure should result in a DataCloneError")
async def in_a_writable_stream(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:
            transfer(WritableStream(), realm.port)
            assert "no number" in await realm.run(write)


@promise_test("a ReadableStream deserialization failure should result in a DataCloneError")
async def in_a_readable_stream(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:
            rs = RecordingReadableStream({"start": lambda controller: controller.enqueue(FailsThere())})
            await realm.transfer(rs)
            state, reason = await realm.outcome(await realm.begin("read"))
            assert state == "rejected"
            assert isinstance(reason, ValueError)
            assert "no number" in str(reason)
