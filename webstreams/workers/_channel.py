"""One worker as the pool sees it: its credits, what has come from it, and how it has ended."""

from __future__ import annotations

from asyncio import TimerHandle, get_running_loop
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from .._engine.promise import Promise
from .._platform.errors import as_exception
from ._errors import WorkerDied
from ._frames import CHUNK, CLOSE, ERROR, PULL, READY
from ._hosts import Job

# How long an interpreter may take to start, and to be taken to pieces (seconds): it cannot be killed.
STARTING: Final = 30
CLEANING: Final = 10


class Owner(Protocol):
    """Who has the worker."""

    def changed(self, has_ended: bool, is_telling: bool) -> None:
        """Something has arrived, or the worker has ended; if it `is_telling`, there will be a `were_taken`."""

    def were_taken(self) -> None:
        """What has arrived was taken, as far as that is done at once."""

    def failed(self, error: BaseException) -> None:
        """The worker has died, or has sent something other than a message."""


class Done:
    """So many chunks are done."""

    __slots__ = ("count",)

    def __init__(self, count: int) -> None:
        self.count = count


class Channel:
    """A worker. Chunks go to it as long as there is `room`; what comes is in `received`."""

    def __init__(self, job: Job, window: int, owner: Owner, keeps_order: bool) -> None:
        self._owner = owner
        self._grace = job.grace
        self._loop = get_running_loop()
        # How many chunks it may be sent, of so many that it may have.
        self.room = self._window = window
        # How many chunks it may send and has not been told of, and how many make a message worth while.
        self._owed = window
        self._batch = max(1, window // 2)
        # How many chunks were taken for reads to come: they are not owed before these.
        self._ahead = 0
        # What it has sent: a chunk, or how many chunks are done, if it matters what belongs to which.
        self.received: deque[Any] = deque()
        self.got_chunks: Callable[[list[Any]], None] = self.received.extend
        self._keeps_order = keeps_order
        # Its own end: none, or an error.
        self.has_ended = False
        self.error: BaseException | None = None
        # Whether everything that it was sent was the whole, and whether it was told to stop.
        self._is_closed = False
        self._is_stopped = False
        # Whether its function has begun, whether we wait for that beyond the grace time, and whether it has ended.
        self._has_begun = False
        self._is_late = False
        self._is_done = False
        self._code: int | None = None
        self._timer: TimerHandle | None = None
        self.gone: Promise[None]
        self.gone, self._resolve_gone, _ = Promise.with_resolvers()
        self._host = job.start(self)
        self._send_with_others = self._host.end.send_with_others
        self._host.exited.then(self._exited)

    def __repr__(self) -> str:
        """Show how it is."""
        return f"<worker: {self.in_flight} chunks in flight, {'ended' if self.gone.done() else 'running'}>"

    @property
    def in_flight(self) -> int:
        """How many chunks it has not done with."""
        return self._window - self.room

    @property
    def is_over(self) -> bool:
        """Whether it has ended and everything that it has sent was taken."""
        return self.has_ended and not self.received

    @property
    def has_returned_early(self) -> bool:
        """Whether its function has returned without reading the whole of its input."""
        return self.has_ended and (not self._is_closed or self.in_flight > 0)

    def send(self, chunk: Any) -> Promise[None] | None:
        """Send a chunk; raises what pickling raises."""
        # It may wait for others if the worker has something to do meanwhile.
        try:
            sent = self._host.end.send(CHUNK, chunk, may_wait=self.in_flight > 0)
        except OSError:
            sent = None
            self._expect_end()  # which tells why
        self.room -= 1
        return None if sent is None else sent.then(None, _overlook)

    def send_with_others(self, chunk: Any) -> bool:
        """Send a chunk at the end of this turn, if there is room and something to do until then; else return false."""
        if not 0 < self.room < self._window or self.has_ended or not self._send_with_others(chunk):
            return False
        self.room -= 1
        return True

    def close(self) -> None:
        """Tell it that no chunk will come."""
        self._is_closed = True
        self._send(CLOSE, 0)

    def want(self) -> None:
        """Let it send as many chunks as the window has room for; all that were taken were read."""
        self._owed += self._ahead
        self._ahead = 0
        if self._owed >= self._batch and not self.has_ended:
            owed, self._owed = self._owed, 0
            self._send(PULL, owed, may_wait=True)

    def take(self) -> Any:
        """Take the chunk that has come first, for a read that waits; another one may come for it."""
        self._owed += 1 + self._ahead
        self._ahead = 0
        if self._owed >= self._batch:
            self.want()
        return self.received.popleft()

    def take_ahead(self) -> list[Any]:
        """Take chunks for reads to come, of at least two that have come. Not the last one: its read is told the end."""
        self._ahead = min(len(self.received) - 1, self._batch)
        take = self.received.popleft
        return [take() for _ in range(self._ahead)]

    def stop(self, kind: int, reason: object) -> None:
        """Ask the worker to end; kill it if it has not ended after the grace time."""
        if self._is_stopped:
            return
        self._is_stopped = True
        self.received.clear()
        if not self.gone.done():
            self._send(kind, reason)
            self._expect_end()

    def kill(self) -> None:
        """End the worker now."""
        self._is_stopped = True
        self._expired()

    def abandon(self) -> None:
        """Nobody wants the worker any more; called in any thread."""
        self._host.abandon()

    # What is told by its end.

    def got(self, kind: int, value: Any) -> None:
        """Take a message."""
        if kind == CHUNK:
            self.received.append(value)
        elif kind == READY:
            self._has_begun = True
        elif kind == PULL:
            self.room += value
            if self._keeps_order:
                self.received.append(Done(value))
        elif kind in (CLOSE, ERROR):
            if kind == ERROR:
                self.error = as_exception(value)
                self.has_ended = True
            self._is_done = True
            self._expect_end()

    def have_come(self) -> None:
        """Let the owner go on."""
        if not self._is_stopped:
            self._owner.changed(self.has_ended, self._host.end.is_telling)

    def were_taken(self) -> None:
        """See `Listener`."""
        if not self._is_stopped:
            self._owner.were_taken()

    def ended(self, error: BaseException | None) -> None:
        """The connection has ended."""
        if error is not None and not isinstance(error, OSError | EOFError) and not self._is_stopped:
            self._owner.failed(error)
        self._expect_end()

    def returned(self) -> None:
        """An interpreter has done its work: taking it to pieces takes a while, and may not take for ever."""
        if self._timer is not None:
            self._timer.cancel()
        if not self.gone.done():
            self._timer = self._loop.call_later(max(self._grace, CLEANING), self._expired)

    # Its end.

    def _send(self, kind: int, value: Any, *, may_wait: bool = False) -> Promise[None] | None:
        try:
            sent = self._host.end.send(kind, value, may_wait=may_wait)
        except OSError:
            self._expect_end()  # which tells why
            return None
        if sent is None:
            return None
        return sent.then(None, _overlook)

    def _expect_end(self) -> None:
        if self._timer is None and not self.gone.done():
            self._timer = self._loop.call_later(self._grace, self._expired)

    def _expired(self) -> None:
        self._host.kill()
        if not self._host.can_be_killed and not self._is_given_time():
            self._finish()

    def _is_given_time(self) -> bool:
        """Whether to wait: what has not begun does not hang, and ends as soon as it has started."""
        if self._has_begun or self._is_done or self._loop.is_closed():
            return False
        if not self._is_late:
            self._is_late = True
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_later(STARTING, self._finish)
        return True

    def _exited(self, code: int) -> None:
        self._code = code
        self._host.end.drain()
        self._finish()

    def _finish(self) -> None:
        if self.gone.done():
            return
        if self._timer is not None:
            self._timer.cancel()
        self._host.end.close()
        died = not self.has_ended and (not self._is_done or self._code != 0)
        self.has_ended = True
        self._resolve_gone(None)
        if self._is_stopped:
            return
        if died:
            self._owner.failed(WorkerDied(self._code))
        else:
            self._owner.changed(self.has_ended, False)


def _overlook(error: object) -> None:
    """A message could not be sent: the end of the worker, which follows, tells why."""
