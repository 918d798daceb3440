"""One stored error that is raised many times: its traceback stays bounded (Y7)."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from webstreams import (
    ReadableStream,
    WritableStream,
)

from .helpers import (
    Counted,
    RecordingSource,
    count_living,
    failure,
    stream_of,
    turns,
)

# Stored errors.


class Broken(Exception):
    """What the sources below are errored with."""


def raise_in_source(controller: Any) -> None:
    raise Broken("in the source")


def raise_in_sink(chunk: Any, controller: Any) -> None:
    raise Broken("in the sink")


async def errored_read() -> Callable[[], Awaitable[Any]]:
    reader = ReadableStream[Any]({"pull": raise_in_source}).get_reader()
    return reader.read


async def errored_byob_read() -> Callable[[], Awaitable[Any]]:
    reader = ReadableStream({"type": "bytes", "pull": raise_in_source}, {"high_water_mark": 1}).get_reader(mode="byob")
    return lambda: reader.read(bytearray(1))


async def errored_closed() -> Callable[[], Awaitable[Any]]:
    reader = ReadableStream[Any]({"pull": raise_in_source}).get_reader()
    return lambda: reader.closed


async def errored_pending_read() -> Callable[[], Awaitable[Any]]:
    read = ReadableStream[Any]({"pull": raise_in_source}).get_reader().read()
    return lambda: read


async def errored_iteration() -> Callable[[], Awaitable[Any]]:
    stream: ReadableStream[Any] = ReadableStream({"pull": raise_in_source})

    async def iterate() -> None:
        async for _ in stream:
            pass

    return iterate


async def errored_cancel() -> Callable[[], Awaitable[Any]]:
    return ReadableStream[Any]({"pull": raise_in_source}).cancel


async def errored_pipe() -> Callable[[], Awaitable[Any]]:
    stream: ReadableStream[Any] = ReadableStream({"pull": raise_in_source})
    return lambda: stream.pipe_to(WritableStream())


async def errored_write() -> Callable[[], Awaitable[Any]]:
    writer = WritableStream[Any]({"write": raise_in_sink}).get_writer()
    await failure(writer.write("chunk"))
    return lambda: writer.write("chunk")


async def errored_ready() -> Callable[[], Awaitable[Any]]:
    writer = WritableStream[Any]({"write": raise_in_sink}).get_writer()
    await failure(writer.write("chunk"))
    return lambda: writer.ready


async def fail_with_a_marked_frame(attempt: Callable[[], Awaitable[Any]]) -> None:
    """Has a frame that can be found when it is kept alive."""
    marker = Counted()
    await attempt()
    raise AssertionError(f"{marker} should not be reached")


@pytest.mark.parametrize(
    "make",
    [
        errored_read,
        errored_byob_read,
        errored_closed,
        errored_pending_read,
        errored_iteration,
        errored_cancel,
        errored_pipe,
        errored_write,
        errored_ready,
    ],
)
async def test_y7_traceback_of_a_stored_error_stays_bounded(
    make: Callable[[], Awaitable[Callable[[], Awaitable[Any]]]],
) -> None:
    """1,000 failures with one stored error: the same object, whose traceback does not grow and keeps no frames."""
    attempt = await make()
    await turns()
    lengths = []
    errors = set()
    for _ in range(1_000):
        try:
            await fail_with_a_marked_frame(attempt)
        except Broken as error:
            errors.add(error)
            lengths.append(sum(1 for _ in traceback.walk_tb(error.__traceback__)))
    assert len(lengths) == 1_000
    assert len(errors) == 1
    assert lengths[999] == lengths[10]
    names = [frame.name for frame in traceback.extract_tb(errors.pop().__traceback__)]
    assert names[-1] in {"raise_in_source", "raise_in_sink"}
    assert count_living(Counted) <= 1


async def test_y7_traceback_with_many_tasks() -> None:
    """1,000 tasks wait for one promise that is rejected: the error's traceback is not longer than with ten."""

    async def lengths_with(count: int) -> int:
        source = RecordingSource()
        closed = stream_of(source).get_reader().closed

        async def wait() -> None:
            await closed

        tasks = [asyncio.create_task(wait()) for _ in range(count)]
        await turns()
        error = Broken()
        source.controller.error(error)
        assert await asyncio.gather(*tasks, return_exceptions=True) == [error] * count
        return len(traceback.extract_tb(error.__traceback__))

    assert await lengths_with(1_000) == await lengths_with(10)
