"""Port of streams/readable-byte-streams/tee.any.js."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webstreams import Promise, ReadableStream
from wpt_ports.harness import (
    Test,
    add_port,
    assert_array_equals,
    flush_async_events,
    promise_rejects_exactly,
    promise_test,
    run,
    test,
)
from wpt_ports.resources.byte_views import (
    assert_bytes,
    assert_typed_array_equals,
    byte_stream,
    controlled_byte_stream,
    respond_with,
    uint8,
)
from wpt_ports.resources.recording_streams import RecordingReadableStream, recording_readable_stream
from wpt_ports.resources.rs_test_templates import templated_rs_tee_cancel
from wpt_ports.resources.rs_utils import assert_result, readable_stream_to_array

error1 = Exception("boo!")


def byob_readers(stream: ReadableStream[Any]) -> tuple[Any, Any]:
    """Tee a stream and get a BYOB reader of each branch."""
    branch1, branch2 = stream.tee()
    return branch1.get_reader(mode="byob"), branch2.get_reader(mode="byob")


def recording_byte_stream(**members: Any) -> RecordingReadableStream:
    return recording_readable_stream({"type": "bytes", **members})


def start_with_two_chunks(c: Any) -> None:
    c.enqueue(b"\x01")
    c.enqueue(b"\x02")


def start_with_two_chunks_and_close(c: Any) -> None:
    start_with_two_chunks(c)
    c.close()


async def all_reject(t: Test, *promises: Any) -> None:
    """Every one of these promises is rejected with `error1`."""
    await Promise.all([run(promise_rejects_exactly(t, error1, promise)) for promise in promises])


# What the branches get.


@test("ReadableStream teeing with byte source: rs.tee() returns an array of two ReadableStreams")
def tee_gives_two_streams(t: Test) -> None:
    result = byte_stream().tee()
    assert isinstance(result, (list, tuple)), "an array"
    assert [type(branch) for branch in result] == [ReadableStream, ReadableStream]


@promise_test(
    "ReadableStream teeing with byte source: should be able to read one branch to the end without affecting the other"
)
async def read_one_branch_to_the_end(t: Test) -> None:
    reader1, reader2 = byob_readers(byte_stream(start=start_with_two_chunks_and_close))
    reader2.closed.then(t.unreached("branch 2 closed"))

    for byte in (1, 2):
        result = await reader1.read(bytearray(1))
        assert result.done is False
        assert_typed_array_equals(result.value, uint8(byte), "chunk of branch 1")

    result = await reader1.read(bytearray(1))
    assert result.done is True
    assert_typed_array_equals(result.value, uint8(0)[:0], "end of branch 1")

    result = await reader2.read(bytearray(1))
    assert result.done is False
    assert_typed_array_equals(result.value, uint8(1), "chunk of branch 2")

    await reader1.closed


@promise_test("ReadableStream teeing with byte source: chunks should be cloned for each branch")
async def chunks_are_cloned(t: Test) -> None:
    pull_count = 0
    enqueued = bytearray([1])

    def pull(c: Any) -> None:
        nonlocal pull_count
        pull_count += 1
        if pull_count == 1:
            c.enqueue(enqueued)

    branch1, branch2 = byte_stream(pull=pull).tee()
    result1, result2 = await Promise.all([branch1.get_reader().read(), branch2.get_reader().read()])
    assert result1.done is False
    assert result2.done is False

    # Default readers get bytes, which the branches may share; the caller's own buffer they may not.
    enqueued[0] = 0xFF
    assert_bytes(result1.value, b"\x01", "chunk of branch 1")
    assert_bytes(result2.value, b"\x01", "chunk of branch 2")


@promise_test(
    "ReadableStream teeing with byte source: chunks for BYOB requests from branch 1 should be cloned to branch 2"
)
async def byob_chunks_are_cloned(t: Test) -> None:
    pull_count = 0

    def pull(c: Any) -> None:
        nonlocal pull_count
        pull_count += 1
        if pull_count == 1:
            respond_with(1)(c)

    branch1, branch2 = byte_stream(pull=pull).tee()
    reader1, reader2 = branch1.get_reader(mode="byob"), branch2.get_reader()
    buffer = bytearray([42, 42, 42])

    result1 = await reader1.read(memoryview(buffer)[:1])
    assert result1.done is False
    assert_typed_array_equals(result1.value, uint8(1, 42, 42)[:1], "chunk of branch 1")

    result2 = await reader2.read()
    assert result2.done is False
    assert_bytes(result2.value, b"\x01", "chunk of branch 2")


# Errors, and canceling one branch or both.


@promise_test("ReadableStream teeing with byte source: errors in the source should propagate to both branches")
async def errors_reach_both_branches(t: Test) -> None:
    def pull(c: Any) -> None:
        raise error1

    reader1, reader2 = byob_readers(byte_stream(start=start_with_two_chunks, pull=pull))
    for byte in (1, 2):
        result = await reader1.read(bytearray(1))
        assert result.done is False
        assert_typed_array_equals(result.value, uint8(byte), "chunk of branch 1")

    await promise_rejects_exactly(t, error1, reader1.read(bytearray(1)))
    await promise_rejects_exactly(t, error1, reader2.read(bytearray(1)))
    await all_reject(t, reader1.closed, reader2.closed)


@promise_test("ReadableStream teeing with byte source: canceling branch1 should not impact branch2")
async def cancel_branch1(t: Test) -> None:
    branch1, branch2 = byte_stream(start=start_with_two_chunks_and_close).tee()
    branch1.cancel()
    chunks1, chunks2 = await Promise.all([readable_stream_to_array(branch1), readable_stream_to_array(branch2)])
    assert_array_equals(chunks1, [], "branch 1")
    assert_array_equals(chunks2, [b"\x01", b"\x02"], "branch 2")


@promise_test("ReadableStream teeing with byte source: canceling branch2 should not impact branch1")
async def cancel_branch2(t: Test) -> None:
    branch1, branch2 = byte_stream(start=start_with_two_chunks_and_close).tee()
    branch2.cancel()
    chunks1, chunks2 = await Promise.all([readable_stream_to_array(branch1), readable_stream_to_array(branch2)])
    assert_array_equals(chunks1, [b"\x01", b"\x02"], "branch 1")
    assert_array_equals(chunks2, [], "branch 2")


def with_members(members: Mapping[str, Any]) -> ReadableStream[Any]:
    return byte_stream(**members)


templated_rs_tee_cancel(__name__, "ReadableStream teeing with byte source", with_members)


@promise_test("ReadableStream teeing with byte source: closing the original should close the branches")
async def close_original(t: Test) -> None:
    stream, controller = controlled_byte_stream()
    reader1, reader2 = byob_readers(stream)
    closed = Promise.all([reader1.closed, reader2.closed])
    controller.close()

    # Branches do not pull by themselves: one of them has to be read to see the end.
    result = await reader1.read(bytearray(1))
    assert result.done is True
    await closed


@promise_test("ReadableStream teeing with byte source: erroring the original should immediately error the branches")
async def error_original(t: Test) -> None:
    stream, controller = controlled_byte_stream()
    reader1, reader2 = byob_readers(stream)
    rejected = run(all_reject(t, reader1.closed, reader2.closed))
    controller.error(error1)
    await rejected


@promise_test(
    "ReadableStream teeing with byte source: erroring the original should error pending reads from default reader"
)
async def error_default_reads(t: Test) -> None:
    stream, controller = controlled_byte_stream()
    branch1, branch2 = stream.tee()
    rejected = run(all_reject(t, branch1.get_reader().read(), branch2.get_reader().read()))
    controller.error(error1)
    await rejected


@promise_test(
    "ReadableStream teeing with byte source: erroring the original should error pending reads from BYOB reader"
)
async def error_byob_reads(t: Test) -> None:
    stream, controller = controlled_byte_stream()
    reader1, reader2 = byob_readers(stream)
    rejected = run(all_reject(t, reader1.read(bytearray(1)), reader2.read(bytearray(1))))
    controller.error(error1)
    await rejected


@promise_test(
    "ReadableStream teeing with byte source: canceling branch1 should finish when branch2 reads until end of stream"
)
async def cancel_finishes_at_the_end(t: Test) -> None:
    stream, controller = controlled_byte_stream()
    reader1, reader2 = byob_readers(stream)
    canceled = reader2.cancel()
    controller.enqueue(b"\x01")

    read1 = await reader1.read(bytearray(1))
    assert read1.done is False
    assert_typed_array_equals(read1.value, uint8(1))

    controller.close()
    read2 = await reader1.read(bytearray(1))
    assert read2.done is True
    await Promise.all([reader1.closed, canceled])


@promise_test("ReadableStream teeing with byte source: canceling branch1 should finish when original stream errors")
async def cancel_finishes_with_an_error(t: Test) -> None:
    stream, controller = controlled_byte_stream()
    reader1, reader2 = byob_readers(stream)
    canceled = reader2.cancel()
    controller.error(error1)
    await Promise.all([run(promise_rejects_exactly(t, error1, reader1.read(bytearray(1)))), canceled])


# When the original is pulled.


@promise_test("ReadableStream teeing with byte source: should not pull any chunks if no branches are reading")
async def no_pull_without_reads(t: Test) -> None:
    rs = recording_byte_stream()
    rs.tee()
    await flush_async_events()
    assert_array_equals(rs.events, [])


@promise_test("ReadableStream teeing with byte source: should only pull enough to fill the emptiest queue")
async def one_pull_for_two_reads(t: Test) -> None:
    rs = recording_byte_stream(pull=lambda c: c.enqueue(b"\x01"))
    reader1, reader2 = byob_readers(rs)
    await Promise.all([reader1.read(bytearray(1)), reader2.read(bytearray(1))])
    assert_array_equals(rs.events, ["pull"])


@promise_test("ReadableStream teeing with byte source: should not pull when original is already errored")
async def no_pull_when_errored(t: Test) -> None:
    rs = recording_byte_stream()
    rs.controller.error(error1)
    reader1, reader2 = byob_readers(rs)
    await flush_async_events()
    assert_array_equals(rs.events, [])
    await all_reject(t, reader1.closed, reader2.closed)


async def stop_pulling_on_error(t: Test, *reading: int) -> None:
    """The branches with these indices are read; then the original is errored, and must not be pulled again."""
    rs = recording_byte_stream()
    readers = byob_readers(rs)
    await flush_async_events()
    assert_array_equals(rs.events, [], "before the reads")

    reads = [readers[index].read(bytearray(1)) for index in reading]
    await flush_async_events()
    assert_array_equals(rs.events, ["pull"], "after the reads")

    rs.controller.error(error1)
    await all_reject(t, *reads, readers[0].closed, readers[1].closed)
    await flush_async_events()
    assert_array_equals(rs.events, ["pull"], "after the error")


def add_stop_pulling_port(who: str, *reading: int) -> None:
    async def stop_pulling(t: Test) -> None:
        await stop_pulling_on_error(t, *reading)

    prefix = "ReadableStream teeing with byte source: stops pulling when original stream errors while"
    add_port(__name__, f"{prefix} {who} reading", stop_pulling)


add_stop_pulling_port("branch 1 is", 0)
add_stop_pulling_port("branch 2 is", 1)
add_stop_pulling_port("both branches are", 0, 1)


# Canceling while both branches read.


async def cancel_both_with_delay(stream: ReadableStream[Any]) -> tuple[Any, Any]:
    """Cancel both reading branches one after the other: the reads are done at once. Give the cancel promises."""
    reader1, reader2 = byob_readers(stream)
    read1 = reader1.read(bytearray([0x11]))
    read2 = reader2.read(bytearray([0x22]))
    cancel1 = reader1.cancel()
    await flush_async_events()
    cancel2 = reader2.cancel()
    assert_result(await read1, None, done=True)
    assert_result(await read2, None, done=True)
    return cancel1, cancel2


@promise_test("ReadableStream teeing with byte source: canceling both branches in sequence with delay")
async def cancel_in_sequence(t: Test) -> None:
    await Promise.all(await cancel_both_with_delay(recording_byte_stream()))


@promise_test(
    "ReadableStream teeing with byte source: failing to cancel when canceling both branches in sequence with delay"
)
async def fail_to_cancel_in_sequence(t: Test) -> None:
    def cancel(reason: object) -> None:
        raise error1

    await all_reject(t, *await cancel_both_with_delay(byte_stream(cancel=cancel)))


async def read_both(rs: RecordingReadableStream) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Read both branches one after the other, so that branch 1 provides the buffer; give the readers and the reads."""
    readers = byob_readers(rs)
    read1 = readers[0].read(bytearray([0x11]))
    await flush_async_events()
    read2 = readers[1].read(bytearray([0x22]))
    await flush_async_events()
    return readers, (read1, read2)


