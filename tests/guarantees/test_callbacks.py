"""Coroutine callbacks are tasks, and errors keep their face on the way through streams."""

from __future__ import annotations

import asyncio
import gc
import traceback
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from inspect import iscoroutinefunction
from typing import Any

import pytest

from tests.grids import by_key, each_of
from tests.loops import LOOP_FACTORIES
from webstreams import Promise, ReadableStream, StreamError, TransformStream, WritableStream

LoopFactory = Callable[[], asyncio.AbstractEventLoop]
Callback = Callable[[], Any]

EVERY_LOOP = each_of(make_loop=by_key(LOOP_FACTORIES))

ENOUGH_TURNS = 12


async def turns(count: int = ENOUGH_TURNS) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def other_tasks() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks() - {asyncio.current_task()}


async def failure(awaitable: Awaitable[Any]) -> BaseException:
    """Wait for a failure and give it."""
    try:
        value = await awaitable
    except Exception as error:
        return error
    raise AssertionError(f"succeeded with {value!r}")


# Every callback: each of these functions makes a stream with it, has it called, and gives a promise that is rejected if
# it fails and fulfilled if it does not.


def source_start(callback: Callback) -> Promise[Any]:
    stream = ReadableStream[Any]({"start": lambda _: callback(), "pull": lambda controller: controller.close()})
    return stream.get_reader().read()


def _pull_with(callback: Callback, close: Callable[[Any], None]) -> Callable[[Any], Any]:
    async def pull(controller: Any) -> None:
        await callback()
        close(controller)

    def pull_synchronously(controller: Any) -> None:
        callback()
        close(controller)

    return pull if iscoroutinefunction(callback) else pull_synchronously


def source_pull(callback: Callback) -> Promise[Any]:
    pull = _pull_with(callback, lambda controller: controller.close())
    return ReadableStream[Any]({"pull": pull}).get_reader().read()


def byte_source_pull(callback: Callback) -> Promise[Any]:
    def close(controller: Any) -> None:
        controller.close()
        controller.byob_request.respond(0)

    stream = ReadableStream({"type": "bytes", "pull": _pull_with(callback, close)})
    return stream.get_reader(mode="byob").read(bytearray(4))


def source_cancel(callback: Callback) -> Promise[Any]:
    return ReadableStream[Any]({"cancel": lambda _: callback()}).cancel()


def sink_start(callback: Callback) -> Promise[Any]:
    return WritableStream[Any]({"start": lambda _: callback()}).get_writer().close()


def sink_write(callback: Callback) -> Promise[Any]:
    return WritableStream[Any]({"write": lambda *_: callback()}).get_writer().write("chunk")


def sink_close(callback: Callback) -> Promise[Any]:
    return WritableStream[Any]({"close": callback}).close()


def sink_abort(callback: Callback) -> Promise[Any]:
    return WritableStream[Any]({"abort": lambda _: callback()}).abort()


def _transform_with(transformer: Any) -> TransformStream[Any, Any]:
    transform: TransformStream[Any, Any] = TransformStream(transformer, None, {"high_water_mark": 1})
    return transform


def transformer_start(callback: Callback) -> Promise[Any]:
    return _transform_with({"start": lambda _: callback()}).writable.get_writer().write("chunk")


def transformer_transform(callback: Callback) -> Promise[Any]:
    return _transform_with({"transform": lambda *_: callback()}).writable.get_writer().write("chunk")


def transformer_flush(callback: Callback) -> Promise[Any]:
    return _transform_with({"flush": lambda _: callback()}).writable.close()


def transformer_cancel(callback: Callback) -> Promise[Any]:
    return _transform_with({"cancel": lambda _: callback()}).readable.cancel()


def iterator_next(callback: Callback) -> Promise[Any]:
    class Iterator:
        def __aiter__(self) -> Iterator:
            return self

        async def __anext__(self) -> Any:
            return await callback()

    return ReadableStream[Any].from_(Iterator()).get_reader().read()


