"""anyio's object streams and byte streams, in both directions. They are recognised by what they can do.

anyio itself is not imported. Its exceptions are known by their names (`EndOfStream`, `ClosedResourceError`,
`BrokenResourceError`); what `as_object_stream` and `as_byte_stream` give raises anyio's own where a program has
imported anyio, and else classes of the same names in this module.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, Generic, Literal, Protocol

from typing_extensions import Buffer, TypeVar

from .._streams.checks import require_readable, require_writable
from .._streams.readable.byte_controller import ReadableByteStreamController
from .._streams.readable.controller import ReadableStreamDefaultController
from .._streams.readable.source import LaterSource
from .._streams.readable.stream import ReadableStream
from .._streams.writable.controller import WritableStreamDefaultController
from .._streams.writable.stream import WritableStream
from ._anyio.adapters import BrokenResourceError, ByteStream, ClosedResourceError, EndOfStream, ObjectStream, is_end
from ._anyio.cutting_off import cut_off
from ._bytes import PIECE, bytes_strategy, view_of

__all__ = [
    "BrokenResourceError",
    "ByteStream",
    "ClosedResourceError",
    "EndOfStream",
    "ObjectStream",
    "as_byte_stream",
    "as_object_stream",
    "from_byte_stream",
    "from_object_stream",
    "to_byte_stream",
    "to_object_stream",
]

T = TypeVar("T", default=Any)
In = TypeVar("In", contravariant=True, default=Any)
Out = TypeVar("Out", covariant=True, default=Any)


class ReceivesItems(Protocol[Out]):
    """What is needed of an ``anyio.abc.ObjectReceiveStream``."""

    async def receive(self) -> Out: ...
    async def aclose(self) -> None: ...


class SendsItems(Protocol[In]):
    """What is needed of an ``anyio.abc.ObjectSendStream``."""

    async def send(self, item: In, /) -> None: ...
    async def aclose(self) -> None: ...


class ReceivesBytes(Protocol):
    """What is needed of an ``anyio.abc.ByteReceiveStream``."""

    async def receive(self, max_bytes: int = ..., /) -> bytes: ...
    async def aclose(self) -> None: ...


class SendsBytes(Protocol):
    """What is needed of an ``anyio.abc.ByteSendStream``."""

    async def send(self, item: bytes, /) -> None: ...
    async def aclose(self) -> None: ...


# From there to here.


def from_object_stream(stream: ReceivesItems[T]) -> ReadableStream[T]:
    """Make a stream of what an anyio object stream gives (``receive()``).

    An item is received only when somebody reads. ``EndOfStream`` is the end; other exceptions error the stream.
    Cancelling ends the waiting and closes the object stream (``aclose()``), and so does the end, unless it can also be
    sent to.

    Raises `TypeError` for something else.

    >>> async def main() -> None:
    ...     numbers = as_object_stream(ReadableStream.from_([1, 2]))
    ...     print([number async for number in from_object_stream(numbers)])
    >>> asyncio.run(main())
    [1, 2]
    """
    _require(stream, "from_object_stream", "receive")
    return ReadableStream(_ItemSource(stream), {"high_water_mark": 0})


def from_byte_stream(stream: ReceivesBytes) -> ReadableStream[bytes]:
    """Make a byte stream of what an anyio byte stream gives (``receive(max_bytes)``): 64 KiB at most per default read.

    The rest is as in `from_object_stream`.

    >>> async def main() -> None:
    ...     received = as_byte_stream(ReadableStream.from_([b"one", b"two"]))
    ...     print([chunk async for chunk in from_byte_stream(received)])
    >>> asyncio.run(main())
    [b'one', b'two']
    """
    _require(stream, "from_byte_stream", "receive")
    return ReadableStream(_ByteSource(stream))


def _require(stream: object, function: str, method: str) -> None:
    for name in method, "aclose":
        if not callable(getattr(stream, name, None)):
            raise TypeError(f"{function}() needs a stream with {method}() and aclose(), not {type(stream).__name__}")


class _Receiving:
    """What both underlying sources share."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._task: asyncio.Task[Any] | None = None

    async def _receive(self, *limit: int) -> Any:
        """Receive an item; give the `END` at the end."""
        self._task = asyncio.current_task()
        try:
            return await self._stream.receive(*limit)
        except Exception as error:
            if not is_end(error):
                raise
        finally:
            self._task = None
        if not hasattr(self._stream, "send"):
            await self._stream.aclose()
        return END

    async def cancel(self, reason: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._stream.aclose()


END: Final[Any] = object()


class _ItemSource(_Receiving, Generic[T]):
    """The underlying source over an object stream."""

    stage_name = "from_object_stream()"

    async def pull(self, controller: ReadableStreamDefaultController[T]) -> None:
        item = await self._receive()
        if item is END:
            controller.close()
        else:
            controller.enqueue(item)


class _ByteSource(_Receiving, LaterSource):
    """The underlying source over a byte stream."""

    stage_name = "from_byte_stream()"

    type: Literal["bytes"] = "bytes"

    async def pull(self, controller: ReadableByteStreamController) -> None:
        request = controller.byob_request
        limit = PIECE if request is None or request.view is None else len(request.view)
        data = b""
        while not data:  # anyio has no empty chunks
            data = await self._receive(limit)
        if data is not END:
            controller.enqueue(data)
            return
        controller.close()
        request = controller.byob_request
        if request is not None:
            request.respond(0)


# From here to there.


def to_object_stream(stream: SendsItems[T]) -> WritableStream[T]:
    """Make a writable stream that sends every chunk into an anyio object stream (``send()``), one after the other.

    Closing it closes the object stream: ``aclose()``, or only ``send_eof()`` where it has that, so that it can still be
    received from. Aborting, and whatever else cuts it off (a pipe that is cancelled, the end of the event loop), ends a
    ``send()`` that waits and closes it too, since anyio's streams have nothing else: whoever receives cannot tell that
    from the end of the data. The exception is what `as_object_stream` gives, whose stream is aborted.
    The exceptions of the object stream error the stream. Raises `TypeError` for something else.

    >>> async def main() -> None:
    ...     sent = as_object_stream(writable=WritableStream({"write": lambda chunk, controller: print(chunk)}))
    ...     await ReadableStream.from_(["a", "b"]).pipe_to(to_object_stream(sent))
    >>> asyncio.run(main())
    a
    b
    """
    _require(stream, "to_object_stream", "send")
    return WritableStream(_SendingSink(stream))


def to_byte_stream(stream: SendsBytes) -> WritableStream[Buffer]:
    """Make a writable stream of bytes-like objects that sends them into an anyio byte stream.

    The high-water mark is 64 KiB; the rest is as in `to_object_stream`. But when the stream is cut off, the peer of a
    connection sees that: TCP is reset (by the socket among the stream's extra attributes), and TLS ends without its own
    sign of the end. Unix sockets, pipes and files cannot tell.

    >>> async def main() -> None:
    ...     sent = as_byte_stream(writable=WritableStream({"write": lambda chunk, controller: print(chunk)}))
    ...     await ReadableStream.from_([bytearray(b"one"), b"two"]).pipe_to(to_byte_stream(sent))
    >>> asyncio.run(main())
    b'one'
    b'two'
    """
    _require(stream, "to_byte_stream", "send")
    return WritableStream(_ByteSendingSink(stream), bytes_strategy())


class _SendingSink:
    """The underlying sink over an object stream."""

    stage_name = "to_object_stream()"

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._task: asyncio.Task[Any] | None = None

    def start(self, controller: WritableStreamDefaultController) -> None:
        # Not in abort(), which comes only after the write that is under way.
        controller.signal.add_event_listener("abort", self._stop)

    async def write(self, chunk: Any, controller: WritableStreamDefaultController) -> None:
        self._task = asyncio.current_task()
        try:
            await self._stream.send(chunk)
        finally:
            self._task = None

    async def close(self) -> None:
        await (getattr(self._stream, "send_eof", None) or self._stream.aclose)()

    async def abort(self, reason: object) -> None:
        await cut_off(self._stream, reason)

    def _stop(self, event: object) -> None:
        if self._task is not None:
            self._task.cancel()


class _ByteSendingSink(_SendingSink):
    """The underlying sink over a byte stream."""

    stage_name = "to_byte_stream()"

    async def write(self, chunk: Buffer, controller: WritableStreamDefaultController) -> None:
        try:
            data = chunk if isinstance(chunk, bytes) else bytes(view_of(chunk))
        except TypeError as error:
            await cut_off(self._stream, error)  # nothing else would
            raise
        if data:
            await super().write(data, controller)


# Web streams for code that wants anyio's.


def as_object_stream(
    readable: ReadableStream[Any] | None = None, writable: WritableStream[Any] | None = None
) -> ObjectStream[Any]:
    """Return an anyio object stream of a readable stream, a writable stream or both, which are locked.

    Raises `TypeError` for anything other than such a stream, when one of them is locked, or without any.

    >>> async def main() -> None:
    ...     async with as_object_stream(ReadableStream.from_([1, 2])) as numbers:
    ...         print(await numbers.receive(), await numbers.receive())
    >>> asyncio.run(main())
    1 2
    """
    _require_streams(readable, writable, "as_object_stream")
    return ObjectStream(readable, writable)


def as_byte_stream(
    readable: ReadableStream[Any] | None = None, writable: WritableStream[Any] | None = None
) -> ByteStream:
    """Return an anyio byte stream of a stream of bytes-like chunks, a writable stream that takes bytes, or both.

    Raises `TypeError` for anything other than such a stream, when one of them is locked, or without any.

    >>> async def main() -> None:
    ...     async with as_byte_stream(ReadableStream.from_([b"hello"])) as stream:
    ...         print(await stream.receive(4), await stream.receive(4))
    >>> asyncio.run(main())
    b'hell' b'o'
    """
    _require_streams(readable, writable, "as_byte_stream")
    return ByteStream(readable, writable)


def _require_streams(readable: object, writable: object, function: str) -> None:
    if readable is not None:
        require_readable(readable, function)
    if writable is not None:
        require_writable(writable, function)
