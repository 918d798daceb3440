"""Web streams with the methods of anyio's streams, and the exceptions that those raise."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Mapping
from typing import Any, Generic, Self

from typing_extensions import Buffer, TypeVar

from ..._engine.promise import Promise
from ..._platform.errors import as_exception
from ..._streams.door import abort_at_once
from ..._streams.readable.stream import ReadableStream
from ..._streams.results import ReadDoneResult
from ..._streams.writable.stream import WritableStream
from .._bytes import PIECE, view_of

T = TypeVar("T", default=Any)


class EndOfStream(Exception):
    """Nothing more will come; stands for ``anyio.EndOfStream`` where anyio is not imported."""


class ClosedResourceError(Exception):
    """The stream was closed on this side; stands for ``anyio.ClosedResourceError`` where anyio is not imported."""


class BrokenResourceError(Exception):
    """The stream has failed; stands for ``anyio.BrokenResourceError`` where anyio is not imported."""


def class_of_anyio(own: type[Exception]) -> type[Exception]:
    """Return anyio's class of the same name, if the program has imported anyio."""
    found = getattr(sys.modules.get("anyio"), own.__name__, own)
    return found if isinstance(found, type) and issubclass(found, Exception) else own


def is_end(error: BaseException) -> bool:
    return any(each.__name__ == EndOfStream.__name__ for each in type(error).__mro__)


class Adapter(Generic[T]):
    """What both kinds share."""

    def __init__(self, readable: ReadableStream[Any] | None, writable: WritableStream[Any] | None) -> None:
        if readable is None and writable is None:
            raise TypeError("there must be a readable or a writable stream")
        self._reader = None if readable is None else readable.get_reader()
        self._writer = None if writable is None else writable.get_writer()
        self._is_closed = False
        self._has_sent_eof = False

    @property
    def extra_attributes(self) -> Mapping[Any, Any]:
        """Nothing is known of what is behind the streams."""
        return {}

    async def _read(self) -> Any:
        if self._reader is None:
            raise TypeError("there is no readable stream to receive from")
        self._require_open()
        try:
            result = await self._reader.read()
        except Exception as error:
            self._require_open()
            raise class_of_anyio(BrokenResourceError) from error
        if isinstance(result, ReadDoneResult):
            self._require_open()
            raise class_of_anyio(EndOfStream)
        return result.value

    async def _write(self, chunk: Any) -> None:
        writer = self._writer
        if writer is None:
            raise TypeError("there is no writable stream to send to")
        self._require_open(self._has_sent_eof)
        try:
            while not writer.ready.done():
                await writer.ready
            writer.ready.result()
        except Exception as error:
            raise class_of_anyio(BrokenResourceError) from error
        self._require_open(self._has_sent_eof)
        writer.write(chunk).add_done_callback(_look_at)  # the next call tells

    def _require_open(self, closed: bool = False) -> None:
        if self._is_closed or closed:
            raise class_of_anyio(ClosedResourceError)

    async def send_eof(self) -> None:
        """Close the writable stream after what was sent, and wait for that; receiving goes on."""
        self._require_open()
        await self._finish()

    async def _finish(self) -> None:
        if self._writer is None or self._has_sent_eof:
            return
        self._has_sent_eof = True
        is_errored = self._writer.desired_size is None
        try:
            await (self._writer.closed if is_errored else self._writer.close())
        except Exception as error:
            raise class_of_anyio(BrokenResourceError) from error

    async def aclose(self) -> None:
        """Cancel the readable stream, close the writable one after what was sent, and wait for both.

        If the wait is cancelled, the writable stream is aborted.
        """
        if self._is_closed:
            return
        self._is_closed = True
        cancelled: Awaitable[None] | None = None
        if self._reader is not None:
            cancelled = self._reader.cancel()
            cancelled.add_done_callback(_look_at)
        try:
            await self._finish()
            if cancelled is not None:
                await asyncio.wait([asyncio.ensure_future(cancelled)])
        except asyncio.CancelledError as error:
            if self._writer is not None:
                self._writer.abort(as_exception(error)).add_done_callback(_look_at)
            raise

    async def abort(self, reason: object = None) -> None:
        """Cancel the readable stream, abort the writable one, and wait for both.

        anyio's own streams have no such method: it is for those who cannot send the rest of the data, and must not
        `aclose()`, which is its end.
        """
        self._is_closed = True
        ending = [] if self._reader is None else [self._reader.cancel(reason)]
        if self._writer is not None:
            ending.append(abort_at_once(self._writer, reason))
        await Promise.all(ending)

    async def __aenter__(self) -> Self:
        """Return the stream itself."""
        return self

    async def __aexit__(self, kind: object, error: object, traceback: object) -> None:
        """Close it."""
        await self.aclose()

    def __aiter__(self) -> Self:
        """Iterate over what is received."""
        return self

    async def receive(self) -> T:
        """Return what comes next."""
        raise NotImplementedError

    async def __anext__(self) -> T:
        """Return the next chunk."""
        try:
            return await self.receive()
        except Exception as error:
            if is_end(error):
                raise StopAsyncIteration from None
            raise


def _look_at(promise: Promise[Any]) -> None:
    promise.exception()


class ObjectStream(Adapter[T]):
    """Web streams as an object stream of anyio: what `as_object_stream` gives."""

    async def receive(self) -> T:
        """Return the next chunk; raises ``EndOfStream``, ``ClosedResourceError``, or ``BrokenResourceError`` with the
        error of the stream as its cause. Cancelling it loses no chunk."""
        item: T = await self._read()
        return item

    async def send(self, item: T) -> None:
        """Wait until the queue is below its high-water mark, then put an item into it; not if cancelled before.

        Raises ``ClosedResourceError``, or ``BrokenResourceError`` with the error of the stream as its cause.
        """
        await self._write(item)


class ByteStream(Adapter[bytes]):
    """Web streams as a byte stream of anyio: what `as_byte_stream` gives."""

    def __init__(self, readable: ReadableStream[Any] | None, writable: WritableStream[Any] | None) -> None:
        super().__init__(readable, writable)
        self._rest = memoryview(b"")

    async def receive(self, max_bytes: int = PIECE) -> bytes:
        """Return some bytes, at most `max_bytes`; raises as `ObjectStream.receive` does."""
        if max_bytes < 1:
            raise ValueError(f"max_bytes must be above 0, not {max_bytes}")
        self._require_open()
        while not self._rest:
            self._rest = view_of(await self._read())
        data, self._rest = bytes(self._rest[:max_bytes]), self._rest[max_bytes:]
        return data

    async def send(self, item: Buffer) -> None:
        """Wait until the queue is below its high-water mark, then put the bytes into it; as `ObjectStream.send`."""
        await self._write(bytes(view_of(item)))
