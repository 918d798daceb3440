"""A callback that filters its chunk: the code of a period goes on with the next one by itself (`_fastpath.linking`)."""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, NamedTuple

import pytest

from webstreams import Promise, ReadableStream, TransformStream, WritableStream, queue_microtask
from webstreams._engine import jobs as _jobs
from webstreams._engine.jobs import current_jobs
from webstreams._fastpath import performer

from ..grids import each_of
from .pipelines import mapping, on_both_paths
from .programs import EMITTED, fast_paths

CHUNKS = 64
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
PLACES = (40, 41, 50, 51)
# The high-water marks of both sides of the filter, and of the sink.
MARKS = ((1, 0, 1), (2, 0, 1), (1, 2, 3), (4, 1, 2))
# How often the clock is looked at in a turn of the loop; never where it stands still.
LOOKS = (None, 2, 7)


async def into_a_sink(stream: Stream, log: Log, mark: int = 1) -> None:
    def write(chunk: int, _: Any) -> None:
        log.append(("write", chunk))

    sink: Any = {"write": write, "abort": lambda reason: log.append(repr(reason)), "close": lambda: log.append("close")}
    await stream.pipe_to(WritableStream(sink, {"high_water_mark": mark}))


async def looped(stream: Stream, log: Log, _: int = 1) -> None:
    async for chunk in stream:
        log.append(("loop", chunk))


async def read(stream: Stream, log: Log, _: int = 1) -> None:
    with stream.get_reader() as reader:
        while not (result := await reader.read()).done:
            log.append(("read", result.value))


async def collected(stream: Stream, log: Log, _: int = 1) -> None:
    log.append(await stream.list())


async def passed_on(stream: Stream, log: Log, mark: int = 1) -> None:
    def transform(chunk: int, controller: Any) -> None:
        log.append(("pass on", chunk))
        controller.enqueue(chunk)

    await into_a_sink(stream.pipe_through(TransformStream({"transform": transform})), log, mark)


ENDS: dict[str, Callable[[Stream, Log, int], Awaitable[None]]] = {
    "into a sink": into_a_sink,
    "a loop": looped,
    "a reader": read,
    "a list": collected,
    "through another stage": passed_on,
}
# Each begins a period in its own way: the read of a pipe, a loop, what collects.
MAIN_ENDS = ("into a sink", "a loop", "a list")


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

    def a_row_of_jobs(self, count: int = 12) -> None:
        self.log.append(("job", count))
        if count > 0:
            queue_microtask(self.a_row_of_jobs, count - 1)

    def two_chunks(self) -> None:
        self.controller.enqueue(-1)
        self.controller.enqueue(-2)

    def many_chunks(self) -> None:
        for number in range(20):
            self.controller.enqueue(-number)

    def a_look(self) -> None:
        self.log.append((self.controller and self.controller.desired_size, [stream.locked for stream in self.streams]))

    def the_end(self) -> None:
        self.controller.terminate()

    def its_error(self) -> None:
        self.controller.error(LookupError("told"))


DEVIATIONS = [name for name in vars(Deviation) if not name.startswith("_")]


class Case(NamedTuple):
    """A pipeline with a filter that does something odd with some chunks."""

    end: str
    kept: str = "runs"
    odd: Mapping[int, str] = {}
    # The same, of the source, before it gives the chunk.
    odd_source: Mapping[int, str] = {}
    is_pulled: bool = False
    marks: tuple[int, int, int] = MARKS[0]
    looks: int | None = None


async def run(case: Case) -> Log:
    log: Log = []
    deviation = Deviation(log)

    def items() -> Iterator[int]:
        for number in range(CHUNKS):
            log.append(("next", number))
            if number in case.odd_source:
                getattr(deviation, case.odd_source[number])()
            yield number

    def pull(controller: Any) -> Any:
        number = next(numbers, None)
        log.append(("pull", number, controller.desired_size if case.odd else None))
        if number is None:
            controller.close()
            return None
        controller.enqueue(number)
        return getattr(deviation, case.odd_source[number])() if number in case.odd_source else None

    def transform(chunk: int, controller: Any) -> Any:
        log.append(("filter", chunk))
        deviation.controller = controller
        if KEPT[case.kept](chunk):
            controller.enqueue(chunk)
        return getattr(deviation, case.odd[chunk])() if chunk in case.odd else None

    numbers = iter(range(CHUNKS))
    source: Stream
    if case.is_pulled:
        source = ReadableStream({"pull": pull, "cancel": lambda reason: log.append(repr(reason))})
    else:
        source = ReadableStream.from_(items())
    *marks, sink_mark = case.marks
    stage = mapping(transform, *marks)
    deviation.streams = [source, stage.readable, stage.writable]
    try:
        await ENDS[case.end](source.pipe_through(stage), log, sink_mark)
    except LookupError as error:
        log.append(str(error))
    return log


