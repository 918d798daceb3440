"""Port of streams/readable-streams/default-reader.any.js."""

from __future__ import annotations

from typing import Any

from webstreams import Promise, ReadableStream, ReadableStreamDefaultReader
from wpt_ports.harness import (
    Test,
    assert_throws_js,
    promise_rejects_exactly,
    promise_rejects_js,
    promise_test,
    run,
    test,
)
from wpt_ports.resources.rs_utils import assert_result, readable_with_controller

the_error = Exception("unique error")


async def assert_reads(reader: Any, value: object, done: bool = False) -> None:
    assert_result(await reader.read(), value, done)


async def assert_two_reads_and_closed_reject(t: Test, reader: Any, error: object) -> None:
    """Two reads and the closed promise of `reader` are rejected with `error`; all three are taken at once."""
    await Promise.all(
        [
            run(promise_rejects_exactly(t, error, reader.read())),
            run(promise_rejects_exactly(t, error, reader.read())),
            run(promise_rejects_exactly(t, error, reader.closed)),
        ]
    )


async def assert_two_reads_done(reader: Any) -> None:
    """Two reads, taken at once, say that the stream is done, and the closed promise is fulfilled."""
    reads = [run(assert_reads(reader, None, done=True)) for _ in range(2)]
    await Promise.all([*reads, reader.closed])


# Getting a reader.


@test("ReadableStreamDefaultReader constructor should get a ReadableStream object as argument")
def constructor_argument(t: Test) -> None:
    constructor: Any = ReadableStreamDefaultReader
    assert_throws_js(TypeError, lambda: constructor("potato"))
    assert_throws_js(TypeError, lambda: constructor({}))
    assert_throws_js(TypeError, constructor)


@test("ReadableStreamDefaultReader closed should always return the same promise object")
def closed_is_same_promise(t: Test) -> None:
    reader = ReadableStreamDefaultReader[Any](ReadableStream[Any]())
    assert reader.closed is reader.closed


@test(
    "Constructing a ReadableStreamDefaultReader directly should fail if the stream is already locked (via direct "
    "construction)"
)
def construct_twice(t: Test) -> None:
    rs = ReadableStream[Any]()
    ReadableStreamDefaultReader(rs)
    assert_throws_js(TypeError, lambda: ReadableStreamDefaultReader(rs))


@test(
    "Getting a ReadableStreamDefaultReader via getReader should fail if the stream is already locked (via direct "
    "construction)"
)
def construct_then_get_reader(t: Test) -> None:
    rs = ReadableStream[Any]()
    ReadableStreamDefaultReader(rs)
    assert_throws_js(TypeError, rs.get_reader)


@test("Constructing a ReadableStreamDefaultReader directly should fail if the stream is already locked (via getReader)")
def get_reader_then_construct(t: Test) -> None:
    rs = ReadableStream[Any]()
    rs.get_reader()
    assert_throws_js(TypeError, lambda: ReadableStreamDefaultReader(rs))


@test("Getting a ReadableStreamDefaultReader via getReader should fail if the stream is already locked (via getReader)")
def get_reader_twice(t: Test) -> None:
    rs = ReadableStream[Any]()
    rs.get_reader()
    assert_throws_js(TypeError, rs.get_reader)


@test("Constructing a ReadableStreamDefaultReader directly should be OK if the stream is closed")
def construct_for_closed(t: Test) -> None:
    rs = ReadableStream[Any]({"start": lambda controller: controller.close()})
    ReadableStreamDefaultReader(rs)


@test("Constructing a ReadableStreamDefaultReader directly should be OK if the stream is errored")
def construct_for_errored(t: Test) -> None:
    rs = ReadableStream[Any]({"start": lambda controller: controller.error(the_error)})
    ReadableStreamDefaultReader(rs)


# Reading, cancelling, releasing.


@promise_test("Reading from a reader for an empty stream will wait until a chunk is available")
async def read_waits_for_chunk(t: Test) -> None:
    rs, controller = readable_with_controller()
    reader = rs.get_reader()
    promise = run(assert_reads(reader, "a"))
    controller.enqueue("a")
    await promise


@promise_test("cancel() on a reader does not release the reader")
async def cancel_keeps_lock(t: Test) -> None:
    passed = Exception("the reason")
    calls: list[Any] = []

    def cancel(reason: object) -> None:
        assert rs.locked is True
        assert_throws_js(TypeError, rs.get_reader)
        assert reason is passed
        calls.append(reason)

    rs = ReadableStream[Any]({"cancel": cancel})
    await rs.get_reader().cancel(passed)
    assert len(calls) == 1


@promise_test("closed should be fulfilled after stream is closed (.closed access before acquiring)")
async def closed_after_close(t: Test) -> None:
    rs, controller = readable_with_controller()
    promise = rs.get_reader().closed
    controller.close()
    await promise


@promise_test("closed should be rejected after reader releases its lock (multiple stream locks)")
async def closed_after_release(t: Test) -> None:
    rs, controller = readable_with_controller()
    reader1 = rs.get_reader()
    reader1.release_lock()
    reader2 = rs.get_reader()
    controller.close()
    await Promise.all([run(promise_rejects_js(t, TypeError, reader1.closed)), reader2.closed])


@promise_test("closed is replaced when stream closes and reader releases its lock")
async def closed_replaced_after_close(t: Test) -> None:
    rs, controller = readable_with_controller()
    reader = rs.get_reader()
    promise1 = reader.closed
    controller.close()
    reader.release_lock()
    promise2 = reader.closed
    assert promise1 is not promise2
    await Promise.all([promise1, run(promise_rejects_js(t, TypeError, promise2, "after the release"))])


