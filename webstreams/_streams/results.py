"""What ``read()`` gives."""

from __future__ import annotations

from typing import Any, Generic, Literal, NamedTuple

from typing_extensions import TypeVar

T = TypeVar("T", default=Any, covariant=True)
V = TypeVar("V", default=None, covariant=True)


class ReadValueResult(NamedTuple, Generic[T]):
    """A chunk: ``value, done = result`` with `done` false."""

    value: T
    done: Literal[False]


class ReadDoneResult(NamedTuple, Generic[V]):
    """The end of the stream: `done` is true; `value` is None, or the empty view of a BYOB read."""

    value: V
    done: Literal[True]


READ_DONE: ReadDoneResult[None] = ReadDoneResult(None, True)
