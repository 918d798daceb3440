"""Port of streams/readable-streams/crashtests/garbage-collection.any.js."""

from __future__ import annotations

from typing import Any

from webstreams import Promise, ReadableStream, ReadableStreamDefaultController
from wpt_ports.harness import Test, delay, garbage_collect, promise_test


async def collect_garbage_repeatedly() -> None:
    for _ in range(5):
        garbage_collect()
        await delay(0)


@promise_test("Garbage-collecting a stream along with its reader should not crash")
async def stream_and_reader(t: Test) -> None:
    def pull(controller: ReadableStreamDefaultController[Any]) -> None:
        controller.enqueue("is there anybody in there?")

    stream: ReadableStream[Any] = ReadableStream({"pull": pull})
    closed = stream.get_reader().closed
    del stream
    await collect_garbage_repeatedly()
    assert not closed.done()


@promise_test("Garbage-collecting a stream with a pending read should not crash")
async def pending_read(t: Test) -> None:
    def pull(controller: ReadableStreamDefaultController[Any]) -> None:
        """Nothing comes."""

    stream: ReadableStream[Any] = ReadableStream({"pull": pull})
    promise = stream.get_reader().read()
    del stream
    await collect_garbage_repeatedly()
    assert not promise.done()


@promise_test("Garbage-collecting a stream with a pending BYOB read should not crash")
async def pending_byob_read(t: Test) -> None:
    def pull(controller: Any) -> Any:
        return Promise.with_resolvers()[0]

    stream: ReadableStream[Any] = ReadableStream({"type": "bytes", "pull": pull})
    promise = stream.get_reader(mode="byob").read(bytearray(42))
    del stream
    await collect_garbage_repeatedly()
    assert not promise.done()
