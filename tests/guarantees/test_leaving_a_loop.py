"""Leaving a loop early cancels the source once and frees the lock promptly; the context managers clean up."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterable, Awaitable, Callable
from typing import Any

import pytest

from tests.faults.helpers import (
    SOURCES,
    ByteSource,
    RecordingSource,
    chunks_stream,
    drain,
    failure,
    other_tasks,
    quiet,
    soon,
    stream_of,
    turns,
)
from tests.grids import each_of
from webstreams import Promise, ReadableStream, TransformStream, WritableStream

Chunks = AsyncIterable[Any]
Leave = Callable[[Chunks], Awaitable[None]]


class Oops(Exception):
    """What the body of a loop raises."""


async def leave_by_break(chunks: Chunks) -> None:
    async for _ in chunks:
        break


async def leave_by_return(chunks: Chunks) -> None:
    async for _ in chunks:
        return


async def leave_by_exception(chunks: Chunks) -> None:
    with pytest.raises(Oops):
        async for _ in chunks:
            raise Oops


async def leave_by_cancellation(chunks: Chunks) -> None:
    """The task is cancelled while the loop waits for the second chunk."""

    async def iterate(chunks: Chunks) -> None:
        async for _ in chunks:
            pass

    task = asyncio.create_task(iterate(chunks))
    del chunks
    await turns()
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()


async def leave_by_cancellation_in_the_body(chunks: Chunks) -> None:
    async def iterate(chunks: Chunks) -> None:
        async for _ in chunks:
            await asyncio.Event().wait()

    task = asyncio.create_task(iterate(chunks))
    del chunks
    await turns()
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()


async def leave_by_timeout(chunks: Chunks) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            async for _ in chunks:
                await asyncio.Event().wait()


async def leave_by_closing_a_generator(chunks: Chunks) -> None:
    async def generate(chunks: Chunks) -> Any:
        async for chunk in chunks:
            yield chunk

    generator = generate(chunks)
    del chunks
    await anext(generator)
    await generator.aclose()


WAYS = [
    leave_by_break,
    leave_by_return,
    leave_by_exception,
    leave_by_cancellation,
    leave_by_cancellation_in_the_body,
    leave_by_timeout,
    leave_by_closing_a_generator,
]
EVERY_WAY = each_of(leave=WAYS)
BOTH_KINDS = each_of(kind=["default", "bytes"])
BOTH_PREVENTIONS = each_of(prevent_cancel=[False, True])


def feed(kind: str, *chunks: bytes) -> tuple[RecordingSource, ReadableStream[Any]]:
    """A stream that has these chunks, and gives no more by itself."""
    source = SOURCES[kind]()
    stream = stream_of(source)
    for chunk in chunks:
        source.controller.enqueue(chunk)
    return source, stream


def assert_left(source: RecordingSource, stream: ReadableStream[Any]) -> None:
    """The stream can be locked again, and its source was cancelled once."""
    assert not stream.locked
    assert source.cancellations == [None]


# async for


@EVERY_WAY
@BOTH_KINDS
async def test_leaving_async_for_cancels_the_source_once_and_frees_the_lock_at_once(leave: Leave, kind: str) -> None:
    source, stream = feed(kind, b"a")
    with quiet():
        await leave(stream)
        assert_left(source, stream)
        await turns()
        assert await soon(drain(stream.get_reader())) == []
    assert source.cancellations == [None]
    assert not other_tasks()


@EVERY_WAY
@BOTH_KINDS
async def test_leaving_a_loop_over_values_cancels_the_source_once(leave: Leave, kind: str) -> None:
    source, stream = feed(kind, b"a")
    with quiet():
        await leave(stream.values())
        await turns()
        gc.collect()  # `leave` has a name for the iterator, and a traceback may keep its frame for a while
        assert_left(source, stream)
        await turns()
    assert source.cancellations == [None]


@EVERY_WAY
@BOTH_KINDS
async def test_leaving_a_loop_with_prevent_cancel_frees_the_lock_and_keeps_the_rest(leave: Leave, kind: str) -> None:
    source, stream = feed(kind, b"a")
    with quiet():
        await leave(stream.values(prevent_cancel=True))
        await turns()
        gc.collect()  # as above
        assert not stream.locked
        assert source.cancellations == []
        source.controller.enqueue(b"b")
        source.controller.close()
        assert await soon(drain(stream.get_reader())) == [b"b"]


@EVERY_WAY
@BOTH_KINDS
async def test_a_named_iterator_leaves_the_loop_when_it_is_dropped_later(leave: Leave, kind: str) -> None:
    source, stream = feed(kind, b"a")
    iterator = stream.values()
    with quiet():
        await leave(iterator)
        await turns()
        assert stream.locked
        assert source.cancellations == []
        del iterator
        gc.collect()
        assert_left(source, stream)
        await turns()
    assert source.cancellations == [None]


@EVERY_WAY
async def test_a_named_iterator_goes_on_where_the_loop_was_left(leave: Leave) -> None:
    source, stream = feed("default", b"a")
    iterator = stream.values()
    await leave(iterator)
    source.controller.enqueue(b"b")
    source.controller.close()
    assert [chunk async for chunk in iterator] == [b"b"]
    assert source.cancellations == []
    assert not stream.locked


@BOTH_PREVENTIONS
async def test_an_iterator_in_a_reference_cycle_leaves_when_it_is_collected(prevent_cancel: bool) -> None:
    source, stream = feed("default", b"a")
    cycle: list[Any] = [stream.values(prevent_cancel=prevent_cancel)]
    cycle.append(cycle)
    assert await soon(anext(cycle[0])) == b"a"
    assert stream.locked
    del cycle
    gc.collect()
    assert not stream.locked
    await turns()
    assert source.cancellations == ([] if prevent_cancel else [None])


@BOTH_PREVENTIONS
async def test_an_iterator_that_was_never_used_leaves_when_it_is_dropped(prevent_cancel: bool) -> None:
    source, stream = feed("default", b"a")
    stream.values(prevent_cancel=prevent_cancel)
    gc.collect()
    assert not stream.locked
    await turns()
    assert source.cancellations == ([] if prevent_cancel else [None])


async def test_an_iterator_dropped_in_another_thread_leaves_on_its_own_loop() -> None:
    source, stream = feed("default", b"a")
    box: list[Any] = [stream.values()]
    await asyncio.to_thread(box.clear)
    await turns(10)
    assert_left(source, stream)


@BOTH_KINDS
async def test_a_loop_that_ran_to_its_end_cancels_nothing_and_frees_the_lock(kind: str) -> None:
    source, stream = feed(kind, b"a", b"b")
    source.controller.close()
    iterator = stream.values()
    assert [chunk async for chunk in iterator] == [b"a", b"b"]
    assert not stream.locked
    reader = stream.get_reader()
    del iterator
    gc.collect()
    await turns()
    assert source.cancellations == []
    assert await soon(drain(reader)) == []


@BOTH_KINDS
async def test_a_loop_that_ends_with_the_stream_s_error_cancels_nothing_and_frees_the_lock(kind: str) -> None:
    source, stream = feed(kind)
    source.controller.error(Oops())
    with quiet():
        with pytest.raises(Oops):
            await leave_by_break(stream)
        assert not stream.locked
        await turns()
    assert source.cancellations == []


async def test_the_exception_of_the_body_comes_out_of_the_loop_unchanged() -> None:
    oops = Oops()
    source, stream = feed("default", b"a")

    async def iterate() -> None:
        async for _ in stream:
            raise oops

    assert await failure(iterate()) is oops
    assert oops.__context__ is None
    assert_left(source, stream)


async def test_leaving_a_loop_does_not_wait_for_the_source_s_cancel() -> None:
    never: Promise[None] = Promise.with_resolvers()[0]
    source = RecordingSource(lambda: never)
    stream = stream_of(source)
    source.controller.enqueue("a")
    await soon(leave_by_break(stream))
    assert_left(source, stream)


async def test_leaving_a_loop_reaches_the_source_behind_a_pipe() -> None:
    source, stream = feed("default", b"a")
    await leave_by_break(stream.pipe_through(TransformStream()))
    await turns(10)
    assert source.cancellations == [None]
    assert not stream.locked


async def test_leaving_a_loop_closes_the_generator_behind_from() -> None:
    closed: list[str] = []

    async def generate() -> Any:
        try:
            while True:
                yield "chunk"
        finally:
            closed.append("closed")

    stream = ReadableStream.from_(generate())
    await leave_by_break(stream)
    await turns()
    assert closed == ["closed"]
    assert not stream.locked


# aclose()


@BOTH_KINDS
@BOTH_PREVENTIONS
@each_of(pending=[0, 1, 2, 5])
async def test_aclose_does_not_wait_behind_a_read_that_never_comes(
    kind: str, prevent_cancel: bool, pending: int
) -> None:
    source, stream = feed(kind)
    iterator = stream.values(prevent_cancel=prevent_cancel)
    with quiet():
        waiting = [iterator.__anext__() for _ in range(pending)]
        await turns()
        closing = iterator.aclose()
        assert not stream.locked
        await soon(closing)
        for each in waiting:
            assert isinstance(await failure(asyncio.ensure_future(stop_is_end(each))), EOFError)
        await soon(iterator.aclose())
        with pytest.raises(StopAsyncIteration):
            await anext(iterator)
        await turns()
    assert source.cancellations == ([] if prevent_cancel else [None])


async def stop_is_end(waiting: Awaitable[Any]) -> Any:
    """StopAsyncIteration cannot come out of a task as it is in every Python."""
    try:
        return await waiting
    except StopAsyncIteration:
        raise EOFError from None


@BOTH_PREVENTIONS
@each_of(pending=[1, 3])
async def test_aclose_ends_the_tasks_that_wait_for_chunks(prevent_cancel: bool, pending: int) -> None:
    source, stream = feed("default")
    iterator = stream.values(prevent_cancel=prevent_cancel)

    async def iterate() -> str:
        async for _ in iterator:
            raise AssertionError("there is no chunk")
        return "ended"

    tasks = [asyncio.create_task(iterate()) for _ in range(pending)]
    await turns()
    await soon(iterator.aclose())
    assert await soon(asyncio.gather(*tasks)) == ["ended"] * pending
    assert source.cancellations == ([] if prevent_cancel else [None])


@each_of(pending=[1, 3])
async def test_aclose_with_prevent_cancel_leaves_the_next_chunk_to_the_next_reader(pending: int) -> None:
    source, stream = feed("default")
    iterator = stream.values(prevent_cancel=True)
    waiting = [iterator.__anext__() for _ in range(pending)]
    await turns()
    await soon(iterator.aclose())
    source.controller.enqueue("a")
    source.controller.close()
    assert await soon(drain(stream.get_reader())) == ["a"]
    await turns()
    assert all(isinstance(each.exception(), StopAsyncIteration) for each in waiting)


async def test_aclose_settles_as_the_source_s_cancel_does() -> None:
    for outcome in (Oops(), None):

        def cancel(outcome: Exception | None = outcome) -> None:
            if outcome is not None:
                raise outcome

        source = RecordingSource(cancel)
        stream = stream_of(source)
        closing = stream.values().aclose()
        assert not stream.locked
        await turns()
        assert closing.exception() is outcome


# async with stream.values() as chunks


@EVERY_WAY
@BOTH_KINDS
@BOTH_PREVENTIONS
async def test_async_with_values_leaves_at_the_end_of_the_block(leave: Leave, kind: str, prevent_cancel: bool) -> None:
    source, stream = feed(kind, b"a")
    with quiet():
        async with stream.values(prevent_cancel=prevent_cancel) as chunks:
            await leave(chunks)
            assert stream.locked
        assert not stream.locked
        assert source.cancellations == ([] if prevent_cancel else [None])
        with pytest.raises(StopAsyncIteration):
            await anext(chunks)


async def test_async_with_values_waits_until_the_source_is_cancelled() -> None:
    events: list[str] = []

    async def cancel() -> None:
        await turns()
        events.append("cancelled")

    stream = stream_of(RecordingSource(cancel))
    async with stream.values():
        events.append("block")
    assert events == ["block", "cancelled"]


async def test_async_with_values_lets_the_exception_of_the_block_through() -> None:
    source, stream = feed("default", b"a")
    oops = Oops()
    with pytest.raises(Oops) as caught:
        async with stream.values() as chunks:
            async for _ in chunks:
                raise oops
    assert caught.value is oops
    assert_left(source, stream)


async def test_async_with_values_leaves_when_the_task_is_cancelled() -> None:
    source, stream = feed("default", b"a")

    async def iterate() -> None:
        async with stream.values() as chunks:
            async for _ in chunks:
                pass

    task = asyncio.create_task(iterate())
    await turns()
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert_left(source, stream)


async def test_async_with_values_raises_what_the_source_s_cancel_raised() -> None:
    oops = Oops()

    def cancel() -> None:
        raise oops

    stream = stream_of(RecordingSource(cancel))
    with quiet(), pytest.raises(Oops) as caught:
        async with stream.values():
            pass
    assert caught.value is oops
    assert not stream.locked


async def test_async_with_values_does_nothing_more_after_the_end_of_the_stream() -> None:
    stream = chunks_stream("a", "b")
    async with stream.values() as chunks:
        assert [chunk async for chunk in chunks] == ["a", "b"]
        assert not stream.locked
        reader = stream.get_reader()
    assert stream.locked
    reader.release_lock()


# with get_reader()


@each_of(mode=[None, "byob"])
@each_of(raising=[False, True])
async def test_with_get_reader_releases_the_lock_and_cancels_nothing(mode: Any, raising: bool) -> None:
    source = ByteSource()
    stream = stream_of(source)
    with quiet():
        try:
            with stream.get_reader(mode=mode) as reader:
                assert stream.locked
                if raising:
                    raise Oops
        except Oops:
            assert raising
        assert not stream.locked
        assert source.cancellations == []
        assert isinstance(await failure(reader.closed), TypeError)
        source.controller.enqueue(b"a")
        source.controller.close()
        assert await soon(drain(stream.get_reader())) == [b"a"]


async def test_with_get_reader_accepts_a_reader_that_was_released_in_the_block() -> None:
    _, stream = feed("default")
    with stream.get_reader() as reader:
        reader.release_lock()
        other = stream.get_reader()
    assert stream.locked
    other.release_lock()


async def test_with_get_reader_rejects_a_pending_read_and_loses_no_chunk() -> None:
    source, stream = feed("default")
    with stream.get_reader() as reader:
        pending = reader.read()
    assert isinstance(await failure(pending), TypeError)
    source.controller.enqueue("a")
    source.controller.close()
    assert await soon(drain(stream.get_reader())) == ["a"]


# async with get_writer()


class Sink:
    """Records its calls; `close_error` and `abort_error` are raised by these members."""

    def __init__(self, close_error: Exception | None = None, abort_error: Exception | None = None) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.controller: Any = None
        self._close_error = close_error
        self._abort_error = abort_error

    def start(self, controller: Any) -> None:
        self.controller = controller

    async def write(self, chunk: Any, controller: Any) -> None:
        await turns(1)
        self.calls.append(("write", chunk))

    def close(self) -> None:
        self.calls.append(("close",))
        if self._close_error is not None:
            raise self._close_error

    def abort(self, reason: Any) -> None:
        self.calls.append(("abort", reason))
        if self._abort_error is not None:
            raise self._abort_error


async def test_async_with_get_writer_closes_after_everything_that_was_written() -> None:
    sink = Sink()
    stream: WritableStream[Any] = WritableStream(sink)
    with quiet():
        async with stream.get_writer() as writer:
            writer.write("a")
            writer.write("b")
        assert sink.calls == [("write", "a"), ("write", "b"), ("close",)]
        assert not stream.locked
    assert isinstance(await failure(writer.closed), TypeError)


async def test_async_with_get_writer_aborts_with_the_exception_of_the_block() -> None:
    sink = Sink()
    stream: WritableStream[Any] = WritableStream(sink)
    oops = Oops()
    with quiet():
        with pytest.raises(Oops) as caught:
            async with stream.get_writer() as writer:
                await writer.write("a")
                raise oops
        assert caught.value is oops
        assert sink.calls == [("write", "a"), ("abort", oops)]
        assert not stream.locked
        assert await failure(stream.get_writer().closed) is oops


async def test_async_with_get_writer_aborts_when_the_task_is_cancelled() -> None:
    sink = Sink()
    stream: WritableStream[Any] = WritableStream(sink)

    async def write() -> None:
        async with stream.get_writer() as writer:
            await writer.write("a")
            await asyncio.Event().wait()

    task = asyncio.create_task(write())
    await turns(10)
    task.cancel()
    with quiet():
        await asyncio.wait({task})
    assert task.cancelled()
    assert [call[0] for call in sink.calls] == ["write", "abort"]
    assert isinstance(sink.calls[1][1], asyncio.CancelledError)
    assert not stream.locked


async def test_async_with_get_writer_raises_what_a_failing_close_raised_and_frees_the_lock() -> None:
    oops = Oops()
    sink = Sink(close_error=oops)
    stream: WritableStream[Any] = WritableStream(sink)
    with quiet():
        with pytest.raises(Oops) as caught:
            async with stream.get_writer() as writer:
                await writer.write("a")
        assert caught.value is oops
        assert not stream.locked
    assert sink.calls == [("write", "a"), ("close",)]


async def test_async_with_get_writer_frees_the_lock_when_the_abort_fails_too() -> None:
    oops, worse = Oops(), Oops("worse")
    stream: WritableStream[Any] = WritableStream(Sink(abort_error=worse))
    with quiet():
        with pytest.raises(Oops) as caught:
            async with stream.get_writer():
                raise oops
        assert caught.value is oops or caught.value.__context__ is oops
        assert not stream.locked


async def test_async_with_get_writer_raises_the_error_of_a_stream_that_was_errored_meanwhile() -> None:
    oops = Oops()
    sink = Sink()
    stream: WritableStream[Any] = WritableStream(sink)
    with quiet():
        with pytest.raises(Oops) as caught:
            async with stream.get_writer():
                await turns()
                sink.controller.error(oops)
        assert caught.value is oops
        assert not stream.locked
    assert sink.calls == []


@each_of(waits=[False, True])
async def test_async_with_get_writer_accepts_a_stream_that_was_closed_in_the_block(waits: bool) -> None:
    sink = Sink()
    stream: WritableStream[Any] = WritableStream(sink)
    with quiet():
        async with stream.get_writer() as writer:
            writer.write("a")
            closing = writer.close()
            if waits:
                await closing
        assert sink.calls == [("write", "a"), ("close",)]
        assert not stream.locked


async def test_async_with_get_writer_leaves_a_stream_alone_whose_lock_was_released_in_the_block() -> None:
    sink = Sink()
    stream: WritableStream[Any] = WritableStream(sink)
    with quiet():
        async with stream.get_writer() as writer:
            writer.release_lock()
        await turns()
    assert sink.calls == []
    assert not stream.locked
