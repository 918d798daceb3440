"""Servers of sockets: what becomes of their handlers and connections."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from tests.faults.helpers import failure, soon, turns
from webstreams import ReadableStream, WritableStream
from webstreams.ends.sockets import Connection, ConnectionServer, serve_tcp, serve_unix

from .sockets import Endless, Network, echo, failure_or_none, read_all, write
from .web import settled, until


async def test_the_handler_s_return_closes_the_connection(network: Network) -> None:
    async def hello(connection: Connection) -> None:
        await write(connection, b"hello")

    async with network.serve(hello) as server:
        client = await network.connect(server)
        assert await soon(read_all(client.readable)) == b"hello"
        await client.close()


async def test_the_handler_s_error_resets_and_is_reported(tcp: Network, reported: list[Any]) -> None:
    error = ValueError("in the handler")

    async def fail(connection: Connection) -> None:
        await write(connection, b"hello")
        raise error

    async with tcp.serve(fail) as server:
        client = await tcp.connect(server)
        assert isinstance(await failure(read_all(client.readable)), ConnectionResetError)
    assert [context["exception"] for context in reported] == [error]


async def test_a_handler_that_is_no_coroutine_function(tcp: Network, reported: list[Any]) -> None:
    async with tcp.serve(repr) as server:  # type: ignore[arg-type]
        client = await tcp.connect(server)
        assert isinstance(await failure(read_all(client.readable)), ConnectionResetError)
    assert [str(context["exception"]) for context in reported] == [
        "the handler must be a coroutine function; it returned str"
    ]


async def test_a_server_that_is_cancelled_while_it_begins(network: Network) -> None:
    for count in range(6):
        starting = asyncio.ensure_future(start(network))
        await turns(count)
        starting.cancel()
        await asyncio.wait([starting])
        if not starting.cancelled():
            await starting.result().close()


async def start(network: Network) -> ConnectionServer:
    return await network.serve(echo)


async def test_a_connection_that_fails_is_not_reported(tcp: Network, reported: list[Any]) -> None:
    over = asyncio.Event()

    async def drain(connection: Connection) -> None:
        try:
            await connection.readable.pipe_to(WritableStream())
        finally:
            over.set()

    async with tcp.serve(drain) as server:
        client = await tcp.connect(server)
        await write(client, b"half")
        client.abort()
        await soon(over.wait())
    assert reported == []


async def test_closing_a_server_ends_its_handlers_and_connections(network: Network, reported: list[Any]) -> None:
    cancelled: list[Connection] = []

    async def wait(connection: Connection) -> None:
        try:
            await connection.readable.pipe_to(WritableStream())
        except asyncio.CancelledError:
            cancelled.append(connection)
            raise

    server = await network.serve(wait)
    clients = [await network.connect(server) for _ in range(3)]
    for client in clients:
        await write(client, b"hello")
    await turns(20)
    waiting = asyncio.ensure_future(server.wait_closed())
    await soon(server.close())
    await soon(waiting)
    assert len(cancelled) == 3
    assert server.sockets == ()
    for client in clients:
        await failure_or_none(read_all(client.readable))
        client.abort()
        await soon(client.wait_closed())
    await server.close()
    assert reported == []


async def test_closing_a_server_does_not_wait_for_a_peer_that_does_not_read(network: Network) -> None:
    source = Endless()

    async def send(connection: Connection) -> None:
        await ReadableStream(source).pipe_to(connection.writable)

    server = await network.serve(send)
    client = await network.connect(server)
    await until(lambda: source.given > 0)
    await settled(lambda: source.given)
    await soon(server.close())
    assert len(source.cancelled) == 1
    client.abort()
    await soon(client.wait_closed())


async def test_a_server_starts_once(tcp: Network) -> None:
    async with tcp.serve(echo) as server:
        with pytest.raises(RuntimeError):
            await server
    with pytest.raises(RuntimeError):
        await server


async def test_arguments_of_servers(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        serve_tcp("handler", "127.0.0.1", 0)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        serve_tcp(echo, "127.0.0.1", 0, ssl=True)  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        serve_tcp(echo, "127.0.0.1", -1)
    with pytest.raises(OSError):
        await serve_unix(echo, tmp_path / "no" / "folder")
    async with serve_tcp(echo, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(OSError):
            await serve_tcp(echo, "127.0.0.1", port)


async def test_a_unix_server_removes_its_socket_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    async with serve_unix(echo, path):
        assert path.is_socket()
    assert not path.exists()
    first = await serve_unix(echo, path)
    os.unlink(path)
    second = await serve_unix(echo, path)
    await first.close()
    assert path.is_socket()
    await second.close()
    assert not path.exists()


@pytest.mark.parametrize("way", ["itself", "a task of its own"])
async def test_a_handler_closes_its_server(network: Network, way: str) -> None:
    """Its own end is not waited for, and whoever waits for the server hears of it."""
    over: list[str] = []

    async def handler(connection: Connection) -> None:
        if not over:
            over.append("first")
            await asyncio.Event().wait()
        elif way == "itself":
            await server.close()
            over.append("closed")
        else:
            async with asyncio.TaskGroup() as group:
                group.create_task(server.close())

    server = network.serve(handler)
    await server
    first = await network.connect(server)
    await until(lambda: over)
    second = await network.connect(server)
    await soon(server.wait_closed())
    assert server.connections == 0
    assert over == (["first", "closed"] if way == "itself" else ["first"])
    for client in (first, second):
        client.abort()
        await client.wait_closed()
    await soon(server.close())
