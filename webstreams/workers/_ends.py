"""Our end of the connection with a worker, which the event loop waits for."""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from asyncio import AbstractEventLoop, get_running_loop
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from .._engine.promise import Promise
from ._frames import CANCEL, ERROR, FrameReader, Part, decode, encode
from ._work import MAX_PARTS, ThreadLink, rest_of

# How many times in a row the socket is read before the loop gets its turn.
READS_IN_A_ROW: Final = 8


class Listener(Protocol):
    """Who is told what arrives."""

    def got(self, kind: int, value: Any) -> None:
        """Take a message."""

    def ended(self, error: BaseException | None) -> None:
        """Nothing more will arrive: the connection was closed, or has failed."""


class End(ABC):
    """Our end; `listener` is told what arrives."""

    @abstractmethod
    def send(self, kind: int, value: Any) -> Promise[None] | None:
        """Send a message; give a promise if that takes time. Raises what pickling raises, and `OSError`."""

    @abstractmethod
    def drain(self) -> None:
        """Take what has arrived, now."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the connection."""


class SocketEnd(End):
    """Our end of a socket."""

    def __init__(self, connection: socket.socket, listener: Listener, trusted: bool = True) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._listener = listener
        # Whether what comes may be unpickled.
        self._trusted = trusted
        self._loop = get_running_loop()
        self._reader = FrameReader()
        self._parts: list[Part] = []
        # How many parts are still before a message is sent, and what to call then.
        self._waiting: deque[tuple[int, Callable[[Any], None], Callable[[object], None]]] = deque()
        self._is_reading = True
        self._is_finishing = False
        self._is_closed = False
        self._loop.add_reader(connection.fileno(), self._readable)

    def send(self, kind: int, value: Any) -> Promise[None] | None:
        """See `End`."""
        parts = encode(kind, value)
        if self._is_closed:
            raise BrokenPipeError("the other end has gone")
        was_idle = not self._parts
        self._parts += parts
        if was_idle:
            self._begin()
            if not self._parts:
                return None
            self._loop.add_writer(self._socket.fileno(), self._writable)
        promise, resolve, reject = Promise.with_resolvers()
        self._waiting.append((len(self._parts), resolve, reject))
        return promise

    def drain(self) -> None:
        """See `End`."""
        while self._is_reading and self._receive():
            pass

    def finish(self) -> None:
        """Let go of the connection when everything is sent."""
        self._is_finishing = True
        if not self._parts:
            self.close()
        else:
            self._stop_reading()

    def _stop_reading(self) -> None:
        if self._is_reading:
            self._is_reading = False
            if not self._loop.is_closed():
                self._loop.remove_reader(self._socket.fileno())

    def close(self) -> None:
        """See `End`."""
        if self._is_closed:
            return
        self._is_closed = True
        self._stop_reading()
        if not self._loop.is_closed():
            self._loop.remove_writer(self._socket.fileno())
        self._socket.close()
        waiting, self._waiting = self._waiting, deque()
        self._parts = []
        for _, _, reject in waiting:
            reject(BrokenPipeError("the other end has gone"))

    def _readable(self) -> None:
        for _ in range(READS_IN_A_ROW):
            if not self._is_reading or not self._receive():
                return

    def _receive(self) -> bool:
        """Receive once; False if there is nothing."""
        try:
            size = self._socket.recv_into(self._reader.space())
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:
            self._end(error)
            return False
        if not size:
            self._end(EOFError("the other end has stopped in the middle") if self._reader.is_in_a_frame else None)
            return False
        try:
            for frame in self._reader.received(size):
                self._listener.got(*decode(frame, self._trusted))
        except Exception as error:  # no frame, or one that cannot be unpickled
            self._stop_reading()  # no more: the other end can still be told
            self._listener.ended(error)
            return False
        return True

    def _end(self, error: BaseException | None) -> None:
        self.close()
        self._listener.ended(error)

    def _writable(self) -> None:
        try:
            self._put()
        except OSError as error:
            self.drain()  # what it has said before it went
            if not self._is_closed:
                self._end(error)
            return
        if self._parts or self._is_closed:
            return
        self._loop.remove_writer(self._socket.fileno())
        if self._is_finishing:
            self.close()

    def _begin(self) -> None:
        try:
            self._put()
        except OSError:
            self._parts = []
            raise

    def _put(self) -> None:
        """Send as much as goes now."""
        while self._parts:
            before = len(self._parts)
            try:
                size = self._socket.sendmsg(self._parts[:MAX_PARTS])
            except (BlockingIOError, InterruptedError):
                return
            self._parts = rest_of(self._parts, size)
            self._sent(before - len(self._parts))

    def _sent(self, count: int) -> None:
        self._waiting = deque((parts - count, *settle) for parts, *settle in self._waiting)  # type: ignore[misc]
        while self._waiting and self._waiting[0][0] <= 0:
            self._waiting.popleft()[1](None)


class ThreadEnd(End):
    """Our end of the queues to a thread."""

    def __init__(self, listener: Listener) -> None:
        self._loop: AbstractEventLoop = get_running_loop()
        self._listener = listener
        self._is_closed = False
        self.link = ThreadLink(self._post)

    def send(self, kind: int, value: Any) -> None:
        """See `End`."""
        self.link.messages.put((kind, value))

    def drain(self) -> None:
        """See `End`: what the thread has sent has come before the news of its end."""

    def close(self) -> None:
        """See `End`."""
        if not self._is_closed:
            self._is_closed = True
            self.link.messages.put((CANCEL, None))

    def _post(self, kind: int, value: Any) -> None:
        if self._is_closed:
            raise BrokenPipeError("the other end has gone")
        self._loop.call_soon_threadsafe(self._got, kind, value)

    def _got(self, kind: int, value: Any) -> None:
        if not self._is_closed:
            self._listener.got(kind, value)
            if kind == ERROR:
                del value  # it refers to the frames of the thread
