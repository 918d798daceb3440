"""`from_bytes`: bytes from wherever they come, as a byte stream."""

from __future__ import annotations

from collections.abc import AsyncIterable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, Final, overload

from typing_extensions import Buffer

from .._engine.awaiting import next_turn
from .._engine.door import ignored
from .._engine.jobs import queue_microtask
from .._engine.promise import NEVER_AWAITABLE, Promise, is_awaitable
from .._platform.buffer import as_bytes_view, is_bytes_like, open_view
from .._platform.stages import note_stage
from .._streams.door import fail_with, is_byte_stream
from .._streams.readable.byte_controller import ReadableByteStreamController
from .._streams.readable.source import LaterSource
from .._streams.readable.stream import ReadableStream
from .inputs import Input, require_free

_NONE: Final = memoryview(b"")
# No item; the iterator of a source that was cancelled, or has failed.
_NOTHING: Final = object()
_ENDED: Final = iter(())
# So many empty items are taken in one pull, then others have their turn.
EMPTY_AT_ONCE: Final = 64


@overload
def from_bytes(source: Buffer) -> ReadableStream[bytes]: ...
@overload
def from_bytes(source: Iterable[Buffer] | AsyncIterable[Buffer]) -> ReadableStream[bytes]: ...
def from_bytes(source: Any) -> ReadableStream[bytes]:
    """Make a byte stream, which BYOB readers can read, of bytes-like objects.

    `source` is one bytes-like object, or an iterable, an async iterable or a stream of them. A single object that can
    be changed is copied at once. Of the others, each is taken when bytes are asked for, and copied into the reader's
    own memory, or given whole to a default reader; empty ones are left out. Cancelling the stream cancels the source
    stream with the same reason, or closes the iterator. A byte stream is returned as it is.

    A chunk that is not bytes-like errors the stream with `TypeError` and cancels the source. Raises `TypeError` for
    `str`, for anything that cannot be iterated over, and for a stream that is locked. Not in the Standard.

    >>> import asyncio
    >>> from webstreams import from_bytes
    >>> async def main() -> None:
    ...     with from_bytes([b"spam ", b"eggs"]).get_reader(mode="byob") as reader:
    ...         print(bytes((await reader.read(bytearray(100), min=9)).value))
    >>> asyncio.run(main())
    b'spam eggs'
    """
    if is_bytes_like(source):
        held: Any = source if isinstance(source, bytes) else open_view(source, "the source").tobytes()
        return ReadableStream(_ItemSource([held]))
    if isinstance(source, str):
        raise TypeError("from_bytes() needs bytes, not str: encode the text, or pipe it through a TextEncoderStream")
    if not isinstance(source, ReadableStream):
        if not hasattr(type(source), "__aiter__") and not hasattr(type(source), "__iter__"):
            raise TypeError(
                "from_bytes() needs a bytes-like object, or an iterable or a stream of them, not "
                f"{type(source).__name__}"
            )
        if not hasattr(type(source), "__aiter__"):
            return ReadableStream(_ItemSource(source))
        return ReadableStream(_ByteSource(ReadableStream.from_(source)))
    require_free(source, "its source", "from_bytes")
    return source if is_byte_stream(source) else ReadableStream(_ByteSource(source))


