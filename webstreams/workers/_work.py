"""What runs in the worker: the function, over chunks that come and go under credits."""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Final

from .._platform.errors import AbortError, as_exception, throw
from ._frames import CANCEL, CHUNK, CLOSE, ERROR, PULL, RAW_KINDS, READY, Frame, Message, decode
from ._reading import FrameReader
from ._sending import Outgoing, enlarge_buffer

# How often it is looked whether a function that yields has to stop, unless it waits (seconds): looking costs a call of
# the system.
LOOK_INTERVAL: Final = 0.01


class Link(ABC):
    """The worker's end of the connection. Its calls wait."""

    def __init__(self) -> None:
        # What has come and was not taken.
        self.frames: deque[Frame | Message | bytes] = deque()

    @abstractmethod
    def fetch(self, wait: bool = True) -> bool:
        """Have what has come in `frames`; false if that is nothing, and we are not to wait. Raises `EOFError`."""

    @abstractmethod
    def send(self, kind: int, value: Any) -> None:
        """Send a message; raises what pickling raises, and `OSError` if nobody is there."""

    @abstractmethod
    def send_with_next(self, kind: int, value: Any) -> None:
        """Send a message together with the next one, which comes at once."""


class SocketLink(Link):
    """The end in another process or interpreter."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__()
        enlarge_buffer(connection)
        self._socket = connection
        self._reader = FrameReader(connection)
        self._outgoing = Outgoing()

    def fetch(self, wait: bool = True) -> bool:
        """See `Link`."""
        while not self.frames:
            try:
                self.frames += self._reader.receive(wait)
            except BlockingIOError:
                return False
        return True

    def send(self, kind: int, value: Any) -> None:
        """See `Link`."""
        outgoing = self._outgoing
        outgoing.add(kind, value)
        while outgoing.size:
            outgoing.send(self._socket)

    def send_with_next(self, kind: int, value: Any) -> None:
        """See `Link`."""
        self._outgoing.add(kind, value)


class ThreadLink(Link):
    """The end in a thread of the same interpreter: nothing is pickled."""

    def __init__(self, post: Callable[[int, Any], None]) -> None:
        super().__init__()
        self.messages: SimpleQueue[list[Message]] = SimpleQueue()
        self._post = post

    def fetch(self, wait: bool = True) -> bool:
        """See `Link`."""
        try:
            self.frames += self.messages.get(wait)
        except Empty:
            return False
        return True

    def send(self, kind: int, value: Any) -> None:
        """See `Link`."""
        self._post(kind, value)

    def send_with_next(self, kind: int, value: Any) -> None:
        """See `Link`."""
        self._post(kind, value)


class Work:
    """The chunks that the function iterates over, and the way out for what it yields."""

    def __init__(self, link: Link, batch: int) -> None:
        self._link = link
        # After how many chunks we tell that they are done, if nothing else makes us send.
        self._batch = batch
        # Those that have come; what is pickled stays so until its turn has come.
        self._chunks: deque[Frame | Message | bytes] = deque()
        self._has_chunk = False
        self._done = 0
        # Whether something was made of the chunk under way: then there will be a message about the next one, too.
        self._has_made = False
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
            self._wait_for_more()
        if self._stop is not None:
            throw(self._stop)
        if not self._chunks:
            raise StopIteration
        self._has_chunk = True
        frame = self._chunks.popleft()
        if type(frame) is bytes:
            return frame
        return decode(frame)[1] if isinstance(frame, Frame) else frame[1]

    def _wait_for_more(self) -> None:
        """Wait for messages; whatever the other end may have to know for that, it is told before."""
        # To find out that nothing has come costs as much as some messages do: only if that saves one.
        if not self._done or not self._link.fetch(wait=False):
            self._tell()
            self._link.fetch()
        self._handle_all()

    def put(self, chunk: Any) -> None:
        """Send a chunk when it is wanted; raises the reason if no chunk is wanted any more."""
        if not self._credit or monotonic() - self._looked > LOOK_INTERVAL:
            self._look()
        if self._stop is not None:
            throw(self._stop)
        self._credit -= 1
        if self._done >= self._batch:
            self._link.send_with_next(PULL, self._taken())
        self._has_made = True
        self._link.send(CHUNK, chunk)

    def _look(self) -> None:
        """Take what has come, and wait for credit if there is none."""
        self._tell()
        self._link.fetch(wait=not self._credit)
        self._handle_all()
        while not self._credit and self._stop is None:
            self._link.fetch()
            self._handle_all()
        self._looked = monotonic()

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
        has_made, self._has_made = self._has_made, False
        # What is made of the next one will take it along, unless each one that is done counts.
        if self._done >= self._batch and (self._batch == 1 or not has_made):
            self._tell()

    def _tell(self) -> None:
        if self._done:
            self._link.send(PULL, self._taken())

    def _taken(self) -> int:
        """Return how many are done, which is told now."""
        done, self._done = self._done, 0
        return done

    def _handle_all(self) -> None:
        """Take what has come."""
        frames, chunks = self._link.frames, self._chunks
        while frames:
            frame = frames.popleft()
            if type(frame) is bytes or frame[0] == CHUNK or frame[0] in RAW_KINDS:
                chunks.append(frame)
            else:
                self._handle(*(decode(frame) if isinstance(frame, Frame) else frame))

    def _handle(self, kind: int, value: Any) -> None:
        if kind == PULL:
            self._credit += value
        elif kind == CLOSE:
            self._is_closed = True
        elif kind in (ERROR, CANCEL):
            self._stop = as_exception(value) if value is not None else AbortError("the stream was cancelled")


def run(link: Link, function: Callable[[], Callable[[Any], Any]], batch: int) -> None:
    """Run the function that ``function()`` loads, to its end; tell of both."""
    work = Work(link, batch)
    try:
        loaded = function()
        link.send(READY, 0)
        _run(work, loaded)
    except (SystemExit, KeyboardInterrupt):
        raise  # they end the worker
    except BaseException as error:
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
