"""Errors of callbacks keep their face, through pipes and task groups."""

from __future__ import annotations

import asyncio
import gc
import traceback
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from tests.faults.helpers import failure, other_tasks, turns
from tests.grids import by_key, each_of
from tests.loops import LOOP_FACTORIES
from webstreams import ReadableStream, StreamError, TransformStream, WritableStream

from .callbacks import CALLS, ENOUGH_TURNS, EVERY_COROUTINE, Call

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

EVERY_LOOP = each_of(make_loop=by_key(LOOP_FACTORIES))


EVERY_CALL = each_of(call=CALLS)


# Errors keep their face.


@EVERY_CALL
@each_of(kind=[StopIteration, StopAsyncIteration, GeneratorExit, asyncio.CancelledError])
async def test_errors_keep_their_face_behind_an_ordinary_one_if_they_steer_coroutines(
    call: Call, kind: type[BaseException]
) -> None:
    original = kind("out of a callback")

    def callback() -> None:
        raise original

    error = await failure(call(callback))
    assert isinstance(error, StreamError)
    assert error.__cause__ is original
    assert error.reason is original


@EVERY_CALL
@each_of(kind=[StopAsyncIteration, GeneratorExit, asyncio.CancelledError])
async def test_errors_keep_their_face_behind_an_ordinary_one_if_a_coroutine_raised_them(
    call: Call, kind: type[BaseException]
) -> None:
    original = kind("out of a callback")

    async def callback() -> None:
        await asyncio.sleep(0)
        raise original

    error = await failure(call(callback))
    assert isinstance(error, StreamError)
    assert error.__cause__ is original


@EVERY_LOOP
@EVERY_CALL
@each_of(kind=[KeyboardInterrupt, SystemExit])
@each_of(suspends=[None, False, True])
def test_errors_keep_their_face_and_go_through_if_they_end_the_program(
    make_loop: LoopFactory, call: Call, kind: type[BaseException], suspends: bool | None
) -> None:
    original = kind("out of a callback")

    def callback() -> None:
        raise original

    async def coroutine_callback() -> None:
        if suspends:
            await asyncio.sleep(0)
        raise original

    async def main() -> None:
        await call(callback if suspends is None else coroutine_callback)

    with pytest.raises(kind) as caught, asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(main())
    assert caught.value is original


def raise_here(error: BaseException) -> None:
    raise error


def names_in_traceback(error: BaseException) -> list[str]:
    return [frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)]


@EVERY_COROUTINE
@each_of(suspends=[False, True])
async def test_errors_keep_their_face_with_the_traceback_of_where_they_were_raised(call: Call, suspends: bool) -> None:
    original = ValueError("out of a callback")

    async def callback() -> None:
        if suspends:
            await asyncio.sleep(0)
        raise_here(original)

    error = await failure(call(callback))
    assert error is original
    assert names_in_traceback(error)[-2:] == ["callback", "raise_here"]


@each_of(failing=["pull", "async pull", "generator", "first", "second", "third", "flush"])
async def test_errors_keep_their_face_through_a_chain_of_transforms(failing: str) -> None:
    original = ValueError("somewhere in the chain")
    cancelled_with: list[Any] = []

    def pull(controller: Any) -> None:
        if failing == "pull":
            raise_here(original)
        controller.enqueue("chunk")
        if failing == "flush":
            controller.close()

    async def async_pull(controller: Any) -> None:
        await asyncio.sleep(0)
        raise_here(original)

    async def generate() -> AsyncIterator[str]:
        yield "chunk"
        raise_here(original)

    def transform_called(name: str) -> TransformStream[Any, Any]:
        async def transform(chunk: Any, controller: Any) -> None:
            await asyncio.sleep(0)
            if failing == name:
                raise_here(original)
            controller.enqueue(chunk)

        async def flush(controller: Any) -> None:
            if failing == "flush" and name == "third":
                raise_here(original)

        return TransformStream({"transform": transform, "flush": flush})

    if failing == "generator":
        source = ReadableStream[Any].from_(generate())
    else:
        chosen: Any = async_pull if failing == "async pull" else pull
        source = ReadableStream[Any]({"pull": chosen, "cancel": cancelled_with.append})
    end = source
    for name in ["first", "second", "third"]:
        end = end.pipe_through(transform_called(name))

    async def read_to_the_end() -> None:
        async for _ in end:
            pass

    error = await failure(read_to_the_end())
    assert error is original
    assert names_in_traceback(error)[-1] == "raise_here"
    assert error.__cause__ is None
    assert error.__context__ is None
    await turns(ENOUGH_TURNS)
    assert cancelled_with == ([original] if failing in {"first", "second", "third"} else [])


class Marker:
    """Something a frame refers to."""


def errored_stream(error: Exception, byte_stream: bool = False) -> ReadableStream[Any]:
    def pull(controller: Any) -> None:
        raise_here(error)

    source: Any = {"type": "bytes" if byte_stream else None, "pull": pull}
    stream: ReadableStream[Any] = ReadableStream(source)
    return stream


