"""Real servers and clients on the loopback interface, and what they must not leave behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import aiohttp
import httpx
import httpx2
import pytest
import uvicorn
from aiohttp import web

from tests.faults.helpers import other_tasks

from .. import waiting
from .descriptors import every_descriptor

until = waiting.until
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
RawHandler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


# Clients.


class Client:
    """One of the clients, with the little that the tests need."""

    def __init__(self, session: Any) -> None:
        self.session = session

    def get(self, url: str) -> AbstractAsyncContextManager[Any]:
        """Begin to receive a response."""
        return self.session.stream("GET", url)  # type: ignore[no-any-return]

    async def post(self, url: str, body: Any) -> bytes:
        """Send a body, give the answer."""
        return (await self.session.post(url, content=body)).content  # type: ignore[no-any-return]

    def busy(self) -> int:
        """How many connections are not free for a next request."""
        connections = self.session._transport._pool.connections
        return sum(not connection.is_idle() for connection in connections)

    def idle(self) -> int:
        """How many connections are free for a next request."""
        return sum(connection.is_idle() for connection in self.session._transport._pool.connections)


class AiohttpClient(Client):
    def get(self, url: str) -> AbstractAsyncContextManager[Any]:
        return self.session.get(url)  # type: ignore[no-any-return]

    async def post(self, url: str, body: Any) -> bytes:
        async with self.session.post(url, data=body) as response:
            return await response.read()  # type: ignore[no-any-return]

    def busy(self) -> int:
        return len(self.session.connector._acquired)

    def idle(self) -> int:
        return sum(map(len, self.session.connector._conns.values()))


# Of a client that meets no TLS: to load the authorities that the system trusts takes longer than most tests.
TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
# What the kernel keeps of a connection on its way would hide how little the streams keep.
KERNEL_BUFFER = 64 * 1024
SOCKET_OPTIONS = [(socket.SOL_SOCKET, option, KERNEL_BUFFER) for option in (socket.SO_RCVBUF, socket.SO_SNDBUF)]


def small_socket(address: Any) -> socket.socket:
    return with_small_buffers(socket.socket(*address[:3]))


def small_listener() -> socket.socket:
    return with_small_buffers(socket.create_server(("127.0.0.1", 0)))


def with_small_buffers(made: socket.socket) -> socket.socket:
    for option in SOCKET_OPTIONS:
        made.setsockopt(*option)
    return made


HTTPX_OPTIONS: dict[str, Any] = {"verify": TRUSTS_NOBODY, "socket_options": SOCKET_OPTIONS}
SESSIONS: dict[str, tuple[type[Client], Callable[[], Any]]] = {
    "httpx": (Client, lambda: httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(**HTTPX_OPTIONS))),
    "httpx2": (Client, lambda: httpx2.AsyncClient(transport=httpx2.AsyncHTTPTransport(**HTTPX_OPTIONS))),
    "aiohttp": (
        AiohttpClient,
        lambda: aiohttp.ClientSession(connector=aiohttp.TCPConnector(socket_factory=small_socket)),
    ),
}


@asynccontextmanager
async def client_of(name: str) -> AsyncIterator[Client]:
    """Open a client by its name."""
    kind, make = SESSIONS[name]
    async with make() as session:
        yield kind(session)


# Servers.


@asynccontextmanager
async def serve(handler: Handler) -> AsyncIterator[str]:
    """Run aiohttp's server with one handler for everything; give its URL."""
    application = web.Application(client_max_size=0)
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application, shutdown_timeout=1, access_log=None)
    await runner.setup()
    try:
        await web.SockSite(runner, small_listener()).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serve_raw(handler: RawHandler) -> AsyncIterator[str]:
    """Run a server that gets its requests and sends its answers as bytes; give its URL."""
    server = await asyncio.start_server(handler, sock=small_listener())
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


class QuietServer(uvicorn.Server):
    """uvicorn, which leaves the signals of the test run alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


@asynccontextmanager
async def serve_asgi(application: Any) -> AsyncIterator[str]:
    """Run uvicorn with an application; give its URL."""
    config = uvicorn.Config(application, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1)
    with small_listener() as listener:
        server = QuietServer(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.001)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            server.should_exit = True
            await serving


# What must not be left behind.


def open_things() -> list[str]:
    """What files and sockets the process has open, but for the spare one that uvloop keeps."""
    return sorted(name for name in every_descriptor().values() if name != os.devnull)


def descriptors() -> int:
    """How many files and sockets the process has open, but for the spare one that uvloop keeps."""
    return len(open_things())


async def end_at_fifo(thread: Thread, path: Path, has_ended: Callable[[], bool] = lambda: True) -> None:
    """Wait for a thread that has opened a FIFO, or still waits for somebody to open the other end; and for that end.

    A thread of the library's may still wait for the same, or be about to, for a stream that was dropped.
    """
    await until(lambda: _has_let_go(thread, path) and has_ended())


def _has_let_go(thread: Thread, path: Path) -> bool:
    gc.collect()  # an end that was dropped while a thread was opening it
    os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
    return not thread.is_alive()


async def settled(measure: Callable[[], int]) -> int:
    """Wait until a number has stopped changing; give it."""
    same, last = 0, measure()
    while same < 30:
        await asyncio.sleep(0.005)
        now = measure()
        same, last = (same + 1 if now == last else 0), now
    return last


def _is_nothing_left(tasks: set[asyncio.Task[Any]], count: int, dropped: bool) -> bool:
    if dropped:
        gc.collect()
    return other_tasks() <= tasks and descriptors() <= count


@asynccontextmanager
async def nothing_left(*, dropped: bool = False) -> AsyncIterator[None]:
    """Check that the block leaves no descriptor and no task; what it has dropped is collected meanwhile.

    A thread that works for something that was dropped lets go of it in its own time: it cannot be collected before.
    """
    before_tasks = other_tasks()
    await asyncio.get_running_loop().run_in_executor(None, int)  # the loop has its own descriptors by now
    before = open_things()
    yield
    try:
        await until(lambda: _is_nothing_left(before_tasks, len(before), dropped))
    except AssertionError:
        left = [name for name in open_things() if name not in before]
        pytest.fail(f"left behind: {left} {other_tasks() - before_tasks}")
