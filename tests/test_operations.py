"""`webstreams.operations`: section 9 of the Standard, for those who make streams and for those who work on any."""

from __future__ import annotations

import asyncio
import doctest
from array import array
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.grids import each_of, each_row
from webstreams import (
    AbortController,
    Promise,
    ReadableStream,
    ReadableStreamBYOBReader,
    ReadableStreamDefaultReader,
    StreamError,
    TransformStream,
    WritableStream,
    WritableStreamDefaultWriter,
    operations,
    queue_microtask,
)
from webstreams.operations import (
    GenericTransformStream,
    abort_writable_stream,
    cancel_readable_stream,
    cancel_reader,
    close_readable_stream,
    close_writable_stream,
    create_identity_transform_stream,
    create_proxy,
    create_readable_stream,
    create_readable_stream_from_async_sequence,
    create_readable_stream_with_byte_reading_support,
    create_transform_stream,
    create_writable_stream,
    current_byob_request_view,
    desired_size_to_fill_up_to_high_water_mark,
    enqueue_into_readable_stream,
    enqueue_into_transform_stream,
    error_readable_stream,
    error_transform_stream,
    error_writable_stream,
    get_reader,
    get_signal,
    get_writer,
    is_closed,
    is_disturbed,
    is_errored,
    is_locked,
    is_readable,
    needs_more_data,
    pipe_through,
    pipe_to,
    pull_from_bytes,
    read_all_bytes,
    read_all_bytes_as_promise,
    read_chunk,
    release_reader,
    release_writer,
    set_up_readable_stream,
    set_up_readable_stream_with_byte_reading_support,
    set_up_reader,
    set_up_transform_stream,
    set_up_writable_stream,
    set_up_writer,
    tee,
    terminate_transform_stream,
    write_chunk,
)

Reported = list[dict[str, Any]]
BOOM = RuntimeError("boom")


async def jobs_done() -> None:
    """Wait until every pending job has run."""
    for _ in range(3):
        await asyncio.sleep(0)


def record_reports() -> Reported:
    """Give the list of what reaches the event loop's exception handler from now on."""
    contexts: Reported = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: contexts.append(context))
    return contexts


async def items(stream: ReadableStream[Any]) -> list[Any]:
    return [chunk async for chunk in stream]


def raise_boom(*_: Any) -> Any:
    raise BOOM


async def raise_boom_later(*_: Any) -> Any:
    raise BOOM


FORBIDDEN: Any = raise_boom


class Steps:
    """A read request that records which of its steps was called."""

    def __init__(self) -> None:
        self.outcome: list[Any] = []

    def chunk_steps(self, chunk: Any) -> None:
        self.outcome += ["chunk", chunk]

    def close_steps(self) -> None:
        self.outcome.append("close")

    def error_steps(self, error: Any) -> None:
        self.outcome += ["error", error]


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


# Byte streams.


async def filled(read: Promise[Any]) -> bytes:
    value, done = await read
    assert not done
    return bytes(value)


async def byob_read(stream: ReadableStream[bytes], size: int) -> tuple[Promise[Any], ReadableStreamBYOBReader]:
    reader = stream.get_reader(mode="byob")
    read = reader.read(bytearray(size))
    await jobs_done()
    return read, reader


async def test_the_view_of_a_request_is_filled_and_enqueued_without_a_copy() -> None:
    stream = create_readable_stream_with_byte_reading_support()
    assert current_byob_request_view(stream) is None
    memory = bytearray(8)
    read = stream.get_reader(mode="byob").read(memory)
    view = current_byob_request_view(stream)
    assert view is not None and view.nbytes == 8 and view.format == "B"
    view[:3] = b"abc"
    assert memory[:3] == b"abc"
    enqueue_into_readable_stream(stream, view[:3])
    value, done = await read
    assert (bytes(value or b""), done) == (b"abc", False)
    assert value is not None and value.obj is memory
    assert current_byob_request_view(stream) is None


