"""The two streams of one connection: an asyncio protocol that is read only while the readable stream wants bytes.

`Link` is the protocol. The event loop asks it for memory (``get_buffer``) and tells how much it has put there; that is
the view of a BYOB reader, if one waits, or else the buffer of the loop, from which a default reader gets a copy. Both
calls come one right after the other, so that nothing else runs meanwhile: all links of a loop share one buffer. Reading
begins with the first read and is paused when nobody waits for bytes and some have come. A write is done when the
operating system has taken all of it (with TLS: when all of it is encrypted and the socket is not behind by more than
its buffer).
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from contextlib import suppress
from ssl import SSL_ERROR_EOF, SSLEOFError, SSLError, SSLZeroReturnError
from typing import Any, Final, Literal
from weakref import WeakKeyDictionary

from typing_extensions import Buffer

from ..._engine.promise import Promise
from ..._platform.stages import note_stage
from ..._streams.door import fail_sink, fail_with, is_waited_for
from ..._streams.readable.byte_controller import ReadableByteStreamController
from ..._streams.readable.source import LaterSource
from ..._streams.readable.stream import ReadableStream
from ..._streams.writable.controller import WritableStreamDefaultController
from ..._streams.writable.stream import WritableStream
from .._bytes import PIECE, bytes_strategy, view_of
from .deadline import Deadline
from .options import Limits
from .resetting import abort, read_directly

# Reading is paused when nobody waits for bytes and so many have come since (bytes). Not before: most readers ask for
# more soon, and pausing costs two calls of the system.
AHEAD: Final = 2 * PIECE
# What is handed to the transport at a time: it copies what the socket does not take at once (bytes).
WRITE_PIECE: Final = 256 * 1024
# The most that TLS holds back of what it has received until it can be decrypted (bytes).
TLS_RECORD: Final = 32 * 1024

NO_LIMITS: Final = Limits()

# What each event loop reads into for default readers.
_buffers: WeakKeyDictionary[asyncio.AbstractEventLoop, memoryview] = WeakKeyDictionary()


def _buffer_of(loop: asyncio.AbstractEventLoop, size: int) -> memoryview:
    """Return the buffer of a loop, with room for at least `size` bytes."""
    buffer = _buffers.get(loop)
    if buffer is None or len(buffer) < size:
        buffer = _buffers[loop] = memoryview(bytearray(max(PIECE, size)))
    return buffer


class Link(asyncio.BufferedProtocol):
    """The protocol of a connection, and what its two streams share."""

    def __init__(self, limits: Limits = NO_LIMITS) -> None:
        self.transport: Any = None
        self.is_tls: bool = False
        self._ssl_object: Any = None
        self._socket: Any = None
        # Why the connection was ended on this side; an object in a list, as None can be a reason.
        self.reason: list[object] = []
        # Fulfilled when the descriptor is closed.
        self.lost: Promise[None]
        self.lost, self._resolve_lost, _ = Promise.with_resolvers()
        self._source = _LinkSource(self)
        self._sink = _LinkSink(self)
        self.readable: ReadableStream[bytes] = ReadableStream(self._source)
        self.writable: WritableStream[Buffer] = WritableStream(self._sink, bytes_strategy())
        self._is_reading = False
        self._loop = asyncio.get_running_loop()
        self._request: Any = None
        self._drained: tuple[Callable[[Any], None], Callable[[object], None]] | None = None
        self._is_full = False
        self._error: object = None
        # Whether `_error` is the connection's own, not a reason that was given on this side.
        self._has_failed = False
        self._idle = self._deadline(limits.idle_timeout, self._is_waited_for, self._has_been_idle, int)
        self._stalled = self._deadline(limits.write_timeout, self._is_behind, self._has_stalled, self._backlog)

    # The connection as a whole.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop, with TLS after the handshake."""
        self.transport = transport
        self._socket = transport.get_extra_info("socket")
        self._ssl_object = transport.get_extra_info("ssl_object")
        self.is_tls = self._ssl_object is not None
        self._is_reading = True
        if not self.is_tls:  # where pausing would keep back the end of the handshake
            # Not now: uvloop, and asyncio in Python 3.11.2, begin to read after this method, whatever it has done.
            self._loop.call_soon(self._pause_unless_wanted)
        # asyncio's TLS compares with ">=", and would never resume with 0.
        self.transport.set_write_buffer_limits(high=1 if self.is_tls else 0)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop when the descriptor is about to be closed."""
        if exc is None and not self.reason:
            self._drain_tls()
        exc = self.understood(exc)
        was_open = not self._source.is_over
        self._has_failed = self._has_failed or not self.reason
        error: object = exc
        if self.reason:
            error = self.reason[0]
        elif self._error is not None:  # the reader was told before
            error = self._error
        elif error is None and was_open:
            error = self._cut_error()
        elif error is None:
            error = BrokenPipeError(errno.EPIPE, "the peer has closed the connection")
        self._error = error
        if self._has_failed:
            note_stage(error, self._source, "transport")
        for deadline in (self._idle, self._stalled):
            if deadline is not None:
                deadline.stop()
        self._source.fail(error)
        self._sink.fail(error)
        if self._drained is not None:
            self._drained[1](error)
            self._drained = None
        self._resolve_lost(None)

    def _cut_error(self) -> OSError:
        if self.is_tls:
            return SSLEOFError(SSL_ERROR_EOF, "the TLS connection was cut: the peer did not close it")
        return ConnectionResetError(errno.ECONNRESET, "the connection was closed before the end of the stream")

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return the transport's extra information."""
        try:
            return self.transport.get_extra_info(name, default)
        except AttributeError:  # asyncio's transport of TLS knows nothing any more when it is closed
            return default

    def failed_with(self, error: object) -> bool:
        """Whether `error` is what the connection failed with: a fault of the network or of the peer."""
        return self._has_failed and error is self._error

    def ended_with(self, error: object) -> bool:
        """Whether `error` is what the streams failed with, for whatever cause."""
        return error is (self.reason[0] if self.reason else self._error)

    def close_when_over(self) -> None:
        """Close the descriptor as soon as both streams are over; what was written is still delivered."""
        # Not twice: asyncio's TLS could not be aborted any more.
        if self._source.is_over and self._sink.is_over and not self.transport.is_closing():
            if self.is_tls:
                self.resume()  # to say goodbye, TLS has to read what is there
            self.transport.close()

    def close(self, reason: object) -> None:
        """Close the descriptor after what the transport has taken; streams that are open fail with `reason`."""
        if not self.lost.done():
            self.reason = self.reason or [reason]
            self._source.fail(reason)
            self._sink.fail(reason)
            self.close_when_over()

    def reset(self, reason: object) -> None:
        """Close the descriptor now, so that the peer sees an error; streams that are open fail with `reason`."""
        if self.lost.done():
            return
        self.reason = self.reason or [reason]
        if self.transport is None:  # the handshake of TLS has failed
            self._resolve_lost(None)
        else:
            abort(self.transport, self._socket)

    def fail(self, error: OSError) -> None:
        """Close the descriptor now: the peer, or the way to it, has made the connection fail with `error`."""
        if not (self.lost.done() or self.reason):
            self._has_failed, self._error = True, error
            self.reset(error)

    # Limits.

    def _deadline(
        self,
        seconds: float | None,
        is_waiting: Callable[[], bool],
        expired: Callable[[float], None],
        progress: Callable[[], object],
    ) -> Deadline | None:
        return None if seconds is None else Deadline(self._loop, seconds, is_waiting, expired, progress)

    def _is_waited_for(self) -> bool:
        # Not for a read that was withdrawn: whoever gave it up is busy with something else.
        return self._source.is_wanted and not self._source.is_over and is_waited_for(self.readable)

    def _has_been_idle(self, seconds: float) -> None:
        self.fail(TimeoutError(errno.ETIMEDOUT, f"the peer has sent nothing for {seconds:g} seconds (idle_timeout)"))

    def _is_behind(self) -> bool:
        return self._drained is not None

    def _backlog(self) -> int:
        size: int = self.transport.get_write_buffer_size()
        return size

    def _has_stalled(self, seconds: float) -> None:
        self.fail(TimeoutError(errno.ETIMEDOUT, f"the peer has taken nothing for {seconds:g} seconds (write_timeout)"))

    # Reading.

    def resume(self) -> None:
        """Somebody wants bytes."""
        if self._idle is not None:
            self._idle.begin()
        if not self._is_reading and not self.transport.is_closing():
            self._is_reading = True
            self.transport.resume_reading()

    def pause(self) -> None:
        """Nobody wants bytes."""
        if self._is_reading:
            self._is_reading = False
            if not self.transport.is_closing():
                self.transport.pause_reading()

    def _pause_unless_wanted(self) -> None:
        if not self._source.is_wanted:
            self.pause()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Called by the event loop: give it memory to read into.

        With TLS, for all that the peer has sent: asyncio forgets what does not fit when the peer has hung up, too.
        """
        size = max(PIECE, sizehint + TLS_RECORD) if self.is_tls else 1
        self._request = self._source.controller.byob_request
        if self._request is not None:
            view: memoryview = self._request.view
            if len(view) >= size:
                return view
            self._request = None
        return _buffer_of(self._loop, size)

    def buffer_updated(self, nbytes: int) -> None:
        """Called by the event loop, right after `get_buffer`: so many bytes are there now."""
        request, self._request = self._request, None
        source = self._source
        source.is_wanted = False
        if source.is_over:
            return
        if request is not None:
            request.respond(nbytes)
        else:
            source.enqueue(_buffer_of(self._loop, nbytes)[:nbytes])
        if not source.is_wanted and (source.controller.desired_size or 0) <= -AHEAD:
            self.pause()

    def eof_received(self) -> bool:
        """Called by the event loop: the peer will send no more. Whether the connection stays open for writing."""
        if self.is_tls:
            self._drain_tls()
            if not self._source.is_over:
                self._has_failed, self._error = True, self._cut_error()
                self._source.fail(self._error)
            return False
        self._source.end()
        return not self._sink.is_over

    def _drain_tls(self) -> None:
        """Take what the event loop has left in TLS, and end the stream if TLS's goodbye (close_notify) comes then.

        asyncio does not tell whether it came, and uvloop gives up what it has not read when the peer hangs up.
        """
        try:
            while self._ssl_object is not None and not self._source.is_over:
                data = self._ssl_object.read(PIECE)
                if data:
                    self._source.enqueue(memoryview(data))
                else:
                    self._source.end()
        except SSLZeroReturnError:
            self._source.end()
        except SSLError:
            pass  # no goodbye

    def understood(self, error: Any) -> Any:
        """Return an error of the system as what it is. Where the peer has hung up, take what it has sent before."""
        if isinstance(error, OSError) and error.errno == errno.ENOTCONN:  # so it is said while nobody reads the socket
            error = ConnectionResetError(errno.ECONNRESET, "the peer has reset the connection")
        if isinstance(error, ConnectionError) and not self.reason:
            self._take_rest()
        return error

    def _take_rest(self) -> None:
        """Take what the peer has sent before it hung up. Where nobody reads, a write is the first to find out that it
        did, and the event loop gives up what it has not read: no more than the system keeps for a socket."""
        if self.is_tls or self._source.is_over:
            return
        buffer = _buffer_of(self._loop, PIECE)
        with suppress(OSError), read_directly(self._socket) as end:
            while size := end.recv_into(buffer):
                self._source.enqueue(buffer[:size])

    # Writing.

    def pause_writing(self) -> None:
        """Called by the event loop: the transport has not got rid of everything."""
        self._is_full = True

    def resume_writing(self) -> None:
        """Called by the event loop: the transport has got rid of everything."""
        self._is_full = False
        if self._drained is not None:
            self._drained[0](None)
            self._drained = None

    def write(self, data: bytes | memoryview) -> Promise[None] | None:
        """Hand bytes to the transport; give a promise if it does not get rid of them at once."""
        transport = self.transport
        if self._idle is not None:
            self._idle.begin()
        if not transport.is_closing():
            transport.write(data)
            if not self._is_full and not transport.is_closing():
                return None
        if self.lost.done():
            return Promise.reject(self._error)
        # Else the connection is about to be lost, which rejects the promise.
        promise, resolve, reject = Promise.with_resolvers()
        self._drained = resolve, reject
        if self._stalled is not None:
            self._stalled.begin()
        return promise


class _LinkSource(LaterSource):
    """The underlying source of the readable stream."""

    stage_name = "connection"

    type: Literal["bytes"] = "bytes"
    controller: ReadableByteStreamController

    def __init__(self, link: Link) -> None:
        self._link = link
        # The end was reached or the stream cancelled or errored.
        self.is_over = False
        # The stream was pulled and nothing has come since.
        self.is_wanted = False
        # What the stream is errored with after the bytes that are queued; an object in a list.
        self._failure: list[object] = []

    def start(self, controller: ReadableByteStreamController) -> None:
        self.controller = controller

    def pull(self, controller: ReadableByteStreamController) -> None:
        if self._failure:
            fail_with(controller, self._failure[0])
        else:
            self.is_wanted = True
            self._link.resume()

    def cancel(self, reason: object) -> Promise[None] | None:
        self.is_over = True
        self._link.pause()
        self._link.close_when_over()
        return self._link.lost if self._link.transport.is_closing() else None

    def enqueue(self, data: memoryview) -> None:
        while data and not self.is_over:
            self.controller.enqueue(data[:PIECE].tobytes())
            data = data[PIECE:]

    def end(self) -> None:
        if self.is_over:
            return
        self.is_over = True
        with suppress(TypeError):  # in the middle of an item: the reader is told
            self.controller.close()
        request = self.controller.byob_request
        if request is not None:
            request.respond(0)

    def fail(self, error: object) -> None:
        """End the stream with an error, after what is in its queue."""
        if self.is_over:
            return
        self.is_over = True
        if self.controller.desired_size:
            self._failure = [error]
        else:
            fail_with(self.controller, error)


class _LinkSink:
    """The underlying sink of the writable stream."""

    stage_name = "connection"

    def __init__(self, link: Link) -> None:
        self._link = link
        # The stream was closed, aborted or errored.
        self.is_over = False
        self._controller: WritableStreamDefaultController

    def start(self, controller: WritableStreamDefaultController) -> None:
        self._controller = controller
        # Not in abort(), which comes only after the write that is under way.
        controller.signal.add_event_listener("abort", self._reset)

    def write(self, chunk: Buffer, controller: WritableStreamDefaultController) -> Any:
        try:
            data = chunk if type(chunk) is bytes else view_of(chunk)
        except TypeError as error:
            self._link.reset(error)  # nothing else would end the connection
            raise
        if len(data) <= WRITE_PIECE:
            return self._link.write(data)
        return self._write_pieces(memoryview(data))

    async def _write_pieces(self, data: memoryview) -> None:
        for start in range(0, len(data), WRITE_PIECE):
            drained = self._link.write(data[start : start + WRITE_PIECE])
            if drained is not None:
                await drained

    def close(self) -> Promise[None] | None:
        self.is_over = True
        link = self._link
        link.close_when_over()
        if not link.transport.is_closing() and link.transport.can_write_eof():
            try:
                link.transport.write_eof()
            except OSError as raised:
                error = link.understood(raised)
                link.fail(error)
                raise error from None
        return link.lost if link.transport.is_closing() else None

    def abort(self, reason: object) -> Promise[None]:
        self.is_over = True
        return self._link.lost

    def fail(self, error: object) -> None:
        if not self.is_over:
            self.is_over = True
            fail_sink(self._controller, error)

    def _reset(self, event: object) -> None:
        reason = self._controller.signal.reason
        self._link.reset(reason)
