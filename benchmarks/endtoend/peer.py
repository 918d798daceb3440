"""The other side of sockets, in a process of its own, so that its processor time counts for nobody.

``python -m benchmarks.endtoend.peer`` prints its port. A connection begins with a line:

- ``send N``: N bytes come back, then the end;
- ``take``: all that comes until the end is counted, and the count comes back as a line;
- ``get PORT``: it asks ``GET /`` of the HTTP server on that port, and the size of the body comes back as a line;
- ``GET /N HTTP/1.1``: N bytes are the body of a response.
"""

from __future__ import annotations

import re
import socket
import socketserver
from typing import BinaryIO

CHUNK = bytes(64 * 1024)


class Handler(socketserver.StreamRequestHandler):
    """One connection."""

    def handle(self) -> None:
        """Do what the first line says."""
        match self.rfile.readline().decode().split():
            case ["send", size]:
                self.send(int(size))
            case ["take"]:
                self.answer(self.count())
            case ["get", port]:
                self.answer(get(int(port)))
            case ["GET", path, _]:
                self.respond(int(path.removeprefix("/")))

    def send(self, size: int) -> None:
        """Send so many bytes."""
        while size:
            size -= self.connection.send(CHUNK[:size])

    def count(self) -> int:
        """Receive to the end."""
        total = 0
        while chunk := self.rfile.read1(len(CHUNK)):
            total += len(chunk)
        return total

    def respond(self, size: int) -> None:
        """Answer a request over HTTP."""
        while self.rfile.readline().strip():
            pass
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"
        self.connection.sendall(head.encode())
        self.send(size)

    def answer(self, number: int) -> None:
        """Send a number as a line."""
        self.connection.sendall(f"{number}\n".encode())


def get(port: int) -> int:
    """Return the size of the body that an HTTP server sends, whether it has a length, chunks or just an end."""
    with socket.create_connection(("127.0.0.1", port)) as connection, connection.makefile("rb") as file:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        head = b"".join(iter(file.readline, b"\r\n")).lower()
        if re.search(rb"transfer-encoding: *chunked", head):
            return sum(iter(lambda: _skip_chunk(file), 0))
        total = 0
        while chunk := file.read(len(CHUNK)):
            total += len(chunk)
        return total


def _skip_chunk(file: BinaryIO) -> int:
    size = int(file.readline(), 16)
    left = size + 2
    while left:
        left -= len(file.read(min(left, len(CHUNK))))
    return size


class Server(socketserver.ThreadingTCPServer):
    """Every connection in a thread."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64


def main() -> None:
    """Serve until the process is ended."""
    with Server(("127.0.0.1", 0), Handler) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
