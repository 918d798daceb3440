"""The ways to leave a loop or a block."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable
from typing import Any

import pytest

from tests.faults.helpers import (
    SOURCES,
    RecordingSource,
    stream_of,
    turns,
)
from tests.grids import each_of
from webstreams import ReadableStream

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
