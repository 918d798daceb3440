"""`asyncio.Queue` between tasks: one queue where the library has a pipe, one task for each end and each transform."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeAlias

from ..catalogue import Scenario
from .parts import Counter, add_one, add_one_coroutine, make, same

Queue: TypeAlias = "asyncio.Queue[int | None]"


async def produce(chunks: int, *queues: Queue) -> None:
    """Put so many numbers into each queue, then the end."""
    for number in range(chunks):
        for queue in queues:
            await queue.put(number)
    for queue in queues:
        await queue.put(None)


async def produce_coroutine(chunks: int, queue: Queue) -> None:
    """The same, with numbers that a coroutine makes."""
    for number in range(chunks):
        await queue.put(await make(number))
    await queue.put(None)


async def relay(source: Queue, transform: Callable[[int], int], target: Queue) -> None:
    """Hand on what the function makes of each chunk."""
    while (chunk := await source.get()) is not None:
        await target.put(transform(chunk))
    await target.put(None)


async def relay_coroutine(source: Queue, transform: Callable[[int], Awaitable[int]], target: Queue) -> None:
    """Hand on what the coroutine makes of each chunk."""
    while (chunk := await source.get()) is not None:
        await target.put(await transform(chunk))
    await target.put(None)


async def consume(queue: Queue) -> int:
    """Count what comes."""
    counter = Counter()
    while (chunk := await queue.get()) is not None:
        counter.write(chunk)
    return counter.arrived


async def consume_coroutine(queue: Queue) -> int:
    """Count what comes, in a coroutine."""
    counter = Counter()
    while (chunk := await queue.get()) is not None:
        await counter.write_coroutine(chunk)
    return counter.arrived


async def read(size: int, chunks: int) -> int:
    """Take what a task puts."""
    queue: Queue = asyncio.Queue(size)
    async with asyncio.TaskGroup() as group:
        group.create_task(produce(chunks, queue))
        return await consume(queue)


async def read_coroutine(size: int, chunks: int) -> int:
    """Take what a task puts that gets it from a coroutine."""
    queue: Queue = asyncio.Queue(size)
    async with asyncio.TaskGroup() as group:
        group.create_task(produce_coroutine(chunks, queue))
        return await consume(queue)


async def pipe_coroutines(size: int, chunks: int) -> int:
    """Go from coroutine to coroutine."""
    queue: Queue = asyncio.Queue(size)
    async with asyncio.TaskGroup() as group:
        group.create_task(produce_coroutine(chunks, queue))
        return await consume_coroutine(queue)


async def through(transforms: Sequence[Callable[[int], int]], size: int, chunks: int) -> int:
    """Go through a task for each function."""
    queue: Queue = asyncio.Queue(size)
    async with asyncio.TaskGroup() as group:
        group.create_task(produce(chunks, queue))
        for transform in transforms:
            source, queue = queue, asyncio.Queue(size)
            group.create_task(relay(source, transform, queue))
        return await consume(queue)


async def through_coroutine(size: int, chunks: int) -> int:
    """Go through a task that awaits a coroutine."""
    source: Queue = asyncio.Queue(size)
    target: Queue = asyncio.Queue(size)
    async with asyncio.TaskGroup() as group:
        group.create_task(produce(chunks, source))
        group.create_task(relay_coroutine(source, add_one_coroutine, target))
        return await consume(target)


async def tee(size: int, chunks: int) -> int:
    """Put everything into two queues."""
    queues: list[Queue] = [asyncio.Queue(size), asyncio.Queue(size)]
    async with asyncio.TaskGroup() as group:
        group.create_task(produce(chunks, *queues))
        consumers = [group.create_task(consume(queue)) for queue in queues]
    return min(consumer.result() for consumer in consumers)


def scenarios(size: int) -> dict[str, Scenario]:
    """Return the scenarios with queues of that size."""
    return {
        "read-sync": partial(read, size),
        "read-coroutine": partial(read_coroutine, size),
        "pipe-1": partial(read, size),
        "pipe-16": partial(read, size),
        "pipe-coroutines": partial(pipe_coroutines, size),
        "through-identity": partial(through, [same], size),
        "through-mapping": partial(through, [add_one], size),
        "through-coroutine": partial(through_coroutine, size),
        "four-mappings": partial(through, [add_one] * 4, size),
        "tee": partial(tee, size),
    }


ONE = scenarios(1)
SIXTEEN = scenarios(16)
