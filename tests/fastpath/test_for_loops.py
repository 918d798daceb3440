"""``async for``, which reads without promises: it does what awaiting ``__anext__()`` does, on both paths."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from tests.grids import each_of
from webstreams import Promise, ReadableStream, ReadableStreamAsyncIterator, WritableStream, queue_microtask
from webstreams._platform.frames import begins_async_for

from ..waiting import another_task, each_look_ends_a_turn
from .pipelines import mapping, numbers, on_both_paths
from .test_reading import in_run, tick

LAST = 80
# When something else is done than always: in a run, and not at its begin.
ODD = LAST // 2

Log = list[Any]
Body = Callable[[Log, Any, Any], Coroutine[Any, Any, None]]


def filled(log: Log) -> ReadableStream[Any]:
    """All chunks are in the queue."""

    def start(controller: Any) -> None:
        for number in range(LAST):
            controller.enqueue(number)

    def pull(controller: Any) -> None:
        log.append("pull")
        controller.close()

    return ReadableStream({"start": start, "pull": pull, "cancel": lambda _: log.append("cancel")})


def pulled(log: Log) -> ReadableStream[Any]:
    """Each chunk comes when it is asked for."""
    count = iter(range(LAST))

    def pull(controller: Any) -> None:
        number = next(count)
        log.append(("pull", number, controller.desired_size))
        controller.enqueue(number)
        if number == LAST - 1:
            controller.close()

    source: Any = {"pull": pull, "cancel": lambda _: log.append("cancel")}
    return ReadableStream(source, {"high_water_mark": 0})


def mapped(log: Log) -> ReadableStream[Any]:
    """Each chunk comes by way of another callback."""

    def transform(chunk: Any, controller: Any) -> None:
        log.append(("transform", chunk))
        controller.enqueue(chunk)

    return pulled(log).pipe_through(mapping(transform, 1))


def filtering(log: Log) -> ReadableStream[Any]:
    def transform(chunk: Any, controller: Any) -> None:
        log.append(("transform", chunk))
        if chunk % 3:
            controller.enqueue(chunk)

    return pulled(log).pipe_through(mapping(transform))


def flattened(log: Log) -> ReadableStream[Any]:
    def transform(chunk: Any, controller: Any) -> None:
        log.append(("transform", chunk))
        for _ in range(60 if chunk % 20 == 0 else chunk % 4):
            controller.enqueue(chunk)

    return pulled(log).pipe_through(mapping(transform))


def seldom_two(log: Log) -> ReadableStream[Any]:
    """A period that has run often is not the last one that is found: others need more of the last chunks."""

    def transform(chunk: Any, controller: Any) -> None:
        log.append(("transform", chunk))
        for _ in range(1 + (chunk in (150, 200)) + 2 * (chunk == 250)):
            controller.enqueue((chunk, _))

    return pulled(log).pipe_through(mapping(transform, 4, 4))


def with_coroutines(log: Log) -> ReadableStream[Any]:
    async def transform(chunk: Any, controller: Any) -> None:
        log.append(("transform", chunk, asyncio.current_task() is not None))
        controller.enqueue(chunk)

    return pulled(log).pipe_through(mapping(transform))


def failing(log: Log) -> ReadableStream[Any]:
    def transform(chunk: Any, controller: Any) -> None:
        if chunk == ODD:
            raise ValueError("it fails")
        controller.enqueue(chunk)

    return pulled(log).pipe_through(mapping(transform))


async def nothing(log: Log, number: int, chunks: Any) -> None:
    """Do nothing in the loop."""


async def queue_jobs(log: Log, number: int, chunks: Any) -> None:
    """Queue jobs that come before those of the next read."""
    if number == ODD:
        queue_microtask(tick, log, 9)


async def let_others_run(log: Log, number: int, chunks: Any) -> None:
    if number in (3, ODD):
        await asyncio.sleep(0)


async def await_another(log: Log, number: int, chunks: Any) -> None:
    """Await a promise, which runs the jobs that are queued."""
    if number == ODD:
        queue_microtask(tick, log, 3)
        log.append(await Promise.resolve("another"))


async def read_ahead(log: Log, number: int, chunks: Any) -> None:
    """Read by hand, and leave the promise alone: its chunk is not the loop's."""
    if number == ODD:
        chunks.__anext__()._then(lambda chunk: log.append(("ahead", chunk)))


async def read_by_hand(log: Log, number: int, chunks: Any) -> None:
    if number in (2, ODD):
        log.append(("by hand", await chunks.__anext__()))


async def use_other_streams(log: Log, number: int, chunks: Any) -> None:
    if number == ODD:
        other = numbers(80)
        log.append(await other.list())
        stream = numbers(80)
        await stream.pipe_to(WritableStream({"write": lambda chunk, _: log.append(chunk)}))


