"""A steady run of coroutine callbacks: all of them are awaited by one coroutine.

For the task and the context the whole run is one call of a coroutine callback (`promise.outcome_of`), which a
callback that suspends makes suspend, and which goes on as that callback goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from inspect import CO_COROUTINE
from sys import getrefcount
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Protocol
from weakref import getweakrefcount

from .._engine.jobs import task_of

if TYPE_CHECKING:
    from .._engine.coroutine_call import CoroutineCall
    from .._engine.jobs import JobQueue


class Driven(Protocol):
    """The steady run, as far as it is concerned here."""

    at: Any
    waiting: object

    def is_over(self) -> bool:
        """Count a period; whether the event loop's other tasks have to have their turn."""


async def drive(run: Driven, plan: Sequence[tuple[Any, ...]], jobs: JobQueue) -> Any:
    """Await the callbacks until one of them does something else, and give what that one returned."""
    pending = jobs.jobs
    task: Any = task_of(jobs.loop)
    call: CoroutineCall = task.get_coro()
    call.run = run
    context, given = call.context, call.given
    references, weak_references = getrefcount(task), getweakrefcount(task)
    while True:
        for step, function, controller, giver, output, chunks, index, _ in plan:
            if function is None:
                output.append(chunks[index])
                continue
            run.at = step
            if giver is not None:
                run.waiting = giver
            result = await (function(controller) if chunks is None else function(chunks[index], controller))
            if (
                result is not None
                or run.waiting is not None
                or pending
                # Could the next callback tell the task from a new one (`_task.CoroutineCall.completes`)?
                or task.is_touched
                or getrefcount(task) != references
                or getweakrefcount(task) != weak_references
                or context != given
            ):
                call.run = None
                return result
        if run.is_over():
            call.run = None
            return None


def only_makes_a_coroutine(function: Any) -> bool:
    """Whether nothing of a callback runs before what it returned is awaited."""
    if type(function) is MethodType:
        function = function.__func__
    return type(function) is FunctionType and bool(function.__code__.co_flags & CO_COROUTINE)
