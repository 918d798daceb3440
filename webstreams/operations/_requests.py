"""What the operations of sections 9.1.2 and 9.1.3 give to a reader or a stream: read requests, and a tee."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from .._engine.jobs import JobQueue
from .._platform.buffer import open_view
from .._platform.errors import callback_error
from .._streams.readable.reader import ReadableStreamDefaultReader
from .._streams.readable.state import ReadRequest
from .._streams.readable.tee import DefaultTee

# How many chunks are read in one job: a long queue must not keep the event loop's other tasks waiting.
CHUNKS_PER_JOB = 64


class CheckedRequest(ReadRequest):
    """Calls the steps of a library author, whose mistakes must not reach the source."""

    __slots__ = ("_chunk_steps", "_close_steps", "_error_steps", "_jobs")

    def __init__(self, jobs: JobQueue, request: object) -> None:
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


class ReadLoop(ReadRequest):
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
    view = open_view(chunk, "the chunk")
    if view.format != "B":
        raise TypeError(f"a chunk of a stream of which all bytes are read must be bytes, not items of {view.format!r}")
    return view.tobytes()


class CloningTee(DefaultTee):
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