async def leave(log: Log, number: int, chunks: Any) -> None:
    """Close the iteration: the loop ends by itself."""
    if number == ODD:
        await chunks.aclose()
        log.append("left")


SOURCES = [filled, pulled, mapped, filtering, flattened, seldom_two, with_coroutines, failing]
BODIES = [nothing, queue_jobs, let_others_run, await_another, read_ahead, read_by_hand, use_other_streams, leave]


async def by_loop(chunks: Any, log: Log, body: Body) -> None:
    number = 0
    async for chunk in chunks:
        log.append(chunk)
        number += 1
        await body(log, number, chunks)


async def by_hand(chunks: Any, log: Log, body: Body) -> None:
    number = 0
    while True:
        try:
            chunk = await chunks.__anext__()
        except StopAsyncIteration:
            return
        log.append(chunk)
        number += 1
        await body(log, number, chunks)


async def tick_along(log: Log) -> None:
    """Tell when another task has its turn."""
    for turn in range(20):
        await asyncio.sleep(0)
        log.append(("turn", turn))


Way = Callable[[Any, Log, Body], Coroutine[Any, Any, None]]


@each_of(body=BODIES)
@each_of(source=SOURCES)
def test_a_loop_does_what_awaits_of_anext_do(source: Callable[[Log], ReadableStream[Any]], body: Body) -> None:
    def program(way: Way) -> Callable[[], Coroutine[Any, Any, Log]]:
        async def run() -> Log:
            log: Log = []
            chunks = source(log).values()
            other = asyncio.create_task(tick_along(log))
            try:
                await way(chunks, log, body)
            except ValueError as error:
                log.append(str(error))
            log.append(repr(chunks))
            await other
            return log

        return run

    plain, fast = on_both_paths(program(by_hand))
    assert len(fast) > ODD
    assert plain == fast
    assert on_both_paths(program(by_loop)) == (plain, fast)


@each_of(source=SOURCES)
def test_in_a_callback_a_loop_waits_as_awaits_do(source: Callable[[Log], ReadableStream[Any]]) -> None:
    """The first step of a coroutine callback is within a job: no other job may run before it ends."""

    def program(way: Way) -> Callable[[], Coroutine[Any, Any, Log]]:
        async def run() -> Log:
            log: Log = []

            async def write(chunk: Any, _: Any) -> None:
                log.append(("write", chunk))
                try:
                    await way(source(log).values(), log, queue_jobs)
                except ValueError as error:
                    log.append(str(error))

            writer = WritableStream({"write": write}).get_writer()
            written = writer.write("first")
            queue_microtask(tick, log, 9)
            await written
            return log

        return run

    plain, fast = on_both_paths(program(by_hand))
    assert plain == fast
    assert on_both_paths(program(by_loop)) == (plain, fast)


@each_of(source=SOURCES)
def test_a_loop_that_is_broken_off_cancels_in_its_place(source: Callable[[Log], ReadableStream[Any]]) -> None:
    async def program() -> Log:
        log: Log = []
        stream = source(log)
        number = 0
        async for chunk in stream:
            log.append(chunk)
            number += 1
            if number == ODD - 1:
                break
        log.append(stream.locked)
        queue_microtask(tick, log, 5)
        await asyncio.sleep(0)
        return log

    plain, fast = on_both_paths(program)
    assert plain == fast
    if source is not failing:
        assert "cancel" in fast and False in fast


def test_an_iterator_can_be_used_after_its_loop() -> None:
    async def program() -> Log:
        log: Log = []
        chunks = numbers(LAST).values()
        async for chunk in chunks:
            if chunk == ODD:
                break
        log.append(await chunks.__anext__())
        async for chunk in chunks:
            log.append(chunk)
        return log

    plain, fast = on_both_paths(program)
    assert plain == fast == list(range(ODD + 1, LAST))


async def take_one(chunks: Any, log: Log) -> None:
    async for chunk in chunks:
        log.append(("taken", chunk))
        break


def step_outside_of_tasks(iterators: list[Any], log: Log) -> None:
    """Step a loop as a callback of the event loop does, and note what came of it."""
    log.append("step")
    try:
        take_one(iterators[0], log).send(None)
    except StopIteration:
        log.append("came at once")
    else:
        log.append("has to wait")


@pytest.mark.parametrize("source", [filled, pulled])
def test_a_loop_outside_of_all_tasks_has_to_wait(source: Callable[[Log], ReadableStream[Any]]) -> None:
    """Who steps it may be anywhere on the stack: no jobs run there."""

    async def program() -> Log:
        log: Log = []
        iterators: list[Any] = []
        asyncio.get_running_loop().call_soon(step_outside_of_tasks, iterators, log)  # before the jobs of the turn
        chunks = source(log).values()
        iterators.append(chunks)
        number = 0
        async for chunk in chunks:
            log.append(chunk)
            number += 1
            if number == ODD:
                await asyncio.sleep(0)
        return log

    plain, fast = on_both_paths(program)
    assert plain == fast
    assert "has to wait" in fast[fast.index("step") :]


