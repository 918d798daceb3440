"""How time and memory grow with the chunks, the stages and the pipes, and what an idle stream weighs.

The runner starts `main` in an interpreter that has the library installed, anew for each size. Time is the best of
several runs; memory is how far the peak of the process rose above what it was after the warm-up.
"""

from __future__ import annotations

import asyncio
import gc
import json
import tracemalloc
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from examples.amounts import peak_memory
from webstreams import ReadableStream, TransformStream, WritableStream

from .catalogue import Scenario, Work
from .measuring import library, once
from .scenarios.parts import Mapping, Sink, Source
from .scenarios.piping import pipe, through_mappings

WARM_CHUNKS = 20_000
RUNS = 3
CHUNKS = 100_000
FEWEST_PER_PIPE = 100
FEWEST_PER_STAGES = 20_000
IDLE_STREAMS = 2_000
TURNS = 100

IDLE: dict[str, Callable[[], object]] = {
    "ReadableStream": partial(ReadableStream, Source(0), {"high_water_mark": 0}),
    "WritableStream": partial(WritableStream, Sink()),
    "TransformStream": partial(TransformStream, Mapping()),
}
"""The streams that are weighed: all of a kind have the same callbacks."""


def pipes(count: int, chunks: int) -> Work:
    """Make so many pipes, and give the work of all of them at once, each with its share of the chunks."""
    sinks = [Sink() for _ in range(count)]
    ends = [(ReadableStream(Source(chunks // count)), WritableStream(sink)) for sink in sinks]
    return run_pipes(ends, sinks)


async def run_pipes(ends: Sequence[tuple[ReadableStream[int], WritableStream[int]]], sinks: Sequence[Sink]) -> int:
    """Run all pipes to their ends."""
    await asyncio.gather(*(readable.pipe_to(writable) for readable, writable in ends))
    return sum(sink.arrived for sink in sinks)


def plan(what: str, size: int) -> tuple[Scenario, int]:
    """Return the work that belongs to a size, and the chunks that it moves."""
    if what == "chunks":
        return partial(pipe, 1), size
    if what == "stages":
        return partial(through_mappings, size), max(FEWEST_PER_STAGES, CHUNKS // size)
    return partial(pipes, size), max(FEWEST_PER_PIPE * size, CHUNKS)


async def grow(what: str, size: int) -> dict[str, float]:
    """Measure one size: the seconds per chunk, and the bytes of memory."""
    await once(plan(what, 1)[0], WARM_CHUNKS)
    scenario, chunks = plan(what, size)
    gc.collect()
    before = peak_memory()
    seconds = min([await once(scenario, chunks) for _ in range(RUNS)])
    return {"chunks": chunks, "seconds_per_chunk": seconds / chunks, "memory": peak_memory() - before}


async def weigh(make: Callable[[], object]) -> float:
    """Return the bytes of one stream that has started and waits."""
    streams: list[object] = [make() for _ in range(IDLE_STREAMS)]
    await _turns()
    streams.clear()
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    streams = [make() for _ in range(IDLE_STREAMS)]
    await _turns()
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (after - before) / len(streams)


async def _turns() -> None:
    """Wait until all of them have started, which takes some turns of the event loop."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


async def idle() -> dict[str, float]:
    """Weigh a stream of each kind."""
    return {name: await weigh(make) for name, make in IDLE.items()}


def main(arguments: Sequence[str]) -> None:
    """Measure what the runner asks for: a name of `GROWTH` and a size, or `idle`."""
    what, *size = arguments
    result: dict[str, Any] = asyncio.run(grow(what, int(size[0])) if size else idle())
    print(json.dumps({"result": result, **library()}))
