"""The limits of servers and connections: how many, for how long, and who may connect."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import socket
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.faults.helpers import failure, soon, turns
from webstreams import ReadableStream
from webstreams.ends.sockets import Connection, connect_tcp, connect_unix, serve_tcp, serve_unix

from .sockets import contexts, echo, read_all, write
from .web import nothing_left, until

# Long enough for nothing to happen meanwhile (seconds).
LONG = 1000.0


@pytest.fixture(autouse=True)
async def _nothing_left() -> AsyncIterator[None]:
    async with nothing_left():
        yield


def says(word: bytes) -> Callable[[Connection], Any]:
    async def handler(connection: Connection) -> None:
        await ReadableStream.from_([word]).pipe_to(connection.writable)

    return handler


# How many.


async def test_max_connections() -> None:
    """What is more than that is not accepted before another connection has ended."""
    begun: list[Connection] = []
    most = 0

    async def handler(connection: Connection) -> None:
        nonlocal most
        begun.append(connection)
        most = max(most, server.connections)
        await echo(connection)

    async with serve_tcp(handler, "127.0.0.1", 0, max_connections=2) as server:
        clients = [socket.create_connection(server.sockets[0].getsockname()) for _ in range(5)]
        await until(lambda: len(begun) == 2)
        await turns(50)
        assert len(begun) == 2
        for count, client in enumerate(clients, start=1):
            client.close()
            await until(lambda count=count: len(begun) == min(5, 2 + count))  # type: ignore[misc]
        await until(lambda: server.connections == 0)
    assert most == 2


async def test_max_connections_counts_handshakes() -> None:
    """A client that begins no handshake takes a place, too, until that has taken too long."""
    async with serve_tcp(
        says(b"hello"), "127.0.0.1", 0, ssl=contexts()[0], max_connections=1, handshake_timeout=0.2
    ) as server:
        address = server.sockets[0].getsockname()
        with socket.create_connection(address):
            await until(lambda: server.connections == 1)
            client = await soon(connect_tcp(*address, ssl=contexts()[1], server_hostname="localhost"))
            assert await soon(read_all(client.readable)) == b"hello"
            await client.close()


async def test_a_server_without_descriptors_goes_on_later(monkeypatch: pytest.MonkeyPatch, reported: list[Any]) -> None:
    async with serve_tcp(says(b"hello"), "127.0.0.1", 0) as server:
        listening, refused = server.sockets[0], 0
        address = listening.getsockname()

        class Full:
            def fileno(self) -> int:
                return listening.fileno()  # type: ignore[no-any-return]

            def accept(self) -> Any:
                nonlocal refused
                refused += 1
                if refused == 1:
                    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
                return listening.accept()

            def close(self) -> None:
                listening.close()

        listener: Any = server._listener
        listener.pause()
        listener.sockets = (Full(),)
        listener.resume()
        client = await connect_tcp(*address)
        assert await soon(read_all(client.readable)) == b"hello"
        await client.close()
    assert [context["exception"].errno for context in reported] == [errno.EMFILE]


async def test_all_addresses_of_a_host_have_one_port() -> None:
    async with serve_tcp(says(b"hello"), "localhost", 0) as server:
        assert len({each.getsockname()[1] for each in server.sockets}) == 1
        client = await connect_tcp("localhost", server.sockets[0].getsockname()[1])
        assert await soon(read_all(client.readable)) == b"hello"
        await client.close()


async def test_an_address_that_this_machine_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    """As ::1 for localhost, in containers without IPv6: the other addresses of the host are enough."""
    found: list[Any] = []

    async def getaddrinfo(*args: Any, **options: Any) -> Any:
        return found

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo, raising=False)
    nowhere = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))
    here = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))
    for found[:] in ([nowhere, here], [here, nowhere]):
        async with serve_tcp(says(b"hello"), "host", 0) as server:
            assert [each.getsockname()[0] for each in server.sockets] == ["127.0.0.1"]
    found[:] = [nowhere]
    with pytest.raises(OSError, match=r"cannot listen on 192\.0\.2\.1 port 0: ") as caught:
        await serve_tcp(says(b"hello"), "host", 0)
    assert caught.value.errno == errno.EADDRNOTAVAIL


class NoReaders(asyncio.SelectorEventLoop):
    """A loop that cannot watch sockets for their being readable, as that of Windows."""

    def add_reader(self, *args: Any) -> None:  # type: ignore[override]
        raise NotImplementedError


def test_a_loop_without_readers() -> None:
    async def main() -> None:
        async with serve_tcp(says(b"hello"), "127.0.0.1", 0, max_connections=1) as server:
            for _ in range(3):
                client = await connect_tcp(*server.sockets[0].getsockname())
                assert await soon(read_all(client.readable)) == b"hello"
                await client.close()

    with asyncio.Runner(loop_factory=NoReaders) as runner:
        runner.run(main())


# For how long.


async def test_idle_timeout_of_a_server(reported: list[Any]) -> None:
    errors: list[BaseException] = []

    async def handler(connection: Connection) -> None:
        try:
            await echo(connection)
        except BaseException as error:
            errors.append(error)
            raise

    async with serve_tcp(handler, "127.0.0.1", 0, idle_timeout=0.1) as server:
        client = await connect_tcp(*server.sockets[0].getsockname())
        assert isinstance(await failure(read_all(client.readable)), ConnectionResetError)
        await until(lambda: errors)
    assert isinstance(errors[0], TimeoutError)
    assert str(errors[0]).endswith("the peer has sent nothing for 0.1 seconds (idle_timeout)")
    assert reported == []


async def test_idle_timeout_of_a_client() -> None:
    async def wait(connection: Connection) -> None:
        await connection.wait_closed()

    async with serve_tcp(wait, "127.0.0.1", 0) as server:
        client = await connect_tcp(*server.sockets[0].getsockname(), idle_timeout=0.1)
        assert isinstance(await failure(client.readable.bytes()), TimeoutError)
        await client.wait_closed()


async def test_what_is_not_idle() -> None:
    """Bytes that come or go, and a handler that is busy with something else."""
    busy = asyncio.Event()

    async def handler(connection: Connection) -> None:
        reader = connection.readable.get_reader()
        for _ in range(8):
            await reader.read()
        reading = reader.read()
        for _ in range(8):
            await write(connection, b"y")
            await asyncio.sleep(0.05)
        await reading
        await busy.wait()
        await write(connection, b"done")

    async with serve_tcp(handler, "127.0.0.1", 0, idle_timeout=0.2) as server:
        client = await connect_tcp(*server.sockets[0].getsockname())
        for _ in range(8):
            await write(client, b"x")
            await asyncio.sleep(0.05)
        reader = client.readable.get_reader(mode="byob")
        await soon(reader.read(bytearray(8), min=8))
        await write(client, b"z")
        await asyncio.sleep(0.5)
        busy.set()
        assert bytes((await soon(reader.read(bytearray(4), min=4))).value or b"") == b"done"
        client.abort()
        await client.wait_closed()


async def test_a_read_that_was_given_up_is_not_idle() -> None:
    """A handler that looks whether there is something, and then works for long."""
    looks: list[object] = []

    async def handler(connection: Connection) -> None:
        reader, view = connection.readable.get_reader(mode="byob"), bytearray(1)
        with suppress(TimeoutError):
            looks.append(await asyncio.wait_for(reader.read(view), 0.01))
        await asyncio.sleep(0.5)
        await write(connection, b"done")
        looks.append(await failure(reader.read(bytearray(1))))

    async with serve_tcp(handler, "127.0.0.1", 0, idle_timeout=0.1) as server:
        client = await connect_tcp(*server.sockets[0].getsockname())
        reader = client.readable.get_reader()
        assert (await soon(reader.read())).value == b"done"
        assert isinstance(await failure(reader.read()), ConnectionResetError)
        await client.wait_closed()
        await until(lambda: looks)
    assert [type(each) for each in looks] == [TimeoutError]  # of the one that waited for long


@pytest.mark.parametrize("kind", ["tcp", "tls"])
async def test_write_timeout(kind: str, reported: list[Any]) -> None:
    errors: list[BaseException] = []

    async def handler(connection: Connection) -> None:
        try:
            await write(connection, *[bytes(65536)] * 1000)
        except BaseException as error:
            errors.append(error)
            raise

    server_tls, client_tls = contexts() if kind == "tls" else (None, None)
    hostname = "localhost" if kind == "tls" else None
    async with serve_tcp(handler, "127.0.0.1", 0, ssl=server_tls, write_timeout=0.1) as server:
        client = await connect_tcp(*server.sockets[0].getsockname(), ssl=client_tls, server_hostname=hostname)
        await until(lambda: errors)
        client.abort()
        await client.wait_closed()
    assert isinstance(errors[0], TimeoutError)
    assert str(errors[0]).endswith("the peer has taken nothing for 0.1 seconds (write_timeout)")
    assert reported == []


async def test_a_slow_reader_does_not_take_nothing() -> None:
    """One write of 16 MB to a peer that takes several times the limit for it."""
    size = 16 * 1024 * 1024

    async def handler(connection: Connection) -> None:
        await write(connection, bytes(size))

    async with serve_tcp(handler, "127.0.0.1", 0, write_timeout=0.3) as server:
        client = await connect_tcp(*server.sockets[0].getsockname())
        received = 0
        async for chunk in client.readable:
            received += len(chunk)
            if received % (1 << 20) < 65536:
                await asyncio.sleep(0.06)
        assert received == size
        await client.close()


async def test_handshake_timeout() -> None:
    async with serve_tcp(echo, "127.0.0.1", 0, ssl=contexts()[0], handshake_timeout=0.1) as server:
        with socket.create_connection(server.sockets[0].getsockname()) as silent:
            silent.setblocking(False)
            await until(lambda: server.connections == 1)
            await until(lambda: server.connections == 0)
            with suppress(ConnectionResetError):
                assert silent.recv(1) == b""


def test_the_loop_ends_after_a_failed_handshake() -> None:
    """The streams of a connection that never was are there until they are collected: nothing is to be told of them."""
    reports: list[str] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context["message"]))
        gc.disable()
        async with serve_tcp(echo, "127.0.0.1", 0, ssl=contexts()[0], handshake_timeout=0.01) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            await soon(reader.read())
            writer.close()
            await writer.wait_closed()

    try:
        asyncio.run(main())
    finally:
        gc.enable()
    assert reports == []


async def test_handshake_timeout_of_a_client() -> None:
    async def wait(connection: Connection) -> None:
        await connection.wait_closed()

    async with serve_tcp(wait, "127.0.0.1", 0) as server:
        connecting = connect_tcp(
            *server.sockets[0].getsockname(), ssl=contexts()[1], server_hostname="localhost", handshake_timeout=0.1
        )
        assert isinstance(await failure(connecting), ConnectionError)


async def test_shutdown_timeout() -> None:
    """A peer that does not answer the goodbye of TLS, for it reads nothing."""
    over = asyncio.Event()

    async def handler(connection: Connection) -> None:
        await write(connection, bytes(1000))
        await connection.close()
        over.set()

    async with serve_tcp(handler, "127.0.0.1", 0, ssl=contexts()[0], shutdown_timeout=0.1) as server:
        address = server.sockets[0].getsockname()
        silent = await asyncio.to_thread(tls_client, address)
        with silent:
            await soon(over.wait())


def tls_client(address: Any) -> socket.socket:
    return contexts()[1].wrap_socket(socket.create_connection(address), server_hostname="localhost")


async def test_a_timer_does_not_outlive_its_connection() -> None:
    loop: Any = asyncio.get_running_loop()
    async with serve_tcp(echo, "127.0.0.1", 0, idle_timeout=LONG, write_timeout=LONG) as server:
        client = await connect_tcp(*server.sockets[0].getsockname(), idle_timeout=LONG)
        reading = client.readable.get_reader().read()
        await write(client, b"x")
        await soon(reading)
        client.abort()
        await client.wait_closed()
        await until(lambda: server.connections == 0)
    timers = [each for each in getattr(loop, "_scheduled", ()) if not each.cancelled()]
    assert [each for each in timers if each.when() > loop.time() + LONG / 2] == []


# Who may connect, and to whom.


async def test_the_path_of_a_living_server(tmp_path: Path) -> None:
    """unix_socket_taken_over"""
    path = tmp_path / "socket"
    async with serve_unix(says(b"first"), path) as first:
        with pytest.raises(OSError) as caught:
            await serve_unix(says(b"second"), path)
        assert caught.value.errno == errno.EADDRINUSE
        assert caught.value.filename == str(path)
        client = await connect_unix(path)
        assert await soon(read_all(client.readable)) == b"first"
        await client.close()
        await until(lambda: first.connections == 0)
    assert not path.exists()


async def test_looking_whether_a_server_lives_does_not_disturb_it(tmp_path: Path) -> None:
    accepted: list[Connection] = []

    async def handler(connection: Connection) -> None:
        accepted.append(connection)

    async with serve_unix(handler, tmp_path / "socket"):
        await failure(serve_unix(echo, tmp_path / "socket"))
        await turns(20)
    assert accepted == []


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
async def test_the_path_of_a_dead_server(tmp_path: Path, kind: int) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX, kind) as dead:
        dead.bind(path)
        assert isinstance(await failure(serve_unix(echo, path)), OSError)  # bound, if it does not listen
    async with serve_unix(says(b"next"), path):
        client = await connect_unix(path)
        assert await soon(read_all(client.readable)) == b"next"
        await client.close()
    assert not os.path.exists(path)


async def test_a_path_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("kept")
    with pytest.raises(OSError):
        await serve_unix(echo, path)
    assert path.read_text() == "kept"


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
async def test_the_mode_of_the_socket(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "socket"
    async with serve_unix(echo, path, mode=mode):
        assert stat.S_IMODE(path.stat().st_mode) == mode


async def test_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The socket is removed, also if the working directory is another one by then."""
    monkeypatch.chdir(tmp_path)
    async with serve_unix(echo, "socket"):
        assert (tmp_path / "socket").is_socket()
        monkeypatch.chdir("/")
    assert not (tmp_path / "socket").exists()


