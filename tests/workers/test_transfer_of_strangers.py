"""A port at whose other end is somebody else, and what is not one."""

from __future__ import annotations

import array
import asyncio
import os
import random
import socket
import struct
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.helpers import failure
from webstreams import DataError, ReadableStream
from webstreams.workers import Port, RemoteError, WorkerDied, receive, transfer
from webstreams.workers._frames import BYTEARRAY, BYTES, CHUNK, CLOSE, ERROR, HEAD, PULL, SETUP, TEXT, encode
from webstreams.workers._port import MAGIC, RECORD
from webstreams.workers._reading import FrameReader

# What is no port, or no friend.


@pytest.fixture
def stranger() -> Iterator[tuple[Port, socket.socket]]:
    """A port, and a bare socket at its other end."""
    ours, theirs = socket.socketpair()
    port = Port(ours)
    yield port, theirs
    port.close()
    theirs.close()


def give(theirs: socket.socket, record: bytes, count: int = 1) -> list[socket.socket]:
    """Send a record as a port does; return the ends that stay."""
    pairs = [socket.socketpair() for _ in range(count)]
    socket.send_fds(theirs, [record], [pair[1].fileno() for pair in pairs])
    for pair in pairs:
        pair[1].close()
    return [pair[0] for pair in pairs]


@pytest.mark.parametrize(
    ("record", "count"),
    [
        (b"GET / HTTP/1.1", 1),
        (b"short", 1),
        (RECORD.pack(b"none", 1, 1), 1),
        (RECORD.pack(MAGIC, 99, 1), 1),
        (RECORD.pack(MAGIC, 1, 0), 1),
        (RECORD.pack(MAGIC, 1, 2**31), 1),
        (RECORD.pack(MAGIC, 1, 1), 2),
        (RECORD.pack(MAGIC, 3, 1), 1),
        (RECORD.pack(MAGIC, 1, 1), 50),
    ],
)
async def test_records_of_strangers(record: bytes, count: int, stranger: Any) -> None:
    port, theirs = stranger
    kept = give(theirs, record, count)
    with pytest.raises(DataError, match="not describe a stream"):
        await receive(port)
    assert port.is_closed
    for connection in kept:  # whose other ends are closed
        connection.setblocking(False)
        assert connection.recv(1) == b""
        connection.close()


async def test_descriptors_of_strangers_that_are_no_sockets_are_closed(stranger: Any) -> None:
    port, theirs = stranger
    reading, writing = os.pipe()
    theirs.sendmsg(
        [RECORD.pack(MAGIC, 1, 1)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [reading]).tobytes())]
    )
    os.close(reading)
    with pytest.raises(DataError, match="not describe a stream"):
        await receive(port)
    with pytest.raises(BrokenPipeError):
        os.write(writing, b"x")
    os.close(writing)


async def asked(connection: socket.socket) -> None:
    """Wait for the other end's "pull"."""
    connection.setblocking(False)
    data = await asyncio.get_running_loop().sock_recv(connection, HEAD.size)
    assert HEAD.unpack(data)[0] == PULL


HOSTILE = {
    "a length of 2^31": HEAD.pack(CHUNK, 0, 2**31),
    "a length of 2^31 of bytes": HEAD.pack(BYTES, 0, 2**31),
    "2^31 buffers": HEAD.pack(CHUNK, 2**31, 1),
    "an unknown type": HEAD.pack(99, 0, 0),
    "an unknown type with a length": HEAD.pack(0, 1, 1),
    "a setup": b"".join(map(bytes, encode(SETUP, None))),
    "more chunks than were asked for": b"".join(map(bytes, encode(CHUNK, b"x"))) * 2,
    "a cut head": HEAD.pack(BYTES, 0, 100)[:4],
    "a cut frame": HEAD.pack(BYTES, 0, 100) + b"x",
    "a reason that is none": HEAD.pack(ERROR, 0, 2) + b"{}",
    "nothing": b"",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("kind", [1, 2])
async def test_hostile_frames_are_an_error_and_no_hang(kind: int, data: bytes, stranger: Any) -> None:
    port, theirs = stranger
    (connection,) = give(theirs, RECORD.pack(MAGIC, kind, 1))
    stream: Any = await receive(port)
    end = stream.get_reader() if kind == 1 else stream.get_writer()
    waiting = end.read() if kind == 1 else end.write(b"x")
    if kind == 1:
        await asked(connection)
    connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)
    assert isinstance(await failure(end.closed), (DataError, WorkerDied, ValueError))
    if data != HOSTILE["more chunks than were asked for"] or kind == 2:
        await failure(waiting)
    connection.close()


async def test_text_that_is_no_text_is_wrong_data(stranger: Any) -> None:
    port, theirs = stranger
    (connection,) = give(theirs, RECORD.pack(MAGIC, 1, 1))
    stream: Any = await receive(port)
    waiting = stream.get_reader().read()
    await asked(connection)
    connection.sendall(HEAD.pack(TEXT, 0, 1) + b"\xff")
    error = await failure(waiting)
    assert isinstance(error, DataError)
    assert "not UTF-8" in str(error)
    connection.close()


