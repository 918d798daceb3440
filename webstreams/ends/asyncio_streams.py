"""asyncio's own streams and web streams, in both directions.

`from_stream_reader` and `to_stream_writer` make web streams of an `asyncio.StreamReader` and an `asyncio.StreamWriter`;
`as_stream_reader` and `as_stream_writer` give web streams to code that was written for those.
"""

from __future__ import annotations

import asyncio
import errno
import warnings
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal
from weakref import finalize, ref

from typing_extensions import Buffer

from .._platform.arguments import checked_callable, checked_size
from .._streams.abort import AbortSignal
from .._streams.checks import require_readable, require_writable
from .._streams.readable.byte_controller import ReadableByteStreamController
from .._streams.readable.source import LaterSource
from .._streams.readable.stream import ReadableStream
from .._streams.writable.controller import WritableStreamDefaultController
from .._streams.writable.stream import WritableStream
from ._bytes import PIECE, bytes_strategy, view_of
from ._sockets.resetting import abort
from ._sockets.transports import PumpTransport, WriterTransport

__all__ = ["as_stream_reader", "as_stream_writer", "from_stream_reader", "to_stream_writer"]

OnCancel = Callable[[Any], Awaitable[object] | object]

# Without it (Python 3.11.2), nothing closes the socket of a StreamWriter that was dropped while the loop reads it.
CLOSES_DROPPED_WRITERS: Final = hasattr(asyncio.StreamWriter, "__del__")


def from_stream_reader(reader: asyncio.StreamReader, *, on_cancel: OnCancel | None = None) -> ReadableStream[bytes]:
    """Make a byte stream of what an `asyncio.StreamReader` gives; nothing else may read it meanwhile.

    A default read gets at most 64 KiB, and nothing is taken from `reader` before the stream is read. An exception of
    `reader` errors the stream: the same object. A reader has nothing that could be closed, so cancelling the stream
    ends the read that waits and calls ``on_cancel(reason)``, which may return an awaitable.

    Raises `TypeError` for arguments that are something else.

    >>> async def main() -> None:
    ...     reader = asyncio.StreamReader()
    ...     reader.feed_data(b"hello")
    ...     reader.feed_eof()
    ...     print([chunk async for chunk in from_stream_reader(reader)])
    >>> asyncio.run(main())
    [b'hello']
    """
    if not callable(getattr(reader, "read", None)):
        raise TypeError(f"from_stream_reader() needs an asyncio.StreamReader, not {type(reader).__name__}")
    if on_cancel is not None:
        checked_callable(on_cancel, "on_cancel")
    return ReadableStream(_ReaderSource(reader, on_cancel))


class _ReaderSource(LaterSource):
    """The underlying source over a StreamReader."""

    stage_name = "from_stream_reader()"

    type: Literal["bytes"] = "bytes"

    def __init__(self, reader: asyncio.StreamReader, on_cancel: OnCancel | None) -> None:
        self._reader = reader
        self._on_cancel = on_cancel
        self._task: asyncio.Task[Any] | None = None

    async def pull(self, controller: ReadableByteStreamController) -> None:
        request = controller.byob_request
        limit = PIECE if request is None or request.view is None else len(request.view)
        self._task = asyncio.current_task()
        try:
            data = await self._reader.read(limit)
        finally:
            self._task = None
        if data:
            controller.enqueue(data)
            return
        controller.close()
        request = controller.byob_request
        if request is not None:
            request.respond(0)

    async def cancel(self, reason: object) -> None:
        if self._task is not None:
            self._task.cancel()
        if self._on_cancel is not None:
            result = self._on_cancel(reason)
            if isinstance(result, Awaitable):
                await result


def to_stream_writer(writer: asyncio.StreamWriter, *, half_close: bool = False) -> WritableStream[Buffer]:
    """Make a writable stream of bytes-like objects that writes to an `asyncio.StreamWriter`.

    A chunk is written when ``writer.drain()`` is done, so that a full transport slows the stream down. Closing the
    stream closes `writer` and waits until that is done; with `half_close` it only tells the peer that no more comes
    (``write_eof()``), and `writer` stays open for the sake of its reader. Aborting resets the connection at once: what
    it still holds is dropped. A chunk that is not bytes-like does the same, with a `TypeError`. The errors of `writer`
    error the stream. The high-water mark is 64 KiB.

    Raises `TypeError` for anything other than a `StreamWriter`, and for `half_close` where the transport cannot do it.

    >>> async def main() -> None:
    ...     async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    ...         received.set_result(await reader.read())
    ...         writer.close()
    ...     received = asyncio.get_running_loop().create_future()
    ...     server = await asyncio.start_server(receive, "127.0.0.1", 0)
    ...     _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    ...     await ReadableStream.from_([b"hel", b"lo"]).pipe_to(to_stream_writer(writer))
    ...     print(await received)
    ...     server.close()
    >>> asyncio.run(main())
    b'hello'
    """
    if not callable(getattr(writer, "drain", None)):
        raise TypeError(f"to_stream_writer() needs an asyncio.StreamWriter, not {type(writer).__name__}")
    if half_close and not writer.can_write_eof():
        raise TypeError("half_close: the transport of this writer cannot close one direction alone")
    if not CLOSES_DROPPED_WRITERS:
        finalize(writer, _close_dropped, ref(writer.transport)).atexit = False
    return WritableStream(_WriterSink(writer, half_close), bytes_strategy())


