"""How a stream of anyio is ended in the middle: its peer must not take what it has got for the whole."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

from .._sockets.resetting import reset_when_closed
from .adapters import Adapter


async def cut_off(stream: Any, reason: object) -> None:
    """Close a stream so that its other end sees a failure, where the kind of stream can tell.

    anyio's streams are only ever closed. Closing a TCP connection resets it if its socket is told so before. What TLS
    is spoken over is closed first, so that TLS cannot send its own sign of an end.
    """
    if isinstance(stream, Adapter):
        await stream.abort(reason)
        return
    sock = _socket_of(stream)
    if sock is None:
        await stream.aclose()
        return
    reset_when_closed(sock)
    if hasattr(stream, "transport_stream"):
        await cut_off(stream.transport_stream, reason)
    with suppress(Exception):  # it cannot say goodbye
        await stream.aclose()


def _socket_of(stream: Any) -> Any:
    """Return the socket of a connection of anyio's, which has imported itself then; None of anything else."""
    attributes: Any = getattr(sys.modules.get("anyio.abc"), "SocketAttribute", None)
    find = getattr(stream, "extra", None)
    return None if attributes is None or find is None else find(attributes.raw_socket, None)
