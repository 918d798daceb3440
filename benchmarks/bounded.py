"""Several calls at a time, and what can happen to them: the situations, and the ways to get into them.

Each way makes an asynchronous iterable of the results of a coroutine function for some numbers, with a limit of calls
at a time, or a list of them; the situations look at what is left behind and at what it costs. `javascript/bounded` has
the same for p-map, in the same number of rounds.

What would compare unlike with unlike:

- Timers are late: asyncio's wait for whole milliseconds, rounded up, and Node's begin with the last whole one. That is
  a quarter to three quarters of a millisecond for a call, and says nothing about the libraries. So calls take 40 ms and
  0.8 s, where it is one in a hundred: among calls of 4 ms it decided. With exact timers all would be over after
  `shortest()`; the calls measure how long they take themselves, and what is left over is in a row of its own: at least
  the time in which the last slow calls have nothing beside them.
- The first calls of a process and those when it is warm are told apart: a compiler at run time makes them differ much.
- An end that collects a list does without what a loop does for each result, in all of these libraries.
"""

from __future__ import annotations

import asyncio
import heapq
import json
import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiostream
import streamable

from webstreams import ReadableStream

CHUNKS = 1000
LIMIT = 4
WINDOW = 64
TRIVIAL = 10_000
TRIVIAL_LIMIT = 16
LEAVES_AT = 3
# Seconds: a call that nothing should have to wait for, a usual one, and the time in which what is cancelled ends.
LONG, SHORT, PAUSE = 1.0, 0.04, 0.05
# How many calls there are where some are slow.
SLOW_CHUNKS = 160
# Seconds for the calls that do nothing.
PATIENCE = 2.0
# What is measured in a process of its own.
FIRST = ("loop_first", "list_first")

Function = Callable[[int], Coroutine[Any, Any, int]]


class Calls:
    """A function that counts its calls: the first ones end at once, the others take a time, and one may fail."""

    def __init__(self, quick: int, seconds: float, fails_at: int = -1) -> None:
        self._quick = quick
        self._seconds = seconds
        self._fails_at = fails_at
        self.started = 0
        self.running = 0

    async def run(self, chunk: int) -> int:
        """Do a call."""
        self.started += 1
        self.running += 1
        try:
            if chunk == self._fails_at:
                raise ValueError(chunk)
            if chunk >= self._quick:
                await asyncio.sleep(self._seconds)
        finally:
            self.running -= 1
        return chunk


class Way:
    """One way to have several calls at a time."""

    def iterate(self, function: Function, chunks: int, limit: int, window: int | None = None) -> AsyncIterable[int]:
        """Return the results in order; `window` is how far ahead calls may be started, where that can be said."""
        raise NotImplementedError

    @asynccontextmanager
    async def results(
        self, function: Function, chunks: int, limit: int, window: int | None = None
    ) -> AsyncGenerator[AsyncIterable[int], None]:
        """Iterate, with the clean-up that the documentation of the library asks for."""
        yield self.iterate(function, chunks, limit, window)

    async def collect(self, function: Function, chunks: int, limit: int) -> list[int]:
        """Return the list of the results."""
        async with self.results(function, chunks, limit) as results:
            return [result async for result in results]


class Streams(Way):
    """This library."""

    def iterate(self, function: Function, chunks: int, limit: int, window: int | None = None) -> AsyncIterable[int]:
        """See `Way`."""
        return ReadableStream.from_(range(chunks)).map(function, concurrency=limit, window=window)

    async def collect(self, function: Function, chunks: int, limit: int) -> list[int]:
        """See `Way`."""
        return await ReadableStream.from_(range(chunks)).map(function, concurrency=limit).list()


class Aiostream(Way):
    """aiostream."""

    @asynccontextmanager
    async def results(
        self, function: Function, chunks: int, limit: int, window: int | None = None
    ) -> AsyncGenerator[AsyncIterable[int], None]:
        """See `Way`."""
        called: Any = function
        mapped: Any = aiostream.stream.map(aiostream.stream.iterate(range(chunks)), called, task_limit=limit)
        async with mapped.stream() as results:
            yield results

    async def collect(self, function: Function, chunks: int, limit: int) -> list[int]:
        """See `Way`."""
        called: Any = function
        mapped: Any = aiostream.stream.map(aiostream.stream.iterate(range(chunks)), called, task_limit=limit)
        collect: Any = aiostream.stream.list
        collected: list[int] = await collect(mapped)
        return collected


class Streamable(Way):
    """streamable."""

    def iterate(self, function: Function, chunks: int, limit: int, window: int | None = None) -> AsyncIterable[int]:
        """See `Way`."""
        mapped: AsyncIterable[int] = streamable.stream(range(chunks)).map(function, concurrency=limit)
        return mapped


WAYS: dict[str, Way] = {"webstreams": Streams(), "aiostream": Aiostream(), "streamable": Streamable()}


