"""Port of streams/readable-byte-streams/read-min.any.js."""

from __future__ import annotations

from typing import Any

from webstreams import Promise
from wpt_ports.harness import (
    Test,
    assert_throws_js,
    promise_rejects_exactly,
    promise_rejects_js,
    promise_test,
    run,
)
from wpt_ports.resources.byte_views import (
    Answer,
    RecordingPull,
    ViewInfo,
    assert_bytes,
    assert_typed_array_equals,
    byte_stream,
    controlled_byte_stream,
    enqueue,
    respond_with,
    uint8,
    uint16,
    view_info,
)
from wpt_ports.resources.rs_utils import transfer_array_buffer_view

error1 = Exception("error1")


# What `min` may be.


def reader_without_pull(t: Test) -> Any:
    return byte_stream(pull=t.unreached("pull")).get_reader(mode="byob")


@promise_test("ReadableStream with byte source: read({ min }) rejects if min is 0")
async def min_zero(t: Test) -> None:
    await promise_rejects_js(t, TypeError, reader_without_pull(t).read(bytearray(1), min=0))


@promise_test("ReadableStream with byte source: read({ min }) rejects if min is negative")
async def min_negative(t: Test) -> None:
    await promise_rejects_js(t, TypeError, reader_without_pull(t).read(bytearray(1), min=-1))


@promise_test("ReadableStream with byte source: read({ min }) rejects if min is larger than view's length (Uint8Array)")
async def min_too_large_for_bytearray(t: Test) -> None:
    await promise_rejects_js(t, ValueError, reader_without_pull(t).read(bytearray(1), min=2))


@promise_test(
    "ReadableStream with byte source: read({ min }) rejects if min is larger than view's length (Uint16Array)"
)
async def min_too_large_for_uint16(t: Test) -> None:
    await promise_rejects_js(t, ValueError, reader_without_pull(t).read(uint16(1), min=2))


@promise_test("ReadableStream with byte source: read({ min }) rejects if min is larger than view's length (DataView)")
async def min_too_large_for_memoryview(t: Test) -> None:
    await promise_rejects_js(t, ValueError, reader_without_pull(t).read(memoryview(bytearray(1)), min=2))


# Filling a view in several steps.


@promise_test("ReadableStream with byte source: read({ min }), then read()")
async def read_min_then_read(t: Test) -> None:
    source = RecordingPull(respond_with(1, 2), respond_with(3), respond_with(4))
    reader = byte_stream(pull=t.step(source.pull)).get_reader(mode="byob")
    read1 = reader.read(bytearray(3), min=3)
    read2 = reader.read(bytearray(1))

    result1 = await read1
    assert not result1.done
    assert_typed_array_equals(result1.value, uint8(1, 2, 3), "first result")

    result2 = await read2
    assert not result2.done
    assert_typed_array_equals(result2.value, uint8(4), "second result")

    assert source.count == 3
    assert source.view_infos == [ViewInfo("B", 3, 0, 3), ViewInfo("B", 3, 2, 1), ViewInfo("B", 1, 0, 1)]


@promise_test("ReadableStream with byte source: read({ min }) with a DataView")
async def read_min_into_memoryview(t: Test) -> None:
    source = RecordingPull(respond_with(1, 2), respond_with(3))
    reader = byte_stream(pull=t.step(source.pull)).get_reader(mode="byob")
    result = await reader.read(memoryview(bytearray(3)), min=3)
    assert not result.done
    assert_typed_array_equals(result.value, uint8(1, 2, 3))
    assert source.count == 2
    assert source.view_infos == [ViewInfo("B", 3, 0, 3), ViewInfo("B", 3, 2, 1)]


@promise_test("ReadableStream with byte source: enqueue(), then read({ min })")
async def enqueue_then_read_min(t: Test) -> None:
    source = RecordingPull(respond_with(2, 3))
    reader = byte_stream(start=t.step(enqueue(1)), pull=t.step(source.pull)).get_reader(mode="byob")
    result = await reader.read(bytearray(3), min=3)
    assert not result.done
    assert_typed_array_equals(result.value, uint8(1, 2, 3))
    assert source.count == 1
    assert source.view_infos == [ViewInfo("B", 3, 1, 2)]


