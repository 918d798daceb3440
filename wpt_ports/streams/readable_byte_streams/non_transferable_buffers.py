"""Port of streams/readable-byte-streams/non-transferable-buffers.any.js.

The memory of a WebAssembly module cannot be transferred. What a stream cannot take here is a buffer that is read-only
(where it has to write) or not contiguous.
"""

from __future__ import annotations

from typing import Any

from webstreams import Promise
from wpt_ports.harness import Test, assert_throws_js, promise_rejects_js, promise_test, test
from wpt_ports.resources.byte_views import byte_stream, controlled_byte_stream


@promise_test("ReadableStream with byte source: read() with a non-transferable buffer")
async def read_into_unusable_buffer(t: Test) -> None:
    reader = byte_stream(pull=t.unreached("pull")).get_reader(mode="byob")
    unusable: list[Any] = [bytes(8), memoryview(bytes(8))[:1], memoryview(bytearray(8))[::2]]
    for buffer in unusable:
        await promise_rejects_js(t, TypeError, reader.read(buffer))


@test("ReadableStream with byte source: enqueue() with a non-transferable buffer")
def enqueue_unusable_buffer(t: Test) -> None:
    _, controller = controlled_byte_stream(pull=t.unreached("pull"))
    assert_throws_js(TypeError, lambda: controller.enqueue(memoryview(bytearray(8))[::2]))


@promise_test("ReadableStream with byte source: respondWithNewView() with a non-transferable buffer")
async def respond_with_unusable_buffer(t: Test) -> None:
    requests: list[Any] = []
    pull_called, resolve_pull_called, _ = Promise.with_resolvers()

    def pull(controller: Any) -> None:
        requests.append(controller.byob_request)
        resolve_pull_called(None)

    reader = byte_stream(pull=pull).get_reader(mode="byob")
    buffer = bytearray(8)
    read = reader.read(memoryview(buffer)[:1])
    read.then(t.unreached("read() fulfilled"), t.unreached("read() rejected"))
    await pull_called
    # The same memory, offset and length: only that it is read-only makes it unusable.
    new_view = memoryview(buffer)[:1].toreadonly()
    assert_throws_js(TypeError, lambda: requests[0].respond_with_new_view(new_view))
