"""Frames into a socket: many small ones with one call, and what is large from where it is."""

from __future__ import annotations

import socket
from typing import Final

from ._frames import Part

# How many parts one call may send: less than any system's limit.
MAX_PARTS: Final = 512
# A frame up to this size is copied behind what waits already (bytes): a copy costs less than another call.
SMALL: Final = 8192
# How much of small frames may wait for others (bytes).
MOST_HELD: Final = 65536
# The memory that the system has for what is on its way, if it lets us have so much (bytes): some large chunks.
SOCKET_BUFFER: Final = 2**20


class Outgoing:
    """What is to be sent, in order."""

    def __init__(self) -> None:
        self._parts: list[Part] = []
        # The last of the parts, if more can be appended to it.
        self._tail: bytearray | None = None
        # How much waits, and how much was sent in all (bytes).
        self.size = 0
        self.sent = 0

    def add(self, parts: list[Part]) -> bool:
        """Add a frame; whether all of it was copied, so that its memory may change."""
        size = sum(map(len, parts))
        self.size += size
        if size > SMALL:
            self._parts += parts
            self._tail = None
            return False
        tail = self._tail
        if tail is None:
            tail = self._tail = bytearray()
            self._parts.append(tail)
        for part in parts:
            tail += part
        return True

    def send(self, connection: socket.socket) -> None:
        """Send what goes with one call. Raises `OSError`."""
        self._tail = None  # what is being sent cannot become longer
        size = connection.sendmsg(self._parts[:MAX_PARTS])
        self.size -= size
        self.sent += size
        self._parts = _rest_of(self._parts, size) if self.size else []

    def forget(self) -> None:
        """Send nothing more."""
        self._parts = []
        self._tail = None
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
