"""Port of streams/readable-byte-streams/general.any.js."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from webstreams import (
    ByteLengthQueuingStrategy,
    CountQueuingStrategy,
    Promise,
    ReadableStream,
    ReadableStreamBYOBReader,
)
from wpt_ports.harness import (
    Test,
    assert_throws_js,
    delay,
    flush_async_events,
    promise_rejects_exactly,
    promise_rejects_js,
    promise_test,
    test,
)
from wpt_ports.resources.byte_views import (
    RecordingPull,
    ViewInfo,
    assert_bytes,
    assert_typed_array_equals,
    byte_stream,
    controlled_byte_stream,
    is_released,
    respond_with,
    uint8,
    uint16,
    view_info,
    whole_buffer,
)
from wpt_ports.resources.rs_utils import assert_result, transfer_array_buffer_view

error1 = Exception("error1")


# Constructing streams and getting readers.


class Text(str):
    """A string that is not exactly a `str`: what has to be converted to one."""


@test('getReader({mode: "byob"}) throws on non-bytes streams')
def byob_reader_of_other_stream(t: Test) -> None:
    assert_throws_js(TypeError, lambda: ReadableStream[Any]().get_reader(mode="byob"))


@test("ReadableStream with byte source can be constructed with no errors")
def construct(t: Test) -> None:
    byte_stream().get_reader(mode="byob")
    source: Any = {"type": Text("bytes")}
    ReadableStream[Any](source).get_reader(mode="byob")


@test("getReader({mode}) must perform ToString()")
def mode_is_converted(t: Test) -> None:
    mode: Any = Text("byob")
    rs = byte_stream()
    reader = rs.get_reader(mode=mode)
    assert isinstance(reader, ReadableStreamBYOBReader)
    reader.release_lock()
    assert isinstance(rs.get_reader(mode="byob"), ReadableStreamBYOBReader)


@test("ReadableStream with byte source: start() throws an exception")
def start_raises(t: Test) -> None:
    def start(c: Any) -> None:
        raise error1

    assert_throws_js(Exception, lambda: byte_stream(start=start))


@test("ReadableStream with byte source: pull() function is not callable")
def pull_not_callable(t: Test) -> None:
    assert_throws_js(TypeError, lambda: byte_stream(pull="foo"))


@test("ReadableStream with byte source: autoAllocateChunkSize cannot be 0")
def auto_allocate_nothing(t: Test) -> None:
    assert_throws_js(TypeError, lambda: byte_stream(auto_allocate_chunk_size=0))


class HasSizeMethod:
    def size(self, chunk: object) -> None:
        pass


@test('ReadableStream constructor should not accept a strategy with a size defined if type is "bytes"')
def strategy_with_size(t: Test) -> None:
    assert_throws_js(ValueError, lambda: byte_stream({"size": lambda chunk: 1}), "a size function")
    assert_throws_js(ValueError, lambda: byte_stream(CountQueuingStrategy(high_water_mark=1)))
    assert_throws_js(ValueError, lambda: byte_stream(ByteLengthQueuingStrategy(high_water_mark=512)))
    assert_throws_js(ValueError, lambda: byte_stream(HasSizeMethod()), "a size method of the class")


@test("ReadableStreamBYOBReader can be constructed directly")
def construct_reader(t: Test) -> None:
    ReadableStreamBYOBReader(byte_stream())


@test("ReadableStreamBYOBReader constructor requires a ReadableStream argument")
def construct_reader_of_no_stream(t: Test) -> None:
    no_stream: Any = {}
    assert_throws_js(TypeError, lambda: ReadableStreamBYOBReader(no_stream))


@test("ReadableStreamBYOBReader constructor requires an unlocked ReadableStream")
def construct_reader_of_locked_stream(t: Test) -> None:
    stream = byte_stream()
    stream.get_reader()
    assert_throws_js(TypeError, lambda: ReadableStreamBYOBReader(stream))


@test('ReadableStreamBYOBReader constructor requires a ReadableStream with type "bytes"')
def construct_reader_of_other_stream(t: Test) -> None:
    assert_throws_js(TypeError, lambda: ReadableStreamBYOBReader(ReadableStream[Any]()))


# Starting, and the first pull.


@promise_test("ReadableStream with byte source: Construct and expect start and pull being called")
async def start_then_pull(t: Test) -> None:
    pulled, resolve_pulled, _ = Promise.with_resolvers()
    started: list[Any] = []
    seen_in_pull: list[object] = []

    def pull(c: Any) -> None:
        seen_in_pull.extend([bool(started), started[0].desired_size])
        resolve_pulled(None)

    byte_stream({"high_water_mark": 256}, start=started.append, pull=pull)
    await pulled
    assert seen_in_pull == [True, 256], "start() comes first, and the desired size is the high water mark"


@promise_test("ReadableStream with byte source: No automatic pull call if start doesn't finish")
async def no_pull_before_start_finishes(t: Test) -> None:
    pulled_late, resolve_pulled_late, _ = Promise.with_resolvers()
    started, resolve_started, _ = Promise.with_resolvers()
    pull_count = 0
    checked = False

    def pull(c: Any) -> None:
        nonlocal pull_count
        if checked:
            resolve_pulled_late(None)
        pull_count += 1

    def check(_: object) -> None:
        nonlocal checked
        assert pull_count == 0
        checked = True
        resolve_started(None)

    byte_stream({"high_water_mark": 256}, start=lambda c: started, pull=pull)
    await Promise.resolve(None).then(check)
    await pulled_late


@promise_test("ReadableStream with byte source: Construct with highWaterMark of 0")
async def high_water_mark_zero(t: Test) -> None:
    byte_stream({"high_water_mark": 0}, pull=t.unreached("pull"))
    await Promise.resolve(None)


@test("ReadableStream with byte source: desiredSize when closed")
def desired_size_closed(t: Test) -> None:
    def start(c: Any) -> None:
        assert c.desired_size == 10
        c.close()
        assert c.desired_size == 0

    byte_stream({"high_water_mark": 10}, start=start)


@test("ReadableStream with byte source: desiredSize when errored")
def desired_size_errored(t: Test) -> None:
    def start(c: Any) -> None:
        assert c.desired_size == 10
        c.error()
        assert c.desired_size is None

    byte_stream({"high_water_mark": 10}, start=start)


def stream_with_pull_list(high_water_mark: int) -> tuple[ReadableStream[Any], list[Any]]:
    """A stream, and a list that grows with each pull."""
    pulls: list[Any] = []
    return byte_stream({"high_water_mark": high_water_mark}, pull=pulls.append), pulls


async def assert_pulled_after_start(pulls: list[Any]) -> None:
    """Not pulled yet, because the stream does not know yet that start() is finished; one microtask later, once."""
    assert len(pulls) == 0

    def check(_: object) -> None:
        assert len(pulls) == 1

    await Promise.resolve(None).then(check)


@promise_test("ReadableStream with byte source: Automatic pull() after start()")
async def automatic_pull(t: Test) -> None:
    stream, pulls = stream_with_pull_list(8)
    stream.get_reader()
    await assert_pulled_after_start(pulls)


@promise_test("ReadableStream with byte source: Automatic pull() after start() and read()")
async def automatic_pull_for_read(t: Test) -> None:
    stream, pulls = stream_with_pull_list(0)
    stream.get_reader().read()
    await assert_pulled_after_start(pulls)


@promise_test("ReadableStream with byte source: Automatic pull() after start() and read(view)")
async def automatic_pull_for_byob_read(t: Test) -> None:
    # Upstream gives the view to a default reader, which ignores it.
    stream, pulls = stream_with_pull_list(0)
    stream.get_reader(mode="byob").read(bytearray(8))
    await assert_pulled_after_start(pulls)


# Locks.


@promise_test("ReadableStream with byte source: getReader(), then releaseLock()")
async def release_default_reader(t: Test) -> None:
    reader = byte_stream().get_reader()
    reader.release_lock()
    await promise_rejects_js(t, TypeError, reader.closed, "closed")


@promise_test("ReadableStream with byte source: getReader() with mode set to byob, then releaseLock()")
async def release_byob_reader(t: Test) -> None:
    reader = byte_stream().get_reader(mode="byob")
    reader.release_lock()
    await promise_rejects_js(t, TypeError, reader.closed, "closed")


@promise_test("ReadableStream with byte source: Test that closing a stream does not release a reader automatically")
async def closing_does_not_release(t: Test) -> None:
    stream = byte_stream(start=lambda c: c.close(), pull=t.unreached("pull"))
    await stream.get_reader().closed
    assert_throws_js(TypeError, stream.get_reader)


@promise_test(
    "ReadableStream with byte source: Test that closing a stream does not release a BYOB reader automatically"
)
async def closing_does_not_release_byob_reader(t: Test) -> None:
    stream = byte_stream(start=lambda c: c.close(), pull=t.unreached("pull"))
    await stream.get_reader(mode="byob").closed
    assert_throws_js(TypeError, lambda: stream.get_reader(mode="byob"))


@promise_test("ReadableStream with byte source: Test that erroring a stream does not release a reader automatically")
async def erroring_does_not_release(t: Test) -> None:
    stream = byte_stream(start=lambda c: c.error(error1), pull=t.unreached("pull"))
    await promise_rejects_exactly(t, error1, stream.get_reader().closed, "closed")
    assert_throws_js(TypeError, stream.get_reader)


@promise_test(
    "ReadableStream with byte source: Test that erroring a stream does not release a BYOB reader automatically"
)
async def erroring_does_not_release_byob_reader(t: Test) -> None:
    stream = byte_stream(start=lambda c: c.error(error1), pull=t.unreached("pull"))
    await promise_rejects_exactly(t, error1, stream.get_reader(mode="byob").closed, "closed")
    assert_throws_js(TypeError, lambda: stream.get_reader(mode="byob"))


@promise_test("ReadableStream with byte source: cannot use an already-released BYOB reader to unlock a stream again")
async def release_twice(t: Test) -> None:
    stream = byte_stream(start=lambda c: c.enqueue(bytes([1, 2, 3])))
    reader1 = stream.get_reader(mode="byob")
    reader1.release_lock()
    reader2 = stream.get_reader(mode="byob")
    reader1.release_lock()
    result = await reader2.read(bytearray(3))
    assert_typed_array_equals(result.value, uint8(1, 2, 3), "the second reader must still hold the lock")
    assert not result.done


@promise_test(
    "ReadableStream with byte source: releaseLock() on ReadableStreamDefaultReader must reject pending read()"
)
async def release_rejects_read(t: Test) -> None:
    reader = byte_stream().get_reader()
    read = reader.read()
    reader.release_lock()
    await promise_rejects_js(t, TypeError, read, "pending read")


@promise_test("ReadableStream with byte source: releaseLock() on ReadableStreamBYOBReader must reject pending read()")
async def release_rejects_byob_read(t: Test) -> None:
    reader = byte_stream().get_reader(mode="byob")
    read = reader.read(bytearray(1))
    reader.release_lock()
    await promise_rejects_js(t, TypeError, read, "pending read")


# auto_allocate_chunk_size.


@promise_test("ReadableStream with byte source: autoAllocateChunkSize")
async def auto_allocate(t: Test) -> None:
    source = RecordingPull(respond_with(1), respond_with(2, 3))
    stream = byte_stream({"high_water_mark": 0}, pull=source.pull, auto_allocate_chunk_size=16)
    reader = stream.get_reader()
    read1, read2 = reader.read(), reader.read()
    assert source.count == 0, "the stream does not know yet that start() is finished"

    def check(_: object) -> None:
        assert source.count == 1
        assert source.view_infos == [ViewInfo("B", 16, 0, 16)]

    await Promise.resolve(None).then(check)
    result1 = await read1
    assert source.count == 2
    assert_bytes(result1.value, b"\x01", "first read")
    assert source.view_infos[1:] == [ViewInfo("B", 16, 0, 16)]

    result2 = await read2
    assert source.count == 2
    assert_bytes(result2.value, b"\x02\x03", "second read")


@promise_test("ReadableStream with byte source: Mix of auto allocate and BYOB")
async def auto_allocate_and_byob(t: Test) -> None:
    source = RecordingPull(respond_with(1), respond_with(2, 3))
    stream = byte_stream({"high_water_mark": 0}, pull=source.pull, auto_allocate_chunk_size=16)
    reader = stream.get_reader()
    result1 = await reader.read()
    assert_bytes(result1.value, b"\x01", "first read")
    assert source.view_infos == [ViewInfo("B", 16, 0, 16)]

    reader.release_lock()
    byob_reader: Any = stream.get_reader(mode="byob")
    result2 = await byob_reader.read(bytearray(32))
    assert view_info(result2.value) == ViewInfo("B", 32, 0, 2)
    assert result2.value.tobytes() == b"\x02\x03"
    assert source.view_infos[1:] == [ViewInfo("B", 32, 0, 32)]
    assert source.count == 2


@promise_test("ReadableStream with byte source: default reader + autoAllocateChunkSize + byobRequest interaction")
async def auto_allocate_close_and_respond(t: Test) -> None:
    stream, controller = controlled_byte_stream(auto_allocate_chunk_size=128)
    read = stream.get_reader().read()
    request = controller.byob_request
    controller.close()
    request.respond(0)
    await read


@promise_test("ReadableStream with byte source: enqueue() discards auto-allocated BYOB request")
async def enqueue_discards_request(t: Test) -> None:
    pulls: list[Any] = []
    stream, controller = controlled_byte_stream(pull=t.step(pulls.append), auto_allocate_chunk_size=10)
    await flush_async_events()
    assert len(pulls) == 0

    reader1 = stream.get_reader()
    read1 = reader1.read()
    assert len(pulls) == 1
    request1 = controller.byob_request
    assert request1.view.nbytes == 10
    controller.enqueue(bytes([1, 2, 3]))
    assert request1.view is None, "the request must be invalid after enqueue()"
    result1 = await read1
    assert not result1.done
    assert_bytes(result1.value, bytes([1, 2, 3]), "first read")
    reader1.release_lock()

    reader2 = stream.get_reader(mode="byob")
    read2 = reader2.read(bytearray([4, 5, 6]))
    assert len(pulls) == 2
    request2 = controller.byob_request
    assert_typed_array_equals(request2.view, uint8(4, 5, 6), "second request")
    request2.respond(3)
    assert request2.view is None, "the request must be invalid after respond()"
    result2 = await read2
    assert not result2.done
    assert_typed_array_equals(result2.value, uint8(4, 5, 6), "second read")
    reader2.release_lock()
    assert len(pulls) == 2


@promise_test("ReadableStream with byte source: autoAllocateChunkSize, read(), respondWithNewView()")
async def auto_allocate_and_new_view(t: Test) -> None:
    def pull(c: Any) -> None:
        view = whole_buffer(c.byob_request.view)[:3]
        view[:] = bytes([20, 21, 22])
        c.byob_request.respond_with_new_view(view)

    result = await byte_stream(pull=t.step(pull), auto_allocate_chunk_size=10).get_reader().read()
    assert not result.done
    assert_bytes(result.value, bytes([20, 21, 22]))


# Enqueuing for default readers.


@promise_test("ReadableStream with byte source: enqueue(), getReader(), then read()")
async def enqueue_then_read(t: Test) -> None:
    pulls: list[Any] = []
    desired_sizes: list[object] = []

    def start(c: Any) -> None:
        c.enqueue(bytes(16))
        desired_sizes.append(c.desired_size)

    def pull(c: Any) -> None:
        pulls.append(c)
        desired_sizes.append(c.desired_size)

    stream = byte_stream({"high_water_mark": 8}, start=start, pull=pull)

    def read(_: object) -> Any:
        assert len(pulls) == 0, "the queue was filled by start()"
        assert desired_sizes == [-8]
        promise = stream.get_reader().read()
        assert len(pulls) == 1
        assert desired_sizes == [-8, 8]
        return promise

    result = await Promise.resolve(None).then(read)
    assert not result.done
    assert_bytes(result.value, bytes(16))


@promise_test("ReadableStream with byte source: Push source that doesn't understand pull signal")
async def push_source(t: Test) -> None:
    stream, controller = controlled_byte_stream()
    read = stream.get_reader().read()
    controller.enqueue(bytes(1))
    result = await read
    assert not result.done
    assert_bytes(result.value, bytes(1))


@promise_test("ReadableStream with byte source: enqueue() with Uint16Array, getReader(), then read()")
async def enqueue_uint16(t: Test) -> None:
    stream = byte_stream(start=lambda c: c.enqueue(array("H", [0] * 16)))
    result = await stream.get_reader().read()
    assert not result.done
    assert_bytes(result.value, bytes(32))


@promise_test("ReadableStream with byte source: enqueue(), read(view) partially, then read()")
async def read_part_of_chunk(t: Test) -> None:
    chunk = bytes([1, *[0] * 7, 2, *[0] * 7])
    stream = byte_stream(start=lambda c: c.enqueue(chunk), pull=t.unreached("pull"))
    byob_reader = stream.get_reader(mode="byob")
    result1 = await byob_reader.read(bytearray(8))
    assert not result1.done
    assert_typed_array_equals(result1.value, uint8(*chunk[:8]), "first read")

    byob_reader.release_lock()
    result2 = await stream.get_reader().read()
    assert not result2.done
    assert_bytes(result2.value, chunk[8:], "second read")


async def assert_one_chunk_then_end(reader: Any) -> None:
    result = await reader.read()
    assert not result.done
    assert_bytes(result.value, bytes(16))
    assert_result(await reader.read(), None, done=True)


@promise_test("ReadableStream with byte source: getReader(), enqueue(), close(), then read()")
async def reader_then_enqueue_and_close(t: Test) -> None:
    stream, controller = controlled_byte_stream(pull=t.unreached("pull"))
    reader = stream.get_reader()
    controller.enqueue(bytes(16))
    controller.close()
    await assert_one_chunk_then_end(reader)


@promise_test("ReadableStream with byte source: enqueue(), close(), getReader(), then read()")
async def enqueue_and_close_then_reader(t: Test) -> None:
    def start(c: Any) -> None:
        c.enqueue(bytes(16))
        c.close()

    await assert_one_chunk_then_end(byte_stream(start=start, pull=t.unreached("pull")).get_reader())


@promise_test("ReadableStream with byte source: Respond to pull() by enqueue()")
async def enqueue_in_pull(t: Test) -> None:
    requests: list[object] = []

    def pull(c: Any) -> None:
        c.enqueue(bytes(16))
        requests.append(c.byob_request)

    result = await byte_stream(pull=pull).get_reader().read()
    assert not result.done
    assert len(result.value) == 16
    assert requests[-1] is None


@promise_test("ReadableStream with byte source: Respond to pull() by enqueue() asynchronously")
async def enqueue_outside_and_in_pull(t: Test) -> None:
    requests: list[object] = []
    desired_sizes: list[object] = []

    def pull(c: Any) -> None:
        requests.append(c.byob_request)
        desired_sizes.append(c.desired_size)
        for _ in range(2):
            c.enqueue(bytes(1))
            desired_sizes.append(c.desired_size)

    stream, controller = controlled_byte_stream({"high_water_mark": 0}, pull=pull)
    reader = stream.get_reader()
    reads = [reader.read() for _ in range(3)]
    controller.enqueue(bytes(1))
    assert requests == [], "no pull yet"

    results = await Promise.all(reads)
    assert [(len(result.value), result.done) for result in results] == [(1, False)] * 3
    assert requests == [None], "one pull, without a BYOB request"
    assert desired_sizes == [0, 0, 0]


@promise_test("ReadableStream with byte source: Respond to multiple pull() by separate enqueue()")
async def enqueue_in_each_pull(t: Test) -> None:
    requests: list[object] = []
    desired_sizes: list[object] = []

    def pull(c: Any) -> None:
        desired_sizes.append(c.desired_size)
        if len(requests) < 3:
            c.enqueue(bytes(1))
        else:
            c.close()
        requests.append(c.byob_request)

    reader = byte_stream({"high_water_mark": 256}, pull=pull).get_reader()
    reads = [reader.read() for _ in range(3)]
    assert requests == [], "no pull yet"

    results = await Promise.all(reads)
    assert [(len(result.value), result.done) for result in results] == [(1, False)] * 3
    assert requests == [None] * 4, "four pulls, without a BYOB request"
    assert desired_sizes == [256] * 4


@promise_test("ReadableStream with byte source: read() twice, then enqueue() twice")
async def two_reads_then_two_chunks(t: Test) -> None:
    requests: list[object] = []
    stream, controller = controlled_byte_stream(pull=lambda c: requests.append(c.byob_request))
    reader = stream.get_reader()

    def check_first(result: Any) -> None:
        assert len(requests) == 1
        controller.enqueue(bytes(2))
        assert len(requests) == 1, "no pull: the queue is at the high water mark"
        assert not result.done
        assert_bytes(result.value, bytes(1))

    def check_second(result: Any) -> None:
        assert len(requests) == 1
        assert not result.done
        assert_bytes(result.value, bytes(2))
        assert requests == [None], "no BYOB request"

    read1 = reader.read().then(check_first)
    assert len(requests) == 0, "the stream does not know yet that start() is finished"
    read2 = reader.read().then(check_second)
    assert len(requests) == 0
    controller.enqueue(bytes(1))
    assert len(requests) == 0
    await Promise.all([read1, read2])


@test("ReadableStream with byte source: Throw if close()-ed more than once")
def close_twice(t: Test) -> None:
    _, controller = controlled_byte_stream()
    # With a chunk in the queue the stream is not closed yet, but its controller must know.
    controller.enqueue(bytes(1))
    controller.close()
    assert_throws_js(TypeError, controller.close)


@test("ReadableStream with byte source: Throw on enqueue() after close()")
def enqueue_after_close(t: Test) -> None:
    _, controller = controlled_byte_stream()
    controller.enqueue(bytes(1))
    controller.close()
    assert_throws_js(TypeError, lambda: controller.enqueue(bytes(1)))


# Filling the views of BYOB readers from the queue.


@promise_test("ReadableStream with byte source: enqueue(), getReader(), then read(view)")
async def enqueue_then_byob_read(t: Test) -> None:
    chunk = bytes([*[0] * 15, 1])
    stream = byte_stream(start=lambda c: c.enqueue(chunk), pull=t.unreached("pull"))
    result = await stream.get_reader(mode="byob").read(bytearray(16))
    assert not result.done
    assert_typed_array_equals(result.value, uint8(*chunk))


def reader_of_chunks(*chunks: bytes) -> tuple[Any, list[Any]]:
    """A BYOB reader of a stream in whose queue these chunks wait, and a list that grows with each pull."""
    pulls: list[Any] = []

    def start(c: Any) -> None:
        for chunk in chunks:
            c.enqueue(chunk)

    return byte_stream(start=start, pull=pulls.append).get_reader(mode="byob"), pulls


@promise_test(
    "ReadableStream with byte source: enqueue(), getReader(), then read(view) where view.buffer is not fully covered "
    "by view"
)
async def read_into_part_of_buffer(t: Test) -> None:
    reader, pulls = reader_of_chunks(bytes([*[0] * 7, 1]))
    result = await reader.read(memoryview(bytearray(16))[8:])
    assert not result.done
    assert len(pulls) == 0
    assert_typed_array_equals(result.value, uint8(*[0] * 15, 1)[8:])


@promise_test("ReadableStream with byte source: Multiple enqueue(), getReader(), then read(view)")
async def read_two_chunks(t: Test) -> None:
    chunk1, chunk2 = bytes([*[0] * 15, 123]), bytes([*[0] * 7, 111])
    reader, pulls = reader_of_chunks(chunk1, chunk2)
    result = await reader.read(bytearray(24))
    assert not result.done
    assert len(pulls) == 0
    assert_typed_array_equals(result.value, uint8(*chunk1, *chunk2))


@promise_test("ReadableStream with byte source: enqueue(), getReader(), then read(view) with a bigger view")
async def read_into_bigger_view(t: Test) -> None:
    chunk = bytes([*[0] * 15, 1])
    reader, pulls = reader_of_chunks(chunk)
    result = await reader.read(bytearray(24))
    assert not result.done
    assert len(pulls) == 0
    assert_typed_array_equals(result.value, uint8(*chunk, *[0] * 8)[:16])


@promise_test("ReadableStream with byte source: enqueue(), getReader(), then read(view) with smaller views")
async def read_into_smaller_views(t: Test) -> None:
    chunk = bytes([*[0] * 7, 1, *[0] * 7, 2])
    reader, pulls = reader_of_chunks(chunk)
    result1 = await reader.read(bytearray(8))
    assert not result1.done
    assert_typed_array_equals(result1.value, uint8(*chunk[:8]), "first read")
    result2 = await reader.read(bytearray(8))
    assert not result2.done
    assert len(pulls) == 0
    assert_typed_array_equals(result2.value, uint8(*chunk[8:]), "second read")


@promise_test("ReadableStream with byte source: enqueue() 1 byte, getReader(), then read(view) with Uint16Array")
async def half_item_then_respond(t: Test) -> None:
    view_infos: list[ViewInfo] = []

    def pull(c: Any) -> None:
        if c.byob_request is not None:
            view_infos.append(view_info(c.byob_request.view))
            respond_with(0xAA)(c)

    reader = byte_stream(start=lambda c: c.enqueue(b"\xff"), pull=pull).get_reader(mode="byob")
    result = await reader.read(uint16(1))
    assert not result.done
    assert view_info(result.value) == ViewInfo("H", 2, 0, 2)
    assert result.value.tobytes() == b"\xff\xaa"
    assert view_infos[-1] == ViewInfo("B", 2, 1, 1)


@promise_test(
    "ReadableStream with byte source: enqueue() 3 byte, getReader(), then read(view) with 2-element Uint16Array"
)
async def one_item_and_a_half(t: Test) -> None:
    source = RecordingPull(respond_with(3))
    desired_sizes: list[object] = []

    def pull(c: Any) -> None:
        source.pull(c)
        desired_sizes.append(c.desired_size)

    stream = byte_stream(start=lambda c: c.enqueue(bytes([1, 0, 2])), pull=pull)

    def read_twice(_: object) -> Any:
        reader = stream.get_reader(mode="byob")

        def check_first(result: Any) -> Any:
            assert not result.done
            assert view_info(result.value) == ViewInfo("H", 4, 0, 2)
            assert result.value.tobytes() == b"\x01\x00"
            second = reader.read(uint16(1))
            assert source.count == 1
            return second

        promise = reader.read(uint16(2)).then(check_first)
        assert source.count == 0
        return promise

    # One microtask later the stream knows that start() is finished.
    result = await Promise.resolve(None).then(read_twice)
    assert not result.done
    assert view_info(result.value) == ViewInfo("H", 2, 0, 2)
    assert result.value.tobytes() == b"\x02\x03"
    assert source.view_infos == [ViewInfo("B", 2, 1, 1)]
    assert desired_sizes == [0]


@promise_test(
    "ReadableStream with byte source: read(view) with Uint16Array on close()-d stream with 1 byte enqueue()-d must fail"
)
async def half_item_left_before_read(t: Test) -> None:
    def start(c: Any) -> None:
        c.enqueue(b"\xff")
        c.close()

    reader = byte_stream(start=start, pull=t.unreached("pull")).get_reader(mode="byob")
    await promise_rejects_js(t, TypeError, reader.read(uint16(1)), "read(view)")
    await promise_rejects_js(t, TypeError, reader.closed, "closed")


@promise_test(
    "ReadableStream with byte source: A stream must be errored if close()-d before fulfilling read(view) with "
    "Uint16Array"
)
async def half_item_left_after_read(t: Test) -> None:
    controllers: list[Any] = []

    def start(c: Any) -> None:
        c.enqueue(b"\xff")
        controllers.append(c)

    reader = byte_stream(start=start, pull=t.unreached("pull")).get_reader(mode="byob")
    read = reader.read(uint16(1))
    assert_throws_js(TypeError, controllers[0].close)
    await promise_rejects_js(t, TypeError, read, "read(view)")
    await promise_rejects_js(t, TypeError, reader.closed, "closed")


# BYOB requests.


@promise_test("ReadableStream with byte source: read(view), then respond()")
async def byob_read_then_respond(t: Test) -> None:
    seen: list[tuple[bool, bool, bool]] = []

    def pull(c: Any) -> None:
        request = c.byob_request
        existed = request is not None
        respond_with(1)(c)
        seen.append((existed, c.byob_request is not None, request.view is not None))

    result = await byte_stream(pull=pull).get_reader(mode="byob").read(bytearray(1))
    assert not result.done
    assert_typed_array_equals(result.value, uint8(1))
    assert seen == [(True, False, False)], "one pull, whose request goes when it is answered"


@promise_test("ReadableStream with byte source: read(view), then respondWithNewView() with a transferred ArrayBuffer")
async def respond_with_transferred_view(t: Test) -> None:
    seen: list[tuple[bool, bool, bool]] = []

    def pull(c: Any) -> None:
        request = c.byob_request
        existed = request is not None
        view = transfer_array_buffer_view(c.byob_request.view)
        view[0] = 1
        c.byob_request.respond_with_new_view(view)
        seen.append((existed, c.byob_request is not None, request.view is not None))

    result = await byte_stream(pull=pull).get_reader(mode="byob").read(bytearray(1))
    assert not result.done
    assert_typed_array_equals(result.value, uint8(1))
    assert seen == [(True, False, False)], "one pull, whose request goes when it is answered"


@promise_test("ReadableStream with byte source: read(view), then respond() with too big value")
async def respond_too_much(t: Test) -> None:
    request_existed: list[bool] = []
    errors: list[Exception] = []

    def pull(c: Any) -> None:
        request_existed.append(c.byob_request is not None)
        try:
            c.byob_request.respond(2)
        except ValueError as error:
            errors.append(error)
        c.byob_request.respond(1)

    await byte_stream(pull=pull).get_reader(mode="byob").read(bytearray(1))
    assert request_existed[0]
    assert type(errors[0]) is ValueError


@promise_test(
    "ReadableStream with byte source: respond(3) to read(view) with 2 element Uint16Array enqueues the 1 byte remainder"
)
async def respond_one_item_and_a_half(t: Test) -> None:
    source = RecordingPull(respond_with(1, 2, 3))
    reader = byte_stream(pull=source.pull).get_reader(mode="byob")
    result1 = await reader.read(uint16(2))
    assert source.count == 1
    assert not result1.done
    assert view_info(result1.value) == ViewInfo("H", 4, 0, 2)
    assert result1.value.tobytes() == b"\x01\x02"

    result2 = await reader.read(bytearray(1))
    assert source.count == 1
    assert source.view_infos == [ViewInfo("B", 4, 0, 4)]
    assert not result2.done
    assert_typed_array_equals(result2.value, uint8(3))


@promise_test(
    "ReadableStream with byte source: respond(3) to read(view) with 2 element Uint16Array fulfills second read(view) "
    "with the 1 byte remainder"
)
async def respond_one_item_and_a_half_to_two_reads(t: Test) -> None:
    source = RecordingPull(respond_with(1, 2, 3))
    reader = byte_stream(pull=source.pull).get_reader(mode="byob")
    read1, read2 = reader.read(uint16(2)), reader.read(bytearray(1))
    result1 = await read1
    assert source.count == 1
    assert not result1.done
    assert view_info(result1.value) == ViewInfo("H", 4, 0, 2)
    assert result1.value.tobytes() == b"\x01\x02"

    result2 = await read2
    assert source.count == 1
    assert source.view_infos == [ViewInfo("B", 4, 0, 4)]
    assert not result2.done
    assert_typed_array_equals(result2.value, uint8(3))


@promise_test("ReadableStream with byte source: read(view), then respond() and close() in pull()")
async def respond_and_close_in_pull(t: Test) -> None:
    source = RecordingPull(respond_with(*[0] * 15, 1))

    def pull(c: Any) -> None:
        source.pull(c)
        c.close()

    reader = byte_stream(pull=pull).get_reader(mode="byob")
    result1 = await reader.read(bytearray(16))
    assert not result1.done
    assert_typed_array_equals(result1.value, uint8(*[0] * 15, 1))
    result2 = await reader.read(bytearray(16))
    assert result2.done
    assert_typed_array_equals(result2.value, uint8(*[0] * 16)[:0])
    assert source.view_infos == [ViewInfo("B", 16, 0, 16)]


async def fill_uint32_in_four_steps(*, enqueue: bool) -> None:
    """One pull gives the four bytes of an item one after the other, each time into a view of what is left."""
    pull_count = 0
    view_infos: list[ViewInfo] = []
    released: list[bool] = []

    def pull(c: Any) -> None:
        nonlocal pull_count
        if c.byob_request is None:
            return
        for _ in range(4):
            view = c.byob_request.view
            view_infos.append(view_info(view))
            if enqueue:
                c.enqueue(b"\x01")
            else:
                respond_with(1)(c)
            released.append(is_released(view))
        pull_count += 1

    reader = byte_stream(pull=pull).get_reader(mode="byob")
    result = await reader.read(memoryview(bytearray(4)).cast("I"))
    assert not result.done
    assert view_info(result.value) == ViewInfo("I", 4, 0, 4)
    assert result.value[0] == 0x01010101
    assert pull_count == 1
    assert view_infos == [ViewInfo("B", 4, i, 4 - i) for i in range(4)]
    assert released == [True] * 4, "every view must be released with its request"


@promise_test("ReadableStream with byte source: read(view) with Uint32Array, then fill it by multiple respond() calls")
async def fill_by_respond(t: Test) -> None:
    await fill_uint32_in_four_steps(enqueue=False)


@promise_test("ReadableStream with byte source: read(view) with Uint32Array, then fill it by multiple enqueue() calls")
async def fill_by_enqueue(t: Test) -> None:
    await fill_uint32_in_four_steps(enqueue=True)


@promise_test("ReadableStream with byte source: Multiple read(view), close() and respond()")
async def close_with_two_byob_reads(t: Test) -> None:
    stream, controller = controlled_byte_stream(pull=t.unreached("pull"))
    reader = stream.get_reader(mode="byob")
    read1, read2 = reader.read(bytearray(16)), reader.read(bytearray(32))
    controller.close()
    controller.byob_request.respond(0)

    result1, result2 = await Promise.all([read1, read2])
    assert result1.done
    assert_typed_array_equals(result1.value, uint8(*[0] * 16)[:0], "first read")
    assert result2.done
    assert_typed_array_equals(result2.value, uint8(*[0] * 32)[:0], "second read")


@promise_test("ReadableStream with byte source: Multiple read(view), big enqueue()")
async def enqueue_for_two_byob_reads(t: Test) -> None:
    stream, controller = controlled_byte_stream(pull=t.unreached("pull"))
    reader = stream.get_reader(mode="byob")
    read1, read2 = reader.read(bytearray(16)), reader.read(bytearray(16))
    controller.enqueue(bytes(24))

    result1, result2 = await Promise.all([read1, read2])
    assert not result1.done
    assert_typed_array_equals(result1.value, uint8(*[0] * 16), "first read")
    assert not result2.done
    assert_typed_array_equals(result2.value, uint8(*[0] * 16)[:8], "second read")


@promise_test("ReadableStream with byte source: Multiple read(view) and multiple enqueue()")
async def pump_byob_reads(t: Test) -> None:
    stream, controller = controlled_byte_stream(pull=t.unreached("pull"))
    reader = stream.get_reader(mode="byob")
    bytes_read = 0

    def pump() -> Any:
        return reader.read(bytearray(7)).then(take)

    def take(result: Any) -> Any:
        nonlocal bytes_read
        if result.done:
            return None
        bytes_read += result.value.nbytes
        return pump()

    pumped = pump()
    controller.enqueue(bytes(512))
    controller.enqueue(bytes(512))
    controller.close()
    await pumped
    assert bytes_read == 1024


@promise_test("ReadableStream with byte source: respondWithNewView() with a smaller view")
async def new_view_smaller(t: Test) -> None:
    def pull(c: Any) -> None:
        view = whole_buffer(c.byob_request.view)[:1]
        view[0] = 1
        c.byob_request.respond_with_new_view(view)

    result = await byte_stream(pull=t.step(pull)).get_reader(mode="byob").read(bytearray([4, 5, 6]))
    assert not result.done
    assert_typed_array_equals(result.value, uint8(1, 5, 6)[:1])


@promise_test("ReadableStream with byte source: respondWithNewView() with a zero-length view (in the closed state)")
async def new_view_empty_closed(t: Test) -> None:
    def pull(c: Any) -> None:
        view = whole_buffer(c.byob_request.view)[:0]
        c.close()
        c.byob_request.respond_with_new_view(view)

    result = await byte_stream(pull=t.step(pull)).get_reader(mode="byob").read(bytearray([4, 5, 6]))
    assert result.done
    assert_typed_array_equals(result.value, uint8(4, 5, 6)[:0])


async def pulled_byob_read(t: Test) -> tuple[Any, Any]:
    """Read into three bytes and wait for the pull; give the controller and the read."""
    pull_called, resolve_pull_called, _ = Promise.with_resolvers()
    stream, controller = controlled_byte_stream(pull=t.step(lambda c: resolve_pull_called(None)))
    read = stream.get_reader(mode="byob").read(bytearray([4, 5, 6]))
    await pull_called
    return controller, read


@promise_test(
    "ReadableStream with byte source: respondWithNewView() with a transferred non-zero-length view "
    "(in the readable state)"
)
async def new_view_transferred(t: Test) -> None:
    controller, read = await pulled_byob_read(t)
    view = transfer_array_buffer_view(controller.byob_request.view)[:1]
    view[0] = 42
    controller.byob_request.respond_with_new_view(view)
    result = await read
    assert not result.done
    assert_typed_array_equals(result.value, uint8(42, 5, 6)[:1])


@promise_test(
    "ReadableStream with byte source: respondWithNewView() with a transferred zero-length view (in the closed state)"
)
async def new_view_transferred_closed(t: Test) -> None:
    controller, read = await pulled_byob_read(t)
    view = transfer_array_buffer_view(controller.byob_request.view)[:0]
    controller.close()
    controller.byob_request.respond_with_new_view(view)
    result = await read
    assert result.done
    assert_typed_array_equals(result.value, uint8(4, 5, 6)[:0])


# BYOB requests that were answered already.


@promise_test("calling respond() twice on the same byobRequest should throw")
async def respond_twice(t: Test) -> None:
    requests: list[Any] = []

    def pull(c: Any) -> None:
        requests.append(c.byob_request)
        c.byob_request.respond(4)

    await byte_stream(pull=pull).get_reader(mode="byob").read(bytearray(16))
    assert_throws_js(TypeError, lambda: requests[0].respond(4))


@promise_test("calling respondWithNewView() twice on the same byobRequest should throw")
async def respond_with_new_view_twice(t: Test) -> None:
    requests: list[Any] = []

    def pull(c: Any) -> None:
        requests.append(c.byob_request)
        c.byob_request.respond_with_new_view(bytearray(16))

    await byte_stream(pull=pull).get_reader(mode="byob").read(bytearray(16))
    assert_throws_js(TypeError, lambda: requests[0].respond_with_new_view(bytearray(16)))


async def slowly_pulled_byob_read() -> tuple[Any, Any, Any, Any]:
    """A BYOB read whose pull does not finish by itself; give the reader, the controller, the read and what ends it."""
    pull_called, resolve_pull_called, _ = Promise.with_resolvers()
    pull_finished, finish_pull, _ = Promise.with_resolvers()

    def pull(c: Any) -> Any:
        resolve_pull_called(None)
        return pull_finished

    stream, controller = controlled_byte_stream(pull=pull)
    reader = stream.get_reader(mode="byob")
    read = reader.read(bytearray(16))
    await pull_called
    return reader, controller, read, finish_pull


@promise_test("calling respond(0) twice on the same byobRequest should throw even when closed")
async def respond_twice_closed(t: Test) -> None:
    _, controller, read, finish_pull = await slowly_pulled_byob_read()
    request = controller.byob_request
    controller.close()
    request.respond(0)
    finish_pull(None)
    await read
    assert_throws_js(TypeError, lambda: request.respond(0))


@promise_test("calling respond() should throw when canceled")
async def respond_canceled(t: Test) -> None:
    reader, controller, read, finish_pull = await slowly_pulled_byob_read()
    request = controller.byob_request
    canceled = reader.cancel("meh")
    assert_throws_js(TypeError, lambda: request.respond(0))
    finish_pull(None)
    await Promise.all([read, canceled])


@promise_test("pull() resolving should not resolve read()")
async def finished_pull_does_not_fulfill(t: Test) -> None:
    reader, _, read, finish_pull = await slowly_pulled_byob_read()
    finish_pull(None)
    await delay(0)
    reader.release_lock()
    await promise_rejects_js(t, TypeError, read, "pending read")


# Canceling.


async def cancel_with_queued_chunk(t: Test, mode: Any) -> None:
    reasons: list[object] = []
    passed_reason = TypeError("foo")
    stream = byte_stream(start=lambda c: c.enqueue(bytes(16)), pull=t.unreached("pull"), cancel=reasons.append)
    result = await stream.get_reader(mode=mode).cancel(passed_reason)
    assert result is None
    assert len(reasons) == 1
    assert reasons[0] is passed_reason


@promise_test("ReadableStream with byte source: enqueue(), getReader(), then cancel() (mode = not BYOB)")
async def cancel_default_reader(t: Test) -> None:
    await cancel_with_queued_chunk(t, None)


@promise_test("ReadableStream with byte source: enqueue(), getReader(), then cancel() (mode = BYOB)")
async def cancel_byob_reader(t: Test) -> None:
    await cancel_with_queued_chunk(t, "byob")


@promise_test("ReadableStream with byte source: getReader(), read(view), then cancel()")
async def cancel_with_byob_read(t: Test) -> None:
    reasons: list[object] = []
    passed_reason = TypeError("foo")

    def cancel(reason: object) -> str:
        reasons.append(reason)
        return "bar"

    def check_cancel(result: object) -> None:
        assert result is None
        assert len(reasons) == 1
        assert reasons[0] is passed_reason

    reader = byte_stream(pull=t.unreached("pull"), cancel=cancel).get_reader(mode="byob")
    read = reader.read(bytearray(1)).then(lambda result: assert_result(result, None, done=True))
    canceled = reader.cancel(passed_reason).then(check_cancel)
    await Promise.all([read, canceled])


@promise_test("ReadableStream with byte source: cancel() with partially filled pending pull() request")
async def cancel_partially_filled(t: Test) -> None:
    requests: list[object] = []
    lengths: list[int] = []

    def pull(c: Any) -> None:
        requests.append(c.byob_request)
        lengths.append(c.byob_request.view.nbytes)
        c.enqueue(bytes(1))
        lengths.append(c.byob_request.view.nbytes)

    stream = byte_stream(pull=pull)

    def read_and_cancel(_: object) -> Any:
        assert requests == [], "no pull without a read"
        reader = stream.get_reader(mode="byob")
        read = reader.read(uint16(1)).then(lambda result: assert_result(result, None, done=True))
        assert len(requests) == 1
        assert requests[0] is not None
        assert lengths == [2, 1], "length of the view before and after enqueue()"
        reader.cancel()
        assert len(requests) == 1
        return read

    await Promise.resolve(None).then(read_and_cancel)


# Reading into what is no view.


@promise_test("ReadableStream with byte source: read(view) with passing undefined as view must fail")
async def read_into_none(t: Test) -> None:
    pulls: list[Any] = []
    no_view: Any = None
    reader = byte_stream(pull=pulls.append).get_reader(mode="byob")
    await promise_rejects_js(t, TypeError, reader.read(no_view))
    assert pulls == []


@promise_test("ReadableStream with byte source: read(view) with passing an empty object as view must fail")
async def read_into_empty_object(t: Test) -> None:
    no_view: Any = {}
    await promise_rejects_js(t, TypeError, byte_stream().get_reader(mode="byob").read(no_view))


@promise_test(
    "ReadableStream with byte source: Even read(view) with passing ArrayBufferView like object as view must fail"
)
async def read_into_similar_object(t: Test) -> None:
    no_view: Any = SimpleNamespace(obj=bytearray(10), nbytes=10, format="B", itemsize=1, readonly=False)
    await promise_rejects_js(t, TypeError, byte_stream().get_reader(mode="byob").read(no_view))


# Errors.


@promise_test("ReadableStream with byte source: read() on an errored stream")
async def read_errored(t: Test) -> None:
    stream = byte_stream(start=lambda c: c.error(error1), pull=t.unreached("pull"))
    await promise_rejects_exactly(t, error1, stream.get_reader().read())


@promise_test("ReadableStream with byte source: read(), then error()")
async def read_then_error(t: Test) -> None:
    stream, controller = controlled_byte_stream()
    read = stream.get_reader().read()
    controller.error(error1)
    await promise_rejects_exactly(t, error1, read)


@promise_test("ReadableStream with byte source: read(view) on an errored stream")
async def byob_read_errored(t: Test) -> None:
    stream = byte_stream(start=lambda c: c.error(error1), pull=t.unreached("pull"))
    await promise_rejects_exactly(t, error1, stream.get_reader(mode="byob").read(bytearray(1)))


@promise_test("ReadableStream with byte source: read(view), then error()")
async def byob_read_then_error(t: Test) -> None:
    stream, controller = controlled_byte_stream()
    read = stream.get_reader(mode="byob").read(bytearray(1))
    controller.error(error1)
    await promise_rejects_exactly(t, error1, read)


def failing_stream(*, error: bool) -> tuple[ReadableStream[Any], list[object], Exception]:
    """A stream whose pull raises, having errored the stream before if `error`.

    The other results are a list of the BYOB requests and the error that the stream must have.
    """
    requests: list[object] = []
    raised = TypeError("foo")

    def pull(c: Any) -> None:
        requests.append(c.byob_request)
        if error:
            c.error(error1)
        raise raised

    return byte_stream(pull=pull), requests, error1 if error else raised


async def assert_errored(t: Test, reader: Any, read: Any, error: Exception) -> None:
    await promise_rejects_exactly(t, error, read, "read()")
    await promise_rejects_exactly(t, error, reader.closed, "closed")


@promise_test("ReadableStream with byte source: Throwing in pull function must error the stream")
async def pull_raises(t: Test) -> None:
    stream, requests, error = failing_stream(error=False)
    reader = stream.get_reader()
    await assert_errored(t, reader, reader.read(), error)
    assert requests == [None]


@promise_test(
    "ReadableStream with byte source: Throwing in pull in response to read() must be ignored if the stream is errored "
    "in it"
)
async def pull_errors_and_raises(t: Test) -> None:
    stream, requests, error = failing_stream(error=True)
    reader = stream.get_reader()
    await assert_errored(t, reader, reader.read(), error)
    assert requests == [None]


@promise_test(
    "ReadableStream with byte source: Throwing in pull in response to read(view) function must error the stream"
)
async def byob_pull_raises(t: Test) -> None:
    stream, requests, error = failing_stream(error=False)
    reader = stream.get_reader(mode="byob")
    await assert_errored(t, reader, reader.read(bytearray(1)), error)
    assert requests[0] is not None


@promise_test(
    "ReadableStream with byte source: Throwing in pull in response to read(view) must be ignored if the stream is "
    "errored in it"
)
async def byob_pull_errors_and_raises(t: Test) -> None:
    stream, requests, error = failing_stream(error=True)
    reader = stream.get_reader(mode="byob")
    await assert_errored(t, reader, reader.read(bytearray(1)), error)
    assert requests[0] is not None


# A lock that is released while a read is pending: the BYOB request stays, and is for the next reader.


@dataclass
class PendingRead:
    """A read that is under way, and the BYOB request that was made for it."""

    stream: ReadableStream[Any]
    controller: Any
    reader: Any
    read: Any
    request: Any

    async def release(self, t: Test, view: Any = None) -> tuple[Any, Any]:
        """Read with a second reader, into `view` if there is one; give that reader and the read.

        Releasing the first reader rejects its read but leaves the BYOB request.
        """
        before = bytes(whole_buffer(self.request.view))
        self.reader.release_lock()
        reader, read = reader_and_read(self.stream, view)
        assert self.controller.byob_request is self.request, "another BYOB request after release_lock()"
        assert bytes(whole_buffer(self.request.view)) == before, "another buffer after release_lock()"
        await promise_rejects_js(t, TypeError, self.read, "pending read")
        return reader, read


def reader_and_read(stream: ReadableStream[Any], view: Any) -> tuple[Any, Any]:
    if view is None:
        default_reader = stream.get_reader()
        return default_reader, default_reader.read()
    reader = stream.get_reader(mode="byob")
    return reader, reader.read(view)


async def pending_read(t: Test, view: Any, expected: memoryview, **members: Any) -> PendingRead:
    """Start a read, into `view` if there is one, and check the view of the BYOB request."""
    stream, controller = controlled_byte_stream(**members)
    await flush_async_events()
    reader, read = reader_and_read(stream, view)
    request = controller.byob_request
    assert request is not None
    assert_typed_array_equals(request.view, expected, "view of the first request")
    return PendingRead(stream, controller, reader, read, request)


async def pending_byob_read(t: Test) -> PendingRead:
    return await pending_read(t, bytearray([1, 2, 3]), uint8(1, 2, 3))


async def pending_auto_allocated_read(t: Test) -> PendingRead:
    return await pending_read(t, None, uint8(0, 0, 0, 0), auto_allocate_chunk_size=4)


async def pending_half_filled_read(t: Test) -> PendingRead:
    """A read of an item of two bytes, one of which is there."""
    pending = await pending_read(t, uint16(1), uint8(0, 0))
    pending.request.view[0] = 0x11
    pending.request.respond(1)
    pending.request = pending.controller.byob_request
    assert pending.request is not None
    assert_typed_array_equals(pending.request.view, uint8(0x11, 0)[1:], "view of the second request")
    return pending


@promise_test(
    "ReadableStream with byte source: releaseLock() with pending read(view), read(view) on second reader, respond()"
)
async def release_byob_respond(t: Test) -> None:
    pending = await pending_byob_read(t)
    _, read2 = await pending.release(t, bytearray([4, 5, 6]))
    pending.request.view[0] = 11
    pending.request.respond(1)
    assert pending.controller.byob_request is None
    result2 = await read2
    assert not result2.done
    assert_typed_array_equals(result2.value, uint8(11, 5, 6)[:1])


@promise_test(
    "ReadableStream with byte source: releaseLock() with pending read(view), read(view) on second reader with "
    "1 element Uint16Array, respond(1)"
)
async def release_byob_respond_half_item(t: Test) -> None:
    pending = await pending_byob_read(t)
    _, read2 = await pending.release(t, uint16(1))
    pending.request.view[0] = 0x11
    pending.request.respond(1)

    request2 = pending.controller.byob_request
    assert request2 is not None
    assert_typed_array_equals(request2.view, uint8(0x11, 0)[1:], "view of the second request")
    request2.view[0] = 0x22
    request2.respond(1)
    result2 = await read2
    assert not result2.done
    assert view_info(result2.value) == ViewInfo("H", 2, 0, 2)
    assert result2.value.tobytes() == b"\x11\x22"


@promise_test(
    "ReadableStream with byte source: releaseLock() with pending read(view), read(view) on second reader with "
    "2 element Uint8Array, respond(3)"
)
async def release_byob_respond_more(t: Test) -> None:
    pending = await pending_byob_read(t)
    reader2, read2 = await pending.release(t, bytearray([4, 5]))
    pending.request.view[:] = bytes([6, 7, 8])
    pending.request.respond(3)
    assert pending.controller.byob_request is None
    result2 = await read2
    assert not result2.done
    assert_typed_array_equals(result2.value, uint8(6, 7), "second read")

    result3 = await reader2.read(bytearray(3))
    assert not result3.done
    assert_typed_array_equals(result3.value, uint8(8, 0, 0)[:1], "third read")


@promise_test(
    "ReadableStream with byte source: releaseLock() with pending read(view), read(view) on second reader, "
    "respondWithNewView()"
)
async def release_byob_new_view(t: Test) -> None:
    pending = await pending_byob_read(t)
    _, read2 = await pending.release(t, bytearray([4, 5, 6]))
    pending.request.view[:2] = bytes([11, 12])
    pending.request.respond_with_new_view(pending.request.view[:2])
    assert pending.controller.byob_request is None
    result2 = await read2
    assert not result2.done
    assert_typed_array_equals(result2.value, uint8(11, 12, 6)[:2])


@promise_test(
    "ReadableStream with byte source: releaseLock() with pending read(view), read(view) on second reader, enqueue()"
)
async def release_byob_enqueue(t: Test) -> None:
    pending = await pending_byob_read(t)
    _, read2 = await pending.release(t, bytearray([4, 5, 6]))
    pending.controller.enqueue(bytes([11, 12]))
    assert pending.controller.byob_request is None
    result2 = await read2
    assert not result2.done
    assert_typed_array_equals(result2.value, uint8(11, 12, 6)[:2])


@promise_test(
    "ReadableStream with byte source: releaseLock() with pending read(view), read(view) on second reader, close(), "
    "respond(0)"
)
async def release_byob_close(t: Test) -> None:
    pending = await pending_byob_read(t)
    _, read2 = await pending.release(t, bytearray([4, 5, 6]))
    pending.controller.close()
    pending.request.respond(0)
    assert pending.controller.byob_request is None
    result2 = await read2
    assert result2.done
    assert_typed_array_equals(result2.value, uint8(4, 5, 6)[:0])


@promise_test(
    "ReadableStream with byte source: autoAllocateChunkSize, releaseLock() with pending read(), read() on second "
    "reader, respond()"
)
async def release_auto_allocated_respond(t: Test) -> None:
    pending = await pending_auto_allocated_read(t)
    _, read2 = await pending.release(t)
    pending.request.view[0] = 11
    pending.request.respond(1)
    assert pending.controller.byob_request is None
    result2 = await read2
    assert not result2.done
    assert_bytes(result2.value, bytes([11]))


@promise_test(
    "ReadableStream with byte source: autoAllocateChunkSize, releaseLock() with pending read(), read() on second "
    "reader, enqueue()"
)
async def release_auto_allocated_enqueue(t: Test) -> None:
    pending = await pending_auto_allocated_read(t)
    _, read2 = await pending.release(t)
    pending.controller.enqueue(bytes([11]))
    assert pending.controller.byob_request is None
    result2 = await read2
    assert not result2.done
    assert_bytes(result2.value, bytes([11]))


@promise_test(
    "ReadableStream with byte source: autoAllocateChunkSize, releaseLock() with pending read(), read(view) on second "
    "reader, respond()"
)
async def release_auto_allocated_byob_respond(t: Test) -> None:
    pending = await pending_auto_allocated_read(t)
    _, read2 = await pending.release(t, bytearray([4, 5, 6]))
    pending.request.view[0] = 11
    pending.request.respond(1)
    assert pending.controller.byob_request is None
    result2 = await read2
    assert not result2.done
    assert_typed_array_equals(result2.value, uint8(11, 5, 6)[:1])


@promise_test(
    "ReadableStream with byte source: autoAllocateChunkSize, releaseLock() with pending read(), read(view) on second "
    "reader, enqueue()"
)
async def release_auto_allocated_byob_enqueue(t: Test) -> None:
    pending = await pending_auto_allocated_read(t)
    _, read2 = await pending.release(t, bytearray([4, 5, 6]))
    pending.controller.enqueue(bytes([11]))
    assert pending.controller.byob_request is None
    result2 = await read2
    assert not result2.done
    assert_typed_array_equals(result2.value, uint8(11, 5, 6)[:1])


@promise_test(
    "ReadableStream with byte source: read(view) with 1 element Uint16Array, respond(1), releaseLock(), read(view) on "
    "second reader with 1 element Uint16Array, respond(1)"
)
async def release_half_filled_respond(t: Test) -> None:
    pending = await pending_half_filled_read(t)
    _, read2 = await pending.release(t, uint16(1))
    assert_typed_array_equals(pending.request.view, uint8(0x11, 0)[1:], "the same view after release_lock()")
    pending.request.view[0] = 0x22
    pending.request.respond(1)
    assert pending.controller.byob_request is None
    result2 = await read2
    assert not result2.done
    assert view_info(result2.value) == ViewInfo("H", 2, 0, 2)
    assert result2.value.tobytes() == b"\x11\x22"


@promise_test(
    "ReadableStream with byte source: read(view) with 1 element Uint16Array, respond(1), releaseLock(), read() on "
    "second reader, enqueue()"
)
async def release_half_filled_enqueue(t: Test) -> None:
    pending = await pending_half_filled_read(t)
    reader2, read2 = await pending.release(t)
    assert_typed_array_equals(pending.request.view, uint8(0x11, 0)[1:], "the same view after release_lock()")
    pending.controller.enqueue(b"\x22")
    assert pending.controller.byob_request is None
    result2 = await read2
    assert not result2.done
    assert_bytes(result2.value, b"\x11", "second read")
    result3 = await reader2.read()
    assert not result3.done
    assert_bytes(result3.value, b"\x22", "third read")