async def test_the_rest_of_a_view_is_asked_for_when_the_minimum_is_not_there() -> None:
    stream = create_readable_stream_with_byte_reading_support()
    read = stream.get_reader(mode="byob").read(bytearray(4), min=4)
    first = current_byob_request_view(stream)
    assert first is not None
    first[:3] = b"abc"
    enqueue_into_readable_stream(stream, first[:3])
    second = current_byob_request_view(stream)
    assert second is not None and second.nbytes == 1
    enqueue_into_readable_stream(stream, b"d")
    assert await filled(read) == b"abcd"


async def test_other_memory_is_copied_into_the_view() -> None:
    stream = create_readable_stream_with_byte_reading_support()
    read, reader = await byob_read(stream, 4)
    chunk = bytearray(b"abcdef")
    enqueue_into_readable_stream(stream, chunk)
    chunk[:] = b"------"
    assert await filled(read) == b"abcd"
    assert await filled(reader.read(bytearray(4))) == b"ef"


async def test_a_part_of_the_view_must_begin_where_it_begins_and_not_be_longer() -> None:
    stream = create_readable_stream_with_byte_reading_support()
    memory = bytearray(8)
    read = stream.get_reader(mode="byob").read(memoryview(memory)[:4])
    view = current_byob_request_view(stream)
    assert view is not None
    with pytest.raises(ValueError, match="must begin where its view begins"):
        enqueue_into_readable_stream(stream, view[1:])
    with pytest.raises(ValueError, match="must not be longer than the 4 bytes of its view, has 8"):
        enqueue_into_readable_stream(stream, memory)
    with pytest.raises(TypeError, match="the chunk must not be empty"):
        enqueue_into_readable_stream(stream, view[:0])
    view[:2] = b"ok"
    enqueue_into_readable_stream(stream, view[:2])
    assert await filled(read) == b"ok"


async def test_what_is_no_chunk_of_bytes() -> None:
    stream: ReadableStream[Any] = create_readable_stream_with_byte_reading_support()
    with pytest.raises(TypeError, match="the chunk must be a bytes-like object, not str: encode text first"):
        enqueue_into_readable_stream(stream, "text")
    with pytest.raises(TypeError, match="the chunk must not be empty"):
        enqueue_into_readable_stream(stream, b"")
    enqueue_into_readable_stream(stream, array("H", [1, 2]))
    value, _ = await get_reader(stream).read()
    assert value == array("H", [1, 2]).tobytes()


async def test_a_released_view_is_a_mistake() -> None:
    stream = create_readable_stream_with_byte_reading_support()
    read, reader = await byob_read(stream, 4)
    view = current_byob_request_view(stream)
    assert view is not None
    view.release()
    for use in (current_byob_request_view, lambda each: pull_from_bytes(each, bytearray(b"abc"))):
        with pytest.raises(TypeError, match="the view of the current BYOB request was released"):
            use(stream)
    reader.release_lock()
    assert isinstance(read.exception(), TypeError)


async def test_closing_answers_the_reads_that_wait() -> None:
    stream = create_readable_stream_with_byte_reading_support()
    reader = stream.get_reader(mode="byob")
    reads = [reader.read(bytearray(4)) for _ in range(3)]
    close_readable_stream(stream)
    for read in reads:
        value, done = await read
        assert (bytes(value or b""), done) == (b"", True)
    assert is_closed(stream)
    close_readable_stream(stream)
    enqueue_into_readable_stream(stream, b"late")


async def test_closing_with_a_part_of_an_item_errors_the_stream() -> None:
    stream = create_readable_stream_with_byte_reading_support()
    read = stream.get_reader(mode="byob").read(array("H", [0, 0]), min=2)
    enqueue_into_readable_stream(stream, b"abc")
    with pytest.raises(TypeError, match="a part of an item only"):
        close_readable_stream(stream)
    with pytest.raises(TypeError, match="a part of an item only"):
        await read
    assert is_errored(stream)


