"""A task for each call of a coroutine, and nothing else: what coroutine callbacks cost when done simply."""

from __future__ import annotations

import asyncio
from functools import partial

from ..catalogue import Scenario
from .bare import pipe_coroutines, read_coroutine, through_coroutine

SCENARIOS: dict[str, Scenario] = {
    "read-coroutine": partial(read_coroutine, asyncio.create_task),
    "pipe-coroutines": partial(pipe_coroutines, asyncio.create_task),
    "through-coroutine": partial(through_coroutine, asyncio.create_task),
}
