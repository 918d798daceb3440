"""The two sides of a transferred stream: the Standard's "cross-realm transform", section 8.2.

One end of a connection has a writable side, the other one a readable side. The readable side asks for chunks ("pull"),
the writable side sends them ("chunk") and tells of its end ("close"); both tell of errors ("error"). What comes is
looked at, as the Standard's notes encourage: the other end may be anybody's.
"""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar, Final
from weakref import finalize, ref

from .._engine.jobs import current_jobs
from .._engine.promise import Promise
from .._flow.outlets import Outlet
from .._platform.errors import AbortError, DataError, LoopEndedError
from .._streams.door import fail_writable
from .._streams.readable.controller import ReadableStreamDefaultController
from .._streams.readable.pipe import Pipe
from .._streams.readable.stream import ReadableStream
from .._streams.writable.controller import WritableStreamDefaultController
from .._streams.writable.stream import WritableStream
from ._ends import SocketEnd
from ._errors import WorkerDied
from ._frames import CHUNK, CLOSE, ERROR, PULL

GONE: Final = "the other end of the transferred stream has gone without a word: its process or event loop has ended"


class Side(ABC):
    """What both sides have: the end of a connection, and the ends of the stream."""

    name: ClassVar[str]

    def __init__(self, connection: socket.socket, window: int, trusted: bool) -> None:
        self.window = window
        self.is_over = False
        # The stream, if the original is here: nobody else may have it.
        self.kept: object = None
        # Why, if the connection is what ended it.
        self.reason: object = WorkerDied(None, GONE)
        self.jobs = current_jobs()
        # No warning of Python's: when the loop is closed by hand, nobody can close it.
        finalize(self, connection.close).atexit = False
        self.end = SocketEnd(connection, self, trusted)
        self.jobs.end.others.add(self)

    def got(self, kind: int, value: Any) -> None:
        """Take a message. Raises `DataError` for one that no other end would send."""
        if self.is_over:
            return
        if kind == ERROR:
            self.fail(value)
        elif not self.take(kind, value):
            raise DataError(f"the other end of the transferred stream has sent what the {self.name} side cannot get")

    def got_chunks(self, chunks: list[Any]) -> None:
        """Take chunks."""
        for chunk in chunks:
            self.got(CHUNK, chunk)

    def have_come(self) -> None:
        """Every message is looked at when it is told."""

    def were_taken(self) -> None:
        """Nothing was left for later."""

    def ended(self, error: BaseException | None) -> None:
        """The connection has ended, or what has come is no message."""
        if self.is_over:
            return
        # Python: a connection ends with its process, and that is an error; nobody hears of the end of a MessagePort.
        if error is None or isinstance(error, OSError | EOFError):
            self.fail(self.reason)
        else:
            self.tell(ERROR, error)  # CrossRealmTransformSendError, in the handler of "messageerror"
            self.fail(error)

    def tell(self, kind: int, value: Any) -> Promise[None] | None:
        """PackAndPostMessage: send one that is no chunk; the connection may have ended."""
        try:
            return self.end.send(kind, value)
        except OSError:
            self.has_failed()
            return None

    def has_failed(self) -> None:
        """Sending has failed: hear what the other end has said before it went. Not now: it may be arriving."""
        self.jobs.loop.call_soon(self._hear_the_last)

    def _hear_the_last(self) -> None:
        self.end.drain()
        self.ended(None)

    def fail(self, reason: object) -> None:
        """Error the stream, and let go of the connection."""
        self.reason = reason
        self.over()
        self.error(reason)

    def leave(self, reason: object) -> Promise[None] | None:
        """Tell the other end why it is over; raises nothing."""
        # Python: any object is a reason. One that cannot be pickled crosses as a RemoteError, and rejects nothing.
        if self.is_over:
            return None
        sent = self.tell(ERROR, reason)
        self.over()
        return None if sent is None else sent.then(None, _overlook)

    def over(self) -> None:
        """Disentangle the port."""
        self.is_over = True
        self.kept = None
        self.end.finish()

    def abandon(self) -> None:
        """Nobody has the stream any more."""
        self.leave(AbortError("the stream was dropped"))

    def _cut_off(self, error: LoopEndedError, is_late: bool) -> None:
        """The event loop has ended."""
        if not self.is_over:
            self.tell(ERROR, error)
            self.fail(error)
        if is_late:
            self.end.close()

    @abstractmethod
    def take(self, kind: int, value: Any) -> bool:
        """Take a message; False if it is for the other side only."""

    @abstractmethod
    def error(self, reason: object) -> None:
        """Error the stream, and settle what waits."""


