"""The promise of something that a task of the library does. It is here to be compiled, as its base class is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from typing_extensions import TypeVar

from .jobs import Job, JobQueue
from .promise import Promise

T = TypeVar("T", default=Any, covariant=True)


class TaskPromise(Promise[T]):
    """Settled when a task has ended: cancelling the only task that awaits it cancels that task, and waits for it."""

    __slots__ = ("_task", "_words", "about")

    def __init__(self, jobs: JobQueue, task: Any, *words: object) -> None:
        super().__init__(jobs)
        self._task = task
        self._words = words
        # Refers weakly to a stream that the task works on, for who observes.
        self.about: Callable[[], Any] | None = None
        # asyncio itself keeps only weak references.
        jobs.tasks.add(task)
        task.add_done_callback(jobs.tasks.discard)

    def _origin(self) -> tuple[object, ...]:
        return self._words

    def _drop_waiter(self, waiter: Job) -> bool:
        if self._reactions is not waiter:
            return super()._drop_waiter(waiter)
        self._mark_handled()
        self._task.cancel()
        return False
