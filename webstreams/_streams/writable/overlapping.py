"""A sink whose writes overlap: several are under way at once, and each is settled by its own outcome.

Not in the Standard, where the next write begins when the last one is done. A broker confirms a message a round trip
later, so one write at a time would be one message a round trip. Here a write that has begun is *detached*: the stream
goes on with the next one, and the promise of the write is settled when its own work has ended, in whatever order that
is. Until then the chunk still counts in the queue, so that `desired_size` and `ready` tell the truth.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import Any, Final

from ..._engine.callbacks import call_of
from ..._engine.coroutine_call import CoroutineCall
from ..._engine.jobs import JobQueue
from ..._engine.promise import Promise, converted, promise_of_failure, promise_rejected_with, upon
from ..._engine.settling import Settled
from ..queue import QueueWithSizes
from .controller import WritableStreamDefaultController
from .sink import Sink
from .state import update_backpressure


class _Detached(Settled):
    """Stands for the request of a write that is settled elsewhere."""

    __slots__ = ()

    def _fulfill(self, value: Any) -> None:
        """The stream believes that the write is done."""

    def _reject(self, reason: object) -> None:
        """The stream believes that the write has failed."""


class _Counted(_Detached):
    """Stands for the request of a write that is still under way, and whose chunk still counts in the queue."""

    __slots__ = ("_queue",)

    def __init__(self, queue: QueueWithSizes) -> None:
        self._queue = queue

    def _fulfill(self, value: Any) -> None:
        """The stream takes the chunk out of the queue next."""
        self._queue.total += 1


_DETACHED: Final = _Detached()
# What waits is no chunk but somebody who wants to know that there is room.
NO_CHUNK: Final = object()


def detach_write(controller: WritableStreamDefaultController, stand_in: Settled = _DETACHED) -> Settled:
    """Take the request of the write that is under way: from now on the caller settles it, not the stream."""
    stream = controller._stream
    request = stream._in_flight_write_request
    assert request is not None
    stream._in_flight_write_request = stand_in
    return request


class OverlappingSink(Sink):
    """Keeps up to `limit` writes under way.

    `begin(chunk)` starts one and returns an awaitable; `finish()` is called when the stream is closed and all of them
    have ended; `stop(reason)` when it is aborted, and then all are waited for. The first one that fails ends the
    stream, but only when the others have ended, too: every write is settled by what became of it. `is_fatal(error)`
    tells of a failure whether it ends the stream; one that does not is told to its own write alone.
    """

    __slots__ = (
        "_begin",
        "_calls",
        "_controller",
        "_end_reason",
        "_failure",
        "_finish",
        "_idle",
        "_is_fatal",
        "_jobs",
        "_limit",
        "_settle_later",
        "_stand_in",
        "_stop",
        "_waiting",
        "_waiting_chunk",
        "context",
        "running",
    )

    def __init__(
        self,
        jobs: JobQueue,
        limit: int,
        begin: Callable[[Any], Any] | None,
        finish: Callable[[], Any],
        stop: Callable[[object], Any],
    ) -> None:
        self.context = copy_context()
        self._jobs = jobs
        self._limit = limit
        self._begin = begin
        self._finish = finish
        self._stop = stop
        self._is_fatal: Callable[[object], bool] | None = None
        self._settle_later: Callable[[Any, Settled], None] | None = None
        self._controller: WritableStreamDefaultController | None = None
        self._stand_in: Settled = _DETACHED
        self.running = 0
        # The failure that ends the stream, in a list: any object can be one.
        self._failure: list[object] = []
        # The write that waits until another has ended, and its chunk.
        self._waiting: Promise[None] | None = None
        self._waiting_chunk: Any = None
        # The coroutines of the writes under way; and why they are cancelled, in a list, if they are.
        self._calls: set[CoroutineCall] = set()
        self._end_reason: list[object] = []
        # Fulfilled when nothing is under way.
        self._idle: Promise[None] | None = None

    def survive(self, is_fatal: Callable[[object], bool]) -> None:
        """Have the stream go on after a failure that is not fatal."""
        self._is_fatal = is_fatal

    def has_room(self) -> bool:
        """Whether a write may begin at once."""
        return self.running < self._limit and not self._failure

    @property
    def is_idle(self) -> bool:
        """Whether no write is under way."""
        return self.running == 0

    def begin_unseen(self) -> None:
        """Count a write that the stream believes to be done: that of a pipe, which looks at none of its writes.

        `fulfilled` or `rejected` is called for it, too, with None for its request.
        """
        self.running += 1

    def wait_for_room(self) -> Promise[None]:
        """Return a promise for room for one more write; it is rejected when the stream has failed."""
        if self._failure and self.running == 0:
            return promise_rejected_with(self._jobs, self._failure[0])
        self._waiting = Promise(self._jobs)
        self._waiting_chunk = NO_CHUNK
        return self._waiting

    def settle_by_hand(self, begin: Callable[[Any, Settled], None]) -> None:
        """Have ``begin(chunk, request)`` begin each write, in the place of a function that returns an awaitable.

        It calls `fulfilled` or `rejected` when the write has ended, from a job or a callback of its own.
        """
        self._settle_later = begin

    def start(self, controller: Any) -> Any:
        """startAlgorithm"""
        self._controller = controller
        self._stand_in = _Counted(controller._queue)
        controller.signal._add_algorithm(self._give_up_waiting)
        return None

    def write(self, chunk: Any, controller: Any) -> Any:
        """Begin at once if there is room, else as soon as there is."""
        if self.has_room():
            self._begin_write(chunk)
            return None
        self._waiting = Promise(self._jobs)
        self._waiting_chunk = chunk
        return self._waiting

    def close(self) -> Any:
        """Wait for everything that is under way, then finish."""
        return self._when_idle().then(self._close_now)

    def abort(self, reason: object) -> Any:
        """Stop, and wait for everything that is under way."""
        stopped = Promise.resolve(self._stop(reason))
        return stopped.then(self._wait_until_idle)

    def end_at_once(self, reason: object) -> None:
        """Cancel what is under way."""
        self._end_reason = [reason]
        for call in list(self._calls):
            call.cancel()

    def _give_up_waiting(self) -> None:
        """The stream is aborted: what has not begun does not begin."""
        waiting, self._waiting = self._waiting, None
        self._waiting_chunk = None
        if waiting is not None and self._controller is not None:
            waiting._reject(self._controller.signal.reason)

    def _close_now(self, _: Any) -> Any:
        if self._failure:
            return promise_rejected_with(self._jobs, self._failure[0])
        return self._finish()

    def _wait_until_idle(self, _: Any) -> Any:
        return self._when_idle()

    def _when_idle(self) -> Promise[None]:
        if self._idle is None:
            self._idle = Promise(self._jobs)
            if self.running == 0:
                self._idle._fulfill(None)
        return self._idle

    # A write.

    def _begin_write(self, chunk: Any) -> None:
        controller = self._controller
        assert controller is not None
        request = detach_write(controller, self._stand_in)
        self.running += 1
        if self._settle_later is not None:
            self._settle_later(chunk, request)
            return
        assert self._begin is not None
        try:
            outcome = converted(self._jobs, self._begin(chunk), self.context)
        except BaseException as error:
            outcome = promise_of_failure(self._jobs, error)
        call = call_of(outcome)
        if call is None:
            upon(self._jobs, outcome, partial(self.fulfilled, request), partial(self.rejected, request))
            return
        self._calls.add(call)
        upon(
            self._jobs,
            outcome,
            partial(self._call_fulfilled, call, request),
            partial(self._call_rejected, call, request),
        )

    def _call_fulfilled(self, call: CoroutineCall, request: Settled, _: Any) -> None:
        self._calls.discard(call)
        self.fulfilled(request)

    def _call_rejected(self, call: CoroutineCall, request: Settled, reason: object) -> None:
        self._calls.discard(call)
        self.rejected(request, self._end_reason[0] if self._end_reason else reason)

    def fulfilled(self, request: Settled | None, _: Any = None) -> None:
        """A write has succeeded."""
        if request is not None:
            request._fulfill(None)
            self._take_from_the_queue()
        self._ended()

    def rejected(self, request: Settled | None, reason: object) -> None:
        """A write has failed."""
        if not self._failure and (self._is_fatal is None or self._is_fatal(reason)):
            self._failure.append(reason)
        if request is not None:
            request._reject(reason)
            self._take_from_the_queue()
        self._ended()

    def _ended(self) -> None:
        self.running -= 1
        waiting = self._waiting
        if self._failure:
            if self.running == 0:
                self._fail()
        elif waiting is not None:
            self._waiting = None
            chunk, self._waiting_chunk = self._waiting_chunk, None
            if chunk is not NO_CHUNK:
                self._begin_write(chunk)
            waiting._fulfill(None)
        if self.running == 0 and self._idle is not None and not self._idle.done():
            self._idle._fulfill(None)

    def _take_from_the_queue(self) -> None:
        controller = self._controller
        assert controller is not None
        stream = controller._stream
        if stream._state != "writable":
            return  # the queue was emptied
        controller._queue.total -= 1
        if stream._close_request is None and controller._queue.total < controller._strategy_hwm:
            update_backpressure(stream, False)

    def _fail(self) -> None:
        """Everything has ended: tell the stream of the first failure."""
        waiting, self._waiting = self._waiting, None
        self._waiting_chunk = None
        if waiting is not None:
            waiting._reject(self._failure[0])
        elif self._controller is not None:
            self._controller._error_if_needed(self._failure[0])
