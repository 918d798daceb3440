"""Tee, iteration and `from_` (R4-R14, R24-R27)."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from webstreams import Promise, ReadableStream

from .helpers import (
    BOTH_KINDS,
    SOURCES,
    ByteSource,
    Counted,
    RecordingSource,
    count_living,
    drain,
    failure,
    other_tasks,
    quiet,
    read_all,
    reason,
    soon,
    stream_of,
    turns,
)

EITHER_BRANCH = pytest.mark.parametrize("index", [0, 1])

# Tee.


@BOTH_KINDS
@pytest.mark.parametrize("reading", [False, True])
async def test_r4_close_right_after_enqueue_on_a_teed_stream(kind: str, reading: bool) -> None:
    """enqueue() and close() in one step on a teed stream: both branches get the chunk, then the end."""
    source = SOURCES[kind]()
    branches = stream_of(source).tee()
    readers = [branch.get_reader() for branch in branches]
    pending: list[Any] = [asyncio.ensure_future(drain(reader)) for reader in readers] if reading else []
    await turns()
    source.controller.enqueue(b"chunk")
    source.controller.close()
    for task in pending or [drain(reader) for reader in readers]:
        assert await soon(task) == [b"chunk"]
    await soon(asyncio.gather(*(reader.closed for reader in readers)))


@BOTH_KINDS
@EITHER_BRANCH
async def test_r5_cancel_one_branch_and_drain_the_other(kind: str, index: int) -> None:
    """One branch is cancelled, the other one drained to the end: the cancel promise settles with that."""
    source = SOURCES[kind]()
    branches = stream_of(source).tee()
    cancelled = branches[index].cancel("enough")
    source.controller.enqueue(b"chunk")
    await turns()
    assert not cancelled.done()
    source.controller.close()
    assert await read_all(branches[1 - index]) == [b"chunk"]
    await soon(cancelled)
    assert source.cancellations == []


@BOTH_KINDS
@EITHER_BRANCH
async def test_r6_cancel_both_branches_with_a_delay(kind: str, index: int) -> None:
    """Both branches are cancelled, with a delay, and the source's cancel fails: one call, both promises reject."""
    broken = OSError("cannot cancel")

    async def refuse() -> None:
        await turns(2)
        raise broken

    source = SOURCES[kind](refuse)
    branches = stream_of(source).tee()
    reasons: list[object] = [KeyError("one"), "two"]
    with quiet():
        first = branches[index].cancel(reasons[index])
        await turns()
        assert source.cancellations == []
        second = branches[1 - index].cancel(reasons[1 - index])
        assert await failure(first) is broken
        assert await failure(second) is broken
        assert source.cancellations == [reasons]


@BOTH_KINDS
@pytest.mark.parametrize("wait", [False, True])
async def test_r7_error_then_cancel_both_branches(kind: str, wait: bool) -> None:
    """The source errors, then both branches are cancelled: both reject with that error, nothing settles twice."""
    source = SOURCES[kind]()
    branches = stream_of(source).tee()
    await turns()
    with quiet():
        source.controller.error("broken")
        if wait:
            await turns()
        for outcome in [branch.cancel("enough") for branch in branches]:
            assert await reason(outcome) == "broken"
        await turns()
    assert source.cancellations == []


@BOTH_KINDS
@EITHER_BRANCH
@pytest.mark.parametrize("wait", [False, True])
async def test_r7_error_between_the_cancellations_of_the_branches(kind: str, index: int, wait: bool) -> None:
    """The source errors after one branch was cancelled and before the other one is: each promise settles once."""
    source = SOURCES[kind]()
    branches = stream_of(source).tee()
    await turns()
    with quiet():
        first = branches[index].cancel("enough")
        source.controller.error("broken")
        if wait:
            await turns()
            await soon(first)
        second = branches[1 - index].cancel("enough")
        assert await reason(second) == "broken"
        assert first.done()
        assert wait or await reason(first) == "broken"
        await turns()