@promise_test("closed is replaced when stream errors and reader releases its lock")
async def closed_replaced_after_error(t: Test) -> None:
    rs, controller = readable_with_controller()
    reader = rs.get_reader()
    promise1 = reader.closed
    controller.error(the_error)
    reader.release_lock()
    promise2 = reader.closed
    assert promise1 is not promise2
    await Promise.all(
        [
            run(promise_rejects_exactly(t, the_error, promise1, "before the release")),
            run(promise_rejects_js(t, TypeError, promise2, "after the release")),
        ]
    )


@promise_test("Multiple readers can access the stream in sequence")
async def readers_in_sequence(t: Test) -> None:
    rs, controller = readable_with_controller()
    controller.enqueue("a")
    controller.enqueue("b")
    controller.close()

    reader1 = rs.get_reader()
    promise1 = run(assert_reads(reader1, "a"))
    reader1.release_lock()

    reader2 = rs.get_reader()
    promise2 = run(assert_reads(reader2, "b"))
    reader2.release_lock()

    await Promise.all([promise1, promise2])


@promise_test("Cannot use an already-released reader to unlock a stream again")
async def release_again(t: Test) -> None:
    rs, controller = readable_with_controller()
    controller.enqueue("a")
    reader1 = rs.get_reader()
    reader1.release_lock()
    reader2 = rs.get_reader()
    reader1.release_lock()
    await assert_reads(reader2, "a")


@promise_test("cancel() on a released reader is a no-op and does not pass through")
async def cancel_after_release(t: Test) -> None:
    rs, controller = readable_with_controller({"cancel": t.unreached("cancel() must not be called")})
    controller.enqueue("a")
    reader = rs.get_reader()
    reader.release_lock()
    cancelled = reader.cancel()
    read = run(assert_reads(rs.get_reader(), "a"))
    await Promise.all([run(promise_rejects_js(t, TypeError, cancelled)), read])


@promise_test("Getting a second reader after erroring the stream and releasing the reader should succeed")
async def second_reader_after_error(t: Test) -> None:
    rs, controller = readable_with_controller()
    reader1 = rs.get_reader()
    promises = [
        run(promise_rejects_exactly(t, the_error, reader1.closed)),
        run(promise_rejects_exactly(t, the_error, reader1.read())),
    ]
    assert_throws_js(TypeError, rs.get_reader, "another reader before the error")

    controller.error(the_error)
    reader1.release_lock()
    reader2 = rs.get_reader()
    promises += [
        run(promise_rejects_exactly(t, the_error, reader2.closed)),
        run(promise_rejects_exactly(t, the_error, reader2.read())),
    ]
    await Promise.all(promises)


# What becomes of reads and of the closed promise when the stream is closed or errored.


@promise_test("ReadableStreamDefaultReader closed promise should be rejected with undefined if that is the error")
async def closed_rejected_with_none(t: Test) -> None:
    rs, controller = readable_with_controller()
    promise = run(promise_rejects_exactly(t, None, rs.get_reader().closed))
    controller.error()
    await promise


@promise_test(
    "ReadableStreamDefaultReader: if start rejects with no parameter, it should error the stream with an undefined "
    "error"
)
async def start_rejected_with_none(t: Test) -> None:
    rs = ReadableStream[Any]({"start": lambda controller: Promise.reject(None)})
    await promise_rejects_exactly(t, None, rs.get_reader().read())


@promise_test(
    "Erroring a ReadableStream after checking closed should reject ReadableStreamDefaultReader closed promise"
)
async def error_after_closed_access(t: Test) -> None:
    rs, controller = readable_with_controller()
    promise = run(promise_rejects_exactly(t, the_error, rs.get_reader().closed))
    controller.error(the_error)
    await promise


@promise_test(
    "Erroring a ReadableStream before checking closed should reject ReadableStreamDefaultReader closed promise"
)
async def error_before_closed_access(t: Test) -> None:
    rs, controller = readable_with_controller()
    controller.error(the_error)
    rs.get_reader().release_lock()
    await promise_rejects_exactly(t, the_error, rs.get_reader().closed)


@promise_test("Reading twice on a stream that gets closed")
async def read_twice_then_close(t: Test) -> None:
    rs, controller = readable_with_controller()
    promise = run(assert_two_reads_done(rs.get_reader()))
    controller.close()
    await promise


@promise_test("Reading twice on a closed stream")
async def close_then_read_twice(t: Test) -> None:
    rs, controller = readable_with_controller()
    controller.close()
    await assert_two_reads_done(rs.get_reader())


@promise_test("Reading twice on an errored stream")
async def error_then_read_twice(t: Test) -> None:
    rs, controller = readable_with_controller()
    controller.error(the_error)
    await assert_two_reads_and_closed_reject(t, rs.get_reader(), the_error)


@promise_test("Reading twice on a stream that gets errored")
async def read_twice_then_error(t: Test) -> None:
    rs, controller = readable_with_controller()
    promise = run(assert_two_reads_and_closed_reject(t, rs.get_reader(), the_error))
    controller.error(the_error)
    await promise


@promise_test("controller.close() should clear the list of pending read requests")
async def close_clears_read_requests(t: Test) -> None:
    reader = ReadableStream[Any]({"pull": lambda controller: controller.close()}).get_reader()
    await reader.read()
    reader.release_lock()


@promise_test("Second reader can read chunks after first reader was released with pending read requests")
async def second_reader_after_pending_read(t: Test) -> None:
    rs, controller = readable_with_controller()
    reader1 = rs.get_reader()
    promise1 = run(promise_rejects_js(t, TypeError, reader1.read(), "its reader was released"))
    reader1.release_lock()

    controller.enqueue("a")

    reader2 = rs.get_reader()
    promise2 = run(assert_reads(reader2, "a"))
    reader2.release_lock()

    await Promise.all([promise1, promise2])
