"""Pairs of connections over TCP, Unix sockets and TLS, for the tests."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import trustme

from tests.faults.helpers import soon
from webstreams.ends.sockets import Connection, ConnectionServer, connect_tcp, connect_unix, serve_tcp, serve_unix

Handler = Callable[[Connection], Awaitable[object]]


@cache
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Give the TLS contexts of a server for localhost and of a client that trusts it."""
    client = ssl.create_default_context()
    authority().configure_trust(client)
    return server_context(), client


@cache
def strict_server_context() -> ssl.SSLContext:
    """Give the context of a server that takes nothing for an end but that of TLS, as Python's do not by default."""
    server = server_context()
    server.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    return server


@cache
def authority() -> trustme.CA:
    return trustme.CA()


def server_context() -> ssl.SSLContext:
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority().issue_cert("localhost").configure_cert(server)
    return server


class Network:
    """A way to listen and to connect."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.path = str(folder / "socket")

    def serve(self, handler: Handler) -> ConnectionServer:
        if self.kind == "unix":
            return serve_unix(handler, self.path)
        return serve_tcp(handler, "127.0.0.1", 0, ssl=contexts()[0] if self.kind == "tls" else None)

    async def connect(self, server: ConnectionServer) -> Connection:
        if self.kind == "unix":
            return await connect_unix(self.path)
        port = server.sockets[0].getsockname()[1]
        if self.kind == "tls":
            return await connect_tcp("127.0.0.1", port, ssl=contexts()[1], server_hostname="localhost")
        return await connect_tcp("127.0.0.1", port)

    @asynccontextmanager
    async def pair(self) -> AsyncIterator[tuple[Connection, Connection]]:
        """Give both ends of a connection: the client's and the server's."""
        accepted: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
        async with self.serve(Holder(accepted)) as server:
            client = await self.connect(server)
            try:
                yield client, await accepted
            finally:
                client.abort()
                await client.wait_closed()


class Holder:
    """A handler that gives its connection away and waits until it is closed."""

    def __init__(self, accepted: asyncio.Future[Connection]) -> None:
        self.accepted = accepted

    async def __call__(self, connection: Connection) -> None:
        self.accepted.set_result(connection)
        await connection.wait_closed()


async def read_all(stream: Any) -> bytes:
    """Read a stream of bytes to its end."""
    return b"".join([chunk async for chunk in stream])


async def write(connection: Connection, *chunks: Any) -> None:
    """Write some chunks, and leave the stream open."""
    writer = connection.writable.get_writer()
    try:
        for chunk in chunks:
            await writer.write(chunk)
    finally:
        writer.release_lock()


Pair = AbstractAsyncContextManager[tuple[Connection, Connection]]


async def failure_or_none(awaitable: Any) -> BaseException | None:
    try:
        await soon(awaitable)
    except Exception as error:
        return error
    return None


async def echo(connection: Connection) -> None:
    await connection.readable.pipe_to(connection.writable)


class Endless:
    """A source that gives chunks for ever and counts the bytes."""

    type = "bytes"

    def __init__(self) -> None:
        self.given = 0
        self.cancelled: list[object] = []

    def pull(self, controller: Any) -> None:
        self.given += 64 * 1024
        controller.enqueue(bytes(64 * 1024))

    def cancel(self, reason: object) -> None:
        self.cancelled.append(reason)
