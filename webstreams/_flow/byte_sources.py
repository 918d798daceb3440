"""`from_bytes`: bytes from wherever they come, as a byte stream."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from typing import Any, Final, overload

from typing_extensions import Buffer

from .._engine.door import ignored
from .._engine.jobs import queue_microtask
from .._engine.promise import Promise
from .._platform.buffer import as_bytes_view, is_bytes_like, open_view
from .._streams.door import fail_with, is_byte_stream
from .._streams.readable.byte_controller import ReadableByteStreamController
from .._streams.readable.source import LaterSource
from .._streams.readable.stream import ReadableStream
from .inputs import Input, require_free

_NONE: Final = memoryview(b"")


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
        return ReadableStream(_ByteSource(ReadableStream.from_([held])))
    if isinstance(source, str):
        raise TypeError("from_bytes() needs bytes, not str: encode the text, or pipe it through a TextEncoderStream")
    if not isinstance(source, ReadableStream):
        if not hasattr(type(source), "__aiter__") and not hasattr(type(source), "__iter__"):
            raise TypeError(
                "from_bytes() needs a bytes-like object, or an iterable or a stream of them, not "
                f"{type(source).__name__}"
            )
        return ReadableStream(_ByteSource(ReadableStream.from_(source)))
    require_free(source, "its source", "from_bytes")
    return source if is_byte_stream(source) else ReadableStream(_ByteSource(source))


class _ByteSource(LaterSource):
    """The underlying byte source over a stream of chunks."""

    stage_name = "from_bytes()"

    type = "bytes"

    _controller: ReadableByteStreamController

    def __init__(self, stream: ReadableStream[Any]) -> None:
        self._input = Input(stream, self, "from_bytes")
        # What is left of the last chunk.
        self._rest = _NONE
        self._is_reading = False

    def start(self, controller: ReadableByteStreamController) -> None:
        self._controller = controller

    def pull(self, controller: ReadableByteStreamController) -> None:
        if self._rest:
            self._give()
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
            view = as_bytes_view(open_view(chunk, "a chunk"), "a chunk")
        except Exception as error:
            self._controller.error(error)
            ignored(source.cancel(error))
            return
        if not view.nbytes:
            self._is_reading = True
            queue_microtask(self._read)  # not now: there may be thousands of them
        elif self._controller.byob_request is None:
            self._controller.enqueue(chunk if type(chunk) is bytes else view)
        else:
            self._rest = view
            self._give()
            if self._rest and type(chunk) is not bytes:
                self._rest = memoryview(bytes(self._rest))  # whoever gave the chunk may use its memory again

    def _give(self) -> None:
        """Fill the memory of the reader, or give all that is left to a default reader."""
        rest, request = self._rest, self._controller.byob_request
        view = None if request is None else request.view
        if request is None or view is None:
            self._rest = _NONE
            self._controller.enqueue(rest)
            return
        count = min(len(rest), len(view))
        view[:count] = rest[:count]
        self._rest = rest[count:]
        request.respond(count)

    def ended(self, source: Input) -> None:
        self._controller.close()
        request = self._controller.byob_request
        if request is not None:
            request.respond(0)

    def failed(self, source: Input, error: Any) -> None:
        fail_with(self._controller, error)
