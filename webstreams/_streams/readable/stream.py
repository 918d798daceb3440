"""Section 4.2: ReadableStream, which puts all the parts together."""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterable, Awaitable, Iterable
from typing import Any, Final, Literal, overload

from typing_extensions import TypeVar

from ... import types
from ..._debug.repr import show_holder
from ..._debug.watches import warn_of_mistakes
from ..._engine.jobs import current_jobs
from ..._engine.promise import Promise, promise_rejected_with
from ..._platform.idl import INTERNAL
from ..._platform.mistakes import SOURCE, STRATEGY, cure_for_stage, described, unknown_members
from ...consumers import collect_bytes, collect_json, collect_list, collect_text
from ...types import ReadableWritablePair
from ..abort import AbortSignal
from ..strategy import SizeAlgorithm, StrategyMembers, convert_strategy, extract_high_water_mark, extract_size_algorithm
from ..writable.state import WritableStreamState
from .byob_reader import ReadableStreamBYOBReader
from .byte_controller import ReadableByteStreamController
from .byte_tee import ByteTee
from .controller import ReadableStreamDefaultController
from .iterable import IterableSource
from .iterator import ReadableStreamAsyncIterator
from .pipe import Pipe, PipeOptions
from .reader import ReadableStreamDefaultReader
from .source import Source, UnderlyingSource
from .state import ReadableStreamState
from .tee import DefaultTee

T = TypeVar("T", default=Any, covariant=True)
U = TypeVar("U", default=Any)
P = TypeVar("P", bound=ReadableStreamState[Any], default=Any)

# Given as the underlying source: make a stream without a controller.
BLANK: Final[Any] = object()


