"""What shares a stream: it reads the source when a branch waits, and tells the branches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from .._engine.door import ignored
from .._engine.jobs import JobQueue
from .._engine.promise import Promise
from .._platform.errors import AbortError, goes_through, stored_error
from .._streams.door import jobs_of
from .._streams.readable.stream import ReadableStream
from .branches import BRANCHES, Branch, Link
from .inputs import Input
from .outlets import Outlet
from .policies import Policy, size_of
from .stalls import StallWatch

# So many reasons are remembered for the source, of those who left last: subscribers may come and go for ever.
MOST_REASONS: Final = 64


class Hub:
    """The source, its queue and its branches."""

    def __init__(
        self,
        stream: ReadableStream[Any],
        mark: float,
        size: Callable[[Any], float] | None,
        *,
        needed: int,
        replay: int,
        keep: bool,
    ) -> None:
        self.mark = mark
        self.jobs: JobQueue = jobs_of(stream)
        self.debug = self.jobs.loop.get_debug()
        # The end of the queue, where the next chunk goes, and where a new subscriber begins.
        self.last = Link(0, 0)
        self._start = self.last
        self.branches: dict[Branch, None] = {}
        # How many have subscribed, and how many must have before anything is read.
        self._subscribed = 0
        self._needed = needed
        self._replay = replay
        self._keep = keep
        self._size = size
        # Those whose read waits for a chunk, and those that have to be told of a chunk before it is queued.
        self.waiting: dict[Branch, None] = {}
        self._lossy: dict[Branch, None] = {}
        # A branch that is full and lets the others wait.
        self._holder: Branch | None = None
        self._reasons: deque[object] = deque(maxlen=MOST_REASONS)
        # A read is under way; something on the stack reads or gives chunks.
        self._reading = False
        self._busy = False
        # How the source has ended: the branches are told when they have read what is queued.
        self._is_over = False
        self._failure: tuple[object, ...] = ()
        self._watch = StallWatch(self.jobs.loop, self.waiting) if self.debug else None
        self._input = Input(stream, self, "share")

    # Branches.

    def add(self, policy: Policy) -> Branch:
        """Make a branch; it has to be opened."""
        return BRANCHES[policy](self, self._start, policy)

    def open(self, branch: Branch, stream: ReadableStream[Any]) -> None:
        """Take a branch in, with the stream that it feeds."""
        branch.outlet = Outlet(stream)
        self.branches[branch] = None
        if branch.policy != "wait":
            self._lossy[branch] = None
        self._subscribed += 1
        if not self._end_if_read(branch):
            self.go_on()

    def pull(self, branch: Branch) -> None:
        """A branch wants a chunk."""
        if branch.has_more():
            self._give(branch)
            if self.waiting:
                self.go_on()
        elif not self._end_if_read(branch):
            self.waiting[branch] = None
            branch.outlet.keep()
            if not self._reading:
                self.go_on()

    def leave(self, branch: Branch, reason: object) -> Promise[None] | None:
        """A branch was cancelled or dropped: with the last one the source is cancelled."""
        if branch not in self.branches:
            return None
        self._remove(branch)
        return self._left(reason)

    def expel(self, branch: Branch, error: object) -> None:
        """A branch has failed: the others go on."""
        self._remove(branch)
        branch.outlet.error(error)
        promise = self._left(error)
        if promise is not None:
            ignored(promise)

    def _remove(self, branch: Branch) -> None:
        del self.branches[branch]
        self.waiting.pop(branch, None)
        self._lossy.pop(branch, None)
        if self._holder is branch:
            self._holder = None
        branch.forget()

    def _left(self, reason: object) -> Promise[None] | None:
        self._reasons.append(reason)
        if self.branches or self._keep:
            self.go_on()
            return None
        return self._cancel_source(list(self._reasons))

    def abandon(self) -> None:
        """Nobody can subscribe any more."""
        self._keep = False
        if not self.branches:
            promise = self._left(AbortError("the shared stream was dropped"))
            assert promise is not None
            ignored(promise)

    # The source.

    def go_on(self) -> None:
        """Read the source while a branch waits and none holds it up."""
        if self._busy:
            return
        self._busy = True
        while self._may_read() and not self._is_held_up():
            self._reading = True
            self._input.read()
        self._busy = False
        if self._watch is not None:
            self._watch.look(self._holder if self._may_read() else None)

    def _may_read(self) -> bool:
        has_readers = bool(self.waiting) and self._subscribed >= self._needed
        return has_readers and not self._reading and not self._is_over

    def _is_held_up(self) -> bool:
        if self._holder is None or not self._holder.is_full():
            full = (each for each in self.branches if each.policy == "wait" and each.is_full())
            self._holder = next(full, None)
        return self._holder is not None

    def arrived(self, source: Input, chunk: Any) -> None:
        """Queue a chunk, and give it to those that wait."""
        was_busy, self._busy = self._busy, True
        try:
            size = size_of(chunk, self._size)
        except BaseException as error:
            self._fail(stored_error(error))
            if goes_through(error):
                raise
        else:
            self._append(chunk, size)
        finally:
            self._reading = False
            self._busy = was_busy
        self.go_on()

    def _append(self, chunk: Any, size: float) -> None:
        link = self.last
        link.chunk = chunk
        for branch in list(self._lossy):
            branch.offer(chunk, size)
        link.next = self.last = Link(link.number + 1, link.total + size)
        if self.branches:  # else the next subscriber is the first to get it
            while self.last.number - self._start.number > self._replay:
                self._start = self._start.next
        for branch in list(self.waiting):
            if branch in self.waiting:  # nothing that was given to another one has cancelled it
                self._give(branch)

    def _give(self, branch: Branch) -> None:
        self.waiting.pop(branch, None)
        branch.outlet.enqueue(branch.take())
        if self._is_over:
            self._end_if_read(branch)

    # The end.

    def ended(self, source: Input) -> None:
        """Close the branches, each after what it has not read yet."""
        self._end(())

    def failed(self, source: Input, error: Any) -> None:
        """Error the branches, each after what it has not read yet."""
        self._end((error,))

    def _fail(self, error: object) -> None:
        """Cancel the source with an error, and end as if it were its own."""
        ignored(self._input.cancel(error))
        self._end((error,))

    def _end(self, failure: tuple[object, ...]) -> None:
        self._reading = False
        self._is_over = True
        self._failure = failure
        for branch in list(self.branches):
            self._end_if_read(branch)
        self.go_on()

    def _end_if_read(self, branch: Branch) -> bool:
        """Tell a branch of the end, if there is nothing left that it has to read before."""
        if not self._is_over or branch not in self.branches or branch.has_more():
            return False
        if not self._failure:
            branch.outlet.close()
        elif branch.outlet.is_empty():
            branch.outlet.error(self._failure[0])
        else:
            return False  # an error would drop the chunk: it comes with the next read
        self._remove(branch)
        return True

    def _cancel_source(self, reason: object) -> Promise[None]:
        if self._is_over:
            return Promise.resolve()
        self._is_over = True
        self._start = self.last
        promise = self._input.cancel(reason)
        self.go_on()
        return promise

    def cancel(self, reason: object) -> Promise[None]:
        """Cancel the source, and end the branches without what they have not read."""
        promise = self._cancel_source(reason)
        self._failure = () if reason is None else (reason,)
        for branch in list(self.branches):
            self._remove(branch)
            if reason is None:
                branch.outlet.close()
            else:
                branch.outlet.error(reason)
        self.go_on()
        return promise