async def test_erroring_a_byte_stream() -> None:
    stream = create_readable_stream_with_byte_reading_support(high_water_mark=8)
    enqueue_into_readable_stream(stream, b"abc")
    assert desired_size_to_fill_up_to_high_water_mark(stream) == 5
    error_readable_stream(stream, BOOM)
    assert desired_size_to_fill_up_to_high_water_mark(stream) == 0
    with pytest.raises(RuntimeError, match="boom"):
        await get_reader(stream).read()


async def test_pulling_from_bytes_gives_everything_to_a_default_reader() -> None:
    stream = create_readable_stream_with_byte_reading_support()
    data = bytearray(b"abcdef")
    pull_from_bytes(stream, data)
    assert data == b""
    data += b"later"
    value, _ = await get_reader(stream).read()
    assert value == b"abcdef"


async def test_pulling_from_bytes_leaves_what_the_request_does_not_want() -> None:
    data = bytearray(b"abcdef")
    stream = create_readable_stream_with_byte_reading_support(pull_algorithm=lambda: pull_from_bytes(stream, data))
    reader = stream.get_reader(mode="byob")
    memory = bytearray(4)
    assert await filled(reader.read(memory)) == memory == b"abcd"
    assert data == b"ef"
    assert await filled(reader.read(bytearray(4))) == b"ef"
    assert data == b""


async def test_what_cannot_be_pulled_from() -> None:
    stream = create_readable_stream_with_byte_reading_support()
    wrong: Any = b"bytes"
    with pytest.raises(TypeError, match="needs a bytearray, which it shortens, not bytes"):
        pull_from_bytes(stream, wrong)
    with pytest.raises(TypeError, match="at least one byte"):
        pull_from_bytes(stream, bytearray())
    data = bytearray(b"abc")
    with memoryview(data), pytest.raises(TypeError, match="memoryviews of it exist"):
        pull_from_bytes(stream, data)
    pull_from_bytes(stream, data)
    value, _ = await get_reader(stream).read()
    assert value == b"abc"


async def test_byte_reading_support_is_needed() -> None:
    stream = create_readable_stream()
    with pytest.raises(TypeError, match=r"current_byob_request_view\(\) needs a stream that was set up with byte"):
        current_byob_request_view(stream)
    with pytest.raises(TypeError, match=r"pull_from_bytes\(\) needs a stream that was set up with byte reading"):
        pull_from_bytes(stream, bytearray(b"abc"))


async def test_a_byte_subclass_pulls_from_bytes() -> None:
    class Body(ReadableStream[bytes]):
        def __init__(self, data: bytes) -> None:
            self.data = bytearray(data)
            set_up_readable_stream_with_byte_reading_support(self, pull_algorithm=self.more)

        async def more(self) -> None:
            await asyncio.sleep(0)
            pull_from_bytes(self, self.data)
            if not self.data:
                close_readable_stream(self)

    assert await read_all_bytes_as_promise(get_reader(Body(b"hello"))) == b"hello"
    reader = Body(b"hello").get_reader(mode="byob")
    assert await filled(reader.read(bytearray(3))) == b"hel"


# Reading.


async def test_a_reader_needs_an_unlocked_stream() -> None:
    stream = create_readable_stream()
    reader = get_reader(stream)
    with pytest.raises(TypeError, match="the stream is locked"):
        get_reader(stream)
    release_reader(reader)
    release_reader(reader)
    assert isinstance(get_reader(stream), ReadableStreamDefaultReader)


async def test_a_subclass_of_the_reader_sets_itself_up() -> None:
    class Lines(ReadableStreamDefaultReader[str]):
        def __init__(self, stream: ReadableStream[str], end: str) -> None:
            self.end = end
            set_up_reader(self, stream)

    stream: ReadableStream[str] = ReadableStream.from_(["a"])
    reader = Lines(stream, "\n")
    assert is_locked(stream)
    value, _ = await reader.read()
    assert value == "a"
    with pytest.raises(TypeError, match="has not been set up"):
        set_up_reader(reader, stream)
    with pytest.raises(TypeError, match="locked"):
        Lines(stream, "\n")


