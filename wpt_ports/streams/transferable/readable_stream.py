"""Port of streams/transferable/readable-stream.any.js."""

from __future__ import annotations

import asyncio
from typing import Any

from webstreams import ByteLengthQueuingStrategy, ReadableStream
from webstreams.workers import transfer
from wpt_ports.harness import Test, assert_array_equals, assert_throws_js, delay, promise_test
from wpt_ports.resources.realms import Realm, everywhere, get, lock, take, take_unlocked, until
from wpt_ports.resources.recording_streams import RecordingReadableStream


async def recording_transferred(realm: Realm, extras: Any = None, strategy: Any = None) -> RecordingReadableStream:
    """``recordingTransferredReadableStream``: the original, after it was transferred and locked there."""
    original = RecordingReadableStream(extras, strategy)
    await realm.transfer(original)
    return original


async def assert_reads(realm: Realm, expected: list[Any]) -> None:
    for value in expected:
        assert await realm.call("read") == (value, False)


async def assert_done(realm: Realm) -> None:
    assert await realm.call("read") == (None, True)


def assert_cancelled(rs: RecordingReadableStream, reason: str) -> None:
    """Upstream counts one pull(), too. The Standard leaves open when a pipe reads: ours does after start()."""
    assert set(rs.events) == {"pull", "cancel", reason}
    assert_array_equals(rs.events_without_pulls, ["cancel", reason], "cancel() should have been called")


