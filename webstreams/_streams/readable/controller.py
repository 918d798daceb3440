"""Section 4.6: ReadableStreamDefaultController. Takes chunks from the source, keeps them in its queue, asks for
more."""

from __future__ import annotations

from typing import Any, ClassVar, Generic, overload

from typing_extensions import TypeVar

from ..._debug.repr import show_queue
from ..._engine.jobs import ASKS_LOOP, get_ident, get_running_loop
from ..._engine.promise import Promise
from ..._platform.errors import call
from ..._platform.idl import INTERNAL, refuse_constructor
from ..._platform.mypyc import subscriptable
from ..queue import QueueWithSizes
from ..strategy import SizeAlgorithm
from .pulling import PullingController
from .source import Source, UnderlyingSource
from .state import ReadableStreamState, ReadRequest, fulfill_read_request

T = TypeVar("T", default=Any, contravariant=True)


class ReadableStreamDefaultController(PullingController, Generic[T]):
    """What an underlying source uses to feed its stream. Streams Standard, 4.6."""

    __slots__ = ("__weakref__", "_queue", "_strategy_size_algorithm")
    _constant: ClassVar[tuple[str, ...]] = ("_queue", "_strategy_size_algorithm")

    def __init__(self, token: object = None, *setup: Any, **_: Any) -> None:
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
        self._initialize(stream, source, high_water_mark)
        self._measure = self._queue = QueueWithSizes(size_algorithm is not None, high_water_mark)
        self._strategy_size_algorithm = size_algorithm
        self._start(source)

    # What the source calls.

    @property
    def desired_size(self) -> float | None:
        """How much more the queue wants, in the strategy's units: not above 0 when it is full, None when errored.

        0 when the stream is closed. Streams Standard, 4.6.3.
        """
        run = self._jobs.run
        return self._get_desired_size() if run is None else run.desired_size(self)

    @overload
    def enqueue(self: ReadableStreamDefaultController[None]) -> None: ...
    @overload
    def enqueue(self, chunk: T) -> None: ...
    def enqueue(self, chunk: Any = None) -> None:
        """Put a chunk into the queue, or give it to the read that waits for it.

        Raises `TypeError` when the stream is closed, errored or about to close; what the strategy's ``size()``
        raises; and `ValueError` when it returns no finite, non-negative number (these two error the stream).
        """
        jobs = self._jobs
        run = jobs.run
        if run is not None:
            if run.expecting is self and not run.pending and get_ident() == run.thread:
                run.expecting = None  # take(), without the call
                run.current.output.append(chunk)
                return
            if run.take_more(self, chunk) or run.take(self, chunk):
                return
        if not (ASKS_LOOP and get_running_loop() is jobs.loop) and get_ident() != jobs.thread_probe._thread_id:
            jobs.require_loop()
        if run is not None:
            chunk = run.intercept(self, chunk)
        queue = self._queue
        if queue.total >= queue.brimful:
            queue.chunks.append(chunk)  # _put(), without the call: nothing but this is done
            queue.total += 1
            return
        if self._close_requested or self._stream._state != "readable":
            raise TypeError(f"cannot enqueue: {self._why_not()}")
        self._put(chunk)

    def close(self) -> None:
        """Close the stream after the chunks that are in the queue.

        Raises `TypeError` when it is closed, errored or about to close already.
        """
        self._jobs.require_running()
        self._require_open("close")
        self._close()

    def error(self, error: object = None) -> None:
        """Error the stream now: the chunks in the queue are dropped, every read fails with `error`, any object."""
        self._jobs.require_running()
        self._note_told(error)
        self._error(error)

    def _enqueue_all(self, chunks: list[Any]) -> None:
        """Do what `enqueue` does, for one chunk or more; for transforms of ours that make many at once."""
        self.enqueue(chunks[0])
        run = self._jobs.run
        first = 1 if run is None else 1 + run.take_many(self, chunks[1:])
        queue = self._queue
        for index in range(first, len(chunks)):
            if queue.total >= queue.brimful and self._jobs.run is None:
                queue.chunks.extend(chunks[index:])  # enqueue(), without the calls: nothing but this is done
                queue.total += len(chunks) - index
                return
            self.enqueue(chunks[index])

    # What the stream and its reader call.

    def _cancel_steps(self, reason: object) -> Promise[Any] | None:
        """[[CancelSteps]]"""
        self._queue.reset_queue()
        return self._run_cancel_algorithm(reason)

    def _pull_steps(self, read_request: ReadRequest) -> None:
        """[[PullSteps]]"""
        queue = self._queue
        if queue.chunks:
            if queue.sizes is None:
                queue.total -= 1  # dequeue_value(), without the call
                chunk = queue.chunks.popleft()
            else:
                chunk = queue.dequeue_value()
            if self._can_pull:
                self._call_pull_if_needed()
            elif self._close_requested and not queue.chunks:
                self._clear_algorithms()
                self._stream._close()
            read_request.chunk_steps(chunk)
        else:
            reader = self._stream._reader
            assert reader is not None
            reader._read_requests.append(read_request)
            if self._pulling and self._can_pull:
                self._pull_again = True  # _call_pull_if_needed(), without the call
            else:
                self._call_pull_if_needed()

    def _release_steps(self) -> None:
        """[[ReleaseSteps]]"""

    def _queue_to_read(self) -> QueueWithSizes:
        return self._queue

    def _has_queued(self) -> bool:
        return bool(self._queue.chunks)

    def _withdraw_read(self, read_request: ReadRequest) -> None:
        reader = self._stream._reader
        if reader is not None:
            reader._read_requests.remove(read_request)

    def _unread(self, chunk: Any, serial: int) -> None:
        stream = self._stream
        if stream._reader is not None and stream._reader._read_requests:
            fulfill_read_request(stream, chunk, False)
        else:
            self._queue.put_back(chunk, serial)

    # Abstract operations (4.9.4).

    def _clear_algorithms(self) -> None:
        """ReadableStreamDefaultControllerClearAlgorithms"""
        super()._clear_algorithms()
        self._strategy_size_algorithm = None

    def _close(self) -> None:
        """ReadableStreamDefaultControllerClose"""
        if not self._can_close_or_enqueue():
            return
        self._close_requested = True
        self._queue.put_by_steps()
        self._can_pull = False
        if not self._queue.chunks:
            self._clear_algorithms()
            self._stream._close()

    def _enqueue(self, chunk: Any) -> None:
        """ReadableStreamDefaultControllerEnqueue"""
        if self._can_close_or_enqueue():
            self._put(chunk)

    def _put(self, chunk: Any) -> None:
        """Give a chunk to the read that waits for it, or put it into the queue."""
        if self._meter is not None:
            self._meter.chunk_is_put(chunk)
        reader = self._stream._reader
        queue = self._queue
        if reader is not None and reader._read_requests:
            reader._read_requests.popleft().chunk_steps(chunk)
        elif queue.sizes is None:
            queue.chunks.append(chunk)
            queue.total += 1
            if queue.total >= self._strategy_hwm:
                return  # and no read waits: pull() is not called
        else:
            self._enqueue_with_size(chunk)
        if self._pulling and self._can_pull and queue.total < self._strategy_hwm:
            self._pull_again = True  # _call_pull_if_needed(), without the call
        else:
            self._call_pull_if_needed()

    def _enqueue_with_size(self, chunk: Any) -> None:
        try:
            assert self._strategy_size_algorithm is not None
            size = call(self._strategy_size_algorithm, chunk)
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

    def _has_backpressure(self) -> bool:
        """ReadableStreamDefaultControllerHasBackpressure

        # Python: asked only by transform streams, whose sources all have a pull algorithm.
        """
        return not self._should_call_pull()

    def _show_total(self) -> str:
        queue = self._queue
        return show_queue(queue.total, self._strategy_hwm, chunks=0 if queue.sizes is None else len(queue.chunks))


subscriptable(ReadableStreamDefaultController)
