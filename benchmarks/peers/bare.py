"""The floor: the callbacks of the library's scenarios, called in a loop with nothing between them."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from ..catalogue import Scenario
from ..scenarios.bytes import SIZE, ByteSource, FillingSource
from ..scenarios.parts import (
    CoroutineMapping,
    CoroutineSink,
    CoroutineSource,
    Mapping,
    Sink,
    Source,
    numbers,
)


class Controller:
    """What a callback gets: hands each chunk to the next function."""

    def __init__(self, take: Callable[[Any, Any], object], target: object = None) -> None:
        self.take = take
        self.target = target
        self.open = True

    def enqueue(self, chunk: object) -> None:
        """Hand on a chunk."""
        self.take(chunk, self.target)

    def close(self) -> None:
        """End the loop."""
        self.open = False


class Slot:
    """A controller that keeps the last chunk."""

    def __init__(self) -> None:
        self.chunk: object = None
        self.open = True

    def enqueue(self, chunk: object) -> None:
        """Keep a chunk."""
        self.chunk = chunk

    def close(self) -> None:
        """End the loop."""
        self.open = False


class Request(Slot):
    """A controller and a BYOB request that has a view."""

    def __init__(self) -> None:
        super().__init__()
        self.view = memoryview(bytearray(SIZE))
        self.byob_request = self

    def respond(self, size: int) -> None:
        """Say how much was filled."""
        self.chunk = size


async def read(controller: Any, source: Any) -> int:
    """Pull to the end."""
    arrived = 0
    pull = source.pull
    pull(controller)
    while controller.open:
        arrived += 1
        pull(controller)
    return arrived


async def read_sync(chunks: int) -> int:
    """Call `pull`."""
    return await read(Slot(), Source(chunks))


async def read_coroutine(call: Callable[[Any], Awaitable[object]], chunks: int) -> int:
    """Await `pull`."""
    slot: Any = Slot()
    pull = CoroutineSource(chunks).pull
    arrived = 0
    await call(pull(slot))
    while slot.open:
        arrived += 1
        await call(pull(slot))
    return arrived


async def read_filled(chunks: int) -> int:
    """Empty a deque."""
    queue = deque(range(chunks))
    arrived = 0
    while queue:
        queue.popleft()
        arrived += 1
    return arrived


async def from_iterable(chunks: int) -> int:
    """Iterate."""
    return sum(1 for _ in numbers(chunks))


async def write(chunks: int) -> int:
    """Call `write`."""
    sink: Any = Sink()
    for number in range(chunks):
        sink.write(number, None)
    return int(sink.arrived)


async def through(stages: int, chunks: int) -> int:
    """Call `pull`, from there each `transform`, from there `write`."""
    sink = Sink()
    controller = Controller(sink.write)
    for _ in range(stages):
        transform: Any = Mapping().transform
        controller = Controller(transform, controller)
    await read(controller, Source(chunks))
    return sink.arrived


async def pipe_coroutines(call: Callable[[Any], Awaitable[object]], chunks: int) -> int:
    """Await `pull`, then `write`."""
    sink: Any = CoroutineSink()
    slot: Any = Slot()
    pull, write = CoroutineSource(chunks).pull, sink.write
    await call(pull(slot))
    while slot.open:
        await call(write(slot.chunk, slot))
        await call(pull(slot))
    return int(sink.arrived)


async def through_coroutine(call: Callable[[Any], Awaitable[object]], chunks: int) -> int:
    """Call `pull`, await `transform`, from there call `write`."""
    sink = Sink()
    slot: Any = Slot()
    target: Any = Controller(sink.write)
    pull, transform = Source(chunks).pull, CoroutineMapping().transform
    pull(slot)
    while slot.open:
        await call(transform(slot.chunk, target))
        pull(slot)
    return sink.arrived


async def tee(chunks: int) -> int:
    """Call `pull`, from there `write` of both."""
    sinks: Any = Sink(), Sink()
    slot: Any = Slot()
    pull = Source(chunks).pull
    pull(slot)
    while slot.open:
        for sink in sinks:
            sink.write(slot.chunk, slot)
        pull(slot)
    return min(int(sink.arrived) for sink in sinks)


async def read_bytes(chunks: int) -> int:
    """Call `pull`."""
    return await read(Slot(), ByteSource(chunks))


async def read_byob(chunks: int) -> int:
    """Call `pull`, which fills the view."""
    return await read(Request(), FillingSource(chunks))


def directly(coroutine: Awaitable[object]) -> Awaitable[object]:
    """Await it in the same task."""
    return coroutine


SCENARIOS: dict[str, Scenario] = {
    "read-sync": read_sync,
    "read-coroutine": partial(read_coroutine, directly),
    "read-filled": read_filled,
    "async-for": read_sync,
    "from": from_iterable,
    "write-ready": write,
    "write-await": write,
    "pipe-1": partial(through, 0),
    "pipe-16": partial(through, 0),
    "pipe-coroutines": partial(pipe_coroutines, directly),
    "through-identity": partial(through, 0),
    "through-mapping": partial(through, 1),
    "through-coroutine": partial(through_coroutine, directly),
    "four-mappings": partial(through, 4),
    "tee": tee,
    "read-bytes": read_bytes,
    "read-byob": read_byob,
}
