"""What stands for a user's writer at the beginning of a pipeline, in every state of it: the promises of ``write()`` and
of ``ready``.

The user's own code runs between a write and the await of one of them, and it may do anything there. So a write is a
period, to look at ``ready`` is one, and so is to wait for either.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

from .._engine.jobs import Job, JobQueue
from .._engine.promise import Promise
from .._engine.promise_state import FULFILLED
from .._engine.run import Run
from .._engine.settling import Settled
from .._streams.part import Part
from .._streams.writable.writer import WritableStreamDefaultWriter
from .giver import Giver
from .snapshot import given_by


class Rest(NamedTuple):
    """What a period has made of a writer's promises when the user's own code goes on."""

    # The last write is done; the writer has a ready promise; that is fulfilled.
    is_written: bool
    has_ready: bool
    is_ready: bool


class WriterEnd(Giver, Settled, Part):
    """The writer of a user's, as far as jobs can tell: it gives the chunks, and is the request of each write."""

    __slots__ = (
        "generation",
        "interval",
        "is_awaited",
        "is_ready",
        "is_ready_awaited",
        "is_written",
        "jobs",
        "ready",
        "run",
        "writer",
    )
    _constant: ClassVar[tuple[str, ...]] = ("generation", "interval", "jobs", "ready", "run", "writer")

    def __init__(self, writer: WritableStreamDefaultWriter[Any], jobs: JobQueue) -> None:
        super().__init__()
        self.writer = writer
        self.jobs = jobs
        # What is in the place of the writer's ready promise.
        self.ready = ReadyStandIn(self)
        # The run that begins here, when it was made, and how many writes there are between two attempts (`policy`).
        self.run: Run | None = None
        self.generation = 0
        self.interval = 0
        self.forget()

    def forget(self) -> None:
        """Nothing is under way."""
        # Whether the write is done, and whether the ready promise is fulfilled; and which one a task awaits.
        self.is_written = False
        self.is_ready = False
        self.is_awaited = False
        self.is_ready_awaited = False

    # What the user does.

    def begin(self) -> None:
        """The user calls ``write()``."""
        stream = self.writer._stream
        assert stream is not None
        stream._controller._write(given_by(self), 1, self)

    def _ends_with_callback(self, job: Job) -> bool:
        """Tell the fast path that the sink is called last."""
        return job == self.begin

    def take_ready(self) -> None:
        """The user looks at ``ready``."""
        if self.writer._ready_promise is None:
            stream = self.writer._stream
            assert stream is not None
            self.writer._ready_promise = self.ready
            self.is_ready = not stream._backpressure

    def wait(self) -> None:
        """The user awaits the promise of the write: the mark is its reaction."""
        self.is_awaited = True
        if self.is_written:
            self.jobs.jobs.append(self.jobs.mark)

    def wait_until_ready(self) -> None:
        """The user awaits the ready promise."""
        self.is_ready_awaited = True
        if self.is_ready:
            self.jobs.jobs.append(self.jobs.mark)

    # What the stream does.

    def _fulfill(self, value: Any) -> None:
        """The write is done."""
        self.is_written = True
        if self.is_awaited:
            self.jobs.jobs.append(self.jobs.mark)

    def become_ready(self) -> None:
        """The queue has room."""
        self.is_ready = True
        if self.is_ready_awaited:
            self.jobs.jobs.append(self.jobs.mark)

    # What a run and a simulation do.

    def come_to_rest(self) -> Rest:
        """The user's own code goes on: forget what that knows from now on."""
        has_ready = self.writer._ready_promise is self.ready
        rest = Rest(self.is_written, has_ready, has_ready and self.is_ready)
        self.forget()
        self.is_ready = rest.is_ready
        return rest

    def enter(self) -> Promise[None] | None:
        """Take the place of the ready promise, which is fulfilled, and return it."""
        self.forget()
        ready = self.writer._ready_promise
        if ready is not None:
            self.writer._ready_promise = self.ready
            self.is_ready = True
        return ready

    def put_in_place(self, written: Promise[None] | None, ready: Promise[None] | None) -> None:
        """Bring the promises into their states, with the mark for the one that the task awaits."""
        _bring(written, self.is_written, self.is_awaited, self.jobs)
        _bring(ready, self.is_ready, self.is_ready_awaited, self.jobs)
        self.forget()


class ReadyStandIn(Promise[None]):
    """The ready promise, as far as jobs can tell."""

    __slots__ = ("_end",)

    def __init__(self, end: WriterEnd) -> None:
        super().__init__(end.jobs)
        self._handled = True
        self._end = end

    def _fulfill(self, value: Any) -> None:
        self._end.become_ready()


def _bring(promise: Promise[None] | None, is_fulfilled: bool, is_awaited: bool, jobs: JobQueue) -> None:
    if promise is None:
        return
    if is_fulfilled:
        promise._state = FULFILLED
    elif is_awaited:
        promise._reactions = jobs.mark
