"""What breaks in the middle is one clear error at the reading end; no descriptor, no task and no file is left.

Every fault is met twice: by a reader, and by a pipe into a new file.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.faults.helpers import failure, soon, turns
from webstreams import DecompressionStream, ReadableStream, TextDecoderStream, TextEncoderStream
from webstreams.ends.asyncio_streams import from_stream_reader
from webstreams.ends.files import TruncatedFileError, read_file, write_file
from webstreams.ends.http import from_response
from webstreams.ends.processes import open_process
from webstreams.ends.sockets import Connection

from .sockets import Network
from .web import TRUSTS_NOBODY, nothing_left, serve_raw, until

# Text that is compressed to about a third, and much more than all queues together.
TEXT = b"".join(b"%d slow and steady \xf0\x9f\x98\x80\n" % (number * 7919) for number in range(40_000))
COMPRESSED = gzip.compress(TEXT, 1)

Breaking = tuple[ReadableStream[bytes], Callable[[], object]]
Opener = Callable[[Path], AbstractAsyncContextManager[Breaking]]


def nothing_more() -> None:
    """It is broken already."""


@asynccontextmanager
async def killed_child(folder: Path) -> AsyncIterator[Breaking]:
    (folder / "in").write_bytes(TEXT)
    async with await open_process("cat", str(folder / "in"), "-", check=True) as process:
        yield process.readable, process.kill


@asynccontextmanager
async def shrinking_file(folder: Path) -> AsyncIterator[Breaking]:
    (folder / "in").write_bytes(TEXT)
    os.truncate(folder / "in", 300_000_000)
    yield read_file(folder / "in"), lambda: os.truncate(folder / "in", 100)


def dropped(kind: str) -> Opener:
    @asynccontextmanager
    async def opened(folder: Path) -> AsyncIterator[Breaking]:
        connections: list[Connection] = []

        async def send(connection: Connection) -> None:
            connections.append(connection)
            await ReadableStream.from_([TEXT]).pipe_to(connection.writable, prevent_close=True)
            await connection.wait_closed()

        network = Network(kind, folder)
        async with network.serve(send) as server, await network.connect(server) as client:
            await until(lambda: connections)
            yield client.readable, connections[0].abort

    return opened


@asynccontextmanager
async def dropped_stream_reader(folder: Path) -> AsyncIterator[Breaking]:
    async with Network("tcp", folder).serve(Resetting(TEXT)) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        yield from_stream_reader(reader), nothing_more
        writer.close()


class Resetting:
    """Sends something and resets the connection."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    async def __call__(self, connection: Connection) -> None:
        async with connection.writable.get_writer() as writer:
            await writer.write(self.body)
            connection.abort()


def dropped_response(head: bytes) -> Opener:
    @asynccontextmanager
    async def opened(folder: Path) -> AsyncIterator[Breaking]:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\n%s%s" % (head, TEXT))
            await writer.drain()
            writer.close()

        async with (
            serve_raw(answer) as url,
            httpx.AsyncClient(verify=TRUSTS_NOBODY) as client,
            client.stream("GET", url) as response,
        ):
            yield from_response(response), nothing_more

    return opened


def through(data: bytes, *transforms: Callable[[], Any]) -> Opener:
    @asynccontextmanager
    async def opened(folder: Path) -> AsyncIterator[Breaking]:
        (folder / "in").write_bytes(data)
        stream: Any = read_file(folder / "in")
        for transform in transforms:
            stream = stream.pipe_through(transform())
        yield stream, nothing_more

    return opened


def gunzip() -> Any:
    return DecompressionStream("gzip")


def decode() -> Any:
    return TextDecoderStream(fatal=True)


FAULTS: dict[str, tuple[Opener, type[BaseException] | tuple[type[BaseException], ...], str]] = {
    "killed child": (killed_child, subprocess.CalledProcessError, "SIGKILL"),
    "shrinking file": (shrinking_file, TruncatedFileError, "ended at byte .* had 300000000 bytes"),
    "dropped TCP": (dropped("tcp"), ConnectionResetError, "reset by peer"),
    "dropped TLS": (dropped("tls"), (ssl.SSLEOFError, ConnectionResetError), "was cut|reset by peer"),
    "dropped StreamReader": (dropped_stream_reader, ConnectionResetError, "reset by peer|Connection lost"),
    "HTTP with a length": (dropped_response(b"Content-Length: 99999999\r\n\r\n"), httpx.RemoteProtocolError, "closed"),
    "HTTP in chunks": (
        dropped_response(b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % 99999999),
        httpx.RemoteProtocolError,
        "closed",
    ),
    "invalid UTF-8": (through(TEXT + b"\xf0\x28" + TEXT, decode, TextEncoderStream), TypeError, "utf-8|UTF-8"),
    "UTF-8 that is cut": (through(TEXT + b"\xf0\x9f", decode, TextEncoderStream), TypeError, "utf-8|UTF-8"),
    "corrupt gzip": (through(COMPRESSED[:-500_000] + bytes(500_000), gunzip), TypeError, "gzip|data"),
    "wrong checksum": (through(COMPRESSED[:-8] + bytes(8), gunzip), TypeError, "gzip|data"),
    "truncated gzip": (through(COMPRESSED[:-500_000], gunzip), TypeError, "end"),
    "no gzip": (through(TEXT, gunzip), TypeError, "gzip|data"),
    "trailing data": (through(COMPRESSED + b"more", gunzip), TypeError, "end"),
}