@promise_test("sending one chunk through a transferred stream should work")
async def one_chunk(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:

            def start(controller: Any) -> None:
                controller.enqueue("a")
                controller.close()

            assert await realm.transfer(ReadableStream({"start": start})) == "ReadableStream"
            await assert_reads(realm, ["a"])
            await assert_done(realm)


@promise_test("sending ten chunks through a transferred stream should work")
async def ten_chunks(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:
            rs = await recording_transferred(realm)
            for number in range(10):
                rs.controller.enqueue(number)
            rs.controller.close()
            await assert_reads(realm, list(range(10)))
            await assert_done(realm)


@promise_test("sending ten chunks one at a time should work")
async def ten_chunks_one_at_a_time(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:
            rs = await recording_transferred(realm)
            for number in range(10):
                rs.controller.enqueue(number)
                await assert_reads(realm, [number])
            rs.controller.close()
            await assert_done(realm)


@promise_test("sending ten chunks on demand should work")
async def ten_chunks_on_demand(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:
            numbers = iter(range(10))

            def pull(controller: Any, numbers: Any = numbers) -> None:
                number = next(numbers)
                controller.enqueue(number)
                if number == 9:
                    controller.close()

            await realm.transfer(ReadableStream({"pull": pull}))
            await assert_reads(realm, list(range(10)))
            await assert_done(realm)


@promise_test("transferring a stream should relieve backpressure")
async def relieves_backpressure(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:
            rs = RecordingReadableStream({}, {"high_water_mark": 0})
            await delay(0)
            assert_array_equals(rs.events, [], "pull() should not have been called")
            # It is posting the stream that relieves backpressure, not receiving it.
            transfer(rs, realm.port)
            await delay(0)
            assert_array_equals(rs.events, ["pull"], "pull() should have been called")
            await realm.run(take)


@promise_test("transferring a stream should add one chunk to the queue size")
async def adds_one_chunk(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:
            rs = await recording_transferred(realm, {"pull": lambda c: c.enqueue("a")}, {"high_water_mark": 2})
            await delay(0)
            assert_array_equals(rs.events, ["pull", "pull", "pull"], "pull() should have been called three times")


@promise_test("the extra queue from transferring is counted in chunks")
async def extra_queue_is_counted_in_chunks(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:

            def start(controller: Any) -> None:
                controller.enqueue(bytes(1024))
                controller.enqueue(bytes(1024))

            rs = await recording_transferred(realm, {"start": start}, ByteLengthQueuingStrategy(high_water_mark=512))
            await delay(0)
            # The queue contains 1024/512 bytes and 1/1 chunk, so it is full and pull() is not called.
            assert_array_equals(rs.events, [], "pull() should not have been called")
            value, done = await realm.call("read")
            assert not done
            assert len(value) == 1024
            # Now the queue contains 0/512 bytes and 1/1 chunk, so pull() is called.
            await until(lambda rs=rs: rs.events == ["pull"])  # type: ignore[misc]


@promise_test("cancel should be propagated to the original")
async def cancel_is_propagated(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:
            rs = RecordingReadableStream()
            transfer(rs, realm.port)
            await realm.run(take_unlocked)
            number = await realm.begin("cancel", "message")
            await until(lambda rs=rs: "cancel" in rs.events)  # type: ignore[misc]
            assert_cancelled(rs, "message")
            assert await realm.outcome(number) == ("fulfilled", None)
            # Check the stream really got closed.
            await realm.run(lock)
            await realm.run(get, "closed")


@promise_test("cancel should abort a pending read()")
async def cancel_aborts_a_pending_read(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:
            rs = await recording_transferred(realm)
            read = await realm.begin("read")
            await realm.begin("cancel", "done")
            assert await realm.outcome(read) == ("fulfilled", (None, True))
            await until(lambda rs=rs: "cancel" in rs.events)  # type: ignore[misc]
            assert_cancelled(rs, "done")


@promise_test("stream cancel should not wait for underlying source cancel")
async def cancel_does_not_wait(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:
            held = asyncio.get_running_loop().create_future()
            completed: list[bool] = []

            async def cancel(reason: object, held: Any = held, completed: Any = completed) -> None:
                await held
                completed.append(True)

            await recording_transferred(realm, {"cancel": cancel})
            await realm.call("cancel")
            assert not completed, "cancel() on the underlying source should not have completed"
            held.set_result(None)


@promise_test("serialization should not happen until the value is read")
async def serialization_waits_for_the_read(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:
            rs = await recording_transferred(realm)
            chunk = Pickled()
            rs.controller.enqueue(chunk)
            await realm.run(nothing)
            assert not chunk.happened, "serialization should not have happened yet"
            assert await realm.call("read") == ("a", False)
            assert chunk.happened, "serialization should have happened"


class Pickled:
    """Sees when it is pickled; arrives as "a"."""

    happened = False

    def __reduce__(self) -> Any:
        self.happened = True
        return (str, ("a",))


async def nothing(port: Any) -> None:
    """A round trip."""


@promise_test("transferring a non-serializable chunk should error both sides")
async def non_serializable_chunk(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:
            rs = await recording_transferred(realm)
            rs.controller.enqueue(ReadableStream())
            state, reason = await realm.outcome(await realm.begin("read"))
            assert state == "rejected"
            assert "pickle" in str(reason)
            assert_throws_js(TypeError, rs.controller.enqueue, "original stream should be errored")


@promise_test("errors should be passed through")
async def errors_are_passed_through(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:
            rs = ReadableStream({"start": lambda controller: controller.error("foo")})
            await realm.transfer(rs)
            assert await realm.outcome(await realm.begin("read")) == ("rejected", "foo")


@promise_test("race between cancel() and error() should leave sides in different states")
async def cancel_and_error(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:
            rs = await recording_transferred(realm)
            await delay(0)
            await realm.begin("cancel")
            rs.controller.error()
            await assert_done(realm)
            assert_throws_js(TypeError, rs.controller.enqueue, "enqueue should throw")


@promise_test("race between cancel() and close() should be benign")
async def cancel_and_close(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:
            rs = await recording_transferred(realm)
            await delay(0)
            await realm.begin("cancel")
            close_unless_over(rs)
            await assert_done(realm)


@promise_test("race between cancel() and enqueue() should be benign")
async def cancel_and_enqueue(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:
            rs = await recording_transferred(realm)
            await delay(0)
            await realm.begin("cancel")
            if not rs.events_without_pulls:
                rs.controller.enqueue("a")
            await assert_done(realm)


def close_unless_over(rs: RecordingReadableStream) -> None:
    """The cancellation may be here already, from another realm."""
    if not rs.events_without_pulls:
        rs.controller.close()
