"""The tasks of the library, which tell when they are cancelled: perhaps the event loop ends."""

from __future__ import annotations

from asyncio import Task
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any

from .jobs import JobQueue


class WatchedTask(Task[None]):
    """A task for work that is not a callback."""

    __slots__ = ("_queue",)

    def __init__(self, queue: JobQueue, coroutine: Coroutine[Any, Any, None], context: Context) -> None:
        self._queue = queue
        # Not loop.create_task(): a task of an eager factory would run user code inside this call.
        super().__init__(coroutine, loop=queue.loop, context=context)

    def cancel(self, msg: Any = None) -> bool:
        """Do what every task does."""
        self._queue.task_was_cancelled()
        return super().cancel(msg)


class CallbackTask(Task[None]):
    """The task of a coroutine callback. It records whether user code left a trace on it: then it is not used again."""

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
