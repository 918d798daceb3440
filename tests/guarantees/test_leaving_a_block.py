"""Leaving a block: `async with` of an iteration and of a writer, `with` of a reader."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.faults.helpers import (
    ByteSource,
    RecordingSource,
    chunks_stream,
    drain,
    failure,
    quiet,
    soon,
    stream_of,
    turns,
)
from tests.grids import each_of
from webstreams import WritableStream

from .leaving import BOTH_KINDS, BOTH_PREVENTIONS, EVERY_WAY, Leave, Oops, assert_left, feed

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


async def cancelled_in_the_block(block: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    task = asyncio.create_task(block)
    await turns(10)
    task.cancel()
    with quiet():
        await asyncio.wait({task})
    return task


async def test_async_with_values_raises_the_cancellation_of_the_task_when_the_source_s_cancel_fails_too() -> None:
    def cancel() -> None:
        raise Oops

    stream = stream_of(RecordingSource(cancel))

    async def iterate() -> None:
        async with stream.values() as chunks:
            async for _ in chunks:
                pass

    assert (await cancelled_in_the_block(iterate())).cancelled()
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


@pytest.mark.parametrize(
    "sink", [lambda: Sink(abort_error=Oops()), lambda: {"start": lambda controller: controller.error(Oops())}]
)
async def test_async_with_get_writer_raises_the_cancellation_of_the_task_when_the_abort_fails_too(
    sink: Callable[[], Any],
) -> None:
    stream: WritableStream[Any] = WritableStream(sink())

    async def write() -> None:
        async with stream.get_writer():
            await asyncio.Event().wait()

    assert (await cancelled_in_the_block(write())).cancelled()
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
