"""How a connection is broken, so that the peer does not take what it has got for the whole; and what is left in a
broken one."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from typing import Any, Final

# Closing a socket with this option resets the connection.
RESET: Final = struct.pack("ii", 1, 0)


def abort(transport: Any, sock: Any) -> None:
    """Abort a transport, over `sock` if it has one: the peer sees an error, where the kind of socket can tell."""
    if sock is not None:
        reset_when_closed(sock)
    transport.abort()


def reset_when_closed(sock: Any) -> None:
    """Have the connection of a socket reset when that is closed, where the kind of socket can do that."""
    with suppress(OSError, ValueError):  # uvloop's socket has no descriptor any more when it is closing
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def read_directly(sock: Any) -> socket.socket:
    """Return another descriptor of the socket of a transport, which itself has no methods to read. Raises `OSError`."""
    end = socket.fromfd(sock.fileno(), sock.family, sock.type)
    end.setblocking(False)
    return end
