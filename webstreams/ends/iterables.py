"""Iterables, generators and functions as ends and as transforms: what ``ReadableStream.from_()`` does not do.

An asynchronous or a plain iterable becomes a stream by ``ReadableStream.from_(iterable)``, and a stream is itself an
asynchronous iterable. Here are the other ways: with blocking code in a thread, into a function or a generator, and
through an asynchronous generator.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
)
from contextlib import suppress
from contextvars import copy_context
from typing import Any, Generic

from typing_extensions import TypeVar

from .._debug.repr import show
from .._engine.jobs import current_jobs
from .._engine.promise import Promise
from .._engine.pump import closed_by_others, is_finished, is_pumped
from .._platform.errors import as_exception
from .._platform.stages import stage_name
from .._streams.checks import require_readable
from .._streams.readable.controller import ReadableStreamDefaultController
from .._streams.readable.operators.calls import Calls
from .._streams.readable.stream import ReadableStream, create_readable_stream
from .._streams.results import ReadDoneResult
from .._streams.transform.generator import GeneratorSource
from .._streams.transform.stream import TransformStream
from .._streams.writable.controller import WritableStreamDefaultController
from .._streams.writable.stream import WritableStream
from ..threads import ThreadSafeReader, ThreadSafeWriter, abandon, readable_from_thread
from ._concurrent_sink import ConcurrentSink

__all__ = [
    "GeneratorTransform",
    "as_blocking_iterable",
    "from_blocking_iterable",
    "generator_transform",
    "to_callable",
    "to_generator",
]

T = TypeVar("T", default=Any)
I = TypeVar("I", default=Any)  # noqa: E741
O = TypeVar("O", default=Any)  # noqa: E741


# Blocking code in a thread.


def from_blocking_iterable(iterable: Iterable[T], *, high_water_mark: float = 0) -> ReadableStream[T]:
    """Make a stream of the items of a plain iterable that blocks: all of it runs in a thread of its own.

    The thread takes its first item when the stream is first read, and is at most `high_water_mark` + 2 items ahead of
    the reader. An exception of the iterable errors the stream. Cancelling the stream closes a generator, in its thread,
    after the item that it is busy with. A thread that is blocked in the iterable for longer than half a second then is
    left behind; it does not keep the process alive.

    Raises `TypeError` for what cannot be iterated over, for `str` and for bytes-like objects, which are one chunk.

    >>> import time
    >>> def slow() -> Iterable[int]:
    ...     for number in range(3):
    ...         time.sleep(0.001)  # the event loop goes on meanwhile
    ...         yield number
    >>> async def main() -> None:
    ...     print([number async for number in from_blocking_iterable(slow())])
    >>> asyncio.run(main())
    [0, 1, 2]
    """
    if isinstance(iterable, (str, bytes, bytearray, memoryview)):
        raise TypeError(
            f"from_blocking_iterable() takes an iterable of chunks, and a {type(iterable).__name__} is most likely one"
        )
    if not hasattr(type(iterable), "__iter__"):
        raise TypeError(f"from_blocking_iterable() needs an iterable, not {type(iterable).__name__}")
    return readable_from_thread(_IterableWriter(iterable), high_water_mark=high_water_mark)


class _IterableWriter(Generic[T]):
    """Writes the items of an iterable, in the thread."""

    def __init__(self, iterable: Iterable[T]) -> None:
        self._iterable = iterable
        self.stage_name = stage_name(iterable)

    def __call__(self, writer: ThreadSafeWriter[T]) -> None:
        iterator = iter(self._iterable)
        try:
            for item in iterator:
                writer.write(item)
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()


def as_blocking_iterable(readable: ReadableStream[T]) -> Generator[T, None, None]:
    """Return a stream as an iterator for one ``for`` loop in another thread, which waits there for every chunk.

    Call it in the thread of the event loop; the stream is locked from now on. An error of the stream is raised in the
    thread: the same object, or a `StreamError` for a reason that is not an exception. Leaving the loop early cancels
    the stream, as does dropping the iterator. Iterating in the thread of the event loop, or when the loop has stopped,
    raises `RuntimeError`. For a time limit, or several threads, take `webstreams.threads.ThreadSafeReader`.

    Raises `TypeError` for anything other than an unlocked readable stream.

    >>> async def main() -> None:
    ...     chunks = as_blocking_iterable(ReadableStream.from_([3, 1, 2]))
    ...     print(await asyncio.to_thread(sorted, chunks))
    >>> asyncio.run(main())
    [1, 2, 3]
    """
    require_readable(readable, "as_blocking_iterable")
    reader: ThreadSafeReader[T] = ThreadSafeReader(readable)
    chunks = _read_all(reader, asyncio.get_running_loop())
    next(chunks)  # from here on, dropping it is leaving it
    return chunks


def _read_all(reader: ThreadSafeReader[T], loop: asyncio.AbstractEventLoop) -> Generator[Any, None, None]:
    try:
        yield None
        yield from reader
    finally:
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(abandon, reader)


# Into functions and generators.


def to_callable(function: Callable[[T], Awaitable[object] | object], *, concurrency: int = 1) -> WritableStream[T]:
    """Make a writable stream that calls ``function(chunk)`` for every chunk, and waits for what that returns.

    It may be a coroutine function. Its exceptions error the stream. With a `concurrency` above 1 so many calls of a
    coroutine function run at a time: a write is done when its call has begun and another one may; closing waits for all
    calls; the first failure cancels the others, and aborting cancels all. Neither is settled before they have ended.

    Raises `TypeError` for anything other than a function, and for a plain one with a concurrency above 1; `ValueError`
    for a concurrency below 1.

    >>> async def main() -> None:
    ...     numbers: list[int] = []
    ...     await ReadableStream.from_([1, 2]).pipe_to(to_callable(numbers.append))
    ...     print(numbers)
    >>> asyncio.run(main())
    [1, 2]
    """
    calls = Calls("to_callable", function, concurrency)
    if calls.concurrency == 1:
        return WritableStream(_CallableSink(function))
    return WritableStream(ConcurrentSink(current_jobs(), calls))


class _CallableSink(Generic[T]):
    """The underlying sink that calls a function."""

    def __init__(self, function: Callable[[T], Awaitable[object] | object]) -> None:
        self._function = function
        # What errors say that they arose in.
        self.stage_name = stage_name(function)

    def write(self, chunk: T, controller: WritableStreamDefaultController) -> Awaitable[object] | object:
        return self._function(chunk)


def to_generator(generator: AsyncGenerator[Any, T] | Generator[Any, T, Any]) -> WritableStream[T]:
    """Make a writable stream that sends every chunk into a generator, asynchronous or not: ``chunk = yield``.

    The generator runs up to its first ``yield`` before the first chunk; what it yields is not looked at. Closing the
    stream closes it (it sees `GeneratorExit`), aborting throws the reason into it (a `StreamError` if that is not an
    exception), either after the chunk that it is busy with. Its exceptions error the stream. A generator that returns
    has had enough: it errors the stream with `BrokenPipeError`, which stops a pipe. So does one that somebody else has
    closed, with an `AbortError` if that shows only when the stream is closed.

    Raises `TypeError` for anything other than a generator.

    >>> async def show() -> AsyncGenerator[None, str]:
    ...     try:
    ...         while True:
    ...             print((yield))
    ...     finally:
    ...         print("closed")
    >>> async def main() -> None:
    ...     await ReadableStream.from_(["a", "b"]).pipe_to(to_generator(show()))
    >>> asyncio.run(main())
    a
    b
    closed
    """
    if isinstance(generator, AsyncGenerator):
        return WritableStream(_AsyncGeneratorSink(generator))
    if isinstance(generator, Generator):
        return WritableStream(_GeneratorSink(generator))
    raise TypeError(f"to_generator() needs a generator, not {type(generator).__name__}")


class _AsyncGeneratorSink(Generic[T]):
    """The underlying sink over an asynchronous generator."""

    stage_name = "to_generator()"

    def __init__(self, generator: AsyncGenerator[Any, T]) -> None:
        self._generator: AsyncGenerator[Any, Any] = generator

    async def start(self, controller: WritableStreamDefaultController) -> None:
        await self._send(None)

    async def write(self, chunk: T, controller: WritableStreamDefaultController) -> None:
        await self._send(chunk)

    async def _send(self, chunk: Any) -> None:
        try:
            await self._generator.asend(chunk)
        except StopAsyncIteration:
            raise _returned() from None

    async def close(self) -> None:
        if is_finished(self._generator):
            raise closed_by_others(self._generator)
        await self._generator.aclose()

    async def abort(self, reason: object) -> None:
        error = as_exception(reason)
        try:
            await self._generator.athrow(error)
        except BaseException as raised:
            if raised is not error and not isinstance(raised, StopAsyncIteration):
                raise
        await self._generator.aclose()


class _GeneratorSink(Generic[T]):
    """The underlying sink over a plain generator."""

    stage_name = "to_generator()"

    def __init__(self, generator: Generator[Any, T, Any]) -> None:
        self._generator: Generator[Any, Any, Any] = generator

    def start(self, controller: WritableStreamDefaultController) -> None:
        try:
            next(self._generator)
        except StopIteration:
            controller.error(_returned())

    def write(self, chunk: T, controller: WritableStreamDefaultController) -> None:
        try:
            self._generator.send(chunk)
        except StopIteration:
            raise _returned() from None

    def close(self) -> None:
        if is_finished(self._generator):
            raise closed_by_others(self._generator)
        self._generator.close()

    def abort(self, reason: object) -> None:
        error = as_exception(reason)
        try:
            self._generator.throw(error)
        except BaseException as raised:
            if raised is not error and not isinstance(raised, StopIteration):
                raise
        self._generator.close()


def _returned() -> BrokenPipeError:
    return BrokenPipeError("the generator has returned: it takes no more chunks")


# Through an asynchronous generator.


def generator_transform(function: Callable[[AsyncIterator[I]], AsyncIterable[O]]) -> GeneratorTransform[I, O]:
    """Make a transform of ``function(chunks)``, which iterates over what is written and yields what comes out.

    Give it to ``pipe_through()``. The function is called at once; it gets a chunk when the result is read. Returning
    ends the result, and what is written from then on is refused. A generator that somebody else has closed after it
    gave something is an error, an `AbortError`. Its exceptions error both sides; an abort of the `writable` side is
    raised inside ``async for``. Cancelling the `readable` side closes the generator, cancelling what it waits for, and
    then errors the `writable` side.

    >>> async def pairs(chunks: AsyncIterator[int]) -> AsyncIterator[tuple[int, int]]:
    ...     async for first in chunks:
    ...         async for second in chunks:
    ...             yield first, second
    ...             break
    >>> async def main() -> None:
    ...     numbers = ReadableStream.from_(range(4))
    ...     print([pair async for pair in numbers.pipe_through(generator_transform(pairs))])
    >>> asyncio.run(main())
    [(0, 1), (2, 3)]
    """
    return GeneratorTransform(function)


class GeneratorTransform(Generic[I, O]):
    """The two sides of a `generator_transform`."""

    def __init__(self, function: Callable[[AsyncIterator[I]], AsyncIterable[O]]) -> None:
        if not callable(function):
            raise TypeError(f"generator_transform() needs a function, not {type(function).__name__}")
        inner: TransformStream[I, I] = TransformStream()
        self._writable = inner.writable
        self._readable: ReadableStream[O] = _ThroughGenerator(function, inner.readable).stream()

    def __repr__(self) -> str:
        """Show both sides."""
        return show(self, self._details())

    def _details(self) -> Iterator[str]:
        yield f"from {self._writable!r} to {self._readable!r}"

    @property
    def readable(self) -> ReadableStream[O]:
        """What the function yields."""
        return self._readable

    @property
    def writable(self) -> WritableStream[I]:
        """What the function iterates over."""
        return self._writable


class _Chunks(Generic[T]):
    """What the function iterates over: leaving a loop over it does not end it."""

    def __init__(self, readable: ReadableStream[T]) -> None:
        self.reader = readable.get_reader()
        # What brings the next chunk to the generator without a promise.
        self.source: GeneratorSource | None = None

    def __aiter__(self) -> _Chunks[T]:
        return self

    async def __anext__(self) -> T:
        source = self.source
        if source is not None and source.may_wait():
            await source  # type: ignore[misc] # it gives an iterator of C, not a generator
            return source.taken()  # type: ignore[no-any-return]
        result = await self.reader.read()
        if isinstance(result, ReadDoneResult):
            raise StopAsyncIteration
        return result.value


class _ThroughGenerator(Generic[I, O]):
    """The underlying source of the readable side, for whatever gives items; a generator has a `GeneratorSource`."""

    def __init__(self, function: Callable[[AsyncIterator[I]], AsyncIterable[O]], readable: ReadableStream[I]) -> None:
        # What errors say that they arose in.
        self.stage_name = stage_name(function)
        self._chunks: _Chunks[I] = _Chunks(readable)
        result: Any = function(self._chunks)
        if not isinstance(result, AsyncIterable):
            if isinstance(result, Coroutine):
                result.close()
            raise TypeError(f"the function must give an asynchronous iterable, not {type(result).__name__}")
        self._iterator = aiter(result)
        self._has_given = False
        self._task: asyncio.Task[Any] | None = None
        self._is_cancelled = False
        self._source: GeneratorSource | None = None

    def stream(self) -> ReadableStream[O]:
        """Make the readable side."""
        if not is_pumped(self._iterator):
            return ReadableStream(self, {"high_water_mark": 0})
        source = GeneratorSource(self, self._chunks.reader, self._iterator, copy_context())
        self._source = self._chunks.source = source
        return create_readable_stream(source, 0)

    def take_over(self) -> None:
        """Be the underlying source from now on."""
        self._chunks.source = None
        self._has_given = self._source is not None and self._source.has_begun()

    async def pull(self, controller: ReadableStreamDefaultController[O]) -> None:
        self._task = asyncio.current_task()
        try:
            if self._has_given and is_finished(self._iterator):
                raise closed_by_others(self._iterator)
            item = await anext(self._iterator)
        except StopAsyncIteration:
            controller.close()
            self.has_ended(None)
        except BaseException as error:
            self.has_ended(error)
            raise
        else:
            self._has_given = True
            controller.enqueue(item)
        finally:
            self._task = None

    async def cancel(self, reason: object) -> None:
        self._is_cancelled = True
        task = self._task_under_way()
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        try:
            close = getattr(self._iterator, "aclose", None)
            if close is not None:
                await close()
        finally:
            self._refuse_more(reason)

    def _task_under_way(self) -> asyncio.Task[Any] | None:
        if self._task is None and self._source is not None:
            return self._source.task_under_way()  # type: ignore[no-any-return]
        return self._task

    def has_ended(self, error: object | None) -> None:
        """The iterator has returned, or failed: what is written from now on is refused."""
        if error is None:
            self._refuse_more(_returned())
        elif not self._is_cancelled:
            self._refuse_more(as_exception(error))

    def _refuse_more(self, reason: object) -> None:
        self._chunks.reader.cancel(reason).add_done_callback(Promise.exception)
