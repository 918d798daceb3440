"""What the workers of the tests run: in a module of its own, which a child imports quickly."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

from webstreams import ReadableStream, TransformStream, WritableStream
from webstreams.workers import Port, receive, transfer


def double(chunks: Iterable[Any]) -> Iterator[Any]:
    for chunk in chunks:
        yield chunk * 2


def same(chunks: Iterable[Any]) -> Iterator[Any]:
    yield from chunks


def last(chunks: Iterable[Any]) -> Iterator[Any]:
    """Make nothing of the chunks before the end."""
    chunk = None
    for chunk in chunks:  # noqa: B007 - the last one is meant
        pass
    yield chunk


def same_with(data: bytes, chunks: Iterable[Any]) -> Iterator[Any]:
    """Take something along that is sent before everything else."""
    assert data
    yield from chunks


def totals(chunks: Iterable[int]) -> Iterator[int]:
    total = 0
    for chunk in chunks:
        total += chunk
        yield total
    yield -total


def pid(chunks: Iterable[Any]) -> Iterator[int]:
    for _ in chunks:
        yield os.getpid()


def fail(chunks: Iterable[Any]) -> Iterator[Any]:
    for chunk in chunks:
        yield chunk
        raise KeyError("from the worker")


def cannot_cross(chunks: Iterable[Any]) -> Iterator[Any]:
    for _ in chunks:
        yield lambda: None


def fail_with(error: BaseException, chunks: Iterable[Any]) -> Iterator[Any]:
    for chunk in chunks:
        yield chunk
        raise error


class Local(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__("local")


def fail_locally(chunks: Iterable[Any]) -> Iterator[Any]:
    for _ in chunks:
        raise Local(1, 2)
    yield 1


def leave(chunks: Iterable[Any]) -> Iterator[Any]:
    for _ in chunks:
        sys.exit(3)
    yield 1


def leave_with(status: Any, chunks: Iterable[Any]) -> Iterator[Any]:
    for _ in chunks:
        sys.exit(status)
    yield 1


def ignore(chunks: Iterable[Any]) -> Iterator[Any]:
    yield "ignored"


def hang(chunks: Iterable[Any]) -> Iterator[Any]:
    yield os.getpid()
    while True:
        time.sleep(0.01)


def hang_after_two(chunks: Iterable[Any]) -> Iterator[Any]:
    for chunk in chunks:
        if chunk == 2:
            time.sleep(1000)
        yield chunk


def returns_none(chunks: Iterable[Any]) -> None:
    list(chunks)


# The other ends of ports, in another thread or process.


def use_port(function: Any, port: Port, chunks: Iterable[Any]) -> Iterator[Any]:
    """Run ``function(port)``, a coroutine function, in an event loop; yield what it returns."""
    yield asyncio.run(function(port))


async def list_of(port: Port) -> list[Any]:
    stream: Any = await receive(port)
    return [(type(chunk).__name__, bytes(chunk) if isinstance(chunk, memoryview) else chunk) async for chunk in stream]


async def give_numbers(port: Port) -> None:
    transfer(ReadableStream.from_(range(100)), port)
    await ended(port)


async def double_all(port: Port) -> None:
    doubling: TransformStream[Any, Any] = TransformStream({"transform": double_one})
    transfer(doubling, port)
    await ended(port)


def double_one(chunk: Any, controller: Any) -> None:
    controller.enqueue(chunk * 2)


async def collect_slowly(port: Port) -> list[Any]:
    """Give a sink that takes what it gets; return that."""
    taken: list[Any] = []
    transfer(WritableStream({"write": lambda chunk, controller: taken.append(chunk)}), port)
    await ended(port)
    return taken


async def count_credits(port: Port) -> int:
    """Give a source that counts how far ahead of the reader it is; return the most."""
    taken = 0
    most = 0
    acknowledged: Any = await receive(port)

    async def numbers() -> Any:
        nonlocal most
        for number in range(100):
            most = max(most, number - taken)
            yield number

    transfer(ReadableStream.from_(numbers()), port, window=4)
    async for number in acknowledged:
        taken = number + 1
    return most


async def hang_with_streams(port: Port) -> None:
    """Give a readable and a writable stream, and do not end."""
    transfer(ReadableStream.from_(iter(os.getpid, None)), port)
    transfer(WritableStream(), port)
    await asyncio.sleep(3600)


async def leave_with_streams(port: Port) -> None:
    """Give streams, and end the event loop."""
    transfer(ReadableStream(), port)
    transfer(WritableStream(), port)


async def ended(port: Port) -> None:
    """Wait until the other port is closed."""
    try:
        await receive(port)
    except EOFError:
        return
    raise AssertionError("no stream was expected")


def double_arrays(chunks: Iterable[Any]) -> Iterator[Any]:
    """What has arrived can be changed in place."""
    for chunk in chunks:
        chunk *= 2
        yield chunk
