"""The state of a readable stream, which its controller and its reader move (4.9.2, "Interfacing with controllers").

A stream is *readable* until it is *closed* or *errored*, and stays so. The controller closes and errors it, and a
consumer that cancels it closes it. Chunks go one way: source -> controller -> queue -> read request of the reader.
This class stands between controller and reader; it knows both by these base classes only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Final, Generic

from typing_extensions import TypeVar

from ..._debug.repr import show, show_count, show_state, summary
from ..._engine.jobs import JobQueue
from ..._engine.promise import Promise, promise_rejected_with, promise_resolved_with
from ..._platform.errors import forget_library
from ..._platform.mypyc import mypyc_attr, subscriptable, trait
from ..holder import LockHolder, show_holder
from ..meter import Meter
from ..part import Part
from ..queue import PutBackChunks, QueueWithSizes
from .leaving import ENDS, end_feeder

T = TypeVar("T", default=Any, covariant=True)

_EMPTY: Final = QueueWithSizes(sized=False)


@trait
class ReadRequest:
    """What happens with the outcome of one read: the Standard's read request and read-into request."""

    __slots__ = ()

    def chunk_steps(self, chunk: Any) -> None:
        """A chunk is there."""
        raise NotImplementedError

    def close_steps(self, chunk: Any = None) -> None:
        """The stream is closed; a read-into request may get its empty view back."""
        raise NotImplementedError

    def error_steps(self, error: object) -> None:
        """The stream is errored, or its reader was released."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class GenericReaderState(Part):
    """What a stream needs of its reader, of either kind."""

    __slots__ = ("_closed_promise", "_consumer", "_holder", "_jobs", "_read_requests", "_spare", "_stream")
    # Links; and what is made when somebody asks for it, and settled at the end.
    _constant: ClassVar[tuple[str, ...]] = ("_closed_promise", "_consumer", "_holder", "_jobs", "_spare", "_stream")

    # Whether the read requests are read-into requests.
    _is_byob = False

    _jobs: JobQueue
    _stream: ReadableStreamState[Any] | None
    # [[readRequests]] or [[readIntoRequests]]
    _read_requests: deque[ReadRequest]
    # Python: [[closedPromise]] is made when somebody looks at it.
    _closed_promise: Promise[None] | None
    # Ours, shared: who reads, if it is not the user: in words, and the pipe, the tee or the operators themselves.
    _holder: LockHolder | None
    _consumer: object
    # Ours, shared: the promise of a read that nobody can look at any more, for the next one.
    _spare: Any

    def _error_read_requests(self, error: object) -> None:
        """ReadableStreamDefaultReaderErrorReadRequests, ReadableStreamBYOBReaderErrorReadIntoRequests."""
        requests, self._read_requests = self._read_requests, deque()
        for request in requests:
            request.error_steps(error)

    def __repr__(self) -> str:
        """Show the stream and the pending reads."""
        return show(self, self._details())

    def _details(self) -> Iterator[str]:
        if self._stream is None:
            yield "released"
        else:
            yield f"of {summary(self._stream)}"
            yield show_count(len(self._read_requests), "pending read")

    def _summary(self) -> Iterator[str]:
        yield "released" if self._stream is None else f"with {show_count(len(self._read_requests), 'pending read')}"


class ReadableController(Part):
    """The internal methods that both controllers have (4.9.2, 4.6.3, 4.7.4)."""

    __slots__ = ()

    # Whether it implements ReadableByteStreamController.
    _is_byte_controller = False

    def _queue_to_read(self) -> QueueWithSizes:
        """Return the queue whose chunks a default reader may take itself while there is plenty of them."""
        return _EMPTY

    def _cancel_steps(self, reason: object) -> Promise[Any] | None:
        """[[CancelSteps]]; None stands for a promise that is fulfilled already."""
        raise NotImplementedError

    def _pull_steps(self, read_request: ReadRequest) -> None:
        """[[PullSteps]]"""
        raise NotImplementedError

    def _pull_into(self, descriptor: Any, given: Any) -> None:
        """ReadableByteStreamControllerPullInto, of a byte stream."""
        raise NotImplementedError

    def _answers_at_once(self) -> bool:
        """Ours, shared: have a task's await of a read answered by the source, if the job that is due asks it; whether
        the read was."""
        return False

    def _collect_steps(self, take: Callable[[Any], object]) -> None:
        """Ours, shared: have the chunks taken that are made when they are asked for, and that come at once."""

    def _release_steps(self) -> None:
        """[[ReleaseSteps]]"""
        raise NotImplementedError

    def _observe(self, meter: Meter) -> None:
        """Ours, shared: have a meter told of every chunk from now on."""
        raise NotImplementedError

    def _has_queued(self) -> bool:
        """Whether a read would be answered from the queue."""
        raise NotImplementedError

    def _withdraw_read(self, read_request: ReadRequest) -> None:
        """Forget a pending read request whose only task was cancelled."""
        raise NotImplementedError

    def _unread(self, chunk: Any, serial: int) -> None:
        """Take a chunk back that was handed to a read whose only task was cancelled before it ran."""
        raise NotImplementedError

    def _show_queue(self) -> Iterator[str]:
        """What a ``repr()`` tells of the queue."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class ReadableStreamState(Part, Generic[T]):
    """The internal slots of a readable stream, and the operations that move them."""

    __slots__ = (
        "_controller",
        "_deliveries",
        "_disturbed",
        "_fed_by",
        "_finished",
        "_jobs",
        "_reader",
        "_returned",
        "_returned_order",
        "_state",
        "_stored_error",
    )

    # Links; what moves at the end only, after which there are no periods; and what is made when somebody asks for it.
    # `_disturbed` is set once, by the first read or its simulation. The numbers of the deliveries only have to grow: a
    # run does not count its own.
    _constant: ClassVar[tuple[str, ...]] = (
        "_controller",
        "_deliveries",
        "_disturbed",
        "_fed_by",
        "_finished",
        "_jobs",
        "_reader",
        "_returned",
        "_returned_order",
        "_state",
        "_stored_error",
    )

    _controller: ReadableController

    def __init__(self, jobs: JobQueue) -> None:
        """InitializeReadableStream"""
        self._state = "readable"
        self._reader: GenericReaderState | None = None
        self._stored_error: object = None
        self._disturbed = False
        # Ours, shared.
        self._jobs = jobs
        # Python: a stream that is closed or errored has no chunks in the Standard. Those that were delivered before, to
        # reads that were cancelled (ReadableController._unread), are kept here and read before the end.
        self._returned: deque[Any] | None = None
        # What `finished()` gave, which needs no reader.
        self._finished: Promise[None] | None = None
        # Counts the chunks that were handed to reads which somebody awaits.
        self._deliveries = 0
        # The pipe into the other side of the pair that this stream belongs to: it ends with the one that reads here.
        self._fed_by: Any = None

        # Ours: the order of the chunks in `_returned`.
        self._returned_order: PutBackChunks | None = None

    def _cancel(self, reason: object) -> Promise[None]:
        """Cancel the stream; with the pipe that feeds it if the task was cancelled that reads it."""
        feeder = self._fed_by
        if feeder is None or self._jobs.leaving != ENDS:
            return self._cancel_alone(reason)
        return end_feeder(self._cancel_alone(reason), feeder, reason)

    def _cancel_alone(self, reason: object) -> Promise[None]:
        """ReadableStreamCancel"""
        self._disturbed = True
        if self._state == "closed":
            return promise_resolved_with(self._jobs)
        if self._state == "errored":
            return promise_rejected_with(self._jobs, self._stored_error, "cancel() of", self)
        self._close()
        reader = self._reader
        if reader is not None and reader._is_byob:
            requests, reader._read_requests = reader._read_requests, deque()
            for request in requests:
                request.close_steps(None)
        source_cancel_promise = self._controller._cancel_steps(reason)
        if source_cancel_promise is None:
            source_cancel_promise = promise_resolved_with(self._jobs)
        return source_cancel_promise._then(_return_none, "cancel() of", self)

    def _close(self) -> None:
        """ReadableStreamClose"""
        self._state = "closed"
        if self._finished is not None:
            self._finished._fulfill(None)
        reader = self._reader
        if reader is None:
            return
        if reader._closed_promise is not None:
            reader._closed_promise._fulfill(None)
        if not reader._is_byob and reader._read_requests:
            requests, reader._read_requests = reader._read_requests, deque()
            for request in requests:
                request.close_steps()

    def _error(self, error: object) -> None:
        """ReadableStreamError"""
        self._state = "errored"
        forget_library(error)
        self._stored_error = error
        if self._finished is not None:
            self._finished._reject(error)
        reader = self._reader
        if reader is None:
            return
        if reader._closed_promise is not None:
            reader._closed_promise._mark_handled()
            reader._closed_promise._reject(error)
        reader._error_read_requests(error)

    # Reads that were cancelled.

    def _unread(self, chunk: Any, serial: int) -> None:
        """Give a chunk, which nobody will look at any more, to the next read."""
        if self._state == "readable":
            self._controller._unread(chunk, serial)
            return
        if self._returned is None or self._returned_order is None:
            self._returned = deque()
            self._returned_order = PutBackChunks()
        self._returned.insert(self._returned_order.place(serial, chunk, self._returned), chunk)

    def _take_returned(self, read_request: ReadRequest) -> bool:
        """Answer a read of a closed or errored stream with a chunk that was taken back, if there is one."""
        if not self._returned:
            return False
        read_request.chunk_steps(self._returned.popleft())
        return True

    # Debugging.

    def __repr__(self) -> str:
        """Show the state, who has the stream for itself, and the queue."""
        return show(self, self._details())

    def _details(self) -> Iterator[str]:
        yield show_state(self._state, self._stored_error)
        yield "unlocked" if self._reader is None else f"locked to {show_holder(self._reader)}"
        yield from self._controller._show_queue()
        if self._returned:
            yield f"{show_count(len(self._returned), 'chunk')} of cancelled reads"

    def _summary(self) -> Iterator[str]:
        yield show_state(self._state, self._stored_error)
        yield from self._controller._show_queue()


