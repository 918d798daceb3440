"""When a sink that nobody has written to begins: soon, but not in the way of calls that somebody waits for.

A sink that is opened with its first chunk needs one call in a thread; one that is opened before needs two or three, and
holds a descriptor meanwhile. So it waits a moment, and as long as the loop or all threads have other things to do: its
source may be waiting for them.
"""

from __future__ import annotations

from asyncio import Handle, TimerHandle
from typing import Final, Protocol

from ..._engine.jobs import JobQueue
from .threads import are_busy

# When a sink that nobody writes to is opened; and when at the latest, however much there is to do (seconds).
SOON: Final = 0.002
LATEST: Final = 1

_SLOT: Final = "_webstreams_openings"


class Opened(Protocol):
    """What is opened."""

    def begin_first(self) -> None:
        """Begin."""


class Openings:
    """The sinks of one event loop that have not begun, the oldest first, with one timer for all."""

    def __init__(self, jobs: JobQueue) -> None:
        self._jobs = jobs
        self._loop = jobs.loop
        # Those that have just come: most of them get what is to be written in some of the next jobs, and need no timer.
        self._new: dict[Opened, None] = {}
        # Those that nobody has written to: when each of them came (seconds).
        self._waiting: dict[Opened, float] = {}
        # Those that have a chunk.
        self._due: dict[Opened, None] = {}
        # What looks at both in the next turn, and what looks at those that wait.
        self._next: Handle | None = None
        self._timer: TimerHandle | None = None

    def add(self, sink: Opened) -> None:
        """Have a sink opened soon."""
        if not self._new:
            self._jobs.push(self._wait_for_pipe)
        self._new[sink] = None

    def hurry(self, sink: Opened) -> None:
        """Have a sink begin in the next turn of the loop, when all that comes in this one is there."""
        if self._new.pop(sink, self) is None or self._waiting.pop(sink, None) is not None:
            self._due[sink] = None
            self._look_soon()

    def discard(self, sink: Opened) -> None:
        """Leave a sink alone that was added and has not begun."""
        if self._new.pop(sink, self) is None:
            return
        if self._waiting.pop(sink, None) is None:
            del self._due[sink]
        if not self._waiting and not self._due:
            for handle in (self._next, self._timer):
                if handle is not None:
                    handle.cancel()
            self._next = self._timer = None

    def _wait_for_pipe(self) -> None:
        """Look at new ones behind the jobs of now: a pipe that was started with them has its first job there."""
        self._jobs.push(self._look_at_new)

    def _look_at_new(self) -> None:
        if self._new:
            self._look_soon()

    def _look_soon(self) -> None:
        if self._next is None:
            self._next = self._loop.call_soon(self._begin_due)

    def _begin_due(self) -> None:
        self._next = None
        new, self._new = self._new, {}
        if new:
            self._waiting.update(dict.fromkeys(new, self._loop.time()))
        due, self._due = self._due, {}
        for sink in due:
            sink.begin_first()
        self._watch()

    def _watch(self) -> None:
        """Have a timer as long as somebody waits."""
        if self._timer is None and self._waiting:
            self._timer = self._loop.call_later(SOON, self._look)
        elif self._timer is not None and not self._waiting:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        # Those that came after the timer was set have their turn with it.
        age = LATEST if self._jobs.jobs or are_busy(self._loop) else SOON / 2
        latest = self._loop.time() - age
        while self._waiting:
            sink, since = next(iter(self._waiting.items()))
            if since > latest:
                break
            del self._waiting[sink]
            sink.begin_first()
        self._watch()


def openings_of(jobs: JobQueue) -> Openings:
    """Return those of the loop of a job queue."""
    openings: Openings | None = getattr(jobs.loop, _SLOT, None)
    if openings is None:
        openings = Openings(jobs)
        setattr(jobs.loop, _SLOT, openings)
    return openings