STARTS = [source_start, sink_start, transformer_start]
CALLS = [
    source_pull,
    byte_source_pull,
    source_cancel,
    sink_write,
    sink_close,
    sink_abort,
    transformer_transform,
    transformer_flush,
    transformer_cancel,
]
EVERY_COROUTINE = each_of(call=[*STARTS, *CALLS, iterator_next])
EVERY_CALL = each_of(call=CALLS)

Call = Callable[[Callback], Promise[Any]]


@EVERY_COROUTINE
async def test_a_coroutine_callback_is_a_task_from_its_first_line(call: Call) -> None:
    seen: list[asyncio.Task[Any] | None] = []

    async def callback() -> None:
        seen.append(asyncio.current_task())
        await Promise.resolve()
        seen.append(asyncio.current_task())
        await asyncio.sleep(0)
        seen.append(asyncio.current_task())
        seen.append(await nested())

    async def nested() -> asyncio.Task[Any] | None:
        await asyncio.sleep(0)
        return asyncio.current_task()

    test = asyncio.current_task()
    outcome = call(callback)
    assert asyncio.current_task() is test
    await outcome
    assert asyncio.current_task() is test
    assert seen[0] not in {None, test}
    assert seen == [seen[0]] * 4
    await turns()
    assert other_tasks() == set()


async def test_a_coroutine_callback_starts_at_once_and_runs_up_to_its_first_suspension() -> None:
    events: list[str] = []

    async def cancel(reason: Any) -> None:
        events.append("first line")
        await asyncio.sleep(0)
        events.append("second line")

    promise = ReadableStream[Any]({"cancel": cancel}).cancel()
    events.append("the call has returned")
    await promise
    assert events == ["first line", "the call has returned", "second line"]


@EVERY_COROUTINE
async def test_a_coroutine_callback_is_a_task_in_which_a_timeout_works(call: Call) -> None:
    async def callback() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await loop.create_future()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await Promise.with_resolvers()[0]
        async with asyncio.timeout(60):
            await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(loop.create_future(), 1e-6)

    await call(callback)
    await turns()
    assert other_tasks() == set()


@EVERY_COROUTINE
async def test_a_coroutine_callback_is_a_task_that_fails_with_the_error_of_its_timeout(call: Call) -> None:
    async def callback() -> None:
        async with asyncio.timeout(0):
            await asyncio.get_running_loop().create_future()

    assert isinstance(await failure(call(callback)), TimeoutError)


@EVERY_COROUTINE
async def test_a_coroutine_callback_is_a_task_in_which_a_task_group_works(call: Call) -> None:
    done: list[int] = []

    async def child(number: int) -> None:
        await turns(number)
        done.append(number)

    async def callback() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(3):
                group.create_task(child(number))

    await call(callback)
    assert done == [0, 1, 2]


@EVERY_COROUTINE
async def test_a_coroutine_callback_is_a_task_that_fails_with_the_error_of_its_task_group(call: Call) -> None:
    error = ValueError("of a child")
    cancelled: list[str] = []

    async def fail() -> None:
        raise error

    async def wait() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            cancelled.append("sibling")
            raise

    async def callback() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(wait())
            group.create_task(fail())
            await Promise.with_resolvers()[0]

    raised = await failure(call(callback))
    assert isinstance(raised, ExceptionGroup)
    assert raised.exceptions == (error,)
    assert cancelled == ["sibling"]


VARIABLE: ContextVar[str] = ContextVar("VARIABLE", default="not set")


@EVERY_COROUTINE
async def test_a_coroutine_callback_is_a_task_in_a_copy_of_the_context_of_its_stream(call: Call) -> None:
    seen: list[str] = []

    async def callback() -> None:
        seen.append(VARIABLE.get())
        VARIABLE.set("set by the callback")
        await asyncio.sleep(0)
        seen.append(VARIABLE.get())
        await Promise.resolve()
        seen.append(VARIABLE.get())

    VARIABLE.set("set before the stream was made")
    await call(callback)
    assert seen == ["set before the stream was made"] + ["set by the callback"] * 2
    assert VARIABLE.get() == "set before the stream was made"