class ReadableStream(ReadableStreamState[T]):
    """A source of chunks that are pulled by the consumer. Streams Standard, 4.2.

    `underlying_source` is an object with the members as attributes, or a mapping with them as keys: `start`, `pull`,
    `cancel`, `type` ("bytes" for a byte stream) and `auto_allocate_chunk_size` (bytes). `strategy` has
    `high_water_mark` (in chunks, or bytes in a byte stream; by default 1, or 0 in a byte stream) and `size`.

    The stream calls ``pull(controller)`` only while its queue is below the high-water mark or a read waits, and never
    a second time before the first call is done. ``async for chunk in stream`` locks the stream and frees it at the
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

    __slots__ = ("__weakref__",)

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
        super().__init__(current_jobs())
        if underlying_source is BLANK:
            return
        strategy_members = convert_strategy(strategy)
        source = UnderlyingSource(underlying_source)
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
        jobs = current_jobs()
        return create_readable_stream(IterableSource(iterable, jobs), 0)

    @property
    def locked(self) -> bool:
        """Whether a reader, a pipe, a tee or an iteration has the stream for itself."""
        return self._is_locked()

    def cancel(self, reason: object = None) -> Promise[None]:
        """Say that nobody wants the rest: drop what is queued and call the source's ``cancel(reason)``.

        The promise is settled as that call is. It is rejected with `TypeError` when the stream is locked, and with
        the stored error when it is errored. `reason` can be any object. Streams Standard, 4.2.4.
        """
        self._jobs.require_running()
        if self._is_locked():
            return promise_rejected_with(self._jobs, self._locked_error("cancel"), "cancel() of", self)
        return self._cancel(reason)

    @overload
    def get_reader(self, *, mode: None = None) -> ReadableStreamDefaultReader[T]: ...
    @overload
    def get_reader(self: ReadableStream[builtins.bytes], *, mode: Literal["byob"]) -> ReadableStreamBYOBReader: ...
    def get_reader(
        self, *, mode: Literal["byob"] | None = None
    ) -> ReadableStreamDefaultReader[T] | ReadableStreamBYOBReader:
        """Lock the stream to a new reader: a default one, or with mode "byob" one that reads into memory of the
        caller's.

        Raises `TypeError` when the stream is locked, for another mode, and for "byob" with a stream that is no byte
        stream. Streams Standard, 4.2.4.
        """
        if mode is None:
            return ReadableStreamDefaultReader(self)  # AcquireReadableStreamDefaultReader
        if mode != "byob":
            raise TypeError(f'the mode of a reader must be "byob" or None, not {mode!r}')
        return ReadableStreamBYOBReader(self)  # AcquireReadableStreamBYOBReader

    def pipe_through(
        self,
        transform: ReadableWritablePair[P, WritableStreamState[T]],
        *,
        prevent_close: bool = False,
        prevent_abort: bool = False,
        prevent_cancel: bool = False,
        signal: AbortSignal | None = None,
    ) -> P:
        """Pipe the stream into ``transform.writable`` and give ``transform.readable``; both ends are locked by the
        pipe.

        `transform` is any object with these two attributes. The options are those of `pipe_to`; how the pipe ends
        shows in the stream that is returned. Raises `TypeError` when one of the two streams is locked, or for
        arguments that are no streams or no signal. Streams Standard, 4.2.4.
        """
        self._jobs.require_running()
        readable, writable = _convert_pair(transform)
        options = PipeOptions(prevent_abort, prevent_cancel, prevent_close, signal)
        self._require_pipeable(writable)
        Pipe(self, writable, options).start()._mark_handled()
        return readable  # type: ignore[no-any-return]

    def pipe_to(
        self,
        destination: WritableStreamState[T],
        *,
        prevent_close: bool = False,
        prevent_abort: bool = False,
        prevent_cancel: bool = False,
        signal: AbortSignal | None = None,
    ) -> Promise[None]:
        """Write every chunk to `destination`, no faster than it takes them; fulfilled when all is written and closed.

        An error of the stream aborts the destination, an error or the closing of the destination cancels the stream,
        the end of the stream closes the destination; `prevent_abort`, `prevent_cancel` and `prevent_close` turn each of
        them off. Aborting `signal` stops the pipe: writes that were handed over are finished first, then it is rejected
        with the signal's reason. Cancelling the only task that awaits the promise does the same, and the task is
        cancelled when the pipe has ended. Both locks are free before the promise is settled.

        Rejected with `TypeError` when one of the two is locked, or for arguments that are no stream or no signal.
        Streams Standard, 4.2.4.
        """
        self._jobs.require_running()
        try:
            if not isinstance(destination, WritableStreamState):
                raise TypeError(f"pipe_to() needs a WritableStream, not {type(destination).__name__}")
            options = PipeOptions(prevent_abort, prevent_cancel, prevent_close, signal)
            self._require_pipeable(destination)
        except Exception as error:
            return promise_rejected_with(self._jobs, error, "pipe_to() from", self)
        return Pipe(self, destination, options).start()

    def _require_pipeable(self, destination: WritableStreamState[Any]) -> None:
        if self._is_locked():
            raise self._locked_error("pipe")
        if destination._writer is not None:
            raise TypeError(f"cannot pipe into the writable stream: it is locked to {show_holder(destination._writer)}")

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

    def values(self, *, prevent_cancel: bool = False) -> ReadableStreamAsyncIterator[T]:
        """Iterate over the chunks; with `prevent_cancel`, leaving early frees the lock without cancelling the stream.

        ``async with stream.values() as chunks:`` leaves at the end of the block, for sure. Raises `TypeError` when
        the stream is locked. Streams Standard, 4.2.5.
        """
        return ReadableStreamAsyncIterator(ReadableStreamDefaultReader(self), bool(prevent_cancel))

    def __aiter__(self) -> ReadableStreamAsyncIterator[T]:
        """Iterate over the chunks, as `values` does."""
        return self.values()

    # Consumers: ours, as other runtimes have them. Coroutines, which do nothing before they are awaited.

    async def bytes(self, *, limit: int | None = None) -> builtins.bytes:
        """Read everything and join the chunks, which have to be bytes-like.

        With `limit` (bytes), `LimitExceeded` is raised as soon as there is more; no more than the limit and one chunk
        is ever kept. Then, and when a chunk is of the wrong type (`TypeError`) or the task is cancelled, the stream is
        cancelled, and the source's ``cancel()`` has ended when the error is raised. The lock is free at the end. The
        error of a stream that is errored is raised as it is. Raises `TypeError` when the stream is locked.

        >>> import asyncio
        >>> from webstreams import ReadableStream
        >>> async def main():
        ...     return await ReadableStream.from_([b"spam ", b"eggs"]).bytes(limit=100)
        >>> asyncio.run(main())
        b'spam eggs'
        """
        return await collect_bytes(self, limit)

    async def text(self, encoding: str | None = "utf-8", *, fatal: bool = False, limit: int | None = None) -> str:
        """Read everything as text: bytes-like chunks are decoded as ``Response.text()`` does, `str` chunks are joined.

        `encoding` is any label of the Encoding Standard (see `TextDecoderStream`). A byte order mark is left out.
        Invalid bytes become U+FFFD, or with `fatal` are a `DataError`. `limit` counts bytes, those of `str` chunks in
        UTF-8; it and all errors are as for `bytes`. Raises `ValueError` for an unknown label.

        >>> import asyncio
        >>> from webstreams import ReadableStream
        >>> async def main():
        ...     return await ReadableStream.from_([b"caf\\xc3", b"\\xa9"]).text()
        >>> print(ascii(asyncio.run(main())))
        'caf\\xe9'
        """
        return await collect_text(self, encoding, fatal=fatal, limit=limit)

    async def json(self, *, limit: int | None = None) -> Any:
        """Read everything as text in UTF-8, and parse it as ``json.loads()`` does.

        Raises `ValueError` (a `ValueError`) for what is no JSON. `limit` and all errors are as for `bytes`.

        >>> import asyncio
        >>> from webstreams import ReadableStream
        >>> async def main():
        ...     return await ReadableStream.from_([b'{"spam":', b" [1, 2]}"]).json()
        >>> asyncio.run(main())
        {'spam': [1, 2]}
        """
        return await collect_json(self, limit)

    async def list(self, *, limit: int | None = None) -> builtins.list[T]:
        """Read everything and give the list of the chunks. `limit` counts chunks; it and all errors are as for `bytes`.

        >>> import asyncio
        >>> from webstreams import ReadableStream
        >>> async def main():
        ...     return await ReadableStream.from_(range(4)).list()
        >>> asyncio.run(main())
        [0, 1, 2, 3]
        """
        return await collect_list(self, limit)

    def _is_locked(self) -> bool:
        """IsReadableStreamLocked"""
        return self._reader is not None

    def _locked_error(self, action: str) -> TypeError:
        return TypeError(f"cannot {action} the stream: it is locked to {show_holder(self._reader)}")


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


def create_readable_byte_stream(
    source: Source, high_water_mark: float = 0, stream: ReadableStream[Any] | None = None
) -> ReadableStream[Any]:
    """CreateReadableByteStream"""
    if stream is None:
        stream = ReadableStream(BLANK)
    ReadableByteStreamController(INTERNAL, stream, source, high_water_mark, None)
    return stream


def _convert_pair(transform: Any) -> tuple[Any, Any]:
    """Convert to a ReadableWritablePair."""
    readable = getattr(transform, "readable", None)
    if not isinstance(readable, ReadableStreamState):
        raise _not_a_pair(transform, "readable", "ReadableStream", readable)
    writable = getattr(transform, "writable", None)
    if not isinstance(writable, WritableStreamState):
        raise _not_a_pair(transform, "writable", "WritableStream", writable)
    return readable, writable


def _not_a_pair(transform: Any, side: str, wanted: str, found: object) -> TypeError:
    """Return the error for an argument of pipe_through() that is not a pair, with the cure."""
    needed = "pipe_through() needs a TransformStream, or another object with a `readable` and a `writable` stream"
    if hasattr(transform, side) and not isinstance(transform, type):
        return TypeError(f"{needed}: the `{side}` of this {type(transform).__name__} is {found!r}, not a {wanted}")
    if isinstance(transform, WritableStreamState):
        cure = "use pipe_to() for a stream that is only written to"
    else:
        cure = cure_for_stage(transform)
    return TypeError(f"{needed}, not {described(transform)}: {cure}")