async def test_a_chunk_is_read_without_a_promise() -> None:
    stream = create_readable_stream(high_water_mark=0)
    reader = get_reader(stream)
    enqueue_into_readable_stream(stream, "queued")
    queued, waiting, ended = Steps(), Steps(), Steps()
    read_chunk(reader, queued)
    assert queued.outcome == ["chunk", "queued"]
    read_chunk(reader, waiting)
    assert waiting.outcome == []
    enqueue_into_readable_stream(stream, "fresh")
    assert waiting.outcome == ["chunk", "fresh"]
    close_readable_stream(stream)
    read_chunk(reader, ended)
    assert ended.outcome == ["close"]
    assert is_disturbed(stream)


async def test_a_chunk_that_does_not_come() -> None:
    stream = create_readable_stream(high_water_mark=0)
    reader = get_reader(stream)
    errored, released = Steps(), Steps()
    read_chunk(reader, released)
    release_reader(reader)
    assert released.outcome[0] == "error" and isinstance(released.outcome[1], TypeError)
    with pytest.raises(TypeError, match="the reader was released"):
        read_chunk(reader, Steps())
    reader = get_reader(stream)
    read_chunk(reader, errored)
    error_readable_stream(stream, "why")
    assert errored.outcome == ["error", "why"]


async def test_steps_that_raise_do_not_reach_the_source() -> None:
    reported = record_reports()

    class Bad(Steps):
        def chunk_steps(self, chunk: Any) -> None:
            raise BOOM

        def close_steps(self) -> None:
            raise BOOM

    stream = create_readable_stream(high_water_mark=0)
    reader = get_reader(stream)
    read_chunk(reader, Bad())
    enqueue_into_readable_stream(stream, 1)
    close_readable_stream(stream)
    read_chunk(reader, Bad())
    assert [context["exception"] for context in reported] == [BOOM, BOOM]


async def test_a_read_request_has_three_methods() -> None:
    reader = get_reader(create_readable_stream())
    wrong: Any = object()
    with pytest.raises(TypeError, match="a read request must have the method chunk_steps, and object has not"):
        read_chunk(reader, wrong)
    assert not is_disturbed(create_readable_stream())


async def test_all_bytes_are_read() -> None:
    stream: ReadableStream[Any] = create_readable_stream(high_water_mark=0)
    outcome: list[Any] = []
    read_all_bytes(get_reader(stream), outcome.append, raise_boom)
    reused = bytearray(b"bb")
    for chunk in (b"aa", reused, memoryview(b"xccx")[1:3], array("B", b"dd")):
        enqueue_into_readable_stream(stream, chunk)
    reused[:] = b"--"
    assert outcome == []
    close_readable_stream(stream)
    assert outcome == [b"aabbccdd"]
    assert is_locked(stream)


async def test_a_long_queue_is_read_without_recursion_and_in_turns() -> None:
    stream = create_readable_stream(high_water_mark=0)
    chunks = 200_000
    for _ in range(chunks):
        enqueue_into_readable_stream(stream, b"x")
    close_readable_stream(stream)
    turns = 0
    promise = read_all_bytes_as_promise(get_reader(stream))
    while not promise.done():
        turns += 1
        await asyncio.sleep(0)
    assert promise.result() == b"x" * chunks
    assert turns > 1, "other tasks had their turns"


async def test_all_bytes_of_a_source_that_enqueues_inside_pull() -> None:
    stream = create_readable_stream(pull_algorithm=lambda: next_byte(stream, left), high_water_mark=0)
    left = list(range(200))
    assert await read_all_bytes_as_promise(get_reader(stream)) == bytes(reversed(range(200)))


def next_byte(stream: ReadableStream[Any], left: list[int]) -> None:
    enqueue_into_readable_stream(stream, bytes([left.pop()]))
    if not left:
        close_readable_stream(stream)


