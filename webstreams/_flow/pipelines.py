"""`pipeline` and `compose`: what is put together at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from inspect import isasyncgenfunction, isfunction
from typing import Any, Generic, TypeAlias, TypeVar, overload
from weakref import ref

from .._engine.door import follow_rejection, fulfill, reject
from .._engine.jobs import current_jobs
from .._engine.promise import Promise
from .._engine.task_promise import TaskPromise
from .._platform.errors import stored_error
from .._streams.abort import AbortSignal
from .._streams.door import jobs_of, lead_on, lock_of
from .._streams.holder import show_holder
from .._streams.readable.state import ReadableStreamState
from .._streams.readable.stream import ReadableStream
from .._streams.transform.stream import TransformStream
from .._streams.writable.state import WritableStreamState
from .._streams.writable.stream import WritableStream
from ..ends.iterables import generator_transform, to_callable
from ..types import ReadableWritablePair
from .inputs import all_settled

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")
R = TypeVar("R", bound=ReadableStreamState[Any])
W = TypeVar("W", bound=WritableStreamState[Any])

Source: TypeAlias = ReadableStream[A] | AsyncIterable[A] | Iterable[A]
Pair: TypeAlias = ReadableWritablePair[ReadableStream[A], WritableStream[B]]  # from B to A
Stage: TypeAlias = (
    Callable[[AsyncIterator[A]], AsyncIterable[B]] | ReadableWritablePair[ReadableStream[B], WritableStream[A]]
)
Sink: TypeAlias = WritableStream[A] | Callable[[A], object]


@overload
def pipeline(source: Source[A], /, *, sink: Sink[A], signal: AbortSignal | None = None) -> Promise[None]: ...
@overload
def pipeline(
    source: Source[A], stage: Stage[A, B], /, *, sink: Sink[B], signal: AbortSignal | None = None
) -> Promise[None]: ...
@overload
def pipeline(
    source: Source[A],
    first: Stage[A, B],
    second: Stage[B, C],
    /,
    *,
    sink: Sink[C],
    signal: AbortSignal | None = None,
) -> Promise[None]: ...
@overload
def pipeline(
    source: Source[A],
    first: Stage[A, B],
    second: Stage[B, C],
    third: Stage[C, D],
    /,
    *stages: Stage[Any, Any],
    sink: Sink[Any],
    signal: AbortSignal | None = None,
) -> Promise[None]: ...
def pipeline(source: Any, *stages: Any, sink: Any, signal: AbortSignal | None = None) -> Promise[None]:
    """Pipe a source through stages into a sink; the promise is settled when everything has ended.

    `source` is a stream or an iterable of either kind. A stage is a pair with `readable` and `writable`, or an
    asynchronous generator function of the chunks (`generator_transform`). `sink` is a writable stream or a function
    that is called with every chunk (`to_callable`). Everything is checked before anything starts or is locked.

    An error anywhere ends everything: the source is cancelled and the sink aborted with it, and the promise is rejected
    with it when all stages are done. Aborting `signal` does the same with its reason, and so does cancelling the only
    task that awaits the promise. A stage that ends early closes the sink, and cancels what is before it.

    Raises `TypeError` for arguments that cannot be used, and for streams that are locked. Not in the Standard.

    >>> import asyncio
    >>> from collections.abc import AsyncIterator
    >>> from webstreams import pipeline
    >>> async def double(numbers: AsyncIterator[int]) -> AsyncIterator[int]:
    ...     async for number in numbers:
    ...         yield 2 * number
    >>> async def main() -> None:
    ...     await pipeline([1, 2, 3], double, sink=print)
    >>> asyncio.run(main())
    2
    4
    6
    """
    jobs = current_jobs()
    if signal is not None and not isinstance(signal, AbortSignal):
        raise TypeError(f"pipeline(): signal must be an AbortSignal or None, not {type(signal).__name__}")
    _check_source(source)
    _check_sink(sink)
    pairs = _pairs(stages, "pipeline")
    readables = [source, *(each.readable for each in pairs)]
    writables = [*(each.writable for each in pairs), sink]
    _check_free([*readables, *writables], "pipeline")
    readables[0] = source if isinstance(source, ReadableStream) else ReadableStream.from_(source)
    writables[-1] = sink if isinstance(sink, WritableStream) else to_callable(sink)
    pipes = [readable.pipe_to(writable, signal=signal) for readable, writable in zip(readables, writables, strict=True)]
    for piping, readable in zip(pipes[:-1], readables[1:], strict=True):
        lead_on(piping, readable)
    task = jobs.loop.create_task(_wait(pipes[-1], all_settled(pipes[:-1])))
    promise: TaskPromise[None] = TaskPromise(jobs, task, "pipeline()")
    promise.about = ref(writables[-1])
    task.add_done_callback(partial(_settle, promise, pipes[-1]))
    return promise


async def _wait(last: Promise[None], others: Promise[None]) -> None:
    """Wait for all pipes; a cancellation of this is one of the last."""
    try:
        await last
    finally:
        with suppress(Exception):  # an error that matters is one of the last pipe, too
            await others


def _settle(promise: TaskPromise[None], last: Promise[None], task: asyncio.Task[None]) -> None:
    error = asyncio.CancelledError() if task.cancelled() else task.exception()
    if follow_rejection(promise, last):
        return
    if error is not None:
        reject(promise, stored_error(error))
    else:
        fulfill(promise)


@overload
def compose() -> Pair[Any, Any]: ...
@overload
def compose(stage: Stage[A, B], /) -> Pair[B, A]: ...
@overload
def compose(first: Stage[A, B], second: Stage[B, C], /) -> Pair[C, A]: ...
@overload
def compose(first: Stage[A, B], second: Stage[B, C], third: Stage[C, D], /) -> Pair[D, A]: ...
@overload
def compose(
    first: Stage[A, B], second: Stage[B, C], third: Stage[C, D], fourth: Stage[D, E], /, *pairs: Stage[Any, Any]
) -> Pair[Any, A]: ...
def compose(*pairs: Any) -> Pair[Any, Any]:
    """Make one pair of several: what is written into it goes through all of them, and comes out of the last.

    The result has the `writable` of the first and the `readable` of the last, for ``pipe_through()`` or another
    ``compose()``. Asynchronous generator functions are taken as pairs, as in `pipeline`. Errors, closing and
    cancelling go through all, both ways. Without any pair, chunks pass unchanged.

    Raises `TypeError` for arguments that cannot be used, and for streams that are locked; nothing is locked then. Not
    in the Standard.

    >>> import asyncio
    >>> from webstreams import CompressionStream, DecompressionStream, ReadableStream, compose
    >>> async def main() -> None:
    ...     there_and_back = compose(CompressionStream("gzip"), DecompressionStream("gzip"))
    ...     print(await ReadableStream.from_([b"spam"]).pipe_through(there_and_back).bytes())
    >>> asyncio.run(main())
    b'spam'
    """
    checked = _pairs(pairs, "compose")
    if not checked:
        return TransformStream()
    _check_free([stream for pair in checked for stream in (pair.writable, pair.readable)], "compose")
    readable = checked[0].readable
    for pair in checked[1:]:
        readable = readable.pipe_through(pair)
    return ComposedPair(readable, checked[0].writable)


class ComposedPair(Generic[R, W]):
    """The two ends of what was composed."""

    __slots__ = ("_readable", "_writable")

    def __init__(self, readable: R, writable: W) -> None:
        self._readable = readable
        self._writable = writable

    @property
    def readable(self) -> R:
        """Where the result comes out."""
        return self._readable

    @property
    def writable(self) -> W:
        """Where the chunks go in."""
        return self._writable

    def __repr__(self) -> str:
        """Show both ends."""
        return f"<composed pair from {self._writable!r} to {self._readable!r}>"


# Arguments.


def _check_source(source: Any) -> None:
    if isinstance(source, (str, bytes, bytearray, memoryview)):
        kind = type(source).__name__
        raise TypeError(f"pipeline(): the source is a {kind}, most likely one chunk: put it into a list")
    if not hasattr(type(source), "__aiter__") and not hasattr(type(source), "__iter__"):
        kind = f"the function {source.__name__}: call it" if isfunction(source) else type(source).__name__
        raise TypeError(f"pipeline(): the source must be a stream or an iterable, not {kind}")


def _check_sink(sink: Any) -> None:
    if isasyncgenfunction(sink):
        raise TypeError(
            "pipeline(): the sink is called with every chunk; an asynchronous generator function is a stage"
        )
    if not isinstance(sink, WritableStream) and (not callable(sink) or isinstance(sink, type)):
        raise TypeError(f"pipeline(): sink must be a WritableStream or a function of a chunk, not {sink!r}")


def _pairs(stages: Sequence[Any], function: str) -> list[Any]:
    """Make pairs of the stages, after looking at all of them."""
    for number, stage in enumerate(stages, 1):
        if not _is_pair(stage) and (not callable(stage) or isinstance(stage, type)):
            raise TypeError(
                f"{function}(): stage {number} must have `readable` and `writable`, or be an asynchronous generator "
                f"function of the chunks, not {stage!r}"
            )
    return [each if _is_pair(each) else _through(each, function, number) for number, each in enumerate(stages, 1)]


def _is_pair(stage: Any) -> bool:
    streams = getattr(stage, "readable", None), getattr(stage, "writable", None)
    return isinstance(streams[0], ReadableStream) and isinstance(streams[1], WritableStream)


def _through(stage: Any, function: str, number: int) -> Any:
    try:
        return generator_transform(stage)
    except TypeError as error:
        raise TypeError(
            f"{function}(): stage {number} must be a function of all the chunks that gives an asynchronous iterable; "
            "for a function of one chunk, take map()"
        ) from error


def _check_free(ends: Sequence[Any], function: str) -> None:
    """Raise TypeError if a stream is locked, or is there twice."""
    streams = [each for each in ends if isinstance(each, (ReadableStream, WritableStream))]
    for index, stream in enumerate(streams):
        jobs_of(stream).require_running()
        holder = lock_of(stream)
        if holder is not None:
            raise TypeError(f"{function}() cannot use {stream!r}: it is locked to {show_holder(holder)}")
        if any(stream is each for each in streams[:index]):
            raise TypeError(f"{function}() was given {stream!r} twice")
