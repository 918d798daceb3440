"""A million items through ``map()`` with several calls at a time, in constant memory.

    python -m tests.operators.memory [--items 1000000]

Prints how many objects Python manages and how much memory the process has taken at most, after a tenth of the items and
after all of them; the exit status is 1 if one of the two has grown.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import resource
import sys
from typing import NamedTuple

from webstreams import ReadableStream

from .table import same_at_once

OBJECTS, KILOBYTES = 100, 1024


class Weight(NamedTuple):
    """What is alive."""

    objects: int
    kilobytes: int


def weigh() -> Weight:
    """Look, after all that is garbage has gone."""
    gc.collect()
    return Weight(len(gc.get_objects()), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


async def weigh_twice(items: int) -> tuple[Weight, Weight]:
    """Have the items pass; return the weight after a tenth of them and after the last."""
    first = last = weigh()
    count = 0
    async for item in ReadableStream.from_(range(items)).map(same_at_once, concurrency=16):
        assert item == count
        count += 1
        if count == items // 10:
            first = weigh()
        elif count == items:
            last = weigh()
    assert count == items
    return first, last


def main() -> int:
    """Do it, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--items", type=int, default=1_000_000)
    options = parser.parse_args()
    first, last = asyncio.run(weigh_twice(options.items))
    for name, weight in (("a tenth", first), ("all", last)):
        print(f"after {name} of {options.items} items: {weight.objects} objects, {weight.kilobytes} KB at most")
    return int(last.objects - first.objects > OBJECTS or last.kilobytes - first.kilobytes > KILOBYTES)


if __name__ == "__main__":
    sys.exit(main())
