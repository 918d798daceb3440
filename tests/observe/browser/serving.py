"""A pipeline that goes on and on, and the server of its page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import repeat

import uvicorn

from webstreams import AbortController, AbortError, CompressionStream, ReadableStream, WritableStream, to_callable
from webstreams.observe import Pipeline, label, observe
from webstreams.observe.web import app


def records() -> Iterator[bytes]:
    """Chunks without an end."""
    yield from repeat(b"spam and eggs " * 100)


async def parse(chunk: bytes) -> bytes:
    await asyncio.sleep(0.004)
    return chunk


async def store(chunk: bytes) -> None:
    await asyncio.sleep(0.02)


@asynccontextmanager
async def served() -> AsyncIterator[tuple[str, Pipeline]]:
    """Let a pipeline run, and serve its page; give the URL."""
    kept, archived = ReadableStream.from_(records()).map(parse).tee()
    archive: WritableStream[bytes] = WritableStream()
    label(archive, "archive")
    stopping = AbortController()
    pipes = [
        kept.pipe_to(to_callable(store), signal=stopping.signal),
        archived.pipe_through(CompressionStream("gzip")).pipe_to(archive, signal=stopping.signal),
    ]
    pipeline = observe(kept, name="import")
    server = uvicorn.Server(uvicorn.Config(app(pipeline, interval=0.2), port=0, log_level="error"))
    serving = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/", pipeline
    finally:
        stopping.abort()
        for each in pipes:
            with suppress(AbortError):
                await each
        server.should_exit = True
        await serving
