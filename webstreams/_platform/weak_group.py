"""Objects that are known without being kept alive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from weakref import ref


class WeakGroup:
    """What `weakref.WeakSet` is, without a call of Python code for each object that comes and goes: streams do."""

    __slots__ = ("_references",)

    def __init__(self) -> None:
        self._references: set[ref[Any]] = set()

    def add(self, each: Any) -> None:
        """Add an object, unless it is there already."""
        self._references.add(ref(each, self._references.discard))

    def discard(self, each: Any) -> None:
        """Remove an object, if it is there."""
        self._references.discard(ref(each))

    def __len__(self) -> int:
        """Return how many objects are alive."""
        return len(self._references)

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the objects that were there when this began, and still are."""
        for reference in list(self._references):
            each = reference()
            if each is not None:
                yield each
