"""Loops that end while streams are open (Y10)."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from tests.loops import EVERY_LOOP
from webstreams import (
    ReadableStream,
    TransformStream,
    WritableStream,
)

from .helpers import RecordingSource, chunks_stream, stream_of, turns

# The end of the loop.


async def leave_reads() -> Any:
    stream = stream_of(RecordingSource())
    reader = stream.get_reader()
    return reader, reader.read(), reader.closed


async def leave_running_pull() -> Any:
    async def pull(controller: Any) -> None:
        await asyncio.get_running_loop().create_future()

    streams = [stream_of({"pull": pull}), stream_of({"type": "bytes", "pull": pull}, 1)]
    await turns()
    return streams


async def leave_running_start() -> Any:
    async def start(controller: Any) -> None:
        await asyncio.Event().wait()

    return ReadableStream[Any]({"start": start}), WritableStream[Any]({"start": start})


async def leave_running_write() -> Any:
    async def write(chunk: Any, controller: Any) -> None:
        await asyncio.sleep(1000)

    writer = WritableStream[Any]({"write": write}).get_writer()
    for promise in (writer.write("a"), writer.write("b"), writer.close()):
        promise.then(None, lambda _: None)
    await turns()
    return writer


async def leave_callback_that_reads() -> Any:
    """A callback that waits for a promise of the library, not for one of the loop."""
    inner = stream_of(RecordingSource()).get_reader()

    async def pull(controller: Any) -> None:
        controller.enqueue((await inner.read()).value)

    stream = stream_of({"pull": pull})
    await turns()
    return stream


async def leave_pipe() -> Any:
    transform: TransformStream[Any, Any] = TransformStream()
    promise = stream_of(RecordingSource()).pipe_through(transform).pipe_to(WritableStream())
    await turns()
    return promise


async def leave_tee() -> Any:
    branches = stream_of(RecordingSource()).tee()
    reads = [branch.get_reader().read() for branch in branches]
    await turns()
    return branches, reads


async def leave_iteration() -> Any:
    stream = chunks_stream("a", "b", "c")
    iterator = stream.values()
    assert await anext(iterator) == "a"
    return stream, iterator


async def leave_generator() -> Any:
    async def generate() -> AsyncIterator[str]:
        yield "first"
        await asyncio.get_running_loop().create_future()

    reader = ReadableStream.from_(generate()).get_reader()
    await reader.read()
    reader.read().then(None, lambda _: None)
    return reader


async def leave_microtasks() -> Any:
    source = RecordingSource()
    reader = stream_of(source).get_reader()
    read = reader.read()
    read.then(lambda _: source.controller.close())
    source.controller.enqueue("chunk")
    return reader


@EVERY_LOOP
@pytest.mark.parametrize("tidy", [True, False], ids=["asyncio.Runner", "loop.close()"])
@pytest.mark.parametrize("dropped", ["before", "after"])
@pytest.mark.parametrize(
    "leave",
    [
        leave_reads,
        leave_running_pull,
        leave_running_start,
        leave_running_write,
        leave_callback_that_reads,
        leave_pipe,
        leave_tee,
        leave_iteration,
        leave_generator,
        leave_microtasks,
    ],
)
def test_y10_loop_closes_with_streams_open(
    make_loop: Callable[[], asyncio.AbstractEventLoop],
    tidy: bool,
    dropped: str,
    leave: Callable[[], Coroutine[Any, Any, Any]],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The loop is closed while streams are open and callbacks run: what was cut off is reported once, nothing else is
    logged, and no pending task is destroyed."""
    unraisable: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda hook: unraisable.append(f"{hook.exc_value!r} in {hook.object!r}"))
    kept: list[Any] = []
    with caplog.at_level(logging.WARNING):
        if tidy:
            with asyncio.Runner(loop_factory=make_loop) as runner:
                kept.append(runner.run(leave()))
                if dropped == "before":
                    kept.clear()
        else:
            loop = make_loop()
            kept.append(loop.run_until_complete(leave()))
            if dropped == "before":
                kept.clear()
                gc.collect()
            loop.close()
            del loop
        kept.clear()
        gc.collect()
    cut_off = [record.getMessage() for record in caplog.records]
    assert len(cut_off) == (tidy and leave in {leave_running_write, leave_pipe})
    assert all("was cut off by the end of the event loop" in each for each in cut_off)
    assert unraisable == []