def test_a_length_alone_takes_no_memory() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        reader = FrameReader(ours, trusted=False)
        tracemalloc.start()
        try:
            theirs.sendall(HEAD.pack(BYTEARRAY, 0, 2**30) + b"x")
            assert reader.receive(wait=False) == []
            assert tracemalloc.get_traced_memory()[1] < 2 * 2**20
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("kind", [BYTES, BYTEARRAY])
async def test_a_large_chunk_of_a_stranger_arrives_as_a_whole(kind: int, stranger: Any) -> None:
    port, theirs = stranger
    (connection,) = give(theirs, RECORD.pack(MAGIC, 1, 1))
    stream: Any = await receive(port)
    waiting = stream.get_reader().read()
    await asked(connection)
    chunk = random.Random(1).randbytes(5 * 2**20 + 1)
    await asyncio.get_running_loop().sock_sendall(connection, HEAD.pack(kind, 0, len(chunk)) + chunk)
    assert (await waiting).value == chunk
    connection.close()


async def test_credits_beyond_the_window_are_not_credited(stranger: Any) -> None:
    port, theirs = stranger
    (connection,) = give(theirs, RECORD.pack(MAGIC, 2, 2))
    writer = (await receive(port)).get_writer()
    connection.sendall(HEAD.pack(PULL, 2**31, 0))
    await writer.write(b"1")
    await writer.write(b"2")
    third = writer.write(b"3")
    for _ in range(20):
        await asyncio.sleep(0)
    assert not third.done()
    connection.sendall(HEAD.pack(PULL, 1, 0))
    await third
    expected = b"".join(HEAD.pack(BYTES, 0, 1) + digit for digit in (b"1", b"2", b"3"))
    connection.setblocking(False)
    assert await asyncio.get_running_loop().sock_recv(connection, len(expected) - 10) == expected[:-10]
    assert await asyncio.get_running_loop().sock_recv(connection, 1000) == expected[-10:]
    connection.close()
    assert isinstance(await failure(writer.closed), WorkerDied)


async def test_nothing_of_a_stranger_is_unpickled(stranger: Any) -> None:
    port, theirs = stranger
    assert not port.trusted
    chunks = [b"a", "b", bytearray(b"c"), memoryview(b"d")]
    allowed = b"".join(bytes(part) for chunk in chunks for part in encode(CHUNK, chunk))
    refused = b"".join(map(bytes, encode(CHUNK, {"a": 1})))
    reason = b"".join(map(bytes, encode(ERROR, KeyError("reason"))))
    for end, kind, text in ((refused, DataError, "trusted=True"), (reason, RemoteError, "KeyError\\('reason'\\)")):
        (connection,) = give(theirs, RECORD.pack(MAGIC, 1, 8))
        stream: Any = await receive(port)
        found = []
        with pytest.raises(kind, match=text), connection:
            reader = stream.get_reader()
            read = reader.read()
            await asked(connection)
            connection.sendall(allowed)
            for _ in chunks:
                found.append((await read).value)
                read = reader.read()
            connection.sendall(end)
            await read
        assert found == chunks


async def test_who_is_trusted_is_said_by_name() -> None:
    ours, others = socket.socketpair()
    with Port(ours, trusted=True) as trusting, others:
        (connection,) = give(others, RECORD.pack(MAGIC, 1, 8))
        with connection:
            stream: Any = await receive(trusting)
            read = stream.get_reader().read()
            await asked(connection)
            connection.sendall(b"".join(map(bytes, encode(CHUNK, {"a": 1}))) + HEAD.pack(CLOSE, 0, 0))
            assert (await read).value == {"a": 1}


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_SEQPACKET])
def test_a_port_needs_a_unix_socket(kind: int) -> None:
    with pytest.raises(TypeError, match="connected socket"):
        Port("socket")  # type: ignore[arg-type]
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    with ours, theirs, pytest.raises(ValueError, match="Unix socket"):
        Port(ours)
    with socket.socket() as tcp, pytest.raises(ValueError, match="Unix socket"):
        Port(tcp)


async def test_wrong_arguments(channel: Any) -> None:
    here, _ = channel
    with pytest.raises(TypeError, match=r"transfer\(\) needs a Port"):
        transfer(ReadableStream(), "port")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"receive\(\) needs a Port"):
        await receive(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"transfer\(\) needs a ReadableStream"):
        transfer([1, 2], here)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="window"):
        transfer(ReadableStream(), here, window=0)
    with pytest.raises(TypeError, match="trusted"), socket.socket(socket.AF_UNIX) as connection:
        Port(connection, trusted=1)  # type: ignore[arg-type]


def test_struct_sizes_are_those_of_the_protocol() -> None:
    assert (RECORD.size, HEAD.size) == (9, 9)
    assert struct.calcsize("!Q") == 8
