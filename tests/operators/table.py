"""The table of operators that the tests of this folder go through."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, NamedTuple

from tests.faults.helpers import other_tasks, turns
from webstreams import ReadableStream

Stream = ReadableStream[Any]
BOOM = ValueError("boom")


class Numbers:
    """A source of 0, 1, 2, ... that records its pulls and cancellations; it ends, fails or falls silent at `stop`."""

    def __init__(self, stop: int = 4, then: str = "close") -> None:
        self.stop = stop
        self.then = then
        self.pulls = 0
        self.cancellations: list[object] = []
        self.on_cancel: Callable[[object], Any] = same

    def pull(self, controller: Any) -> None:
        if self.pulls < self.stop:
            controller.enqueue(self.pulls)
        elif self.then == "close":
            controller.close()
        elif self.then == "error":
            controller.error(BOOM)
        self.pulls += 1

    def cancel(self, reason: object) -> Any:
        self.cancellations.append(reason)
        return self.on_cancel(reason)

    def stream(self, high_water_mark: float = 0) -> Stream:
        return ReadableStream(self, {"high_water_mark": high_water_mark})


class Iterated(Numbers):
    """The same as a generator, which is asked without the stream over it; it never falls silent."""

    def __iter__(self) -> Iterator[int]:
        try:
            while self.pulls < self.stop:
                self.pulls += 1
                yield self.pulls - 1
            if self.then == "error":
                raise BOOM
        except GeneratorExit:
            self.cancellations.append(None)  # an iterator is not told the reason
            raise

    def stream(self, high_water_mark: float = 0) -> Stream:
        return ReadableStream.from_(iter(self))


def same(chunk: Any) -> Any:
    return chunk


async def same_soon(chunk: Any) -> Any:
    await asyncio.sleep(0)
    return chunk


async def same_at_once(chunk: Any) -> Any:
    return chunk


def yes(_: Any) -> bool:
    return True


async def yes_soon(_: Any) -> bool:
    await asyncio.sleep(0)
    return True


def twice(chunk: Any) -> list[Any]:
    return [chunk, chunk]


async def pause(chunk: Any) -> Any:
    await asyncio.sleep(0.01)
    return chunk


def line(chunk: Any) -> str:
    return f"{chunk}\n"


def digit(chunk: Any) -> bytes:
    return str(chunk).encode()[-1:]


async def twice_soon(chunk: Any) -> list[Any]:
    await asyncio.sleep(0)
    return [chunk, chunk]


async def twice_async(chunk: Any) -> AsyncIterator[Any]:
    yield chunk
    await asyncio.sleep(0)
    yield chunk


def twice_stream(chunk: Any) -> Stream:
    return ReadableStream.from_([chunk, chunk])


def fail(_: Any) -> Any:
    raise BOOM


async def fail_soon(_: Any) -> Any:
    await asyncio.sleep(0)
    raise BOOM


class Operator(NamedTuple):
    """An operator that all tests go through."""

    apply: Callable[[Stream], Stream]
    # What comes of 0, 1, 2, 3.
    result: list[Any]
    # How many chunks of the input a read may take.
    reads: int = 1
    failing: Callable[[Stream], Stream] | None = None


OPERATORS: dict[str, Operator] = {
    "map": Operator(lambda s: s.map(same), [0, 1, 2, 3], 1, lambda s: s.map(fail)),
    "map of a coroutine": Operator(lambda s: s.map(same_soon), [0, 1, 2, 3], 1, lambda s: s.map(fail_soon)),
    "map of a ready coroutine": Operator(lambda s: s.map(same_at_once), [0, 1, 2, 3]),
    "filter": Operator(lambda s: s.filter(yes), [0, 1, 2, 3], 1, lambda s: s.filter(fail)),
    "filter of a coroutine": Operator(lambda s: s.filter(yes_soon), [0, 1, 2, 3], 1, lambda s: s.filter(fail_soon)),
    "tap": Operator(lambda s: s.tap(yes), [0, 1, 2, 3], 1, lambda s: s.tap(fail)),
    "tap of a coroutine": Operator(lambda s: s.tap(yes_soon), [0, 1, 2, 3], 1, lambda s: s.tap(fail_soon)),
    "flat_map": Operator(lambda s: s.flat_map(twice), [0, 0, 1, 1, 2, 2, 3, 3], 1, lambda s: s.flat_map(fail)),
    "flat_map of a coroutine": Operator(
        lambda s: s.flat_map(twice_soon), [0, 0, 1, 1, 2, 2, 3, 3], 1, lambda s: s.flat_map(fail_soon)
    ),
    "flat_map of async iterables": Operator(lambda s: s.flat_map(twice_async), [0, 0, 1, 1, 2, 2, 3, 3]),
    "flat_map of streams": Operator(lambda s: s.flat_map(twice_stream), [0, 0, 1, 1, 2, 2, 3, 3]),
    "map of four": Operator(
        lambda s: s.map(same_soon, concurrency=4), [0, 1, 2, 3], 17, lambda s: s.map(fail_soon, concurrency=4)
    ),
    "map of four, unordered": Operator(
        lambda s: s.map(same_at_once, concurrency=4, ordered=False),
        [0, 1, 2, 3],
        5,
        lambda s: s.map(fail_soon, concurrency=4, ordered=False),
    ),
    "map of four, by key": Operator(
        lambda s: s.map(same_soon, concurrency=4, key=same),
        [0, 1, 2, 3],
        17,
        lambda s: s.map(same_soon, concurrency=4, key=fail),
    ),
    "map with a window": Operator(
        lambda s: s.map(same_soon, window=2), [0, 1, 2, 3], 3, lambda s: s.map(fail, window=2)
    ),
    "map with a guard": Operator(
        lambda s: s.map(same_soon, timeout=5.0, limiter=asyncio.Semaphore(1)),
        [0, 1, 2, 3],
        1,
        lambda s: s.map(fail_soon, timeout=5.0),
    ),
    "take": Operator(lambda s: s.take(100), [0, 1, 2, 3]),
    "drop": Operator(lambda s: s.drop(0), [0, 1, 2, 3]),
    "batched": Operator(lambda s: s.batched(1), [[0], [1], [2], [3]]),
    "batched by time": Operator(lambda s: s.batched(1, seconds=60), [[0], [1], [2], [3]]),
    # A burst ends before the next chunk comes; that it has ended shows only while that is waited for.
    "debounced": Operator(lambda s: s.map(pause).debounced(1e-6), [0, 1, 2, 3], 2),
    "lines": Operator(lambda s: s.map(line).lines(), ["0", "1", "2", "3"]),
    "chunked": Operator(lambda s: s.map(digit).chunked(1), [b"0", b"1", b"2", b"3"]),
    "batched by time and size": Operator(
        lambda s: s.batched(size=1, size_of=lambda _: 1, seconds=60),
        [[0], [1], [2], [3]],
        1,
        lambda s: s.batched(size=1, size_of=fail, seconds=60),
    ),
    "throttled": Operator(lambda s: s.throttled(10**6, 1.0), [0, 1, 2, 3]),
    "batched by size": Operator(
        lambda s: s.batched(size=1, size_of=lambda _: 1),
        [[0], [1], [2], [3]],
        1,
        lambda s: s.batched(size=1, size_of=fail),
    ),
}

# Where the operator stands: alone, or fused with others; and over which source.
PLACES: dict[str, Callable[[Stream, Callable[[Stream], Stream]], Stream]] = {
    "alone": lambda s, apply: apply(s),
    "behind another": lambda s, apply: apply(s.filter(yes)),
    "between others": lambda s, apply: apply(s.map(same_at_once)).tap(yes),
}
KINDS: dict[str, type[Numbers]] = {"source": Numbers, "iterator": Iterated}


async def settle() -> None:
    """Wait until nothing is under way any more, and see that nothing is left."""
    await turns(10)
    gc.collect(0)
    await turns(5)
    assert other_tasks() == set()
    assert timers() == []


def timers() -> list[Any]:
    """Give the timers of the loop that have not been cancelled, as far as it shows them."""
    scheduled = getattr(asyncio.get_running_loop(), "_scheduled", [])
    return [
        handle
        for handle in scheduled
        if not handle.cancelled() and handle._callback is not None and not _is_timeout(handle)
    ]


def _is_timeout(handle: Any) -> bool:
    """Whether it is that of `asyncio.timeout()`, which a test waits with."""
    return isinstance(getattr(handle._callback, "__self__", None), asyncio.Timeout)
