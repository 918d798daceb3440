"""What is put into a queue that is full already: nothing but that is done, unless somebody has to hear of it."""

from __future__ import annotations

import asyncio
from typing import Any

from webstreams import ReadableStream, TransformStream
from webstreams.observe import observe

from ..grids import each_row


class Kept:
    """A source, or a transformer, that keeps its controller, and what a transformer was given."""

    def __init__(self) -> None:
        self.controller: Any = None
        self.given: list[object] = []

    def start(self, controller: Any) -> None:
        self.controller = controller

    def transform(self, chunk: object, controller: Any) -> None:
        self.given.append(chunk)


def made(kind: str) -> tuple[ReadableStream[Any], Any]:
    """Return a stream of a kind, and what enqueues into it."""
    kept = Kept()
    stream = ReadableStream[Any](kept) if kind == "stream" else TransformStream[Any, Any](kept).readable
    for number in range(5):
        kept.controller.enqueue(number)
    return stream, kept.controller


@each_row(
    ("kind", "ending"), [("stream", "close"), ("stream", "error"), ("transform", "terminate"), ("transform", "error")]
)
async def test_a_full_queue_that_has_ended_takes_nothing(kind: str, ending: str) -> None:
    stream, controller = made(kind)
    getattr(controller, ending)()
    try:
        controller.enqueue("too late")
    except TypeError as error:
        assert "cannot enqueue" in str(error)
    else:
        raise AssertionError("a chunk was taken after the end")
    assert ending == "error" or await stream.list() == list(range(5))


@each_row(("kind",), [("stream",), ("transform",)])
async def test_what_is_put_into_a_full_queue_is_counted(kind: str) -> None:
    stream, controller = made(kind)
    pipeline = observe(stream)
    for number in range(3):
        controller.enqueue(number)
    assert pipeline.stages[0].chunks_out == 3


async def test_a_transform_whose_chunks_came_back_has_backpressure_when_more_is_put() -> None:
    kept = Kept()
    stream = TransformStream[Any, Any](kept, None, {"high_water_mark": 2})
    reader, writer = stream.readable.get_reader(), stream.writable.get_writer()

    async def read() -> object:
        return await reader.read()

    tasks = [asyncio.ensure_future(read()) for _ in range(3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for number in range(3):
        kept.controller.enqueue(number)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    kept.controller.enqueue(3)
    writer.write("waits").add_done_callback(lambda _: None)
    await asyncio.sleep(0)
    assert kept.given == []
    assert [(await reader.read()).value for _ in range(4)] == [0, 1, 2, 3]
    await asyncio.sleep(0)
    assert kept.given == ["waits"]


@each_row(("mark", "pulls"), [(0, 0), (1, 1), (2, 2), (8, 3), (8.5, 3)])
async def test_a_queue_is_asked_for_more_until_it_is_full(mark: float, pulls: int) -> None:
    asked: list[object] = []
    kept = Kept()
    ReadableStream({"start": kept.start, "pull": asked.append}, {"high_water_mark": mark})
    await asyncio.sleep(0)
    for number in range(5):
        kept.controller.enqueue(number)
    await asyncio.sleep(0)
    assert len(asked) == pulls
