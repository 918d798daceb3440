"""Does the jobs in this process: ``main`` is started in an interpreter that has the library installed."""

from __future__ import annotations

import asyncio
import json
import platform
from collections.abc import Sequence
from pathlib import Path
from time import process_time

from webstreams import compiled

from . import by_hand, streams
from .catalogue import Place

WAYS = {"streams": streams.JOBS, "by hand": by_hand.JOBS}


async def measure(way: str, name: str, place: Place, rounds: int) -> dict[str, float]:
    """Return what a job found, and the microseconds of processor time of its best round."""
    best, amount = float("inf"), 0
    for _ in range(rounds):
        began = process_time()
        amount = await WAYS[way][name](place)
        best = min(best, process_time() - began)
    return {"amount": amount, "microseconds": best * 1e6}


def main(arguments: Sequence[str]) -> None:
    """Do the jobs in one way, each so often; print what was found as JSON, with the name of the build."""
    way, folder, port, sizes, rounds = arguments
    found = {}
    for name, size in json.loads(sizes).items():
        place = Place(Path(folder, name), int(port), size)
        found[name] = asyncio.run(measure(way, name, place, int(rounds)))
    build = "compiled" if compiled else "pure"
    print(json.dumps({"build": f"{build} {platform.python_version()}", "found": found}))
