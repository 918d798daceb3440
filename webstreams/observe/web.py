"""A page that shows an observed pipeline in a browser, as an ASGI application without anything else."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from .._streams.readable.operators.checks import checked_positive_seconds
from .._streams.readable.stream import ReadableStream
from ..ends.asgi import send_response
from ._look import Look
from ._page import PAGE
from ._pipeline import Pipeline, checked_pipeline, watched_by
from ._progress import Frame, Progress, Row, checked_total
from ._text import count_text, details_of, duration_text, queue_text, size_text

__all__ = ["app"]

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

_HTML = {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"}
_EVENTS = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
_TEXT = {"Content-Type": "text/plain; charset=utf-8"}


def app(pipeline: Pipeline, *, interval: float = 0.5, total: float | None = None) -> Application:
    """Return an ASGI application that shows a pipeline: boxes coloured by what the stages do with their time, pipes as
    full as their queues, the bottleneck with a frame, and how many chunks pass.

    The page is at ``/`` of wherever the application is mounted. It is one file that needs no network but its own
    server, and is told of changes every `interval` seconds by server-sent events, until the pipeline has ended. `total`
    is as in `terminal.show`. Run it in the event loop of the pipeline, on an address of your own machine: it shows
    names and numbers to whoever can reach it, and no chunks. Not in the Standard.

    >>> import asyncio
    >>> from webstreams import ReadableStream
    >>> from webstreams.observe import observe
    >>> from webstreams.observe.web import app
    >>> async def main() -> None:
    ...     application = app(observe(ReadableStream.from_(["spam"]), name="letters"))
    ...     async def receive() -> dict[str, object]:  # stands for a server whose client stays
    ...         return await asyncio.Future()
    ...     async def send(message: dict[str, object]) -> None:
    ...         print(message.get("status") or len(message["body"]) > 1000)
    ...     await application({"type": "http", "method": "GET", "path": "/"}, receive, send)
    >>> asyncio.run(main())
    200
    True
    False
    """
    shown = checked_pipeline(pipeline, "app()")
    return _App(shown, checked_positive_seconds(interval, "interval"), checked_total(total))


class _App:
    """The application."""

    def __init__(self, pipeline: Pipeline, interval: float, total: float | None) -> None:
        self._pipeline = pipeline
        self._interval = interval
        self._total = total
        # The page that is loaded shows the time since the last one that was.
        self._look = Look()
        self._progress = Progress(total)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        last = str(scope["path"]).rpartition("/")[2]
        if last == "events":
            await send_response(scope, receive, send, ReadableStream.from_(self._events()), headers=_EVENTS)
        elif last == "":
            page = PAGE.replace("%STATE%", self._state().replace("<", "\\u003c"))
            await send_response(scope, receive, send, ReadableStream.from_([page.encode()]), headers=_HTML)
        else:
            nothing = ReadableStream.from_([b"not found"])
            await send_response(scope, receive, send, nothing, status=404, headers=_TEXT)

    def _state(self) -> str:
        snapshot = self._look.take(watched_by(self._pipeline))
        return state_of(self._progress.frame(snapshot, self._pipeline.is_over))

    async def _events(self) -> AsyncIterator[bytes]:
        progress = Progress(self._total)
        async for snapshot in self._pipeline.watch(self._interval):
            frame = progress.frame(snapshot, self._pipeline.is_over)
            yield f"data: {state_of(frame)}\n\n".encode()
        yield b"event: end\ndata: {}\n\n"


async def _live(receive: Receive, send: Send) -> None:
    """Tell the server that there is nothing to start or to stop."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def state_of(frame: Frame) -> str:
    """Return what the page shows, as JSON."""
    columns: dict[str, int] = {}
    rows: dict[int, int] = {}
    stages = []
    for row in frame.rows:
        upstream = row.stage.upstream
        before = [columns[each] for each in upstream if each in columns]
        column = columns[row.stage.name] = max(before) + 1 if before else 0
        place = rows[column] = rows.get(column, -1) + 1
        stages.append({"column": column, "row": place, "from": upstream, **_shown(row)})
    return json.dumps(
        {
            "name": frame.name,
            "bottleneck": frame.bottleneck,
            "progress": ", ".join(_progress_of(frame)),
            "stages": stages,
        }
    )


def _shown(row: Row) -> dict[str, Any]:
    stage = row.stage
    rate = size_text(row.size) if row.size else f"{count_text(row.chunks)} chunks"
    return {
        "name": stage.name,
        "kind": stage.kind,
        "busy": stage.busy,
        "blocked": stage.blocked,
        "starved": stage.starved,
        "queued": stage.queued,
        "mark": stage.high_water_mark,
        "queue": queue_text(stage),
        "rate": rate,
        "chunksPerSecond": row.chunks,
        "details": ", ".join([f"{count_text(stage.chunks_out or stage.chunks_in)} chunks", *details_of(stage)]),
    }


def _progress_of(frame: Frame) -> list[str]:
    parts = [f"{frame.elapsed:.0f} s"]
    if frame.done is not None:
        parts.append(f"{100 * frame.done:.0f} %")
    if frame.left is not None:
        parts.append(f"{duration_text(frame.left)} to go")
    if frame.is_over:
        parts.append("ended")
    return parts
