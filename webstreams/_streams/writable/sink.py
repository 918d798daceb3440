"""The algorithms behind a writable stream: what its controller calls."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any

from ..._engine.promise import Promise
from ..._platform.idl import callback_member, do_nothing, first_given, member_getter
from ..._platform.mistakes import SINK
from ..._platform.mypyc import mypyc_attr


class Sink:
    """The start, write, close and abort algorithms of a stream that the library itself empties.

    A result of None stands for a promise that is fulfilled already.
    """

    __slots__ = ()

    # The contextvars context for coroutine callbacks.
    context: Context | None = None

    def start(self, controller: Any) -> Any:
        """startAlgorithm"""
        return None

    def write(self, chunk: Any, controller: Any) -> Any:
        """writeAlgorithm; may return `DEFERRED`."""
        raise NotImplementedError

    def close(self) -> Any:
        """closeAlgorithm"""
        raise NotImplementedError

    def abort(self, reason: object) -> Any:
        """abortAlgorithm"""
        raise NotImplementedError

    def give_up(self) -> None:
        """Ours: let a write that waits end, for the stream is being aborted and nobody waits for that write."""

    def end_at_once(self, reason: object) -> None:
        """Ours: end what is under way behind the stream, which has been aborted and is not waited for."""


@mypyc_attr(allow_interpreted_subclasses=True)
class LeadingSink:
    """An underlying sink of the library's own that writes to another stream."""

    def end_at_once(self, reason: object) -> None:
        """End the other stream, too: this one has been aborted, and is not waited for."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class WholeSink:
    """An underlying sink of the library's own that can take all there is, and the end, in one call."""

    def start(self, controller: Any) -> Any:
        """Begin."""
        raise NotImplementedError

    def write(self, chunk: Any, controller: Any) -> Any:
        """Write a chunk."""
        raise NotImplementedError

    def close(self) -> Any:
        """Finish."""
        raise NotImplementedError

    def abort(self, reason: object) -> Any:
        """Undo."""
        raise NotImplementedError

    @property
    def takes_whole(self) -> bool:
        """Whether nobody could see what it does before the end."""
        raise NotImplementedError

    def write_whole(self, chunk: bytes) -> Promise[None]:
        """Write a chunk and close; the promise is that of ``close()``."""
        raise NotImplementedError

    def copy_whole(self, take: Callable[[], bytes | None], done: Callable[[object], None]) -> bool:
        """Have a thread take all there is, write it and finish; return False if another call has begun.

        `done` is told in the loop how that went: True; False if there was nothing to take, and nothing has happened; or
        the error that `take` has raised. An error of the sink errors the stream, and then `done` is told False.
        """
        raise NotImplementedError


class UnderlyingSink:
    """The underlying sink of a user: an object or a mapping whose members are looked up once, in Web IDL's order."""

    __slots__ = ("abort", "close", "context", "leading", "never_runs", "start", "take_at_once", "whole", "write")

    def __init__(self, sink: Any) -> None:
        self.context = copy_context()
        # Ours, shared: it takes so few chunks in a row that a run (`JobQueue.run`) costs more than it saves.
        self.never_runs: bool = False
        # Ours, shared: takes a chunk of a pipe, with no effect that could be seen now, if there is room; else returns
        # false, and the chunk is written.
        self.take_at_once: Callable[[Any], bool] | None = None
        # Ours: one of the library's own that writes to another stream.
        self.leading: LeadingSink | None = sink if isinstance(sink, LeadingSink) else None
        # Ours, shared: one of the library's own that can take all there is in one call.
        self.whole: WholeSink | None = None
        if isinstance(sink, WholeSink):
            self._take_members(sink)
            return
        name = SINK
        get = member_getter(sink, name)
        self.abort: Callable[[object], Any] = callback_member(get, "abort", name) or do_nothing
        self.close: Callable[[], Any] = callback_member(get, "close", name) or do_nothing
        self.start: Callable[[Any], Any] = callback_member(get, "start", name) or do_nothing
        if get("type", None) is not None:
            raise ValueError("an underlying sink must not have a type: it is reserved for the future")
        self.write: Callable[[Any, Any], Any] = callback_member(get, "write", name) or do_nothing

    def _take_members(self, sink: WholeSink) -> None:
        """Do what the constructor does with a sink that is known to have all members."""
        self.whole = sink
        self.abort = sink.abort
        self.close = sink.close
        self.start = sink.start
        self.write = sink.write

    def stage(self) -> Any:
        """Return the callback by which the sink is known in notes of errors (`note_stage`)."""
        return first_given(self.write, self.close, self.start, self.abort)