async def read_three_by_two_chunks(t: Test, length: int, second: Answer) -> tuple[Any, RecordingPull]:
    """Read at least three bytes into `length`, two of which the first pull enqueues and the rest the `second`."""
    source = RecordingPull(enqueue(1, 2), second)
    reader = byte_stream(pull=t.step(source.pull)).get_reader(mode="byob")
    result = await reader.read(bytearray(length), min=3)
    assert not result.done
    assert source.count == 2
    return result, source


@promise_test(
    "ReadableStream with byte source: read({ min: 3 }) on a 3-byte Uint8Array, then multiple enqueue() up to 3 bytes"
)
async def enqueue_three_into_three(t: Test) -> None:
    result, source = await read_three_by_two_chunks(t, 3, enqueue(3))
    assert_typed_array_equals(result.value, uint8(1, 2, 3))
    assert source.view_infos == [ViewInfo("B", 3, 0, 3), ViewInfo("B", 3, 2, 1)]


@promise_test(
    "ReadableStream with byte source: read({ min: 3 }) on a 5-byte Uint8Array, then multiple enqueue() up to 3 bytes"
)
async def enqueue_three_into_five(t: Test) -> None:
    result, source = await read_three_by_two_chunks(t, 5, enqueue(3))
    assert_typed_array_equals(result.value, uint8(1, 2, 3, 0, 0)[:3])
    assert source.view_infos == [ViewInfo("B", 5, 0, 5), ViewInfo("B", 5, 2, 3)]


@promise_test(
    "ReadableStream with byte source: read({ min: 3 }) on a 5-byte Uint8Array, then multiple enqueue() up to 4 bytes"
)
async def enqueue_four_into_five(t: Test) -> None:
    result, source = await read_three_by_two_chunks(t, 5, enqueue(3, 4))
    assert_typed_array_equals(result.value, uint8(1, 2, 3, 4, 0)[:4])
    assert source.view_infos == [ViewInfo("B", 5, 0, 5), ViewInfo("B", 5, 2, 3)]


@promise_test("ReadableStream with byte source: enqueue(), read({ min }) partially, then read()")
async def read_min_of_longer_chunk(t: Test) -> None:
    chunk = bytes([1, *[0] * 7, 2, *[0] * 7])
    stream = byte_stream(start=lambda c: c.enqueue(chunk), pull=t.unreached("pull"))

    byob_reader = stream.get_reader(mode="byob")
    result1 = await byob_reader.read(bytearray(8), min=8)
    assert not result1.done
    assert_typed_array_equals(result1.value, uint8(*chunk[:8]), "first result")
    byob_reader.release_lock()

    result2 = await stream.get_reader().read()
    assert not result2.done
    assert_bytes(result2.value, chunk[8:], "second result")


@promise_test("ReadableStream with byte source: enqueue(), then read({ min }) with smaller views")
async def read_min_twice_of_one_chunk(t: Test) -> None:
    chunk = bytes([*[0] * 7, 1, *[0] * 7, 2])
    pulls: list[Any] = []
    reader = byte_stream(start=lambda c: c.enqueue(chunk), pull=pulls.append).get_reader(mode="byob")

    result1 = await reader.read(bytearray(8), min=8)
    assert not result1.done
    assert_typed_array_equals(result1.value, uint8(*chunk[:8]), "first result")

    result2 = await reader.read(bytearray(8), min=8)
    assert pulls == []
    assert not result2.done
    assert_typed_array_equals(result2.value, uint8(*chunk[8:]), "second result")


