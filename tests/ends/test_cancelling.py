"""Cancelling anywhere loses no byte that was not handed over, and leaves no descriptor, no task and no file behind."""

from __future__ import annotations

import asyncio
import gzip
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.faults.helpers import soon, turns
from tests.grids import each_of
from webstreams import CompressionStream, DecompressionStream, ReadableStream, TextDecoderStream, TextEncoderStream
from webstreams.ends.asgi import asgi_request_body
from webstreams.ends.asyncio_streams import from_stream_reader
from webstreams.ends.files import read_file, write_file
from webstreams.ends.http import from_response
from webstreams.ends.iterables import from_blocking_iterable, generator_transform
from webstreams.ends.object_streams import from_byte_stream
from webstreams.ends.processes import open_process
from webstreams.ends.queues import from_queue
from webstreams.ends.sockets import Connection
from webstreams.shaping import chunked, lines

from .sockets import Network
from .web import client_of, end_at_fifo, nothing_left, serve_raw

TURTLES = "\N{TURTLE}".encode() * 30
TEXT = b"".join(b"%d slow and steady %s\n" % (number * 7919, TURTLES) for number in range(4000))
PIECES = [TEXT[start : start + 10_000] for start in range(0, len(TEXT), 10_000)]

Opener = Callable[[Path], AbstractAsyncContextManager[ReadableStream[Any]]]


@asynccontextmanager
async def file(folder: Path) -> AsyncIterator[ReadableStream[Any]]:
    (folder / "in").write_bytes(TEXT)
    yield read_file(folder / "in")


@asynccontextmanager
async def fifo(folder: Path) -> AsyncIterator[ReadableStream[Any]]:
    path = folder / "fifo"
    os.mkfifo(path)
    writing = threading.Thread(target=write_to_fifo, args=(path,))
    writing.start()
    yield read_file(path)
    await end_at_fifo(writing, path)


def write_to_fifo(path: Path) -> None:
    with suppress(BrokenPipeError):
        path.write_bytes(TEXT)


@asynccontextmanager
async def child(folder: Path) -> AsyncIterator[ReadableStream[Any]]:
    (folder / "in").write_bytes(TEXT)
    async with await open_process("cat", folder / "in", stdin=subprocess.DEVNULL) as process:
        yield process.readable


def connection(kind: str) -> Opener:
    @asynccontextmanager
    async def opened(folder: Path) -> AsyncIterator[ReadableStream[Any]]:
        network = Network(kind, folder)
        async with network.serve(send) as server, await network.connect(server) as client:
            yield client.readable

    return opened


async def send(connection: Connection) -> None:
    await ReadableStream.from_(slow_pieces()).pipe_to(connection.writable)


async def slow_pieces() -> AsyncIterator[bytes]:
    """Give the pieces so slowly that most reads have to wait."""
    for piece in PIECES:
        await turns(4)
        yield piece


@asynccontextmanager
async def stream_reader(folder: Path) -> AsyncIterator[ReadableStream[Any]]:
    async with Network("tcp", folder).serve(send) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            yield from_stream_reader(reader)
        finally:
            writer.close()


@asynccontextmanager
async def byte_stream(folder: Path) -> AsyncIterator[ReadableStream[Any]]:
    async with Network("tcp", folder).serve(send) as server:
        stream = await anyio.connect_tcp(*server.sockets[0].getsockname())
        yield from_byte_stream(stream)
        await stream.aclose()


def response(client_name: str) -> Opener:
    @asynccontextmanager
    async def opened(folder: Path) -> AsyncIterator[ReadableStream[Any]]:
        async with serve_raw(answer) as url, client_of(client_name) as client, client.get(url) as response:
            yield from_response(response)

    return opened


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(TEXT))
    with suppress(ConnectionError):
        async for piece in slow_pieces():
            writer.write(piece)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def request_body(folder: Path) -> AsyncIterator[ReadableStream[Any]]:
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": piece, "more_body": True} for piece in PIECES]
    messages.append({"type": "http.request"})

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        return messages.pop(0)

    yield asgi_request_body(receive)


@asynccontextmanager
async def queue(folder: Path) -> AsyncIterator[ReadableStream[Any]]:
    items: asyncio.Queue[bytes | None] = asyncio.Queue(2)
    putting = asyncio.create_task(put(items))
    yield from_queue(items, end=None)
    putting.cancel()


async def put(items: asyncio.Queue[bytes | None]) -> None:
    async for piece in slow_pieces():
        await items.put(piece)
    await items.put(None)


@asynccontextmanager
async def blocking(folder: Path) -> AsyncIterator[ReadableStream[Any]]:
    def pieces() -> Iterator[bytes]:
        yield from PIECES

    yield from_blocking_iterable(pieces())


def through(data: bytes, *transforms: Callable[[], Any]) -> Opener:
    @asynccontextmanager
    async def opened(folder: Path) -> AsyncIterator[ReadableStream[Any]]:
        (folder / "in").write_bytes(data)
        stream: Any = read_file(folder / "in", chunk_size=5000)
        for transform in transforms:
            stream = stream.pipe_through(transform())
        yield stream

    return opened


