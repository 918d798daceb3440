"""A run of coroutine callbacks: all of them are awaited by one coroutine.

For the task and the context the whole run is one call of a coroutine callback (`callbacks.outcome_of`), which a
callback that suspends makes suspend, and which goes on as that callback goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from sys import getrefcount
from typing import Any
from weakref import getweakrefcount

from .._engine.coroutine_call import CoroutineCall
from .._engine.jobs import JobQueue, task_of
from .._engine.run import Run
from .graph import Row


async def drive(run: Run, rows: Sequence[Row], jobs: JobQueue) -> Any:
    """Await the callbacks until a guard fails, and return what the last one returned.

    The guards are those of `PipelineRun`; and the task has to be as new, which the next callback could tell otherwise
    (`CoroutineCall.completes`).
    """
    pending = jobs.jobs
    task: Any = task_of(jobs.loop)
    call: CoroutineCall = task.get_coro()
    call.run = run
    context, given = call.context, call.given
    references, weak_references = getrefcount(task), getweakrefcount(task)
    while True:
        for step, function, controller, giver, output, chunks, index, _ in rows:
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
        rows = run.next_rows()
        if not rows:
            call.run = None
            return None
