"""Section 4.6: ReadableStreamDefaultController. Takes chunks from the source, keeps them in its queue, asks for
more."""

from __future__ import annotations

from functools import partial
from typing import Any, Generic

from typing_extensions import TypeVar

from .._errors import callback_error
from .._idl import INTERNAL, refuse_constructor
from .._jobs import JobQueue, get_running_loop, raise_wrong_loop
from .._promise import DEFERRED, Promise, converted, promise_rejected_with, upon
from .._queue import QueueWithSizes
from .._strategy import SizeAlgorithm, measure
from .source import Source, UnderlyingSource
from .state import ReadableController, ReadableStreamState, ReadRequest

T = TypeVar("T", default=Any)


class ReadableStreamDefaultController(ReadableController, Generic[T]):
    """What an underlying source uses to feed its stream. Streams Standard, 4.6."""

    __slots__ = (
        "__weakref__",
        "_close_requested",
        "_jobs",
        "_on_pull_fulfilled",
        "_pull_again",
        "_pulling",
        "_queue",
        "_source",
        "_started",
        "_strategy_hwm",
        "_strategy_size_algorithm",
        "_stream",
    )

    def __init__(self, token: object = None, *setup: Any) -> None:
        if token is not INTERNAL:
            raise refuse_constructor("ReadableStreamDefaultController")
        self._set_up(*setup)

    def _set_up(
        self,
        stream: ReadableStreamState[T],
        source: Source | UnderlyingSource,
        high_water_mark: float,
        size_algorithm: SizeAlgorithm | None,
    ) -> None:
        """SetUpReadableStreamDefaultController"""
        self._stream = stream
        self._queue = QueueWithSizes(sized=size_algorithm is not None)
        self._started = False
        self._close_requested = False
        self._pull_again = False
        self._pulling = False
        self._strategy_size_algorithm = size_algorithm
        self._strategy_hwm = high_water_mark
        # The pull and cancel algorithms; None once they are cleared.
        self._source: Source | UnderlyingSource | None = source
        # Ours.
        self._jobs: JobQueue = stream._jobs
        self._on_pull_fulfilled = self._pull_fulfilled
        stream._controller = self
        start_result = source.start(self)
        upon(self._jobs, converted(self._jobs, start_result, source.context), self._start_fulfilled, self._error)

    def _start_fulfilled(self, _: Any) -> None:
        self._started = True
        self._call_pull_if_needed()

    # What the source calls.

    @property
    def desired_size(self) -> float | None:
        """How much more the queue wants, in the strategy's units: not above 0 when it is full, None when errored.

        0 when the stream is closed. Streams Standard, 4.6.3.
        """
        return self._get_desired_size()

    def enqueue(self, chunk: T = None) -> None:  # type: ignore[assignment]
        """Put a chunk into the queue, or give it to the read that waits for it.

        Raises `TypeError` when the stream is closed, errored or about to close; what the strategy's ``size()``
        raises; and `ValueError` when it returns no finite, non-negative number (these two error the stream).
        """
        if get_running_loop() is not self._jobs.loop:
            raise_wrong_loop()
        if self._close_requested or self._stream._state != "readable":
            raise TypeError(f"cannot enqueue: {self._why_not()}")
        self._put(chunk)

    def close(self) -> None:
        """Close the stream after the chunks that are in the queue.

        Raises `TypeError` when it is closed, errored or about to close already.
        """
        self._jobs.require_running()
        if not self._can_close_or_enqueue():
            raise TypeError(f"cannot close: {self._why_not()}")
        self._close()

    def error(self, error: object = None) -> None:
        """Error the stream now: the chunks in the queue are dropped, every read fails with `error`, any object."""
        self._jobs.require_running()
        self._error(error)

    def _why_not(self) -> str:
        state = self._stream._state
        return f"the stream is {state}" if state != "readable" else "close() was called before"

    # What the stream and its reader call.

    def _cancel_steps(self, reason: object) -> Promise[Any] | None:
        """[[CancelSteps]]"""
        self._queue.reset_queue()
        return run_cancel_algorithm(self, reason)

    def _pull_steps(self, read_request: ReadRequest) -> None:
        """[[PullSteps]]"""
        queue = self._queue
        if queue.chunks:
            chunk = queue.dequeue_value()
            if self._close_requested and not queue.chunks:
                self._clear_algorithms()
                self._stream._close()
            else:
                self._call_pull_if_needed()
            read_request.chunk_steps(chunk)
        else:
            reader = self._stream._reader
            assert reader is not None
            reader._read_requests.append(read_request)
            self._call_pull_if_needed()

    def _release_steps(self) -> None:
        """[[ReleaseSteps]]"""

    def _has_queued(self) -> bool:
        return bool(self._queue.chunks)

    def _withdraw_read(self, read_request: ReadRequest) -> None:
        reader = self._stream._reader
        if reader is not None:
            reader._read_requests.remove(read_request)

    def _unread(self, chunk: Any, serial: int) -> None:
        stream = self._stream
        if stream._reader is not None and stream._reader._read_requests:
            stream._fulfill_read_request(chunk, False)
        else:
            self._queue.put_back(chunk, serial)

    # Abstract operations (4.9.4).

    def _call_pull_if_needed(self) -> None:
        """ReadableStreamDefaultControllerCallPullIfNeeded"""
        if not self._should_call_pull():
            return
        if self._pulling:
            self._pull_again = True
            return
        self._pulling = True
        source = self._source
        assert source is not None and source.pull is not None
        jobs = self._jobs
        try:
            result = source.pull(self)
        except BaseException as error:
            jobs.push(partial(self._error, callback_error(error)))
            return
        if result is None:
            jobs.jobs.append(self._on_pull_fulfilled)
            if not jobs.scheduled:
                jobs.schedule()
        elif result is not DEFERRED:
            upon(self._jobs, converted(self._jobs, result, source.context), self._pull_fulfilled, self._error)

    def _pull_fulfilled(self, _: Any = None) -> None:
        self._pulling = False
        if self._pull_again:
            self._pull_again = False
            self._call_pull_if_needed()

    def _should_call_pull(self) -> bool:
        """ReadableStreamDefaultControllerShouldCallPull

        # Python: a source without pull() is never asked; nobody can see a pull algorithm that does nothing.
        """
        if self._close_requested or not self._started or self._stream._state != "readable":
            return False
        if self._source is None or self._source.pull is None:
            return False
        reader = self._stream._reader
        if reader is not None and reader._read_requests:
            return True
        return self._strategy_hwm - self._queue.total > 0

    def _clear_algorithms(self) -> None:
        """ReadableStreamDefaultControllerClearAlgorithms"""
        self._source = None
        self._strategy_size_algorithm = None

    def _close(self) -> None:
        """ReadableStreamDefaultControllerClose"""
        if not self._can_close_or_enqueue():
            return
        self._close_requested = True
        if not self._queue.chunks:
            self._clear_algorithms()
            self._stream._close()

    def _enqueue(self, chunk: Any) -> None:
        """ReadableStreamDefaultControllerEnqueue"""
        if self._can_close_or_enqueue():
            self._put(chunk)

    def _put(self, chunk: Any) -> None:
        """Give a chunk to the read that waits for it, or put it into the queue."""
        reader = self._stream._reader
        if reader is not None and reader._read_requests:
            reader._read_requests.popleft().chunk_steps(chunk)
        elif self._queue.sizes is None:
            queue = self._queue
            queue.chunks.append(chunk)
            queue.total += 1
        else:
            self._enqueue_with_size(chunk)
        self._call_pull_if_needed()

    def _enqueue_with_size(self, chunk: Any) -> None:
        try:
            assert self._strategy_size_algorithm is not None
            size = measure(self._strategy_size_algorithm, chunk)
            self._queue.enqueue_value_with_size(chunk, size)
        except Exception as error:
            self._error(error)
            raise

    def _error(self, error: object) -> None:
        """ReadableStreamDefaultControllerError"""
        if self._stream._state != "readable":
            return
        self._queue.reset_queue()
        self._clear_algorithms()
        self._stream._error(error)

    def _get_desired_size(self) -> float | None:
        """ReadableStreamDefaultControllerGetDesiredSize"""
        state = self._stream._state
        if state == "errored":
            return None
        if state == "closed":
            return 0
        return self._strategy_hwm - self._queue.total

    def _has_backpressure(self) -> bool:
        """ReadableStreamDefaultControllerHasBackpressure

        # Python: asked only by transform streams, whose sources all have a pull algorithm.
        """
        return not self._should_call_pull()

    def _can_close_or_enqueue(self) -> bool:
        """ReadableStreamDefaultControllerCanCloseOrEnqueue"""
        return not self._close_requested and self._stream._state == "readable"


def run_cancel_algorithm(controller: Any, reason: object) -> Promise[Any] | None:
    """Run the cancel algorithm, then clear the algorithms: what the [[CancelSteps]] of both controllers end with."""
    source = controller._source
    try:
        return converted(controller._jobs, source.cancel(reason), source.context)
    except BaseException as error:
        return promise_rejected_with(controller._jobs, callback_error(error))
    finally:
        controller._clear_algorithms()
