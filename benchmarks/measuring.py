"""Measures one row in this process, and prints what came out as JSON; `javascript/harness.mjs` does the same.

The work is done again and again, first to warm up and then to be timed, until the time is over. The runner starts this
with `main`, from an interpreter that has the library installed: see `subjects.py`.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import math
import sys
from collections.abc import Sequence
from time import perf_counter
from typing import Any

from .catalogue import Scenario

WARM_CHUNKS = 60_000
WARM_SHARE = 0.5
FEWEST_RUNS = 3


async def once(scenario: Scenario, chunks: int) -> float:
    """Do the work once; give the seconds that it took."""
    work = scenario(chunks)
    start = perf_counter()
    arrived = await work
    seconds = perf_counter() - start
    if arrived != chunks:
        raise RuntimeError(f"{arrived} chunks arrived, not {chunks}")
    return seconds


async def repeat(scenario: Scenario, chunks: int, seconds: float, fewest: int) -> list[float]:
    """Do the work until the time is over; give the chunks per second of each run."""
    rates: list[float] = []
    end = perf_counter() + seconds
    while len(rates) < fewest or perf_counter() < end:
        rates.append(chunks / await once(scenario, chunks))
    return rates


async def measure(scenario: Scenario, chunks: int, seconds: float) -> list[float]:
    """Warm up, then measure."""
    await repeat(scenario, chunks, seconds * WARM_SHARE, math.ceil(WARM_CHUNKS / chunks))
    return await repeat(scenario, chunks, seconds, FEWEST_RUNS)


def library() -> dict[str, Any]:
    """Tell which library runs here, if it is in use at all."""
    module = sys.modules.get("webstreams")
    if module is None:
        return {}
    return {"file": module.__file__, "compiled": bool(getattr(module, "compiled", False))}


def load(place: str) -> dict[str, Scenario]:
    """Return the scenarios that are kept at such a place as `.peers.queues:ONE`."""
    module, _, name = place.partition(":")
    scenarios: dict[str, Scenario] = getattr(importlib.import_module(module, __package__), name)
    return scenarios


def main(arguments: Sequence[str]) -> None:
    """Measure what the runner asks for: the place of the scenarios, the row, the chunks, the seconds.

    With the place alone, tell which rows there are.
    """
    place, *rest = arguments
    scenarios = load(place)
    if rest:
        row, chunks, seconds = rest
        result: dict[str, Any] = {"rates": asyncio.run(measure(scenarios[row], int(chunks), float(seconds)))}
    else:
        result = {"rows": list(scenarios)}
    print(json.dumps({**result, **library()}))
