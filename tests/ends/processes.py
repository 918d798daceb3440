"""Real child processes for the tests, and what they must not leave behind."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

from webstreams import Process, open_process
from webstreams.ends._processes.pipe_ends import PipeSink, PipeSource

from .descriptors import open_descriptors

PYTHON = sys.executable
PIECE = 64 * 1024


def descriptors() -> set[str]:
    """Pipes and files that are open; sockets are the event loop's."""
    return {f"{number} {target}" for number, target in open_descriptors().items() if target.startswith(("pipe:", "/"))}


def is_waiting(end: PipeSink | PipeSource | None) -> bool:
    """Whether the loop watches a pipe."""
    return bool(end._waiting if isinstance(end, PipeSink) else end and end._is_waiting)


def is_gone(pid: int) -> bool:
    """Whether a child has ended and was reaped."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def nothing_is_left(reported: list[dict[str, Any]]) -> AsyncIterator[None]:
    """No descriptor, no task, nothing reported: a fixture for the modules."""
    async with await open_process("true"):
        pass  # whatever the event loop needs for children
    before = descriptors()
    yield
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    assert not [task for task in tasks if "webstreams" in repr(task) or "processes" in repr(task)]
    for _ in range(10):
        await asyncio.sleep(0)
    assert descriptors() == before
    assert reported == []


async def python(program: str, **options: Any) -> Process:
    return await open_process(PYTHON, "-c", program, **options)
