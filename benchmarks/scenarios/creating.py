"""Creating streams."""

from __future__ import annotations

import asyncio

from webstreams import ReadableStream

from ..catalogue import Scenario
from .parts import Source

TOGETHER = 100


async def create(streams: int) -> int:
    """Make streams that nobody reads; let each hundred of them start."""
    source = Source(0)
    made = 0
    while made < streams:
        for _ in range(min(TOGETHER, streams - made)):
            ReadableStream(source, {"high_water_mark": 0})
            made += 1
        await asyncio.sleep(0)
    return made


SCENARIOS: dict[str, Scenario] = {"create": create}