async def cancel_both_while_reading(first: int, second: int) -> None:
    """The BYOB request outlives the cancellation of one branch, whichever it is, but not that of both."""
    cancel_called, resolve_cancel_called, _ = Promise.with_resolvers()
    rs = recording_byte_stream(cancel=lambda _: resolve_cancel_called(None))
    readers, reads = await read_both(rs)
    request1 = rs.controller.byob_request
    assert request1 is not None
    assert_typed_array_equals(request1.view, uint8(0x11), "view before any cancellation")

    first_canceled = readers[first].cancel()
    assert_result(await reads[first], None, done=True)
    await flush_async_events()
    assert_typed_array_equals(rs.controller.byob_request.view, uint8(0x11), "view after the first cancellation")

    second_canceled = readers[second].cancel()
    await cancel_called
    assert rs.controller.byob_request is None, "the request must go when both branches are canceled"
    assert_result(await reads[second], None, done=True)
    await Promise.all([first_canceled, second_canceled])


@promise_test("ReadableStream teeing with byte source: read from branch1 and branch2, cancel branch1, cancel branch2")
async def cancel_branch1_then_branch2(t: Test) -> None:
    await cancel_both_while_reading(0, 1)


@promise_test("ReadableStream teeing with byte source: read from branch1 and branch2, cancel branch2, cancel branch1")
async def cancel_branch2_then_branch1(t: Test) -> None:
    await cancel_both_while_reading(1, 0)


