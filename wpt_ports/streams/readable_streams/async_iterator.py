"""Port of streams/readable-streams/async-iterator.any.js."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from typing import Any

from webstreams import CountQueuingStrategy, Promise, ReadableStream, ReadableStreamDefaultController
from wpt_ports.harness import (
    Test,
    add_port,
    assert_array_equals,
    assert_throws_js,
    flush_async_events,
    promise_rejects_exactly,
    promise_test,
    reason_of,
    rejection,
    run,
    same,
    test,
)
from wpt_ports.resources.recording_streams import RecordingReadableStream, recording_readable_stream

error1 = Exception("error1")

# What `settled` gives for a promise of the iterator that ends the iteration.
ENDED = object()


class ErrorsAfterOneChunk:
    """An underlying source that pulls 0, then an error."""

    def __init__(self) -> None:
        self.times_pulled = 0

    def pull(self, controller: ReadableStreamDefaultController[Any]) -> None:
        if self.times_pulled == 0:
            controller.enqueue(0)
            self.times_pulled += 1
        else:
            controller.error(error1)


class Counts:
    """An underlying source that pulls 0, 1, 2, ..."""

    def __init__(self) -> None:
        self.times_pulled = 0

    def pull(self, controller: ReadableStreamDefaultController[Any]) -> None:
        controller.enqueue(self.times_pulled)
        self.times_pulled += 1


def stream_of(*chunks: Any) -> ReadableStream[Any]:
    """A stream of these chunks, which are all there from the start."""

    def start(controller: ReadableStreamDefaultController[Any]) -> None:
        for chunk in chunks:
            controller.enqueue(chunk)
        controller.close()

    return ReadableStream({"start": start})


async def all_chunks(stream: ReadableStream[Any]) -> list[Any]:
    return [chunk async for chunk in stream]


async def settled(promise: Awaitable[Any]) -> tuple[str, Any]:
    """How `promise` settles: the pair that `Promise.allSettled` gives, with ENDED where the iteration ends."""
    try:
        return "fulfilled", await promise
    except StopAsyncIteration:
        return "fulfilled", ENDED
    except Exception as error:
        return "rejected", reason_of(error)


async def all_settled(*promises: Awaitable[Any]) -> list[tuple[str, Any]]:
    """``Promise.allSettled``: every promise is being waited for before this first suspends."""
    return await Promise.all([run(settled(promise)) for promise in promises])


def assert_settled(outcome: tuple[str, Any], status: str, value: Any, message: str) -> None:
    assert outcome[0] == status, f"{message} promise is {outcome!r}"
    assert same(outcome[1], value), f"{message} gave {outcome[1]!r} instead of {value!r}"


async def assert_ends(promise: Awaitable[Any], message: str) -> None:
    """`promise`, of ``__anext__()``, ends the iteration."""
    assert_settled(await settled(promise), "fulfilled", ENDED, message)


async def assert_returns(promise: Awaitable[Any], message: str) -> None:
    """`promise`, of ``aclose()``, is fulfilled; there is no return value to hand through."""
    assert_settled(await settled(promise), "fulfilled", None, message)


@test("Async iterator instances should have the correct list of properties")
def properties(t: Test) -> None:
    it: Any = ReadableStream().values()
    assert isinstance(it, AsyncIterator), "should be an asynchronous iterator"
    assert it.__aiter__() is it, "should be its own iterable"
    for name in ("__anext__", "aclose"):
        assert callable(getattr(it, name)), f"{name} should be a method"
    assert not hasattr(it, "athrow"), "athrow should not exist"


@promise_test("Async-iterating a push source")
async def push_source(t: Test) -> None:
    assert_array_equals(await all_chunks(stream_of(1, 2, 3)), [1, 2, 3])


class PullsThree:
    """An underlying source that pulls `chunks` and closes the stream with the last one."""

    def __init__(self, *chunks: Any) -> None:
        self.left = list(chunks)

    def pull(self, controller: ReadableStreamDefaultController[Any]) -> None:
        controller.enqueue(self.left.pop(0))
        if not self.left:
            controller.close()


@promise_test("Async-iterating a pull source")
async def pull_source(t: Test) -> None:
    assert_array_equals(await all_chunks(ReadableStream(PullsThree(1, 2, 3))), [1, 2, 3])


@promise_test("Async-iterating a push source with undefined values")
async def push_source_of_none(t: Test) -> None:
    assert_array_equals(await all_chunks(stream_of(None, None, None)), [None, None, None])


@promise_test("Async-iterating a pull source with undefined values")
async def pull_source_of_none(t: Test) -> None:
    assert_array_equals(await all_chunks(ReadableStream(PullsThree(None, None, None))), [None, None, None])


@promise_test("Async-iterating a pull source manually")
async def pull_source_by_hand(t: Test) -> None:
    s = recording_readable_stream({"pull": PullsThree(1, 2, 3).pull}, CountQueuingStrategy(high_water_mark=0))
    it = s.values()
    assert_array_equals(s.events, [])

    assert same(await it.__anext__(), 1)
    assert_array_equals(s.events, ["pull"])

    assert same(await it.__anext__(), 2)
    assert_array_equals(s.events, ["pull", "pull"])

    assert same(await it.__anext__(), 3)
    assert_array_equals(s.events, ["pull", "pull", "pull"])

    await assert_ends(it.__anext__(), "4th __anext__()")
    assert_array_equals(s.events, ["pull", "pull", "pull"])


@promise_test("Async-iterating an errored stream throws")
async def errored_stream(t: Test) -> None:
    def start(controller: ReadableStreamDefaultController[Any]) -> None:
        controller.error("e")

    s: ReadableStream[Any] = ReadableStream({"start": start})
    assert same(await rejection(run(all_chunks(s))), "e")


@promise_test("Async-iterating a closed stream never executes the loop body, but works fine")
async def closed_stream(t: Test) -> None:
    async for _ in stream_of():
        raise AssertionError("the loop body should not run")


@promise_test(
    "Async-iterating an empty but not closed/errored stream never executes the loop body and stalls the async function"
)
async def stalled_stream(t: Test) -> None:
    s: ReadableStream[Any] = ReadableStream()
    unreached = t.unreached("neither the loop body nor the end of the loop should be reached")

    async def loop() -> None:
        async for _ in s:
            unreached()
        unreached()

    stalled = run(loop())
    await flush_async_events()
    assert not stalled.done()


@promise_test("Async-iterating a partially consumed stream")
async def partially_consumed(t: Test) -> None:
    s = stream_of(1, 2, 3)
    reader = s.get_reader()
    assert await reader.read() == (1, False)
    reader.release_lock()
    assert_array_equals(await all_chunks(s), [2, 3])


# Leaving the loop early.


def recording_stream_of_one_chunk() -> RecordingReadableStream:
    def start(controller: ReadableStreamDefaultController[Any]) -> None:
        controller.enqueue(0)

    return recording_readable_stream({"start": start})


async def leave_loop(way: str, stream: ReadableStream[Any], prevent_cancel: bool) -> None:
    """Leave the loop over `stream` in its first round."""
    async for _ in stream.values(prevent_cancel=prevent_cancel):
        if way == "throw":
            raise error1
        if way == "break":
            break
        if way == "return":
            return


def register_leave_loop(way: str, prevent_cancel: bool) -> None:
    async def leaves_loop(t: Test) -> None:
        s = recording_stream_of_one_chunk()
        await settled(run(leave_loop(way, s, prevent_cancel)))
        if prevent_cancel:
            assert_array_equals(s.events, ["pull"], "cancel() should not be called")
        else:
            assert_array_equals(s.events, ["pull", "cancel", None], "cancel() should be called")

    value = str(prevent_cancel).lower()
    title = f"Cancellation behavior when {way}ing inside loop body; preventCancel = {value}"
    add_port(__name__, title, leaves_loop)


for loop_way in ("throw", "break", "return"):
    for loop_prevent_cancel in (False, True):
        register_leave_loop(loop_way, loop_prevent_cancel)


def register_manual_return(prevent_cancel: bool) -> None:
    async def returns_by_hand(t: Test) -> None:
        s = recording_stream_of_one_chunk()
        it = s.values(prevent_cancel=prevent_cancel)
        await it.aclose()
        if prevent_cancel:
            assert_array_equals(s.events, [], "cancel() should not be called")
        else:
            assert_array_equals(s.events, ["cancel", None], "cancel() should be called")

    value = str(prevent_cancel).lower()
    title = f"Cancellation behavior when manually calling return(); preventCancel = {value}"
    add_port(__name__, title, returns_by_hand)


for manual_prevent_cancel in (False, True):
    register_manual_return(manual_prevent_cancel)


# Sequences of __anext__() and aclose().


@promise_test("next() rejects if the stream errors")
async def next_rejects(t: Test) -> None:
    it = aiter(ReadableStream(ErrorsAfterOneChunk()))
    assert same(await it.__anext__(), 0), "1st __anext__()"
    await promise_rejects_exactly(t, error1, it.__anext__(), "2nd __anext__()")


@promise_test("return() does not rejects if the stream has not errored yet")
async def return_before_error(t: Test) -> None:
    it = aiter(ReadableStream(ErrorsAfterOneChunk()))
    await assert_returns(it.aclose(), "aclose()")


@promise_test("return() rejects if the stream has errored")
async def return_after_error(t: Test) -> None:
    # The error comes from pull: with an error from start there would be nothing to iterate over.
    def pull(controller: ReadableStreamDefaultController[Any]) -> None:
        controller.error(error1)

    s: ReadableStream[Any] = ReadableStream({"pull": pull})
    it = aiter(s)
    await flush_async_events()
    await promise_rejects_exactly(t, error1, it.aclose())


@promise_test("next() that succeeds; next() that reports an error; next()")
async def next_error_next(t: Test) -> None:
    it = aiter(ReadableStream(ErrorsAfterOneChunk()))
    assert same(await it.__anext__(), 0), "1st __anext__()"
    await promise_rejects_exactly(t, error1, it.__anext__(), "2nd __anext__()")
    await assert_ends(it.__anext__(), "3rd __anext__()")


@promise_test("next() that succeeds; next() that reports an error(); next() [no awaiting]")
async def next_error_next_at_once(t: Test) -> None:
    it = aiter(ReadableStream(ErrorsAfterOneChunk()))
    results = await all_settled(it.__anext__(), it.__anext__(), it.__anext__())
    assert_settled(results[0], "fulfilled", 0, "1st __anext__()")
    assert_settled(results[1], "rejected", error1, "2nd __anext__()")
    assert_settled(results[2], "fulfilled", ENDED, "3rd __anext__()")


@promise_test("next() that succeeds; next() that reports an error(); return()")
async def next_error_return(t: Test) -> None:
    it = aiter(ReadableStream(ErrorsAfterOneChunk()))
    assert same(await it.__anext__(), 0), "1st __anext__()"
    await promise_rejects_exactly(t, error1, it.__anext__(), "2nd __anext__()")
    await assert_returns(it.aclose(), "aclose()")


@promise_test("next() that succeeds; next() that reports an error(); return() [no awaiting]")
async def next_error_return_at_once(t: Test) -> None:
    it = aiter(ReadableStream(ErrorsAfterOneChunk()))
    # Unlike return(), aclose() would not wait for a chunk that is not there yet.
    await flush_async_events()
    results = await all_settled(it.__anext__(), it.__anext__(), it.aclose())
    assert_settled(results[0], "fulfilled", 0, "1st __anext__()")
    assert_settled(results[1], "rejected", error1, "2nd __anext__()")
    assert_settled(results[2], "fulfilled", None, "aclose()")


@promise_test("next() that succeeds; return()")
async def next_return(t: Test) -> None:
    source = Counts()
    it = aiter(ReadableStream(source))
    assert same(await it.__anext__(), 0), "__anext__()"
    await assert_returns(it.aclose(), "aclose()")
    assert source.times_pulled == 2


@promise_test("next() that succeeds; return() [no awaiting]")
async def next_return_at_once(t: Test) -> None:
    source = Counts()
    it = aiter(ReadableStream(source))
    # Unlike return(), aclose() would not wait for a chunk that is not there yet.
    await flush_async_events()
    results = await all_settled(it.__anext__(), it.aclose())
    assert_settled(results[0], "fulfilled", 0, "__anext__()")
    assert_settled(results[1], "fulfilled", None, "aclose()")
    assert source.times_pulled == 2


async def in_order(promise: Awaitable[Any], order: list[str], name: str) -> Any:
    """The value of `promise`; when it is there, `name` goes into `order`."""
    try:
        return await promise
    finally:
        order.append(name)


@promise_test("return(); next()")
async def return_next(t: Test) -> None:
    it = ReadableStream().values()
    await assert_returns(it.aclose(), "aclose()")
    await assert_ends(it.__anext__(), "__anext__()")


@promise_test("return(); next() [no awaiting]")
async def return_next_at_once(t: Test) -> None:
    it = ReadableStream().values()
    order: list[str] = []
    results = await all_settled(in_order(it.aclose(), order, "return"), in_order(it.__anext__(), order, "next"))
    assert_settled(results[0], "fulfilled", None, "aclose()")
    assert_settled(results[1], "fulfilled", ENDED, "__anext__()")
    assert_array_equals(order, ["return", "next"], "__anext__() resolves after aclose()")


@promise_test("return(); return()")
async def return_return(t: Test) -> None:
    it = ReadableStream().values()
    await assert_returns(it.aclose(), "1st aclose()")
    await assert_returns(it.aclose(), "2nd aclose()")


@promise_test("return(); return() [no awaiting]")
async def return_return_at_once(t: Test) -> None:
    it = ReadableStream().values()
    order: list[str] = []
    results = await all_settled(in_order(it.aclose(), order, "return 1"), in_order(it.aclose(), order, "return 2"))
    assert_settled(results[0], "fulfilled", None, "1st aclose()")
    assert_settled(results[1], "fulfilled", None, "2nd aclose()")
    assert_array_equals(order, ["return 1", "return 2"], "2nd aclose() resolves after 1st aclose()")


# The lock.


@test("values() throws if there's already a lock")
def values_of_locked_stream(t: Test) -> None:
    s = stream_of(0)
    it = s.values()
    assert_throws_js(TypeError, s.values, "values() should raise")
    del it


@promise_test("Acquiring a reader after exhaustively async-iterating a stream")
async def reader_after_all_chunks(t: Test) -> None:
    s = stream_of(1, 2, 3)
    assert_array_equals(await all_chunks(s), [1, 2, 3])
    reader = s.get_reader()
    await reader.closed


@promise_test("Acquiring a reader after return()ing from a stream that errors")
async def reader_after_error(t: Test) -> None:
    s: ReadableStream[Any] = ReadableStream(ErrorsAfterOneChunk())
    it = s.values(prevent_cancel=True)
    assert same(await it.__anext__(), 0), "1st __anext__()"
    await promise_rejects_exactly(t, error1, it.__anext__(), "2nd __anext__()")
    await assert_returns(it.aclose(), "aclose()")

    # Not rejected with the TypeError of a locked stream.
    reader = s.get_reader()
    await promise_rejects_exactly(t, error1, reader.closed, "closed of the new reader should reject with the error")


@promise_test("Acquiring a reader after partially async-iterating a stream")
async def reader_after_break(t: Test) -> None:
    s = stream_of(1, 2, 3)
    chunks = []
    async for chunk in s:
        chunks.append(chunk)
        if chunk >= 2:
            break
    assert_array_equals(chunks, [1, 2])

    reader = s.get_reader()
    await reader.closed


@promise_test(
    "Acquiring a reader and reading the remaining chunks after partially async-iterating a stream"
    " with preventCancel = true"
)
async def remaining_chunks_after_break(t: Test) -> None:
    s = stream_of(1, 2, 3)
    chunks = []
    async for chunk in s.values(prevent_cancel=True):
        chunks.append(chunk)
        if chunk >= 2:
            break
    assert_array_equals(chunks, [1, 2])

    reader = s.get_reader()
    assert await reader.read() == (3, False)
    await reader.closed


def register_synchronous_unlock(prevent_cancel: bool) -> None:
    async def unlocks_synchronously(t: Test) -> None:
        rs: ReadableStream[Any] = ReadableStream()
        it = rs.values(prevent_cancel=prevent_cancel)
        it.aclose()
        rs.get_reader()

    value = str(prevent_cancel).lower()
    title = f"return() should unlock the stream synchronously when preventCancel = {value}"
    add_port(__name__, title, unlocks_synchronously)


for unlock_prevent_cancel in (False, True):
    register_synchronous_unlock(unlock_prevent_cancel)


@promise_test("close() while next() is pending")
async def close_while_next_is_pending(t: Test) -> None:
    async def start(controller: ReadableStreamDefaultController[Any]) -> None:
        for chunk in ("a", "b", "c"):
            controller.enqueue(chunk)
        await flush_async_events()
        # The iterator's read is pending now: closing the stream settles it, and the iterator releases its lock
        # while the stream is still being closed.
        controller.close()

    rs: ReadableStream[Any] = ReadableStream({"start": start})
    assert_array_equals(await all_chunks(rs), ["a", "b", "c"])
