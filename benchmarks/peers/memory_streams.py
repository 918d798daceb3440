"""anyio's memory object streams between tasks: one where the library has a pipe."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from anyio import create_memory_object_stream, create_task_group
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from ..catalogue import Scenario, Work
from .parts import Counter, add_one, add_one_coroutine, make, same


async def produce(chunks: int, *targets: MemoryObjectSendStream[int]) -> None:
    """Send so many numbers to each stream, then close it."""
    for number in range(chunks):
        for target in targets:
            await target.send(number)
    for target in targets:
        target.close()


async def produce_coroutine(chunks: int, target: MemoryObjectSendStream[int]) -> None:
    """The same, with numbers that a coroutine makes."""
    with target:
        for number in range(chunks):
            await target.send(await make(number))


async def relay(
    source: MemoryObjectReceiveStream[int], transform: Callable[[int], int], target: MemoryObjectSendStream[int]
) -> None:
    """Hand on what the function makes of each chunk."""
    with source, target:
        async for chunk in source:
            await target.send(transform(chunk))


async def relay_coroutine(
    source: MemoryObjectReceiveStream[int],
    transform: Callable[[int], Awaitable[int]],
    target: MemoryObjectSendStream[int],
) -> None:
    """Hand on what the coroutine makes of each chunk."""
    with source, target:
        async for chunk in source:
            await target.send(await transform(chunk))


async def consume(source: MemoryObjectReceiveStream[int], counter: Counter) -> None:
    """Count what comes."""
    with source:
        async for chunk in source:
            counter.write(chunk)


async def consume_coroutine(source: MemoryObjectReceiveStream[int], counter: Counter) -> None:
    """Count what comes, in a coroutine."""
    with source:
        async for chunk in source:
            await counter.write_coroutine(chunk)


async def pipe(size: int, chunks: int) -> int:
    """Receive what a task sends."""
    counter = Counter()
    target, source = create_memory_object_stream[int](size)
    async with create_task_group() as group:
        group.start_soon(produce, chunks, target)
        await consume(source, counter)
    return counter.arrived


async def read_coroutine(chunks: int) -> int:
    """Receive what a task sends that gets it from a coroutine."""
    counter = Counter()
    target, source = create_memory_object_stream[int](1)
    async with create_task_group() as group:
        group.start_soon(produce_coroutine, chunks, target)
        await consume(source, counter)
    return counter.arrived


def read_filled(chunks: int) -> Work:
    """Receive what is in the buffer already."""
    target, source = create_memory_object_stream[int](chunks)
    with target:
        for number in range(chunks):
            target.send_nowait(number)
    return drain(source)


async def drain(source: MemoryObjectReceiveStream[int]) -> int:
    """Receive to the end."""
    counter = Counter()
    await consume(source, counter)
    return counter.arrived


async def pipe_coroutines(chunks: int) -> int:
    """Go from coroutine to coroutine."""
    counter = Counter()
    target, source = create_memory_object_stream[int](1)
    async with create_task_group() as group:
        group.start_soon(produce_coroutine, chunks, target)
        await consume_coroutine(source, counter)
    return counter.arrived


async def through(transforms: Sequence[Callable[[int], int]], chunks: int) -> int:
    """Go through a task for each function."""
    counter = Counter()
    target, source = create_memory_object_stream[int](1)
    async with create_task_group() as group:
        group.start_soon(produce, chunks, target)
        for transform in transforms:
            target, following = create_memory_object_stream[int](1)
            group.start_soon(relay, source, transform, target)
            source = following
        await consume(source, counter)
    return counter.arrived


async def through_coroutine(chunks: int) -> int:
    """Go through a task that awaits a coroutine."""
    counter = Counter()
    first, source = create_memory_object_stream[int](1)
    target, last = create_memory_object_stream[int](1)
    async with create_task_group() as group:
        group.start_soon(produce, chunks, first)
        group.start_soon(relay_coroutine, source, add_one_coroutine, target)
        await consume(last, counter)
    return counter.arrived


async def tee(chunks: int) -> int:
    """Send everything to two streams."""
    counters = Counter(), Counter()
    pairs = [create_memory_object_stream[int](1) for _ in counters]
    async with create_task_group() as group:
        group.start_soon(produce, chunks, *(target for target, _ in pairs))
        for (_, source), counter in zip(pairs, counters, strict=True):
            group.start_soon(consume, source, counter)
    return min(counter.arrived for counter in counters)


SCENARIOS: dict[str, Scenario] = {
    "read-sync": partial(pipe, 1),
    "read-coroutine": read_coroutine,
    "read-filled": read_filled,
    "async-for": partial(pipe, 1),
    "pipe-1": partial(pipe, 1),
    "pipe-16": partial(pipe, 16),
    "pipe-coroutines": pipe_coroutines,
    "through-identity": partial(through, [same]),
    "through-mapping": partial(through, [add_one]),
    "through-coroutine": through_coroutine,
    "four-mappings": partial(through, [add_one] * 4),
    "tee": tee,
}