class ReadableSide(Side):
    """SetUpCrossRealmTransformReadable: a stream of what the other end sends."""

    name = "readable"

    def __init__(self, connection: socket.socket, window: int, trusted: bool) -> None:
        super().__init__(connection, window, trusted)
        self._received: deque[Any] = deque()
        self._is_wanted = False
        self._is_delivering = False
        # Whether the whole has come, and the stream is not closed yet.
        self._is_closed = False
        # How many chunks may be sent and have not been told of, how many of them make a message, and how many may come.
        self._owed = window
        self._batch = max(1, window // 2)
        self._granted = 0
        self._outlet: Outlet
        # Into the original, if that is a writable stream here.
        self.pipe: Pipe | None = None

    def open(self) -> ReadableStream[Any]:
        """Make the stream. Whoever has it holds it, and nobody else: it may be dropped."""
        stream: ReadableStream[Any] = ReadableStream(_Source(self), {"high_water_mark": 0})
        self._outlet = Outlet(stream)
        return stream

    def pull(self) -> None:
        """Deliver a chunk as soon as there is one."""
        self._is_wanted = True
        self._outlet.keep()
        self._grant()
        self._deliver()

    def take(self, kind: int, value: Any) -> bool:
        """See `Side`."""
        if kind == CHUNK and self._granted:
            self._granted -= 1
            self._received.append(value)
        elif kind == CLOSE:
            self._is_closed = True
            self.over()
        else:
            return False
        self._deliver()
        return True

    def error(self, reason: object) -> None:
        """See `Side`."""
        self._received.clear()
        if self.pipe is not None:
            # Python: the original is aborted as if that were done to it: what it waits for can hear of its signal. In
            # the Standard, the pipe waits until everything is written, for ever if a write is stuck.
            self.pipe.end_now(reason)
        self._outlet.error(reason)

    def _grant(self) -> None:
        # Python: a "pull" has a number in it, so that several chunks can be under way.
        if self._owed >= self._batch and not self.is_over:
            owed, self._owed = self._owed, 0
            self._granted += owed
            self.tell(PULL, owed)

    def _deliver(self) -> None:
        if self._is_delivering:
            return  # a pull inside of enqueue()
        self._is_delivering = True
        while self._is_wanted and self._received:
            self._is_wanted = False
            self._owed += 1
            self._outlet.enqueue(self._received.popleft())
        self._is_delivering = False
        if self._is_closed and not self._received:
            self._is_closed = False
            self._outlet.close()


class WritableSide(Side):
    """SetUpCrossRealmTransformWritable: a stream whose chunks go to the other end."""

    name = "writable"

    def __init__(self, connection: socket.socket, window: int, trusted: bool) -> None:
        super().__init__(connection, window, trusted)
        self._credit = 0
        # Whether nothing can be sent any more.
        self._is_broken = False
        # The chunk that waits for a "pull", and what settles its write.
        self._waiting: tuple[Any, Callable[[Any], None], Callable[[object], None]] | None = None
        self._stream: ref[WritableStream[Any]]

    def open(self) -> WritableStream[Any]:
        """Make the stream. Whoever has it holds it, and nobody else: it may be dropped."""
        stream: WritableStream[Any] = WritableStream(_Sink(self))
        self._stream = ref(stream)
        return stream

    def write(self, chunk: Any) -> Promise[None] | None:
        """Send a chunk when it is wanted."""
        return self._send(chunk) if self._credit else self._wait(chunk)

    def close(self) -> Promise[None] | None:
        """Tell that no chunk will come."""
        try:
            sent = self.end.send(CLOSE, 0)
        except OSError:
            return self._wait_for_the_end()
        self.over()
        return None if sent is None else sent.then(None, self._say_why)

    def stop_waiting(self, reason: object) -> None:
        """Reject the write that waits."""
        # Python: in the Standard, an aborted stream waits for the other end, and the write is fulfilled then, though
        # its chunk goes nowhere.
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting[2](reason)

    def take(self, kind: int, value: Any) -> bool:
        """See `Side`."""
        if kind != PULL:
            return False
        self._credit = min(self._credit + value, self.window)
        if self._waiting is not None and not self._is_broken:
            chunk, resolve, reject = self._waiting
            self._waiting = None
            try:
                resolve(self._send(chunk))
            except Exception as error:
                reject(error)
        return True

    def error(self, reason: object) -> None:
        """See `Side`."""
        stream = self._stream()
        if stream is not None:
            fail_writable(stream, reason)
        self.stop_waiting(reason)

    def _send(self, chunk: Any) -> Promise[None] | None:
        """PackAndPostMessageHandlingError"""
        # Python: the write waits until the operating system has the chunk, however large that is. Small ones are copied
        # and go together at the end of the turn, while the other end has chunks to go on with.
        self._credit -= 1
        try:
            sent = self.end.send(CHUNK, chunk, may_wait=self._credit < self.window - 1)
        except OSError:
            return self._wait_for_the_end()
        except Exception as error:
            self.leave(error)
            raise
        return None if sent is None else sent.then(None, self._say_why)

    def _wait(self, chunk: Any) -> Promise[None]:
        promise, resolve, reject = Promise.with_resolvers()
        self._waiting = (chunk, resolve, reject)
        return promise

    def _wait_for_the_end(self) -> Promise[None]:
        """The connection has ended: wait until it is known why."""
        self._is_broken = True
        self.has_failed()
        return self._wait(None)

    def _say_why(self, error: object) -> Promise[None]:
        return Promise.reject(self.reason)


class _Source:
    """The underlying source. Only the stream refers to it: when it is collected, nobody reads any more."""

    stage_name = "receive()"

    def __init__(self, side: ReadableSide) -> None:
        self._side = side

    def pull(self, controller: ReadableStreamDefaultController[Any]) -> None:
        self._side.pull()

    def cancel(self, reason: object) -> Promise[None] | None:
        return self._side.leave(reason)

    def __del__(self) -> None:
        side = self._side
        if not side.is_over:
            side.jobs.push_of_collected(side.abandon)


class _Sink:
    """The underlying sink. Only the stream refers to it."""

    stage_name = "transfer()"

    def __init__(self, side: WritableSide) -> None:
        self._side = side

    def start(self, controller: WritableStreamDefaultController) -> None:
        self._signal = controller.signal
        self._signal.add_event_listener("abort", self._aborted)

    def write(self, chunk: Any, controller: WritableStreamDefaultController) -> Promise[None] | None:
        return self._side.write(chunk)

    def close(self) -> Promise[None] | None:
        return self._side.close()

    def abort(self, reason: object) -> Promise[None] | None:
        return self._side.leave(reason)

    def _aborted(self, event: object) -> None:
        self._side.stop_waiting(self._signal.reason)

    def __del__(self) -> None:
        side = self._side
        if not side.is_over:
            side.jobs.push_of_collected(side.abandon)


def _overlook(error: object) -> None:
    """The other end has gone: it does not need to hear of it."""
