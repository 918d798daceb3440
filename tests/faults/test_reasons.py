"""Reasons of any type: what JavaScript can throw is no exception here (Y6)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from webstreams import (
    StreamError,
    TransformStream,
    WritableStream,
)

from .helpers import (
    RecordingSource,
    failure,
    quiet,
    soon,
    stream_of,
    turns,
)

# Reasons that are no exceptions.

REASONS = [
    "text",
    42,
    None,
    ["list"],
    asyncio.CancelledError("reason"),
    StopIteration("reason"),
    KeyboardInterrupt("x"),
]
EVERY_REASON = pytest.mark.parametrize("given", REASONS, ids=repr)


@EVERY_REASON
async def test_y6_error_with_any_object(given: object) -> None:
    """error(42) and the like: a read fails with a StreamError that has the object, each time and in every task."""
    source = RecordingSource()
    reader = stream_of(source).get_reader()
    with quiet(1):
        pending = reader.read()
        source.controller.error(given)
        for awaitable in (pending, pending, reader.read(), reader.closed):
            error = await failure(awaitable)
            assert isinstance(error, StreamError)
            assert error.reason is given
        assert isinstance(pending.exception(), StreamError)


@EVERY_REASON
async def test_y6_cancel_with_any_object(given: object) -> None:
    """cancel(None) and the like: the source gets the very object, through a pipe and a tee as well."""
    source = RecordingSource()
    await soon(stream_of(source).cancel(given))
    assert source.cancellations[0] is given
    teed_source = RecordingSource()
    branches = stream_of(teed_source).tee()
    await soon(asyncio.gather(*(branch.cancel(given) for branch in branches)))
    assert [each is given for each in teed_source.cancellations[0]] == [True, True]
    transform: TransformStream[Any, Any] = TransformStream()
    piped_source = RecordingSource()
    end = stream_of(piped_source).pipe_through(transform)
    await turns()
    await soon(end.cancel(given))
    await turns()
    assert [each is given for each in piped_source.cancellations] == [True]


@EVERY_REASON
async def test_y6_abort_with_any_object(given: object) -> None:
    """abort("text") and the like: the sink gets the very object, writes fail with a StreamError that has it."""
    reasons: list[object] = []
    gate = asyncio.Event()
    with quiet(1):
        writer = WritableStream[Any](
            {"write": lambda chunk, controller: gate.wait(), "abort": reasons.append}
        ).get_writer()
        writing = [writer.write("in flight"), writer.write("queued")]
        await turns()
        aborted = writer.abort(given)
        gate.set()
        await soon(aborted)
        await soon(writing[0])
        for awaitable in (writing[1], writer.write("late"), writer.closed, writer.ready):
            error = await failure(awaitable)
            assert isinstance(error, StreamError)
            assert error.reason is given
    assert len(reasons) == 1
    assert reasons[0] is given
