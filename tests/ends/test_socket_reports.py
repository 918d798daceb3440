"""What a server reports: the mistakes of its handlers, and not what peers and networks do."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from tests.faults.helpers import failure, soon, turns
from webstreams import WritableStream, WritableStreamDefaultWriter
from webstreams.ends.sockets import Connection, connect_tcp, serve_tcp

from .sockets import Network, contexts, echo, failure_or_none, write
from .web import until

RESET = struct.pack("ii", 1, 0)


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    sock.close()


async def read(connection: Connection) -> None:
    await connection.readable.bytes()


async def test_a_client_that_resets_while_the_handler_does_something_else(reported: list[Any]) -> None:
    """reset_is_reported"""
    was_reset = asyncio.Event()
    ended = 0

    async def handler(connection: Connection) -> None:
        nonlocal ended
        await was_reset.wait()
        ended += 1

    async with serve_tcp(handler, "127.0.0.1", 0) as server:
        clients = [socket.create_connection(server.sockets[0].getsockname()) for _ in range(20)]
        await until(lambda: len(server._tasks) == 20)
        for client in clients:
            reset(client)
        was_reset.set()
        await until(lambda: ended == 20 and not server._tasks)
    assert reported == []


@pytest.mark.parametrize("way", ["read", "write", "group"])
async def test_a_handler_that_meets_the_reset(reported: list[Any], way: str) -> None:
    was_reset = asyncio.Event()
    errors: list[BaseException] = []

    async def meet(connection: Connection) -> None:
        if way == "read":
            await connection.readable.bytes()
        elif way == "write":
            await write(connection, *[bytes(65536)] * 1000)
        else:
            async with asyncio.TaskGroup() as group:
                group.create_task(read(connection))
                group.create_task(write(connection, *[bytes(65536)] * 1000))

    async def handler(connection: Connection) -> None:
        await was_reset.wait()
        try:
            await meet(connection)
        except BaseException as error:
            errors.append(error)
            raise

    async with serve_tcp(handler, "127.0.0.1", 0) as server:
        client = socket.create_connection(server.sockets[0].getsockname())
        await until(lambda: server._tasks)
        reset(client)
        was_reset.set()
        await until(lambda: errors and not server._tasks)
    assert isinstance(errors[0], ExceptionGroup if way == "group" else OSError)
    assert reported == []


@pytest.mark.parametrize("way", [read, echo], ids=["read", "echo"])
async def test_a_peer_that_hangs_up_without_the_goodbye_of_tls(
    reported: list[Any], way: Callable[[Connection], Awaitable[None]]
) -> None:
    errors: list[BaseException] = []

    async def handler(connection: Connection) -> None:
        try:
            await write(connection, b"hello")
            await way(connection)
        except BaseException as error:
            errors.append(error)
            raise

    def hang_up(address: Any) -> None:
        client = contexts()[1].wrap_socket(socket.create_connection(address), server_hostname="localhost")
        assert client.recv(5) == b"hello"  # all that came was read, or it would be a reset
        client.sendall(b"half of")
        os.close(client.detach())

    async with serve_tcp(handler, "127.0.0.1", 0, ssl=contexts()[0]) as server:
        await asyncio.to_thread(hang_up, server.sockets[0].getsockname())
        await until(lambda: errors and not server._tasks)
    assert isinstance(errors[0], OSError)
    assert reported == []


async def test_closing_what_the_peer_has_reset_unread(network: Network) -> None:
    """The system says that it is "not connected", which nobody understands."""

    async def handler(connection: Connection) -> None:
        connection.abort()

    async with network.serve(handler) as server:
        client = await network.connect(server)
        await until(lambda: not server._tasks)
        await turns(10)
        error = await failure_or_none(client.close())
    assert error is None or isinstance(error, ConnectionResetError)


async def test_what_the_handler_adds_in_a_group_is_reported(reported: list[Any]) -> None:
    mistake = ValueError("a mistake")

    async def handler(connection: Connection) -> None:
        try:
            await connection.readable.pipe_to(WritableStream())
        except OSError as error:
            raise ExceptionGroup("both", [error, mistake]) from None

    async with serve_tcp(handler, "127.0.0.1", 0) as server:
        client = await connect_tcp(*server.sockets[0].getsockname())
        await write(client, b"hello")
        client.abort()
        await until(lambda: reported)
    assert [context["exception"].exceptions for context in reported] == [(mistake,)]


async def test_closing_a_server_whose_handlers_wait_for_writes(network: Network, reported: list[Any]) -> None:
    """close_is_reported"""
    waiting = 0

    async def handler(connection: Connection) -> None:
        nonlocal waiting
        writer = connection.writable.get_writer()
        while True:
            writing = writer.write(bytes(65536))
            await turns(1)
            if not writing.done():
                waiting += 1
            await writing

    server = await network.serve(handler)
    clients = [await network.connect(server) for _ in range(3)]
    await until(lambda: waiting >= 3)
    await soon(server.close())
    for client in clients:
        client.abort()
        await client.wait_closed()
    await turns()
    gc.collect()
    await turns()
    assert reported == []


async def test_a_handler_that_raises_what_closing_the_server_has_reset_it_with(
    network: Network, reported: list[Any]
) -> None:
    errors: list[BaseException | None] = []

    async def handler(connection: Connection) -> None:
        reader = connection.readable.get_reader()
        try:
            await asyncio.Event().wait()
        finally:
            error = await failure_or_none(reader.closed)
            errors.append(error)
            assert error is not None
            raise error

    server = await network.serve(handler)
    client = await network.connect(server)
    await until(lambda: server._tasks)
    await turns(20)
    await soon(server.close())
    client.abort()
    await client.wait_closed()
    assert str(errors[0]) == "the server was closed"
    assert reported == []


async def give_up(writer: WritableStreamDefaultWriter[Any], wait: str) -> None:
    if wait == "timeout":
        async with asyncio.timeout(0):
            await writer.write(b"a chunk")
    elif wait == "wait_for":
        await asyncio.wait_for(writer.write(b"a chunk"), 0.001)
    else:
        task = asyncio.ensure_future(writer.write(b"a chunk"))
        await turns()
        task.cancel()
        await task


@pytest.mark.parametrize("wait", ["timeout", "wait_for", "cancel"])
async def test_a_write_that_fails_after_its_waiter_has_given_up(reported: list[Any], wait: str) -> None:
    fail = asyncio.Event()
    error = OSError("no room")

    async def write_late(chunk: object, controller: Any) -> None:
        await fail.wait()
        raise error

    writer = WritableStream({"write": write_late}).get_writer()
    with suppress(TimeoutError, asyncio.CancelledError):
        await give_up(writer, wait)
    fail.set()
    assert await failure(writer.closed) is error
    del writer
    gc.collect()
    await turns()
    assert reported == []