@promise_test(
    "ReadableStream with byte source: read({ min }), then respondWithNewView() with a transferred ArrayBuffer"
)
async def respond_with_transferred_view(t: Test) -> None:
    pull_count = 0
    request_existed: list[bool] = []
    view_existed: list[bool] = []

    async def pull(c: Any) -> None:
        nonlocal pull_count
        request_existed.append(c.byob_request is not None)
        initial_request = c.byob_request
        view = await Promise.resolve(transfer_array_buffer_view(c.byob_request.view))
        view[0] = 1
        c.byob_request.respond_with_new_view(view)
        request_existed.append(c.byob_request is not None)
        view_existed.append(initial_request.view is not None)
        pull_count += 1

    reader = byte_stream(pull=pull).get_reader(mode="byob")
    result = await reader.read(bytearray(1), min=1)
    assert not result.done
    assert_typed_array_equals(result.value, uint8(1))
    assert pull_count == 1
    assert request_existed == [True, False], "the request must go when it is answered"
    assert view_existed == [False], "the view of the first request must go when it is answered"


# Closing, erroring and canceling.


@promise_test("ReadableStream with byte source: read({ min }) on a closed stream")
async def read_min_closed(t: Test) -> None:
    stream = byte_stream(start=lambda c: c.close(), pull=t.unreached("pull"))
    reader = stream.get_reader(mode="byob")
    result = await reader.read(bytearray([1]), min=1)
    assert result.done
    assert_typed_array_equals(result.value, uint8(1)[:0])
    await reader.closed


@promise_test("ReadableStream with byte source: read({ min }) when closed before view is filled")
async def closed_before_filled(t: Test) -> None:
    pull_count = 0

    def pull(c: Any) -> None:
        nonlocal pull_count
        if pull_count == 0:
            c.byob_request.view[0] = 1
            c.byob_request.respond(1)
        elif pull_count == 1:
            c.close()
            c.byob_request.respond(0)
        pull_count += 1

    reader = byte_stream(pull=t.step(pull)).get_reader(mode="byob")
    result = await reader.read(bytearray(3), min=3)
    assert result.done
    assert_typed_array_equals(result.value, uint8(1, 0, 0)[:1])
    assert pull_count == 2
    await reader.closed


@promise_test("ReadableStream with byte source: read({ min }) when closed immediately after view is filled")
async def closed_after_filled(t: Test) -> None:
    pull_count = 0

    def pull(c: Any) -> None:
        nonlocal pull_count
        if pull_count == 0:
            respond_with(1, 2)(c)
        elif pull_count == 1:
            respond_with(3)(c)
            c.close()
        pull_count += 1

    reader = byte_stream(pull=t.step(pull)).get_reader(mode="byob")
    result = await reader.read(bytearray(3), min=3)
    assert not result.done
    assert_typed_array_equals(result.value, uint8(1, 2, 3))
    assert pull_count == 2
    await reader.closed


@promise_test("ReadableStream with byte source: read({ min }) on an errored stream")
async def read_min_errored(t: Test) -> None:
    stream = byte_stream(start=lambda c: c.error(error1), pull=t.unreached("pull"))
    reader = stream.get_reader(mode="byob")
    read = reader.read(bytearray(1), min=1)
    await Promise.all(
        [
            run(promise_rejects_exactly(t, error1, read, "read()")),
            run(promise_rejects_exactly(t, error1, reader.closed, "closed")),
        ]
    )


@promise_test("ReadableStream with byte source: read({ min }), then error()")
async def read_min_then_error(t: Test) -> None:
    stream, controller = controlled_byte_stream()
    reader = stream.get_reader(mode="byob")
    read = reader.read(bytearray(1), min=1)
    controller.error(error1)
    await Promise.all(
        [
            run(promise_rejects_exactly(t, error1, read, "read()")),
            run(promise_rejects_exactly(t, error1, reader.closed, "closed")),
        ]
    )


@promise_test("ReadableStream with byte source: getReader(), read({ min }), then cancel()")
async def read_min_then_cancel(t: Test) -> None:
    reasons: list[object] = []
    passed_reason = TypeError("foo")

    def cancel(reason: object) -> str:
        reasons.append(reason)
        return "bar"

    def check_read(result: Any) -> None:
        assert result.done
        assert result.value is None

    def check_cancel(result: object) -> None:
        assert result is None
        assert len(reasons) == 1, "canceled once"
        assert reasons[0] is passed_reason

    reader = byte_stream(pull=t.unreached("pull"), cancel=cancel).get_reader(mode="byob")
    read = reader.read(bytearray(1), min=1).then(check_read)
    canceled = reader.cancel(passed_reason).then(check_cancel)
    await Promise.all([read, canceled])


