"""What a peer can send to a connection that is not read: little, on every loop and every version of asyncio."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

import pytest

from tests.faults.helpers import soon
from webstreams import AbortError
from webstreams.ends.sockets import Connection, connect_tcp

from .sockets import Network, read_all, write
from .web import nothing_left, settled

# What is tried, and what the peer may get rid of: the buffers of the kernel, and what is read ahead (bytes).
FLOOD = 64 * 1024 * 1024
MOST = 16 * 1024 * 1024


class Flood:
    """A peer that sends as much as it can."""

    def __init__(self) -> None:
        self.sent = 0
        self.task: asyncio.Task[None] | None = None

    async def __call__(self, connection: Connection) -> None:
        self.task = asyncio.current_task()
        writer = connection.writable.get_writer()
        with suppress(OSError, AbortError):
            while self.sent < FLOOD:
                await writer.write(bytes(65536))
                self.sent += 65536


@pytest.mark.parametrize("reads", [0, 1])
async def test_a_client_that_does_not_read_on(network: Network, reads: int) -> None:
    """tcp_reads_without_limit"""
    flood = Flood()
    async with network.serve(flood) as server:
        client = await network.connect(server)
        if reads:
            reader = client.readable.get_reader()
            await soon(reader.read())
        assert 0 < await soon(settled(lambda: flood.sent)) < MOST
        client.abort()
        await client.wait_closed()


async def test_a_server_that_does_not_read(network: Network) -> None:
    accepted: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()

    async def wait(connection: Connection) -> None:
        accepted.set_result(connection)
        await connection.wait_closed()

    async with network.serve(wait) as server:
        client = await network.connect(server)
        flood = Flood()
        flooding = asyncio.ensure_future(flood(client))
        await soon(accepted)
        assert 0 < await soon(settled(lambda: flood.sent)) < MOST
        client.abort()
        await soon(flooding)


async def test_what_came_before_the_first_read_is_not_lost(network: Network) -> None:
    async def hello(connection: Connection) -> None:
        await write(connection, b"hello")

    async with network.serve(hello) as server:
        client = await network.connect(server)
        await asyncio.sleep(0.01)
        assert await soon(read_all(client.readable)) == b"hello"
        client.abort()
        await client.wait_closed()


async def test_a_raw_peer_that_floods() -> None:
    """The program of the case itself, with a plain socket on the other side."""
    async with nothing_left():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = await connect_tcp(*listener.getsockname())
            peer, _ = listener.accept()
        with peer:
            peer.setblocking(False)
            sent = 0

            def send() -> int:
                nonlocal sent
                with suppress(BlockingIOError):
                    while sent < FLOOD:
                        sent += peer.send(bytes(65536))
                return sent

            assert 0 < await soon(settled(send)) < MOST
        client.abort()
        await client.wait_closed()
