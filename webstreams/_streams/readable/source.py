"""The algorithms behind a readable stream: what its controller calls."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any, ClassVar

from ..._platform.idl import callback_member, do_nothing, first_given, member_getter, to_enforced_integer
from ..._platform.mistakes import SOURCE
from ..._platform.mypyc import mypyc_attr


class Source:
    """The start, pull and cancel algorithms of a stream that the library itself feeds.

    A result of None stands for a promise that is fulfilled already. `pull` may be None: there is nothing to call.
    """

    __slots__ = ()

    # The contextvars context for coroutine callbacks.
    context: Context | None = None
    # Whether `start` does something.
    has_start: ClassVar[bool] = True

    def start(self, controller: Any) -> Any:
        """startAlgorithm"""
        return None

    def pull(self, controller: Any) -> Any:
        """pullAlgorithm"""
        raise NotImplementedError

    def cancel(self, reason: object) -> Any:
        """cancelAlgorithm"""
        raise NotImplementedError

    def stage(self) -> Any:
        """Return what an error is said to have arisen in (`note_stage`); None if it comes from elsewhere."""
        return None

    def activity(self) -> str:
        """Tell what it is doing for `repr()`; nothing if that is known by the queue."""
        return ""


@mypyc_attr(allow_interpreted_subclasses=True)
class LaterSource:
    """An underlying byte source of the library's own whose `pull` says that bytes are wanted. Most of them come later:
    a run would be looked for in vain."""


@mypyc_attr(allow_interpreted_subclasses=True)
class WholeSource(LaterSource):
    """An underlying byte source of the library's own that a sink may empty in a thread, if all it has is small.

    `lend` comes before that, and `take_back` behind it, both in the loop's thread.
    """

    def pull(self, controller: Any) -> Any:
        """Give some bytes."""
        raise NotImplementedError

    def cancel(self, reason: object) -> Any:
        """Release everything."""
        raise NotImplementedError

    @property
    def gives_whole(self) -> bool:
        """Whether it may have all in one call."""
        return False

    def lend(self, controller: Any) -> None:
        """Have no other call made meanwhile."""
        raise NotImplementedError

    def take_whole(self) -> bytes | None:
        """Return all there is; or None, and the stream is read as always. In a thread."""
        raise NotImplementedError

    def take_back(self) -> None:
        """Go on, or be cancelled if that was wanted meanwhile."""
        raise NotImplementedError


class UnderlyingSource:
    """The underlying source of a user: an object or a mapping whose members are looked up once, in Web IDL's
    order."""

    __slots__ = (
        "auto_allocate_chunk_size", "cancel", "context", "has_start", "is_bytes", "never_runs", "pull", "start",
        "whole",
    )  # fmt: skip

    def __init__(self, source: Any) -> None:
        # Ours, shared: one of the library's own that may give all it has in one call.
        self.whole: WholeSource | None = None
        # Ours: gives its chunks later, or has to know of every chunk that is read: no run (`JobQueue.run`) asks it.
        self.never_runs: bool = isinstance(source, LaterSource)
        if isinstance(source, WholeSource):
            self._take_members(source)
            return
        name = SOURCE
        get = member_getter(source, name)
        size = get("auto_allocate_chunk_size", None)
        self.auto_allocate_chunk_size: int | None = None
        if size is not None:
            self.auto_allocate_chunk_size = to_enforced_integer(size, "auto_allocate_chunk_size")
        self.cancel: Callable[[object], Any] = callback_member(get, "cancel", name) or do_nothing
        self.pull: Callable[[Any], Any] | None = callback_member(get, "pull", name)
        self.start: Callable[[Any], Any] = callback_member(get, "start", name) or do_nothing
        self.has_start: bool = self.start is not do_nothing
        kind = get("type", None)
        if kind is not None and not (isinstance(kind, str) and kind == "bytes"):
            raise TypeError(f'the underlying source\'s type must be "bytes" or absent, not {kind!r}')
        self.is_bytes = kind is not None
        self.context = copy_context()

    def _take_members(self, source: WholeSource) -> None:
        """Do what the constructor does with a byte source that is known to have these members, and no others."""
        self.whole = source
        self.auto_allocate_chunk_size = None
        self.cancel = source.cancel
        self.pull = source.pull
        self.start = do_nothing
        self.has_start = False
        self.is_bytes = True
        self.context = copy_context()

    def stage(self) -> Any:
        """Return the callback by which the source is known in notes of errors (`note_stage`)."""
        return first_given(self.pull, self.start, self.cancel)

    def activity(self) -> str:
        """See `Source`."""
        return ""
