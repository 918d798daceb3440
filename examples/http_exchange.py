"""A real server that sends a file, and a real client that receives it: uvicorn and httpx, on the loopback interface."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from webstreams import ReadableStream, from_response, send_response
from webstreams.ends.files import read_file


class FileApplication:
    """An ASGI application that answers every request with one file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send the file, as fast as the client takes it."""
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(self.path.stat().st_size)}
        await send_response(scope, receive, send, read_file(self.path), headers=headers)


class Server(uvicorn.Server):
    """uvicorn in an event loop that is not its own."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:  # type: ignore[override, unused-ignore]
        """Leave Ctrl-C to the program."""
        yield


@asynccontextmanager
async def serve(path: Path) -> AsyncIterator[str]:
    """Serve a file in the block; gives its URL."""
    async with serve_application(FileApplication(path)) as url:
        yield url


@asynccontextmanager
async def serve_application(application: Any) -> AsyncIterator[str]:
    """Serve an ASGI application in the block; gives its URL."""
    config = uvicorn.Config(
        application, port=0, lifespan="off", log_config=None, log_level="critical", access_log=False
    )
    server = Server(config)
    listener = config.bind_socket()
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not (server.started or serving.done()):
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        server.should_exit = True
        await serving
        listener.close()


@asynccontextmanager
async def download(url: str) -> AsyncIterator[ReadableStream[bytes]]:
    """Yield what a URL answers in the block."""
    async with httpx.AsyncClient(trust_env=False) as client, client.stream("GET", url) as response:
        response.raise_for_status()
        yield from_response(response, decoded=False)