async def cancel_one_and_respond(canceled: int, kept: int) -> None:
    """The branch that is left gets what is written into branch 1's buffer."""
    rs = recording_byte_stream()
    readers, reads = await read_both(rs)
    assert_typed_array_equals(rs.controller.byob_request.view, uint8(0x11), "view before the cancellation")

    readers[canceled].cancel()
    assert_result(await reads[canceled], None, done=True)
    await flush_async_events()
    assert_typed_array_equals(rs.controller.byob_request.view, uint8(0x11), "view after the cancellation")

    respond_with(0x33)(rs.controller)
    result = await reads[kept]
    assert result.done is False
    assert_typed_array_equals(result.value, uint8(0x33), "result of the branch that is left")


@promise_test(
    "ReadableStream teeing with byte source: read from branch1 and branch2, cancel branch2, enqueue to branch1"
)
async def cancel_branch2_and_respond(t: Test) -> None:
    await cancel_one_and_respond(1, 0)


@promise_test(
    "ReadableStream teeing with byte source: read from branch1 and branch2, cancel branch1, respond to branch2"
)
async def cancel_branch1_and_respond(t: Test) -> None:
    await cancel_one_and_respond(0, 1)


# Readers of different kinds.


def counting_byte_stream() -> tuple[ReadableStream[Any], list[bool]]:
    """A stream that enqueues the number of the pull, and a list that tells of each pull if there was a BYOB request."""
    request_existed: list[bool] = []

    def pull(c: Any) -> None:
        request_existed.append(c.byob_request is not None)
        c.enqueue(bytes([len(request_existed)]))

    return byte_stream(pull=pull), request_existed