@each_of(chunk=["text", 1, array("H", [1]), None])
async def test_a_chunk_that_is_no_bytes_ends_reading_all(chunk: Any) -> None:
    stream: ReadableStream[Any] = create_readable_stream(high_water_mark=0)
    enqueue_into_readable_stream(stream, chunk)
    enqueue_into_readable_stream(stream, b"rest")
    reader = get_reader(stream)
    with pytest.raises(TypeError, match=r"the chunk must be a bytes-like object|of which all bytes are read must be"):
        await read_all_bytes_as_promise(reader)
    value, _ = await reader.read()
    assert value == b"rest", "the stream is neither cancelled nor released"


async def test_reading_all_bytes_fails_with_the_error_of_the_stream() -> None:
    stream = create_readable_stream(high_water_mark=0)
    failures: list[Any] = []
    read_all_bytes(get_reader(stream), raise_boom, failures.append)
    enqueue_into_readable_stream(stream, b"some")
    error_readable_stream(stream, "why")
    assert failures == ["why"]


async def test_releasing_the_reader_ends_reading_all() -> None:
    waiting = create_readable_stream(high_water_mark=0)
    reader = get_reader(waiting)
    promise = read_all_bytes_as_promise(reader)
    release_reader(reader)
    assert isinstance(promise.exception(), TypeError)
    with pytest.raises(TypeError, match="the reader was released"):
        read_all_bytes(reader, print, print)
    busy = create_readable_stream(high_water_mark=0)
    for _ in range(1000):
        enqueue_into_readable_stream(busy, b"x")
    reader = get_reader(busy)
    promise = read_all_bytes_as_promise(reader)
    release_reader(reader)
    with pytest.raises(TypeError, match="not all bytes were read"):
        await promise


async def test_steps_of_reading_all_bytes() -> None:
    reported = record_reports()
    stream = create_readable_stream()
    reader = get_reader(stream)
    wrong: Any = None
    with pytest.raises(TypeError, match="failure_steps must be callable, not NoneType"):
        read_all_bytes(reader, print, wrong)
    close_readable_stream(stream)
    read_all_bytes(reader, raise_boom, print)
    assert [context["exception"] for context in reported] == [BOOM]


async def test_a_locked_stream_can_be_cancelled() -> None:
    reasons: list[Any] = []
    stream = create_readable_stream(cancel_algorithm=reasons.append)
    reader = get_reader(stream)
    with pytest.raises(TypeError, match="locked"):
        await stream.cancel()
    await cancel_readable_stream(stream, "enough")
    assert reasons == ["enough"]
    assert (await reader.read()).done
    assert is_disturbed(stream)


async def test_a_reader_cancels_its_stream() -> None:
    reasons: list[Any] = []
    stream = create_readable_stream(cancel_algorithm=reasons.append)
    reader = get_reader(stream)
    await cancel_reader(reader, "enough")
    assert reasons == ["enough"]
    release_reader(reader)
    with pytest.raises(TypeError, match="the reader was released"):
        await cancel_reader(reader)


async def test_the_branches_of_a_tee_do_not_share_chunks() -> None:
    chunk = {"list": [1]}
    memory = memoryview(bytearray(b"\1\0\2\0")).cast("H")
    branch1, branch2 = tee(ReadableStream.from_([chunk, memory]))
    first, second = await items(branch1), await items(branch2)
    assert first[0] is chunk and second[0] == chunk and second[0]["list"] is not chunk["list"]
    assert first[1] is memory and second[1] == memory and second[1].format == "H"
    memory[0] = 9
    assert second[1][0] == 1


async def test_a_chunk_that_cannot_be_cloned_errors_both_branches() -> None:
    class Uncopyable:
        def __deepcopy__(self, memo: Any) -> Any:
            raise BOOM

    reasons: list[Any] = []
    stream = create_readable_stream(cancel_algorithm=reasons.append)
    enqueue_into_readable_stream(stream, Uncopyable())
    for branch in tee(stream):
        with pytest.raises(RuntimeError) as caught:
            await items(branch)
        assert caught.value is BOOM
    assert reasons == [BOOM]


