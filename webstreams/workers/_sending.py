"""Frames into a socket: many small ones with one call, and what is large from where it is."""

from __future__ import annotations

import socket
from typing import Any, Final

from ._frames import BYTES, CHUNK, HEAD, Part, encode

# How many parts one call may send: less than any system's limit.
MAX_PARTS: Final = 512
# A frame up to this size is copied, with others that wait (bytes): a copy costs less than another call, and than to
# tell the system of so many parts.
SMALL: Final = 8192
# How much of small frames may wait for others (bytes).
MOST_HELD: Final = 65536
# The memory that the system has for what is on its way, if it lets us have so much (bytes): some large chunks.
SOCKET_BUFFER: Final = 2**20

# Found once, for they are used for every frame.
HEAD_SIZE: Final = HEAD.size
PACK: Final = HEAD.pack


class Outgoing:
    """What is to be sent, in order."""

    def __init__(self) -> None:
        self._parts: list[Part] = []
        # Whether all of the parts are small: then they are sent as one.
        self._are_small = True
        # How much waits, and how much was sent in all (bytes).
        self.size = 0
        self.sent = 0

    def add(self, kind: int, value: Any) -> bool:
        """Add the frame of a message; whether nothing of it can change any more. Raises what `encode` raises.

        What is small is copied, unless it is constant.
        """
        if kind == CHUNK and self.add_small(value):
            return True
        parts = encode(kind, value)
        size = sum(map(len, parts))
        self.size += size
        if size > SMALL:
            self._parts += parts
            self._are_small = False
            return False
        for part in parts:
            self._parts.append(part if type(part) is bytes else bytes(part))
        return True

    def add_small(self, chunk: Any) -> bool:
        """Add the frame of a chunk, if it is small and constant, as most of all chunks are; else return false."""
        if type(chunk) is not bytes or len(chunk) > SMALL:
            return False
        size = len(chunk)
        self._parts += (PACK(BYTES, 0, size), chunk)
        self.size += HEAD_SIZE + size
        return True

    def send(self, connection: socket.socket) -> None:
        """Send what goes with one call. Raises `OSError`."""
        parts = self._parts
        if self._are_small and self.size <= MOST_HELD:
            parts = [b"".join(parts)]
            size = connection.send(parts[0])
        else:
            size = connection.sendmsg(parts[:MAX_PARTS])
        self.size -= size
        self.sent += size
        if self.size:
            self._parts = _rest_of(parts, size)
        else:
            self._parts = []
            self._are_small = True

    def forget(self) -> None:
        """Send nothing more."""
        self._parts = []
        self.size = 0


def enlarge_buffer(connection: socket.socket) -> None:
    """Let large chunks be on their way without waiting for their receiver; less if the system has less for a socket."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER)


def _rest_of(parts: list[Part], size: int) -> list[Part]:
    """Return what is left of the parts when so many bytes were sent."""
    for index, part in enumerate(parts):
        if size < len(part):
            return [memoryview(part)[size:], *parts[index + 1 :]]
        size -= len(part)
    return []
