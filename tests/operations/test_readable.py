"""`webstreams.operations`: setting up readable streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.grids import each_of, each_row
from webstreams import (
    Promise,
    ReadableStream,
    StreamError,
    TransformStream,
    WritableStream,
    queue_microtask,
)
from webstreams.operations import (
    close_readable_stream,
    create_proxy,
    create_readable_stream,
    create_readable_stream_from_async_sequence,
    create_readable_stream_with_byte_reading_support,
    create_transform_stream,
    create_writable_stream,
    desired_size_to_fill_up_to_high_water_mark,
    enqueue_into_readable_stream,
    error_readable_stream,
    get_reader,
    get_writer,
    is_closed,
    is_errored,
    is_locked,
    is_readable,
    needs_more_data,
    read_chunk,
    release_reader,
    set_up_readable_stream,
    set_up_readable_stream_with_byte_reading_support,
    set_up_transform_stream,
    set_up_writable_stream,
    terminate_transform_stream,
    write_chunk,
)

from .operating import (
    BOOM,
    Steps,
    items,
    jobs_done,
    raise_boom,
    raise_boom_later,
    record_reports,
)

# Setting up a readable stream.


async def test_pull_is_called_while_the_queue_wants_more_and_never_twice_at_once() -> None:
    calls = []
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def pull() -> None:
        calls.append("begin")
        await gate
        enqueue_into_readable_stream(stream, len(calls))
        calls.append("end")

    stream = create_readable_stream(pull_algorithm=pull, high_water_mark=2)
    assert calls == [], "pull is not called before the stream is there"
    await jobs_done()
    assert calls == ["begin"]
    gate.set_result(None)
    await jobs_done()
    assert calls == ["begin", "end", "begin", "end"]
    assert not needs_more_data(stream)
    assert desired_size_to_fill_up_to_high_water_mark(stream) == 0
    await get_reader(stream).read()
    await jobs_done()
    assert calls == ["begin", "end"] * 3


async def test_a_subclass_sets_itself_up_in_its_constructor() -> None:
    class Letters(ReadableStream[str]):
        def __init__(self, text: str) -> None:
            self.letters = iter(text)
            set_up_readable_stream(self, pull_algorithm=self.next_letter, cancel_algorithm=self.stop)
            self.stopped: list[Any] = []

        def next_letter(self) -> None:
            letter = next(self.letters, None)
            if letter is None:
                close_readable_stream(self)
            else:
                enqueue_into_readable_stream(self, letter)

        def stop(self, reason: object) -> None:
            self.stopped.append(reason)

    assert await items(Letters("abc")) == ["a", "b", "c"]
    stream = Letters("abc")
    await stream.cancel("enough")
    assert stream.stopped == ["enough"]


async def test_a_stream_is_set_up_once() -> None:
    class Twice(ReadableStream[Any]):
        def __init__(self) -> None:
            super().__init__()
            set_up_readable_stream(self)

    with pytest.raises(TypeError, match=r"set up already: in the constructor of a subclass, call it instead of super"):
        Twice()
    readable = create_readable_stream_with_byte_reading_support()
    with pytest.raises(TypeError, match="set up already"):
        set_up_readable_stream_with_byte_reading_support(readable)
    with pytest.raises(TypeError, match="set up already"):
        set_up_writable_stream(WritableStream(), print)
    with pytest.raises(TypeError, match="set up already"):
        set_up_transform_stream(TransformStream(), print)
    assert is_readable(readable), "the failed attempt changed nothing"


def test_what_is_not_set_up_cannot_be_used() -> None:
    readable: ReadableStream[Any] = ReadableStream.__new__(ReadableStream)
    for function in (needs_more_data, get_reader, close_readable_stream, create_proxy):
        with pytest.raises(TypeError, match="needs a ReadableStream that has been set up, and this one has not"):
            function(readable)
    with pytest.raises(TypeError, match="needs a WritableStream that has been set up, and this one has not"):
        get_writer(WritableStream.__new__(WritableStream))
    with pytest.raises(TypeError, match="needs a TransformStream that has been set up, and this one has not"):
        terminate_transform_stream(TransformStream.__new__(TransformStream))


@each_row(
    ("arguments", "error", "message"),
    [
        ({"pull_algorithm": 1}, TypeError, "pull_algorithm must be callable, not int"),
        ({"cancel_algorithm": "x"}, TypeError, "cancel_algorithm must be callable, not str"),
        ({"size_algorithm": 1}, TypeError, "size_algorithm must be callable, not int"),
        ({"high_water_mark": -1}, ValueError, "high_water_mark must be a non-negative number, not -1"),
        ({"high_water_mark": float("nan")}, ValueError, "high_water_mark must be a non-negative number, not nan"),
        ({"high_water_mark": None}, ValueError, "high_water_mark must be a non-negative number, not None"),
        ({"high_water_mark": "many"}, ValueError, "high_water_mark must be a non-negative number, not 'many'"),
    ],
)
async def test_bad_arguments_of_set_up(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    stream: ReadableStream[Any] = ReadableStream.__new__(ReadableStream)
    with pytest.raises(error, match=message):
        set_up_readable_stream(stream, **arguments)
    set_up_readable_stream(stream)
    assert is_readable(stream), "the failed attempt left the stream usable"


async def test_missing_algorithms_and_wrong_objects() -> None:
    wrong: Any = None
    with pytest.raises(TypeError, match="write_algorithm must be callable, not NoneType"):
        create_writable_stream(wrong)
    with pytest.raises(TypeError, match="transform_algorithm must be callable, not NoneType"):
        create_transform_stream(wrong)
    wrong = WritableStream()
    with pytest.raises(TypeError, match=r"set_up_readable_stream\(\) needs a ReadableStream, not WritableStream"):
        set_up_readable_stream(wrong)
    with pytest.raises(TypeError, match=r"is_locked\(\) needs a ReadableStream, not WritableStream"):
        is_locked(wrong)
    wrong = "reader"
    with pytest.raises(TypeError, match=r"read_chunk\(\) needs a ReadableStreamDefaultReader, not str"):
        read_chunk(wrong, Steps())
    with pytest.raises(TypeError, match=r"write_chunk\(\) needs a WritableStreamDefaultWriter, not str"):
        write_chunk(wrong, 1)


def test_without_the_loop_of_the_stream() -> None:
    with pytest.raises(RuntimeError, match="running asyncio event loop"):
        create_readable_stream()
    with asyncio.Runner() as runner:
        stream = runner.run(make_readable())
        with pytest.raises(RuntimeError, match="none is running in this thread"):
            enqueue_into_readable_stream(stream, 1)
    with asyncio.Runner() as runner, pytest.raises(RuntimeError, match="another event loop"):
        runner.run(close_elsewhere(stream))


async def make_readable() -> ReadableStream[Any]:
    return create_readable_stream()


async def close_elsewhere(stream: ReadableStream[Any]) -> None:
    close_readable_stream(stream)


async def test_sizes_come_from_the_size_algorithm() -> None:
    stream = create_readable_stream(high_water_mark=10, size_algorithm=len)
    enqueue_into_readable_stream(stream, "abc")
    assert desired_size_to_fill_up_to_high_water_mark(stream) == 7
    enqueue_into_readable_stream(stream, "abcdefgh")
    assert desired_size_to_fill_up_to_high_water_mark(stream) == -1
    assert not needs_more_data(stream)


async def test_a_size_algorithm_that_fails_errors_the_stream() -> None:
    stream = create_readable_stream(size_algorithm=raise_boom)
    with pytest.raises(RuntimeError) as caught:
        enqueue_into_readable_stream(stream, 1)
    assert caught.value is BOOM
    assert is_errored(stream)


async def test_nothing_happens_to_a_stream_that_has_ended() -> None:
    closed, errored = create_readable_stream(), create_readable_stream()
    close_readable_stream(closed)
    error_readable_stream(errored, "why")
    for stream in (closed, errored):
        enqueue_into_readable_stream(stream, 1)
        close_readable_stream(stream)
        error_readable_stream(stream, "late")
        assert desired_size_to_fill_up_to_high_water_mark(stream) == 0
        assert not needs_more_data(stream)
    assert await items(closed) == []
    with pytest.raises(StreamError) as caught:
        await get_reader(errored).read()
    assert caught.value.reason == "why"


async def test_closing_leaves_what_is_queued() -> None:
    stream = create_readable_stream(high_water_mark=0)
    enqueue_into_readable_stream(stream, 1)
    close_readable_stream(stream)
    enqueue_into_readable_stream(stream, 2)
    assert is_readable(stream)
    assert await items(stream) == [1]
    assert is_closed(stream)


@each_of(pull=[raise_boom, raise_boom_later])
async def test_pulling_that_fails_errors_the_stream(pull: Callable[[], Any]) -> None:
    for create in (create_readable_stream, create_readable_stream_with_byte_reading_support):
        stream: ReadableStream[Any] = create(pull_algorithm=pull)
        with pytest.raises(RuntimeError) as caught:
            await get_reader(stream).read()
        assert caught.value is BOOM


@each_of(cancel=[raise_boom, raise_boom_later])
async def test_cancelling_that_fails_is_rejected(cancel: Callable[[Any], Any]) -> None:
    for create in (create_readable_stream, create_readable_stream_with_byte_reading_support):
        stream: ReadableStream[Any] = create(cancel_algorithm=cancel)
        with pytest.raises(RuntimeError) as caught:
            await stream.cancel()
        assert caught.value is BOOM
        assert is_closed(stream)


async def test_cancelling_waits_for_the_algorithm_and_gives_it_the_reason() -> None:
    for create in (create_readable_stream, create_readable_stream_with_byte_reading_support):
        reasons: list[Any] = []
        promise, resolve, _ = Promise.with_resolvers()

        def cancel(reason: object, reasons: list[Any] = reasons, promise: Promise[None] = promise) -> Promise[None]:
            reasons.append(reason)
            return promise

        stream: ReadableStream[Any] = create(cancel_algorithm=cancel)
        cancelled = stream.cancel("enough")
        await jobs_done()
        assert reasons == ["enough"]
        assert not cancelled.done()
        resolve("ignored")
        await cancelled


@each_of(settled=["before", "after"])
@each_of(kind=["default", "bytes"])
async def test_the_stream_reacts_to_the_very_promise_of_pull(kind: str, settled: str) -> None:
    assert (await order_of_pulls(kind, settled, converted=False))[:3] == ["pull", "pull", "job 1"]


@each_row(("settled", "jobs"), [("before", ["job 1", "job 2"]), ("after", ["job 1"])])
@each_of(kind=["default", "bytes"])
async def test_the_promise_of_an_underlying_source_is_converted(kind: str, settled: str, jobs: list[str]) -> None:
    order = await order_of_pulls(kind, settled, converted=True)
    assert order[: order.index("pull", 1)] == ["pull", *jobs]


async def order_of_pulls(kind: str, settled: str, *, converted: bool) -> list[str]:
    """Tell how many jobs, which queue one another, run between the settling of pull's promise and the next pull."""
    order: list[str] = []
    promise, resolve, _ = Promise.with_resolvers()
    if settled == "before":
        resolve(None)

    def pull(*_: Any) -> Promise[None]:
        order.append("pull")
        return promise

    stream = make_pulled_stream(kind, pull, converted)
    await jobs_done()
    reader = get_reader(stream)
    reads = [reader.read(), reader.read()]
    if settled == "after":
        await jobs_done()
        resolve(None)
    assert order == ["pull"]
    queue_microtask(count_jobs, order, 1)
    await jobs_done()
    release_reader(reader)
    assert [type(read.exception()) for read in reads] == [TypeError, TypeError]
    return order


