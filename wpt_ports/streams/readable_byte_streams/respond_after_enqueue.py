"""Port of streams/readable-byte-streams/respond-after-enqueue.any.js."""

from __future__ import annotations

from typing import Any

from webstreams import Promise
from wpt_ports.harness import Test, promise_test
from wpt_ports.resources.byte_views import assert_bytes, byte_stream


@promise_test("byobRequest.respond() after enqueue() should not crash")
async def respond_after_enqueue(t: Test) -> None:
    def pull(controller: Any) -> None:
        controller.enqueue(bytes([1, 2, 3]))
        # No request is left: what this raises reaches the stream only after the read is fulfilled.
        controller.byob_request.respond(10)

    reader = byte_stream(pull=pull, auto_allocate_chunk_size=10).get_reader()
    value, done = await reader.read()
    assert not done
    assert_bytes(value, bytes([1, 2, 3]))


@promise_test("byobRequest.respond() with cached byobRequest after enqueue() should not crash")
async def respond_to_cached_request(t: Test) -> None:
    def pull(controller: Any) -> None:
        request = controller.byob_request
        controller.enqueue(bytes([1, 2, 3]))
        request.respond(10)

    reader = byte_stream(pull=pull, auto_allocate_chunk_size=10).get_reader()
    value, done = await reader.read()
    assert not done
    assert_bytes(value, bytes([1, 2, 3]))


@promise_test("byobRequest.respond() after enqueue() with double read should not crash")
async def respond_to_second_read(t: Test) -> None:
    def pull(controller: Any) -> None:
        controller.enqueue(bytes([1, 2, 3]))
        controller.byob_request.respond(2)

    reader = byte_stream(pull=pull, auto_allocate_chunk_size=10).get_reader()
    read1, read2 = await Promise.all([reader.read(), reader.read()])
    assert not read1.done
    assert_bytes(read1.value, bytes([1, 2, 3]))
    assert not read2.done
    assert_bytes(read2.value, bytes([0, 0]))