async def test_nothing_is_cloned_for_a_cancelled_branch() -> None:
    class Uncopyable:
        def __deepcopy__(self, memo: Any) -> Any:
            raise BOOM

    chunk = Uncopyable()
    stream = create_readable_stream(high_water_mark=0)
    branch1, branch2 = tee(stream)
    cancelled = branch2.cancel()
    enqueue_into_readable_stream(stream, chunk)
    close_readable_stream(stream)
    assert await items(branch1) == [chunk]
    await cancelled


async def test_a_tee_waits_for_the_faster_branch_and_of_bytes_too() -> None:
    stream = create_readable_stream_with_byte_reading_support()
    enqueue_into_readable_stream(stream, b"abc")
    close_readable_stream(stream)
    branch1, branch2 = tee(stream)
    assert is_locked(stream)
    with pytest.raises(TypeError, match="locked"):
        tee(stream)
    assert await items(branch1) == await items(branch2) == [b"abc"]


async def test_introspection() -> None:
    stream = create_readable_stream()
    states = (is_readable, is_closed, is_errored, is_locked, is_disturbed)
    assert [state(stream) for state in states] == [True, False, False, False, False]
    reader = get_reader(stream)
    assert [state(stream) for state in states] == [True, False, False, True, False]
    await cancel_reader(reader)
    assert [state(stream) for state in states] == [False, True, False, True, True]
    other: ReadableStream[Any] = ReadableStream()
    error_readable_stream(other, 1)
    assert [state(other) for state in states] == [False, False, True, False, False]


# Writable streams.


async def test_what_is_written_reaches_the_algorithms_one_by_one() -> None:
    events: list[Any] = []

    async def write(chunk: Any) -> None:
        events.append(f"{chunk} begins")
        await asyncio.sleep(0)
        events.append(f"{chunk} ends")

    stream = create_writable_stream(write, close_algorithm=lambda: events.append("close"), high_water_mark=2)
    writer = get_writer(stream)
    assert writer.desired_size == 2
    writes = [write_chunk(writer, chunk) for chunk in ("a", "b")]
    assert writer.desired_size == 0
    await close_writable_stream(stream)
    assert events == ["a begins", "a ends", "b begins", "b ends", "close"]
    assert all(each.done() for each in writes)


async def test_a_writable_subclass_sets_itself_up() -> None:
    class Collector(WritableStream[str]):
        def __init__(self) -> None:
            self.chunks: list[str] = []
            set_up_writable_stream(self, self.chunks.append, size_algorithm=len, high_water_mark=10)

    stream = Collector()
    await pipe_to(ReadableStream.from_(["a", "bc"]), stream)
    assert stream.chunks == ["a", "bc"]


async def test_aborting_a_locked_stream_calls_the_abort_algorithm() -> None:
    reasons: list[Any] = []
    stream = create_writable_stream(print, abort_algorithm=reasons.append)
    writer = get_writer(stream)
    signal = get_signal(stream)
    aborted = [signal.aborted]
    await abort_writable_stream(stream, "enough")
    assert reasons == ["enough"]
    assert [*aborted, signal.aborted, signal.reason] == [False, True, "enough"]
    with pytest.raises(StreamError):
        await write_chunk(writer, 1)


@each_of(fail=[raise_boom, raise_boom_later])
async def test_failing_algorithms_of_a_sink(fail: Callable[..., Any]) -> None:
    for arguments, act in (
        ({"write_algorithm": fail}, lambda stream: write_chunk(get_writer(stream), 1)),
        ({"write_algorithm": print, "close_algorithm": fail}, close_writable_stream),
        ({"write_algorithm": print, "abort_algorithm": fail}, abort_writable_stream),
    ):
        stream = create_writable_stream(**arguments)
        with pytest.raises(RuntimeError) as caught:
            await act(stream)
        assert caught.value is BOOM


async def test_the_writable_stream_reacts_to_the_very_promise_of_write() -> None:
    order: list[str] = []
    promise, resolve, _ = Promise.with_resolvers()
    stream = create_writable_stream(lambda chunk: promise)
    writer = get_writer(stream)
    await jobs_done()
    write_chunk(writer, 1).then(lambda _: order.append("written"))
    promise.then(lambda _: queue_microtask(order.append, "two jobs later"))
    resolve(None)
    await jobs_done()
    assert order == ["written", "two jobs later"]