@promise_test("ReadableStream teeing with byte source: pull with BYOB reader, then pull with default reader")
async def byob_reader_then_default_reader(t: Test) -> None:
    stream, request_existed = counting_byte_stream()
    branch1, _branch2 = stream.tee()
    reader1 = branch1.get_reader(mode="byob")
    result1 = await reader1.read(bytearray([0x11]))
    assert result1.done is False
    assert_typed_array_equals(result1.value, uint8(1), "first read")
    assert request_existed == [True]

    reader1.release_lock()
    result2 = await branch1.get_reader().read()
    assert result2.done is False
    assert_bytes(result2.value, b"\x02", "second read")
    assert request_existed == [True, False]


@promise_test("ReadableStream teeing with byte source: pull with default reader, then pull with BYOB reader")
async def default_reader_then_byob_reader(t: Test) -> None:
    stream, request_existed = counting_byte_stream()
    branch1, _branch2 = stream.tee()
    reader1 = branch1.get_reader()
    result1 = await reader1.read()
    assert result1.done is False
    assert_bytes(result1.value, b"\x01", "first read")
    assert request_existed == [False]

    reader1.release_lock()
    result2 = await branch1.get_reader(mode="byob").read(bytearray([0x22]))
    assert result2.done is False
    assert_typed_array_equals(result2.value, uint8(2), "second read")
    assert request_existed == [False, True]


