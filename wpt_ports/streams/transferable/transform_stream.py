"""Port of streams/transferable/transform-stream.any.js."""

from __future__ import annotations

from typing import Any

from webstreams import ReadableStream, TransformStream, WritableStream
from webstreams.workers import message_channel, receive, transfer
from wpt_ports.harness import Test, assert_throws_js, promise_test
from wpt_ports.resources.realms import everywhere, until


async def look_at(port: Any) -> Any:
    """What arrives, and its two sides."""
    received = await receive(port)
    return [type(each).__name__ for each in (received, received.readable, received.writable)]


@promise_test("window.postMessage should be able to transfer a TransformStream")
async def transfers(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:
            orig: TransformStream[Any, Any] = TransformStream()
            transfer(orig, realm.port)
            assert orig.readable.locked, "the readable side should be locked"
            assert orig.writable.locked, "the writable side should be locked"
            assert await realm.run(look_at) == ["TransformStream", "ReadableStream", "WritableStream"]


def assert_not_transferable(ts: TransformStream[Any, Any]) -> None:
    here, there = message_channel()
    with here, there:
        assert_throws_js(TypeError, lambda: transfer(ts, here), "transferring should throw")


@promise_test("a TransformStream with a locked writable should not be transferable")
async def locked_writable(t: Test) -> None:
    ts: TransformStream[Any, Any] = TransformStream()
    ts.writable.get_writer()
    assert_not_transferable(ts)
    assert not ts.readable.locked, "readable side should not get locked"


@promise_test("a TransformStream with a locked readable should not be transferable")
async def locked_readable(t: Test) -> None:
    ts: TransformStream[Any, Any] = TransformStream()
    ts.readable.get_reader()
    assert_not_transferable(ts)
    assert not ts.writable.locked, "writable side should not get locked"


@promise_test("a TransformStream with both sides locked should not be transferable")
async def both_locked(t: Test) -> None:
    ts: TransformStream[Any, Any] = TransformStream()
    ts.readable.get_reader()
    ts.writable.get_writer()
    assert_not_transferable(ts)


async def pipe_all(port: Any) -> None:
    """Receive a source, two transforms and a sink, and pipe through all of them."""
    source, first, second, sink = [await receive(port) for _ in range(4)]
    await source.pipe_through(first).pipe_through(second).pipe_to(sink)


@promise_test("piping through transferred transforms should work")
async def piping_through_transforms(t: Test) -> None:
    async with everywhere() as realms:
        for realm in realms:
            result: list[str] = []
            upper: TransformStream[str, str] = TransformStream({"transform": lambda chunk, c: c.enqueue(chunk.upper())})
            twice: TransformStream[str, str] = TransformStream({"transform": lambda chunk, c: c.enqueue(chunk + chunk)})
            sink: WritableStream[str] = WritableStream({"write": lambda chunk, _: result.append(chunk)})  # noqa: B023
            for stream in (ReadableStream.from_(["hello ", "there "]), upper, twice, sink):
                transfer(stream, realm.port)
            await realm.run(pipe_all)
            await until(lambda result=result: len(result) == 2)  # type: ignore[misc]
            assert "".join(result) == "HELLO HELLO THERE THERE ", "transforms should have been applied"
