"""Section 4.2: ReadableStream, which puts all the parts together."""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterable, Awaitable, Callable, Hashable, Iterable
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager
from contextvars import copy_context
from typing import Any, Final, Never, SupportsIndex, TypeGuard, overload

from typing_extensions import Buffer, TypeIs, TypeVar

from ... import types
from ..._cutting.lines import line_cutter
from ..._cutting.sizes import SizeCutter
from ..._debug.watches import warn_of_mistakes
from ..._engine.jobs import current_jobs
from ..._engine.promise import Promise
from ..._platform.arguments import checked_size
from ..._platform.idl import INTERNAL
from ..._platform.mistakes import SOURCE, STRATEGY, unknown_members
from ...types import Skip
from ..strategy import SizeAlgorithm, StrategyMembers, convert_strategy, extract_high_water_mark, extract_size_algorithm
from .byte_controller import ReadableByteStreamController
from .byte_tee import ByteTee
from .consuming import ConsumedStream
from .controller import ReadableStreamDefaultController
from .iterable import IterableSource
from .operators.calls import Calls
from .operators.checks import checked_bucket, checked_count, checked_positive_seconds, require_function
from .operators.concurrent import ConcurrentSource
from .operators.ending import Drain
from .operators.source import ChainSource, chain_over
from .operators.steps import (
    EXPAND,
    FILTER,
    MAP,
    TAP,
    BatchStep,
    CutStep,
    DropStep,
    ReduceStep,
    Step,
    TakeStep,
    discard,
    new_batch,
)
from .operators.timed import BatchSource, DebouncedSource, ThrottledSource
from .source import Source, UnderlyingSource
from .tee import DefaultTee

T = TypeVar("T", default=Any, covariant=True)
U = TypeVar("U", default=Any)
# What `on_error` returns beside SKIP: perhaps nothing.
V = TypeVar("V", default=Never)

# Given as the underlying source: make a stream without a controller; the second argument may be its queue of jobs.
BLANK: Final[Any] = object()