def assert_alike(case: Case) -> None:
    async def program() -> Log:
        with pytest.MonkeyPatch.context() as patch:
            if case.looks is not None:
                ticks = itertools.count()
                patch.setattr(_jobs, "monotonic", lambda: next(ticks) * _jobs.TURN_BUDGET / case.looks)
            return await run(case)

    plain, fast = on_both_paths(program)
    assert fast == plain, case


@each_of(end=ENDS, kept=KEPT, looks=LOOKS)
def test_all_kinds_of_filters(end: str, kept: str, looks: int | None) -> None:
    assert_alike(Case(end, kept, is_pulled=looks == LOOKS[-1], looks=looks))


@each_of(end=MAIN_ENDS, does=DEVIATIONS, at=PLACES)
def test_a_filter_does_something_odd(end: str, does: str, at: int) -> None:
    assert_alike(Case(end, odd={at: does}))


@each_of(end=MAIN_ENDS, does=["an_error", "a_value", "a_row_of_jobs", "a_look"], at=(41, 51), is_pulled=(False, True))
def test_a_source_does_something_odd(end: str, does: str, at: int, is_pulled: bool) -> None:
    assert_alike(Case(end, odd_source={at: does}, is_pulled=is_pulled))


@pytest.mark.parametrize("end", ENDS)
def test_a_filter_is_odd_now_and_then(end: str) -> None:
    dice = random.Random(end)
    for kept in KEPT:
        looks = dice.choice(LOOKS)
        # Where the clock goes on, the two paths are in other turns of the loop, which a future can tell.
        ends = ("an_error", "the_end", "its_error", *([] if looks is None else ["a_future"]))
        harmless = [name for name in DEVIATIONS if name not in ends]
        odd = {dice.randrange(CHUNKS): dice.choice(harmless) for _ in range(dice.choice([2, 6, 20]))}
        of_source = {dice.randrange(CHUNKS): dice.choice(["a_row_of_jobs", "a_look"]) for _ in range(3)}
        assert_alike(Case(end, kept, odd, of_source, dice.random() < 0.5, dice.choice(MARKS), looks))


async def states_in(end: str, kept: str, is_pulled: bool, marks: tuple[int, int, int]) -> Log:
    """Return the states of the pipeline from which the run counts the calls of its source and its filter."""
    states: Log = []

    def look(what: str, chunk: int) -> None:
        current: Any = getattr(current_jobs().run, "current", None)
        if current is not None:
            jobs = [getattr(job, "__name__", "") for job in current.state.snapshot.jobs]
            states.append((what, chunk, current.state.kind, jobs, current.codes))

    def items() -> Iterator[int]:
        for number in range(CHUNKS):
            look("item", number)
            yield number

    def pull(controller: Any) -> None:
        number = next(numbers, None)
        look("pull", number or 0)
        if number is None:
            controller.close()
        else:
            controller.enqueue(number)

    def transform(chunk: int, controller: Any) -> None:
        look("filter", chunk)
        if KEPT[kept](chunk):
            controller.enqueue(chunk)

    *own, sink_mark = marks
    numbers = iter(range(CHUNKS))
    source: Stream = ReadableStream({"pull": pull}) if is_pulled else ReadableStream.from_(items())
    await ENDS[end](source.pipe_through(mapping(transform, *own)), [], sink_mark)
    return states


@each_of(end=ENDS, kept=["odd", "runs", "any"], is_pulled=(False, True), marks=MARKS[::3])
def test_the_states_are_those_without_links(end: str, kept: str, is_pulled: bool, marks: tuple[int, int, int]) -> None:
    found = []
    for links in (0, CHUNKS):
        with fast_paths(EMITTED), pytest.MonkeyPatch.context() as patch:
            patch.setattr(performer, "LINKS", links)
            found.append(asyncio.run(states_in(end, kept, is_pulled, marks)))
    assert found[0] == found[1]
    assert len(found[0]) > CHUNKS


@pytest.mark.parametrize("end", ENDS)
def test_one_call_of_the_code_makes_those_of_many_periods(end: str) -> None:
    """Also of those that end with a filtered chunk. Where each chunk is read, that is one with all before it."""
    frames: list[Any] = []

    def transform(chunk: int, controller: Any) -> None:
        frames.append(sys._getframe(1))
        if KEPT["odd"](chunk):
            controller.enqueue(chunk)

    async def program() -> None:
        await ENDS[end](
            ReadableStream.from_(range(CHUNKS)).pipe_through(TransformStream({"transform": transform})), [], 1
        )

    with fast_paths(EMITTED):
        asyncio.run(program())
    # Each frame is kept, so that no two have the same identity.
    assert len({id(frame) for frame in frames}) < CHUNKS * (0.75 if end in ("a loop", "a reader") else 0.3)