def read_of_reader(error: Exception) -> Callable[[], Awaitable[Any]]:
    return errored_stream(error).get_reader().read


def byob_read(error: Exception) -> Callable[[], Awaitable[Any]]:
    reader = errored_stream(error, byte_stream=True).get_reader(mode="byob")
    return lambda: reader.read(bytearray(1))


def iteration(error: Exception) -> Callable[[], Awaitable[Any]]:
    stream = errored_stream(error)
    return lambda: anext(stream.values())


def closed_of_reader(error: Exception) -> Callable[[], Awaitable[Any]]:
    reader = errored_stream(error).get_reader()
    return lambda: reader.closed


def cancel(error: Exception) -> Callable[[], Awaitable[Any]]:
    return errored_stream(error).cancel


def write_of_writer(error: Exception) -> Callable[[], Awaitable[Any]]:
    writer = WritableStream[Any]({"write": lambda *_: raise_here(error)}).get_writer()
    return lambda: writer.write("chunk")


def ready_of_writer(error: Exception) -> Callable[[], Awaitable[Any]]:
    writer = WritableStream[Any]({"start": lambda controller: controller.error(error)}).get_writer()
    return lambda: writer.ready


def pipe(error: Exception) -> Callable[[], Awaitable[Any]]:
    stream = errored_stream(error)
    return lambda: stream.pipe_to(WritableStream())


@each_of(within_task=[False, True])
@each_of(make=[read_of_reader, byob_read, iteration, closed_of_reader, cancel, write_of_writer, ready_of_writer, pipe])
async def test_errors_keep_their_face_when_they_are_raised_hundreds_of_times(
    make: Callable[[Exception], Callable[[], Awaitable[Any]]], within_task: bool
) -> None:
    original = ValueError("stored")
    act = make(original)
    await turns(ENOUGH_TURNS)
    assert await failure(act()) is original  # where it is raised first stays in its traceback
    markers: weakref.WeakSet[Marker] = weakref.WeakSet()

    async def use_once() -> int:
        marker = Marker()
        markers.add(marker)
        try:
            await act()
        except ValueError as error:
            assert error is original
        return len(names_in_traceback(original))

    async def use() -> int:
        return await (asyncio.create_task(use_once()) if within_task else use_once())

    lengths = [await use() for _ in range(300)]
    assert set(lengths[2:]) == {lengths[2]}
    assert lengths[2] < 20
    # What raised it last is in its traceback, and no other frame.
    gc.collect()
    assert len(markers) <= 1
    assert original.__context__ is None


# A pipe that fails.


@each_of(failing=["source", "sink", "transform", "close"])
async def test_a_failing_pipe_fails_its_task_group_with_the_original_exception(failing: str) -> None:
    original = ValueError("of one end")
    cancelled: list[str] = []

    async def pull(controller: Any) -> None:
        await asyncio.sleep(0)
        if failing == "source":
            raise_here(original)
        controller.enqueue("chunk")
        if failing == "close":
            controller.close()

    async def write(chunk: Any, controller: Any) -> None:
        if failing == "sink":
            raise_here(original)

    async def close() -> None:
        raise_here(original)

    def transform(chunk: Any, controller: Any) -> None:
        if failing == "transform":
            raise_here(original)
        controller.enqueue(chunk)

    source = ReadableStream[Any]({"pull": pull})
    middle: TransformStream[Any, Any] = TransformStream({"transform": transform})
    dest = WritableStream[Any]({"write": write, "close": close})

    async def run_pipe() -> None:
        await source.pipe_through(middle).pipe_to(dest)

    async def wait() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            cancelled.append("sibling")
            raise

    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.TaskGroup() as group:
            group.create_task(run_pipe())
            group.create_task(wait())
    assert caught.value.exceptions == (original,)
    assert "raise_here" in names_in_traceback(original)
    assert cancelled == ["sibling"]
    await turns(ENOUGH_TURNS)
    assert [source.locked, middle.writable.locked, middle.readable.locked, dest.locked] == [False] * 4
    assert other_tasks() == set()


async def test_a_failing_pipe_fails_its_task_group_whose_other_pipe_cleans_up() -> None:
    original = ValueError("of one pipe")
    sink_calls: list[str] = []

    async def write(chunk: Any, controller: Any) -> None:
        sink_calls.append("write")
        await turns(8)
        sink_calls.append("written")

    healthy = ReadableStream[str]({"start": lambda controller: controller.enqueue("chunk")})
    healthy_dest = WritableStream[str]({"write": write, "abort": lambda reason: sink_calls.append("abort")})
    failing = errored_stream(original)

    async def run_pipe(source: ReadableStream[Any], dest: WritableStream[Any], waits: int) -> None:
        await turns(waits)
        await source.pipe_to(dest)

    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.TaskGroup() as group:
            group.create_task(run_pipe(healthy, healthy_dest, 0))
            group.create_task(run_pipe(failing, WritableStream(), 3))
    assert caught.value.exceptions == (original,)
    assert sink_calls == ["write", "abort"]  # the write under way was cancelled
    assert [healthy.locked, healthy_dest.locked] == [False, False]