class Limited:
    """Gives so many chunks, each when it is asked, and then no more."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.given = 0

    def pull(self, controller: Any) -> None:
        if self.given < self.count:
            self.given += 1
            controller.enqueue(b"chunk")


class LimitedBytes(Limited):
    type = "bytes"


@pytest.mark.parametrize("source_type", [Limited, LimitedBytes])
@EITHER_BRANCH
async def test_r8_unread_branch_queues_every_chunk(source_type: type[Limited], index: int) -> None:
    """One branch is read 4,000 times, the other one not at all: exactly 4,000 chunks wait in that."""
    source = source_type(4_000)
    branches = stream_of(source).tee()
    reader = branches[index].get_reader()
    for _ in range(4_000):
        assert (await reader.read()).value == b"chunk"
    assert source.given == 4_000
    waiting = branches[1 - index].get_reader()
    reads = [waiting.read() for _ in range(4_010)]
    assert [each.done() for each in reads] == [True] * 4_000 + [False] * 10
    waiting.release_lock()
    for each in reads[4_000:]:
        assert isinstance(await failure(each), TypeError)


@EITHER_BRANCH
async def test_r9_dropped_branch_keeps_no_chunks(index: int) -> None:
    """One branch is dropped without cancel(): its chunks are collected, the other branch goes on, and with its
    cancellation the source is cancelled, as if the dropped one, and no other, had been cancelled before."""

    class Source(RecordingSource):
        def pull(self, controller: Any) -> None:
            controller.enqueue(Counted())

    source = Source()
    kept = stream_of(source).tee()[1 - index]
    gc.collect()
    reader = kept.get_reader()
    for _ in range(1_000):
        assert isinstance((await soon(reader.read())).value, Counted)
    assert count_living(Counted) < 10
    await soon(reader.cancel("enough"))
    assert [reasons[1 - index] for reasons in source.cancellations] == ["enough"]


@EITHER_BRANCH
async def test_r9_dropped_byte_branch_keeps_no_bytes(index: int) -> None:
    """The same with bytes: 100 chunks of 100 kB leave no 10 MB behind."""
    size = 100_000
    source = ByteSource(pull=lambda controller: controller.enqueue(bytes(size)))
    kept = stream_of(source).tee()[1 - index]
    gc.collect()
    reader = kept.get_reader()
    tracemalloc.start()
    try:
        for _ in range(100):
            value, _ = await soon(reader.read())
            assert len(value or b"") == size
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 10 * size
    await soon(reader.cancel("enough"))
    assert [reasons[1 - index] for reasons in source.cancellations] == ["enough"]


@BOTH_KINDS
@pytest.mark.parametrize("used", [False, True])
async def test_r9_both_dropped_branches_are_collected(kind: str, used: bool) -> None:
    """Both branches are dropped without cancel(): streams, queues and source are collected."""

    class Marker:
        pass

    async def use() -> weakref.ref[Any]:
        source = SOURCES[kind]()
        marker = Marker()
        source.marker = marker  # type: ignore[attr-defined]
        branches = stream_of(source).tee()
        await turns()
        if used:
            source.controller.enqueue(b"chunk")
            assert await branches[0].get_reader().read() == (b"chunk", False)
            await turns()
        return weakref.ref(marker)

    dropped = await use()
    await turns()
    gc.collect()
    assert dropped() is None


# Leaving an iteration.


async def leave_by_break(stream: ReadableStream[Any]) -> None:
    async for _ in stream:
        break


async def leave_by_return(stream: ReadableStream[Any]) -> Any:
    async for chunk in stream:
        return chunk


async def leave_by_exception(stream: ReadableStream[Any]) -> None:
    with pytest.raises(KeyError):
        async for chunk in stream:
            raise KeyError(chunk)


async def leave_by_context_manager(stream: ReadableStream[Any]) -> None:
    async with stream.values() as chunks:
        async for _ in chunks:
            break


async def leave_by_cancellation(stream: ReadableStream[Any]) -> None:
    async def iterate() -> None:
        async for _ in stream:
            await asyncio.get_running_loop().create_future()

    task = asyncio.create_task(iterate())
    await turns()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def leave_by_cancellation_of_the_read(stream: ReadableStream[Any]) -> None:
    async def iterate() -> None:
        async for _ in stream:
            pass

    task = asyncio.create_task(iterate())
    await turns()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def leave_by_dropping_the_iterator(stream: ReadableStream[Any]) -> None:
    chunks = stream.values()
    async for _ in chunks:
        break
    assert stream.locked
    del chunks


@BOTH_KINDS
@pytest.mark.parametrize(
    "leave",
    [
        leave_by_break,
        leave_by_return,
        leave_by_exception,
        leave_by_context_manager,
        leave_by_cancellation,
        leave_by_cancellation_of_the_read,
        leave_by_dropping_the_iterator,
    ],
)
async def test_r10_leaving_the_iteration_cancels_once(
    kind: str, leave: Callable[[ReadableStream[Any]], Awaitable[Any]]
) -> None:
    """break, return, an exception or a cancellation in the loop: the source is cancelled once, the lock is free."""
    source = SOURCES[kind]()
    stream = stream_of(source)
    source.controller.enqueue(b"first")
    with quiet():
        await leave(stream)
        assert not stream.locked
        assert len(source.cancellations) == 1
        gc.collect()
        await turns()
        assert len(source.cancellations) == 1
        assert not other_tasks()


@BOTH_KINDS
@pytest.mark.parametrize("ending", ["close", "error"])
async def test_r11_iteration_to_its_end_frees_the_lock(kind: str, ending: str) -> None:
    """An iteration that comes to the end of the stream or to its error: the lock is free, nothing is cancelled."""
    source = SOURCES[kind]()
    stream = stream_of(source)

    async def iterate() -> list[Any]:
        return [chunk async for chunk in stream]

    task = asyncio.ensure_future(iterate())
    await turns()
    source.controller.enqueue(b"chunk")
    await turns()
    if ending == "close":
        source.controller.close()
        assert await soon(task) == [b"chunk"]
    else:
        source.controller.error("broken")
        assert await reason(task) == "broken"
    assert not stream.locked
    assert source.cancellations == []


@BOTH_KINDS
async def test_r12_break_without_cancel_leaves_the_rest(kind: str) -> None:
    """values(prevent_cancel=True), break after 1 of 5 queued chunks: the next reader gets the other four."""
    source = SOURCES[kind]()
    stream = stream_of(source)
    for number in range(1, 6):
        source.controller.enqueue(b"%d" % number)
    async for chunk in stream.values(prevent_cancel=True):
        assert chunk == b"1"
        break
    assert not stream.locked
    source.controller.close()
    assert await read_all(stream) == [b"2", b"3", b"4", b"5"]
    assert source.cancellations == []


@BOTH_KINDS
@pytest.mark.parametrize("prevent_cancel", [False, True])
@pytest.mark.parametrize("in_task", [False, True])
async def test_r13_aclose_with_anext_pending(kind: str, prevent_cancel: bool, in_task: bool) -> None:
    """aclose() while `__anext__` waits for a silent source: it returns, the other one ends, the lock is free."""
    source = SOURCES[kind]()
    stream = stream_of(source)
    iterator = stream.values(prevent_cancel=prevent_cancel)

    async def next_one() -> Any:
        return await anext(iterator)

    async def stops(awaitable: Awaitable[Any]) -> bool:
        try:
            await awaitable
        except StopAsyncIteration:
            return True
        return False

    waiting = asyncio.create_task(stops(next_one())) if in_task else iterator.__anext__()
    await turns()
    await soon(iterator.aclose())
    assert await soon(waiting if in_task else stops(waiting))
    assert not stream.locked
    assert source.cancellations == ([] if prevent_cancel else [None])
    assert await stops(iterator.__anext__())


async def test_r13_aclose_with_several_anext_pending() -> None:
    """aclose() while three `__anext__` wait in a row: all of them end."""
    source = RecordingSource()
    stream = stream_of(source)
    iterator = stream.values()
    waiting = [iterator.__anext__() for _ in range(3)]
    await turns()
    await soon(iterator.aclose())
    for each in waiting:
        with pytest.raises(StopAsyncIteration):
            await soon(each)
    assert not stream.locked
    assert len(source.cancellations) == 1


@pytest.mark.parametrize(("source_type", "length"), [(Limited, 20_000), (LimitedBytes, 10_000)])
async def test_r14_long_iteration_keeps_no_promises(source_type: type[Limited], length: int) -> None:
    """Many chunks are iterated over: the number of living promises stays what it was after the first thousand."""
    count = 0
    before = 0
    async for _ in stream_of(source_type(length)):
        count += 1
        if count == 1_000:
            before = count_living(Promise)
        if count == length:
            break
    assert count == length
    assert count_living(Promise) <= before + 10


async def test_r14_many_calls_of_anext_without_waiting() -> None:
    """8,000 calls of `__anext__` without a wait in between: answered in order, without recursion."""
    source = RecordingSource()
    iterator = stream_of(source).values()
    waiting = [iterator.__anext__() for _ in range(8_000)]
    for number in range(8_000):
        source.controller.enqueue(number)
    assert [await each for each in waiting] == list(range(8_000))


async def test_r14_long_chain_of_ended_anext() -> None:
    """10,000 calls of `__anext__` on a stream that closes before the first is answered: all of them end."""
    source = RecordingSource()
    iterator = stream_of(source).values()
    waiting = [iterator.__anext__() for _ in range(10_000)]
    source.controller.close()
    stopped = 0
    for each in waiting:
        try:
            await each
        except StopAsyncIteration:
            stopped += 1
    assert stopped == len(waiting)


# from_().


@pytest.mark.parametrize("is_async", [False, True])
async def test_r24_from_takes_no_item_before_the_first_read(is_async: bool) -> None:
    """from_() takes its first item with the first read, and one with each."""
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(5):
            taken.append(number)
            yield number

    async def async_items() -> AsyncIterator[int]:
        for number in items():
            yield number

    stream = ReadableStream.from_(async_items() if is_async else items())
    await turns(10)
    assert taken == []
    reader = stream.get_reader()
    await turns(10)
    assert taken == []
    assert await soon(reader.read()) == (0, False)
    await turns(10)
    assert taken == [0]


@pytest.mark.parametrize("chunk", ["text", b"bytes", bytearray(b"bytes"), memoryview(b"bytes")], ids=type)
async def test_r25_from_text_is_a_type_error(chunk: Any) -> None:
    """from_("text"), and from_() of bytes: TypeError, it is most likely one chunk."""
    with pytest.raises(TypeError, match=type(chunk).__name__):
        ReadableStream.from_(chunk)


@pytest.mark.parametrize("form", ["coroutine", "future", "promise"])
async def test_r26_from_sync_iterator_ends_with_a_failing_awaitable(form: str) -> None:
    """A sync iterator whose last item is an awaitable that fails: the error comes out, nothing stays unretrieved."""

    async def fail() -> None:
        raise KeyError("last")

    def failing() -> Any:
        if form == "future":
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            future.set_exception(KeyError("last"))
            return future
        return fail() if form == "coroutine" else Promise.reject(KeyError("last"))

    def items() -> Iterator[Any]:
        yield Promise.resolve("first")
        yield failing()

    with quiet():
        reader = ReadableStream.from_(items()).get_reader()
        assert await soon(reader.read()) == ("first", False)
        assert isinstance(await failure(reader.read()), KeyError)
        assert isinstance(await failure(reader.closed), KeyError)
        del reader
        await turns()


class SilentIterator:
    """Its next item never comes; it records that it was closed."""

    def __init__(self) -> None:
        self.closed = 0

    def __aiter__(self) -> SilentIterator:
        return self

    async def __anext__(self) -> Any:
        await asyncio.get_running_loop().create_future()

    async def aclose(self) -> None:
        self.closed += 1


async def test_r27_cancel_while_anext_of_an_iterator_is_pending() -> None:
    """A from_() stream is cancelled while `__anext__` waits: the iterator's aclose() runs, no task stays behind."""
    with quiet():
        iterator = SilentIterator()
        reader = ReadableStream.from_(iterator).get_reader()
        pending = reader.read()
        await turns()
        await soon(reader.cancel("enough"))
        assert await soon(pending) == (None, True)
        await turns()
        assert iterator.closed == 1
        assert not other_tasks()


async def test_r27_cancel_while_anext_of_a_generator_is_pending() -> None:
    """The same with an async generator: its `finally` blocks run before cancel() settles, no task stays behind."""
    events: list[str] = []

    async def generate() -> AsyncIterator[str]:
        try:
            yield "first"
            await asyncio.get_running_loop().create_future()
        finally:
            events.append("cleaning")
            await asyncio.sleep(0)
            events.append("clean")

    with quiet():
        reader = ReadableStream.from_(generate()).get_reader()
        await soon(reader.read())
        pending = reader.read()
        await turns()
        await soon(reader.cancel("enough"))
        assert events == ["cleaning", "clean"]
        assert await soon(pending) == (None, True)
        await turns()
        assert not other_tasks()
