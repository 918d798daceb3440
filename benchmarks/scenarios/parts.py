"""The ends that the scenarios share; `javascript/parts.mjs` has the same ones, line by line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from webstreams import (
    ReadableStream,
    ReadableStreamDefaultController,
    ReadableStreamDefaultReader,
    TransformStreamDefaultController,
    WritableStreamDefaultController,
)

Readable: TypeAlias = ReadableStreamDefaultController[int]
Transform: TypeAlias = TransformStreamDefaultController[int]


class Source:
    """Gives so many numbers, one for each pull."""

    def __init__(self, chunks: int) -> None:
        self.chunks = chunks
        self.sent = 0

    def pull(self, controller: Readable) -> None:
        """Return the next number."""
        if self.sent == self.chunks:
            controller.close()
        else:
            controller.enqueue(self.sent)
            self.sent += 1


class CoroutineSource(Source):
    """The same, from a coroutine."""

    async def pull(self, controller: Readable) -> None:  # type: ignore[override]
        """Return the next number."""
        if self.sent == self.chunks:
            controller.close()
        else:
            controller.enqueue(self.sent)
            self.sent += 1


class FilledSource:
    """Puts so many numbers into the queue at once."""

    def __init__(self, chunks: int) -> None:
        self.chunks = chunks

    def start(self, controller: Readable) -> None:
        """Return all numbers."""
        for number in range(self.chunks):
            controller.enqueue(number)
        controller.close()


class Sink:
    """Counts the chunks that arrive."""

    def __init__(self) -> None:
        self.arrived = 0

    def write(self, chunk: int, controller: WritableStreamDefaultController) -> None:
        """Count one."""
        self.arrived += 1


class CoroutineSink(Sink):
    """The same, in a coroutine."""

    async def write(self, chunk: int, controller: WritableStreamDefaultController) -> None:  # type: ignore[override]
        """Count one."""
        self.arrived += 1


class Mapping:
    """Adds one to each number."""

    def transform(self, chunk: int, controller: Transform) -> None:
        """Hand on the next number."""
        controller.enqueue(chunk + 1)


class CoroutineMapping:
    """The same, in a coroutine."""

    async def transform(self, chunk: int, controller: Transform) -> None:
        """Hand on the next number."""
        controller.enqueue(chunk + 1)


def numbers(chunks: int) -> Iterator[int]:
    """Generate so many numbers."""
    number = 0
    while number < chunks:
        yield number
        number += 1


async def read_all(reader: ReadableStreamDefaultReader[Any]) -> int:
    """Read to the end; give how many chunks there were."""
    arrived = 0
    while not (await reader.read()).done:
        arrived += 1
    return arrived


async def iterate(stream: ReadableStream[Any]) -> int:
    """Iterate to the end; give how many chunks there were."""
    arrived = 0
    async for _ in stream:
        arrived += 1
    return arrived
