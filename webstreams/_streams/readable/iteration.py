"""The state of an iteration, and the promises that it gives (4.2.5, with Web IDL's asynchronous iterators)."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Final

from typing_extensions import TypeVar

from ..._debug.repr import Marker
from ..._engine.alone import ALONE, getrefcount, getweakrefcount
from ..._engine.jobs import ASKS_LOOP, Job, get_ident, get_running_loop, task_of
from ..._engine.promise import END_OF_ITERATION, CallPromise, Promise, ThenReaction, promise_resolved_with
from ..._engine.promise_state import FULFILLED, PENDING, REJECTED
from ..._engine.run import HALFWAY, HAS_COME, IN_VAIN, IS_READ, Run
from ..holder import ITERATION
from .leaving import ENDS, leave_with
from .reader import HalfwayRead, ReadableStreamDefaultReader, ReadPromise
from .state import ReadableStreamState

T = TypeVar("T", default=Any, covariant=True)

# An outcome of an iteration's promise, besides FULFILLED with a chunk and REJECTED.
ENDED: Final = 3

# What `Iteration.take` returns when no chunk is there at once.
NOT_YET: Final = Marker("no chunk")


class Iteration:
    """The state of one iteration. It does not know its iterator, which may be collected while a read is pending."""

    __slots__ = ("finished", "how", "jobs", "ongoing", "prevent_cancel", "queue", "reader", "spare", "under_way")

    def __init__(self, reader: ReadableStreamDefaultReader[Any], prevent_cancel: bool) -> None:
        self.jobs = reader._jobs
        self.reader = reader
        self.queue = reader._queue
        reader._holder = ITERATION
        self.prevent_cancel = prevent_cancel
        # Web IDL: "is finished" and "ongoing promise".
        self.finished = False
        self.ongoing: Promise[Any] | None = None
        # Ours: how the stream is cancelled (`leave_with`).
        self.how = 0
        # Ours: the promise of the last read, if nobody can look at it any more.
        self.spare: IterationPromise[Any] | None = None
        # Ours: a read that a loop has begun and not awaited yet (`take`).
        self.under_way: Awaitable[Any] | None = None

    def is_waiting(self) -> bool:
        """Whether a read is pending that no chunk has answered yet."""
        return self.reader._stream is not None and bool(self.reader._read_requests)

    def next(self) -> Promise[Any]:
        """Web IDL: ``next()``, by way of the run that is under way."""
        jobs = self.jobs
        if not (ASKS_LOOP and get_running_loop() is jobs.loop) and get_ident() != jobs.thread_probe._thread_id:
            jobs.require_loop()
        run = jobs.run
        queue = self.queue
        spare = self.spare
        if run is not None:
            stream = self.reader._stream
            if spare is not None:  # then no read is under way, and the lock is not free
                self.spare = None
                if run.reads(self, spare):
                    return spare
            elif stream is None or self.ongoing is not None:
                run.leave()
            else:
                promise: IterationPromise[Any] = IterationPromise(self, stream)
                if run.reads(self, promise):
                    return promise
        if queue.total < queue.plenty or run is not None or (spare is None and self.has_to_wait()):
            if self.ongoing is not None:
                return self.after_ongoing(self.next_steps)
            self.ongoing = self.next_steps(None)
            return self.ongoing
        # next_steps(), _pull_steps() and chunk_steps(), without the calls: nothing but this is done.
        if spare is None:
            source = self.reader._stream
            assert source is not None
            source._disturbed = True
            read: IterationPromise[Any] = IterationPromise(self, source)
        else:
            self.spare = None
            read = spare
        queue.total -= 1
        if jobs.reads_left > 1:
            jobs.reads_left -= 1  # it counts: the next read that waits may begin a run
        read.is_reading = True
        read.outcome = FULFILLED
        read._value = queue.chunks.popleft()
        self.ongoing = read
        read._delivery = delivery = read._deliver
        jobs.jobs.append(delivery)  # queue_delivery(), without the call
        if not jobs.scheduled:
            jobs.schedule()
        return read

    def has_to_wait(self) -> bool:
        """Whether a read is under way, or there is no stream to read from any more."""
        return self.ongoing is not None or self.reader._stream is None

    # A loop, which awaits every read at once.

    def take(self) -> Any:
        """Do what a read and its await do if they bring a chunk at once, and return that; `NOT_YET` if they do not.

        What has begun is in `under_way` then. An earlier read that is still under way has emptied the queue, or has a
        job in that of the loop.
        """
        jobs = self.jobs
        if not (ASKS_LOOP and get_running_loop() is jobs.loop) and get_ident() != jobs.thread_probe._thread_id:
            jobs.require_loop()
        stream = self.reader._stream
        if stream is None:
            return NOT_YET
        if jobs.run is not None:
            return self._take_from(jobs.run, stream)
        queue = self.queue
        if (
            queue.total < queue.plenty
            or jobs.countdown <= 0
            or jobs.jobs
            or jobs.busy
            or task_of(jobs.loop) is not jobs._top
        ):
            return NOT_YET
        # next() and IterationPromise.__await__(), without the promise: its delivery is the only job.
        if not jobs.scheduled:
            jobs.schedule()
        jobs.countdown -= 1
        queue.total -= 1
        if jobs.reads_left > 1:
            jobs.reads_left -= 1
        stream._disturbed = True
        self.how = 0
        return queue.chunks.popleft()

    def _take_from(self, run: Run, stream: ReadableStreamState[Any]) -> Any:
        promise = self.spare
        if promise is None:
            promise = IterationPromise(self, stream)
        self.spare = None
        outcome = run.iterates(self, promise)
        if outcome == HAS_COME:
            self.spare = promise  # nobody else has ever had it
            chunk, run.chunk = run.chunk, None
            return chunk
        if outcome != IN_VAIN:
            self.under_way = promise if outcome == IS_READ else HalfwayRead(promise)
        return NOT_YET

    def begin(self) -> Awaitable[Any]:
        """Return what is to be awaited when nothing could be taken."""
        under_way, self.under_way = self.under_way, None
        return self.next() if under_way is None else under_way

    # Each step by itself.

    def after_ongoing(self, steps: Callable[[Any], Promise[Any]]) -> Promise[Any]:
        """Run steps now, or after the ongoing promise is settled; what they return becomes the ongoing promise."""
        ongoing = self.ongoing
        if ongoing is None:
            promise: Promise[Any] = steps(None)
        else:
            promise = CallPromise(self.jobs, *self.name_call("__anext__()"))
            ongoing._handled_by(ThenReaction(ongoing, steps, steps, promise))
        self.ongoing = promise
        return promise

    def next_steps(self, _: Any) -> Promise[Any]:
        """Web IDL: the steps of ``next()``, with the Standard's "get the next iteration result"."""
        stream = self.reader._stream
        if self.finished or stream is None:
            self.finished = True
            ended: Promise[Any] = Promise(self.jobs)
            ended._fulfill(END_OF_ITERATION)
            return ended
        spare = self.spare
        if spare is None:
            promise: IterationPromise[Any] = IterationPromise(self, stream)
        else:
            promise = spare
            self.spare = None
        jobs = self.jobs
        jobs.reads_left -= 1
        if jobs.reads_left <= 0 and jobs.takes_read(self, promise):
            return promise
        if stream._state == "readable":
            stream._disturbed = True
            stream._controller._pull_steps(promise)
        else:
            self.reader._read(promise)
        # The steps of the read have run: what they queued comes before the outcome, if that is known already.
        promise.is_reading = True
        if promise.outcome != PENDING:
            promise._delivery = delivery = promise._deliver
            jobs.jobs.append(delivery)  # queue_delivery(), without the call
            if not jobs.scheduled:
                jobs.schedule()
        return promise

    def return_steps(self, _: Any) -> Promise[Any]:
        """Web IDL: the steps of ``return()``."""
        if self.finished or self.reader._stream is None:
            self.finished = True
            return promise_resolved_with(self.jobs)
        self.finished = True
        return self.leave()

    def leave(self) -> Promise[Any]:
        """Streams Standard: "asynchronous iterator return". A pending read ends first."""
        self.finished = True
        reader = self.reader
        if self.prevent_cancel:
            requests, reader._read_requests = reader._read_requests, deque()
            for request in requests:
                request.close_steps()
            result: Promise[Any] = promise_resolved_with(self.jobs)
        else:
            result = leave_with(self.jobs, self.how, reader._generic_cancel, None)
        self.release()
        return result

    def release(self) -> None:
        """Free the lock, unless it is free."""
        self.spare = None
        if self.reader._stream is not None:
            self.reader._release()

    def name_call(self, call: str) -> tuple[object, ...]:
        """Tell whose call it is (`CallPromise`)."""
        stream = self.reader._stream
        return (f"{call} of an ended iteration",) if stream is None else (f"{call} of an iteration over", stream)


