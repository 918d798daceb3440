"""Iterables, functions and generators as ends and transforms."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from typing import Any

import pytest

from tests.faults.helpers import failure, other_tasks, read_all, reason, soon, turns
from webstreams import ReadableStream, StreamError, WritableStream
from webstreams._streams.readable.source import Source
from webstreams.ends.iterables import (
    as_blocking_iterable,
    from_blocking_iterable,
    generator_transform,
    to_callable,
    to_generator,
)

from .web import until


class Endless:
    """A source of numbers, which remembers why it was cancelled."""

    def __init__(self) -> None:
        self.given = 0
        self.cancelled: list[object] = []

    def pull(self, controller: Any) -> None:
        controller.enqueue(self.given)
        self.given += 1

    def cancel(self, reason: object) -> None:
        self.cancelled.append(reason)

    def is_cancelled(self) -> bool:
        return bool(self.cancelled)

    def stream(self) -> ReadableStream[int]:
        return ReadableStream(self, {"high_water_mark": 0})


# From a blocking iterable.


class Blocking:
    """A generator that waits for a lock before each item."""

    def __init__(self) -> None:
        self.may_go = threading.Semaphore(0)
        self.threads: set[str] = set()
        self.given = 0
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[int]:
        try:
            while True:
                self.may_go.acquire()
                self.threads.add(threading.current_thread().name)
                self.given += 1
                yield self.given
        finally:
            self.closed.set()


async def test_a_blocking_iterable_does_not_hold_the_loop() -> None:
    source = Blocking()
    reader = from_blocking_iterable(source).get_reader()
    waiting = reader.read()
    await turns(20)
    assert not waiting.done()
    source.may_go.release()
    assert (await soon(waiting)).value == 1
    source.may_go.release()
    assert (await soon(reader.read())).value == 2
    cancelling = reader.cancel()
    source.may_go.release()
    await soon(cancelling)
    assert source.closed.is_set()
    assert len(source.threads) == 1 and threading.current_thread().name not in source.threads


async def test_a_blocking_iterable_waits_for_its_reader() -> None:
    source = Blocking()
    for _ in range(100):
        source.may_go.release()
    reader = from_blocking_iterable(source).get_reader()
    await turns(20)
    assert source.given == 0
    await soon(reader.read())
    await asyncio.sleep(0.02)
    assert source.given <= 3
    await soon(reader.cancel())
    assert source.closed.is_set()


async def test_the_error_of_a_blocking_iterable() -> None:
    error = ValueError("bad")

    def fail() -> Iterator[int]:
        yield 1
        raise error

    reader = from_blocking_iterable(fail()).get_reader()
    assert (await soon(reader.read())).value == 1
    assert await failure(reader.read()) is error


async def test_plain_containers_are_blocking_iterables_too() -> None:
    assert await read_all(from_blocking_iterable([3, 4])) == [3, 4]
    assert await read_all(from_blocking_iterable(range(3), high_water_mark=10)) == [0, 1, 2]
    assert await read_all(from_blocking_iterable({})) == []


@pytest.mark.parametrize("wrong", ["text", b"bytes", bytearray(3), 3, None])
async def test_what_is_no_blocking_iterable(wrong: Any) -> None:
    with pytest.raises(TypeError, match="from_blocking_iterable"):
        from_blocking_iterable(wrong)


# As a blocking iterable.


async def test_a_stream_read_by_a_for_loop_in_a_thread() -> None:
    stream = ReadableStream.from_(range(100))
    chunks = as_blocking_iterable(stream)
    assert stream.locked
    assert await asyncio.to_thread(list, chunks) == list(range(100))
    await until(lambda: not stream.locked)


def take(chunks: Iterator[int], count: int) -> list[int]:
    taken = []
    for chunk in chunks:
        taken.append(chunk)
        if len(taken) == count:
            break
    return taken


async def test_leaving_a_blocking_loop_cancels() -> None:
    source = Endless()
    assert await asyncio.to_thread(take_of, as_blocking_iterable(source.stream()), 3) == [0, 1, 2]
    await until(lambda: source.cancelled == [None])
    assert source.given == 3


def take_of(chunks: Generator[int, None, None], count: int) -> list[int]:
    """Take some, and close the iterator as dropping it does."""
    taken = take(chunks, count)
    chunks.close()
    return taken


async def test_dropping_a_blocking_iterable_cancels() -> None:
    source = Endless()
    chunks = as_blocking_iterable(source.stream())
    del chunks
    gc.collect()
    await until(lambda: source.cancelled == [None])


async def test_the_error_of_a_stream_in_a_blocking_loop() -> None:
    error = ValueError("bad")

    def fail(controller: Any) -> None:
        raise error

    chunks = as_blocking_iterable(ReadableStream({"pull": fail}))
    assert await failure(asyncio.to_thread(list, chunks)) is error


async def test_a_blocking_loop_in_the_thread_of_the_event_loop() -> None:
    stream = ReadableStream.from_([1])
    with pytest.raises(RuntimeError, match="block the loop"):
        list(as_blocking_iterable(stream))
    await turns()
    locked: ReadableStream[int] = ReadableStream()
    locked.get_reader()
    with pytest.raises(TypeError, match="locked"):
        as_blocking_iterable(locked)


# To a function.


async def test_a_function_takes_the_chunks() -> None:
    taken: list[int] = []
    await ReadableStream.from_([1, 2]).pipe_to(to_callable(taken.append))
    assert taken == [1, 2]


async def test_a_coroutine_function_slows_the_stream_down() -> None:
    go = asyncio.Event()
    taken: list[int] = []

    async def take_one(number: int) -> None:
        await go.wait()
        taken.append(number)

    source = Endless()
    pipe = source.stream().pipe_to(to_callable(take_one))
    await turns(20)
    assert source.given <= 2
    go.set()
    await until(lambda: len(taken) > 10)
    pipe_task = asyncio.ensure_future(pipe)
    pipe_task.cancel()
    await asyncio.wait([pipe_task])


async def test_the_error_of_a_function() -> None:
    error = ValueError("bad")

    def fail(chunk: object) -> None:
        raise error

    source = Endless()
    assert await failure(source.stream().pipe_to(to_callable(fail))) is error
    assert source.cancelled == [error]
    with pytest.raises(TypeError, match="function"):
        to_callable(3)  # type: ignore[arg-type]


# To a generator.


class Log:
    """What happened in a generator."""

    def __init__(self) -> None:
        self.events: list[object] = []

    def plain(self) -> Generator[None, Any, None]:
        self.events.append("started")
        try:
            while True:
                self.events.append((yield))
        except BaseException as error:
            self.events.append(error)
            raise
        finally:
            self.events.append("finished")

    async def asynchronous(self) -> AsyncGenerator[None, Any]:
        self.events.append("started")
        try:
            while True:
                self.events.append((yield))
                await asyncio.sleep(0)
        except BaseException as error:
            self.events.append(error)
            raise
        finally:
            await asyncio.sleep(0)
            self.events.append("finished")


KINDS = pytest.mark.parametrize("kind", ["plain", "asynchronous"])


@KINDS
async def test_a_generator_takes_the_chunks_and_is_closed(kind: str) -> None:
    log = Log()
    await ReadableStream.from_([1, 2]).pipe_to(to_generator(getattr(log, kind)()))
    assert log.events[:3] == ["started", 1, 2]
    assert isinstance(log.events[3], GeneratorExit)
    assert log.events[4:] == ["finished"]


@KINDS
@pytest.mark.parametrize("why", [ValueError("bad"), "text"])
async def test_aborting_throws_into_the_generator(kind: str, why: object) -> None:
    log = Log()
    writer = to_generator(getattr(log, kind)()).get_writer()
    await writer.write(1)
    await soon(writer.abort(why))
    thrown = log.events[2]
    assert thrown is why or (isinstance(thrown, StreamError) and thrown.reason == why)
    assert log.events[3:] == ["finished"]


def fails_plainly(error: Exception) -> Generator[None, Any, None]:
    yield
    raise error


async def fails_asynchronously(error: Exception) -> AsyncGenerator[None, Any]:
    yield
    raise error


@pytest.mark.parametrize("function", [fails_plainly, fails_asynchronously])
async def test_the_error_of_a_generator(function: Callable[[Exception], Any]) -> None:
    error = ValueError("bad")
    writer = to_generator(function(error)).get_writer()
    assert await failure(writer.write(1)) is error
    await soon(writer.abort())


def returns_plainly(count: int) -> Generator[None, Any, None]:
    for _ in range(count):
        yield


async def returns_asynchronously(count: int) -> AsyncGenerator[None, Any]:
    for _ in range(count):
        yield


@pytest.mark.parametrize("function", [returns_plainly, returns_asynchronously])
@pytest.mark.parametrize("count", [0, 1, 3])
async def test_a_generator_that_has_had_enough(function: Callable[[int], Any], count: int) -> None:
    source = Endless()
    error = await failure(source.stream().pipe_to(to_generator(function(count))))
    assert isinstance(error, BrokenPipeError)
    assert source.cancelled == [error]
    assert source.given <= count + 1


def swallows_plainly() -> Generator[None, Any, None]:
    try:
        yield
    except ValueError:
        yield  # goes on


async def swallows_asynchronously() -> AsyncGenerator[None, Any]:
    try:
        yield
    except ValueError:
        yield  # goes on


@pytest.mark.parametrize("function", [swallows_plainly, swallows_asynchronously])
async def test_a_generator_that_goes_on_after_an_abort_is_closed(function: Callable[[], Any]) -> None:
    generator = function()
    stream: WritableStream[Any] = to_generator(generator)
    await turns()
    await soon(stream.abort(ValueError("stop")))
    assert getattr(generator, "gi_frame", getattr(generator, "ag_frame", None)) is None


async def test_an_abort_that_makes_a_generator_fail() -> None:
    error = OSError("while cleaning up")

    def fail() -> Generator[None, Any, None]:
        try:
            yield
        finally:
            raise error

    assert await failure(to_generator(fail()).abort("enough")) is error


async def test_what_is_no_generator() -> None:
    for wrong in ([1], Log().plain, None):
        with pytest.raises(TypeError, match="generator"):
            to_generator(wrong)  # type: ignore[arg-type]


# Through an asynchronous generator.


async def doubled(chunks: AsyncIterator[int]) -> AsyncGenerator[int, None]:
    async for chunk in chunks:
        yield chunk
        yield chunk


async def first_two(chunks: AsyncIterator[int]) -> AsyncGenerator[int, None]:
    count = 0
    async for chunk in chunks:
        yield chunk
        count += 1
        if count == 2:
            return


async def test_a_generator_as_a_transform() -> None:
    stream = ReadableStream.from_([1, 2]).pipe_through(generator_transform(doubled))
    assert await read_all(stream.pipe_through(generator_transform(doubled))) == [1] * 4 + [2] * 4
    await until(lambda: not other_tasks())


async def test_a_generator_takes_no_more_than_is_asked_for() -> None:
    source = Endless()
    reader = source.stream().pipe_through(generator_transform(doubled)).get_reader()
    await turns(10)
    assert source.given <= 1
    await reader.read()
    await reader.read()
    await turns(10)
    assert source.given <= 2
    await reader.cancel("enough")


async def test_a_transform_that_has_had_enough_stops_the_source() -> None:
    source = Endless()
    assert await read_all(source.stream().pipe_through(generator_transform(first_two))) == [0, 1]
    await until(lambda: bool(source.cancelled))
    assert isinstance(source.cancelled[0], BrokenPipeError)


async def test_cancelling_closes_the_generator_and_stops_the_source() -> None:
    for reads in range(4):
        source = Endless()
        reader = source.stream().pipe_through(generator_transform(doubled)).get_reader()
        for _ in range(reads):
            await reader.read()
        await soon(reader.cancel("enough"))
        await until(source.is_cancelled)
        assert source.cancelled == ["enough"]
        await until(lambda: not other_tasks())


async def test_cancelling_a_generator_that_waits() -> None:
    finished: list[str] = []

    async def waits(chunks: AsyncIterator[int]) -> AsyncGenerator[int, None]:
        try:
            await asyncio.get_running_loop().create_future()
            yield 1
        finally:
            finished.append("finished")

    transform = generator_transform(waits)
    reader = transform.readable.get_reader()
    waiting = reader.read()
    await turns()
    await soon(reader.cancel("enough"))
    assert (await waiting).done
    assert finished == ["finished"]
    assert await reason(transform.writable.get_writer().closed) == "enough"
    await until(lambda: not other_tasks())


async def test_the_error_of_a_transform_is_that_of_both_sides() -> None:
    error = ValueError("bad")

    async def fails(chunks: AsyncIterator[int]) -> AsyncGenerator[int, None]:
        async for chunk in chunks:
            yield chunk
            raise error

    source = Endless()
    reader = source.stream().pipe_through(generator_transform(fails)).get_reader()
    await reader.read()
    assert await failure(reader.read()) is error
    await until(lambda: source.cancelled == [error])


async def test_an_abort_is_raised_in_the_generator() -> None:
    seen: list[BaseException] = []

    async def watches(chunks: AsyncIterator[int]) -> AsyncGenerator[str, None]:
        try:
            async for chunk in chunks:
                yield str(chunk)
        except ValueError as error:
            seen.append(error)
            yield "the end"

    transform = generator_transform(watches)
    error = ValueError("bad")
    reader = transform.readable.get_reader()
    waiting = reader.read()
    await turns()
    await transform.writable.abort(error)
    assert (await soon(waiting)).value == "the end"
    assert seen == [error]
    assert (await soon(reader.read())).done


async def test_any_asynchronous_iterable_is_a_transform() -> None:
    class Iterable:
        def __init__(self, chunks: AsyncIterator[int]) -> None:
            self.chunks = chunks

        def __aiter__(self) -> AsyncIterator[int]:
            return self.chunks

    stream = ReadableStream.from_([1, 2]).pipe_through(generator_transform(Iterable))
    assert await read_all(stream) == [1, 2]
    source = Endless()
    reader = source.stream().pipe_through(generator_transform(Iterable)).get_reader()
    await soon(reader.cancel("enough"))
    await until(lambda: source.cancelled == ["enough"])


async def test_what_is_no_transform() -> None:
    async def coroutine(chunks: AsyncIterator[int]) -> int:
        return 1

    def plain(chunks: AsyncIterator[int]) -> list[int]:
        return [1]

    with pytest.raises(TypeError, match="asynchronous iterable"):
        generator_transform(coroutine)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="asynchronous iterable"):
        generator_transform(plain)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="function"):
        generator_transform(None)  # type: ignore[arg-type]


def test_sources_whose_start_is_not_called_have_none() -> None:
    kinds = Source.__subclasses__()
    assert any(not each.has_start for each in kinds)
    for kind in kinds:
        assert kind.has_start or kind.start is Source.start
        assert not kind.__subclasses__()
