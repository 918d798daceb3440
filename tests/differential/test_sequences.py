"""A stream over a sequence settles its promises in the microtasks in which the reference implementation does.

That has an asynchronous generator over a synchronous sequence, with a queue in which return() waits for next(). The
numbers are those of the reference implementation, for a cancellation each so many microtasks after the reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from webstreams import ReadableStream, queue_microtask

from ..grids import each_of

# More than any of the cancellations takes.
ENOUGH = 40


def no_items() -> Iterator[int]:
    """A generator without items."""
    yield from ()


def two_items() -> Iterator[int]:
    """A generator of two items."""
    yield from (1, 2)


TABLE: dict[str, tuple[Callable[[], Iterable[int]], int, tuple[int, ...]]] = {
    "an empty list, not begun": (list, 0, (5, 5, 5, 5, 5, 5, 5, 5)),
    "an empty list": (list, 1, (7, 6, 5, 5, 5, 1, 1, 1)),
    "a list, not begun": (lambda: [1, 2], 0, (5, 5, 5, 5, 5, 5, 5, 5)),
    "a list": (lambda: [1, 2], 1, (7, 6, 6, 6, 6, 6, 6, 6)),
    "a list, read twice": (lambda: [1, 2], 2, (7, 6, 6, 6, 6, 7, 6, 6)),
    "a list, read to its end": (lambda: [1], 2, (7, 6, 6, 6, 6, 7, 6, 5)),
    "a generator without items": (no_items, 1, (7, 6, 5, 5, 5, 1, 1, 1)),
    "a generator, not begun": (two_items, 0, (5, 5, 5, 5, 5, 5, 5, 5)),
    "a generator": (two_items, 1, (8, 7, 7, 7, 7, 7, 7, 7)),
    "a generator, read twice": (two_items, 2, (8, 7, 7, 7, 7, 8, 7, 7)),
}


# The same where the reads come together with the cancellation, behind the microtasks that are counted.
TOGETHER: dict[str, tuple[Callable[[], Iterable[int]], int, int]] = {
    "an empty list, not begun": (list, 0, 5),
    "an empty list": (list, 1, 8),
    "a list, not begun": (lambda: [1, 2], 0, 5),
    "a list": (lambda: [1, 2], 1, 8),
    "a list, read twice": (lambda: [1, 2], 2, 8),
}


async def microtasks_of_cancel(sequence: Iterable[int], reads: int, before: int, together: bool = False) -> int:
    """Read, cancel so many microtasks later; return after how many the promise of cancel() was fulfilled."""
    reader = ReadableStream.from_(sequence).get_reader()
    await asyncio.sleep(0)
    passed = 0
    fulfilled: list[int] = []

    def read() -> None:
        for _ in range(reads):
            reader.read()

    def count() -> None:
        nonlocal passed
        passed += 1
        if passed < ENOUGH:
            queue_microtask(count)

    def wait(left: int) -> None:
        if left:
            queue_microtask(wait, left - 1)
        else:
            if together:
                read()
            reader.cancel().then(lambda _: fulfilled.append(passed - before))

    if not together:
        read()
    queue_microtask(count)
    wait(before)
    while passed < ENOUGH:
        await asyncio.sleep(0)
    (outcome,) = fulfilled
    return outcome


@each_of(case=TABLE)
async def test_cancel_of_a_sequence(case: str) -> None:
    make, reads, expected = TABLE[case]
    seen: list[Any] = [await microtasks_of_cancel(make(), reads, before) for before in range(len(expected))]
    assert tuple(seen) == expected


@each_of(case=TOGETHER, before=range(4))
async def test_cancel_of_a_sequence_together_with_reads(case: str, before: int) -> None:
    make, reads, expected = TOGETHER[case]
    assert await microtasks_of_cancel(make(), reads, before, together=True) == expected


class Raising:
    """An asynchronous iterator whose ``__anext__`` raises before it gives an awaitable."""

    def __aiter__(self) -> Raising:
        return self

    def __anext__(self) -> Any:
        raise LookupError("no item")


async def test_an_iterator_that_raises_at_once() -> None:
    """Nothing is awaited then: one microtask fewer than behind an awaitable that raises."""
    reader = ReadableStream.from_(Raising()).get_reader()
    await asyncio.sleep(0)
    passed = 0
    rejected: list[int] = []

    def count() -> None:
        nonlocal passed
        passed += 1
        if not rejected:
            queue_microtask(count)

    reader.read().then(None, lambda _: rejected.append(passed))
    queue_microtask(count)
    while not rejected:
        await asyncio.sleep(0)
    assert rejected == [2]