@promise_test("ReadableStream with byte source: cancel() with partially filled pending read({ min }) request")
async def cancel_partially_filled(t: Test) -> None:
    requests: list[Any] = []
    view_infos: list[ViewInfo] = []

    def pull(c: Any) -> None:
        requests.append(c.byob_request)
        view_infos.append(view_info(c.byob_request.view))
        c.byob_request.view[0] = 1
        c.byob_request.respond(1)
        view_infos.append(view_info(c.byob_request.view))

    stream = byte_stream(pull=t.step(pull))
    await Promise.resolve(None)
    assert requests == [], "pulled too early"

    reader = stream.get_reader(mode="byob")
    read = reader.read(bytearray(3), min=3)
    assert len(requests) == 1, "pulled once"
    assert requests[0] is not None
    assert [info.length for info in view_infos] == [3, 2]

    reader.cancel().then(None, t.unreached("cancel() rejected"))
    result = await read
    assert result.done
    assert result.value is None
    assert len(requests) == 1, "pulled again"
    await reader.closed


@promise_test(
    "ReadableStream with byte source: 3 byte enqueue(), then close(), then read({ min }) with 2-element Uint16Array "
    "must fail"
)
async def half_item_left_before_read(t: Test) -> None:
    def start(c: Any) -> None:
        c.enqueue(b"\xaa\xbb\xcc")
        c.close()

    reader = byte_stream(start=start, pull=t.unreached("pull")).get_reader(mode="byob")
    await promise_rejects_js(t, TypeError, reader.read(uint16(2), min=2), "read()")
    await promise_rejects_js(t, TypeError, reader.closed, "closed")


@promise_test(
    "ReadableStream with byte source: read({ min }) with 2-element Uint16Array, then 3 byte enqueue(), then close() "
    "must fail"
)
async def half_item_left_after_read(t: Test) -> None:
    stream, controller = controlled_byte_stream(pull=t.unreached("pull"))
    reader = stream.get_reader(mode="byob")
    read = reader.read(uint16(2), min=2)
    controller.enqueue(b"\xaa\xbb\xcc")
    assert_throws_js(TypeError, controller.close, "close()")
    await promise_rejects_js(t, TypeError, read, "read()")
    await promise_rejects_js(t, TypeError, reader.closed, "closed")


@promise_test("ReadableStream with byte source: tee() with read({ min }) from branch1 and read() from branch2")
async def tee_with_read_min(t: Test) -> None:
    pulls: list[Any] = []
    stream, controller = controlled_byte_stream(pull=pulls.append)
    branch1, branch2 = stream.tee()
    reader1, reader2 = branch1.get_reader(mode="byob"), branch2.get_reader(mode="byob")
    await Promise.resolve(None)
    assert pulls == [], "pulled too early"

    read1 = reader1.read(bytearray(3), min=3)
    read2 = reader2.read(bytearray(1))
    assert len(pulls) == 1, "pulled once"
    assert controller.byob_request.view.nbytes == 3
    respond_with(1)(controller)

    result2 = await read2
    assert not result2.done
    assert_typed_array_equals(result2.value, uint8(1), "first result of branch 2")

    assert len(pulls) == 2, "pulled twice"
    assert controller.byob_request.view.nbytes == 2
    respond_with(2, 3)(controller)

    result1 = await read1
    assert not result1.done
    assert_typed_array_equals(result1.value, uint8(1, 2, 3), "result of branch 1")

    result3 = await reader2.read(bytearray(2))
    assert len(pulls) == 2, "pulled a third time"
    assert not result3.done
    assert_typed_array_equals(result3.value, uint8(2, 3), "second result of branch 2")
