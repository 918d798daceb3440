"""A callback that filters its chunk: the code of a period goes on with the next one by itself (`_fastpath.linking`)."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from webstreams import Promise, ReadableStream, TransformStream, WritableStream, queue_microtask

from ..grids import each_of
from .pipelines import on_both_paths
from .programs import EMITTED, fast_paths

CHUNKS = 120
Log = list[Any]
Stream = ReadableStream[int]
# Which chunks a filter keeps: every second one, few, many, those of runs, and those that a die chose.
KEPT: dict[str, Callable[[int], bool]] = {
    "odd": lambda chunk: chunk % 2 == 1,
    "one of seven": lambda chunk: chunk % 7 == 3,
    "all but one of seven": lambda chunk: chunk % 7 != 3,
    "runs": lambda chunk: chunk % 20 >= 10,
    "any": lambda chunk: random.Random(chunk).random() < 0.5,
}
# After chunks of a filter that were kept and that were not, in runs of both.
PLACES = (60, 61, 66, 70, 71, 87, 88)


async def into_a_sink(stream: Stream, log: Log) -> None:
    def write(chunk: int, _: Any) -> None:
        log.append(("write", chunk))

    await stream.pipe_to(WritableStream({"write": write, "abort": lambda reason: log.append(repr(reason)), "close": lambda: log.append("close")}))


async def looped(stream: Stream, log: Log) -> None:
    async for chunk in stream:
        log.append(("loop", chunk))


async def read(stream: Stream, log: Log) -> None:
    with stream.get_reader() as reader:
        while not (result := await reader.read()).done:
            log.append(("read", result.value))


async def collected(stream: Stream, log: Log) -> None:
    log.append(await stream.list())


async def passed_on(stream: Stream, log: Log) -> None:
    def transform(chunk: int, controller: Any) -> None:
        log.append(("pass on", chunk))
        controller.enqueue(chunk)

    await into_a_sink(stream.pipe_through(TransformStream({"transform": transform})), log)


ENDS: dict[str, Callable[[Stream, Log], Awaitable[None]]] = {
    "into a sink": into_a_sink,
    "a loop": looped,
    "a reader": read,
    "a list": collected,
    "through another stage": passed_on,
}


def fail() -> None:
    raise LookupError("enough")


class Deviation:
    """What the filter does once instead of what it always does."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.controller: Any = None
        self.streams: list[Any] = []

    def nothing(self) -> None:
        """Do as always."""

    def an_error(self) -> None:
        fail()

    def a_value(self) -> int:
        return 5

    def a_promise(self) -> Any:
        return Promise.resolve(None).then(lambda _: self.log.append("then"))

    def a_future(self) -> Any:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        loop.call_soon(self.log.append, "later")
        loop.call_soon(future.set_result, None)
        return future

    def a_job(self) -> None:
        queue_microtask(self.log.append, "job")

    def two_chunks(self) -> None:
        self.controller.enqueue(-1)
        self.controller.enqueue(-2)

    def many_chunks(self) -> None:
        for number in range(20):
            self.controller.enqueue(-number)

    def a_look(self) -> None:
        self.log.append((self.controller.desired_size, [stream.locked for stream in self.streams]))

    def the_end(self) -> None:
        self.controller.terminate()

    def its_error(self) -> None:
        self.controller.error(LookupError("told"))


DEVIATIONS = [name for name in vars(Deviation) if not name.startswith("_")]


async def run(kept: Callable[[int], bool], end: str, odd: dict[int, str], is_pulled: bool) -> Log:
    """Run a pipeline whose filter does something odd with some chunks."""
    log: Log = []
    deviation = Deviation(log)

    def items() -> Iterator[int]:
        for number in range(CHUNKS):
            log.append(("next", number))
            yield number

    def pull(controller: Any) -> None:
        number = next(numbers, None)
        log.append(("pull", number, controller.desired_size if odd else None))
        if number is None:
            controller.close()
        else:
            controller.enqueue(number)

    def transform(chunk: int, controller: Any) -> Any:
        log.append(("filter", chunk))
        deviation.controller = controller
        does: Callable[[], Any] | None = getattr(deviation, odd[chunk]) if chunk in odd else None
        if kept(chunk):
            controller.enqueue(chunk)
        return None if does is None else does()

    numbers = iter(range(CHUNKS))
    source: Stream = ReadableStream({"pull": pull, "cancel": lambda reason: log.append(repr(reason))}) if is_pulled else ReadableStream.from_(items())
    stage: TransformStream[int, int] = TransformStream({"transform": transform, "flush": lambda _: log.append("flush")})
    deviation.streams = [source, stage.readable, stage.writable]
    try:
        await ENDS[end](source.pipe_through(stage), log)
    except LookupError as error:
        log.append(str(error))
    return log


@each_of(end=ENDS, kept=KEPT, is_pulled=(False, True))
def test_all_kinds_of_filters(end: str, kept: str, is_pulled: bool) -> None:
    plain, fast = on_both_paths(lambda: run(KEPT[kept], end, {}, is_pulled))
    assert fast == plain


@each_of(end=ENDS, does=DEVIATIONS, at=PLACES)
def test_a_filter_does_something_odd(end: str, does: str, at: int) -> None:
    plain, fast = on_both_paths(lambda: run(KEPT["runs"], end, {at: does}, False))
    assert fast == plain


@pytest.mark.parametrize("end", ENDS)
def test_a_filter_is_odd_now_and_then(end: str) -> None:
    dice = random.Random(end)
    harmless = [name for name in DEVIATIONS if name not in ("an_error", "the_end", "its_error")]
    for kept in KEPT.values():
        odd = {dice.randrange(CHUNKS): dice.choice(harmless) for _ in range(dice.choice([2, 6, 20]))}
        is_pulled = dice.random() < 0.5
        plain, fast = on_both_paths(lambda kept=kept, odd=odd, is_pulled=is_pulled: run(kept, end, odd, is_pulled))  # type: ignore[misc]
        assert fast == plain, (odd, is_pulled)


@pytest.mark.parametrize("end", ENDS)
def test_one_call_of_the_code_makes_those_of_many_periods(end: str) -> None:
    """Also of those that end with a filtered chunk. Where each chunk is read, that is one with all before it."""
    frames: list[Any] = []

    def transform(chunk: int, controller: Any) -> None:
        frames.append(sys._getframe(1))
        if KEPT["odd"](chunk):
            controller.enqueue(chunk)

    async def program() -> None:
        await ENDS[end](ReadableStream.from_(range(CHUNKS)).pipe_through(TransformStream({"transform": transform})), [])

    with fast_paths(EMITTED):
        asyncio.run(program())
    # Each frame is kept, so that no two have the same identity.
    assert len({id(frame) for frame in frames}) < CHUNKS * (0.75 if end in ("a loop", "a reader") else 0.3)
