"""Sections 9.1.2 and 9.1.3: reading from any readable stream, and looking at its state."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any, Protocol

from typing_extensions import TypeVar

from .._buffer import open_view
from .._errors import callback_error
from .._jobs import JobQueue
from .._promise import CallPromise, Promise
from .._readable.reader import ReadableStreamDefaultReader
from .._readable.state import ReadRequest as InternalReadRequest
from .._readable.stream import BLANK, ReadableStream
from .._readable.tee import DefaultTee
from ._algorithms import require_set_up

T = TypeVar("T", default=Any)
In = TypeVar("In", contravariant=True, default=Any)

# How many chunks are read in one job: a long queue must not keep the event loop's other tasks waiting.
CHUNKS_PER_JOB = 64


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


class _CheckedRequest(InternalReadRequest):
    """Calls the steps of a library author, whose mistakes must not reach the source."""

    __slots__ = ("_chunk_steps", "_close_steps", "_error_steps", "_jobs")

    def __init__(self, jobs: JobQueue, request: ReadRequest[Any]) -> None:
        self._jobs = jobs
        self._chunk_steps = _steps_of(request, "chunk_steps")
        self._close_steps = _steps_of(request, "close_steps")
        self._error_steps = _steps_of(request, "error_steps")

    def chunk_steps(self, chunk: Any) -> None:
        """A chunk is there."""
        run_steps(self._jobs, self._chunk_steps, chunk)

    def close_steps(self, chunk: Any = None) -> None:
        """The stream is closed."""
        run_steps(self._jobs, self._close_steps)

    def error_steps(self, error: object) -> None:
        """The stream is errored, or its reader was released."""
        run_steps(self._jobs, self._error_steps, error)


def _steps_of(request: object, name: str) -> Callable[..., object]:
    steps: Callable[..., object] | None = getattr(request, name, None)
    if not callable(steps):
        raise TypeError(f"a read request must have the method {name}, and {type(request).__name__} has not")
    return steps


def run_steps(jobs: JobQueue, steps: Callable[..., object], *arguments: object) -> None:
    """Call steps of a library author; what they raise concerns the event loop's exception handler."""
    try:
        steps(*arguments)
    except Exception as error:
        jobs.report(f"the steps of a library raised an exception: {steps!r}", error)


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

    Raises `TypeError` when the stream is locked, for something else than a stream, and for something else than a
    reader that is not set up. Streams Standard, 9.1.2.
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
    reader._read(_CheckedRequest(reader._jobs, read_request))


def read_all_bytes(
    reader: ReadableStreamDefaultReader[Any],
    success_steps: Callable[[bytes], object],
    failure_steps: Callable[[Any], object],
) -> None:
    """Read to the end of the stream; call ``success_steps(bytes)`` with everything, or ``failure_steps(reason)``.

    It fails with the stored error when the stream is errored, and with `TypeError` when a chunk is no C-contiguous
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
    _ReadLoop(reader, success_steps, failure_steps).run()


def read_all_bytes_as_promise(reader: ReadableStreamDefaultReader[Any]) -> Promise[bytes]:
    """Read to the end of the stream; give a promise for everything. Fails as `read_all_bytes` does.

    Cancelling a task that awaits the promise stops the waiting, not the reading. Raises `TypeError` when the reader
    was released before.
    """
    _require_reader(reader, "read_all_bytes_as_promise")
    promise: Promise[bytes] = CallPromise(reader._jobs, "read_all_bytes_as_promise() of", reader._stream)
    read_all_bytes(reader, promise._fulfill, promise._reject)
    return promise


class _ReadLoop(InternalReadRequest):
    """read-loop, without recursion; its own read request."""

    __slots__ = ("_answered", "_failure_steps", "_ongoing", "_parts", "_reader", "_success_steps")

    def __init__(
        self,
        reader: ReadableStreamDefaultReader[Any],
        success_steps: Callable[[bytes], object],
        failure_steps: Callable[[Any], object],
    ) -> None:
        self._reader = reader
        self._success_steps = success_steps
        self._failure_steps = failure_steps
        self._parts: list[bytes] = []
        # The loop is on the stack, and its last read was answered with a chunk.
        self._ongoing = False
        self._answered = False

    def run(self) -> None:
        """Read until there is no chunk; go on in another job after some, so that other tasks can run."""
        self._ongoing = True
        for _ in range(CHUNKS_PER_JOB):
            if self._reader._stream is None:
                self._ongoing = False
                self.error_steps(TypeError("the reader was released: not all bytes were read"))
                return
            self._answered = False
            self._reader._read(self)
            if not self._answered:
                self._ongoing = False
                return
        self._ongoing = False
        self._reader._jobs.push(self.run)

    def chunk_steps(self, chunk: Any) -> None:
        """Keep the bytes and read on."""
        try:
            self._parts.append(_bytes_of(chunk))
        except TypeError as error:
            self.error_steps(error)
            return
        if self._ongoing:
            self._answered = True
        else:
            self.run()

    def close_steps(self, chunk: Any = None) -> None:
        """All bytes are there."""
        run_steps(self._reader._jobs, self._success_steps, b"".join(self._parts))

    def error_steps(self, error: object) -> None:
        """It failed."""
        run_steps(self._reader._jobs, self._failure_steps, error)


def _bytes_of(chunk: Any) -> bytes:
    if type(chunk) is bytes:
        return chunk
    view = open_view(chunk, "a chunk of a stream of which all bytes are read")
    if view.format != "B":
        raise TypeError(f"a chunk of a stream of which all bytes are read must be bytes, not items of {view.format!r}")
    return view.tobytes()


def release_reader(reader: ReadableStreamDefaultReader[Any]) -> None:
    """Give the stream free for another reader; pending reads fail with `TypeError`, no chunk is lost.

    Does nothing when the reader was released before. Streams Standard, 9.1.2 ("release").
    """
    _require_reader(reader, "release_reader")
    ReadableStreamDefaultReader.release_lock(reader)


def cancel_reader(reader: ReadableStreamDefaultReader[Any], reason: object = None) -> Promise[None]:
    """Cancel the stream of a reader with `reason`, any object; the promise is settled as the source has cancelled.

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
    _CloningTee(stream, branch1, branch2)
    return branch1, branch2


class _CloningTee(DefaultTee):
    """ReadableStreamDefaultTee with cloneForBranch2."""

    __slots__ = ()

    def _pass_on(self, chunk: Any) -> None:
        chunks = [chunk, chunk]
        if not self.canceled[1]:
            try:
                chunks[1] = _structured_clone(chunk)
            except Exception as error:
                self._cloning_failed(callback_error(error))
                return
        self.read_again = False
        for index in (0, 1):
            if not self.canceled[index]:
                self.controllers[index]._enqueue(chunks[index])
        self.reading = False
        if self.read_again:
            self.pull(0)

    def _cloning_failed(self, error: BaseException) -> None:
        for controller in self.controllers:
            controller._error(error)
        self.resolve_cancel_promise(self.stream._cancel(error))


def _structured_clone(chunk: Any) -> Any:
    """StructuredClone: a deep copy; of a memoryview, one of new memory."""
    if isinstance(chunk, memoryview):
        view = memoryview(bytearray(chunk.tobytes()))
        return view if chunk.format == "B" else view.cast(chunk.format)  # type: ignore[call-overload]
    return deepcopy(chunk)


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
