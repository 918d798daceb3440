"""The jobs as one writes them by hand: files in plain loops, sockets with asyncio, HTTP with aiohttp."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Awaitable, Callable

from aiohttp import ClientSession, web

from .catalogue import COPY, KEPT, PACKED, RECORDS, TEXT, Place
from .proxy import proxied

CHUNK = 64 * 1024


async def copy(place: Place) -> int:
    """From file to file."""
    with open(place.path(TEXT), "rb", buffering=0) as source, open(place.path(COPY), "wb", buffering=0) as sink:
        while chunk := source.read(CHUNK):
            sink.write(chunk)
    return place.size


async def relay(place: Place) -> int:
    """From one connection into another."""
    reader, source = await asyncio.open_connection("127.0.0.1", place.port)
    answer, sink = await asyncio.open_connection("127.0.0.1", place.port)
    source.write(f"send {place.size}\n".encode())
    sink.write(b"take\n")
    while chunk := await reader.read(CHUNK):
        sink.write(chunk)
        await sink.drain()
    sink.write_eof()
    size = int(await answer.readline())
    for writer in (source, sink):
        writer.close()
        await writer.wait_closed()
    return size


async def forward(session: ClientSession, address: str, response: web.StreamResponse) -> None:
    """Pass a body on."""
    async with session.get(address) as origin:
        async for chunk in origin.content.iter_any():
            await response.write(chunk)


async def proxy(place: Place) -> int:
    """An HTTP server whose body comes from another one."""
    return await proxied(place, forward)


async def decode(place: Place) -> int:
    """Characters of a file."""
    total = 0
    with open(place.path(TEXT), encoding="utf-8") as file:
        while text := file.read(CHUNK):
            total += len(text)
    return total


async def lines(place: Place) -> int:
    """Lines of a file."""
    with open(place.path(TEXT), encoding="utf-8") as file:
        return sum(1 for _ in file)


async def ndjson(place: Place) -> int:
    """Records of a file, some of which go into another."""
    kept = 0
    with open(place.path(RECORDS), encoding="utf-8") as source, open(place.path(KEPT), "w", encoding="utf-8") as sink:
        for line in source:
            record = json.loads(line)
            if record["number"] % 4 == 0:
                sink.write(json.dumps(record) + "\n")
                kept += 1
    return kept


async def compress(place: Place) -> int:
    """A file through gzip."""
    total = 0
    compressor = zlib.compressobj(wbits=31)
    with open(place.path(TEXT), "rb", buffering=0) as file:
        while chunk := file.read(CHUNK):
            total += len(chunk)
            compressor.compress(chunk)
    compressor.flush()
    return total


async def decompress(place: Place) -> int:
    """A file out of gzip."""
    total = 0
    decompressor = zlib.decompressobj(wbits=31)
    with open(place.path(PACKED), "rb", buffering=0) as file:
        while chunk := file.read(CHUNK):
            while chunk:
                total += len(decompressor.decompress(chunk, CHUNK))
                chunk = decompressor.unconsumed_tail
    return total + len(decompressor.flush())


JOBS: dict[str, Callable[[Place], Awaitable[int]]] = {
    "copy": copy,
    "relay": relay,
    "proxy": proxy,
    "decode": decode,
    "lines": lines,
    "ndjson": ndjson,
    "gzip": compress,
    "gunzip": decompress,
}
