"""A chain of plain functions, map -> filter -> batched, in four ways: what it costs for an item.

The chain begins with numbers, in one way with those of an asynchronous generator, and ends in ``async for``. `main`
measures one way in this process, which the environment variable ``WEBSTREAMS_FAST_PATHS`` can keep on the plain path.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from webstreams import ReadableStream, TransformStream, TransformStreamDefaultController

BATCH = 10


def add_one(number: int) -> int:
    """The function of map."""
    return number + 1


def is_wanted(number: int) -> bool:
    """The function of filter: two thirds pass."""
    return number % 3 > 0


# Bare asynchronous generators.


async def generate(items: int) -> AsyncIterator[int]:
    """Yield the numbers."""
    for number in range(items):
        yield number


async def mapped(numbers: AsyncIterable[int]) -> AsyncIterator[int]:
    """Call the function of map."""
    async for number in numbers:
        yield add_one(number)


async def filtered(numbers: AsyncIterable[int]) -> AsyncIterator[int]:
    """Leave out what the function of filter does not want."""
    async for number in numbers:
        if is_wanted(number):
            yield number


async def batched(numbers: AsyncIterable[int]) -> AsyncIterator[list[int]]:
    """Make lists."""
    batch: list[int] = []
    async for number in numbers:
        batch.append(number)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


# Transform streams.


def map_transform(number: int, controller: TransformStreamDefaultController[int]) -> None:
    """Call the function of map."""
    controller.enqueue(add_one(number))


def filter_transform(number: int, controller: TransformStreamDefaultController[int]) -> None:
    """Leave out what the function of filter does not want."""
    if is_wanted(number):
        controller.enqueue(number)


class Batches:
    """A transformer that makes lists."""

    def __init__(self) -> None:
        self._batch: list[int] = []

    def transform(self, number: int, controller: TransformStreamDefaultController[list[int]]) -> None:
        """Take a number."""
        self._batch.append(number)
        if len(self._batch) == BATCH:
            self.flush(controller)

    def flush(self, controller: TransformStreamDefaultController[list[int]]) -> None:
        """Return what there is."""
        if self._batch:
            batch, self._batch = self._batch, []
            controller.enqueue(batch)


# The ways.


async def through_generators(items: int) -> int:
    """Count what comes out of asynchronous generators."""
    return await count(batched(filtered(mapped(generate(items)))))


async def through_operators(items: int) -> int:
    """Count what comes out of operators."""
    return await count(ReadableStream.from_(range(items)).map(add_one).filter(is_wanted).batched(BATCH))


async def through_operators_from_generator(items: int) -> int:
    """Count what comes out of operators over an asynchronous generator."""
    return await count(ReadableStream.from_(generate(items)).map(add_one).filter(is_wanted).batched(BATCH))


async def through_transforms(items: int) -> int:
    """Count what comes out of transform streams."""
    transforms: list[Any] = [{"transform": map_transform}, {"transform": filter_transform}, Batches()]
    stream: ReadableStream[Any] = ReadableStream.from_(range(items))
    for each in transforms:
        stream = stream.pipe_through(TransformStream(each))
    return await count(stream)


async def count(batches: AsyncIterable[list[int]]) -> int:
    """Iterate to the end."""
    arrived = 0
    async for batch in batches:
        arrived += len(batch)
    return arrived


WAYS: dict[str, Callable[[int], Awaitable[int]]] = {
    "generators": through_generators,
    "operators": through_operators,
    "operators over a generator": through_operators_from_generator,
    "transforms": through_transforms,
}


async def microseconds(way: Callable[[int], Awaitable[int]], items: int) -> float:
    """Return the processor time that an item takes."""
    began = time.process_time()
    arrived = await way(items)
    if arrived != items - items // 3:
        raise RuntimeError(f"{arrived} of {items} numbers arrived")
    return (time.process_time() - began) * 1e6 / items


def main(arguments: Sequence[str]) -> None:
    """Measure one way; print what was found as JSON."""
    name, items = arguments
    print(json.dumps({"microseconds": asyncio.run(microseconds(WAYS[name], int(items)))}))
