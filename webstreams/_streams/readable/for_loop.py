"""What an ``async for`` iterates over: a read and its await in one, without a promise."""

from __future__ import annotations

from typing import Any

from .iteration import NOT_YET, Iteration


class ForLoop:
    """The iterator of an ``async for``, which awaits every read at once.

    Nobody else has it (`begins_async_for`), so nobody can hold a promise of it, or read twice before an await.
    """

    __slots__ = ("_iteration", "_iterator")

    def __init__(self, iterator: object, iteration: Iteration) -> None:
        # The loop keeps it alive: the iteration is left when the loop is.
        self._iterator = iterator
        self._iteration = iteration

    async def __anext__(self) -> Any:
        """Do what awaiting `Iteration.next` does."""
        iteration = self._iteration
        del self  # a traceback that an error keeps must not keep the iterator, nor with it the lock
        chunk = iteration.take()
        if chunk is NOT_YET:
            return await iteration.begin()
        return chunk
