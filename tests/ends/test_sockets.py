"""Sockets as streams: what goes through, how each side ends, and what is left behind."""

from __future__ import annotations

import array
import asyncio
import errno
import os
import re
import socket
import ssl
import struct
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.faults.helpers import failure, soon, turns
from webstreams import ReadableStream, TransformStream
from webstreams.ends.sockets import Connection, connect_tcp, connect_unix

from .sockets import Endless, Holder, Network, contexts, echo, failure_or_none, read_all, write
from .web import nothing_left, settled, until

PIECE = 64 * 1024
PLAIN = ["tcp", "unix"]


# What goes through.


async def test_bytes_go_both_ways(network: Network) -> None:
    async with network.pair() as (client, server):
        await write(client, b"question", b"?")
        reader = server.readable.get_reader()
        received = b""
        while len(received) < 9:
            value, _ = await soon(reader.read())
            assert isinstance(value, bytes)
            received += value
        assert received == b"question?"
        await write(server, b"answer")
        assert (await soon(client.readable.get_reader().read())).value == b"answer"


async def test_a_large_body_arrives_whole_and_in_pieces(network: Network) -> None:
    body = os.urandom(3_000_000)
    pieces: list[int] = []

    async def send(connection: Connection) -> None:
        await ReadableStream.from_([body[:1], body[1:]]).pipe_to(connection.writable)

    async with network.serve(send) as server, await network.connect(server) as client:
        received = b""
        async for chunk in client.readable:
            pieces.append(len(chunk))
            received += chunk
    assert received == body
    assert max(pieces) <= PIECE


async def test_a_connection_is_something_to_pipe_through(plain: Network) -> None:
    body = os.urandom(1_000_000)
    async with plain.serve(echo) as server:
        client = await plain.connect(server)
        chunks = [body[start : start + 10_000] for start in range(0, len(body), 10_000)]
        echoed = ReadableStream.from_(chunks).pipe_through(client).pipe_through(TransformStream())
        assert await soon(read_all(echoed)) == body
        await soon(client.wait_closed())


async def test_a_byob_reader_has_its_own_memory_filled(network: Network) -> None:
    async with network.pair() as (client, server):
        await write(client, b"0123456789")
        reader = server.readable.get_reader(mode="byob")
        memory = bytearray(4)
        result = await soon(reader.read(memory))
        assert result.value is not None and result.value.obj is memory
        assert memory == b"0123"
        result = await soon(reader.read(bytearray(20), min=6))
        assert bytes(result.value or b"") == b"456789"
        pending = reader.read(bytearray(20), min=8)
        await write(client, b"abc")
        await turns(20)
        assert not pending.done()
        await client.close()
        result = await soon(pending)  # the end comes with less
        assert (bytes(result.value or b""), result.done) == (b"abc", True)
        result = await soon(reader.read(bytearray(20)))
        assert result.done and result.value is not None and len(result.value) == 0


async def test_the_end_in_the_middle_of_an_item_is_an_error(plain: Network) -> None:
    async with plain.pair() as (client, server):
        reader = server.readable.get_reader(mode="byob")
        pending = reader.read(array.array("I", [0, 0]))
        await write(client, b"abc")
        await client.writable.close()
        assert isinstance(await failure(pending), TypeError)


async def test_every_bytes_like_object_can_be_written(network: Network) -> None:
    async with network.pair() as (client, server):
        strided = memoryview(b"s-t-r-i-d-e-d")[::2]
        changing = bytearray(b"changing")
        await write(client, b"", memoryview(b"view"), array.array("H", [0x4141]), strided, changing)
        changing[:] = b"XXXXXXXX"
        await client.close()
        assert await soon(read_all(server.readable)) == b"viewAAstridedchanging"


async def test_memory_that_was_written_can_be_changed_at_once(network: Network) -> None:
    """A write is done only when nothing refers to the chunk any more."""
    async with network.pair() as (client, server):
        received = asyncio.ensure_future(read_all(server.readable))
        writer = client.writable.get_writer()
        memory = bytearray(700_000)
        for number in range(10):
            memory[:] = bytes([number]) * len(memory)
            await writer.write(memory)
        writer.release_lock()
        await client.close()
        body = await soon(received)
        assert body == b"".join(bytes([number]) * len(memory) for number in range(10))


async def test_a_chunk_that_is_no_bytes_ends_the_connection(network: Network) -> None:
    async with network.pair() as (client, server):
        writer = client.writable.get_writer()
        assert isinstance(await failure(writer.write("text")), TypeError)  # type: ignore[arg-type]
        await soon(client.wait_closed())
        assert isinstance(await failure(client.readable.get_reader().read()), TypeError)
        await failure_or_none(read_all(server.readable))


