"""aiostream's operators, one after another."""

from __future__ import annotations

from collections.abc import AsyncIterable, Sequence
from functools import partial
from typing import Any

from aiostream import pipe, stream

from ..catalogue import Scenario
from .parts import Counter, add_one, add_one_coroutine, generate, generate_coroutine, same


async def iterate(source: AsyncIterable[int]) -> int:
    """Iterate to the end."""
    arrived = 0
    async with stream.iterate(source).stream() as chunks:
        async for _ in chunks:
            arrived += 1
    return arrived


async def async_for(chunks: int) -> int:
    """Iterate over what an async generator gives."""
    return await iterate(generate(chunks))


async def read_coroutine(chunks: int) -> int:
    """Iterate over what an async generator gets from a coroutine."""
    return await iterate(generate_coroutine(chunks))


async def from_iterable(chunks: int) -> int:
    """Iterate over what an iterable gives."""
    arrived = 0
    async with stream.iterate(iter(range(chunks))).stream() as numbers:
        async for _ in numbers:
            arrived += 1
    return arrived


async def through(stages: Sequence[Any], chunks: int) -> int:
    """Go through so many operators."""
    counter = Counter()
    chain: Any = stream.iterate(generate(chunks))
    for stage in stages:
        chain = chain | stage
    await (chain | pipe.action(counter.write))
    return counter.arrived


async def pipe_coroutines(chunks: int) -> int:
    """Go from coroutine to coroutine."""
    counter = Counter()
    await (stream.iterate(generate_coroutine(chunks)) | pipe.action(counter.write_coroutine, task_limit=1))
    return counter.arrived


SCENARIOS: dict[str, Scenario] = {
    "read-sync": async_for,
    "read-coroutine": read_coroutine,
    "async-for": async_for,
    "from": from_iterable,
    "pipe-1": partial(through, []),
    "pipe-coroutines": pipe_coroutines,
    "through-identity": partial(through, [pipe.map(same)]),
    "through-mapping": partial(through, [pipe.map(add_one)]),
    "through-coroutine": partial(through, [pipe.map(add_one_coroutine, task_limit=1)]),
    "four-mappings": partial(through, [pipe.map(add_one)] * 4),
}