async def test_an_abstract_socket() -> None:
    name = f"\0webstreams-{os.getpid()}"
    async with serve_unix(says(b"hello"), name):
        client = await connect_unix(name)  # uvloop itself connects to files only
        assert await soon(read_all(client.readable)) == b"hello"
        await client.close()
    with pytest.raises(ConnectionRefusedError) as caught:
        await connect_unix(name)
    assert caught.value.filename == name


BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"max_connections": 0}, ValueError, "max_connections"),
    ({"max_connections": 1.5}, TypeError, "max_connections"),
    ({"backlog": None}, TypeError, "backlog"),
    ({"backlog": -1}, ValueError, "backlog"),
    ({"idle_timeout": 0}, ValueError, "idle_timeout"),
    ({"idle_timeout": float("nan")}, ValueError, "idle_timeout"),
    ({"idle_timeout": "1"}, TypeError, "idle_timeout"),
    ({"write_timeout": -1}, ValueError, "write_timeout"),
    ({"write_timeout": True}, TypeError, "write_timeout"),
    ({"write_timeout": 10**400}, ValueError, "write_timeout"),
    ({"handshake_timeout": 1}, ValueError, "handshake_timeout is for TLS: it needs ssl"),
    ({"shutdown_timeout": 1}, ValueError, "shutdown_timeout is for TLS: it needs ssl"),
    ({"mode": "600"}, TypeError, "mode"),
    ({"mode": 0o1000}, ValueError, "mode"),
]


@pytest.mark.parametrize(("options", "kind", "name"), BAD, ids=str)
async def test_arguments(tmp_path: Path, options: dict[str, Any], kind: type[Exception], name: str) -> None:
    with pytest.raises(kind, match=name):
        serve_unix(echo, tmp_path / "socket", **options)
    if "mode" not in options:
        with pytest.raises(kind, match=name):
            serve_tcp(echo, "127.0.0.1", 0, **options)
    if not options.keys() & {"mode", "max_connections", "backlog"}:
        with pytest.raises(kind, match=name):
            await connect_tcp("127.0.0.1", 1, **options)
        with pytest.raises(kind, match=name):
            await connect_unix(tmp_path / "socket", **options)


async def test_arguments_of_paths() -> None:
    with pytest.raises(ValueError, match="empty"):
        serve_unix(echo, "")
    with pytest.raises(ValueError, match="abstract"):
        serve_unix(echo, "\0name", mode=0o600)
