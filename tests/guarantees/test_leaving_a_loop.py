"""Leaving a loop early cancels the source once and frees the lock promptly; and `aclose()`."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable
from typing import Any

import pytest

from tests.faults.helpers import (
    RecordingSource,
    drain,
    failure,
    other_tasks,
    quiet,
    soon,
    stream_of,
    turns,
)
from tests.grids import each_of
from webstreams import Promise, ReadableStream, TransformStream

from .leaving import BOTH_KINDS, BOTH_PREVENTIONS, EVERY_WAY, Leave, Oops, assert_left, feed, leave_by_break

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
