"""Every writable end: a chunk that is none, and a writer that closes, aborts or is just dropped; nothing is left."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import threading
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from weakref import ref

import anyio
import pytest

from tests.faults.helpers import failure, soon
from tests.grids import each_of
from webstreams import WritableStream
from webstreams.ends.asgi import asgi_response
from webstreams.ends.asyncio_streams import to_stream_writer
from webstreams.ends.files import write_file
from webstreams.ends.object_streams import to_byte_stream
from webstreams.ends.processes import open_process

from .sockets import Network
from .web import end_at_fifo, nothing_left, until

# What is no chunk, even if the Standard's ByteLengthQueuingStrategy could tell its size.
NO_CHUNKS = ["text", None, 7, ["list"], object()]


class End:
    """A writable end in a list, so that it can be taken out and dropped, and what it gave to the other side."""

    def __init__(self, stream: WritableStream[Any]) -> None:
        self.streams = [stream]
        self._weak = ref(stream)

    def take(self) -> WritableStream[Any]:
        return self.streams.pop()

    def has_ended(self) -> bool:
        """Whether the stream is closed or errored, or was collected."""
        stream = self._weak()
        return stream is None or not repr(stream).startswith("<WritableStream writable")


Opener = Callable[[Path], AbstractAsyncContextManager[End]]


@asynccontextmanager
async def replaced_file(folder: Path) -> AsyncIterator[End]:
    yield End(write_file(folder / "file"))


@asynccontextmanager
async def created_file(folder: Path) -> AsyncIterator[End]:
    yield End(write_file(folder / "file", mode="create"))


@asynccontextmanager
async def appended_file(folder: Path) -> AsyncIterator[End]:
    yield End(write_file(folder / "file", mode="append"))


@asynccontextmanager
async def fifo(folder: Path) -> AsyncIterator[End]:
    path = folder / "fifo"
    os.mkfifo(path)
    reading = threading.Thread(target=path.read_bytes)
    reading.start()
    end = End(write_file(path))
    try:
        yield end
    finally:
        await end_at_fifo(reading, path, end.has_ended)


@asynccontextmanager
async def process(folder: Path) -> AsyncIterator[End]:
    before = set(children())
    end = End((await open_process("cat", stdout=subprocess.DEVNULL, check=False)).writable)
    yield end
    await until(lambda: set(children()) <= before)


def children() -> list[str]:
    """Give the ids of our child processes that have not been waited for."""
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()


def connection(kind: str) -> Opener:
    @asynccontextmanager
    async def opened(folder: Path) -> AsyncIterator[End]:
        begun, over = asyncio.Event(), asyncio.Event()

        async def receive(connection: Any) -> None:
            begun.set()
            try:
                await connection.readable.list()
            except OSError:
                pass
            finally:
                over.set()

        network = Network(kind, folder)
        async with network.serve(receive) as server:
            client = await network.connect(server)
            await soon(begun.wait())
            await client.readable.cancel()
            end = End(client.writable)
            del client
            yield end
            await soon(over.wait())

    return opened


async def receive_all(over: asyncio.Event, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What a server does until its client has gone."""
    try:
        await reader.read()
    except OSError:
        pass
    finally:
        over.set()
        writer.transport.abort()


@asynccontextmanager
async def stream_writer(folder: Path) -> AsyncIterator[End]:
    over = asyncio.Event()

    server = await asyncio.start_server(partial(receive_all, over), "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    end = End(to_stream_writer(writer))
    del writer, _
    yield end
    await soon(over.wait())
    server.close()


@asynccontextmanager
async def byte_stream(folder: Path) -> AsyncIterator[End]:
    over = asyncio.Event()

    server = await asyncio.start_server(partial(receive_all, over), "127.0.0.1", 0)
    end = End(to_byte_stream(HalfOnly(await anyio.connect_tcp(*server.sockets[0].getsockname()))))
    yield end
    await soon(over.wait())
    server.close()


class HalfOnly:
    """anyio's socket as something that can only be sent to."""

    def __init__(self, stream: Any) -> None:
        self.send, self.aclose = stream.send, stream.aclose


@asynccontextmanager
async def response(folder: Path) -> AsyncIterator[End]:
    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        await asyncio.sleep(0)

    yield End(asgi_response(send, receive=receive))


ENDS: dict[str, Opener] = {
    "replaced file": replaced_file,
    "created file": created_file,
    "appended file": appended_file,
    "fifo": fifo,
    "process": process,
    "tcp": connection("tcp"),
    "unix": connection("unix"),
    "tls": connection("tls"),
    "StreamWriter": stream_writer,
    "anyio's byte stream": byte_stream,
    "ASGI": response,
}


@pytest.fixture(params=ENDS)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], AbstractAsyncContextManager[End]]:
    """Open an end, each time in a folder of its own."""
    return lambda: ENDS[request.param](Path(mkdtemp(dir=tmp_path)))


@each_of(before=[0, 2])
@each_of(chunk=NO_CHUNKS)
async def test_what_is_no_chunk(opened: Any, tmp_path: Path, chunk: Any, before: int) -> None:
    """The writer gets the error and does nothing more, as a pipe does."""
    async with nothing_left(), opened() as end:
        stream = end.take()
        writer = stream.get_writer()
        for _ in range(before):
            writer.write(b"a chunk")
        error = await failure(writer.write(chunk))
        assert isinstance(error, TypeError)
        cure = ": encode text first, for example with pipe_through(TextEncoderStream())" if chunk == "text" else ""
        assert str(error) == f"the chunk must be a bytes-like object, not {type(chunk).__name__}{cure}"
        assert await failure(writer.closed) is error
    for folder in tmp_path.iterdir():
        assert [path.name for path in folder.iterdir() if path.is_file()] in ([], ["file"])


async def test_closing(opened: Any) -> None:
    async with nothing_left(), opened() as end:
        writer = end.take().get_writer()
        await soon(writer.write(b"a chunk"))
        await soon(writer.close())


@each_of(size=[0, 100, 10_000_000])
async def test_aborting(opened: Any, size: int) -> None:
    async with nothing_left(), opened() as end:
        writer = end.take().get_writer()
        writing = writer.write(bytes(size))
        await asyncio.sleep(0)
        await soon(writer.abort(ValueError("enough")))
        await asyncio.gather(writing, return_exceptions=True)


@pytest.mark.parametrize("name", sorted(ENDS.keys() - {"tls"}))  # TLS is read by the event loop until the peer leaves
@pytest.mark.parametrize("count", [0, 1])
async def test_dropping(tmp_path: Path, name: str, count: int) -> None:
    """Python closes what nobody has any more; it may warn about that."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        async with nothing_left(dropped=True), ENDS[name](tmp_path) as end:
            writer = end.take().get_writer()
            for _ in range(count):
                await soon(writer.write(b"a chunk"))
            del writer
            await asyncio.sleep(0.01)
            gc.collect()
