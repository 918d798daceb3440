"""A run of coroutine callbacks: all of them are awaited by one coroutine.

For the task and the context the whole run is one call of a coroutine callback (`callbacks.outcome_of`), which a
callback that suspends makes suspend, and which goes on as that callback goes on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from inspect import CO_COROUTINE
from sys import getrefcount
from types import FunctionType, MethodType
from typing import Any
from weakref import getweakrefcount

from .._engine.coroutine_call import CoroutineCall
from .._engine.jobs import JobQueue, task_of
from .._engine.run import Call, Run

# What the loop over the calls needs of one: the call; the callback, or None for a transformer without transform(); its
# controller, which is expected to enqueue a chunk if it is there a second time; where that goes; where the chunk is
# that the callback gets; whether it is a coroutine function.
PlanRow = tuple[Call, Callable[..., Any] | None, Any, object, deque[Any], deque[Any] | None, int, bool]


async def drive(run: Run, plan: Sequence[PlanRow], jobs: JobQueue) -> Any:
    """Await the callbacks until a guard fails, and return what the last one returned.

    The guards are those of `TraceRun`; and the task has to be as new, which the next callback could tell otherwise
    (`CoroutineCall.completes`).
    """
    pending = jobs.jobs
    task: Any = task_of(jobs.loop)
    call: CoroutineCall = task.get_coro()
    call.run = run
    context, given = call.context, call.given
    references, weak_references = getrefcount(task), getweakrefcount(task)
    while True:
        for step, function, controller, giver, output, chunks, index, _ in plan:
            if function is None:
                output.append(chunks[index])  # type: ignore[index]
                continue
            run.current = step
            if giver is not None:
                run.expecting = giver
            result = await (function(controller) if chunks is None else function(chunks[index], controller))
            if (
                result is not None
                or run.expecting is not None
                or pending
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
