"""Port of streams/readable-byte-streams/enqueue-with-detached-buffer.any.js."""

from __future__ import annotations

from typing import Any

from wpt_ports.harness import Test, assert_throws_js, promise_rejects_exactly, promise_test
from wpt_ports.resources.byte_views import byte_stream


@promise_test("enqueue after detaching byobRequest.view.buffer should throw")
async def enqueue_after_detaching(t: Test) -> None:
    error = Exception("cannot proceed")

    def pull(controller: Any) -> None:
        controller.byob_request.view.release()
        assert_throws_js(TypeError, lambda: controller.enqueue(b"\x2a"))
        controller.error(error)

    reader = byte_stream(pull=t.step(pull)).get_reader(mode="byob")
    await promise_rejects_exactly(t, error, reader.read(bytearray(1)))
