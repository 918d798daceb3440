"""The other sides of connections, in threads: they live on when the event loop of a drill has ended."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from pathlib import Path
from typing import Any, Literal

from tests.ends.sockets import strict_server_context
from tests.waiting import LIMIT

from .rows import BYTES, Drill

Kind = Literal["tcp", "unix", "tls"]

# What is sent for ever is large: TLS and HTTP take their time for each record and each frame.
ITEM = BYTES * 10
FRAME = b"%x\r\n%s\r\n" % (len(ITEM), ITEM)
LAST_FRAME = b"0\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"


class Peer:
    """One connection: it is accepted, or made to `address`."""

    # Have the buffers on both sides full after some ten kilobytes, not after megabytes, where nothing is taken.
    takes_little = True

    def __init__(self, drill: Drill, kind: Kind = "tcp", address: Any = None) -> None:
        self.is_stalled = drill.is_stalled
        self.connection: socket.socket
        self._tls = strict_server_context() if kind == "tls" else None
        self._listener: socket.socket | None = None
        self.address: Any = address
        if address is None:
            self._listener = listen(drill.folder, kind)
            if self.is_stalled and self.takes_little and kind != "unix":
                take_little(self._listener)
            self.address = self._listener.getsockname()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        drill.peers.callback(self.end)

    def _run(self) -> None:
        if self._listener is None:
            self.connection = socket.socket()
            if self.is_stalled and self.takes_little:
                take_little(self.connection)
            self.connection.connect(self.address)
        else:
            self._listener.settimeout(LIMIT)
            with self._listener:
                self.connection, _ = self._listener.accept()
        self.connection.settimeout(LIMIT)
        try:
            if self._tls is not None:
                self.connection = self._tls.wrap_socket(self.connection, server_side=True, suppress_ragged_eofs=False)
            self.talk()
        finally:
            self.connection.close()

    def talk(self) -> None:
        """Do what this side does. In the thread."""
        raise NotImplementedError

    def end(self) -> None:
        """Wait until this side has seen that the connection has ended."""
        self._thread.join(LIMIT)
        assert not self._thread.is_alive(), "a connection was not ended"


class Giver(Peer):
    """Sends for ever, or nothing when the drill is stalled, until the connection has ended."""

    head = b""
    item = ITEM

    def talk(self) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            self.connection.sendall(self.head)
            while not self.is_stalled:
                self.connection.sendall(self.item)
            while self.connection.recv(65536):
                pass


class Responding(Giver):
    """A server of HTTP, with a response that does not end."""

    head = RESPONSE
    item = FRAME


class Posting(Giver):
    """A client of HTTP, with a request that does not end."""

    head = POST
    item = FRAME


class Taker(Peer):
    """Takes all that comes; when the drill is stalled, only after it is over. Sees whether the end looks like one."""

    question = b""

    def __init__(self, drill: Drill, kind: Kind = "tcp", address: Any = None) -> None:
        self._may_take = threading.Event()
        if not drill.is_stalled:
            self._may_take.set()
        self.has_failed = False
        self.first = self.last = b""
        super().__init__(drill, kind, address)
        self._can_tell = kind != "unix"
        drill.published = self.looks_whole

    def talk(self) -> None:
        try:
            self.connection.sendall(self.question)
            self._may_take.wait(LIMIT)
            while data := self.connection.recv(65536):
                self.first = self.first or data
                self.last = (self.last + data)[-len(LAST_FRAME) :]
        except (ConnectionError, ssl.SSLError):
            self.has_failed = True

    def end(self) -> None:
        """Take the rest."""
        self._may_take.set()
        super().end()

    def looks_whole(self) -> bool:
        """Whether what has come could be taken for the whole."""
        self.end()
        return self._can_tell and not self.has_failed


class HttpTaker(Taker):
    """A server of HTTP that gets a request."""

    takes_little = False  # a client whose buffer is full goes on writing to it for some seconds, whatever its body does

    def looks_whole(self) -> bool:
        self.end()
        return self.last == LAST_FRAME


class Getting(HttpTaker):
    """A client of HTTP that gets a response."""

    takes_little = True
    question = GET

    def looks_whole(self) -> bool:
        return super().looks_whole() and self.first.startswith(b"HTTP/1.1 200")


def listen(folder: Path, kind: Kind = "tcp") -> socket.socket:
    """Listen on a free port of the loopback interface, or in the folder."""
    if kind != "unix":
        return socket.create_server(("127.0.0.1", 0))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "socket"))
    listener.listen()
    return listener


def take_little(taker: socket.socket) -> None:
    """Make the buffers of a connection small, also that of the other side: it has room for some segments."""
    taker.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    taker.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1460)
