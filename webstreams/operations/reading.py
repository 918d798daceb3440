"""Sections 9.1.2 and 9.1.3: reading from any readable stream, and looking at its state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from typing_extensions import TypeVar

from .._engine.promise import CallPromise, Promise
from .._streams.readable.reader import ReadableStreamDefaultReader
from .._streams.readable.stream import BLANK, ReadableStream
from ._algorithms import require_set_up
from ._requests import CheckedRequest, CloningTee, ReadLoop

T = TypeVar("T", default=Any)
In = TypeVar("In", contravariant=True, default=Any)


class ReadRequest(Protocol[In]):
    """What `read_chunk` calls with the outcome: one of the three, once. Streams Standard, 4.4.2 ("read request").

    The steps are plain functions and run synchronously, also inside the call with which the source enqueues a chunk.
    What they raise goes to the event loop's exception handler.
    """

    def chunk_steps(self, chunk: In, /) -> object:
        """Take the chunk."""

    def close_steps(self) -> object:
        """Learn that there is no chunk because the stream is closed."""

    def error_steps(self, error: Any, /) -> object:
        """Learn that there is no chunk because the stream is errored, or its reader was released."""


# Reading (9.1.2).


def get_reader(stream: ReadableStream[T]) -> ReadableStreamDefaultReader[T]:
    """Lock a stream to a new reader (AcquireReadableStreamDefaultReader).

    Raises `TypeError` when the stream is locked. Streams Standard, 9.1.2.
    """
    require_set_up(stream, ReadableStream, "get_reader")
    return ReadableStreamDefaultReader(stream)


def set_up_reader(reader: ReadableStreamDefaultReader[T], stream: ReadableStream[T]) -> None:
    """Set up a new reader for a stream: what the constructor of a subclass calls on `self`, instead of
    ``super().__init__(stream)``.

    Raises `TypeError` when the stream is locked, for anything other than a stream, and for anything other than a
    reader that is not set up yet. Streams Standard, 9.1.2.
    """
    if not isinstance(reader, ReadableStreamDefaultReader) or hasattr(reader, "_jobs"):
        raise TypeError("set_up_reader() needs a new ReadableStreamDefaultReader that has not been set up")
    require_set_up(stream, ReadableStream, "set_up_reader")
    ReadableStreamDefaultReader.__init__(reader, stream)


def read_chunk(reader: ReadableStreamDefaultReader[T], read_request: ReadRequest[T]) -> None:
    """Ask for the next chunk, without a promise: one of the three steps of `read_request` is called, once.

    They are called before this function returns when a chunk is in the queue or the stream has ended, later when one
    is there. Raises `TypeError` when the reader was released. Streams Standard, 9.1.2 ("read a chunk").
    """
    _require_reader(reader, "read_chunk")
    if reader._stream is None:
        raise TypeError("read_chunk() cannot read: the reader was released")
    reader._read(CheckedRequest(reader._jobs, read_request))


def read_all_bytes(
    reader: ReadableStreamDefaultReader[Any],
    success_steps: Callable[[bytes], object],
    failure_steps: Callable[[Any], object],
) -> None:
    """Read to the end of the stream; call ``success_steps(bytes)`` with everything, or ``failure_steps(reason)``.

    It fails with the stored error when the stream is errored, and with `TypeError` when a chunk is not a C-contiguous
    buffer of unsigned bytes (`bytes`, a `bytearray`, a memoryview of format "B") or when the reader is released. The
    stream stays locked to the reader, and is not cancelled. What the steps raise goes to the event loop's exception
    handler.

    Raises `TypeError` when the reader was released before, and for steps that are not callable. Streams Standard,
    9.1.2.
    """
    _require_reader(reader, "read_all_bytes")
    for name, steps in (("success_steps", success_steps), ("failure_steps", failure_steps)):
        if not callable(steps):
            raise TypeError(f"{name} must be callable, not {type(steps).__name__}")
    if reader._stream is None:
        raise TypeError("read_all_bytes() cannot read: the reader was released")
    ReadLoop(reader, success_steps, failure_steps).run()


def read_all_bytes_as_promise(reader: ReadableStreamDefaultReader[Any]) -> Promise[bytes]:
    """Read to the end of the stream; give a promise for everything. Fails as `read_all_bytes` does.

    Cancelling a task that awaits the promise stops the waiting, not the reading. Raises `TypeError` when the reader
    was released before.
    """
    _require_reader(reader, "read_all_bytes_as_promise")
    promise: Promise[bytes] = CallPromise(reader._jobs, "read_all_bytes_as_promise() of", reader._stream)
    read_all_bytes(reader, promise._fulfill, promise._reject)
    return promise


def release_reader(reader: ReadableStreamDefaultReader[Any]) -> None:
    """Release the lock, so that another reader can be acquired; pending reads fail with `TypeError`, no chunk is lost.

    Does nothing when the reader was released before. Streams Standard, 9.1.2 ("release").
    """
    _require_reader(reader, "release_reader")
    ReadableStreamDefaultReader.release_lock(reader)


def cancel_reader(reader: ReadableStreamDefaultReader[Any], reason: object = None) -> Promise[None]:
    """Cancel the stream of a reader with `reason`, any object; the promise settles when the source's
    cancel algorithm does.

    Rejected with `TypeError` when the reader was released. Streams Standard, 9.1.2 ("cancel").
    """
    _require_reader(reader, "cancel_reader")
    return ReadableStreamDefaultReader.cancel(reader, reason)


def cancel_readable_stream(stream: ReadableStream[Any], reason: object = None) -> Promise[None]:
    """Cancel a stream with `reason`, any object, whether it is locked or not.

    The promise is settled as the source has cancelled; rejected with the stored error when the stream is errored.
    Streams Standard, 9.1.2 ("cancel").
    """
    require_set_up(stream, ReadableStream, "cancel_readable_stream")
    return stream._cancel(reason)


def tee(stream: ReadableStream[T]) -> tuple[ReadableStream[T], ReadableStream[T]]:
    """Split a stream, which is locked from now on, into two (ReadableStreamTee): the second one gets clones.

    What the consumer of one branch does to a chunk does not show in the other: the second branch gets a deep copy of
    each. If a chunk cannot be copied, both branches are errored and the stream is cancelled with that error. Raises
    `TypeError` when the stream is locked. Streams Standard, 9.1.2.
    """
    require_set_up(stream, ReadableStream, "tee")
    if stream._controller._is_byte_controller:
        return ReadableStream.tee(stream)
    branch1: ReadableStream[Any] = ReadableStream(BLANK)
    branch2: ReadableStream[Any] = ReadableStream(BLANK)
    CloningTee(stream, branch1, branch2)
    return branch1, branch2


def _require_reader(reader: Any, operation: str) -> None:
    if not isinstance(reader, ReadableStreamDefaultReader) or not hasattr(reader, "_jobs"):
        raise TypeError(f"{operation}() needs a ReadableStreamDefaultReader, not {type(reader).__name__}")
    reader._jobs.require_running()


# Introspection (9.1.3).


def is_readable(stream: ReadableStream[Any]) -> bool:
    """Whether the stream is neither closed nor errored. Streams Standard, 9.1.3."""
    require_set_up(stream, ReadableStream, "is_readable")
    return stream._state == "readable"


def is_closed(stream: ReadableStream[Any]) -> bool:
    """Whether the stream is closed: nothing is left in its queue. Streams Standard, 9.1.3."""
    require_set_up(stream, ReadableStream, "is_closed")
    return stream._state == "closed"


def is_errored(stream: ReadableStream[Any]) -> bool:
    """Whether the stream is errored. Streams Standard, 9.1.3."""
    require_set_up(stream, ReadableStream, "is_errored")
    return stream._state == "errored"


def is_locked(stream: ReadableStream[Any]) -> bool:
    """Whether a reader, a pipe, a tee or an iteration has the stream for itself. Streams Standard, 9.1.3."""
    require_set_up(stream, ReadableStream, "is_locked")
    return stream._is_locked()


def is_disturbed(stream: ReadableStream[Any]) -> bool:
    """Whether the stream has ever been read from or cancelled.

    Consumers cannot see this by themselves: let nothing that they see depend on it. Streams Standard, 9.1.3.
    """
    require_set_up(stream, ReadableStream, "is_disturbed")
    return stream._disturbed
