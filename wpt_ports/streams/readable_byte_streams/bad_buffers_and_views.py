"""Port of streams/readable-byte-streams/bad-buffers-and-views.any.js."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wpt_ports.harness import Test, assert_throws_js, promise_rejects_js, promise_test, test
from wpt_ports.resources.byte_views import (
    assert_typed_array_equals,
    byte_stream,
    is_released,
    step_func_done,
    uint8,
    whole_buffer,
)

OnPull = Callable[[Any, Any], object]


def reader_with_chunk() -> Any:
    """A BYOB reader of a stream in whose queue a chunk of three bytes waits."""
    return byte_stream(start=lambda c: c.enqueue(bytes([1, 2, 3]))).get_reader(mode="byob")


async def pull_once(t: Test, on_pull: OnPull, view: memoryview | None = None) -> None:
    """Read into `view`, and call `on_pull` with the controller and the reader in the pull that this causes."""
    once, finished = step_func_done(t, lambda c: on_pull(c, reader))
    reader = byte_stream(pull=once).get_reader(mode="byob")
    reader.read(view or uint8(4, 5, 6))
    await finished


# Taking over the buffer of a view that is read into.


@promise_test("ReadableStream with byte source: read()ing from a closed stream still transfers the buffer")
async def closed_stream_transfers(t: Test) -> None:
    reader = byte_stream(start=lambda c: c.close()).get_reader(mode="byob")
    view = uint8(1, 2, 3)
    value, done = await reader.read(view)
    assert value is not view, "the same view was given back"
    assert_typed_array_equals(value, uint8(1, 2, 3)[:0], "an empty part of the buffer")
    assert done
    assert is_released(view), "the view that was read into is not released"


@promise_test("ReadableStream with byte source: read()ing from a stream with queued chunks still transfers the buffer")
async def queued_chunk_transfers(t: Test) -> None:
    reader = reader_with_chunk()
    view = uint8(4, 5, 6)
    value, done = await reader.read(view)
    assert value is not view, "the same view was given back"
    assert_typed_array_equals(value, uint8(1, 2, 3), "what was enqueued")
    assert not done
    assert is_released(view), "the view that was read into is not released"


@promise_test("ReadableStream with byte source: reading into an already-detached buffer rejects")
async def read_into_released_view(t: Test) -> None:
    reader = reader_with_chunk()
    view = uint8(4, 5, 6)
    await reader.read(view)
    await promise_rejects_js(t, TypeError, reader.read(view))


@promise_test("ReadableStream with byte source: reading into a zero-length buffer rejects")
async def read_into_empty_buffer(t: Test) -> None:
    await promise_rejects_js(t, TypeError, reader_with_chunk().read(bytearray()))


@promise_test("ReadableStream with byte source: reading into a zero-length view on a non-zero-length buffer rejects")
async def read_into_empty_view(t: Test) -> None:
    await promise_rejects_js(t, TypeError, reader_with_chunk().read(memoryview(bytearray(10))[:0]))


# Enqueuing.


@test("ReadableStream with byte source: enqueuing an already-detached buffer throws")
def enqueue_released_view(t: Test) -> None:
    def start(c: Any) -> None:
        view = uint8(1, 2, 3)
        c.enqueue(view)
        # enqueue() leaves the caller its buffer here, so that only the caller can release the view.
        view.release()
        assert_throws_js(TypeError, lambda: c.enqueue(view))

    byte_stream(start=start)


@test("ReadableStream with byte source: enqueuing a zero-length buffer throws")
def enqueue_empty_buffer(t: Test) -> None:
    byte_stream(start=lambda c: assert_throws_js(TypeError, lambda: c.enqueue(bytearray())))


@test("ReadableStream with byte source: enqueuing a zero-length view on a non-zero-length buffer throws")
def enqueue_empty_view(t: Test) -> None:
    view = memoryview(bytearray(10))[:0]
    byte_stream(start=lambda c: assert_throws_js(TypeError, lambda: c.enqueue(view)))


# A BYOB request whose view was taken away: reading into it releases it.


@promise_test(
    "ReadableStream with byte source: respond() throws if the BYOB request's buffer has been detached "
    "(in the readable state)"
)
async def respond_detached_readable(t: Test) -> None:
    def on_pull(c: Any, reader: Any) -> None:
        reader.read(c.byob_request.view)
        assert_throws_js(TypeError, lambda: c.byob_request.respond(1), "the request's view is released")

    await pull_once(t, on_pull)


@promise_test(
    "ReadableStream with byte source: respond() throws if the BYOB request's buffer has been detached "
    "(in the closed state)"
)
async def respond_detached_closed(t: Test) -> None:
    def on_pull(c: Any, reader: Any) -> None:
        c.close()
        reader.read(c.byob_request.view)
        assert_throws_js(TypeError, lambda: c.byob_request.respond(0), "the request's view is released")

    await pull_once(t, on_pull)


@promise_test(
    "ReadableStream with byte source: enqueue() throws if the BYOB request's buffer has been detached "
    "(in the readable state)"
)
async def enqueue_detached_readable(t: Test) -> None:
    def on_pull(c: Any, reader: Any) -> None:
        reader.read(c.byob_request.view)
        assert_throws_js(TypeError, lambda: c.enqueue(b"\x01"), "the request's view is released")

    await pull_once(t, on_pull)


@promise_test(
    "ReadableStream with byte source: enqueue() throws if the BYOB request's buffer has been detached "
    "(in the closed state)"
)
async def enqueue_detached_closed(t: Test) -> None:
    def on_pull(c: Any, reader: Any) -> None:
        c.close()
        reader.read(c.byob_request.view)
        assert_throws_js(TypeError, lambda: c.enqueue(b"\x01"), "the request's view is released")

    await pull_once(t, on_pull)


# respond_with_new_view() with views that are not the rest of the request's buffer.


@promise_test(
    "ReadableStream with byte source: respondWithNewView() throws if the supplied view's buffer has been detached "
    "(in the readable state)"
)
async def new_view_detached_readable(t: Test) -> None:
    def on_pull(c: Any, reader: Any) -> None:
        view = uint8(1, 2, 3)
        reader.read(view)
        assert_throws_js(TypeError, lambda: c.byob_request.respond_with_new_view(view))

    await pull_once(t, on_pull)


@promise_test(
    "ReadableStream with byte source: respondWithNewView() throws if the supplied view's buffer has been detached "
    "(in the closed state)"
)
async def new_view_detached_closed(t: Test) -> None:
    def on_pull(c: Any, reader: Any) -> None:
        c.close()
        view = uint8(1, 2, 3)
        reader.read(view)
        assert_throws_js(TypeError, lambda: c.byob_request.respond_with_new_view(view))

    await pull_once(t, on_pull)


@promise_test(
    "ReadableStream with byte source: respondWithNewView() throws if the supplied view's buffer is zero-length "
    "(in the readable state)"
)
async def new_view_empty_buffer_readable(t: Test) -> None:
    def on_pull(c: Any, reader: Any) -> None:
        assert_throws_js(TypeError, lambda: c.byob_request.respond_with_new_view(bytearray()))

    await pull_once(t, on_pull)


@promise_test(
    "ReadableStream with byte source: respondWithNewView() throws if the supplied view's buffer is zero-length "
    "(in the closed state)"
)
async def new_view_empty_buffer_closed(t: Test) -> None:
    def on_pull(c: Any, reader: Any) -> None:
        c.close()
        assert_throws_js(ValueError, lambda: c.byob_request.respond_with_new_view(bytearray()))

    await pull_once(t, on_pull)


@promise_test(
    "ReadableStream with byte source: respondWithNewView() throws if the supplied view is zero-length on a "
    "non-zero-length buffer (in the readable state)"
)
async def new_view_empty_readable(t: Test) -> None:
    def on_pull(c: Any, reader: Any) -> None:
        view = whole_buffer(c.byob_request.view)[:0]
        assert_throws_js(TypeError, lambda: c.byob_request.respond_with_new_view(view))

    await pull_once(t, on_pull)


@promise_test(
    "ReadableStream with byte source: respondWithNewView() throws if the supplied view is non-zero-length "
    "(in the closed state)"
)
async def new_view_not_empty_closed(t: Test) -> None:
    def on_pull(c: Any, reader: Any) -> None:
        view = whole_buffer(c.byob_request.view)[:1]
        c.close()
        assert_throws_js(TypeError, lambda: c.byob_request.respond_with_new_view(view))

    await pull_once(t, on_pull)


@promise_test(
    "ReadableStream with byte source: respondWithNewView() throws if the supplied view has a different offset "
    "(in the readable state)"
)
async def new_view_other_offset_readable(t: Test) -> None:
    def on_pull(c: Any, reader: Any) -> None:
        view = c.byob_request.view[1:2]
        assert_throws_js(ValueError, lambda: c.byob_request.respond_with_new_view(view))

    await pull_once(t, on_pull)


@promise_test(
    "ReadableStream with byte source: respondWithNewView() throws if the supplied view has a different offset "
    "(in the closed state)"
)
async def new_view_other_offset_closed(t: Test) -> None:
    def on_pull(c: Any, reader: Any) -> None:
        c.close()
        view = c.byob_request.view[1:1]
        assert_throws_js(ValueError, lambda: c.byob_request.respond_with_new_view(view))

    await pull_once(t, on_pull)


@promise_test(
    "ReadableStream with byte source: respondWithNewView() throws if the supplied view's buffer has a different "
    "length (in the readable state)"
)
async def new_view_other_buffer_length_readable(t: Test) -> None:
    def on_pull(c: Any, reader: Any) -> None:
        view = memoryview(bytearray(10))[:3]
        assert_throws_js(ValueError, lambda: c.byob_request.respond_with_new_view(view))

    await pull_once(t, on_pull)


@promise_test(
    "ReadableStream with byte source: respondWithNewView() throws if the supplied view's buffer has a different "
    "length (in the closed state)"
)
async def new_view_other_buffer_length_closed(t: Test) -> None:
    def on_pull(c: Any, reader: Any) -> None:
        view = memoryview(bytearray(10))[:0]
        c.close()
        assert_throws_js(ValueError, lambda: c.byob_request.respond_with_new_view(view))

    await pull_once(t, on_pull)


@promise_test(
    "ReadableStream with byte source: respondWithNewView() throws if the supplied view's buffer has a different "
    "length (autoAllocateChunkSize)"
)
async def new_view_other_buffer_length_auto_allocated(t: Test) -> None:
    def on_pull(c: Any) -> None:
        view = memoryview(bytearray(11))[:3]
        assert_throws_js(ValueError, lambda: c.byob_request.respond_with_new_view(view))

    once, finished = step_func_done(t, on_pull)
    byte_stream(pull=once, auto_allocate_chunk_size=10).get_reader().read()
    await finished


@promise_test(
    "ReadableStream with byte source: respondWithNewView() throws if the supplied view has a larger length "
    "(in the readable state)"
)
async def new_view_too_long(t: Test) -> None:
    def on_pull(c: Any, reader: Any) -> None:
        view = whole_buffer(c.byob_request.view)[:4]
        view[:] = bytes([20, 21, 22, 23])
        assert_throws_js(ValueError, lambda: c.byob_request.respond_with_new_view(view))

    buffer = bytearray([10, 11, 12] + [0] * 7)
    await pull_once(t, on_pull, memoryview(buffer)[:3])