async def test_a_coroutine_callback_is_a_task_that_does_not_see_the_context_of_its_caller() -> None:
    seen: list[str] = []

    async def write(chunk: Any, controller: Any) -> None:
        seen.append(VARIABLE.get())
        VARIABLE.set(f"set by write {chunk}")
        await asyncio.sleep(0)
        seen.append(VARIABLE.get())

    VARIABLE.set("of the maker")
    writer = WritableStream[int]({"write": write}).get_writer()
    VARIABLE.set("of the caller")
    await writer.write(1)
    await writer.write(2)
    assert seen == ["of the maker", "set by write 1", "of the maker", "set by write 2"]


async def test_the_items_of_an_asynchronous_generator_are_made_in_a_copy_of_the_context_of_the_stream() -> None:
    seen: list[str] = []

    async def generate() -> AsyncIterator[int]:
        for number in range(2):
            seen.append(VARIABLE.get())
            VARIABLE.set("set by the generator")
            yield number

    VARIABLE.set("of the maker")
    stream = ReadableStream.from_(generate())
    VARIABLE.set("of the caller")
    assert [chunk async for chunk in stream] == [0, 1]
    assert seen == ["of the maker"] * 2
    assert VARIABLE.get() == "of the caller"


@EVERY_COROUTINE
async def test_a_coroutine_callback_is_a_task_that_is_referred_to_while_it_runs(call: Call) -> None:
    waited_for: list[weakref.ref[asyncio.Future[None]]] = []
    tasks: list[weakref.ref[asyncio.Task[None]]] = []
    events: list[str] = []

    async def callback() -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(weakref.ref(task))
        # Only the task itself refers to what it waits for.
        future = asyncio.get_running_loop().create_future()
        waited_for.append(weakref.ref(future))
        await future
        events.append("done")

    call(callback)  # nobody keeps the stream or the promise
    await turns()
    gc.collect()
    future = waited_for[0]()
    assert future is not None
    future.set_result(None)
    del future
    await turns()
    assert events == ["done"]
    gc.collect()
    assert [waited_for[0](), tasks[0]()] == [None, None]


@EVERY_COROUTINE
async def test_a_coroutine_callback_whose_task_is_cancelled_has_failed(
    call: Call, reported: list[dict[str, Any]]
) -> None:
    tasks: list[Any] = []

    async def callback() -> None:
        tasks.append(asyncio.current_task())
        await asyncio.get_running_loop().create_future()

    outcome = call(callback)
    await turns()
    tasks[0].cancel()
    error = await failure(outcome)
    assert isinstance(error, StreamError)
    assert isinstance(error.__cause__, asyncio.CancelledError)
    assert error.reason is error.__cause__
    test = asyncio.current_task()
    assert test is not None
    assert test.cancelling() == 0
    del outcome
    gc.collect()
    await turns()
    assert reported == []


@EVERY_COROUTINE
async def test_a_coroutine_callback_whose_task_is_cancelled_in_its_first_turn_has_failed(call: Call) -> None:
    tasks: list[Any] = []
    cleaned_up: list[bool] = []

    async def callback() -> None:
        tasks.append(asyncio.current_task())
        asyncio.get_running_loop().call_soon(tasks[0].cancel)
        try:
            await Promise.with_resolvers()[0]
        finally:
            cleaned_up.append(True)

    error = await failure(call(callback))
    assert isinstance(error, StreamError)
    assert isinstance(error.__cause__, asyncio.CancelledError)
    assert cleaned_up == [True]


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
    await turns()
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
async def test_errors_keep_their_face_when_they_are_raised_a_thousand_times(
    make: Callable[[Exception], Callable[[], Awaitable[Any]]], within_task: bool
) -> None:
    original = ValueError("stored")
    act = make(original)
    await turns()
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

    lengths = [await use() for _ in range(1000)]
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
    await turns()
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
