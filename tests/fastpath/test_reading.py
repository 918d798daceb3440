"""Guards of the runs at whose end a user reads, each with a program that needs it: the user's code runs in between."""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakSet

from webstreams import Promise, ReadableStream, queue_microtask
from webstreams._engine.jobs import current_jobs

from .pipelines import assert_alike, await_outside_of_tasks, mapping
from .programs import periods

LAST = 60


class Chunk:
    """Can be referred to weakly."""


def logged(log: list[Any], name: str = "", copies: int = 1, mark: int = 1) -> ReadableStream[Any]:
    """Chunks that come when they are awaited, by way of two callbacks."""
    count = iter(range(LAST))

    def pull(controller: Any) -> None:
        number = next(count)
        log.append((name, "pull", number))
        controller.enqueue((name, number))
        if number == LAST - 1:
            controller.close()

    def transform(chunk: Any, controller: Any) -> None:
        log.append(("transform", chunk))
        for _ in range(copies):
            controller.enqueue(chunk)

    return ReadableStream({"pull": pull}, {"high_water_mark": 0}).pipe_through(mapping(transform, mark))


def tick(log: list[Any], left: int) -> None:
    """Tell the place of a job among those that are queued, and of those that follow."""
    log.append(("tick", left))
    if left:
        queue_microtask(tick, log, left - 1)


def in_run() -> bool:
    """Whether a run is parked."""
    return current_jobs().run is not None


def test_a_microtask_that_is_queued_before_a_read_comes_first() -> None:
    """The read calls nothing, but queues a job: the transformer waits for it."""

    async def program() -> list[Any]:
        log: list[Any] = []
        chunks = logged(log, copies=2, mark=2).values()
        for number in range(LAST):
            if number == LAST // 2:
                ran = in_run()
                queue_microtask(tick, log, 9)
            log.append(await chunks.__anext__())
        return [*log, ran and periods() > LAST // 3]

    assert_alike(program)


def test_a_microtask_that_is_queued_before_an_await_comes_first() -> None:
    async def program() -> list[Any]:
        log: list[Any] = []
        reader = logged(log).get_reader()
        for number in range(LAST):
            read = reader.read()
            if number == LAST // 2:
                ran = in_run()
                queue_microtask(tick, log, 9)
            log.append((await read).value)
        return [*log, ran and periods() > LAST // 3]

    assert_alike(program)


def test_a_read_of_another_reader_gets_a_chunk_of_its_own_stream() -> None:
    async def program() -> list[Any]:
        log: list[Any] = []
        reader = logged(log, "one").get_reader()
        other = logged(log, "other").get_reader()
        for number in range(LAST):
            log.append((await reader.read()).value)
            if number == LAST // 2:
                ran = in_run()
                log.append((await other.read()).value)
        return [*log, ran and periods() > LAST // 3]

    log = assert_alike(program)
    assert ("other", 0) in log


def test_an_earlier_read_that_is_awaited_once_more_does_not_stand_for_the_present_one() -> None:
    async def program() -> list[Any]:
        log: list[Any] = []
        reader = logged(log).get_reader()
        earlier: Any = None
        for number in range(LAST):
            read = reader.read()
            if number == LAST // 2:
                ran = in_run()
                log.append(("once more", (await earlier).value))
            log.append((await read).value)
            earlier = read
        return [*log, ran and periods() > LAST // 3]

    log = assert_alike(program)
    assert ("once more", ("", LAST // 2 - 1)) in log


def test_an_await_outside_of_all_tasks_has_to_wait() -> None:
    """Who steps it may be anywhere on the stack: no jobs run there."""

    async def program() -> list[Any]:
        log: list[Any] = []
        reads: list[Any] = []
        ran = False
        asyncio.get_running_loop().call_soon(await_outside_of_tasks, reads, log)  # before the jobs of the turn
        reader = logged(log).get_reader()
        for number in range(LAST):
            reads.append(reader.read())
            if number == LAST // 2:
                ran = in_run()
                await asyncio.sleep(0)
            log.append((await reads[-1]).value)
        return [*log, ran and periods() > LAST // 3]

    log = assert_alike(program)
    assert log[log.index("step") + 1] == "has to wait"


def test_a_chunk_that_is_none_is_put_back_when_its_iteration_is_cancelled() -> None:
    async def program() -> list[Any]:
        log: list[Any] = []
        count = iter(range(2 * LAST))

        def pull(controller: Any) -> None:
            number = next(count)
            controller.enqueue(number if number % 3 else None)

        iterator = ReadableStream({"pull": pull}, {"high_water_mark": 4}).values()
        for number in range(LAST):
            item: Any = iterator.__anext__()
            if number == LAST // 2:
                ran = in_run()
                log.append(item.cancel())
                item = iterator.__anext__()
            log.append((number, await item))
        return [*log, ran and periods() > LAST // 3]

    log = assert_alike(program)
    assert log[LAST // 2 : LAST // 2 + 2] == [True, (LAST // 2, None)]


def test_of_an_iteration_that_is_left_early_nothing_is_left() -> None:
    """The stream is cancelled: its queue stays empty."""

    async def program() -> list[Any]:
        log: list[Any] = []
        given: WeakSet[Chunk] = WeakSet()

        def pull(controller: Any) -> None:
            chunk = Chunk()
            given.add(chunk)
            controller.enqueue(chunk)

        source: Any = {"pull": pull, "cancel": lambda reason: log.append("cancel")}
        stream: ReadableStream[Chunk] = ReadableStream(source, {"high_water_mark": 4})
        number = 0
        async for _ in stream:
            number += 1
            if number == LAST:
                ran = in_run()
                break
        del _
        log.append(stream.locked)
        await Promise.resolve(None)
        log.append(await stream.get_reader().read())
        log.append(len(given))
        log.append(repr(stream))
        return [*log, ran]

    log = assert_alike(program)
    assert log[0] == "cancel"
