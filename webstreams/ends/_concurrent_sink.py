"""The sink of ``to_callable()`` with several calls at a time."""

from __future__ import annotations

from typing import Any

from .._engine.door import fulfill, ignored, reject
from .._engine.jobs import JobQueue
from .._engine.promise import Promise
from .._engine.workers import Slot, Workers
from .._platform.stages import note_stage
from .._streams.door import fail_sink
from .._streams.readable.operators.calls import Calls
from .._streams.writable.controller import WritableStreamDefaultController


class ConcurrentSink:
    """The underlying sink."""

    def __init__(self, jobs: JobQueue, calls: Calls) -> None:
        self._jobs = jobs
        self._concurrency = calls.concurrency
        # What errors say that they arose in.
        self._function = calls.function
        self.workers = Workers(jobs, calls.function, calls.concurrency, self)
        self._controller: WritableStreamDefaultController | None = None
        # The promise of the write that waits until another call may begin.
        self._write: Promise[Any] | None = None
        self._ended: Promise[Any] = Promise(jobs)
        self._error: BaseException | None = None

    def start(self, controller: WritableStreamDefaultController) -> None:
        """Remember whom to tell of an error, and listen: the stream waits for the write before it calls `abort`."""
        self._controller = controller
        controller.signal.add_event_listener("abort", self._stop)

    def _stop(self, _: object = None) -> None:
        self.workers.stop(self._workers_have_ended)

    def write(self, chunk: Any, controller: WritableStreamDefaultController) -> Promise[Any] | None:
        """Begin a call; done when another one may begin."""
        self.workers.submit(chunk)
        if self.workers.outstanding < self._concurrency:
            return None
        self._write = Promise(self._jobs)
        return self._write

    def close(self) -> Promise[Any]:
        """Wait for all calls."""
        self.workers.close(self._workers_have_ended)
        return self._ended

    def abort(self, reason: object) -> Promise[Any]:
        """Cancel all calls, and wait for them."""
        self._stop()
        return self._ended

    def slot_of(self, item: Any) -> Slot:
        """A call begins."""
        return Slot(item)

    def place(self, slot: Slot) -> None:
        """Calls have no order, and are not gathered."""

    def may_gather(self) -> bool:
        """Each call is told of."""
        return False

    def items_at_once(self) -> None:
        """Every call was submitted."""

    def put_back(self, item: Any) -> None:
        """No item was taken."""

    def calls_returned(self, goes_on: bool) -> None:
        """Calls are not gathered."""

    def call_returned(self, slot: Slot, value: Any) -> None:
        """A call has ended."""
        write, self._write = self._write, None
        if write is not None:
            fulfill(write)

    def call_failed(self, slot: Slot | None, error: BaseException) -> None:
        """A call has failed: the others are cancelled, and then the stream is errored."""
        if self._error is None:
            note_stage(error, self._function, "function")
            self._error = error
            self._stop()

    def _workers_have_ended(self) -> None:
        if self._ended.done():
            return  # closed, and then aborted
        write, self._write = self._write, None
        if self._error is None:
            fulfill(self._ended)
            if write is not None:
                fulfill(write)
            return
        reject(ignored(self._ended), self._error)
        if write is not None:
            reject(write, self._error)
        assert self._controller is not None
        fail_sink(self._controller, self._error)