class IterationPromise(ReadPromise[T]):
    """The promise of one ``__anext__()``: fulfilled with the chunk itself, or with the end of the iteration.

    # Python: Web IDL makes two promises, one that reacts to the other. This one is settled a job later instead.
    """

    __slots__ = ("_delivery", "_iteration", "is_reading", "outcome")

    def __init__(self, iteration: Iteration, stream: ReadableStreamState[Any]) -> None:
        # What ReadPromise.__init__ does, without the call: this is made for every chunk.
        self._jobs = stream._jobs
        self._state = PENDING
        self._value = None
        self._reactions = None
        self._handled = False
        self._stream = stream
        self._serial = 0
        # Ours.
        self._iteration = iteration
        iteration.how = 0
        # How it will be settled, once that is known.
        self.outcome = PENDING
        self.is_reading = False
        # What delivers the outcome, while it is queued.
        self._delivery: Job | None = None

    def _origin(self) -> tuple[object, ...]:
        return "__anext__() of an iteration over", self._stream

    def chunk_steps(self, chunk: Any) -> None:
        """A chunk is there."""
        self.outcome = FULFILLED
        self._value = chunk
        if self.is_reading:
            self.queue_delivery()

    def close_steps(self, chunk: Any = None) -> None:
        """The stream is closed: the iteration ends and the lock is free."""
        self._iteration.release()
        self._settle_a_job_later(ENDED, END_OF_ITERATION)

    def error_steps(self, error: object) -> None:
        """The stream is errored: the iteration ends and the lock is free."""
        self._iteration.release()
        self._settle_a_job_later(REJECTED, error)

    def _settle_a_job_later(self, outcome: int, value: Any) -> None:
        self.outcome = outcome
        self._value = value
        if self.is_reading:
            self.queue_delivery()

    def queue_delivery(self) -> None:
        """Have the outcome delivered a job later."""
        jobs = self._jobs
        self._delivery = delivery = self._deliver
        jobs.jobs.append(delivery)  # push(), without the call
        if not jobs.scheduled:
            jobs.schedule()

    def _deliver(self) -> None:
        self._iteration.ongoing = self._delivery = None
        if self._state != PENDING:
            return  # withdrawn meanwhile
        if self.outcome == REJECTED:
            self._reject(self._value)
        elif self._reactions is None:
            self._state = FULFILLED
        else:
            self._settle_with(self._value)

    def __await__(self) -> Generator[Any, None, T]:
        """Wait for the chunk.

        # Python: the outcome may be the last job of all. Then nothing comes between its delivery and this task but what
        # the jobs before it queue, so that no reaction is needed to find the right moment.
        """
        jobs = self._jobs
        run, queued = jobs.run, jobs.jobs
        if run is not None:
            outcome = run.awaits(self)
            if outcome == HAS_COME:
                came: T = run.chunk
                run.chunk = None
                if ALONE and getrefcount(self) == ALONE and not getweakrefcount(self):
                    self.outcome = PENDING  # it may have been answered
                    self._value = None
                    self._iteration.spare = self
                else:
                    self.finish(came)
                return came
            if outcome == HALFWAY:
                return (yield from self._wait_for_mark())
        elif queued and queued[-1] is self._delivery and self._state == PENDING and self._reactions is None:
            if (
                self.outcome == FULFILLED
                and len(queued) == 1
                and not jobs.busy
                and (jobs.countdown > 0 or not jobs.is_late())
                and task_of(jobs.loop) is jobs._top
            ):
                queued.clear()
                jobs.countdown -= 1  # run_until() and _deliver(), without the calls
                iteration = self._iteration
                iteration.ongoing = self._delivery = None
                item: T = self._value
                if ALONE and getrefcount(self) == ALONE and not getweakrefcount(self):
                    self.outcome = PENDING
                    self._value = None
                    self.is_reading = False
                    iteration.spare = self
                else:
                    self._state = FULFILLED
                return item
            if jobs.run_until(queued[-1]):
                self._deliver()
                if not queued and self._state == FULFILLED and self.outcome == FULFILLED:
                    value: T = self._value
                    return value
        return (yield from Promise.__await__(self))

    # What the fast path does with it (`_fastpath.ends`).

    def answer(self, chunk: Any) -> None:
        """See `ReadPromise`."""
        self.outcome = FULFILLED
        self._value = chunk

    def finish(self, chunk: Any) -> None:
        """See `ReadPromise`."""
        self.outcome = self._state = FULFILLED
        self._value = chunk
        self._iteration.ongoing = None

    def begin_anew(self) -> None:
        """See `ReadPromise`."""
        super().begin_anew()
        self.outcome = PENDING

    def take_place(self, chunk: Any, is_answered: bool, is_settled: bool, is_reading: bool) -> None:
        """See `ReadPromise`."""
        self.is_reading = is_reading
        if is_settled:
            self.finish(chunk)
            return
        self._iteration.ongoing = self
        if is_answered:
            self.answer(chunk)

    def delivery(self) -> Job:
        """See `ReadPromise`."""
        self._delivery = delivery = self._deliver
        return delivery

    def has_been_read(self) -> None:
        """See `ReadPromise`."""
        self.is_reading = True
        if self.outcome != PENDING:
            self.queue_delivery()

    def _withdraw(self) -> None:
        iteration = self._iteration
        iteration.how = ENDS  # if it is left before another read, then by the cancellation of the task
        iteration.spare = None  # the next read makes a promise
        if self.outcome == PENDING:
            iteration.ongoing = None
            super()._withdraw()
            return
        is_chunk, chunk = self.outcome == FULFILLED, self._value
        self._become_withdrawn()
        if is_chunk:
            self._stream._unread(chunk, self._stream._deliveries + 1)

    def _taken_back(self) -> tuple[bool, Any]:
        return self._value is not END_OF_ITERATION, self._value
