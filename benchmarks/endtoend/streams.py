"""The jobs with this library."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sized
from typing import Any

from aiohttp import ClientSession, web

from webstreams import (
    CompressionStream,
    DecompressionStream,
    ReadableStream,
    TextDecoderStream,
    TextEncoderStream,
    WritableStream,
    connect_tcp,
    from_response,
    read_file,
    write_file,
)

from .catalogue import COPY, KEPT, PACKED, RECORDS, TEXT, Place
from .proxy import proxied

Job = Callable[[Place], Awaitable[int]]


class Counter:
    """An underlying sink that counts what is in the chunks."""

    def __init__(self, count: Callable[[Any], int] = len) -> None:
        self.total = 0
        self._count = count

    def write(self, chunk: Sized, controller: object) -> None:
        """Count a chunk."""
        self.total += self._count(chunk)


async def counted(stream: ReadableStream[Any], count: Callable[[Any], int] = len) -> int:
    """Return how much is in a stream."""
    counter = Counter(count)
    await stream.pipe_to(WritableStream(counter))
    return counter.total


def one(chunk: object) -> int:
    """Return one for each chunk."""
    return 1


async def copy(place: Place) -> int:
    """From file to file."""
    await read_file(place.path(TEXT)).pipe_to(write_file(place.path(COPY)))
    return place.size


async def relay(place: Place) -> int:
    """From one connection into another."""
    async with await connect_tcp("127.0.0.1", place.port) as source, await connect_tcp("127.0.0.1", place.port) as sink:
        await ReadableStream.from_([f"send {place.size}\n".encode()]).pipe_to(source.writable)
        await ReadableStream.from_([b"take\n"]).pipe_to(sink.writable, prevent_close=True)
        await source.readable.pipe_to(sink.writable)
        return int(await sink.readable.text())


async def forward(session: ClientSession, address: str, response: web.StreamResponse) -> None:
    """Pass a body on."""

    async def write(chunk: bytes, controller: object) -> None:
        await response.write(chunk)

    await from_response(await session.get(address)).pipe_to(WritableStream({"write": write}))


async def proxy(place: Place) -> int:
    """An HTTP server whose body comes from another one."""
    return await proxied(place, forward)


async def decode(place: Place) -> int:
    """Characters of a file."""
    return await counted(read_file(place.path(TEXT)).pipe_through(TextDecoderStream()))


async def lines(place: Place) -> int:
    """Lines of a file."""
    return await counted(read_file(place.path(TEXT)).pipe_through(TextDecoderStream()).lines(), one)


def is_kept(record: dict[str, Any]) -> bool:
    """Tell whether a record goes on."""
    return bool(record["number"] % 4 == 0)


async def ndjson(place: Place) -> int:
    """Records of a file, some of which go into another."""
    kept = 0

    def as_line(record: dict[str, Any]) -> str:
        nonlocal kept
        kept += 1
        return json.dumps(record) + "\n"

    records = read_file(place.path(RECORDS)).pipe_through(TextDecoderStream()).lines().map(json.loads)
    written = records.filter(is_kept).map(as_line).pipe_through(TextEncoderStream())
    await written.pipe_to(write_file(place.path(KEPT)))
    return kept


async def compress(place: Place) -> int:
    """A file through gzip."""
    await counted(read_file(place.path(TEXT)).pipe_through(CompressionStream("gzip")))
    return place.size


async def decompress(place: Place) -> int:
    """A file out of gzip."""
    return await counted(read_file(place.path(PACKED)).pipe_through(DecompressionStream("gzip")))


JOBS: dict[str, Job] = {
    "copy": copy,
    "relay": relay,
    "proxy": proxy,
    "decode": decode,
    "lines": lines,
    "ndjson": ndjson,
    "gzip": compress,
    "gunzip": decompress,
}
