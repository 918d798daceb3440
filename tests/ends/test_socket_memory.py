"""What a connection costs that nothing happens on."""

from __future__ import annotations

import sys

import pytest

from tests.limited import run_limited

IDLE = """
import asyncio, gc, socket, sys, tracemalloc
from webstreams import serve_tcp

COUNT = 100

async def main():
    reads = 0

    async def handler(connection):
        nonlocal reads
        reader = connection.readable.get_reader()
        while not (await reader.read()).done:
            reads += 1

    async def until(count):
        while reads < count:
            await asyncio.sleep(0.001)

    async with serve_tcp(handler, "127.0.0.1", 0) as server:
        address = server.sockets[0].getsockname()
        with socket.create_connection(address) as first:
            first.send(b"x")
            await until(1)
            gc.collect()
            tracemalloc.start()
            clients = [socket.create_connection(address) for _ in range(COUNT)]
            for client in clients:
                client.send(b"x")
            await until(COUNT + 1)
            gc.collect()
            print(tracemalloc.get_traced_memory()[0] // COUNT)
            for client in clients:
                client.close()

if sys.argv[1] == "uvloop":
    import uvloop
    uvloop.run(main())
else:
    asyncio.run(main())
"""


@pytest.mark.parametrize("loop", ["asyncio"] if sys.platform == "win32" else ["asyncio", "uvloop"])
def test_a_connection_that_has_read_keeps_no_buffer(loop: str) -> None:
    """idle_memory: it was 75 KiB."""
    assert 0 < int(run_limited(IDLE, loop)) < 11.5 * 1024