@pytest.fixture(params=FAULTS)
def fault(request: pytest.FixtureRequest) -> tuple[Opener, Any, str]:
    return FAULTS[request.param]


async def test_a_reader_gets_one_clear_error(fault: tuple[Opener, Any, str], tmp_path: Path, reported: Any) -> None:
    opened, kind, message = fault
    async with nothing_left(), opened(tmp_path) as (stream, break_it):
        reader = stream.get_reader()
        received = b""
        error: BaseException | None = None
        while error is None:
            try:
                result = await soon(reader.read())
            except Exception as raised:
                error = raised
            else:
                assert not result.done
                received += result.value or b""
                break_it()
        assert isinstance(error, kind)
        with pytest.raises(kind, match=message):
            raise error
        # The same object for everybody who asks.
        assert await failure(reader.read()) is error
        assert await failure(reader.closed) is error
        assert TEXT.startswith(received[:100_000])  # zlib takes a while to notice what is corrupt
    assert reported == []


async def test_a_pipe_into_a_file_leaves_no_file(fault: tuple[Opener, Any, str], tmp_path: Path, reported: Any) -> None:
    opened, kind, message = fault
    (tmp_path / "out").mkdir()
    async with nothing_left(), opened(tmp_path) as (stream, break_it):
        pipe = asyncio.ensure_future(stream.pipe_to(write_file(tmp_path / "out" / "name")))
        while not (pipe.done() or has_content(tmp_path / "out")):
            await asyncio.sleep(0)
        break_it()
        with pytest.raises(kind, match=message):
            await soon(pipe)
        assert os.listdir(tmp_path / "out") == []
    assert reported == []


def has_content(folder: Path) -> bool:
    try:
        return any(path.stat().st_size > 0 for path in folder.iterdir())
    except FileNotFoundError:  # removed meanwhile
        return False


async def test_a_killed_child_in_the_middle_of_a_pipeline(tmp_path: Path, reported: Any) -> None:
    """The error reaches both ends: the reader, and the source, which is cancelled."""
    cancelled: list[object] = []
    source = ReadableStream({"pull": lambda controller: controller.enqueue(TEXT), "cancel": cancelled.append})
    async with nothing_left():
        async with await open_process("cat") as process:
            piped = source.pipe_through(process).pipe_to(write_file(tmp_path / "name"))
            while not os.listdir(tmp_path):
                await turns()
            process.send_signal(signal.SIGKILL)
            with pytest.raises(subprocess.CalledProcessError, match="SIGKILL"):
                await soon(piped)
        assert [type(reason) for reason in cancelled] == [BrokenPipeError]
    assert os.listdir(tmp_path) == []
    assert reported == []


# A full disk.

ON_A_SMALL_DISK = """
import asyncio, errno, gc, os, resource, subprocess, sys
from webstreams import CompressionStream, ReadableStream, write_file

folder, kind = sys.argv[1:]
if kind == "disk":
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "none", folder], check=True)
else:
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

def names():
    return {number: os.readlink(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")[:-1]}

async def main(mode):
    loop = asyncio.get_running_loop()
    reported, cancelled = [], []
    loop.set_exception_handler(lambda _, context: reported.append(context))
    await loop.run_in_executor(None, int)
    before = len(os.listdir("/proc/self/fd"))
    with open(f"{folder}/name", "wb") as file:
        file.write(b"old")
    source = {"pull": lambda controller: controller.enqueue(os.urandom(50_000)), "cancel": cancelled.append}
    path = f"{folder}/name" if mode == "replace" else f"{folder}/new"
    try:
        await ReadableStream(source).pipe_through(CompressionStream("gzip")).pipe_to(write_file(path, mode=mode))
    except OSError as error:
        assert cancelled == [error], cancelled
        assert error.filename == path, error.filename
        with open(f"{folder}/name", "rb") as file:
            old = file.read()
        after, tasks = len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())
        print(errno.errorcode[error.errno], os.listdir(folder), old, after - before, tasks, reported)

for mode in ("replace", "create"):
    asyncio.run(main(mode))
"""


@pytest.mark.parametrize("kind", ["disk", "limit"])
def test_a_full_disk(tmp_path: Path, kind: str) -> None:
    """A real one where a file system of our own can be mounted, and a limit for the size of files everywhere."""
    if kind == "disk" and subprocess.run([*OWN_MOUNTS, "true"], capture_output=True, check=False).returncode:
        kind = "limit"
    command = [*(OWN_MOUNTS if kind == "disk" else []), sys.executable, "-c", ON_A_SMALL_DISK, str(tmp_path), kind]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    name = "ENOSPC" if kind == "disk" else "EFBIG"
    assert (done.stdout, done.stderr) == (f"{name} ['name'] b'old' 0 1 []\n" * 2, "")


OWN_MOUNTS = ["unshare", "--map-root-user", "--mount"]
