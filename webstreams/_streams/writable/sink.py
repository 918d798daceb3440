"""The algorithms behind a writable stream: what its controller calls."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any

from ..._platform.idl import callback_member, do_nothing, first_given, member_getter
from ..._platform.mistakes import SINK


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


class UnderlyingSink:
    """The underlying sink of a user: an object or a mapping whose members are looked up once, in Web IDL's order."""

    __slots__ = ("abort", "close", "context", "start", "write")

    def __init__(self, sink: Any) -> None:
        name = SINK
        get = member_getter(sink, name)
        self.abort: Callable[[object], Any] = callback_member(get, "abort", name) or do_nothing
        self.close: Callable[[], Any] = callback_member(get, "close", name) or do_nothing
        self.start: Callable[[Any], Any] = callback_member(get, "start", name) or do_nothing
        if get("type", None) is not None:
            raise ValueError("an underlying sink must not have a type: it is reserved for the future")
        self.write: Callable[[Any, Any], Any] = callback_member(get, "write", name) or do_nothing
        self.context = copy_context()

    def stage(self) -> Any:
        """Return the callback by which the sink is known in notes of errors (`note_stage`)."""
        return first_given(self.write, self.close, self.start, self.abort)