async def consumer_breaks(way: Way) -> float:
    """Return how many calls are left a moment after the consumer has left its loop."""
    calls, taken = Calls(LEAVES_AT, LONG), 0
    async with way.results(calls.run, CHUNKS, LIMIT) as results:
        async for _ in results:
            taken += 1
            if taken == LEAVES_AT:
                break
    await asyncio.sleep(PAUSE)
    return calls.running


async def task_is_cancelled(way: Way) -> float:
    """Return how many calls are left a moment after the consumer's task was cancelled."""
    calls = Calls(0, LONG)

    async def consume() -> None:
        async with way.results(calls.run, CHUNKS, LIMIT) as results:
            async for _ in results:
                pass

    task = asyncio.create_task(consume())
    await asyncio.sleep(PAUSE)
    task.cancel()
    await asyncio.wait([task])
    del task
    await asyncio.sleep(PAUSE)
    return calls.running


async def third_fails(way: Way) -> tuple[float, float]:
    """Return the seconds until the consumer hears of it, and how many calls are left then."""
    calls = Calls(0, LONG, fails_at=2)
    began = time.monotonic()
    try:
        async with way.results(calls.run, CHUNKS, LIMIT) as results:
            async for _ in results:
                pass
    except ValueError:
        return time.monotonic() - began, calls.running
    raise RuntimeError("it did not fail")


async def some_are_slow(way: Way) -> tuple[float, float]:
    """Return the seconds that all take, if every 16th takes 20 times as long, and what of it the calls do not take."""
    in_calls = 0.0

    async def call(chunk: int) -> int:
        nonlocal in_calls
        called = time.perf_counter()
        await asyncio.sleep(seconds_of(chunk))
        in_calls += time.perf_counter() - called
        return chunk

    began, taken = time.perf_counter(), 0
    async with way.results(call, SLOW_CHUNKS, LIMIT, WINDOW) as results:
        async for _ in results:
            taken += 1
    require(taken, SLOW_CHUNKS)
    seconds = time.perf_counter() - began
    return seconds, seconds - in_calls / LIMIT


def seconds_of(chunk: int) -> float:
    """Return how long a call takes where some are slow."""
    return SHORT if chunk % 16 else 20 * SHORT


def shortest() -> float:
    """Return the seconds that all take at least: with exact timers, and if no call ever has to wait for another."""
    ends = [0.0] * LIMIT
    for chunk in range(SLOW_CHUNKS):
        heapq.heapreplace(ends, ends[0] + seconds_of(chunk))
    return max(ends)


async def trivial_calls(way: Way, collects: bool) -> float:
    """Return the microseconds of processor time for a call that does nothing."""

    async def call(chunk: int) -> int:
        return chunk

    began, taken = time.process_time(), 0
    if collects:
        taken = len(await way.collect(call, TRIVIAL, TRIVIAL_LIMIT))
    else:
        async with way.results(call, TRIVIAL, TRIVIAL_LIMIT) as results:
            async for _ in results:
                taken += 1
    require(taken, TRIVIAL)
    return (time.process_time() - began) * 1e6 / TRIVIAL


async def best_of_trivial_calls(way: Way, collects: bool) -> float:
    """Repeat it for a while, for it is over soon: the best counts, which the load of the machine disturbs least."""
    costs: list[float] = []
    while len(costs) < 3 or sum(costs) * TRIVIAL < PATIENCE * 1e6:
        costs.append(await trivial_calls(way, collects))
    return min(costs)


def require(taken: int, chunks: int) -> None:
    """Raise an error unless all chunks have arrived."""
    if taken != chunks:
        raise RuntimeError(f"{taken} chunks arrived, not {chunks}")


async def measure(way: Way, rounds: int) -> dict[str, float]:
    """Go through all situations; of what takes a time the best of some rounds counts."""
    late, left = await third_fails(way)
    slow = [await some_are_slow(way) for _ in range(rounds)]
    return {
        "break": await consumer_breaks(way),
        "cancel": await task_is_cancelled(way),
        "failure": late,
        "left": left,
        "slow": min(seconds for seconds, _ in slow),
        "besides": min(besides for _, besides in slow),
        "loop_again": await best_of_trivial_calls(way, collects=False),
        "list_again": await best_of_trivial_calls(way, collects=True),
    }


async def measure_first(way: Way, key: str) -> dict[str, float]:
    """Return what calls that do nothing cost, the first that this process makes: "loop_first" or "list_first"."""
    return {key: await trivial_calls(way, collects=key == "list_first")}


def main(arguments: Sequence[str]) -> None:
    """Measure one way, in this process; print what was found as JSON."""
    name, what = arguments
    way = WAYS[name]
    print(json.dumps(asyncio.run(measure_first(way, what) if what in FIRST else measure(way, int(what)))))
