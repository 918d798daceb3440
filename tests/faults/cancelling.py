"""Tasks that are cancelled in the turns around the delivery of what they wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tests.grids import each_of

# The chunks are given in this turn of the loop; cancelled is in the turns around it.
DELIVERY = 2
AROUND_DELIVERY = range(8)
CANCEL_IN_ANY_TURN = each_of(turn=AROUND_DELIVERY, cancel_first=[False, True])


async def deliver_and_cancel(
    deliver: Callable[[], Any], task: asyncio.Task[Any], turn: int, cancel_first: bool
) -> None:
    """Let the loop go round; deliver in one turn, cancel the task in another or in the same one."""
    for now in range(10):
        if now == turn and cancel_first:
            task.cancel()
        if now == DELIVERY:
            deliver()
        if now == turn and not cancel_first:
            task.cancel()
        await asyncio.sleep(0)
    await asyncio.wait({task})
