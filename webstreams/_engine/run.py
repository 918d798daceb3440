"""The hook of the fast path: all that the engine and the streams know of it (`_fastpath` says what it does).

A `Run` stands between the callbacks of a pipeline and its streams while jobs do not lead from one to the next. The job
queue knows the run under way (`JobQueue.run`), so that whoever looks at a stream or changes one can leave it first
(`JobQueue.leave_run`: a side exit). A `Policy` decides for one event loop when its pipes are run like that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from threading import get_ident as _get_ident
from typing import Any, Final

from .._platform.mypyc import trait

# Called for every chunk; `Final`, so that compiled code need not look it up.
get_ident: Final[Callable[[], int]] = _get_ident


# What became of an await (`Run.awaits`); the chunk that has come is in `Run.chunk`, and the promise is not settled yet.
IN_VAIN: Final = 0
HAS_COME: Final = 1
HALFWAY: Final = 2
# Of one that is not awaited yet, and of a chunk that was taken (`Run.collect`).
IS_READ: Final = 3
IS_THERE: Final = 4


class Call:
    """A call of a callback in a run."""

    __slots__ = ("function", "output")

    def __init__(self, function: Callable[..., Any], output: deque[Any]) -> None:
        # The callback, and where the chunk goes that it enqueues.
        self.function: Callable[..., Any] = function
        self.output: deque[Any] = output


class Measured:
    """Expects `bytes` of a controller, at least so many and below a limit: to a queue that counts bytes, where nothing
    depends on the size of a small chunk, or from a byte stream, whose chunks are not empty."""

    __slots__ = ("controller", "least", "limit")

    def __init__(self, controller: object, limit: float, least: int) -> None:
        self.controller = controller
        self.least = least
        self.limit = limit

    def fits(self, chunk: Any) -> bool:
        """Whether a chunk is neither too small nor too large, and its size something that nobody can see being
        counted."""
        return type(chunk) is bytes and self.least <= len(chunk) < self.limit


def takes(expected: object, controller: object, chunk: Any) -> bool:
    """Whether a controller that enqueues a chunk is the one that is expected to, and the chunk of the right kind."""
    if type(expected) is Measured:
        return expected.controller is controller and expected.fits(chunk)
    return expected is controller


class Run:
    """What calls the callbacks of a pipeline, or watches how they are called."""

    __slots__ = ("chunk", "current", "expecting", "pending", "spare", "thread")

    # The call under way, and its controller until that has enqueued a chunk.
    current: Call
    expecting: object
    # The jobs that are queued: in a run of a trace, only by the callback under way.
    pending: deque[Callable[[], object]]
    # The thread of the event loop.
    thread: int
    # The chunk that has come to an await (`HAS_COME`); and a promise of a read that nobody can look at any more.
    chunk: Any
    spare: Any

    def take(self, controller: object, chunk: Any) -> bool:
        """Take the chunk that a callback enqueues, instead of the plain path; whether that was done.

        A guard: only the one chunk that the trace expects is taken, only while no job has been queued before it, and
        not from another thread.
        """
        expected = self.expecting
        if expected is controller or takes(expected, controller, chunk):
            if not self.pending and get_ident() == self.thread:
                self.expecting = None
                self.current.output.append(chunk)
                return True
        return False

    def take_more(self, controller: object, chunk: Any) -> bool:
        """Take one chunk more of the callback under way, behind the one that is expected; whether that was done."""
        return False

    def take_many(self, controller: object, chunks: Sequence[Any]) -> int:
        """Take chunks as `take_more` takes each of them; return how many, from the first one on."""
        return 0

    def intercept(self, controller: Any, chunk: Any) -> Any:
        """A chunk is enqueued that was not taken: return it for the plain path, which goes on with it."""
        raise NotImplementedError

    def desired_size(self, controller: Any) -> float | None:
        """Return the desired_size of a controller."""
        raise NotImplementedError

    def leave(self) -> None:
        """Stop, with everything in the state in which the jobs would have brought it: a side exit."""
        raise NotImplementedError

    def next_rows(self) -> list[Any]:
        """Count a period of awaited callbacks; return the calls of the next one, none if the run has to stop."""
        raise NotImplementedError

    def reads(self, key: object, promise: Any) -> bool:
        """A user's reader or iteration asks for the next chunk; whether the steps of the read have been done."""
        self.leave()
        return False

    def awaits(self, promise: Any) -> int:
        """A task awaits a read: bring its chunk.

        Return `IN_VAIN`, `HAS_COME`, or `HALFWAY`: the waiting has begun, and ends with the mark in the queue of jobs.
        """
        self.leave()
        return IN_VAIN

    def iterates(self, key: object, promise: Any) -> int:
        """An ``async for`` of a user's reads and awaits in one, by a promise that nobody else has: bring the chunk.

        Return `IN_VAIN` if the read has not begun, `HAS_COME`, or where it is: `IS_READ`, `HALFWAY`.
        """
        return IN_VAIN

    def writes(self, writer: object, chunk: Any, promise: Any) -> bool:
        """A user's writer writes a chunk; whether the steps of the write have been done.

        A writer of another pipeline need not leave the run: nothing that it writes to is a part, or it queues a job.
        """
        return False

    def gives_ready(self, writer: object) -> Any:
        """Return the ready promise of a user's writer, or None if the writer itself has to look for it."""
        return None

    def awaits_writer(self, promise: Any) -> int:
        """A task awaits a promise that is not of a read, perhaps that of a write: what `awaits` says, without a
        chunk."""
        self.leave()
        return IN_VAIN

    def is_looked_at(self, promise: object) -> None:
        """Somebody asks a promise for its state: leave the run if that is behind."""

    def collect(self, key: object, promise: Any, take: Callable[[Any], object]) -> int:
        """Read and take chunks for a reader of the library's own, as long as they come at once.

        Return `IN_VAIN` if nothing is under way then. Else it is the read of the promise, which is still to be awaited
        (`IS_READ`), or whose waiting has begun (`HALFWAY`).
        """
        return IN_VAIN


@trait
class Trigger:
    """A pipe, as far as the engine knows it: a period begins with its read. `_fastpath.discovery` knows the rest."""

    __slots__ = ()


class Policy:
    """Decides when the pipes of one event loop take the fast path."""

    __slots__ = ()

    def enter(self, pipe: Trigger) -> object:
        """A pipe begins: return what it has to keep until it ends, or None if it never begins a period."""
        raise NotImplementedError

    def exit(self, handle: object) -> None:
        """The pipe of a handle has ended."""
        raise NotImplementedError

    def forget(self) -> None:
        """Callbacks were replaced: what was recorded of them is worth nothing."""
        raise NotImplementedError

    def takes_over(self, pipe: Trigger) -> bool:
        """Whether the read of a pipe that is due has been done, perhaps with many more."""
        raise NotImplementedError

    def resumes(self, run: Run, pipe: Trigger) -> bool:
        """Whether a run has gone on that had to pause, with the read of any of its pipes."""
        raise NotImplementedError

    def takes_read(self, key: object, promise: Any) -> bool:
        """Whether the steps of a read of a user's reader or iteration have been done."""
        raise NotImplementedError

    def takes_write(self, writer: object, chunk: Any, promise: Any) -> bool:
        """Whether the steps of a write of a user's writer have been done."""
        raise NotImplementedError

    def takes_many(self) -> bool:
        """Whether many reads may be done in one, where nobody can tell."""
        raise NotImplementedError

    def run_has_ended(self, run: Any) -> None:
        """A run has been left."""
        raise NotImplementedError
