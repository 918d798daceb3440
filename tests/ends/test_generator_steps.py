"""Generators that are stepped by hand, between one chunk and the next: nothing tells them from coroutines of a task."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from typing import Any

import pytest

from tests.faults.helpers import failure, other_tasks, soon, turns
from webstreams import ReadableStream, WritableStreamDefaultWriter, generator_transform
from webstreams.observe import observe

from .web import until

VARIABLE: ContextVar[str] = ContextVar("VARIABLE", default="as new")

Change = Callable[[AsyncIterator[int]], AsyncIterator[Any]]


def ends_of(change: Change) -> tuple[WritableStreamDefaultWriter[int], Any]:
    """The writer and the reader of a generator transform."""
    pair = generator_transform(change)
    return pair.writable.get_writer(), pair.readable.get_reader()


async def test_a_time_limit_around_the_input() -> None:
    """The chunk that comes later is not lost."""

    async def change(chunks: AsyncIterator[int]) -> AsyncIterator[Any]:
        try:
            async with asyncio.timeout(0.001):
                await anext(chunks)
        except TimeoutError:
            yield "too late"
        async for chunk in chunks:
            yield chunk

    writer, reader = ends_of(change)
    assert (await soon(reader.read())).value == "too late"
    writing = writer.write(1)
    assert (await soon(reader.read())).value == 1
    await soon(writing)


async def test_a_task_that_is_kept_can_be_cancelled_between_chunks() -> None:
    tasks: list[Any] = []

    async def change(chunks: AsyncIterator[int]) -> AsyncIterator[Any]:
        async for chunk in chunks:
            tasks.append(asyncio.current_task())
            yield chunk

    writer, reader = ends_of(change)
    for number in range(5):
        reading = reader.read()
        await soon(writer.write(number))
        assert (await soon(reading)).value == number
    assert len(set(tasks)) == 5, "who has kept a task does not meet it again"
    reading = reader.read()
    await turns()
    (waiting,) = other_tasks()
    waiting.cancel()
    assert "CancelledError" in str(await failure(reading))


async def test_a_chunk_that_has_come_goes_back_if_the_generator_was_cancelled() -> None:
    """The task is cancelled after the chunk has come, and before the generator has got it."""
    seen: list[object] = []

    async def change(chunks: AsyncIterator[int]) -> AsyncIterator[Any]:
        task: Any = asyncio.current_task()
        asyncio.get_running_loop().call_soon(task.cancel)
        try:
            await asyncio.sleep(0)
            seen.append(await anext(chunks))
        except asyncio.CancelledError:
            task.uncancel()
            yield "cancelled"
        async for chunk in chunks:
            yield chunk

    writer, reader = ends_of(change)
    reading = reader.read()
    await turns(5)
    writing = writer.write(1)
    assert (await soon(reading)).value == "cancelled"
    assert (await soon(reader.read())).value == 1
    await soon(writing)
    assert seen == []


async def test_the_context_is_new_for_each_item_and_one_within_it() -> None:
    seen: list[str] = []

    async def change(chunks: AsyncIterator[int]) -> AsyncIterator[Any]:
        while True:
            seen.append(VARIABLE.get())
            VARIABLE.set("touched")
            try:
                chunk = await anext(chunks)
            except StopAsyncIteration:
                return
            seen.append(VARIABLE.get())
            yield chunk

    stream = ReadableStream.from_(range(3)).pipe_through(generator_transform(change))
    assert await stream.list() == [0, 1, 2]
    assert seen == ["as new", "touched"] * 3 + ["as new"]


@pytest.mark.parametrize("is_silent", [True, False])
async def test_leaving_closes_a_generator_with_what_it_awaits(is_silent: bool) -> None:
    log: list[str] = []

    async def change(chunks: AsyncIterator[int]) -> AsyncIterator[Any]:
        try:
            async for chunk in chunks:
                yield chunk
        except BaseException as error:
            log.append(type(error).__name__)
            raise
        finally:
            await asyncio.sleep(0)
            log.append("closed")

    writer, reader = ends_of(change)
    reading = reader.read()
    await turns()
    if not is_silent:
        await soon(writer.write(1))
        await soon(reading)
    await soon(reader.cancel("enough"))
    assert log == ["CancelledError" if is_silent else "GeneratorExit", "closed"]
    await until(lambda: not other_tasks())


async def test_observing_may_begin_while_a_generator_waits() -> None:
    async def change(chunks: AsyncIterator[int]) -> AsyncIterator[Any]:
        async for chunk in chunks:
            yield chunk

    async def give() -> AsyncIterator[int]:
        for number in range(20):
            yield number

    pair = generator_transform(change)
    writer, reader = pair.writable.get_writer(), pair.readable.get_reader()
    reading = reader.read()
    await turns()
    observed = observe(pair.readable)
    for number in range(4):
        await soon(writer.write(number))
        assert (await soon(reading)).value == number
        reading = reader.read()
    assert sum(stage.chunks_out for stage in observed.stages) == 4
    assert "change" in {stage.name for stage in observed.stages}
    await soon(reader.cancel())
    assert (await soon(reading)).done
    # A chain that has asked the generator itself asks its stream from then on.
    source = ReadableStream.from_(give())
    doubled = source.map(lambda number: 2 * number).get_reader()
    assert (await soon(doubled.read())).value == 0
    observed = observe(source)
    assert [(await soon(doubled.read())).value for _ in range(3)] == [2, 4, 6]
    assert observed.stages[0].chunks_out == 3


# A chain of operators that asks an asynchronous generator.


async def test_a_chain_asks_a_generator_for_no_more_than_it_gives() -> None:
    log: list[object] = []

    async def give() -> AsyncIterator[int]:
        try:
            for number in range(100):
                log.append(number)
                if number == 4:
                    await asyncio.sleep(0)
                yield number
        finally:
            await asyncio.sleep(0)
            log.append("closed")

    reader = ReadableStream.from_(give()).map(str).filter(lambda text: text != "1").get_reader()
    await turns()
    assert log == []
    assert [(await soon(reader.read())).value for _ in range(4)] == ["0", "2", "3", "4"]
    await turns()
    assert log == [0, 1, 2, 3, 4]
    await soon(reader.cancel("enough"))
    assert log == [0, 1, 2, 3, 4, "closed"]
    await until(lambda: not other_tasks())


async def test_the_error_of_a_generator_is_that_of_the_chain_and_of_its_stream() -> None:
    error = ValueError("bad")

    async def give() -> AsyncIterator[int]:
        yield 1
        raise error

    source = ReadableStream.from_(give())
    reader = source.map(str).get_reader()
    assert (await soon(reader.read())).value == "1"
    assert await failure(reader.read()) is error
    assert not source.locked
    assert await failure(source.get_reader().closed) is error


async def test_a_generator_whose_chain_waits_can_be_closed() -> None:
    log: list[str] = []

    async def give() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            log.append("cancelled")
            raise

    source = ReadableStream.from_(give())
    reader = source.map(str).get_reader()
    assert (await soon(reader.read())).value == "1"
    reading = reader.read()
    await turns()
    await soon(reader.cancel("enough"))
    assert (await soon(reading)).done
    assert log == ["cancelled"]
    await until(lambda: not other_tasks())


async def test_a_chain_whose_generator_somebody_else_has_closed_is_an_error() -> None:
    async def give() -> AsyncIterator[int]:
        for number in range(9):
            yield number

    generator: Any = give()
    reader = ReadableStream.from_(generator).map(str).get_reader()
    assert (await soon(reader.read())).value == "0"
    await generator.aclose()
    assert "somebody else has closed" in str(await failure(reader.read()))


async def test_a_generator_in_a_chain_sees_a_task_and_its_own_context() -> None:
    seen: list[object] = []

    async def give() -> AsyncIterator[int]:
        for number in range(40):
            seen.append((VARIABLE.get(), asyncio.current_task() is not outer))
            VARIABLE.set("touched")
            yield number

    outer = asyncio.current_task()
    stream = ReadableStream.from_(give()).map(lambda number: number)
    VARIABLE.set("of the consumer")
    assert await stream.list() == list(range(40))
    assert seen == [("as new", True)] * 40


async def test_a_chain_asks_a_generator_itself() -> None:
    """No promise and no job comes between its items and the functions."""
    given: list[int] = []

    async def give() -> AsyncIterator[int]:
        for number in range(100):
            given.append(number)
            yield number

    reader = ReadableStream.from_(give()).filter(lambda number: number % 50 == 0).get_reader()
    assert (await soon(reader.read())).value == 0
    await turns()
    reading = reader.read()
    assert given == list(range(51))
    assert (await soon(reading)).value == 50
