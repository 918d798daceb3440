"""Pipes whose task is cancelled (Y4)."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.grids import each_of
from webstreams import (
    AbortError,
    ReadableStream,
    WritableStream,
)

from .helpers import (
    RecordingSource,
    chunks_stream,
    other_tasks,
    quiet,
    soon,
    stream_of,
    turns,
)

# Cancelled pipes.


class RecordingSink:
    """Records what the stream calls; a write and an abort take some turns."""

    def __init__(self) -> None:
        self.written: list[Any] = []
        self.ends: list[Any] = []

    async def write(self, chunk: Any, controller: Any) -> None:
        await turns(2)
        self.written.append(chunk)

    def close(self) -> None:
        self.ends.append("close")

    async def abort(self, reason: Any) -> None:
        await turns(2)
        self.ends.append(reason)


@each_of(prevent_cancel=[False, True], prevent_abort=[False, True], turn=range(1, 12))
async def test_y4_cancelled_pipe_is_an_aborted_pipe(turn: int, prevent_abort: bool, prevent_cancel: bool) -> None:
    """The task that awaits pipe_to() is cancelled in any turn: both ends hear it once, no lock and no task is left."""
    source = RecordingSource()
    sink = RecordingSink()
    stream, destination = stream_of(source), WritableStream[Any](sink)

    async def pipe() -> None:
        await stream.pipe_to(destination, prevent_abort=prevent_abort, prevent_cancel=prevent_cancel)

    with quiet(1):
        task = asyncio.create_task(pipe())
        source.controller.enqueue("a")
        source.controller.enqueue("b")
        await turns(turn)
        started = len(sink.written)
        task.cancel()
        await soon(asyncio.wait({task}))
        assert task.cancelled()
        assert not stream.locked
        assert not destination.locked
        assert [type(end) for end in sink.ends] == ([] if prevent_abort else [AbortError])
        assert [type(each) for each in source.cancellations] == ([] if prevent_cancel else [AbortError])
        assert sink.written == ["a", "b"][: len(sink.written)]
        assert len(sink.written) >= started
        await turns()
        assert not other_tasks()
        if prevent_abort and prevent_cancel:
            await carry_on(source, stream, destination)
            assert sink.written == ["a", "b", "c"]


async def carry_on(source: RecordingSource, stream: ReadableStream[Any], destination: WritableStream[Any]) -> None:
    """Pipe the rest."""
    source.controller.enqueue("c")
    source.controller.close()
    await soon(stream.pipe_to(destination))


async def test_y4_cancelled_pipe_cancels_the_coroutine_of_the_write_under_way() -> None:
    """The task that awaits pipe_to() is cancelled during a write: so is that, then the sink is aborted."""
    events: list[str] = []

    async def write(chunk: str, _: Any) -> None:
        events.append(f"begin {chunk}")
        try:
            await asyncio.Event().wait()
        finally:
            events.append(f"end {chunk}")

    async def pipe() -> None:
        sink = WritableStream[Any]({"write": write, "abort": lambda reason: events.append("abort")})
        await chunks_stream("a", "b").pipe_to(sink)

    task = asyncio.create_task(pipe())
    await turns()
    task.cancel()
    await soon(asyncio.wait({task}))
    assert task.cancelled()
    assert events == ["begin a", "end a", "abort"]