class _Giver:
    """What both underlying byte sources do with a chunk."""

    stage_name = "from_bytes()"

    type = "bytes"

    def __init__(self) -> None:
        # What is left of the last chunk.
        self._rest = _NONE

    def _take(self, controller: ReadableByteStreamController, chunk: Any) -> bool:
        """Give a chunk to who reads; whether there was anything in it. Raises TypeError if it is not bytes-like."""
        is_bytes = type(chunk) is bytes
        view = chunk if is_bytes else as_bytes_view(open_view(chunk, "a chunk"), "a chunk")
        if not view:
            return False
        if controller.byob_request is None:
            controller.enqueue(view)
            return True
        self._rest = memoryview(view)
        self._give(controller)
        if self._rest and not is_bytes:
            self._rest = memoryview(bytes(self._rest))  # whoever gave the chunk may use its memory again
        return True

    def _give(self, controller: ReadableByteStreamController) -> None:
        """Fill the memory of the reader, or give all that is left to a default reader."""
        rest, request = self._rest, controller.byob_request
        view = None if request is None else request.view
        if request is None or view is None:
            self._rest = _NONE
            controller.enqueue(rest)
            return
        count = min(len(rest), len(view))
        view[:count] = rest[:count]
        self._rest = rest[count:]
        request.respond(count)

    def _end(self, controller: ReadableByteStreamController) -> None:
        with suppress(TypeError):  # in the middle of an item: the reader is told
            controller.close()
        request = controller.byob_request
        if request is not None:
            request.respond(0)


class _ItemSource(_Giver):
    """The underlying byte source over the items of an iterable, which is asked where bytes are pulled."""

    def __init__(self, iterable: Iterable[Any]) -> None:
        super().__init__()
        self._iterator: Any = iter(iterable)

    def pull(self, controller: ReadableByteStreamController) -> Coroutine[Any, Any, None] | None:
        if self._rest:
            self._give(controller)
            return None
        missing = self._next(controller)
        return None if missing is _NOTHING else self._wait(controller, missing)

    def cancel(self, reason: object) -> None:
        self._rest = _NONE
        self._close()

    def _next(self, controller: ReadableByteStreamController) -> Any:
        """Give the next item that is not empty, or the end. Return `_NOTHING`, or what has to be waited for first: the
        item, or None if many were empty."""
        for _ in range(EMPTY_AT_ONCE):
            try:
                item = next(self._iterator, _NOTHING)
            except BaseException as error:
                note_stage(error, self._iterator, "pull()")
                raise
            if item is _NOTHING:
                self._end(controller)
                return _NOTHING
            if type(item) not in NEVER_AWAITABLE and is_awaitable(item):
                return item
            if self._accept(controller, item):
                return _NOTHING
        return None

    async def _wait(self, controller: ReadableByteStreamController, missing: Any) -> None:
        while missing is not _NOTHING:
            if missing is None:
                await next_turn()
            else:
                item = await missing
                if self._iterator is _ENDED or self._accept(controller, item):
                    return
            missing = self._next(controller)

    def _accept(self, controller: ReadableByteStreamController, item: Any) -> bool:
        try:
            return self._take(controller, item)
        except BaseException:
            self._close()
            raise

    def _close(self) -> None:
        close = getattr(self._iterator, "close", None)
        self._iterator = _ENDED
        if close is not None:
            close()


class _ByteSource(_Giver, LaterSource):
    """The underlying byte source over a stream of chunks."""

    _controller: ReadableByteStreamController

    def __init__(self, stream: ReadableStream[Any]) -> None:
        super().__init__()
        self._input = Input(stream, self, "from_bytes")
        self._is_reading = False

    def start(self, controller: ReadableByteStreamController) -> None:
        self._controller = controller

    def pull(self, controller: ReadableByteStreamController) -> None:
        if self._rest:
            self._give(controller)
        elif not self._is_reading:
            self._is_reading = True
            self._read()

    def _read(self) -> None:
        self._input.read()

    def cancel(self, reason: object) -> Promise[None]:
        self._rest = _NONE
        return self._input.cancel(reason)

    def arrived(self, source: Input, chunk: Any) -> None:
        self._is_reading = False
        try:
            was_empty = not self._take(self._controller, chunk)
        except Exception as error:
            self._controller.error(error)
            ignored(source.cancel(error))
            return
        if was_empty:
            self._is_reading = True
            queue_microtask(self._read)  # not now: there may be thousands of them

    def ended(self, source: Input) -> None:
        self._end(self._controller)

    def failed(self, source: Input, error: Any) -> None:
        fail_with(self._controller, error)