def count_jobs(order: list[str], number: int) -> None:
    order.append(f"job {number}")
    if number < 4:
        queue_microtask(count_jobs, order, number + 1)


def make_pulled_stream(kind: str, pull: Callable[..., Any], converted: bool) -> ReadableStream[Any]:
    if converted:
        source: Any = {"pull": pull, "type": "bytes" if kind == "bytes" else None}
        return ReadableStream(source, {"high_water_mark": 0})
    if kind == "bytes":
        return create_readable_stream_with_byte_reading_support(pull_algorithm=pull)
    return create_readable_stream(pull_algorithm=pull, high_water_mark=0)


async def test_any_awaitable_is_waited_for() -> None:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()
    pulls = []

    def pull() -> asyncio.Future[None]:
        pulls.append(1)
        return future

    stream = create_readable_stream(pull_algorithm=pull, high_water_mark=2)
    await jobs_done()
    enqueue_into_readable_stream(stream, 1)
    await jobs_done()
    assert pulls == [1]
    future.set_result(None)
    await jobs_done()
    assert pulls == [1, 1]


async def test_a_rejected_promise_of_an_algorithm_is_reported_to_nobody() -> None:
    reported = record_reports()
    stream = create_readable_stream(pull_algorithm=lambda: Promise.reject(BOOM))
    await jobs_done()
    assert is_errored(stream)
    assert reported == []


async def test_an_async_sequence_becomes_a_stream() -> None:
    async def numbers() -> AsyncIterator[int]:
        yield 1
        yield 2

    assert await items(create_readable_stream_from_async_sequence(numbers())) == [1, 2]
    assert await items(create_readable_stream_from_async_sequence([3])) == [3]
    with pytest.raises(TypeError, match="a str is most likely one chunk"):
        create_readable_stream_from_async_sequence("text")
