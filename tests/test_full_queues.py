"""Pipes that begin at a full queue are understood, however many chunks are in it, and give all of them in order."""

from __future__ import annotations

from typing import Any

from tests.grids import each_row
from webstreams import ReadableStream, WritableStream
from webstreams._engine.jobs import current_jobs
from webstreams._fastpath.discovery import find_pipeline
from webstreams._streams.readable.pipe import Pipe


@each_row(("queued", "high_water_mark"), [(1, 0), (16, 0), (1000, 0), (1000, 10), (1000, 1000)])
async def test_a_pipe_from_a_full_queue(queued: int, high_water_mark: int) -> None:
    def start(controller: Any) -> None:
        for number in range(queued):
            controller.enqueue(number)

    def pull(controller: Any) -> None:
        controller.close()

    written: list[int] = []
    source = ReadableStream[int]({"start": start, "pull": pull}, {"high_water_mark": high_water_mark})
    pipe = source.pipe_to(WritableStream({"write": lambda chunk, _: written.append(chunk)}))
    reader = source._reader
    assert reader is not None
    trigger = reader._consumer
    assert isinstance(trigger, Pipe)
    assert find_pipeline(current_jobs(), trigger).is_eligible
    await pipe
    assert written == list(range(queued))
