"""What runs in the worker: the function, over chunks that come and go under credits."""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Final

from .._platform.errors import AbortError, as_exception
from ._frames import CANCEL, CHUNK, CLOSE, ERROR, PULL, Message, decode, encode
from ._reading import FrameReader
from ._sending import Outgoing, enlarge_buffer

# How often it is looked whether a function that yields has to stop, unless it waits (seconds): looking costs a call of
# the system.
LOOK_INTERVAL: Final = 0.01


class Link(ABC):
    """The worker's end of the connection. Its calls wait."""

    @abstractmethod
    def receive(self, wait: bool = True) -> Message | None:
        """Return the next message; None if there is none and we are not to wait. Raises `EOFError` at the end."""

    @abstractmethod
    def send(self, kind: int, value: Any) -> None:
        """Send a message; raises what pickling raises, and `OSError` if nobody is there."""


class SocketLink(Link):
    """The end in another process or interpreter."""

    def __init__(self, connection: socket.socket) -> None:
        enlarge_buffer(connection)
        self._socket = connection
        self._reader = FrameReader(connection)
        self._outgoing = Outgoing()
        self._frames: deque[Any] = deque()

    def receive(self, wait: bool = True) -> Message | None:
        """See `Link`."""
        while not self._frames:
            try:
                self._frames.extend(self._reader.receive(wait))
            except BlockingIOError:
                return None
        return decode(self._frames.popleft())

    def send(self, kind: int, value: Any) -> None:
        """See `Link`."""
        self._outgoing.add(encode(kind, value))
        while self._outgoing.size:
            self._outgoing.send(self._socket)


class ThreadLink(Link):
    """The end in a thread of the same interpreter: nothing is pickled."""

    def __init__(self, post: Callable[[int, Any], None]) -> None:
        self.messages: SimpleQueue[list[Message]] = SimpleQueue()
        # Those that were taken out of the queue together.
        self._taken: deque[Message] = deque()
        self._post = post

    def receive(self, wait: bool = True) -> Message | None:
        """See `Link`."""
        if not self._taken:
            try:
                self._taken.extend(self.messages.get(wait))
            except Empty:
                return None
        return self._taken.popleft()

    def send(self, kind: int, value: Any) -> None:
        """See `Link`."""
        self._post(kind, value)


class Work:
    """The chunks that the function iterates over, and the way out for what it yields."""

    def __init__(self, link: Link, batch: int) -> None:
        self._link = link
        # After how many chunks we tell that they are done, if nothing else makes us send.
        self._batch = batch
        self._chunks: deque[Any] = deque()
        self._has_chunk = False
        self._done = 0
        self._credit = 0
        # When it was looked last whether something has come, while there was credit.
        self._looked = 0.0
        self._is_closed = False
        # Why the work is to end, when our other end has said so.
        self._stop: BaseException | None = None

    def __iter__(self) -> Work:
        return self

    def __next__(self) -> Any:
        if self._has_chunk:
            self._chunk_is_done()
        while not self._chunks and self._stop is None and not self._is_closed:
            self._handle(self._link.receive(wait=False) or self._awaited())
        if self._stop is not None:
            raise self._stop
        if not self._chunks:
            raise StopIteration
        self._has_chunk = True
        return self._chunks.popleft()

    def _awaited(self) -> Message | None:
        """Wait for a message; whatever the other end may have to know for that, it is told before."""
        self._tell()
        return self._link.receive()

    def put(self, chunk: Any) -> None:
        """Send a chunk when it is wanted; raises the reason if no chunk is wanted any more."""
        now = monotonic()
        if not self._credit or now - self._looked > LOOK_INTERVAL:
            self._looked = now
            self._look()
        if self._stop is not None:
            raise self._stop
        self._credit -= 1
        self._link.send(CHUNK, chunk)

    def _look(self) -> None:
        """Take what has come, and wait for credit if there is none."""
        self._tell()
        message = self._link.receive(wait=False)
        while message is not None or (not self._credit and self._stop is None):
            self._handle(message if message is not None else self._link.receive())
            message = self._link.receive(wait=False)

    def end(self) -> None:
        """Tell that nothing more will come."""
        if self._has_chunk:
            self._chunk_is_done()
        self._tell()
        self._link.send(CLOSE, 0)

    def fail(self, error: BaseException) -> None:
        """Tell of an error."""
        self._link.send(ERROR, error)

    def _chunk_is_done(self) -> None:
        self._has_chunk = False
        self._done += 1
        if self._done >= self._batch:
            self._tell()

    def _tell(self) -> None:
        if self._done:
            done, self._done = self._done, 0
            self._link.send(PULL, done)

    def _handle(self, message: Message | None) -> None:
        if message is None:
            return
        kind, value = message
        if kind == CHUNK:
            self._chunks.append(value)
        elif kind == PULL:
            self._credit += value
        elif kind == CLOSE:
            self._is_closed = True
        elif kind in (ERROR, CANCEL):
            self._stop = as_exception(value) if value is not None else AbortError("the stream was cancelled")


def run(link: Link, function: Callable[[], Callable[[Any], Any]], batch: int) -> None:
    """Run the function that ``function()`` loads, to its end; tell of that end."""
    work = Work(link, batch)
    try:
        _run(work, function())
    except Exception as error:
        _tell_of(work, error)


def _run(work: Work, function: Callable[[Any], Any]) -> None:
    outputs = function(work)
    try:
        iterator = iter(outputs)
    except TypeError:
        given = type(outputs).__name__
        raise TypeError(f"the function of a worker must be a generator or return an iterable, not {given}") from None
    try:
        for chunk in iterator:
            work.put(chunk)
    finally:
        close = getattr(iterator, "close", None)
        if close is not None:
            close()
    work.end()


def _tell_of(work: Work, error: BaseException) -> None:
    try:
        work.fail(error)
    except (OSError, RuntimeError):
        pass  # nobody is there