@promise_test("ReadableStream teeing with byte source: read from branch2, then read from branch1")
async def branch2_provides_the_buffer(t: Test) -> None:
    rs = recording_byte_stream()
    reader1, reader2 = byob_readers(rs)
    await flush_async_events()

    read2 = reader2.read(bytearray([0x22]))
    read1 = reader1.read(bytearray([0x11]))
    await flush_async_events()

    assert_typed_array_equals(rs.controller.byob_request.view, uint8(0x22), "view of branch 2")
    respond_with(1)(rs.controller)

    result1 = await read1
    assert result1.done is False
    assert_typed_array_equals(result1.value, uint8(1), "branch 1")
    result2 = await read2
    assert result2.done is False
    assert_typed_array_equals(result2.value, uint8(1), "branch 2")


async def close_with_default_and_byob_read(byob_branch: int, byob_byte: int) -> None:
    """Close while the default read of one branch is under way and the BYOB read of the other waits."""
    rs = recording_byte_stream()
    branches = rs.tee()
    default_reader = branches[1 - byob_branch].get_reader()
    byob_reader = branches[byob_branch].get_reader(mode="byob")
    await flush_async_events()

    default_read = default_reader.read()
    byob_read = byob_reader.read(bytearray([byob_byte]))
    await flush_async_events()
    assert rs.controller.byob_request is None
    rs.controller.close()

    assert_result(await default_read, None, done=True, message="default read")
    result = await byob_read
    assert result.done is True
    assert_typed_array_equals(result.value, uint8(byob_byte)[:0], "the BYOB read gets its buffer back")


@promise_test(
    "ReadableStream teeing with byte source: read from branch1 with default reader, then close while branch2 has "
    "pending BYOB read"
)
async def close_while_branch2_reads_byob(t: Test) -> None:
    await close_with_default_and_byob_read(1, 0x22)


@promise_test(
    "ReadableStream teeing with byte source: read from branch2 with default reader, then close while branch1 has "
    "pending BYOB read"
)
async def close_while_branch1_reads_byob(t: Test) -> None:
    await close_with_default_and_byob_read(0, 0x11)


@promise_test("ReadableStream teeing with byte source: close when both branches have pending BYOB reads")
async def close_while_both_read_byob(t: Test) -> None:
    rs = recording_byte_stream()
    reader1, reader2 = byob_readers(rs)
    await flush_async_events()

    read1 = reader1.read(bytearray([0x11]))
    read2 = reader2.read(bytearray([0x22]))
    await flush_async_events()

    request = rs.controller.byob_request
    assert_typed_array_equals(request.view, uint8(0x11), "view of branch 1")
    rs.controller.close()
    request.respond(0)

    result1 = await read1
    assert result1.done is True
    assert_typed_array_equals(result1.value, uint8(0x11)[:0], "branch 1 gets its buffer back")
    result2 = await read2
    assert result2.done is True
    assert_typed_array_equals(result2.value, uint8(0x22)[:0], "branch 2 gets its buffer back")


# Closing in the same step in which a chunk arrives.


@promise_test("ReadableStream teeing with byte source: enqueue() and close() while both branches are pulling")
async def enqueue_and_close(t: Test) -> None:
    rs = recording_byte_stream()
    branch1, branch2 = rs.tee()
    reader1, reader2 = branch1.get_reader(), branch2.get_reader()
    reads1 = [reader1.read(), reader1.read()]
    reads2 = [reader2.read(), reader2.read()]
    await flush_async_events()
    rs.controller.enqueue(b"\x11")
    rs.controller.close()

    assert_result(await reads1[0], b"\x11", message="first read of branch 1")
    assert_result(await reads2[0], b"\x11", message="first read of branch 2")
    assert_result(await reads1[1], None, done=True, message="second read of branch 1")
    assert_result(await reads2[1], None, done=True, message="second read of branch 2")


@promise_test("ReadableStream teeing with byte source: respond() and close() while both branches are pulling")
async def respond_and_close(t: Test) -> None:
    rs = recording_byte_stream()
    readers = byob_readers(rs)
    reads = [(reader.read(bytearray(1)), reader.read(bytearray(1))) for reader in readers]
    await flush_async_events()
    respond_with(0x11)(rs.controller)
    rs.controller.close()

    for first, _second in reads:
        result = await first
        assert result.done is False
        assert_typed_array_equals(result.value, uint8(0x11), "first read")
    for _first, second in reads:
        result = await second
        assert result.done is True
        assert_typed_array_equals(result.value, uint8(0)[:0], "second read")
