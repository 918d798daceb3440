"""Reading a stream to its end, for ``stream.bytes()``, ``.text()``, ``.json()`` and ``.list()``.

They are coroutines: nothing happens before they are awaited (or made a task), and then the stream is locked. No
standard has them, so they are not promises of one; a coroutine can be cancelled with the task that runs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..._engine.awaiting import next_turn
from ..._engine.loop_end import wait_until_over
from ..._platform.errors import is_control_flow
from ...consumers import Collector, TakesLong
from .leaving import ENDS, LEAVES, leave_with, reading_was_cancelled
from .reader import ReadableStreamDefaultReader


async def collect(reader: ReadableStreamDefaultReader[Any], collector: Collector) -> None:
    """Read to the end. When anything fails on the way, the stream is cancelled; the lock is free in any case."""
    try:
        take = collector.take if collector.is_quick else collector.take_at_once
        take_all = collector.taker_of_many()
        while True:
            try:
                under_way = reader._collect(take, take_all)
            except TakesLong as chunk_that:
                rest: Iterator[None] | None = chunk_that.rest
            else:
                chunk, done = await (reader.read() if under_way is None else under_way)
                if done:
                    break
                rest = collector.take(chunk)
                if rest is None and reader._is_at_end():
                    break
            if rest is not None:
                for _ in rest:
                    await next_turn()
    except GeneratorExit:
        raise  # nobody runs the coroutine any more, and perhaps no loop either
    except BaseException as error:
        end = reader._jobs.end
        if end.is_near and is_control_flow(error):
            reader._jobs.report(f"reading all of {reader._stream!r} was cut off by the end of the event loop", error)
        await _leave(reader, error)
        raise
    reader.release_lock()


async def _leave(reader: ReadableStreamDefaultReader[Any], error: BaseException) -> None:
    """Cancel the source and wait until it is done. The first error is the one that counts."""
    is_cancelled = is_control_flow(error)
    reason = reading_was_cancelled() if is_cancelled else error
    cancelling = leave_with(reader._jobs, ENDS if is_cancelled else LEAVES, reader.cancel, reason)
    reader.release_lock()
    try:
        await wait_until_over(cancelling, reader._jobs.end)
    except Exception:
        pass  # of the source's cancel(); or the stream was errored, which is what `error` says
