"""Port of streams/transferable/writable-stream.any.js."""

from __future__ import annotations

import asyncio
from typing import Any

from webstreams import ByteLengthQueuingStrategy, ReadableStream, TransformStream, WritableStream
from webstreams.workers import message_channel, receive, transfer
from wpt_ports.harness import Test, assert_array_equals, assert_throws_js, promise_test
from wpt_ports.resources.realms import There, everywhere, get, is_done, take_unlocked, until
from wpt_ports.resources.recording_streams import RecordingWritableStream


@promise_test("should be able to transfer a WritableStream")
async def transfers(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:
            orig: WritableStream[Any] = WritableStream()
            transfer(orig, realm.port)
            assert orig.locked, "the original stream should be locked"
            assert await realm.run(take_unlocked) == "WritableStream"


@promise_test("a locked WritableStream should not be transferable")
async def locked(t: Test) -> None:
    ws: WritableStream[Any] = WritableStream()
    ws.get_writer()
    here, there = message_channel()
    with here, there:
        assert_throws_js(TypeError, lambda: transfer(ws, here), "transferring should throw")


async def through_a_pair(port: Any) -> Any:
    """Receive both sides, and send a chunk through them."""
    writable: WritableStream[str] = await receive(port)
    readable: ReadableStream[str] = await receive(port)
    reader, writer = readable.get_reader(), writable.get_writer()
    written = [writer.write("hi"), writer.close()]
    first, second = await reader.read(), await reader.read()
    await asyncio.gather(*written)
    return first.value, first.done, second.done


@promise_test("should be able to transfer a {readable, writable} pair")
async def transfers_a_pair(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:
            pair: TransformStream[Any, Any] = TransformStream()
            transfer(pair.writable, realm.port)
            transfer(pair.readable, realm.port)
            assert await realm.run(through_a_pair) == ("hi", False, True)


@promise_test("desiredSize for a newly-transferred stream should be 1")
async def desired_size(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:
            orig: Any = WritableStream({}, ByteLengthQueuingStrategy(high_water_mark=65536))
            await realm.transfer(orig)
            assert await realm.run(get, "desired_size") == 1


@promise_test("effective queue size of a transferred writable should be 2")
async def effective_queue_size(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:
            held = asyncio.get_running_loop().create_future()
            await realm.transfer(WritableStream({"write": lambda chunk, controller: held}))  # noqa: B023
            await realm.call("write", "a")
            assert await realm.run(get, "desired_size") == 1
            held.set_result(None)


@promise_test("second write should wait for first underlying write to complete")
async def second_write(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:
            held = asyncio.get_running_loop().create_future()
            written: list[Any] = []

            def write(chunk: Any, controller: Any, held: Any = held, written: Any = written) -> Any:
                written.append(chunk)
                return held

            await realm.transfer(WritableStream({"write": write}))
            await realm.call("write", "a")
            second = await realm.begin("write", "b")
            await until(lambda written=written: written)  # type: ignore[misc]
            assert not await realm.run(is_done, second), "second write should not have resolved yet"
            held.set_result(None)
            assert await realm.outcome(second) == ("fulfilled", None)


@promise_test("abort() should work")
async def abort(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:
            orig = RecordingWritableStream()
            await realm.transfer(orig)
            await realm.call("abort", "p")
            await until(lambda orig=orig: orig.events)  # type: ignore[misc]
            assert_array_equals(orig.events, ["abort", "p"], "abort() should have been called")


@promise_test("writing a unclonable object should error the stream")
async def unclonable(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:
            orig = RecordingWritableStream()
            await realm.transfer(orig)
            message = await realm.run(write_a_stream)
            await until(lambda orig=orig: len(orig.events) == 2)  # type: ignore[misc]
            assert orig.events[0] == "abort", "first event should be abort"
            assert isinstance(orig.events[1], TypeError)
            assert str(orig.events[1]) == message


async def write_a_stream(port: Any) -> str:
    """Write what cannot be pickled; returns what the write and the stream fail with."""
    messages = []
    for promise in (There.end.write(WritableStream()), There.end.closed):
        try:
            await promise
        except TypeError as error:
            messages.append(str(error))
    assert len(messages) == 2
    assert messages[0] == messages[1]
    return messages[0]