def test_a_loop_that_a_job_steps_has_to_wait() -> None:
    """The task that runs the jobs is on the stack: no other job may run before this one ends."""

    async def program() -> Log:
        log: Log = []
        chunks = filled(log).values()
        queue_microtask(step_outside_of_tasks, [chunks], log)
        log.append(await Promise.resolve("another"))
        return log

    plain, fast = on_both_paths(program)
    assert plain == fast
    assert fast[:2] == ["step", "has to wait"]


def test_a_loop_that_a_callback_of_its_own_run_steps_has_to_wait() -> None:
    """The read of the loop is not over: the next chunk must not come before its own."""

    async def program() -> Log:
        log: Log = []
        iterators: list[Any] = []
        count = iter(range(LAST))

        def pull(controller: Any) -> None:
            number = next(count)
            log.append(("pull", number))
            if number == ODD:
                step_outside_of_tasks(iterators, log)
            controller.enqueue(number)
            if number == LAST - 1:
                controller.close()

        iterators.append(ReadableStream({"pull": pull}).values())
        async for chunk in iterators[0]:
            log.append(chunk)
        return log

    plain, fast = on_both_paths(program)
    assert plain == fast
    assert "has to wait" in fast


def test_a_read_whose_chunk_comes_late_does_not_get_an_earlier_one() -> None:
    """The promise of the loop has given chunks before: it must be as new."""

    async def program() -> Log:
        log: Log = []
        count = iter(range(LAST))

        def pull(controller: Any) -> None:
            number = next(count)
            if number == ODD:
                log.append(repr(stream))  # the run is left
                asyncio.get_running_loop().call_soon(controller.enqueue, number)
            else:
                controller.enqueue(number)
            if number == ODD - 1:
                controller.enqueue("one more")
            if number == LAST - 1:
                controller.close()

        stream: ReadableStream[Any] = ReadableStream({"pull": pull}, {"high_water_mark": 0})
        async for chunk in stream:
            log.append(chunk)
        return log

    plain, fast = on_both_paths(program)
    assert plain == fast
    assert [each for each in fast if type(each) is int] == list(range(LAST))


def test_another_task_has_its_turns_while_a_run_has_a_loop() -> None:
    """The clock stands until the run goes on in the loop."""

    async def program() -> list[bool]:
        chunks = numbers(3 * LAST).values()
        async with another_task() as beats:
            async for number in chunks:
                if number == ODD:
                    break
            ran, before = in_run(), beats.count
            with each_look_ends_a_turn():
                async for _ in chunks:
                    pass
            return [ran, beats.count - before > 10]

    assert on_both_paths(program) == ([False, True], [True, True])


def test_a_loop_over_another_stream_gets_chunks_of_its_own() -> None:
    async def program() -> Log:
        log: Log = []
        other = pulled(log).map(str).values()
        log.append(await other.__anext__())
        number = 0
        async for chunk in pulled(log):
            log.append(chunk)
            number += 1
            if number == ODD:
                await take_one(other, log)
        return log

    plain, fast = on_both_paths(program)
    assert plain == fast
    assert ("taken", "1") in fast


# Who asks.


class Asked:
    """Notes whether a loop has asked for its iterator."""

    def __init__(self) -> None:
        self.by_loop: bool | None = None

    def __aiter__(self) -> AsyncIterator[Any]:
        self.by_loop = begins_async_for(sys._getframe(1))
        return nobody()


class Indirect(Asked):
    def __aiter__(self) -> AsyncIterator[Any]:
        return super().__aiter__()


async def nobody() -> AsyncIterator[Any]:
    return
    yield


async def test_a_loop_is_told_from_who_asks_for_an_iterator() -> None:
    loop, comprehension, traced, called, built_in, indirect = asked = [*(Asked() for _ in range(5)), Indirect()]
    async for _ in loop:
        pass
    assert [_ async for _ in comprehension] == []
    sys.settrace(lambda *_: None)
    try:
        async for _ in traced:
            pass
    finally:
        sys.settrace(None)
    called.__aiter__()
    aiter(built_in)
    async for _ in indirect:
        pass
    assert [each.by_loop for each in asked] == [True, True, True, False, False, False]


async def test_who_asks_for_an_iterator_gets_promises() -> None:
    for ask in (aiter, type(numbers(1)).__aiter__, lambda stream: aiter(stream.values())):
        iterator: Any = ask(numbers(3))
        assert type(iterator) is ReadableStreamAsyncIterator
        promises = [iterator.__anext__() for _ in range(2)]
        assert all(isinstance(each, Promise) for each in promises)
        assert [await each for each in promises] == [0, 1]