async def test_erroring_a_writable_stream() -> None:
    stream = create_writable_stream(print)
    await jobs_done()
    error_writable_stream(stream, BOOM)
    error_writable_stream(stream, "late")
    with pytest.raises(RuntimeError) as caught:
        await get_writer(stream).closed
    assert caught.value is BOOM


async def test_writers() -> None:
    class Tagged(WritableStreamDefaultWriter[Any]):
        def __init__(self, stream: WritableStream[Any], tag: str) -> None:
            self.tag = tag
            set_up_writer(self, stream)

    chunks: list[Any] = []
    stream = create_writable_stream(chunks.append)
    writer = Tagged(stream, "tag")
    with pytest.raises(TypeError, match="locked"):
        get_writer(stream)
    with pytest.raises(TypeError, match="has not been set up"):
        set_up_writer(writer, stream)
    await write_chunk(writer, 1)
    release_writer(writer)
    release_writer(writer)
    with pytest.raises(TypeError, match="the writer was released"):
        await write_chunk(writer, 2)
    assert chunks == [1]


async def test_closing_twice_is_rejected() -> None:
    stream = create_writable_stream(print)
    first, second = close_writable_stream(stream), close_writable_stream(stream)
    with pytest.raises(TypeError, match="closing already"):
        await second
    await first
    with pytest.raises(TypeError, match="closed"):
        await close_writable_stream(stream)


# Transform streams.


