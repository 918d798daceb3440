"""A TCP proxy that can hold back the answers of a server, and cut all connections."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

PIECE = 64 * 1024


class Proxy:
    """Listens on a port of its own, and passes on what comes to another port of this machine."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self.target = target
        self._answers = asyncio.Event()
        self._answers.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self._answers.set()
        self.cut()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def hold_answers(self) -> None:
        """Pass on nothing more of what the server says; it hears the client."""
        self._answers.clear()

    def cut(self) -> None:
        """Break all connections; new ones are possible."""
        for writer in self._writers:
            writer.transport.abort()

    def refuse(self) -> None:
        """Break all connections and take no new ones."""
        assert self._server is not None
        self._server.close()
        self.cut()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, server_writer}
        self._writers |= ends
        for passing in (self._pass(reader, server_writer), self._pass(server_reader, writer, is_answer=True)):
            task = asyncio.ensure_future(passing)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool = False
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(PIECE):
                if is_answer:
                    await self._answers.wait()
                writer.write(data)
                await writer.drain()
        self._writers.discard(writer)
        writer.transport.abort()
