"""A peer that answers and hangs up while it is still written to: the answer can be read, and then the error."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.drills.peers import Kind, listen
from tests.faults.helpers import soon
from tests.grids import each_of
from tests.waiting import until
from webstreams.ends.sockets import Connection, connect_tcp, connect_unix

from .sockets import failure_or_none
from .web import nothing_left

ANSWER = b"413 Content Too Large" + 100_000 * b"."


@contextmanager
def listening(kind: Kind) -> Iterator[socket.socket]:
    with tempfile.TemporaryDirectory() as folder, listen(Path(folder), kind) as listener:
        yield listener


async def connected(listener: socket.socket) -> tuple[Connection, socket.socket]:
    name = listener.getsockname()
    connection = await (connect_unix(name) if isinstance(name, str) else connect_tcp(*name))
    return connection, listener.accept()[0]


async def read_to_the_error(connection: Connection, in_view: bool) -> tuple[bytes, BaseException]:
    received = bytearray()
    try:
        if in_view:
            reader = connection.readable.get_reader(mode="byob")
            while True:
                received += (await soon(reader.read(bytearray(1000)))).value or b""
        async for chunk in connection.readable:
            received += chunk
    except Exception as error:
        return bytes(received), error
    pytest.fail("the stream ends, though the peer has reset the connection")


@each_of(kind=["tcp", "unix"])
@each_of(says_goodbye=[False, True])
@each_of(in_view=[False, True])
async def test_the_answer_of_a_peer_that_resets_is_read(kind: Kind, says_goodbye: bool, in_view: bool) -> None:
    async with nothing_left():
        with listening(kind) as listener:
            connection, peer = await connected(listener)
            with peer:
                writer = connection.writable.get_writer()
                await soon(writer.write(b"a request"))
                peer.sendall(ANSWER)
                if says_goodbye:
                    peer.shutdown(socket.SHUT_WR)
            # It is closed with the request unread.
            broken: list[BaseException] = []

            async def is_broken() -> bool:
                try:
                    await soon(writer.write(b"and more"))
                except OSError as error:
                    broken.append(error)
                return bool(broken)

            await until(is_broken)
            received, error = await read_to_the_error(connection, in_view)
            assert received == ANSWER
            assert error is broken[0]
            assert isinstance(error, ConnectionError)
            await soon(connection.wait_closed())


async def test_the_answer_is_read_behind_a_close() -> None:
    async with nothing_left():
        with listening("tcp") as listener:
            connection, peer = await connected(listener)
            with peer:
                writer = connection.writable.get_writer()
                await soon(writer.write(b"a request"))
                peer.sendall(ANSWER)
            await failure_or_none(writer.close())  # which loop tells it of the reset differs
            received, error = await read_to_the_error(connection, in_view=False)
            assert received == ANSWER
            assert isinstance(error, ConnectionError)
            await soon(connection.wait_closed())
