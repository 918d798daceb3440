"""Tasks that are cancelled again while they clean up (Y8)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from tests.grids import each_of
from webstreams import (
    ReadableStream,
    WritableStream,
)

from .helpers import (
    RecordingSource,
    other_tasks,
    quiet,
    soon,
    stream_of,
    turns,
)

# Double cancellation.


class SlowCancel(RecordingSource):
    """A source, and a sink, whose end takes until `gate` is set."""

    def __init__(self) -> None:
        super().__init__(self._finish)
        self.gate = asyncio.Event()
        self.events: list[str] = []

    async def _finish(self) -> None:
        self.events.append("begin")
        await self.gate.wait()
        self.events.append("end")

    def abort(self, reason: Any) -> Any:
        return self._finish()


async def leave_context_manager(slow: SlowCancel) -> None:
    async with stream_of(slow).values() as chunks:
        async for _ in chunks:
            pass


async def leave_loop(slow: SlowCancel) -> None:
    async for _ in stream_of(slow):
        pass


async def wait_for_cancel(slow: SlowCancel) -> None:
    await stream_of(slow).cancel()


async def close_iterator(slow: SlowCancel) -> None:
    iterator = stream_of(slow).values()
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await iterator.aclose()


async def pipe_from(slow: SlowCancel) -> None:
    await stream_of(slow).pipe_to(WritableStream())


async def pipe_into(slow: Any) -> None:
    await ReadableStream[Any]().pipe_to(WritableStream(slow))


async def leave_writer(slow: Any) -> None:
    async with WritableStream[Any](slow).get_writer():
        await asyncio.get_running_loop().create_future()


@each_of(work=[leave_context_manager, leave_loop, wait_for_cancel, close_iterator, pipe_from, pipe_into, leave_writer])
@each_of(times=[2, 4])
async def test_y8_cancelled_again_during_the_cleanup(
    work: Callable[[SlowCancel], Coroutine[Any, Any, None]], times: int
) -> None:
    """A task is cancelled again and again while the source's cancel or the sink's abort runs: that still finishes."""
    slow = SlowCancel()
    with quiet():
        task = asyncio.create_task(work(slow))
        await turns()
        for _ in range(times):
            task.cancel()
            await turns(3)
        assert slow.events == ["begin"]
        slow.gate.set()
        await soon(asyncio.wait({task}))
        assert task.cancelled()
        await turns()
        assert slow.events == ["begin", "end"]
        assert not other_tasks()