# Backpressure.


async def test_a_consumer_that_stops_stops_the_producer(network: Network) -> None:
    source = Endless()
    async with network.pair() as (client, server):
        pipe = ReadableStream(source).pipe_to(client.writable)
        reader = server.readable.get_reader()
        await soon(reader.read())
        for _ in range(3):
            await settled(lambda: source.given)  # now only the system holds more
            queue = re.search(r"queue (\d+)/", repr(server.readable))
            assert queue is not None and int(queue[1]) < 1_000_000
            await reader.read()
        client.abort()
        await failure(pipe)
        await failure_or_none(_drain(reader))


async def _drain(reader: Any) -> None:
    while not (await reader.read()).done:
        pass


async def test_nothing_is_taken_before_the_first_read(tcp: Network) -> None:
    async with tcp.pair() as (client, server):
        await write(client, b"early")
        await turns(20)
        # The system still has it.
        descriptor = server.get_extra_info("socket").fileno()
        duplicate = socket.socket(fileno=os.dup(descriptor))
        with duplicate:
            assert duplicate.recv(100, socket.MSG_PEEK) == b"early"
        assert (await soon(server.readable.get_reader().read())).value == b"early"


async def test_a_cancelled_read_loses_nothing(network: Network) -> None:
    async with network.pair() as (client, server):
        reader = server.readable.get_reader()
        received = b""
        for number in range(200):
            waiting = asyncio.ensure_future(reader.read())
            if number % 3 == 0:
                await turns(number % 5)
            await write(client, b"%d " % number)
            await turns(number % 7)
            waiting.cancel()
            await asyncio.wait([waiting])
            if not waiting.cancelled():
                received += waiting.result().value or b""
        await client.close()
        reader.release_lock()
        received += await soon(read_all(server.readable))
        assert received == b"".join(b"%d " % number for number in range(200))


async def test_a_cancelled_byob_read_loses_nothing(network: Network) -> None:
    async with network.pair() as (client, server):
        reader = server.readable.get_reader(mode="byob")
        received = b""
        for number in range(200):
            waiting = asyncio.ensure_future(reader.read(bytearray(3)))
            await turns(number % 5)
            await write(client, b"%d " % number)
            await turns(number % 7)
            waiting.cancel()
            await asyncio.wait([waiting])
            if not waiting.cancelled():
                received += bytes(waiting.result().value or b"")
        await client.close()
        reader.release_lock()
        received += await soon(read_all(server.readable))
        assert received == b"".join(b"%d " % number for number in range(200))


# How it ends.


async def test_closing_the_writable_end_leaves_the_other_open(plain: Network) -> None:
    async with plain.pair() as (client, server):
        await client.writable.close()
        assert await soon(read_all(server.readable)) == b""
        await write(server, b"still here")
        reader = client.readable.get_reader()
        assert (await soon(reader.read())).value == b"still here"
        await server.writable.close()
        assert (await soon(reader.read())).done
        await soon(client.wait_closed())
        await soon(server.wait_closed())


async def test_tls_cannot_be_closed_by_halves(tls: Network) -> None:
    async with tls.pair() as (client, server):
        await write(client, b"question")
        await client.writable.close()
        reader = server.readable.get_reader()
        assert (await soon(reader.read())).value == b"question"
        await write(server, b"answer")
        assert (await soon(client.readable.get_reader().read())).value == b"answer"
        await soon(client.close())
        assert (await soon(reader.read())).done
        await soon(server.wait_closed())
        assert isinstance(await failure(server.writable.get_writer().write(b"late")), BrokenPipeError)


async def test_cancelling_and_closing_closes_the_socket(network: Network) -> None:
    async with network.pair() as (client, server):
        await client.readable.cancel("enough")
        await write(client, b"last words")
        await client.writable.close()
        await soon(client.wait_closed())
        assert (await soon(server.readable.get_reader().read())).value == b"last words"


async def test_cancelling_ends_a_read_and_aborting_closes_at_once(network: Network) -> None:
    async with network.pair() as (client, server):
        pending = client.readable.get_reader().read()
        source = Endless()
        pipe = ReadableStream(source).pipe_to(server.writable)
        await settled(lambda: source.given)  # the other side is full
        reader = server.readable.get_reader()
        waiting = reader.read()
        server.abort("enough")
        assert await failure(waiting)
        assert await failure(pipe)
        assert source.cancelled == ["enough"]
        await soon(server.wait_closed())
        await soon(pending)


