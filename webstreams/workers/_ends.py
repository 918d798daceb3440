"""Our end of the connection with a worker, which the event loop waits for."""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from asyncio import AbstractEventLoop, get_running_loop
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from .._engine.jobs import current_jobs
from .._engine.promise import Promise
from ._frames import CANCEL, CHUNK, Frame, Message, decode
from ._reading import FrameReader
from ._sending import MOST_HELD, Outgoing, enlarge_buffer
from ._work import ThreadLink

# How many times in a row the socket is read before the loop gets its turn.
READS_IN_A_ROW: Final = 8


class Listener(Protocol):
    """Who is told what arrives."""

    @property
    def got_chunks(self) -> Callable[[list[Any]], None]:
        """What takes chunks that have come one after the other: a call of its own, for most messages are chunks."""

    def got(self, kind: int, value: Any) -> None:
        """Take a message."""

    def have_come(self) -> None:
        """Go on: all messages that have come together were told."""

    def were_taken(self) -> None:
        """Go on: the jobs that they have made are done, unless there was no time for all of them."""

    def ended(self, error: BaseException | None) -> None:
        """Nothing more will arrive: the connection was closed, or has failed."""


class End(ABC):
    """Our end; `listener` is told what arrives."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._loop: AbstractEventLoop = get_running_loop()
        self._jobs = current_jobs()
        self._turn = Turn(self._flush)
        # Whether the listener is being told, or the jobs of that are being done: what is sent meanwhile goes after it.
        self.is_telling: bool = False

    def _wake(self) -> None:
        """Tell what has arrived; called by the loop.

        The jobs that this makes are done at once, and what they send goes then: another turn of the loop would cost as
        much as a system call.
        """
        run_after = self._jobs.run_after
        self.is_telling = True
        try:
            run_after(self._take)
            run_after(self._listener.were_taken)
        finally:
            self.is_telling = False
            self._flush()

    def _send_later(self) -> None:
        """Have `_flush` called when this turn, or what is told now, is over."""
        if not self.is_telling and not self._turn.is_awaited:
            self._turn.will_end()

    @abstractmethod
    def _take(self) -> None:
        """Take what has arrived, and tell the listener."""

    @abstractmethod
    def _flush(self) -> None:
        """Send what has waited for others."""

    @abstractmethod
    def send(self, kind: int, value: Any, *, may_wait: bool = False) -> Promise[None] | None:
        """Send a message; give a promise if that takes time. Raises what pickling raises, and `OSError`.

        A small one that `may_wait` is sent with others at the end of this turn of the loop.
        """

    @abstractmethod
    def send_with_others(self, chunk: Any) -> bool:
        """Send a chunk at the end of this turn; false if that could fail, or would take time."""

    @abstractmethod
    def drain(self) -> None:
        """Take what has arrived, now."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the connection."""


