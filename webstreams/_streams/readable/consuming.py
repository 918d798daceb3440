"""Section 4.2: how a ReadableStream is read: locks, pipes, iteration; and the consumers, which are ours."""

from __future__ import annotations

import builtins
import json
from sys import _getframe
from typing import Any, Literal, overload

from typing_extensions import TypeVar

from ..._engine.promise import Promise, promise_rejected_with
from ..._platform.frames import begins_async_for
from ..._platform.idl import INTERNAL
from ..._platform.mistakes import cure_for_destination, cure_for_stage, described, tell_option_names
from ...consumers import JoinedBytes, JoinedText, ListOfChunks
from ...types import PairFor
from ..abort import AbortSignal
from ..holder import show_holder
from ..writable.state import WritableStreamState
from .byob_reader import ReadableStreamBYOBReader
from .collecting import collect
from .iterator import ReadableStreamAsyncIterator
from .pipe import Pipe, PipeOptions
from .reader import ReadableStreamDefaultReader
from .state import ReadableStreamState

T = TypeVar("T", default=Any, covariant=True)
P = TypeVar("P", bound=ReadableStreamState[Any], default=Any)


class ConsumedStream(ReadableStreamState[T]):
    """What `ReadableStream` is for those who read from it."""

    __slots__ = ("__weakref__",)

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
    def get_reader(self: ConsumedStream[builtins.bytes], *, mode: Literal["byob"]) -> ReadableStreamBYOBReader: ...
    def get_reader(
        self, *, mode: Literal["byob"] | None = None
    ) -> ReadableStreamDefaultReader[T] | ReadableStreamBYOBReader:
        """Lock the stream to a new reader: a default one, or with mode "byob" one that reads into memory of the
        caller's.

        Raises `TypeError` when the stream is locked, for another mode, and for "byob" with a stream that is not a byte
        stream. Streams Standard, 4.2.4.
        """
        if mode is None:
            return ReadableStreamDefaultReader(self)  # AcquireReadableStreamDefaultReader
        if mode != "byob":
            raise TypeError(f'the mode of a reader must be "byob" or None, not {mode!r}')
        return ReadableStreamBYOBReader(self)  # AcquireReadableStreamBYOBReader

    def pipe_through(
        self,
        transform: PairFor[P, T],
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
        pipe = Pipe(self, writable, options)
        pipe.start()._mark_handled()
        pipe.feed(readable)
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
        with the signal's reason. Both locks are free before the promise is settled.

        Cancelling the only task that awaits the promise ends the pipe at once. The source is cancelled, unless
        `prevent_cancel`. The destination is aborted without waiting for what is under way, unless `prevent_abort`: its
        controller's `signal` fires, and a coroutine of the sink is cancelled; what was handed over and not yet written
        is dropped. With `prevent_abort` both locks are free at once, and what was handed over stays in the destination.
        So do the pipes end, and what is under way in them, that lead here through `pipe_through`. Then the
        cancellation is raised: after the source's ``cancel()`` and the sink's ``abort()``, which comes after a write
        that neither listens to the signal nor is a coroutine. Cancelling the task again ends that waiting.

        Rejected with `TypeError` when one of the two is locked, or for arguments that are no stream or no signal.
        Streams Standard, 4.2.4.
        """
        self._jobs.require_running()
        try:
            if not isinstance(destination, WritableStreamState):
                raise TypeError(
                    f"pipe_to() needs a WritableStream, not {described(destination)}: "
                    f"{cure_for_destination(destination)}"
                )
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

    def values(self, *, prevent_cancel: bool = False) -> ReadableStreamAsyncIterator[T]:
        """Iterate over the chunks; with `prevent_cancel`, leaving early releases the lock and does not cancel.

        ``async with stream.values() as chunks:`` leaves at the end of the block, for sure. Raises `TypeError` when
        the stream is locked. Streams Standard, 4.2.5.
        """
        return ReadableStreamAsyncIterator(INTERNAL, ReadableStreamDefaultReader(self), bool(prevent_cancel))

    def __aiter__(self) -> ReadableStreamAsyncIterator[T]:
        """Iterate over the chunks, as `values` does."""
        iterator = self.values()
        return iterator._for_loop() if begins_async_for(_getframe(1)) else iterator

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
        collector = JoinedBytes(limit)
        await collect(self.get_reader(), collector)
        return collector.result()

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
        collector = JoinedText(limit, encoding, fatal)
        await collect(self.get_reader(), collector)
        return collector.result()

    async def json(self, *, limit: int | None = None) -> Any:
        """Read everything as text in UTF-8, and parse it as ``json.loads()`` does.

        Raises `json.JSONDecodeError` (a `ValueError`) if the text is not valid JSON. `limit` and all errors are as for
        `bytes`.

        >>> import asyncio
        >>> from webstreams import ReadableStream
        >>> async def main():
        ...     return await ReadableStream.from_([b'{"spam":', b" [1, 2]}"]).json()
        >>> asyncio.run(main())
        {'spam': [1, 2]}
        """
        collector = JoinedText(limit)
        await collect(self.get_reader(), collector)
        return json.loads(collector.result())

    async def list(self, *, limit: int | None = None) -> builtins.list[T]:
        """Read everything and give the list of the chunks. `limit` counts chunks; it and all errors are as for `bytes`.

        >>> import asyncio
        >>> from webstreams import ReadableStream
        >>> async def main():
        ...     return await ReadableStream.from_(range(4)).list()
        >>> asyncio.run(main())
        [0, 1, 2, 3]
        """
        collector = ListOfChunks(limit)
        await collect(self.get_reader(), collector)
        return collector.chunks

    def _is_locked(self) -> bool:
        """IsReadableStreamLocked"""
        return self._reader is not None

    def _locked_error(self, action: str) -> TypeError:
        return TypeError(f"cannot {action} the stream: it is locked to {show_holder(self._reader)}")


tell_option_names(ConsumedStream, "pipe_through", "pipe_to", "values")


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