class ReadableStream(ConsumedStream[T]):
    """A source of chunks that are pulled by the consumer. Streams Standard, 4.2.

    `underlying_source` is an object with the members as attributes, or a mapping with them as keys: `start`, `pull`,
    `cancel`, `type` ("bytes" for a byte stream) and `auto_allocate_chunk_size` (bytes). `strategy` has
    `high_water_mark` (in chunks, or bytes in a byte stream; by default 1, or 0 in a byte stream) and `size`.

    The stream calls ``pull(controller)`` only while its queue is below the high-water mark or a read waits, and never
    a second time before the first call is done. ``async for chunk in stream`` locks the stream and releases it at the
    end; leaving it early cancels.

    Raises `TypeError` and `ValueError` for arguments that cannot be used, and what the source's ``start()`` raises;
    `RuntimeError` when no event loop runs in this thread.

    >>> import asyncio
    >>> from webstreams import ReadableStream
    >>> async def main() -> None:
    ...     stream = ReadableStream({"pull": lambda controller: controller.enqueue("a chunk")})
    ...     async for chunk in stream:
    ...         print(chunk)
    ...         break  # cancels the stream
    >>> asyncio.run(main())
    a chunk
    """

    __slots__ = ()

    @overload
    def __init__(
        self,
        underlying_source: types.UnderlyingSource[T] | None = None,
        strategy: types.QueuingStrategy[T] | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self: ReadableStream[builtins.bytes],
        underlying_source: types.UnderlyingByteSource,
        strategy: types.ByteQueuingStrategy | None = None,
    ) -> None: ...
    def __init__(self, underlying_source: Any = None, strategy: Any = None) -> None:
        if underlying_source is BLANK:
            super().__init__(current_jobs() if strategy is None else strategy)
            return
        super().__init__(current_jobs())
        strategy_members = convert_strategy(strategy)
        source = UnderlyingSource(underlying_source)
        if self._jobs.loop.get_debug():
            warn_of_mistakes(self._jobs, unknown_members((SOURCE, underlying_source), (STRATEGY, strategy)))
        if source.is_bytes:
            self._set_up_byte_controller(source, strategy_members)
        else:
            self._set_up_default_controller(source, strategy_members)

    def _set_up_default_controller(self, source: UnderlyingSource, strategy: StrategyMembers) -> None:
        """SetUpReadableStreamDefaultControllerFromUnderlyingSource"""
        size_algorithm = extract_size_algorithm(strategy)
        high_water_mark = extract_high_water_mark(strategy, 1)
        ReadableStreamDefaultController(INTERNAL, self, source, high_water_mark, size_algorithm)

    def _set_up_byte_controller(self, source: UnderlyingSource, strategy: StrategyMembers) -> None:
        """SetUpReadableByteStreamControllerFromUnderlyingSource"""
        if strategy.size is not None:
            raise ValueError(
                "the strategy of a byte stream must not have a size function: its chunks are counted in bytes"
            )
        high_water_mark = extract_high_water_mark(strategy, 0)
        if source.auto_allocate_chunk_size == 0:
            raise TypeError("auto_allocate_chunk_size must be greater than 0")
        ReadableByteStreamController(INTERNAL, self, source, high_water_mark, source.auto_allocate_chunk_size)

    @overload
    @staticmethod
    def from_(iterable: AsyncIterable[U]) -> ReadableStream[U]: ...
    @overload
    @staticmethod
    def from_(iterable: Iterable[Awaitable[U]]) -> ReadableStream[U]: ...
    @overload
    @staticmethod
    def from_(iterable: Iterable[U]) -> ReadableStream[U]: ...
    @staticmethod
    def from_(iterable: AsyncIterable[Any] | Iterable[Any]) -> ReadableStream[Any]:
        """Make a stream of the items of an async iterable or an iterable; none is taken before the first read.

        Cancelling the stream closes the iterator (``aclose()``, or ``close()`` of a generator). Raises `TypeError`
        for `str` and bytes-like objects and for what cannot be iterated over. Streams Standard, 4.2.4.
        """
        jobs: Any = current_jobs()
        return create_readable_stream(IterableSource(iterable, jobs), 0, stream=ReadableStream(BLANK, jobs))

    def tee(self) -> tuple[ReadableStream[T], ReadableStream[T]]:
        """Split the stream, which is locked from now on, into two that get the same chunks.

        The stream is read as fast as the faster branch is; the queue of the other one grows. It is cancelled when
        both branches are, with the list of both reasons. Raises `TypeError` when it is locked. Streams Standard,
        4.2.4.
        """
        branch1: ReadableStream[T] = ReadableStream(BLANK)
        branch2: ReadableStream[T] = ReadableStream(BLANK)
        if self._controller._is_byte_controller:
            ByteTee(self, branch1, branch2)
        else:
            DefaultTee(self, branch1, branch2)
        return branch1, branch2

    # Operators: ours, with the names and the meaning of TC39's async iterator helpers. Each locks the stream and
    # returns one that pulls.

    @overload
    def map(
        self,
        function: Callable[[T], Awaitable[U | Skip]],
        *,
        concurrency: int = 1,
        ordered: bool = True,
        window: int | None = None,
        key: Callable[[T], Hashable] | None = None,
        timeout: float | None = None,
        limiter: AbstractAsyncContextManager[Any] | None = None,
        executor: None = None,
        on_error: None = None,
    ) -> ReadableStream[U]: ...
    @overload
    def map(
        self,
        function: Callable[[T], Awaitable[U | Skip]],
        *,
        concurrency: int = 1,
        ordered: bool = True,
        window: int | None = None,
        key: Callable[[T], Hashable] | None = None,
        timeout: float | None = None,
        limiter: AbstractAsyncContextManager[Any] | None = None,
        executor: None = None,
        on_error: Callable[[Exception, T], Awaitable[V | Skip]],
    ) -> ReadableStream[U | V]: ...
    @overload
    def map(
        self,
        function: Callable[[T], Awaitable[U | Skip]],
        *,
        concurrency: int = 1,
        ordered: bool = True,
        window: int | None = None,
        key: Callable[[T], Hashable] | None = None,
        timeout: float | None = None,
        limiter: AbstractAsyncContextManager[Any] | None = None,
        executor: None = None,
        on_error: Callable[[Exception, T], V | Skip],
    ) -> ReadableStream[U | V]: ...
    @overload
    def map(
        self,
        function: Callable[[T], U | Skip],
        *,
        concurrency: int = 1,
        ordered: bool = True,
        window: int | None = None,
        key: Callable[[T], Hashable] | None = None,
        timeout: float | None = None,
        limiter: AbstractAsyncContextManager[Any] | None = None,
        executor: Executor | None = None,
        on_error: None = None,
    ) -> ReadableStream[U]: ...
    @overload
    def map(
        self,
        function: Callable[[T], U | Skip],
        *,
        concurrency: int = 1,
        ordered: bool = True,
        window: int | None = None,
        key: Callable[[T], Hashable] | None = None,
        timeout: float | None = None,
        limiter: AbstractAsyncContextManager[Any] | None = None,
        executor: Executor | None = None,
        on_error: Callable[[Exception, T], Awaitable[V | Skip]],
    ) -> ReadableStream[U | V]: ...
    @overload
    def map(
        self,
        function: Callable[[T], U | Skip],
        *,
        concurrency: int = 1,
        ordered: bool = True,
        window: int | None = None,
        key: Callable[[T], Hashable] | None = None,
        timeout: float | None = None,
        limiter: AbstractAsyncContextManager[Any] | None = None,
        executor: Executor | None = None,
        on_error: Callable[[Exception, T], V | Skip],
    ) -> ReadableStream[U | V]: ...
    def map(
        self,
        function: Callable[[T], Any],
        *,
        concurrency: int = 1,
        ordered: bool = True,
        window: int | None = None,
        key: Callable[[T], Hashable] | None = None,
        timeout: float | None = None,
        limiter: AbstractAsyncContextManager[Any] | None = None,
        executor: Executor | None = None,
        on_error: Callable[[Exception, T], Any] | None = None,
    ) -> ReadableStream[Any]:
        """Return a stream of the results of ``function(chunk)``; a result of `SKIP` is left out. Not in the Standard.

        The function is plain or a coroutine function. By default one call runs at a time, when its result is read:
        nothing is read ahead, and there is no task. Its exception errors the result and cancels the stream with it;
        cancelling the result cancels the stream with the same reason, and the calls under way, and waits for them. An
        error of the stream is told by the next read: the call under way ends first, as a write of a pipe does.

        With a `concurrency` above 1 so many calls of a coroutine function run at a time, in standing tasks. `window` is
        how many chunks may be read and not be taken: by default 4 times the concurrency, or just that if not `ordered`,
        where results come as they are ready. Calls with equal ``key(chunk)`` run one after the other. The first
        failure that nobody answers counts, wherever its chunk stands, or an error of the stream: the other calls are
        cancelled, and the result is errored as soon as they have ended.

        `timeout` (seconds) limits each call, with `TimeoutError`. `limiter` is entered around each call: an
        `asyncio.Semaphore`, a limiter of aiolimiter. `executor` runs a plain function, which has to be picklable
        for processes; calls that have begun there cannot be cancelled, and are waited for. ``on_error(error, chunk)``
        answers an exception with a result, or with `SKIP`, or is a coroutine function; what it raises counts as the
        failure of the call.

        Raises `TypeError` for anything other than a function, for a plain one with a concurrency and no executor, and
        when the stream is locked; `ValueError` for numbers out of range.

        >>> import asyncio
        >>> async def slowly(number: int) -> int:
        ...     await asyncio.sleep(0.001)
        ...     return number * 10
        >>> async def main() -> None:
        ...     print(await ReadableStream.from_(range(4)).map(slowly, concurrency=4).list())
        >>> asyncio.run(main())
        [0, 10, 20, 30]
        """
        calls = Calls("map", function, concurrency, window, bool(ordered), key, timeout, limiter, executor, on_error)
        return self._called("map", calls, bool(ordered))

    @overload
    def filter(self, predicate: Callable[[T], TypeIs[U]]) -> ReadableStream[U]: ...
    @overload
    def filter(self, predicate: Callable[[T], TypeGuard[U]]) -> ReadableStream[U]: ...
    @overload
    def filter(self, predicate: Callable[[T], object]) -> ReadableStream[T]: ...
    def filter(self, predicate: Callable[[T], object]) -> ReadableStream[Any]:
        """Return a stream of the chunks for which ``predicate(chunk)``, or what it awaits, is true.

        A `TypeGuard` or `TypeIs` narrows the type. A read of the result reads until one chunk passes; while none does,
        the event loop's other tasks have their turn. Errors, cancelling and locks are as for `map`. Not in the
        Standard.

        >>> import asyncio
        >>> async def main() -> None:
        ...     print(await ReadableStream.from_(["spam", "", "eggs"]).filter(bool).list())
        >>> asyncio.run(main())
        ['spam', 'eggs']
        """
        return self._stepped("filter", FILTER, predicate)

    @overload
    def flat_map(self, function: Callable[[T], Awaitable[AsyncIterable[U] | Iterable[U]]]) -> ReadableStream[U]: ...
    @overload
    def flat_map(self, function: Callable[[T], AsyncIterable[U]]) -> ReadableStream[U]: ...
    @overload
    def flat_map(self, function: Callable[[T], Iterable[U]]) -> ReadableStream[U]: ...
    def flat_map(self, function: Callable[[T], Any]) -> ReadableStream[Any]:
        """Return a stream of the items of all that ``function(chunk)`` returns: iterables, async iterables or streams.

        One after the other: the next chunk is read when the last iterable has ended. Cancelling the result cancels the
        one that is under way, too. A `str` or bytes-like result raises `TypeError`; errors, cancelling and locks are as
        for `map`. Not in the Standard.

        >>> import asyncio
        >>> async def main() -> None:
        ...     print(await ReadableStream.from_(["a b", "c"]).flat_map(str.split).list())
        >>> asyncio.run(main())
        ['a', 'b', 'c']
        """
        return self._stepped("flat_map", EXPAND, function)

    def take(self, count: int) -> ReadableStream[T]:
        """Return a stream of the first `count` chunks; the stream is cancelled when the last of them is given.

        With 0 that is at once. The result is closed when the source's ``cancel()`` has ended, and errored if that
        fails. Raises `TypeError` for a count that is not an integer, `ValueError` for a negative one. Not in the
        Standard.

        >>> import asyncio
        >>> async def main() -> None:
        ...     print(await ReadableStream.from_(range(10)).take(2).list())
        >>> asyncio.run(main())
        [0, 1]
        """
        number = checked_count(count, "count", 0)
        return self._with_step("take", TakeStep(number))

    def drop(self, count: int) -> ReadableStream[T]:
        """Return a stream without the first `count` chunks. Arguments are as for `take`. Not in the Standard.

        >>> import asyncio
        >>> async def main() -> None:
        ...     print(await ReadableStream.from_(range(5)).drop(3).list())
        >>> asyncio.run(main())
        [3, 4]
        """
        number = checked_count(count, "count", 0)
        return self._with_step("drop", DropStep(number))

    def tap(self, function: Callable[[T], object]) -> ReadableStream[T]:
        """Return a stream of the same chunks, with ``function(chunk)`` called, and awaited, before each is given.

        Errors, cancelling and locks are as for `map`. Not in the Standard.

        >>> import asyncio
        >>> async def main() -> None:
        ...     await ReadableStream.from_(["a chunk"]).tap(print).list()
        >>> asyncio.run(main())
        a chunk
        """
        return self._stepped("tap", TAP, function)

    def batched(
        self,
        count: int | None = None,
        *,
        size: float | None = None,
        size_of: Callable[[T], float] | None = None,
        seconds: float | None = None,
    ) -> ReadableStream[builtins.list[T]]:
        """Return a stream of lists of chunks.

        A batch is given when it has `count` chunks, when ``size_of(chunk)`` (by default `len`) of its chunks adds up to
        `size` or more, `seconds` after its first chunk, and at the end. One limit is needed. With `seconds`, a batch
        that is begun is filled up to the other limits while nobody reads: backpressure makes batches bigger, not more
        of them. An error of the stream drops the batch that is begun, as a transform drops its queue. Raises
        `TypeError` and `ValueError` for limits that cannot be ones. Not in the Standard.

        >>> import asyncio
        >>> async def main() -> None:
        ...     print(await ReadableStream.from_(range(5)).batched(2).list())
        >>> asyncio.run(main())
        [[0, 1], [2, 3], [4]]
        """
        batch = new_batch(count, size, size_of, needs_limit=seconds is None)
        if seconds is None:
            return self._with_step("batched", BatchStep(batch))
        limit = checked_positive_seconds(seconds, "seconds")
        stream: ReadableStream[Any] = ReadableStream(BLANK)
        BatchSource(chain_over(self, "batched"), stream, batch, limit)
        return stream

    def throttled(self, limit: float, per: float, *, burst: int | None = None) -> ReadableStream[T]:
        """Return a stream of the same chunks, delayed: not more than `limit` of them in `per` seconds; none is dropped.

        A bucket of `burst` tokens (by default `limit`, at least 1) is full at first, and filled evenly; a chunk takes
        one. The stream is not read before there is a token; an error or an end to which it has come by itself is told
        without one. Raises `TypeError` and `ValueError` for numbers that are none, or not above 0. Not in the Standard.

        >>> import asyncio
        >>> async def main() -> None:
        ...     print(await ReadableStream.from_(range(3)).throttled(1000, per=1.0).list())
        >>> asyncio.run(main())
        [0, 1, 2]
        """
        rate, size = checked_bucket(limit, per, burst)
        stream: ReadableStream[Any] = ReadableStream(BLANK)
        ThrottledSource(chain_over(self, "throttled"), stream, rate, size)
        return stream

    def debounced(self, seconds: float) -> ReadableStream[T]:
        """Return a stream of the last chunk of every burst: the one that no other follows within `seconds`.

        A burst is read to its end, and what comes before its last chunk is dropped; at the end of the stream the chunk
        that waits is given. Behind a burst that nobody has taken at most one more is read. Raises `TypeError` and
        `ValueError` for a time that is not a number above 0. Not in the Standard.

        >>> import asyncio
        >>> async def main() -> None:
        ...     print(await ReadableStream.from_(range(3)).debounced(0.1).list())
        >>> asyncio.run(main())
        [2]
        """
        time = checked_positive_seconds(seconds, "seconds")
        stream: ReadableStream[Any] = ReadableStream(BLANK)
        DebouncedSource(chain_over(self, "debounced"), stream, time)
        return stream

    @overload
    def lines(
        self: ReadableStream[str], *, keep_ends: bool = False, limit: int | None = None, newline: str | None = None
    ) -> ReadableStream[str]: ...
    @overload
    def lines(
        self: ReadableStream[Buffer], *, keep_ends: bool = False, limit: int | None = None, newline: str | None = None
    ) -> ReadableStream[builtins.bytes]: ...
    def lines(
        self, *, keep_ends: bool = False, limit: int | None = None, newline: str | None = None
    ) -> ReadableStream[Any]:
        """Return a stream of the lines of text or bytes, as `webstreams.lines` cuts them. Not in the Standard.

        >>> import asyncio
        >>> async def main() -> None:
        ...     print(await ReadableStream.from_(["spam\\neg", "gs"]).lines().list())
        >>> asyncio.run(main())
        ['spam', 'eggs']
        """
        return self._with_step("lines", CutStep(line_cutter(keep_ends, limit, newline), "lines()"))

    def chunked(self: ReadableStream[Buffer], size: SupportsIndex) -> ReadableStream[builtins.bytes]:
        """Return a stream of the same bytes in chunks of `size`, as `webstreams.chunked` cuts. Not in the Standard.

        >>> import asyncio
        >>> async def main() -> None:
        ...     print(await ReadableStream.from_([b"spam", b"eggs!"]).chunked(4).list())
        >>> asyncio.run(main())
        [b'spam', b'eggs', b'!']
        """
        return self._with_step("chunked", CutStep(SizeCutter(checked_size(size, "size", 1)), "chunked()"))

    def for_each(
        self,
        function: Callable[[T], object],
        *,
        concurrency: int = 1,
        key: Callable[[T], Hashable] | None = None,
        timeout: float | None = None,
        limiter: AbstractAsyncContextManager[Any] | None = None,
        executor: Executor | None = None,
        on_error: Callable[[Exception, T], object] | None = None,
    ) -> Promise[None]:
        """Call ``function(chunk)`` for every chunk, and await what it returns; fulfilled at the end.

        Options and errors are as for `map`. The promise is settled when no call is under way any more. Cancelling the
        only task that awaits it cancels the stream and the calls, and waits for them. Not in the Standard.

        >>> import asyncio
        >>> async def main() -> None:
        ...     await ReadableStream.from_(["spam", "eggs"]).for_each(print)
        >>> asyncio.run(main())
        spam
        eggs
        """
        calls = Calls("for_each", function, concurrency, None, False, key, timeout, limiter, executor, on_error)
        chain = chain_over(self._called("for_each", calls, False, discards=True), "for_each")
        chain.add(Step(MAP, discard, None))
        return Drain(chain, "for_each").start()

    @overload
    def reduce(self, function: Callable[[U, T], Awaitable[U]], initial: U) -> Promise[U]: ...
    @overload
    def reduce(self, function: Callable[[U, T], U], initial: U) -> Promise[U]: ...
    def reduce(self, function: Callable[[Any, T], Any], initial: Any) -> Promise[Any]:
        """Call ``function(result, chunk)`` for every chunk, with `initial` for the first; return the last result.

        The function is plain or a coroutine function. Errors, and cancelling the task that awaits the promise, are as
        for `for_each`. Not in the Standard.

        >>> import asyncio
        >>> async def main() -> None:
        ...     print(await ReadableStream.from_(range(5)).reduce(lambda total, number: total + number, 0))
        >>> asyncio.run(main())
        10
        """
        require_function(function, "reduce")
        step = ReduceStep(function, initial)
        chain = chain_over(self, "reduce")
        chain.add(Step(MAP, step.combine, copy_context()))
        chain.add(step)
        return Drain(chain, "reduce", step).start()

    def _called(self, method: str, calls: Calls, is_ordered: bool, discards: bool = False) -> ReadableStream[Any]:
        if calls.is_plain:
            return self._with_step(method, Step(MAP, calls.function, copy_context()))
        chain = chain_over(self, method)
        stream: ReadableStream[Any] = ReadableStream(BLANK)
        ConcurrentSource(
            chain, stream, calls.function, calls.concurrency, calls.window, is_ordered, calls.key, discards
        )
        return stream

    def _stepped(self, method: str, kind: int, function: Callable[[T], Any]) -> ReadableStream[Any]:
        require_function(function, method, may_yield=kind == EXPAND)
        return self._with_step(method, Step(kind, function, copy_context()))

    def _with_step(self, method: str, step: Step) -> ReadableStream[Any]:
        chain = chain_over(self, method)
        chain.add(step)
        stream: ReadableStream[Any] = ReadableStream(BLANK)
        ChainSource(chain, stream)
        return stream


def create_readable_stream(
    source: Source,
    high_water_mark: float = 1,
    size_algorithm: SizeAlgorithm | None = None,
    stream: ReadableStream[Any] | None = None,
) -> ReadableStream[Any]:
    """CreateReadableStream"""
    if stream is None:
        stream = ReadableStream(BLANK)
    ReadableStreamDefaultController(INTERNAL, stream, source, high_water_mark, size_algorithm)
    return stream
