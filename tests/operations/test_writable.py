"""`webstreams.operations`: writable streams, transform streams, pipes, and the module itself."""

from __future__ import annotations

import asyncio
import doctest
from collections.abc import Callable
from typing import Any

import pytest

from tests.grids import each_of
from webstreams import (
    AbortController,
    Promise,
    ReadableStream,
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
    cancel_reader,
    close_readable_stream,
    close_writable_stream,
    create_identity_transform_stream,
    create_proxy,
    create_readable_stream,
    create_transform_stream,
    create_writable_stream,
    desired_size_to_fill_up_to_high_water_mark,
    enqueue_into_readable_stream,
    enqueue_into_transform_stream,
    error_transform_stream,
    error_writable_stream,
    get_reader,
    get_signal,
    get_writer,
    is_disturbed,
    is_locked,
    is_readable,
    pipe_through,
    pipe_to,
    release_writer,
    set_up_readable_stream,
    set_up_transform_stream,
    set_up_writable_stream,
    set_up_writer,
    terminate_transform_stream,
    write_chunk,
)

from .operating import (
    BOOM,
    FORBIDDEN,
    items,
    jobs_done,
    raise_boom,
    raise_boom_later,
)

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