subscriptable(ReadableStreamState)


# Operations that are called for every chunk. Compiled code calls functions directly, but not the methods of a class
# that has interpreted subclasses.


def fulfill_read_request(stream: ReadableStreamState[Any], chunk: Any, done: bool) -> None:
    """ReadableStreamFulfillReadRequest, ReadableStreamFulfillReadIntoRequest"""
    assert stream._reader is not None
    request = stream._reader._read_requests.popleft()
    if done:
        request.close_steps(chunk)
    else:
        request.chunk_steps(chunk)


def add_read_request(stream: ReadableStreamState[Any], read_request: ReadRequest) -> None:
    """ReadableStreamAddReadRequest, ReadableStreamAddReadIntoRequest"""
    assert stream._reader is not None
    stream._reader._read_requests.append(read_request)


def has_default_reader(stream: ReadableStreamState[Any]) -> bool:
    """ReadableStreamHasDefaultReader"""
    return stream._reader is not None and not stream._reader._is_byob


def has_byob_reader(stream: ReadableStreamState[Any]) -> bool:
    """ReadableStreamHasBYOBReader"""
    return stream._reader is not None and stream._reader._is_byob


def get_num_read_requests(stream: ReadableStreamState[Any]) -> int:
    """ReadableStreamGetNumReadRequests, ReadableStreamGetNumReadIntoRequests"""
    assert stream._reader is not None
    return len(stream._reader._read_requests)


def _return_none(_: Any) -> None:
    return None
