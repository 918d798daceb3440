"""What stands for the socket behind an `asyncio.StreamReader` or `asyncio.StreamWriter` that is made of a web stream.

There is no task in either: everything happens in reactions to the promises of the stream.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ..._engine.promise import Promise
from ..._platform.errors import AbortError, as_exception
from ..._streams.abort import AbortSignal
from ..._streams.door import abort_at_once
from ..._streams.readable.reader import ReadableStreamDefaultReader
from ..._streams.writable.writer import WritableStreamDefaultWriter
from .._bytes import view_of


def _look_at(promise: Promise[Any]) -> None:
    promise.exception()


class PumpTransport(asyncio.ReadTransport):
    """Feeds a StreamReader with what a stream gives, while that wants more."""

    def __init__(self, source: ReadableStreamDefaultReader[Any], reader: asyncio.StreamReader) -> None:
        super().__init__()
        self._source = source
        self._reader = reader
        self._is_paused = True
        self._is_waiting = False
        self._is_over = False
        self._signal: AbortSignal | None = None

    def end_with(self, signal: AbortSignal) -> None:
        """Cancel the stream when the signal is aborted."""
        self._signal = signal
        if signal.aborted:
            self._abort()
        else:
            signal.add_event_listener("abort", self._abort)

    def is_closing(self) -> bool:
        """Whether the stream has ended."""
        return self._is_over

    def is_reading(self) -> bool:
        """Whether the stream is being read."""
        return not (self._is_paused or self._is_over)

    def pause_reading(self) -> None:
        """Called by the StreamReader: it holds enough."""
        self._is_paused = True

    def resume_reading(self) -> None:
        """Called by the StreamReader: it wants more."""
        self._is_paused = False
        self._read()

    def close(self) -> None:
        """Cancel the stream; the reader gets no more than it has."""
        if not self._is_over:
            self._source.cancel().add_done_callback(_look_at)
            self._end(None)

    def _abort(self, event: object = None) -> None:
        assert self._signal is not None
        if not self._is_over:
            reason = self._signal.reason
            self._source.cancel(reason).add_done_callback(_look_at)
            self._end(as_exception(reason))

    def _read(self) -> None:
        if not (self._is_paused or self._is_waiting or self._is_over):
            self._is_waiting = True
            self._source.read().then(self._take, self._fail)

    def _take(self, result: Any) -> None:
        self._is_waiting = False
        if self._is_over:
            return
        if result.done:
            self._end(None)
            return
        try:
            view = view_of(result.value)
        except TypeError as error:
            self._source.cancel(error).add_done_callback(_look_at)
            self._end(error)
            return
        self._reader.feed_data(view)  # which copies it, and may pause us
        self._read()

    def _fail(self, reason: object) -> None:
        if not self._is_over:
            self._end(as_exception(reason))

    def _end(self, error: BaseException | None) -> None:
        self._is_over = True
        if self._signal is not None:
            self._signal.remove_event_listener("abort", self._abort)
        if error is None:
            self._reader.feed_eof()
        else:
            self._reader.set_exception(error)  # type: ignore[arg-type, unused-ignore]


class WriterTransport(asyncio.Transport):
    """Hands what a StreamWriter writes to a stream, and pauses it while the stream is full."""

    def __init__(self, writer: WritableStreamDefaultWriter[Any], protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._writer = writer
        self._protocol = protocol
        self._size = 0
        self._is_full = False
        self._is_closing = False
        self._is_lost = False
        self._closed: Promise[None] | None = None
        writer.closed.then(None, self._lose)

    def is_closing(self) -> bool:
        """Whether the stream is closing or over."""
        return self._is_closing

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Tell somebody else from now on."""
        assert isinstance(protocol, asyncio.Protocol)
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol that is notified."""
        return self._protocol

    def get_write_buffer_size(self) -> int:
        """How many bytes are written and not yet taken by the stream's sink."""
        return self._size

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Do nothing: the limit is the high-water mark of the stream."""

    def write(self, data: Any) -> None:
        """Write a copy of the bytes."""
        chunk = bytes(view_of(data))
        if not chunk or self._is_closing:
            return
        if self._closed is not None:
            raise RuntimeError("cannot write after write_eof()")
        self._size += len(chunk)
        written = self._writer.write(chunk)
        written.then(_Taken(self, len(chunk)), _ignore)
        if not self._is_full:
            self._pause_if_full()

    def write_eof(self) -> None:
        """Close the stream; the StreamWriter still has to be closed."""
        if self._closed is None and not self._is_lost:
            self._closed = self._writer.close()
            self._closed.add_done_callback(_look_at)

    def can_write_eof(self) -> bool:
        """Yes: it is the same as closing."""
        return True

    def close(self) -> None:
        """Close the stream after what was written; the protocol is told when that is done."""
        if self._is_closing:
            return
        self._is_closing = True
        self.write_eof()
        if self._closed is not None:
            self._closed.then(self._close, self._lose)

    def abort(self) -> None:
        """Abort the stream."""
        self._is_closing = True
        abort_at_once(self._writer, AbortError("the writer was aborted"))
        self._close()

    def _resume(self, _: object) -> None:
        self._is_full = False
        if not self._is_lost:
            self._protocol.resume_writing()
            self._pause_if_full()

    def _pause_if_full(self) -> None:
        ready = self._writer.ready
        if not ready.done():
            self._is_full = True
            self._protocol.pause_writing()
            ready.then(self._resume, _ignore)

    def taken(self, size: int) -> None:
        """The sink is done with so many bytes."""
        self._size -= size

    def _close(self, _: object = None) -> None:
        if not self._is_lost:
            self._is_lost = True
            self._protocol.connection_lost(None)

    def _lose(self, reason: object) -> None:
        if not self._is_lost:
            self._is_lost = self._is_closing = True
            error: Any = as_exception(reason)
            self._protocol.connection_lost(error)


class _Taken:
    """A reaction: a write is done."""

    __slots__ = ("_size", "_transport")

    def __init__(self, transport: WriterTransport, size: int) -> None:
        self._transport = transport
        self._size = size

    def __call__(self, _: object) -> None:
        self._transport.taken(self._size)


def _ignore(_: object) -> None:
    """Errors are told by the closed promise."""