class SocketEnd(End):
    """Our end of a socket."""

    def __init__(self, connection: socket.socket, listener: Listener, trusted: bool = True) -> None:
        super().__init__(listener)
        connection.setblocking(False)
        enlarge_buffer(connection)
        self._socket = connection
        # Whether what comes may be unpickled.
        self._trusted = trusted
        self._reader = FrameReader(connection, trusted)
        self._outgoing = Outgoing()
        # Whether it is the system that has to take more; for each message that waits for this, how much is to be sent
        # before (bytes), and what to call then.
        self._is_full = False
        self._waiting: deque[tuple[int, Callable[[Any], None], Callable[[object], None]]] = deque()
        self._is_reading = True
        self._is_finishing = False
        self._is_closed = False
        self._loop.add_reader(connection.fileno(), self._wake)

    def send(self, kind: int, value: Any, *, may_wait: bool = False) -> Promise[None] | None:
        """See `End`."""
        outgoing = self._outgoing
        was_copied = outgoing.add(kind, value)
        if self._is_closed:
            outgoing.forget()
            raise BrokenPipeError("the other end has gone")
        if not self._is_full:
            if may_wait and was_copied and outgoing.size < MOST_HELD:
                self._send_later()
                return None
            self._begin()
            if not outgoing.size:
                return None
        promise, resolve, reject = Promise.with_resolvers()
        self._waiting.append((outgoing.sent + outgoing.size, resolve, reject))
        return promise

    def send_with_others(self, chunk: Any) -> bool:
        """See `End`."""
        outgoing = self._outgoing
        if self._is_full or self._is_closed or outgoing.size >= MOST_HELD or not outgoing.add_small(chunk):
            return False
        if not self.is_telling:
            self._send_later()
        return True

    def drain(self) -> None:
        """See `End`."""
        while self._is_reading and self._receive():
            pass

    def finish(self) -> None:
        """Let go of the connection when everything is sent that the system has to take."""
        self._is_finishing = True
        if not self._is_full:
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
        self._outgoing.forget()
        waiting, self._waiting = self._waiting, deque()
        for _, _, reject in waiting:
            reject(BrokenPipeError("the other end has gone"))

    # Receiving.

    def _take(self) -> None:
        """See `End`."""
        for _ in range(READS_IN_A_ROW):
            if not self._is_reading or not self._receive() or self._reader.is_drained:
                return

    def _receive(self) -> bool:
        """Receive once; False if there is nothing."""
        try:
            self._tell(self._reader.receive(wait=False))
        except (BlockingIOError, InterruptedError):
            return False
        except (OSError, EOFError) as error:
            self._end(error)
            return False
        except Exception as error:  # no frame, or one that cannot be unpickled
            self._stop_reading()  # no more: the other end can still be told
            self._listener.ended(error)
            return False
        return True

    def _tell(self, frames: list[Frame | bytes]) -> None:
        listener = self._listener
        begin = 0
        try:
            for index in self._reader.others:
                if begin < index:
                    listener.got_chunks(frames[begin:index])
                begin = index + 1
                kind, value = decode(frames[index], self._trusted)
                listener.got(kind, value)
            if begin < len(frames):
                listener.got_chunks(frames[begin:] if begin else frames)
        finally:
            listener.have_come()

    def _end(self, error: BaseException) -> None:
        self.close()
        self._listener.ended(error)

    # Sending.

    def _begin(self) -> None:
        """Send what there is; the loop tells when the system can take what is left."""
        try:
            self._put()
        except OSError:
            self._outgoing.forget()
            raise
        if self._outgoing.size:
            self._is_full = True
            self._loop.add_writer(self._socket.fileno(), self._writable)

    def _flush(self) -> None:
        """See `End`."""
        if self._outgoing.size and not self._is_full and not self._is_closed:
            try:
                self._begin()
            except OSError as error:
                self._has_failed(error)

    def _writable(self) -> None:
        try:
            self._put()
        except OSError as error:
            self._has_failed(error)
            return
        if self._outgoing.size or self._is_closed:
            return
        self._is_full = False
        self._loop.remove_writer(self._socket.fileno())
        if self._is_finishing:
            self.close()

    def _has_failed(self, error: OSError) -> None:
        self.drain()  # what the other end has said before it went
        if not self._is_closed:
            self._end(error)

    def _put(self) -> None:
        """Send as much as goes now."""
        outgoing, waiting = self._outgoing, self._waiting
        while outgoing.size:
            try:
                outgoing.send(self._socket)
            except (BlockingIOError, InterruptedError):
                return
            while waiting and waiting[0][0] <= outgoing.sent:
                waiting.popleft()[1](None)


class ThreadEnd(End):
    """Our end of the queues to a thread."""

    def __init__(self, listener: Listener) -> None:
        super().__init__(listener)
        self._is_closed = False
        # What is to be put with one call, and what has come from the thread; whether the loop was woken for this.
        self._held: list[Message] = []
        self._arrived: deque[Message] = deque()
        self._is_woken = False
        self.link = ThreadLink(self._post)

    def send(self, kind: int, value: Any, *, may_wait: bool = False) -> None:
        """See `End`."""
        self._held.append((kind, value))
        if may_wait:
            self._send_later()
        else:
            self._flush()

    def send_with_others(self, chunk: Any) -> bool:
        """See `End`."""
        self._held.append((CHUNK, chunk))
        if not self.is_telling:
            self._send_later()
        return True

    def _flush(self) -> None:
        """See `End`."""
        held, self._held = self._held, []
        if held:
            self.link.messages.put(held)

    def drain(self) -> None:
        """See `End`."""
        self._take()

    def close(self) -> None:
        """See `End`."""
        if not self._is_closed:
            self._is_closed = True
            self._held.clear()
            self.link.messages.put([(CANCEL, None)])

    def _post(self, kind: int, value: Any) -> None:
        """Take a message of the thread, there."""
        if self._is_closed:
            raise BrokenPipeError("the other end has gone")
        self._arrived.append((kind, value))
        if not self._is_woken:
            self._is_woken = True
            self._loop.call_soon_threadsafe(self._wake)

    def _take(self) -> None:
        """See `End`."""
        self._is_woken = False  # before the last look
        while self._arrived:
            message = self._arrived.popleft()
            if self._is_closed:
                continue
            if message[0] == CHUNK:
                self._listener.got_chunks([message[1]])
            else:
                self._listener.got(*message)
                del message  # an error refers to the frames of the thread
        if not self._is_closed:
            self._listener.have_come()


class Turn:
    """The turn of the event loop that runs, with the jobs that it has made: calls `then` once at its end."""

    def __init__(self, then: Callable[[], object]) -> None:
        self._then = then
        self._jobs = current_jobs()
        self.is_awaited = False

    def will_end(self) -> None:
        """Have it called when this turn is over; once for each turn."""
        self.is_awaited = True
        self._jobs.loop.call_soon(self._look)

    def _look(self) -> None:
        if self._jobs.scheduled:
            self._jobs.loop.call_soon(self._end)  # after those jobs, and whatever they make
        else:
            self._end()

    def _end(self) -> None:
        self.is_awaited = False
        self._then()
