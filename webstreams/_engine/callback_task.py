"""The asyncio task of a coroutine callback."""

from __future__ import annotations

from asyncio import Task
from collections.abc import Callable
from contextvars import Context
from typing import Any


class CallbackTask(Task[None]):
    """A task that records whether user code left a trace on it, so that it cannot be used again."""

    __slots__ = ("is_touched",)

    is_touched: bool

    def cancel(self, msg: Any = None) -> bool:
        """Do what every task does."""
        self.is_touched = True
        self.get_coro().queue.task_was_cancelled()  # type: ignore[union-attr]
        return super().cancel(msg)

    def set_name(self, value: object) -> None:
        """Do what every task does."""
        self.is_touched = True
        super().set_name(value)

    def add_done_callback(self, callback: Callable[[Any], object], /, *, context: Context | None = None) -> None:
        """Do what every task does."""
        self.is_touched = True
        super().add_done_callback(callback, context=context)

    def __setattr__(self, name: str, value: Any) -> None:
        """Do what every task does."""
        super().__setattr__("is_touched", True)
        super().__setattr__(name, value)
