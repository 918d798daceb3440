"""The stages that are observed: where their numbers are, and how to look at their streams without keeping them."""

from __future__ import annotations

from typing import Any, Final, Literal
from weakref import ReferenceType, WeakKeyDictionary, ref

from .._streams.door import state_of, stored_error_of
from ._counts import BUSY, Counts
from ._names import label_of

Kind = Literal["source", "transform", "sink", "branch"]


class Stage:
    """One stage. It refers weakly to its streams; what is known of it stays when they are gone."""

    __slots__ = ("_ended_as", "_name", "counts", "kind", "readable", "upstream", "writable")

    def __init__(self, name: str, kind: Kind, counts: Counts, writable: Any = None, readable: Any = None) -> None:
        # A label counts, too, when the streams are gone before somebody asks.
        self._name = label_of(readable, writable) or name
        self.kind: Kind = kind
        self.counts = counts
        self.writable = _weak(writable)
        self.readable = _weak(readable)
        # Where its chunks come from.
        self.upstream: list[Stage] = []
        # The last state that was seen.
        self._ended_as = "closed"

    @property
    def name(self) -> str:
        """The label, or the name of what does the work."""
        name = label_of(self.output(), self.input())
        if name is not None:
            self._name = name
        return self._name

    def input(self) -> Any:
        """Return the stream that is written to, if it still exists."""
        return None if self.writable is None else self.writable()

    def output(self) -> Any:
        """Return the stream that is read, if it still exists."""
        return None if self.readable is None else self.readable()

    def ends(self) -> list[Any]:
        """Return the streams that still exist, the one that is written to first."""
        return [each for each in (self.input(), self.output()) if each is not None]

    def state(self) -> tuple[str, Any]:
        """Return the state, in the Standard's words, and the error; of what is gone, the last state."""
        ends = self.ends()
        if not ends:
            return self._ended_as, None
        for each in ends:
            state = state_of(each)
            if state in ("errored", "erroring"):
                self._ended_as = state
                return state, stored_error_of(each)
        self._ended_as = state_of(ends[-1])
        return self._ended_as, None

    def is_over(self) -> bool:
        """Whether nothing will happen any more."""
        if self.state()[0] not in ("closed", "errored"):
            return False
        self.counts.stream_has_ended()
        return self.counts.state != BUSY


def _weak(stream: Any) -> ReferenceType[Any] | None:
    try:
        return None if stream is None else ref(stream)
    except TypeError:  # a stream for the library itself
        return None


def stage_at(stream: Any) -> Stage | None:
    """Return the stage that makes the chunks of a readable stream, or takes those of a writable one, if it is known."""
    try:
        return STAGES.get(stream)
    except TypeError:  # a stream for the library itself cannot be referred to weakly
        return None


# The stage that makes the chunks of a readable stream, or takes those of a writable one.
STAGES: Final[WeakKeyDictionary[Any, Stage]] = WeakKeyDictionary()
# What reads a stream to its end with no stream behind it: for_each(), reduce().
DRAINS: Final[WeakKeyDictionary[Any, Stage]] = WeakKeyDictionary()
