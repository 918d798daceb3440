"""Sections 4.3 and 4.4: what both readers share, and ReadableStreamDefaultReader.

Objects made for each chunk that a reader delivers: the promise (which is its own read request) and the result.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Generator
from types import TracebackType
from typing import Any, ClassVar, Final, Generic, Self

from typing_extensions import TypeVar

from ..._engine.alone import ALONE, getrefcount, getweakrefcount
from ..._engine.jobs import ASKS_LOOP, Job, get_ident, get_running_loop
from ..._engine.promise import Promise, promise_rejected_with
from ..._engine.promise_state import FULFILLED, PENDING, REJECTED
from ..._engine.run import HALFWAY, HAS_COME, IN_VAIN, IS_READ
from ..._platform.errors import AbortError, cancelled_error
from ..._platform.mypyc import mypyc_attr, subscriptable
from ..holder import show_holder
from ..meter import LOCKS
from ..results import READ_DONE, ReadDoneResult, ReadValueResult
from .state import GenericReaderState, ReadableStreamState, ReadRequest

T = TypeVar("T", default=Any, covariant=True)
R = TypeVar("R", default=Any, covariant=True)

# `Final`, so that compiled code need not look them up.
_new: Final = tuple.__new__
_RESULT: Final = ReadValueResult


class ReadWithdrawn(AbortError):
    """The reason of a read that was withdrawn."""


@mypyc_attr(free_list_len=1)
class ReadPromise(Promise[R], ReadRequest):
    """The promise of one ``read()``, which is its own read request.

    It keeps its last reaction after it is fulfilled: when the only thing that waits for the result is a task, and the
    task is cancelled before it runs, the chunk goes back into the stream.
    """

    __slots__ = ("_serial", "_stream")

    # Makes asyncio take it for a future, which it may cancel: asyncio.wait_for() and gather() withdraw the read then.
    _asyncio_future_blocking = False

    def __init__(self, stream: ReadableStreamState[Any]) -> None:
        # What Promise.__init__ does, without the call: this is made for every chunk.
        self._jobs = stream._jobs
        self._state = PENDING
        self._value = None
        self._reactions = None
        self._handled = False
        # Ours, shared with the iterator: the order in which chunks were handed out, if somebody waited for this one.
        self._stream = stream
        self._serial = 0

    def _origin(self) -> tuple[object, ...]:
        return "read() from", self._stream

    def __await__(self) -> Generator[Any, None, R]:
        """Wait for the result; a chunk that is there already while nothing else is to be done comes at once."""
        jobs = self._jobs
        run = jobs.run
        if run is not None:
            outcome = run.awaits(self)
            if outcome == HAS_COME:
                # What was seen before stays the same object.
                came: Any = self._value if self._state == FULFILLED else _new(_RESULT, (run.chunk, False))
                run.chunk = None
                if ALONE and getrefcount(self) == ALONE and not getweakrefcount(self):
                    self._state = PENDING  # begin_anew(), without the call
                    self._value = None
                    run.spare = self
                else:
                    self._state = FULFILLED
                    self._value = came
                return came  # type: ignore[no-any-return]
            if outcome == HALFWAY:
                return (yield from self._wait_for_mark())
        if self._state == FULFILLED and not jobs.jobs and not jobs.busy and jobs.countdown > 0:
            jobs.countdown -= 1  # run_pending(), without the call
        elif self._state != PENDING or self._reactions is not None or jobs.busy:
            return (yield from super().__await__())
        else:
            # What Promise.__await__() does, without the call.
            if not (ASKS_LOOP and get_running_loop() is jobs.loop) and get_ident() != jobs.thread_probe._thread_id:
                jobs.require_loop()
            self._reactions = jobs.mark
            try:
                has_come = self._stream._controller._answers_at_once() or jobs.run_until(jobs.mark)
            except BaseException:
                self._replace_mark()
                raise
            if not has_come:
                yield self._replace_mark()
            if self._state != FULFILLED:
                return self.result()
        result: R = self._value
        self._reactions = None  # result(), without the call
        if ALONE and not self._handled and getrefcount(self) == ALONE and not getweakrefcount(self):
            reader = self._stream._reader
            if reader is not None:
                self._state = PENDING  # begin_anew(), without the call
                self._value = None
                self._serial = 0
                reader._spare = self
        return result

    def chunk_steps(self, chunk: Any) -> None:
        """A chunk is there."""
        # _settle_with(), without its calls.
        self._state = FULFILLED
        self._value = _new(_RESULT, (chunk, False))
        reactions = self._reactions
        if reactions is not None:
            stream = self._stream
            stream._deliveries += 1
            self._serial = stream._deliveries
            if type(reactions) is list:
                self._queue_reactions(reactions)
                return
            jobs = self._jobs
            jobs.jobs.append(reactions)
            if not jobs.scheduled:
                jobs.schedule()

    def close_steps(self, chunk: Any = None) -> None:
        """The stream is closed."""
        self._settle_with(READ_DONE if chunk is None else ReadDoneResult(chunk, True))

    def error_steps(self, error: object) -> None:
        """The stream is errored, or its reader was released."""
        self._reject(error)

    # What the fast path does with it (`_fastpath.ends`).

    def answer(self, chunk: Any) -> None:
        """The chunk has come within ``read()``."""
        self.finish(chunk)

    def finish(self, chunk: Any) -> None:
        """The task that awaits it gets the chunk now."""
        self._state = FULFILLED
        self._value = _new(_RESULT, (chunk, False))

    def begin_anew(self) -> None:
        """Be the promise of the next read, too: nobody has seen it."""
        self._state = PENDING
        self._value = self._reactions = None

    def take_place(self, chunk: Any, is_answered: bool, is_settled: bool, is_reading: bool) -> None:
        """Be what the plain path would have made of it."""
        if is_settled:
            self.finish(chunk)

    def wait_for_mark(self) -> None:
        """Be awaited by the one task for which a mark is in the queue of jobs (`Promise.__await__`)."""
        if self._state == PENDING:
            self._reactions = self._jobs.mark
        else:
            self._count_delivery(self._jobs.mark)

    def delivery(self) -> Job:
        """Return the job that settles it, if it is settled later."""
        raise NotImplementedError

    def has_been_read(self) -> None:
        """The rest of the steps of ``read()``."""

    def replace_mark(self) -> None:
        """Let the task wait that an error has kept from going on."""
        self._replace_mark()

    def _settle_with(self, result: Any) -> None:
        reactions = self._reactions
        self._fulfill(result)
        if reactions is not None:
            self._count_delivery(reactions)

    def _count_delivery(self, reactions: Any) -> None:
        self._reactions = reactions
        stream = self._stream
        stream._deliveries += 1
        self._serial = stream._deliveries

    def _add_reaction(self, reaction: Job) -> None:
        super()._add_reaction(reaction)
        if self._state != FULFILLED:
            return
        if self._serial == 0:  # nobody waited before: it is the first to look at the result
            self._count_delivery(reaction)
        else:
            self._reactions = None  # somebody else looks at it, too

    def _drop_waiter(self, waiter: Job) -> bool:
        """Withdraw the read when its only task was cancelled: no chunk is lost."""
        # Python: in JavaScript nothing takes a read back. Here the task that awaits it can be cancelled, and a chunk
        # would be lost: the read leaves the read requests, or its chunk goes back to the front of the queue.
        super()._drop_waiter(waiter)
        if self._state == PENDING:
            if self._reactions is None:
                self._withdraw()
        elif self._reactions is waiter:
            is_chunk, chunk = self._taken_back()
            if is_chunk:
                self._become_withdrawn()
                self._stream._unread(chunk, self._serial)
        return True

    def cancel(self, msg: object = None) -> bool:
        """Withdraw the read, unless it is answered: what asyncio does with a future that it waits for itself."""
        self._jobs.leave_run()
        if self._state != PENDING:
            return False
        reactions = self._reactions
        self._withdraw()
        if reactions is not None:
            self._queue_reactions(reactions)
        return True

    def cancelled(self) -> bool:
        """Whether the read was withdrawn."""
        return self._state == REJECTED and isinstance(self._value, ReadWithdrawn)

    def result(self) -> R:
        """Return the result of the read, or raise the error; `asyncio.CancelledError` if it was withdrawn."""
        if self.cancelled():
            raise self._make_cancelled_error()
        return super().result()

    def exception(self) -> BaseException | None:
        """Return the exception that `result` would raise, or None; `asyncio.CancelledError` is raised."""
        if self.cancelled():
            raise self._make_cancelled_error()
        return super().exception()

    def _make_cancelled_error(self) -> BaseException:
        """Called by asyncio, too."""
        return cancelled_error(str(self._value))

    def _withdraw(self) -> None:
        """Give up a read that has not been answered."""
        self._stream._controller._withdraw_read(self)
        self._become_withdrawn()

    def _taken_back(self) -> tuple[bool, Any]:
        """Whether the result is a chunk, and the chunk. The last bytes, fewer than asked for, come with the end."""
        chunk, done = self._value
        return not done or bool(chunk), chunk

    def _become_withdrawn(self) -> None:
        self._reactions = None
        self._handled = True
        self._state = REJECTED
        self._value = ReadWithdrawn("this read was withdrawn because what awaited it was cancelled")


class HalfwayRead:
    """A read that is awaited already, by the mark in the queue of jobs."""

    __slots__ = ("_promise",)

    def __init__(self, promise: ReadPromise[Any]) -> None:
        self._promise = promise

    def __await__(self) -> Generator[Any, None, Any]:
        """Go on waiting."""
        return self._promise._wait_for_mark()


@mypyc_attr(allow_interpreted_subclasses=True)
class ReadableStreamGenericReader(GenericReaderState):
    """What both readers have (4.3)."""

    __slots__ = ()

    def _generic_initialize(self, stream: ReadableStreamState[Any]) -> None:
        """ReadableStreamReaderGenericInitialize"""
        self._jobs = stream._jobs
        self._stream = stream
        self._closed_promise = None
        self._read_requests = deque()
        self._holder = None
        self._consumer = None
        self._spare = None
        stream._reader = self
        if LOCKS.tell is not None:
            LOCKS.tell(stream)

    @property
    def closed(self) -> Promise[None]:
        """Fulfilled when the stream closes; rejected when it is errored, or when the lock is released before that."""
        if self._closed_promise is None:
            self._jobs.require_running()
            self._closed_promise = self._make_closed_promise()
        return self._closed_promise

    def _make_closed_promise(self) -> Promise[None]:
        promise: Promise[None] = Promise(self._jobs)
        promise._mark_handled()
        stream = self._stream
        if stream is None:
            promise._reject(_released("`closed` no longer follows the stream"))
        elif stream._state == "closed":
            promise._fulfill(None)
        elif stream._state == "errored":
            promise._reject(stream._stored_error)
        return promise

    def cancel(self, reason: object = None) -> Promise[None]:
        """Say that nobody wants the rest: drop what is queued and call the source's ``cancel(reason)``.

        The promise is settled as that call is. It is rejected with `TypeError` when the lock was released, and with the
        stored error when the stream is errored. `reason` can be any object. Streams Standard, 4.3.3.
        """
        self._jobs.require_running()
        if self._stream is None:
            return promise_rejected_with(self._jobs, _released("cannot cancel the stream"), "cancel() of", self)
        return self._generic_cancel(reason)

    def _generic_cancel(self, reason: object) -> Promise[None]:
        """ReadableStreamReaderGenericCancel"""
        assert self._stream is not None
        return self._stream._cancel(reason)

    def _generic_release(self) -> None:
        """ReadableStreamReaderGenericRelease"""
        stream = self._stream
        assert stream is not None
        closed = self._closed_promise
        if closed is not None and not closed.done():
            closed._mark_handled()
            closed._reject(_released("`closed` no longer follows the stream"))
        else:
            self._closed_promise = None
        stream._controller._release_steps()
        stream._reader = None
        self._stream = None
        self._holder = None
        self._consumer = None
        self._spare = None

    def _is_at_end(self) -> bool:
        """Ours: whether the stream is closed and nothing is left of it: the next read would say so at once."""
        stream = self._stream
        return stream is not None and stream._state == "closed" and not stream._returned

    def _release(self) -> None:
        """ReadableStreamDefaultReaderRelease, ReadableStreamBYOBReaderRelease"""
        self._generic_release()
        if self._read_requests:
            self._error_read_requests(_released("the read was not answered"))

    def release_lock(self) -> None:
        """Release the lock, so that another reader can be acquired; pending reads are rejected with `TypeError`, and no
        chunk is lost.

        Does nothing when the lock was released before. Streams Standard, 4.4.3 and 4.5.3.
        """
        self._jobs.require_running()
        if self._stream is not None:
            self._release()

    def __enter__(self) -> Self:
        """Return the reader itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Release the lock."""
        self.release_lock()


@mypyc_attr(allow_interpreted_subclasses=True)
class ReadableStreamDefaultReader(ReadableStreamGenericReader, Generic[T]):
    """Takes chunks from a stream, which is locked to it. Streams Standard, 4.4.

    ``with stream.get_reader() as reader:`` releases the lock at the end. Constructing one raises `TypeError` for
    anything other than an unlocked `ReadableStream`.

    >>> import asyncio
    >>> from webstreams import ReadableStream
    >>> async def main() -> None:
    ...     with ReadableStream.from_([1]).get_reader() as reader:
    ...         print(await reader.read())
    ...         print(await reader.read())
    >>> asyncio.run(main())
    ReadValueResult(value=1, done=False)
    ReadDoneResult(value=None, done=True)
    """

    __slots__ = ("__weakref__", "_queue")
    _constant: ClassVar[tuple[str, ...]] = ("_queue",)

    def __init__(self, stream: ReadableStreamState[T]) -> None:
        """SetUpReadableStreamDefaultReader"""
        require_unlocked(stream, "ReadableStreamDefaultReader")
        self._generic_initialize(stream)
        # Ours, shared with the iterator and the fast path: the queue of the stream, if its chunks are taken here.
        self._queue = stream._controller._queue_to_read()

    def read(self) -> Promise[ReadValueResult[T] | ReadDoneResult[None]]:
        """Take the next chunk: the result has `.value` and `.done`, and unpacks as ``value, done = await
        reader.read()``.

        Rejected with `TypeError` when the lock was released, and with the stored error when the stream is errored.
        Cancelling the only task that awaits the promise withdraws the read: the next one gets the chunk. Streams
        Standard, 4.4.3.
        """
        jobs = self._jobs
        if not (ASKS_LOOP and get_running_loop() is jobs.loop) and get_ident() != jobs.thread_probe._thread_id:
            jobs.require_loop()
        stream = self._stream
        if stream is None:
            return promise_rejected_with(jobs, _released("cannot read from the stream"), "read() of", self)
        run = jobs.run
        spare: ReadPromise[Any] | None  # of a known type, so that compiled code need not look up what it has
        if run is None:
            spare = self._spare
            if spare is None:
                promise: ReadPromise[Any] = ReadPromise(stream)
            else:
                promise = spare
                self._spare = None
            jobs.reads_left -= 1
            if jobs.reads_left <= 0 and jobs.takes_read(self, promise):
                return promise
        else:
            spare = run.spare  # of this run's reader, which need not be this one
            if spare is None or spare._stream is not stream:
                promise = ReadPromise(stream)
            else:
                promise = spare
                run.spare = None
            if run.reads(self, promise):
                return promise
        queue = self._queue
        if queue.total >= queue.plenty:
            # _pull_steps() and chunk_steps(), without the calls: nothing but this is done.
            queue.total -= 1
            stream._disturbed = True
            promise._state = FULFILLED
            promise._value = _new(_RESULT, (queue.chunks.popleft(), False))
        elif stream._state == "readable":
            stream._disturbed = True
            stream._controller._pull_steps(promise)
        else:
            self._read(promise)
        return promise

    def _collect(
        self, take: Callable[[Any], object], take_all: Callable[[list[Any]], object] | None
    ) -> Awaitable[Any] | None:
        """Ours: have chunks taken that come at once; give the read that is under way then, if there is one."""
        run = self._jobs.run
        if self._stream is None:
            return None
        if run is None:
            self._take_queued(self._stream, take, take_all)
            self._stream._controller._collect_steps(take)
            return None
        promise: ReadPromise[Any] = ReadPromise(self._stream)
        outcome = run.collect(self, promise, take)
        if outcome == IN_VAIN:
            return None
        return promise if outcome == IS_READ else HalfwayRead(promise)

    def _take_queued(
        self,
        stream: ReadableStreamState[Any],
        take: Callable[[Any], object],
        take_all: Callable[[list[Any]], object] | None,
    ) -> None:
        """Take the chunks whose reads would be answered at once and do nothing else, without promises for them."""
        jobs, queue = self._jobs, self._queue
        if queue.total < queue.plenty or jobs.jobs or jobs.busy or not jobs.takes_many() or jobs.is_late():
            return
        stream._disturbed = True
        count = min(jobs.countdown, int(queue.total - queue.plenty) + 1)
        jobs.countdown -= count
        jobs.reads_left = max(1, jobs.reads_left - count)
        chunks = queue.chunks
        if take_all is not None:
            queue.total -= count
            take_all([chunks.popleft() for _ in range(count)])
            return
        for _ in range(count):
            queue.total -= 1
            take(chunks.popleft())

    def _read(self, read_request: ReadRequest) -> None:
        """ReadableStreamDefaultReaderRead"""
        stream = self._stream
        assert stream is not None
        stream._disturbed = True
        if stream._state == "readable":
            stream._controller._pull_steps(read_request)
        elif stream._take_returned(read_request):
            pass
        elif stream._state == "closed":
            read_request.close_steps()
        else:
            read_request.error_steps(stream._stored_error)


subscriptable(ReadableStreamDefaultReader)


def require_unlocked(stream: Any, reader: str) -> None:
    """Raise TypeError unless a reader can be constructed for `stream`."""
    if not isinstance(stream, ReadableStreamState):
        raise TypeError(f"a {reader} needs a ReadableStream, not {type(stream).__name__}")
    stream._jobs.require_running()
    if stream._reader is not None:
        raise TypeError(f"cannot get a {reader}: the stream is locked to {show_holder(stream._reader)}")


def _released(consequence: str) -> TypeError:
    return TypeError(f"the reader was released: {consequence}")
