"""What stands for a user's read at the end of a pipeline, in every state of it: the promise of ``read()``, or of
``__anext__()``.

The user's own code runs between a chunk and the next read, and it may do anything between a read and the await of its
promise. So a read is two periods: the call, and the waiting.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from .._engine.jobs import JobQueue
from .._engine.promise_state import FULFILLED, PENDING
from .._engine.run import Run
from .._streams.part import Part
from .._streams.readable.iteration import Iteration
from .._streams.readable.reader import ReadableStreamDefaultReader, ReadPromise
from .._streams.readable.state import ReadRequest


class ReadEnd(ReadRequest, Part):
    """The promise of a reader's ``read()``, as far as jobs can tell."""

    __slots__ = (
        "chunk",
        "generation",
        "has_chunk",
        "interval",
        "is_awaited",
        "is_reading",
        "jobs",
        "reader",
        "run",
        "state",
    )
    _constant: ClassVar[tuple[str, ...]] = ("generation", "interval", "jobs", "reader", "run")
    _chunk_slots: ClassVar[tuple[str, ...]] = ("chunk",)

    def __init__(self, reader: ReadableStreamDefaultReader[Any], jobs: JobQueue) -> None:
        self.reader = reader
        self.jobs = jobs
        # The run that ends here, when it was made, and how many reads there are between two attempts (`policy`).
        self.run: Run | None = None
        self.generation = 0
        self.interval = 0
        self.forget()

    def forget(self) -> None:
        """The user has got the chunk: nothing is left of the read."""
        self.state: int = PENDING
        # Whether the chunk has come, which may be None.
        self.has_chunk = False
        self.chunk: Any = None
        self.is_awaited = False
        self.is_reading = True

    def begin(self) -> None:
        """The user calls ``read()``."""
        stream = self.reader._stream
        assert stream is not None
        stream._disturbed = True
        stream._controller._pull_steps(self)

    def wait(self) -> None:
        """The user awaits the promise: the mark is its reaction."""
        self.is_awaited = True
        if self.state == FULFILLED:
            self.jobs.jobs.append(self.jobs.mark)

    def chunk_steps(self, chunk: Any) -> None:
        """See `ReadRequest`."""
        self.chunk = chunk
        self.has_chunk = True
        self._fulfill()

    def _fulfill(self) -> None:
        self.state = FULFILLED
        if self.is_awaited:
            self.jobs.jobs.append(self.jobs.mark)

    # The promise itself.

    def key(self) -> object:
        """Return the reader or the iteration."""
        return self.reader

    def delivery(self) -> Callable[[], None] | None:
        """Return the job in the queue that stands for one of the promise's, if there is one."""
        return None

    def is_answered(self) -> bool:
        """Whether the chunk is there."""
        return self.state == FULFILLED


class IterationEnd(ReadEnd):
    """The promise of ``__anext__()``, which is settled a job after the chunk has come."""

    __slots__ = ("deliver", "iteration")
    _constant: ClassVar[tuple[str, ...]] = ("deliver", "iteration")

    def __init__(self, iteration: Iteration, jobs: JobQueue) -> None:
        super().__init__(iteration.reader, jobs)
        self.iteration = iteration
        self.deliver: Callable[[], None] = self._fulfill

    def begin(self) -> None:
        """The user calls ``__anext__()``."""
        self.is_reading = False
        super().begin()
        self.is_reading = True
        if self.has_chunk:
            self.jobs.jobs.append(self.deliver)

    def chunk_steps(self, chunk: Any) -> None:
        """See `ReadRequest`."""
        self.chunk = chunk
        self.has_chunk = True
        if self.is_reading:
            self.jobs.jobs.append(self.deliver)

    def key(self) -> object:
        """See `ReadEnd`."""
        return self.iteration

    def delivery(self) -> Callable[[], None] | None:
        """See `ReadEnd`."""
        return self.deliver

    def is_answered(self) -> bool:
        """See `ReadEnd`."""
        return self.has_chunk


Key = ReadableStreamDefaultReader[Any] | Iteration


def make_end(key: Key, jobs: JobQueue) -> ReadEnd:
    """Return what stands for the reads of a reader or of an iteration."""
    return IterationEnd(key, jobs) if isinstance(key, Iteration) else ReadEnd(key, jobs)


def put_in_place(end: ReadEnd, promise: ReadPromise[Any]) -> None:
    """Bring a promise into the state of what stands for it."""
    promise.take_place(end.chunk, end.is_answered(), end.state == FULFILLED, end.is_reading)
    if end.is_awaited:
        promise.wait_for_mark()
