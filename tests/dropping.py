"""Whether objects that the program has dropped are collected."""

from __future__ import annotations

import gc
import weakref
from typing import Any


class Dropped:
    """Remembers objects without keeping them alive, also those of compiled classes, which have no weak references."""

    def __init__(self) -> None:
        self._weak: list[tuple[str, weakref.ReferenceType[Any]]] = []
        self._compiled: list[tuple[str, type[Any], int]] = []

    def see(self, **objects: Any) -> None:
        """Remember objects by names."""
        for name, each in objects.items():
            try:
                self._weak.append((name, weakref.ref(each)))
            except TypeError:
                self._compiled.append((name, type(each), id(each)))

    def add(self, *objects: Any) -> None:
        """Remember objects."""
        for each in objects:
            self.see(**{type(each).__name__: each})

    def alive(self) -> list[str]:
        """Collect garbage, and give the names of those that are still there."""
        gc.collect()
        there = {(type(each), id(each)) for each in gc.get_objects()}
        compiled = [name for name, kind, identity in self._compiled if (kind, identity) in there]
        return [name for name, weak in self._weak if weak() is not None] + compiled
