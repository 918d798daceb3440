"""Port of streams/writable-streams/crashtests/garbage-collection.any.js."""

from __future__ import annotations

from typing import Any

from webstreams import Promise, WritableStream
from wpt_ports.harness import Test, delay, garbage_collect, promise_test
from wpt_ports.resources.sink_utils import never

WRITE_COUNT = 2


async def collect_five_times() -> None:
    """Collect garbage, and let pending jobs run, again and again."""
    for _ in range(5):
        garbage_collect()
        await delay(0)


class TwoWritesThenNone:
    """A sink whose first two writes end together, on `release`; later ones never do."""

    def __init__(self) -> None:
        self._writes_done = 0
        self._promise, self._resolve, _ = Promise[None].with_resolvers()

    def write(self, chunk: object, controller: object) -> Promise[None]:
        """Count the write."""
        if self._writes_done == WRITE_COUNT:
            return never()
        self._writes_done += 1
        return self._promise

    def release(self) -> None:
        """Let the first two writes end."""
        self._resolve(None)


@promise_test("Garbage-collecting a stream writer with a pending write should not crash")
async def pending_write(t: Test) -> None:
    written = WritableStream[Any]({"write": never}).get_writer().write("a chunk")
    await collect_five_times()
    assert not written.done()


@promise_test("Garbage-collecting a stream writer should not crash with closed promise is retained")
async def retained_closed(t: Test) -> None:
    closed = WritableStream[Any]({"write": lambda chunk, controller: None}).get_writer().closed
    await collect_five_times()
    assert not closed.done()


@promise_test("Garbage-collecting a stream writer should not crash with close promise pending")
async def pending_close(t: Test) -> None:
    ws = WritableStream[Any]({"write": never, "close": never})
    writer = ws.get_writer()
    writer.write("a chunk")
    writer.close()
    del ws, writer
    await collect_five_times()


@promise_test("Garbage-collecting a stream writer should not crash when backpressure is being applied")
async def pending_ready(t: Test) -> None:
    ready = WritableStream[Any]({"write": lambda chunk, controller: None}, {"high_water_mark": 0}).get_writer().ready
    await collect_five_times()
    assert not ready.done()


@promise_test("WritableStream should not crash when garbage collected with backpressure")
async def dropped_under_backpressure(t: Test) -> None:
    async def make_backpressure_twice() -> None:
        # All references to the stream end with this function.
        sink = TwoWritesThenNone()
        writer = WritableStream[Any](sink).get_writer()
        await writer.ready

        def write_chunks() -> None:
            for _ in range(WRITE_COUNT):
                _ = writer.ready
                writer.write("chunk")

        write_chunks()
        sink.release()
        await writer.ready
        write_chunks()

    await make_backpressure_twice()
    await collect_five_times()
