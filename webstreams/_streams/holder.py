"""Who has a stream for itself, as ``repr()`` and error messages name it."""

from __future__ import annotations

from typing import Any, Final

from .._debug.repr import show_words, summary


class LockHolder:
    """Who uses a reader or a writer, in words, if that is not the user."""

    __slots__ = ("words",)

    def __init__(self, *words: Any) -> None:
        self.words = words

    def __repr__(self) -> str:
        """Say who it is."""
        return show_words(self.words)


TEE: Final = LockHolder("a tee")
ITERATION: Final = LockHolder("an iteration")


def show_holder(lock: Any) -> str:
    """Show who has a stream for itself, by the reader or writer that it is locked to."""
    return summary(lock) if lock._holder is None else repr(lock._holder)