async def test_aborting_the_writable_end_resets_the_connection(tcp: Network) -> None:
    async with tcp.pair() as (client, server):
        await write(client, b"the first half")
        reader = server.readable.get_reader()
        await soon(reader.read())
        error = ValueError("no second half")
        waiting = client.readable.get_reader().read()
        await client.writable.abort(error)
        assert await failure(waiting) is error
        lost = await failure(reader.read())
        assert isinstance(lost, ConnectionResetError) and lost.errno == errno.ECONNRESET
        assert await failure(server.writable.get_writer().write(b"late")) is lost
        await soon(server.wait_closed())


async def test_aborting_does_not_wait_for_a_write(network: Network) -> None:
    async with network.pair() as (client, _):
        writer = client.writable.get_writer()
        writing = writer.write(bytes(20_000_000))
        await turns(20)
        assert not writing.done()
        await soon(writer.abort("enough"))
        assert await failure(writing)
        await soon(client.wait_closed())


async def test_a_peer_that_resets_is_an_error_of_both_streams(tcp: Network) -> None:
    accepted: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()

    async def handler(connection: Connection) -> None:
        accepted.set_result(connection)
        await connection.wait_closed()

    async with tcp.serve(handler) as server:
        peer = socket.create_connection(server.sockets[0].getsockname())
        connection = await accepted
        read = connection.readable.get_reader().read()
        await turns()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        error = await failure(read)
        assert isinstance(error, ConnectionResetError)
        assert await failure(connection.writable.get_writer().closed) is error
        await soon(connection.wait_closed())


async def test_writing_to_a_peer_that_is_gone_fails(plain: Network) -> None:
    async with plain.pair() as (client, server):
        server.abort()
        await server.wait_closed()
        writer = client.writable.get_writer()
        writes = [failure_or_none(writer.write(b"into nothing")) for _ in range(3)]
        errors = [error for error in await asyncio.gather(*writes) if error is not None]
        assert errors and all(isinstance(error, ConnectionError) for error in errors)
        await soon(client.wait_closed())


async def test_a_tls_connection_that_is_cut_is_an_error(tls: Network) -> None:
    """Without TLS's own goodbye nobody knows whether that was all."""
    async with tls.pair() as (client, server):
        await write(client, b"the first half")
        reader = server.readable.get_reader()
        await soon(reader.read())
        with socket.socket(fileno=os.dup(client.get_extra_info("socket").fileno())) as duplicate:
            duplicate.shutdown(socket.SHUT_RDWR)
        assert isinstance(await failure(reader.read()), ssl.SSLEOFError)
        await soon(server.wait_closed())


async def test_a_tls_peer_that_hangs_up_at_once_loses_nothing(tls: Network) -> None:
    """Everything has come and the peer is gone before the first read: asyncio by itself would lose most of that."""
    body = os.urandom(300_000)
    accepted: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
    peer = HastyPeer(body)
    async with tls.serve(Holder(accepted)) as server:
        sending = asyncio.create_task(asyncio.to_thread(peer.run, server.sockets[0].getsockname()))
        connection = await accepted
        await until(peer.sent.is_set)
        await turns(50)
        assert await soon(read_all(connection.readable)) == body
        peer.may_leave.set()
        await sending


