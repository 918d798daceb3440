"""Plain async generators, one around another: no queue, and nothing runs ahead."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial

from ..catalogue import Scenario
from .parts import Counter, add_one, add_one_coroutine, generate, generate_coroutine, same


async def each(source: AsyncIterator[int], transform: Callable[[int], int]) -> AsyncIterator[int]:
    """Yield what the function makes of each chunk."""
    async for chunk in source:
        yield transform(chunk)


async def each_coroutine(source: AsyncIterator[int], transform: Callable[[int], Awaitable[int]]) -> AsyncIterator[int]:
    """Yield what the coroutine makes of each chunk."""
    async for chunk in source:
        yield await transform(chunk)


async def consume(source: AsyncIterator[int]) -> int:
    """Count what comes."""
    counter = Counter()
    async for chunk in source:
        counter.write(chunk)
    return counter.arrived


async def iterate(chunks: int) -> int:
    """Iterate over a generator."""
    arrived = 0
    async for _ in generate(chunks):
        arrived += 1
    return arrived


async def read_coroutine(chunks: int) -> int:
    """Iterate over a generator that awaits a coroutine."""
    arrived = 0
    async for _ in generate_coroutine(chunks):
        arrived += 1
    return arrived


async def pipe_coroutines(chunks: int) -> int:
    """Go from coroutine to coroutine."""
    counter = Counter()
    async for chunk in generate_coroutine(chunks):
        await counter.write_coroutine(chunk)
    return counter.arrived


async def through(transforms: Sequence[Callable[[int], int]], chunks: int) -> int:
    """Go through a generator for each function."""
    source = generate(chunks)
    for transform in transforms:
        source = each(source, transform)
    return await consume(source)


async def through_coroutine(chunks: int) -> int:
    """Go through a generator that awaits a coroutine."""
    return await consume(each_coroutine(generate(chunks), add_one_coroutine))


SCENARIOS: dict[str, Scenario] = {
    "read-sync": iterate,
    "read-coroutine": read_coroutine,
    "async-for": iterate,
    "from": iterate,
    "pipe-1": partial(through, []),
    "pipe-coroutines": pipe_coroutines,
    "through-identity": partial(through, [same]),
    "through-mapping": partial(through, [add_one]),
    "through-coroutine": through_coroutine,
    "four-mappings": partial(through, [add_one] * 4),
}
