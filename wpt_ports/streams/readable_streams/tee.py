"""Port of streams/readable-streams/tee.any.js."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import webstreams
from webstreams import Promise, ReadableStream, ReadableStreamDefaultController
from wpt_ports.harness import (
    Test,
    add_port,
    assert_array_equals,
    delay,
    flush_async_events,
    promise_rejects_exactly,
    promise_test,
    run,
    test,
)
from wpt_ports.resources.recording_streams import recording_readable_stream
from wpt_ports.resources.rs_test_templates import templated_rs_tee_cancel
from wpt_ports.resources.rs_utils import readable_stream_to_array


def stream_and_controller() -> tuple[ReadableStream[Any], ReadableStreamDefaultController[Any]]:
    """A stream without chunks, and what controls it."""
    controllers: list[ReadableStreamDefaultController[Any]] = []
    stream: ReadableStream[Any] = ReadableStream({"start": controllers.append})
    return stream, controllers[0]


def stream_of_a_and_b() -> ReadableStream[Any]:
    def start(controller: ReadableStreamDefaultController[Any]) -> None:
        controller.enqueue("a")
        controller.enqueue("b")
        controller.close()

    return ReadableStream({"start": start})


def readers_of_branches(stream: ReadableStream[Any]) -> tuple[Any, Any]:
    branch1, branch2 = stream.tee()
    return branch1.get_reader(), branch2.get_reader()


def gives(value: Any, done: bool, message: str) -> Callable[[Any], None]:
    """A reaction that checks the result of a read."""

    def check(result: Any) -> None:
        assert result == (value, done), f"{message}: {result!r}"

    return check


def chunks_are(expected: list[Any], message: str) -> Callable[[list[Any]], None]:
    """A reaction that checks all chunks of a stream."""
    return lambda chunks: assert_array_equals(chunks, expected, message)


@test("ReadableStream teeing: rs.tee() returns an array of two ReadableStreams")
def two_streams(t: Test) -> None:
    rs: ReadableStream[Any] = ReadableStream()
    result: Any = rs.tee()
    assert isinstance(result, list | tuple), "return value should be a sequence"
    assert len(result) == 2, "the sequence should have length 2"
    assert type(result[0]) is ReadableStream, "0th element should be a ReadableStream"
    assert type(result[1]) is ReadableStream, "1st element should be a ReadableStream"


@promise_test("ReadableStream teeing: should be able to read one branch to the end without affecting the other")
async def one_branch_to_the_end(t: Test) -> None:
    reader1, reader2 = readers_of_branches(stream_of_a_and_b())
    reader2.closed.then(t.unreached("branch2 should not be closed"))

    await Promise.all(
        [
            reader1.closed,
            reader1.read().then(gives("a", False, "first chunk from branch1 should be correct")),
            reader1.read().then(gives("b", False, "second chunk from branch1 should be correct")),
            reader1.read().then(gives(None, True, "third read() from branch1 should be done")),
            reader2.read().then(gives("a", False, "first chunk from branch2 should be correct")),
        ]
    )


@promise_test("ReadableStream teeing: values should be equal across each branch")
async def equal_values(t: Test) -> None:
    the_object = {"the": "test object"}

    def start(controller: ReadableStreamDefaultController[Any]) -> None:
        controller.enqueue(the_object)

    reader1, reader2 = readers_of_branches(ReadableStream({"start": start}))
    first, second = await Promise.all([reader1.read(), reader2.read()])
    assert first == second, "the values should be equal"


@promise_test("ReadableStream teeing: errors in the source should propagate to both branches")
async def source_errors(t: Test) -> None:
    the_error = Exception("boo!")

    def start(controller: ReadableStreamDefaultController[Any]) -> None:
        controller.enqueue("a")
        controller.enqueue("b")

    def pull(controller: ReadableStreamDefaultController[Any]) -> None:
        raise the_error

    reader1, reader2 = readers_of_branches(ReadableStream({"start": start, "pull": pull}))

    async def later_reads() -> None:
        assert await reader1.read() == ("b", False), "should be able to read the second chunk in branch1"
        await promise_rejects_exactly(t, the_error, reader2.read())
        await promise_rejects_exactly(t, the_error, reader1.read())

    await Promise.all(
        [
            run(promise_rejects_exactly(t, the_error, reader1.closed)),
            run(promise_rejects_exactly(t, the_error, reader2.closed)),
            reader1.read().then(gives("a", False, "should be able to read the first chunk in branch1")),
            run(later_reads()),
        ]
    )


@promise_test("ReadableStream teeing: canceling branch1 should not impact branch2")
async def cancel_branch1(t: Test) -> None:
    branch1, branch2 = stream_of_a_and_b().tee()
    branch1.cancel()
    await Promise.all(
        [
            readable_stream_to_array(branch1).then(chunks_are([], "branch1 should have no chunks")),
            readable_stream_to_array(branch2).then(chunks_are(["a", "b"], "branch2 should have two chunks")),
        ]
    )


@promise_test("ReadableStream teeing: canceling branch2 should not impact branch1")
async def cancel_branch2(t: Test) -> None:
    branch1, branch2 = stream_of_a_and_b().tee()
    branch2.cancel()
    await Promise.all(
        [
            readable_stream_to_array(branch1).then(chunks_are(["a", "b"], "branch1 should have two chunks")),
            readable_stream_to_array(branch2).then(chunks_are([], "branch2 should have no chunks")),
        ]
    )


def stream_with(extras: Any) -> ReadableStream[Any]:
    stream: ReadableStream[Any] = ReadableStream(extras)
    return stream


templated_rs_tee_cancel(__name__, "ReadableStream teeing", stream_with)


@promise_test("ReadableStream teeing: erroring a teed stream should error both branches")
async def error_reaches_both_branches(t: Test) -> None:
    stream, controller = stream_and_controller()
    branch1, branch2 = stream.tee()
    error = Exception("distinctive")

    # Two chunks, so that no read is pending: the error can only be noticed by the closed promise.
    controller.enqueue(None)
    controller.enqueue(None)
    await delay(0)
    controller.error(error)

    reader1 = branch1.get_reader()
    reader2 = branch2.get_reader()
    await Promise.all(
        [
            run(promise_rejects_exactly(t, error, reader1.closed, "reader1.closed should reject")),
            run(promise_rejects_exactly(t, error, reader2.closed, "reader2.closed should reject")),
        ]
    )


@promise_test("ReadableStream teeing: closing the original should immediately close the branches")
async def close_reaches_both_branches(t: Test) -> None:
    rs, controller = stream_and_controller()
    reader1, reader2 = readers_of_branches(rs)
    promise = Promise.all([reader1.closed, reader2.closed])
    controller.close()
    await promise


@promise_test("ReadableStream teeing: erroring the original should immediately error the branches")
async def error_is_immediate(t: Test) -> None:
    rs, controller = stream_and_controller()
    reader1, reader2 = readers_of_branches(rs)
    the_error = Exception("boo!")
    promise = Promise.all(
        [
            run(promise_rejects_exactly(t, the_error, reader1.closed)),
            run(promise_rejects_exactly(t, the_error, reader2.closed)),
        ]
    )
    controller.error(the_error)
    await promise


@promise_test("ReadableStream teeing: canceling branch1 should finish when branch2 reads until end of stream")
async def cancel_ends_with_the_other_branch(t: Test) -> None:
    rs, controller = stream_and_controller()
    reader1, reader2 = readers_of_branches(rs)
    cancel_promise = reader2.cancel()

    controller.enqueue("a")
    assert await reader1.read() == ("a", False), "first read() from branch1 should fulfill with the chunk"

    controller.close()
    assert await reader1.read() == (None, True), "second read() from branch1 should be done"

    await Promise.all([reader1.closed, cancel_promise])


@promise_test("ReadableStream teeing: canceling branch1 should finish when original stream errors")
async def cancel_ends_with_an_error(t: Test) -> None:
    the_error = Exception("boo!")
    rs, controller = stream_and_controller()
    reader1, reader2 = readers_of_branches(rs)
    cancel_promise = reader2.cancel()

    controller.error(the_error)
    await Promise.all([run(promise_rejects_exactly(t, the_error, reader1.read())), cancel_promise])


@promise_test("ReadableStream teeing: canceling both branches in sequence with delay")
async def cancel_in_sequence(t: Test) -> None:
    rs: ReadableStream[Any] = ReadableStream({})
    branch1, branch2 = rs.tee()
    cancel1 = branch1.cancel()
    await flush_async_events()
    cancel2 = branch2.cancel()
    await Promise.all([cancel1, cancel2])


@promise_test("ReadableStream teeing: failing to cancel when canceling both branches in sequence with delay")
async def fail_to_cancel_in_sequence(t: Test) -> None:
    the_error = Exception("boo!")

    def cancel(reason: Any) -> None:
        raise the_error

    rs: ReadableStream[Any] = ReadableStream({"cancel": cancel})
    branch1, branch2 = rs.tee()
    cancel1 = branch1.cancel()
    await flush_async_events()
    cancel2 = branch2.cancel()
    await Promise.all(
        [
            run(promise_rejects_exactly(t, the_error, cancel1)),
            run(promise_rejects_exactly(t, the_error, cancel2)),
        ]
    )


@test("ReadableStreamTee should not use a modified ReadableStream constructor from the global object")
def patched_constructor(t: Test) -> None:
    original: ReadableStream[Any] = ReadableStream()
    broken = AssertionError("the public ReadableStream constructor was called")
    with mock.patch.object(webstreams, "ReadableStream", side_effect=broken):
        branch1, branch2 = original.tee()
    assert ReadableStream.get_reader(branch1) is not None, "get_reader should work on branch1"
    assert ReadableStream.get_reader(branch2) is not None, "get_reader should work on branch2"


@promise_test("ReadableStreamTee should not pull more chunks than can fit in the branch queue")
async def one_pull_for_one_free_place(t: Test) -> None:
    rs = recording_readable_stream({}, {"high_water_mark": 0})
    # Each branch has room for one chunk, and one pull serves both.
    rs.tee()
    await flush_async_events()
    assert_array_equals(rs.events, ["pull"], "pull should only be called once")


@promise_test("ReadableStreamTee should only pull enough to fill the emptiest queue")
async def pulls_for_the_emptiest_queue(t: Test) -> None:
    def pull(controller: ReadableStreamDefaultController[Any]) -> None:
        controller.enqueue("a")

    rs = recording_readable_stream({"pull": pull}, {"high_water_mark": 0})
    reader1, reader2 = readers_of_branches(rs)
    await Promise.all([reader1.read(), reader2.read()])
    assert_array_equals(rs.events, ["pull", "pull"], "pull should be called twice")


@promise_test("ReadableStreamTee should not pull when original is already errored")
async def no_pull_when_errored(t: Test) -> None:
    rs = recording_readable_stream({}, {"high_water_mark": 0})
    the_error = Exception("boo!")
    rs.controller.error(the_error)
    reader1, reader2 = readers_of_branches(rs)

    await flush_async_events()
    assert_array_equals(rs.events, [], "pull should not be called")
    await Promise.all(
        [
            run(promise_rejects_exactly(t, the_error, reader1.closed)),
            run(promise_rejects_exactly(t, the_error, reader2.closed)),
        ]
    )


async def pulling_stops_at_an_error(t: Test, reading_branches: tuple[int, ...]) -> None:
    """The original stream errors while the reads of `reading_branches` have made it pull again."""
    rs = recording_readable_stream({}, {"high_water_mark": 0})
    the_error = Exception("boo!")
    readers = readers_of_branches(rs)

    await flush_async_events()
    assert_array_equals(rs.events, ["pull"], "pull should be called once")

    rs.controller.enqueue("a")
    await Promise.all([readers[branch - 1].read() for branch in reading_branches])
    await flush_async_events()
    assert_array_equals(rs.events, ["pull", "pull"], "pull should be called twice")

    rs.controller.error(the_error)
    await Promise.all([run(promise_rejects_exactly(t, the_error, reader.closed)) for reader in readers])
    await flush_async_events()
    assert_array_equals(rs.events, ["pull", "pull"], "pull should be called twice")


def register_pulling_stops(who: str, reading_branches: tuple[int, ...]) -> None:
    async def pulling_stops(t: Test) -> None:
        await pulling_stops_at_an_error(t, reading_branches)

    title = f"ReadableStreamTee stops pulling when original stream errors while {who} reading"
    add_port(__name__, title, pulling_stops)


register_pulling_stops("branch 1 is", (1,))
register_pulling_stops("branch 2 is", (2,))
register_pulling_stops("both branches are", (1, 2))


@promise_test("ReadableStream teeing: enqueue() and close() while both branches are pulling")
async def enqueue_and_close_while_pulling(t: Test) -> None:
    rs = recording_readable_stream()
    reader1, reader2 = readers_of_branches(rs)
    branch1_reads = [reader1.read(), reader1.read()]
    branch2_reads = [reader2.read(), reader2.read()]

    await flush_async_events()
    rs.controller.enqueue("a")
    rs.controller.close()

    assert await branch1_reads[0] == ("a", False), "first chunk from branch1 should be correct"
    assert await branch2_reads[0] == ("a", False), "first chunk from branch2 should be correct"
    assert await branch1_reads[1] == (None, True), "second read() from branch1 should be done"
    assert await branch2_reads[1] == (None, True), "second read() from branch2 should be done"