def _close_dropped(transport: ref[asyncio.WriteTransport]) -> None:
    """Do what later versions of asyncio do when a StreamWriter is dropped."""
    found = transport()
    if found is not None and not found.is_closing():
        found.close()
        warnings.warn(f"unclosed StreamWriter of {found!r}", ResourceWarning, stacklevel=1)


class _WriterSink:
    """The underlying sink over a StreamWriter."""

    stage_name = "to_stream_writer()"

    def __init__(self, writer: asyncio.StreamWriter, half_close: bool) -> None:
        self._writer = writer
        self._half_close = half_close

    def start(self, controller: WritableStreamDefaultController) -> None:
        # Not in abort(), which comes only after the write that is under way.
        controller.signal.add_event_listener("abort", self._abort)

    async def write(self, chunk: Buffer, controller: WritableStreamDefaultController) -> None:
        try:
            # A copy of what can change: the transport may keep it for longer than drain() waits.
            data = chunk if isinstance(chunk, bytes) else bytes(view_of(chunk))
            self._writer.write(data)
            await self._writer.drain()
            if data and self._writer.is_closing():  # drain() does not tell when the transport was aborted
                raise ConnectionResetError(errno.ECONNRESET, "the transport was closed before everything was written")
        except BaseException:
            self._abort()
            raise

    async def close(self) -> None:
        if self._half_close:
            self._writer.write_eof()
            await self._writer.drain()
            return
        self._writer.close()
        await self._writer.wait_closed()

    def _abort(self, event: object = None) -> None:
        abort(self._writer.transport, self._writer.get_extra_info("socket"))


def as_stream_reader(
    readable: ReadableStream[Any], *, limit: int = PIECE, signal: AbortSignal | None = None
) -> asyncio.StreamReader:
    """Return a web stream of bytes as a real `asyncio.StreamReader`, for code that wants ``readline()`` and the like.

    The stream is locked for good. It is read ahead until the reader holds more than twice `limit` bytes, and on when
    the reader has been read; `limit` is also the longest line that ``readline()`` takes. The end of the stream is the
    end of the reader, and an error is raised by the reader: the same object, or a `StreamError` that wraps any
    other reason. A reader cannot be closed, so aborting `signal` is what cancels the stream.

    Raises `TypeError` for anything other than an unlocked readable stream, and `ValueError` for a `limit` that is not
    above 0.

    >>> async def main() -> None:
    ...     reader = as_stream_reader(ReadableStream.from_([b"one\\nt", b"wo\\n"]))
    ...     print(await reader.readline(), await reader.readline())
    >>> asyncio.run(main())
    b'one\\n' b'two\\n'
    """
    require_readable(readable, "as_stream_reader")
    if signal is not None and not isinstance(signal, AbortSignal):
        raise TypeError(f"signal must be an AbortSignal or None, not {type(signal).__name__}")
    checked_size(limit, "limit", 1)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit, loop)
    transport = PumpTransport(readable.get_reader(), reader)
    reader.set_transport(transport)
    if signal is not None:
        transport.end_with(signal)
    transport.resume_reading()
    return reader


def as_stream_writer(writable: WritableStream[Any]) -> asyncio.StreamWriter:
    """Return a web stream that takes bytes as a real `asyncio.StreamWriter`.

    The stream is locked for good. ``drain()`` waits while the queue of the stream is at its high-water mark or above;
    ``write_eof()`` and ``close()`` close the stream after what was written, and ``wait_closed()`` waits for that;
    ``transport.abort()`` aborts it. An error of the stream is raised by ``drain()`` and ``wait_closed()``.

    Raises `TypeError` for anything other than a writable stream, and when it is locked.

    >>> async def main() -> None:
    ...     stream = WritableStream({"write": lambda chunk, controller: print(chunk)})
    ...     writer = as_stream_writer(stream)
    ...     writer.write(b"hello")
    ...     await writer.drain()
    ...     writer.close()
    ...     await writer.wait_closed()
    >>> asyncio.run(main())
    b'hello'
    """
    require_writable(writable, "as_stream_writer")
    loop = asyncio.get_running_loop()
    errors = asyncio.StreamReader(loop=loop)  # only there to keep the error, which drain() asks it for
    protocol = asyncio.StreamReaderProtocol(errors, loop=loop)
    transport = WriterTransport(writable.get_writer(), protocol)
    protocol.connection_made(transport)
    return asyncio.StreamWriter(transport, protocol, errors, loop)
