"""What takes too long for the tests: ``python -m tests.observe.hundred``.

A hundred pipelines that measure what they do, under the real clock, on asyncio and on uvloop: the bottleneck has to
have the right name, and the shares have to be within ten points of the truth. Then all programs of the corpus,
observed; and ten thousand pipelines, of which nothing may be left.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import sys
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import permutations
from random import Random
from typing import Any

import uvloop

from tests.differential.compare import difference
from webstreams import CompressionStream, Promise, ReadableStream, TransformStream, WritableStream, merge, to_callable
from webstreams.observe import label, observe
from webstreams.observe._watched import PIPELINES

from .test_order import records, run_observed

MS = 1e-3
TOLERANCE = 0.1
NOTHING: Callable[[Any], Any] = str


class Work:
    """What a stage does, which measures how long it does it; several calls at a time share the time."""

    def __init__(self, calls: int = 1) -> None:
        self._calls = calls
        self._seconds = 0.0

    def share_of(self, seconds: float) -> float:
        """Return the busy share."""
        return self._seconds / seconds / self._calls

    def working(self, seconds: float) -> Callable[[Any], Any]:
        """Hold the event loop for each chunk."""

        def work(chunk: Any) -> Any:
            began = time.perf_counter()
            while time.perf_counter() < began + seconds:
                pass
            self._seconds += time.perf_counter() - began
            return chunk

        return work

    def waiting(self, seconds: float) -> Callable[[Any], Awaitable[Any]]:
        """Wait for each chunk, as for the network."""

        async def wait(chunk: Any) -> Any:
            began = time.perf_counter()
            await asyncio.sleep(seconds)
            self._seconds += time.perf_counter() - began
            return chunk

        return wait

    def items(self, count: int, seconds: float) -> Iterator[int]:
        """Give chunks, and hold the event loop for each."""
        return map(self.working(seconds), range(count))

    async def arrivals(self, count: int, seconds: float) -> AsyncIterator[int]:
        """Give chunks, and wait for each."""
        for number in map(self.waiting(seconds), range(count)):
            yield await number


@dataclass
class Case:
    """A pipeline: the promises of its pipes, the stage that holds it up, and the busy shares that are known."""

    pipes: Sequence[Promise[None]]
    bottleneck: str
    busy: dict[str, Work | float]


def stage(function: Callable[[Any], Any], name: str) -> TransformStream[Any, Any]:
    def work(chunk: Any, controller: Any) -> None:
        controller.enqueue(function(chunk))

    async def wait(chunk: Any, controller: Any) -> None:
        controller.enqueue(await function(chunk))

    is_waiting = inspect.iscoroutinefunction(function)
    made: TransformStream[Any, Any] = TransformStream({"transform": wait if is_waiting else work})
    label(made, name)
    return made


def sink(function: Callable[[Any], Any], name: str = "sink") -> WritableStream[Any]:
    made = to_callable(function)
    label(made, name)
    return made


def slowest(costs: tuple[float, ...]) -> str:
    return ("source", "middle", "sink")[costs.index(max(costs))]


def three_stages(costs: tuple[float, ...], source: Any, middle: Any, last: Any, busy: dict[str, Work | float]) -> Case:
    stream = ReadableStream.from_(source)
    label(stream, "source")
    piping = stream.pipe_through(stage(middle, "middle")).pipe_to(sink(last))
    return Case([piping], slowest(costs), busy)


def synchronous(costs: tuple[float, ...]) -> Case:
    """They hold the loop in turn (microseconds)."""
    source, middle, last = Work(), Work(), Work()
    first, second, third = (cost / 1e6 for cost in costs)
    known: dict[str, Work | float] = {"source": source, "middle": middle, "sink": last}
    return three_stages(costs, source.items(1000, first), middle.working(second), last.working(third), known)


def sleeping(costs: tuple[float, ...]) -> Case:
    """They wait side by side (milliseconds)."""
    source, middle, last = Work(), Work(), Work()
    first, second, third = (cost * MS for cost in costs)
    known: dict[str, Work | float] = {"source": source, "middle": middle, "sink": last}
    return three_stages(costs, source.arrivals(30, first), middle.waiting(second), last.waiting(third), known)


def slow_source(cost: float) -> Case:
    work = Work()
    return three_stages((cost, 0, 0), work.arrivals(30, cost * MS), NOTHING, NOTHING, {"source": work, "sink": 0.0})


def slow_sink(cost: float) -> Case:
    work = Work()
    return three_stages((0, 0, cost), range(30), NOTHING, work.waiting(cost * MS), {"sink": work, "middle": 0.0})


def slow_branch(cost: float) -> Case:
    quick, slow = ReadableStream.from_(range(30)).tee()
    work = Work()
    pipes = quick.pipe_to(sink(NOTHING, "quick")), slow.pipe_to(sink(work.waiting(cost * MS)))
    return Case(pipes, "sink", {"sink": work, "quick": 0.0})


def several_calls(cost: float) -> Case:
    calls, last = Work(4), Work()
    mapped = ReadableStream.from_(range(60)).map(calls.waiting(4 * cost * MS), concurrency=4)
    label(mapped, "map")
    return Case([mapped.pipe_to(sink(last.waiting(cost / 4 * MS)))], "map", {"map": calls, "sink": last})


def codec(cost: float) -> Case:
    """Noise, which takes long to compress; the thread of the codec is always at work."""
    data = Random(1).randbytes(1 << 18)
    compress = CompressionStream("gzip", level=9)
    label(compress, "codec")
    source = ReadableStream.from_(data for _ in range(int(cost) * 4))
    return Case([source.pipe_through(compress).pipe_to(sink(zlib.crc32))], "codec", {"codec": 1.0})


def merged(cost: float) -> Case:
    """Of two streams that give unequal numbers of chunks; the sink takes longer than either."""
    work = Work()
    streams = ReadableStream.from_(Work().arrivals(40, MS)), ReadableStream.from_(Work().arrivals(10, 4 * MS))
    return Case([merge(*streams).pipe_to(sink(work.waiting(cost * MS)))], "sink", {"sink": work})


def cases() -> list[tuple[str, Callable[[], Case]]]:
    """Fifty pipelines; each runs on two event loops."""
    made: list[tuple[str, Callable[[], Case]]] = []
    for costs in [*permutations((20, 60, 25)), *permutations((40, 150, 60))]:
        made.append((f"synchronous {costs}", partial(synchronous, costs)))
    for costs in [*permutations((2, 10, 3)), *permutations((1, 6, 2))]:
        made.append((f"sleeping {costs}", partial(sleeping, costs)))
    for kind in (slow_source, slow_sink, slow_branch, several_calls):
        made += [(f"{kind.__name__} {cost}", partial(kind, cost)) for cost in (3, 5, 8, 12, 20)]
    made += [(f"codec {cost}", partial(codec, cost)) for cost in (3, 4, 5)]
    made += [(f"merged {cost}", partial(merged, cost)) for cost in (4, 6, 9)]
    return made


async def faults_of(make: Callable[[], Case]) -> list[str]:
    """Run a pipeline; return what is wrong about its statistics."""
    case = make()
    observed, began = observe(case.pipes[0], name="case"), time.perf_counter()
    await asyncio.gather(*case.pipes)
    seconds = time.perf_counter() - began
    name = None if observed.bottleneck is None else observed.bottleneck.name
    found = [] if name == case.bottleneck else [f"held up by {name}, not by {case.bottleneck}"]
    shares = {each.name: each.busy for each in observed.stages}
    for each, work in case.busy.items():
        busy = work.share_of(seconds) if isinstance(work, Work) else work
        if abs(shares[each] - busy) > TOLERANCE:
            found.append(f"{each} is busy {shares[each]:.2f}, not {busy:.2f}")
    return found


def run_cases() -> int:
    """Run all pipelines on both loops; return how many had faults."""
    wrong = 0
    for loop_name, new_loop in (("asyncio", asyncio.new_event_loop), ("uvloop", uvloop.new_event_loop)):
        for name, make in cases():
            with asyncio.Runner(loop_factory=new_loop) as runner:
                faults = runner.run(faults_of(make))
            wrong += bool(faults)
            for fault in faults:
                print(f"{loop_name}, {name}: {fault}")
    print(f"{2 * len(cases())} pipelines, {wrong} with faults")
    return wrong


def run_corpus() -> int:
    """Run all programs of the corpus, observed; return how many have other logs than the reference implementation."""
    programs = records(1)
    wrong = sum(
        difference(each["program"], run_observed(each["program"]), each["log"]) is not None for each in programs
    )
    print(f"{len(programs)} programs of the corpus, observed: {wrong} with another order")
    return wrong


async def left_by_many(count: int = 10_000) -> int:
    """Observe many pipelines, one after the other; return how many objects and pipelines are left of them."""

    async def run() -> None:
        piping = ReadableStream.from_([1]).map(str).pipe_through(TransformStream()).pipe_to(WritableStream())
        observe(piping, name="many")
        await piping

    for _ in range(100):
        await run()
    gc.collect()
    before, known = len(gc.get_objects()), len(PIPELINES)
    for _ in range(count):
        await run()
    gc.collect()
    left = len(gc.get_objects()) - before
    print(f"{count} observed pipelines left {left} objects and {len(PIPELINES) - known} pipelines")
    return max(left - 1000, 0) + max(len(PIPELINES) - known - 2, 0)


if __name__ == "__main__":
    sys.exit(1 if run_cases() + run_corpus() + asyncio.run(left_by_many()) else 0)