async def same(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        await asyncio.sleep(0)
        yield chunk


def gunzip() -> Any:
    return DecompressionStream("gzip")


READABLE: dict[str, Opener] = {
    "file": file,
    "fifo": fifo,
    "process": child,
    "tcp": connection("tcp"),
    "unix": connection("unix"),
    "tls": connection("tls"),
    "StreamReader": stream_reader,
    "anyio": byte_stream,
    "httpx": response("httpx"),
    "httpx2": response("httpx2"),
    "aiohttp": response("aiohttp"),
    "ASGI": request_body,
    "queue": queue,
    "blocking": blocking,
    "gunzip": through(gzip.compress(TEXT), gunzip),
    "gzip and gunzip": through(TEXT, lambda: CompressionStream("gzip"), gunzip),
    "text": through(TEXT, TextDecoderStream, lambda: lines(keep_ends=True), TextEncoderStream, lambda: chunked(1000)),
    "chunked": through(TEXT, lambda: chunked(7000)),
    "generator": through(TEXT, lambda: generator_transform(same)),
}
BYTE_STREAMS = ["file", "fifo", "process", "tcp", "unix", "tls", "StreamReader", "anyio", "httpx", "aiohttp", "ASGI"]


async def read_with_cancellations(stream: ReadableStream[Any], memory: int | None = None) -> tuple[bytes, int]:
    """Read a stream to its end in tasks that are cancelled after some turns; give the bytes, and how many were."""
    reader: Any = stream.get_reader() if memory is None else stream.get_reader(mode="byob")
    received: list[bytes] = []
    cancelled = number = 0
    while True:
        number += 1
        reading = asyncio.ensure_future(reader.read(*([] if memory is None else [bytearray(memory)])))
        await turns((number - 1) % 7)  # the first one is cancelled at once, before anything can have come
        if number % 11:
            reading.cancel()
        await soon(asyncio.wait([reading]))
        if reading.cancelled():
            cancelled += 1
        elif reading.result().done:
            return b"".join(received), cancelled
        else:
            received.append(bytes(reading.result().value))


@pytest.mark.parametrize("name", READABLE)
async def test_cancelled_reads_lose_nothing(name: str, tmp_path: Path) -> None:
    async with nothing_left(), READABLE[name](tmp_path) as stream:
        received, cancelled = await soon(read_with_cancellations(stream))
        assert cancelled
        assert received == TEXT


@pytest.mark.parametrize("name", BYTE_STREAMS)
async def test_cancelled_byob_reads_lose_nothing(name: str, tmp_path: Path) -> None:
    async with nothing_left(), READABLE[name](tmp_path) as stream:
        received, cancelled = await soon(read_with_cancellations(stream, 4000))
        assert cancelled
        assert received == TEXT


@pytest.mark.parametrize("name", READABLE)
async def test_a_stream_is_cancelled_while_it_is_read(name: str, tmp_path: Path) -> None:
    async with nothing_left(), READABLE[name](tmp_path) as stream:
        reader = stream.get_reader()
        first = (await soon(reader.read())).value
        assert first and TEXT.startswith(first)
        waiting = reader.read()
        await soon(reader.cancel("enough"))
        result = await soon(waiting)
        assert result.done or TEXT.startswith(first + result.value)


# Whole pipelines.


async def over_a_socket(folder: Path) -> None:
    """File, gzip, socket, gunzip, file."""
    over = asyncio.Event()

    async def receive(connection: Connection) -> None:
        try:
            await connection.readable.pipe_through(DecompressionStream("gzip")).pipe_to(write_file(folder / "out"))
        except (OSError, TypeError):
            pass  # cut in the middle
        finally:
            over.set()

    network = Network("tcp", folder)
    async with network.serve(receive) as server, await network.connect(server) as client:
        await read_file(folder / "in").pipe_through(CompressionStream("gzip")).pipe_to(client.writable)
        await over.wait()


async def through_a_child(folder: Path) -> None:
    """File, process, file."""
    async with await open_process("cat") as process:
        await read_file(folder / "in").pipe_through(process).pipe_to(write_file(folder / "out"))


async def from_text_to_text(folder: Path) -> None:
    """File, decode, lines, encode, compress, decompress, file."""
    text = read_file(folder / "in").pipe_through(TextDecoderStream(fatal=True)).pipe_through(lines(keep_ends=True))
    stream = text.pipe_through(TextEncoderStream()).pipe_through(CompressionStream("gzip", level=1))
    await stream.pipe_through(gunzip()).pipe_to(write_file(folder / "out"))


PIPELINES = {function.__name__: function for function in (over_a_socket, through_a_child, from_text_to_text)}


@each_of(count=[*range(12), *range(12, 60, 6), 100, 200, 400])
@pytest.mark.parametrize("name", PIPELINES)
async def test_a_pipeline_is_cancelled(name: str, count: int, tmp_path: Path, reported: list[Any]) -> None:
    """What it was to write is there as a whole, or not at all."""
    folder = tmp_path / str(count)
    folder.mkdir()
    (folder / "in").write_bytes(TEXT)
    async with nothing_left():
        running = asyncio.ensure_future(PIPELINES[name](folder))
        await turns(count)
        running.cancel()
        await soon(asyncio.wait([running]))
    if not running.cancelled():
        running.result()
    written = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert written in ({"in": TEXT}, {"in": TEXT, "out": TEXT})
    assert reported == []


# Standard input, which is somebody else's.

CANCELLED_READS = """
import asyncio, sys
from webstreams import standard_input

async def main():
    reader, cancelled, number = standard_input().get_reader(), 0, 0
    while True:
        number += 1
        reading = asyncio.ensure_future(reader.read())
        for _ in range(number % 7):
            await asyncio.sleep(0)
        if number % 11:
            reading.cancel()
        await asyncio.wait([reading])
        if reading.cancelled():
            cancelled += 1
        elif reading.result().done:
            break
        else:
            sys.stdout.buffer.write(reading.result().value)
    assert cancelled and len(asyncio.all_tasks()) == 1

asyncio.run(main())
"""


async def test_cancelled_reads_of_standard_input_lose_nothing() -> None:
    async with nothing_left(), await open_process(sys.executable, "-c", CANCELLED_READS) as process:
        assert await ReadableStream.from_(slow_pieces()).pipe_through(process).bytes() == TEXT
