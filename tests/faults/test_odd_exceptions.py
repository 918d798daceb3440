"""Exceptions that mean something else to Python when they leave a callback (Y5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from tests.grids import each_of
from webstreams import (
    Promise,
    ReadableStream,
    StreamError,
    TransformStream,
    WritableStream,
    from_bytes,
)

from .helpers import (
    FORMS,
    RecordingSource,
    failure,
    other_tasks,
    quiet,
    raising,
    soon,
    stream_of,
    turns,
)

# Odd exceptions.

ODD = [StopIteration, StopAsyncIteration, asyncio.CancelledError, GeneratorExit]


async def fail_in_start(callback: Callable[..., Any]) -> BaseException:
    try:
        stream: ReadableStream[Any] = ReadableStream({"start": callback})
    except Exception as error:
        return error
    return await failure(stream.get_reader().read())


async def fail_in_pull(callback: Callable[..., Any]) -> BaseException:
    return await failure(ReadableStream[Any]({"pull": callback}).get_reader().read())


async def fail_in_byte_pull(callback: Callable[..., Any]) -> BaseException:
    return await failure(ReadableStream({"type": "bytes", "pull": callback}).get_reader().read())


async def fail_in_cancel(callback: Callable[..., Any]) -> BaseException:
    return await failure(ReadableStream[Any]({"cancel": callback}).cancel())


async def fail_in_sink_start(callback: Callable[..., Any]) -> BaseException:
    try:
        stream: WritableStream[Any] = WritableStream({"start": callback})
    except Exception as error:
        return error
    return await failure(stream.get_writer().closed)


async def fail_in_write(callback: Callable[..., Any]) -> BaseException:
    writer = WritableStream[Any]({"write": callback}).get_writer()
    error = await failure(writer.write("chunk"))
    assert await failure(writer.closed) is error
    return error


async def fail_in_close(callback: Callable[..., Any]) -> BaseException:
    return await failure(WritableStream[Any]({"close": callback}).close())


async def fail_in_abort(callback: Callable[..., Any]) -> BaseException:
    return await failure(WritableStream[Any]({"abort": callback}).abort())


async def fail_in_transformer_start(callback: Callable[..., Any]) -> BaseException:
    try:
        stream: TransformStream[Any, Any] = TransformStream({"start": callback})
    except Exception as error:
        return error
    return await failure(stream.readable.get_reader().read())


async def fail_in_transform(callback: Callable[..., Any]) -> BaseException:
    stream: TransformStream[Any, Any] = TransformStream({"transform": callback})
    writing = stream.writable.get_writer().write("chunk")
    error = await failure(stream.readable.get_reader().read())
    assert await failure(writing) is error
    return error


async def fail_in_flush(callback: Callable[..., Any]) -> BaseException:
    stream: TransformStream[Any, Any] = TransformStream({"flush": callback})
    closing = stream.writable.close()
    error = await failure(stream.readable.get_reader().read())
    assert await failure(closing) is error
    return error


async def fail_in_transformer_cancel(callback: Callable[..., Any]) -> BaseException:
    return await failure(TransformStream[Any, Any]({"cancel": callback}).readable.cancel())


async def fail_in_microtask(callback: Callable[..., Any]) -> BaseException:
    return await failure(Promise.resolve().then(callback))


async def fail_in_coroutine(callback: Callable[..., Any]) -> BaseException:
    async def call() -> Any:
        return await callback()

    return await failure(Promise.resolve(call()))


CALLBACKS = [
    fail_in_start,
    fail_in_pull,
    fail_in_byte_pull,
    fail_in_cancel,
    fail_in_sink_start,
    fail_in_write,
    fail_in_close,
    fail_in_abort,
    fail_in_transformer_start,
    fail_in_transform,
    fail_in_flush,
    fail_in_transformer_cancel,
    fail_in_microtask,
]


@each_of(fail_in=CALLBACKS)
@each_of(form=FORMS, kind=ODD)
async def test_y5_odd_exception_becomes_an_ordinary_one(
    kind: type[BaseException], form: str, fail_in: Callable[[Callable[..., Any]], Awaitable[BaseException]]
) -> None:
    """A callback raises what steers generators or tasks: the stream errors with an ordinary exception around it."""
    odd = kind("odd")
    with quiet(1):
        error = await fail_in(raising(odd, form))
        assert error.__cause__ is odd
        if kind is StopIteration and form != "function":
            assert type(error) is RuntimeError  # what Python itself makes of it in a coroutine
        else:
            assert type(error) is StreamError
            assert error.reason is odd
        await turns()
    assert not other_tasks()


@each_of(kind=ODD)
@each_of(side=["readable", "writable"])
async def test_y5_odd_exception_in_size(kind: type[BaseException], side: str) -> None:
    """size() raises such an exception: enqueue() raises an ordinary one around it, or write() is rejected with it."""
    odd = kind("odd")
    if side == "readable":
        source = RecordingSource()
        stream = stream_of(source, 5, raising(odd, "function"))
        with pytest.raises(StreamError) as caught:
            source.controller.enqueue("chunk")
        errors: list[BaseException] = [caught.value, await failure(stream.get_reader().read())]
    else:
        sized: WritableStream[Any] = WritableStream({}, {"size": raising(odd, "function")})
        errors = [await failure(sized.get_writer().write("chunk"))]
    for error in errors:
        assert isinstance(error, StreamError)
        assert error.reason is odd


async def test_y5_the_end_of_another_kind_of_iterator() -> None:
    """A plain iterator raises what ends an asynchronous one: that is a failure, and not its end."""

    odd = StopAsyncIteration("odd")

    def fail(_: object) -> Any:
        raise odd

    for stream in (ReadableStream.from_(map(fail, [1])), from_bytes(map(fail, [1]))):
        error = await failure(stream.get_reader().read())
        assert isinstance(error, StreamError)
        assert error.reason is odd


@pytest.mark.parametrize("kind", [asyncio.CancelledError, GeneratorExit])
async def test_y5_odd_exception_of_an_iterator(kind: type[BaseException]) -> None:
    """An iterator behind from_() raises such an exception: the read fails with an ordinary one around it."""
    odd = kind("odd")

    def items() -> Iterator[Any]:
        yield "first"
        raise odd

    async def async_items() -> AsyncIterator[Any]:
        yield "first"
        raise odd

    for iterable in (items(), async_items()):
        with quiet(1):
            reader = ReadableStream.from_(iterable).get_reader()
            assert await soon(reader.read()) == ("first", False)
            error = await failure(reader.read())
            assert isinstance(error, StreamError)
            assert error.reason is odd