class HastyPeer:
    """Sends, says goodbye and hangs up without waiting for an answer."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.sent = threading.Event()
        self.may_leave = threading.Event()

    def run(self, address: Any) -> None:
        plain = socket.create_connection(address)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = contexts()[1].wrap_bio(incoming, outgoing, server_hostname="localhost")
        with plain:
            while not self._has_shaken_hands(tls):
                plain.sendall(outgoing.read())
                incoming.write(plain.recv(PIECE))
            tls.write(self.body)
            with suppress(ssl.SSLWantReadError):
                tls.unwrap()
            plain.sendall(outgoing.read())
            plain.shutdown(socket.SHUT_WR)
            self.sent.set()
            self.may_leave.wait(10)  # closing it now, with something unread, would reset the connection

    def _has_shaken_hands(self, tls: ssl.SSLObject) -> bool:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True


# The connection as a whole.


async def test_close_delivers_what_was_written(network: Network) -> None:
    body = os.urandom(2_000_000)
    async with network.pair() as (client, server):
        writer = client.writable.get_writer()
        for start in range(0, len(body), 100_000):
            writer.write(body[start : start + 100_000])
        writer.release_lock()
        closing = asyncio.ensure_future(client.close())
        assert await soon(read_all(server.readable)) == body
        await soon(closing)
        await client.close()  # once more does nothing


async def test_close_ends_what_is_under_way(network: Network) -> None:
    async with network.pair() as (client, server):
        reading = client.readable.get_reader().read()
        writer = client.writable.get_writer()
        await writer.write(b"goodbye")
        await soon(client.close())
        assert isinstance(await failure(reading), ConnectionAbortedError)
        assert isinstance(await failure(writer.write(b"late")), ConnectionAbortedError)
        assert (await soon(server.readable.get_reader().read())).value == b"goodbye"


async def test_close_waits_for_a_closing_that_was_begun(network: Network) -> None:
    async with network.pair() as (client, server):
        closing = client.writable.close()
        await soon(client.close())
        assert closing.done()
        assert await soon(read_all(server.readable)) == b""


async def test_a_cancelled_close_resets(network: Network) -> None:
    async with network.pair() as (client, _):
        writer = client.writable.get_writer()
        writing = writer.write(bytes(20_000_000))
        writer.release_lock()
        closing = asyncio.ensure_future(client.close())
        await turns(20)
        assert not closing.done()
        closing.cancel()
        await asyncio.wait([closing])
        assert closing.cancelled()
        assert await failure(writing)
        await soon(client.wait_closed())


async def test_leaving_the_block_by_an_error_resets(tcp: Network) -> None:
    async with tcp.pair() as (client, server):
        error = ValueError("in the block")
        assert await failure(_fail_in_block(client, error)) is error
        assert isinstance(await failure(read_all(server.readable)), ConnectionResetError)


async def _fail_in_block(connection: Connection, error: Exception) -> None:
    async with connection:
        await write(connection, b"half")
        raise error


async def test_what_is_known_of_a_connection(network: Network) -> None:
    async with network.pair() as (client, server):
        assert client.get_extra_info("peername") == server.get_extra_info("sockname")
        assert client.get_extra_info("nothing", "else") == "else"
        assert (client.get_extra_info("cipher") is not None) == (network.kind == "tls")
        assert "readable" in repr(client) and "Connection" in repr(client)
        await client.close()
        assert "closed" in repr(client)
        assert client.get_extra_info("nothing", "else") == "else"


async def test_a_connection_is_not_made_by_hand() -> None:
    with pytest.raises(TypeError, match="connect_tcp"):
        Connection(None)


# Connecting.


async def test_nobody_listens(tmp_path: Path) -> None:
    async with nothing_left():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        with pytest.raises(ConnectionRefusedError):
            await connect_tcp("127.0.0.1", port)
        with pytest.raises(FileNotFoundError) as caught:
            await connect_unix(tmp_path / "nobody")
        assert caught.value.filename == str(tmp_path / "nobody")


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"port": "80"}, TypeError, "port"),
        ({"port": True}, TypeError, "port"),
        ({"port": 65536}, ValueError, "port"),
        ({"server_hostname": "localhost"}, ValueError, "server_hostname"),
        ({"server_hostname": 5, "ssl": True}, TypeError, "server_hostname must be a str"),
        ({"ssl": "yes"}, TypeError, "ssl"),
        ({"host": 5}, TypeError, "host must be a str"),
        ({"local_address": 5}, TypeError, "local_address must be a tuple of a host and a port"),
        ({"local_address": ()}, TypeError, "local_address must be a tuple"),
        ({"local_address": "ab"}, TypeError, "local_address must be a tuple"),
        ({"local_address": (5, 0)}, TypeError, "the host of local_address"),
        ({"local_address": ("127.0.0.1", "0")}, TypeError, "the port of local_address"),
        ({"local_address": ("127.0.0.1", 10**30)}, ValueError, "the port of local_address"),
    ],
)
async def test_arguments_of_connect_tcp(arguments: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        await connect_tcp(**{"host": "127.0.0.1", "port": 80, **arguments})


async def test_arguments_of_connect_unix(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="server_hostname"):
        await connect_unix(tmp_path, server_hostname="localhost")
    with pytest.raises(ValueError, match="server_hostname"):
        await connect_unix(tmp_path, ssl=contexts()[1])
    with pytest.raises(TypeError, match="server_hostname must be a str or None, not int"):
        await connect_unix(tmp_path, ssl=contexts()[1], server_hostname=5)  # type: ignore[arg-type]


async def test_a_certificate_that_is_not_trusted(tls: Network, reported: list[Any]) -> None:
    async with tls.serve(echo) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(OSError, match="certificate"):
            await connect_tcp("127.0.0.1", port, ssl=True, server_hostname="localhost")
        await until(lambda: True)


async def test_a_cancelled_connect_leaves_nothing(tcp: Network) -> None:
    async with tcp.serve(echo) as server:
        for wait in range(12):
            connecting = asyncio.ensure_future(tcp.connect(server))
            await turns(wait)
            connecting.cancel()
            await asyncio.wait([connecting])
            if not connecting.cancelled():
                connecting.result().abort()
