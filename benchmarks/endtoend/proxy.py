"""The server and the client of the row `proxy` in Python: both are aiohttp's; how a body is passed on differs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import ClientSession, web

from .catalogue import Place

Forward = Callable[[ClientSession, str, web.StreamResponse], Awaitable[None]]


async def proxied(place: Place, forward: Forward) -> int:
    """Have the peer get a body through a proxy; return its size."""
    async with ClientSession(auto_decompress=False) as session:

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            response = web.StreamResponse()
            response.content_length = place.size
            await response.prepare(request)
            await forward(session, f"http://127.0.0.1:{place.port}/{place.size}", response)
            return response

        runner = web.ServerRunner(web.Server(handle))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
            writer.write(f"get {runner.addresses[0][1]}\n".encode())
            size = int(await reader.readline())
            writer.close()
            return size
        finally:
            await runner.cleanup()
