"""The branches of a shared stream: where each one is in the queue that they have in common.

The queue is a chain of links, in one direction. A branch holds on to the link of its next chunk, and so keeps what it
has not read; what all have read, nobody holds any more. Nothing is searched and nothing is cut off.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final, Protocol

from .._debug.watches import Place
from .outlets import Outlet
from .policies import Lagged, Policy


class Link:
    """A place in the queue: its chunk and the next place, once the chunk is there."""

    __slots__ = ("chunk", "next", "number", "total")

    chunk: Any
    next: Link

    def __init__(self, number: int, total: float) -> None:
        # How many chunks are before this place, and their size.
        self.number = number
        self.total = total

    def without_chunks(self) -> Link:
        """Return the same place, from which no chunk can be reached, and which therefore keeps none alive."""
        return Link(self.number, self.total)


class BranchOwner(Protocol):
    """What the branches belong to."""

    mark: float
    debug: bool
    last: Link
    branches: dict[Branch, None]

    def expel(self, branch: Branch, error: object) -> None:
        """Error a branch, which has failed."""


class Branch:
    """One subscription with the policy "wait": the source is not read while its queue is full."""

    __slots__ = ("at", "hub", "limit", "lost", "outlet", "place", "policy")

    policy: Policy
    outlet: Outlet

    def __init__(self, hub: BranchOwner, start: Link, policy: Policy) -> None:
        self.hub = hub
        self.at = start
        self.policy = policy
        self.lost = 0
        # Chunks of a replay come on top of the mark until they are read.
        self.limit = hub.mark + self.size()
        self.place = Place() if hub.debug else None

    def size(self) -> float:
        """The size of what it has not read."""
        return self.hub.last.total - self.at.total

    def count(self) -> int:
        """How many chunks it has not read."""
        return self.hub.last.number - self.at.number

    def has_more(self) -> bool:
        """Whether there is a chunk that it has not read."""
        return self.at is not self.hub.last

    def is_full(self) -> bool:
        """Whether there is no room for another chunk."""
        return self.size() >= self.limit

    def offer(self, chunk: Any, size: float) -> None:
        """Learn that a chunk is about to be queued; not called for the policy "wait", which always has room."""

    def take(self) -> Any:
        """Return the next chunk."""
        link = self.at
        self.at = link.next
        if self.limit != self.hub.mark:
            self._lower_limit(self.at.total - link.total)
        return link.chunk

    def _lower_limit(self, size: float) -> None:
        self.limit = max(self.hub.mark, self.limit - size)

    def forget(self) -> None:
        """Let go of what was not read, and of all that will be queued."""
        self.at = self.hub.last.without_chunks()


class _FailingBranch(Branch):
    """The policy "error"."""

    __slots__ = ()

    def offer(self, chunk: Any, size: float) -> None:
        """Fail if there is no room."""
        if self.is_full():
            self.lost = self.count() + 1
            self.hub.expel(self, Lagged(self.lost))


class _OldestBranch(Branch):
    """The policy "drop-oldest"."""

    __slots__ = ()

    def offer(self, chunk: Any, size: float) -> None:
        """Make room by leaving out what has waited longest."""
        while self.has_more() and self.is_full():
            self.take()
            self.lost += 1


class _NewestBranch(Branch):
    """The policy "drop-newest": there are gaps in what it gets, so that it has a queue of its own."""

    __slots__ = ("_links", "_size")

    def __init__(self, hub: BranchOwner, start: Link, policy: Policy) -> None:
        self._links: deque[tuple[Any, float]] = deque()
        self._size: float = 0
        while start is not hub.last:
            self._append(start.chunk, start.next.total - start.total)
            start = start.next
        super().__init__(hub, start.without_chunks(), policy)

    def size(self) -> float:
        """The size of what it has not read."""
        return self._size

    def count(self) -> int:
        """How many chunks it has not read."""
        return len(self._links)

    def has_more(self) -> bool:
        """Whether there is a chunk that it has not read."""
        return bool(self._links)

    def offer(self, chunk: Any, size: float) -> None:
        """Take the chunk, or leave it out."""
        if self.is_full():
            self.lost += 1
        else:
            self._append(chunk, size)

    def _append(self, chunk: Any, size: float) -> None:
        self._links.append((chunk, size))
        self._size += size

    def take(self) -> Any:
        """Return the next chunk."""
        chunk, size = self._links.popleft()
        self._size = self._size - size if self._links else 0  # they are added and subtracted in floating point
        self._lower_limit(size)
        return chunk

    def forget(self) -> None:
        """Let go of what was not read."""
        self._links.clear()
        self._size = 0


BRANCHES: Final[dict[Policy, type[Branch]]] = {
    "wait": Branch,
    "error": _FailingBranch,
    "drop-oldest": _OldestBranch,
    "drop-newest": _NewestBranch,
}
