"""The algorithms behind a transform stream: what its controller calls."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any

from ..._platform.idl import Getter, callback_member, do_nothing, first_given, member_getter
from ..._platform.mistakes import TRANSFORMER


def _enqueue_chunk(chunk: Any, controller: Any) -> None:
    controller.enqueue(chunk)


class Transformer:
    """The transform, flush and cancel algorithms, and the start callback.

    A user's transformer is an object or a mapping whose members are looked up once, in Web IDL's order.
    """

    __slots__ = ("cancel", "context", "flush", "is_identity", "start", "transform")

    def __init__(self, transformer: Any) -> None:
        name = TRANSFORMER
        get = member_getter(transformer, name)
        self.cancel: Callable[[object], Any] = callback_member(get, "cancel", name) or do_nothing
        self.flush: Callable[[Any], Any] = callback_member(get, "flush", name) or do_nothing
        _refuse_type(get, "readable_type")
        self.start: Callable[[Any], Any] = callback_member(get, "start", name) or do_nothing
        self.transform: Callable[[Any, Any], Any] = callback_member(get, "transform", name) or _enqueue_chunk
        self.is_identity: bool = self.transform is _enqueue_chunk
        _refuse_type(get, "writable_type")
        self.context: Context = copy_context()

    def stage(self) -> Any:
        """Return the callback by which the transformer is known in notes of errors (`note_stage`)."""
        transform = None if self.is_identity else self.transform
        return first_given(transform, self.flush, self.start, self.cancel)


def _refuse_type(get: Getter, member: str) -> None:
    if get(member, None) is not None:
        raise ValueError(f"a transformer must not have a {member}: it is reserved for the future")
