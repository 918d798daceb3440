"""Port of streams/writable-streams/byte-length-queuing-strategy.any.js."""

from __future__ import annotations

from typing import Any

from webstreams import ByteLengthQueuingStrategy, Promise, WritableStream
from wpt_ports.harness import Test, promise_test


@promise_test(
    "Closing a writable stream with in-flight writes below the high water mark delays the close call properly"
)
async def close_waits_for_write(t: Test) -> None:
    is_done = False

    def write(chunk: object, controller: object) -> Promise[None]:
        promise, resolve, _ = Promise[None].with_resolvers()

        def finish() -> None:
            nonlocal is_done
            is_done = True
            resolve(None)

        t.step_timeout(finish, 200)
        return promise

    def close() -> None:
        assert is_done, "close() is called after the write"

    ws = WritableStream[Any]({"write": write, "close": close}, ByteLengthQueuingStrategy(high_water_mark=1024 * 16))
    writer = ws.get_writer()
    writer.write(bytes(1024))
    await writer.close()
