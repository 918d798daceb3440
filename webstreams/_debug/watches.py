"""Warnings in asyncio's debug mode: keys that nothing knows, chunks that nobody reads, writers that do not wait, pipes
that cannot begin.

Controllers make the objects of this module when they are set up, and only if their event loop is in debug mode then:
``asyncio.run(main(), debug=True)``, ``PYTHONASYNCIODEBUG=1`` or ``python -X dev``. A key that nothing knows is a
`RuntimeWarning`. Each other warning is a `ResourceWarning` (which Python shows in its development mode, or with
``-W default``) and names the place where the stream was made.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable
from inspect import currentframe
from typing import TYPE_CHECKING, Any, Final

from .repr import Summarized, show_count, show_number, summary

if TYPE_CHECKING:
    from .._engine.jobs import JobQueue
    from .._streams.queue import QueueTotal

# A queue is too full at so many times its high-water mark, if it has at least so many chunks.
TOO_FULL = 10
TOO_MANY = 10
# So many turns of the loop at most are waited for jobs that a turn has left, before it is decided whether to warn.
PATIENCE = 100

_PACKAGE: Final = os.path.dirname(os.path.dirname(__file__)) + os.sep
# What `warnings` needs to show the same warning only once.
_registry: Final[dict[Any, Any]] = {}


class Place:
    """The line that called this package, where something was made."""

    __slots__ = ("filename", "function", "line")

    def __init__(self) -> None:
        frame = currentframe()
        assert frame is not None  # in CPython there is always one
        while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
            frame = frame.f_back
        self.filename = frame.f_code.co_filename
        self.line = frame.f_lineno
        self.function = frame.f_code.co_qualname

    def __str__(self) -> str:
        """Return file, line and function."""
        return f"{self.filename}:{self.line} in {self.function}"

    def warn(self, message: str, category: type[Warning] = ResourceWarning) -> None:
        """Issue a warning whose location is this place."""
        warnings.warn_explicit(message, category, self.filename, self.line, registry=_registry)


# Members that nothing knows.


def warn_of_mistakes(jobs: JobQueue, mistakes: Iterable[str]) -> None:
    """Warn of each of the mistakes, in debug mode only; they are looked for only then, too."""
    if jobs.loop.get_debug():
        for mistake in mistakes:
            Place().warn(mistake, RuntimeWarning)


# Chunks that nobody reads.


class UnreadWatch:
    """Warns when a readable stream is collected with chunks in its queue. Only the controller refers to it."""

    __slots__ = ("_jobs", "_name", "_place", "_queue")

    def __init__(self, name: str, jobs: JobQueue, queue: QueueTotal) -> None:
        self._name = name
        self._jobs = jobs
        self._queue = queue
        self._place = Place()

    def __del__(self) -> None:
        chunks = self._queue.chunk_count()
        if chunks and not self._jobs.loop.is_closed():
            self._place.warn(
                f"a {self._name} was dropped with {show_count(chunks, 'chunk')} unread in its queue: read it to its "
                f"end, or cancel it; it was made at {self._place}"
            )


# Writers that do not wait, and pipes that cannot begin.


class WriteWatch:
    """Warns when the queue of a writable stream grows and grows, and about pipes into one that never wants a chunk."""

    __slots__ = ("_high_water_mark", "_is_deciding", "_jobs", "_place", "_ready_is_used", "_turns_left", "_warned")

    def __init__(self, jobs: JobQueue, high_water_mark: float) -> None:
        self._jobs = jobs
        self._high_water_mark = high_water_mark
        self._place = Place()
        # Somebody has looked at the writer's `ready`.
        self._ready_is_used = False
        self._is_deciding = False
        self._turns_left = PATIENCE
        self._warned = False

    def chunk_was_queued(self, stream: Summarized, queue: QueueTotal, is_ready_watched: Callable[[], bool]) -> None:
        """Warn, once, if the queue is too full and nobody waits for `ready`; called before backpressure is updated.

        `is_ready_watched` tells whether somebody has looked at the writer's `ready` since the queue got full.
        """
        self._ready_is_used = self._ready_is_used or is_ready_watched()
        if self._warned or self._is_deciding or not self._is_too_full(queue):
            return
        if self._ready_is_used:
            # The user may have waited for `ready` before many writes: see whether that is done again after them.
            self._is_deciding = True
            self._jobs.loop.call_soon(self._decide, stream, queue, is_ready_watched)
        else:
            self._warn_of_growth(stream)

    def _is_too_full(self, queue: QueueTotal) -> bool:
        return queue.total > TOO_FULL * self._high_water_mark and queue.chunk_count() >= TOO_MANY

    def _decide(self, stream: Summarized, queue: QueueTotal, is_ready_watched: Callable[[], bool]) -> None:
        if self._jobs.jobs and self._turns_left > 0:
            # The time of the turn was up: those who have waited for `ready` may not have gone on yet.
            self._turns_left -= 1
            self._jobs.loop.call_soon(self._decide, stream, queue, is_ready_watched)
            return
        self._is_deciding = False
        self._turns_left = PATIENCE
        if self._is_too_full(queue) and not is_ready_watched():
            self._warn_of_growth(stream)

    def _warn_of_growth(self, stream: Summarized) -> None:
        self._warned = True
        self._warn(
            self._place,
            f"the queue of {summary(stream)} is past {TOO_FULL} times its high-water mark, and nobody "
            f"waits for the writer's `ready` before writing; the stream was made at {self._place}",
        )

    def pipe_was_started(self, source: Summarized, destination: Summarized) -> None:
        """Warn if the destination never wants a chunk."""
        if self._high_water_mark > 0:
            return
        place = Place()
        self._warn(
            place,
            f"a pipe from {summary(source)} into {summary(destination)} will not write anything: the destination's "
            f"high-water mark is {show_number(self._high_water_mark)}, so that it never asks for a chunk; the pipe was "
            f"started at {place}, the destination was made at {self._place}",
        )

    def _warn(self, place: Place, message: str) -> None:
        """Warn in the middle of an operation, which has to go on also where warnings are errors."""
        try:
            place.warn(message)
        except Exception as warning:
            self._jobs.report("a warning was turned into an exception", warning)
