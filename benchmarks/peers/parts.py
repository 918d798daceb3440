"""What the peers share: callbacks that do what those of the library's scenarios do."""

from __future__ import annotations

from collections.abc import AsyncIterator


class Counter:
    """Counts the chunks that arrive."""

    def __init__(self) -> None:
        self.arrived = 0

    def write(self, chunk: int) -> None:
        """Count one."""
        self.arrived += 1

    async def write_coroutine(self, chunk: int) -> None:
        """Count one, in a coroutine."""
        self.arrived += 1


def same(chunk: int) -> int:
    """Change nothing."""
    return chunk


def add_one(chunk: int) -> int:
    """Return the next number."""
    return chunk + 1


async def add_one_coroutine(chunk: int) -> int:
    """Return the next number, from a coroutine."""
    return chunk + 1


async def make(number: int) -> int:
    """Make a chunk in a coroutine."""
    return number


async def generate(chunks: int) -> AsyncIterator[int]:
    """Generate so many numbers."""
    for number in range(chunks):
        yield number


async def generate_coroutine(chunks: int) -> AsyncIterator[int]:
    """Generate so many numbers, each made in a coroutine."""
    for number in range(chunks):
        yield await make(number)