class Upper(TransformStream[str, str]):
    """Set up by itself, with all three algorithms."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        set_up_transform_stream(self, self.change, flush_algorithm=self.end, cancel_algorithm=self.stop)

    async def change(self, chunk: str) -> None:
        await asyncio.sleep(0)
        enqueue_into_transform_stream(self, chunk.upper())

    def end(self) -> None:
        enqueue_into_transform_stream(self, "end")

    def stop(self, reason: object) -> None:
        self.events.append(reason)


async def test_a_transform_subclass_sets_itself_up() -> None:
    assert await items(pipe_through(ReadableStream.from_(["a", "b"]), Upper())) == ["A", "B", "end"]
    for cancel in (True, False):
        stream = Upper()
        await (stream.readable.cancel("enough") if cancel else stream.writable.abort("enough"))
        assert stream.events == ["enough"]


async def test_queues_of_a_transform_stream() -> None:
    stream = create_transform_stream(print)
    assert get_writer(stream.writable).desired_size == 1
    assert desired_size_to_fill_up_to_high_water_mark(stream.readable) == 0


@each_of(fail=[raise_boom, raise_boom_later])
async def test_failing_algorithms_of_a_transformer(fail: Callable[..., Any]) -> None:
    with pytest.raises(RuntimeError) as caught:
        await items(pipe_through(ReadableStream.from_([1]), create_transform_stream(fail)))
    assert caught.value is BOOM
    with pytest.raises(RuntimeError) as caught:
        await items(pipe_through(ReadableStream.from_([]), create_transform_stream(print, flush_algorithm=fail)))
    assert caught.value is BOOM
    with pytest.raises(RuntimeError) as caught:
        await create_transform_stream(print, cancel_algorithm=fail).readable.cancel()
    assert caught.value is BOOM


async def test_terminating_a_transform_stream() -> None:
    stream = create_transform_stream(lambda chunk: terminate_transform_stream(stream))
    writer = get_writer(stream.writable)
    read = get_reader(stream.readable).read()
    await write_chunk(writer, 1)
    assert (await read).done
    with pytest.raises(TypeError, match="terminated"):
        await write_chunk(writer, 2)
    with pytest.raises(TypeError, match="cannot enqueue into the readable side"):
        enqueue_into_transform_stream(stream, 3)


async def test_erroring_a_transform_stream() -> None:
    stream = create_transform_stream(print)
    error_transform_stream(stream, BOOM)
    with pytest.raises(RuntimeError) as caught:
        await items(stream.readable)
    assert caught.value is BOOM
    with pytest.raises(RuntimeError) as caught:
        await get_writer(stream.writable).closed
    assert caught.value is BOOM


async def test_an_identity_transform_passes_everything_on() -> None:
    chunk = object()
    assert await items(pipe_through(ReadableStream.from_([chunk]), create_identity_transform_stream())) == [chunk]


async def test_a_class_that_wraps_a_transform_stream() -> None:
    class Doubler(GenericTransformStream[int, int]):
        def __init__(self) -> None:
            self._transform = create_transform_stream(self.double)

        def double(self, chunk: int) -> None:
            enqueue_into_transform_stream(self._transform, 2 * chunk)

    doubler = Doubler()
    assert doubler.readable is doubler.readable and doubler.writable is doubler.writable
    assert await items(ReadableStream.from_([1, 2]).pipe_through(doubler)) == [2, 4]


# Piping.


async def test_pipes_have_the_options_of_the_methods() -> None:
    chunks: list[Any] = []
    destination = create_writable_stream(chunks.append)
    await pipe_to(ReadableStream.from_([1]), destination, prevent_close=True)
    await pipe_to(ReadableStream.from_([2]), destination)
    assert chunks == [1, 2]
    controller = AbortController()
    controller.abort("stop")
    source: ReadableStream[Any] = ReadableStream()
    with pytest.raises(StreamError) as caught:
        await pipe_to(source, WritableStream(), signal=controller.signal, prevent_cancel=True)
    assert caught.value.reason == "stop"
    assert is_readable(source)


async def test_pipes_do_not_go_through_methods_of_a_subclass() -> None:
    class Odd(ReadableStream[int]):
        def __init__(self) -> None:
            set_up_readable_stream(self, high_water_mark=0)

        pipe_to = pipe_through = tee = get_reader = FORBIDDEN

    chunks: list[Any] = []
    stream = Odd()
    enqueue_into_readable_stream(stream, 1)
    close_readable_stream(stream)
    await pipe_to(stream, create_writable_stream(chunks.append))
    assert chunks == [1]
    stream = Odd()
    close_readable_stream(stream)
    assert await items(create_proxy(stream)) == []


async def test_locked_streams_cannot_be_piped() -> None:
    stream: ReadableStream[Any] = ReadableStream()
    get_reader(stream)
    with pytest.raises(TypeError, match="locked"):
        await pipe_to(stream, WritableStream())
    with pytest.raises(TypeError, match="locked"):
        pipe_through(stream, create_identity_transform_stream())
    with pytest.raises(TypeError, match="cannot make a proxy of the stream: it is locked"):
        create_proxy(stream)


async def test_a_proxy_takes_the_chunks_of_its_stream() -> None:
    reasons: list[Any] = []
    stream = create_readable_stream(cancel_algorithm=reasons.append)
    enqueue_into_readable_stream(stream, 1)
    proxy = create_proxy(stream)
    assert is_locked(stream) and is_disturbed(stream)
    assert not is_locked(proxy) and not is_disturbed(proxy)
    reader = get_reader(proxy)
    assert (await reader.read()).value == 1
    await cancel_reader(reader, "enough")
    await jobs_done()
    assert reasons == ["enough"]


# The module.


def test_the_example_runs() -> None:
    assert doctest.testmod(operations).failed == 0


def test_every_name_is_public_sorted_and_documented() -> None:
    assert sorted(operations.__all__) == operations.__all__
    for name in operations.__all__:
        documentation = getattr(operations, name).__doc__ or ""
        assert documentation.strip(), f"{name} has no docstring"
        assert f"`{name}`" in (operations.__doc__ or "") or name in NOT_IN_THE_OVERVIEW, (
            f"{name} is not in the overview"
        )


NOT_IN_THE_OVERVIEW = {
    "ReadRequest",
    "create_readable_stream_with_byte_reading_support",
    "read_all_bytes_as_promise",
    "set_up_readable_stream_with_byte_reading_support",
}
