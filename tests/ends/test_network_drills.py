"""Pipes into connections, ended by cancelling and by a timeout: stalled, running, and before they have begun.

They end soon, nothing is left of them, and the peer sees a broken connection, not the end of the data.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.faults.helpers import soon
from webstreams import ReadableStream, WritableStream
from webstreams.ends.asyncio_streams import to_stream_writer
from webstreams.ends.object_streams import as_byte_stream, to_byte_stream
from webstreams.ends.sockets import connect_tcp, connect_unix

from .sockets import contexts
from .web import nothing_left, settled, until

STATES = ["stalled", "running", "not begun"]
SINKS = ["tcp", "unix", "tls", "StreamWriter", "anyio, tcp", "anyio, tls", "as_byte_stream"]


class Peer:
    """The other side, in a thread: it takes all that comes, or nothing before it is told."""

    def __init__(self, kind: str, folder: Path, takes: bool) -> None:
        self.kind = kind
        self.may_take = threading.Event()
        if takes:
            self.may_take.set()
        self.taken = 0
        # How the data ended: None for an end that looks like that of whole data.
        self.error: OSError | None = None
        self._listener = socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET)
        self._listener.bind(str(folder / "socket") if kind == "unix" else ("127.0.0.1", 0))
        self._listener.listen()
        self.address: Any = self._listener.getsockname()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        with self._listener:
            accepted, _ = self._listener.accept()
        try:
            if self.kind.endswith("tls"):
                accepted = contexts()[0].wrap_socket(accepted, server_side=True, suppress_ragged_eofs=False)
            self.may_take.wait()
            while data := accepted.recv(65536):
                self.taken += len(data)
        except OSError as error:
            self.error = error
        finally:
            accepted.close()

    async def open(self) -> WritableStream[Any]:
        """Give a stream that ends at this peer."""
        if self.kind == "anyio, tcp":
            return to_byte_stream(await anyio.connect_tcp(*self.address))
        if self.kind == "anyio, tls":
            ssl: dict[str, Any] = {"ssl_context": contexts()[1], "tls_hostname": "localhost"}
            return to_byte_stream(await anyio.connect_tcp(*self.address, **ssl))
        if self.kind == "as_byte_stream":
            return to_byte_stream(as_byte_stream(writable=(await connect_tcp(*self.address)).writable))
        if self.kind == "unix":
            connection = await connect_unix(self.address)
        elif self.kind == "StreamWriter":
            return to_stream_writer((await asyncio.open_connection(*self.address))[1])
        elif self.kind == "tls":
            connection = await connect_tcp(*self.address, ssl=contexts()[1], server_hostname="localhost")
        else:
            connection = await connect_tcp(*self.address)
        return connection.writable


class Source:
    """Gives chunks for ever, or none at all."""

    def __init__(self, gives: bool) -> None:
        self.gives = gives
        self.given = 0
        self.cancelled = 0

    async def pull(self, controller: Any) -> None:
        if not self.gives:
            return  # nothing yet
        await asyncio.sleep(0)
        self.given += 1
        controller.enqueue(bytes(65536))

    def cancel(self, reason: object) -> None:
        self.cancelled += 1


@contextlib.asynccontextmanager
async def begun(kind: str, state: str, folder: Path) -> AsyncIterator[tuple[Any, Source, Peer]]:
    """Give a pipe in its state."""
    peer = await asyncio.to_thread(Peer, kind, folder, state != "stalled")
    source = Source(state != "not begun")
    pipe = ReadableStream(source).pipe_to(await peer.open())
    if state == "running":
        await until(lambda: peer.taken > 1_000_000)
    else:
        await settled(lambda: source.given)
    yield pipe, source, peer
    peer.may_take.set()
    await until(lambda: not peer.thread.is_alive())


@pytest.mark.parametrize("how", ["cancel", "timeout", "scope"])
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("kind", SINKS)
async def test_a_pipe_that_is_ended(tmp_path: Path, kind: str, state: str, how: str, reported: list[Any]) -> None:
    await asyncio.to_thread(contexts)
    async with nothing_left(dropped=True), begun(kind, state, tmp_path) as (pipe, source, peer):
        task = asyncio.ensure_future(end(pipe, how))
        await soon(asyncio.wait({task}))
        assert task.cancelled() if how == "cancel" else task.result() is None
        assert source.cancelled == 1
        del pipe
    if kind != "unix":  # it cannot tell its peer of that
        assert isinstance(peer.error, OSError)
    assert reported == []


async def end(pipe: Any, how: str) -> None:
    if how == "cancel":
        asyncio.get_running_loop().call_later(0.01, asyncio.current_task().cancel)  # type: ignore[union-attr]
        await pipe
    elif how == "timeout":
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.01):
                await pipe
    else:
        with anyio.move_on_after(0.01):
            await pipe
