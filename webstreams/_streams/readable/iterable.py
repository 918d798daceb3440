"""ReadableStreamFromIterable: a source over an iterable or an async iterable (4.9.1)."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from inspect import isasyncgen
from typing import Any, ClassVar, Final

from ..._engine.awaiting import close_when_done, fetch, wait_for_close
from ..._engine.callbacks import DEFERRED, callback_returned
from ..._engine.coroutine_call import CoroutineCall, call_coroutine
from ..._engine.delay import Delay, after
from ..._engine.fetching import Fetching
from ..._engine.jobs import Job, JobQueue
from ..._engine.promise import (
    END_OF_ITERATION,
    NEVER_AWAITABLE,
    AlgorithmPromise,
    Promise,
    ThenReaction,
    is_awaitable,
    promise_rejected_with,
    promise_resolved_with,
)
from ..._engine.pump import Pump, is_pumped
from ..._platform.buffer import is_bytes_like
from ..._platform.errors import StreamError, callback_error
from ..._platform.mistakes import cure_for_iterable, described
from ..meter import put_counted
from ..part import Part
from .source import Source

# How many jobs come before the one that puts an item into the stream, if the item is there at once. The reference
# implementation makes an asynchronous iterator of a synchronous one with ``yield*`` in an asynchronous generator.
#   asynchronous: 1. Web IDL's "get an async iterator next value" reacts to the promise of next()
#   synchronous:  1. CreateAsyncFromSyncIterator reacts to the item, to unwrap it; 2. ``yield*`` awaits the result;
#                 3. Web IDL reacts, as above
#   the end:      1. and 2. as above; 3. the generator's ``return`` awaits its value; 4. Web IDL reacts: one job more
ASYNC_ITEM_TICKS: Final = 1
SYNC_ITEM_TICKS: Final = 3
# How many jobs an item that a sink takes at once stands for, as far as the clock is concerned: the looks at it must not
# take much of the little time that such an item takes.
JOBS_OF_AN_ITEM: Final = 3
# How many jobs come before the one that fulfills the promise of that generator's return().
#   not begun, or ended: 1. the generator awaits the value
#   within ``yield*``:   2. that awaits the result of the iterator's return(), one job more where it has one
#   asked for an item:   return() begins in the job in which the generator gives it, so that it is counted from next()
SYNC_CLOSE_TICKS: Final = 1
SYNC_CLOSE_TICKS_FROM_NEXT: Final = 4


class IterableSource(Source, Part, Fetching):
    """The pull and cancel algorithms over an iterator of either kind.

    # Python: an item that is there at once takes as many jobs as it does with promises, but no promises.
    """

    __slots__ = (
        "_call",
        "_context",
        "_controller",
        "_is_pulling",
        "_item",
        "_iterator",
        "_jobs",
        "_on_end",
        "_on_item",
        "_on_unwrapped",
        "context",
        "give",
        "is_async",
        "pump",
        "takes",
    )
    # `give` and `_controller`: see below; `_call` and `_is_pulling` move only where an item has to be waited for, which
    # is not done in a period; the rest of it is made once.
    _constant: ClassVar[tuple[str, ...]] = (
        "_call",
        "_context",
        "_controller",
        "_is_pulling",
        "_iterator",
        "_jobs",
        "_on_end",
        "_on_item",
        "_on_unwrapped",
        "context",
        "give",
        "is_async",
        "pump",
        "takes",
    )
    _chunk_slots: ClassVar[tuple[str, ...]] = ("_item",)

    has_start: ClassVar[bool] = False

    def __init__(self, iterable: Any, jobs: JobQueue) -> None:
        self._jobs = jobs
        self.is_async, self._iterator = open_iterable(iterable)
        self._controller: Any = None
        # The last call of a coroutine of the iterator, unless it has ended at once.
        self._call: CoroutineCall | None = None
        # The item that is there at once, and what takes it as many jobs later as promises would.
        self._item: Any = None
        self._is_pulling = False
        # Made with the first item.
        self._on_item: Job | None = None
        self._on_unwrapped: Job | None = None
        self._on_end: Job | None = None
        self.context = self._context = copy_context()
        # Ours, shared with the pipe that reads: its sink takes an item at once, if it can; else returns false.
        self.takes: Callable[[Any], bool] | None = None
        # Takes the items of an asynchronous generator.
        self.pump: Pump | None = None
        # Asks the iterator; the fast path puts itself in its place to watch.
        self.give: Callable[[Any], None] = self._give_next
        if self.is_async:
            self.give = self._give_of_async
            if is_pumped(self._iterator):
                self.pump = Pump(jobs, self._iterator, self._context)
                self.give = self._give_of_generator

    def stage(self) -> Any:
        """Return the iterator: a generator has the name of its function."""
        return self._iterator

    def pull(self, controller: Any) -> Any:
        """Ask for the next item; put it into the stream, or close that."""
        self._controller = controller
        self.give(controller)
        return DEFERRED

    def _take(self, value: Any) -> None:
        if value is END_OF_ITERATION:
            if self.pump is not None:
                self.pump.has_ended()
            self._controller._close()
        else:
            self._controller._enqueue(value)

    def _take_later(self, item: Promise[Any]) -> None:
        """Put an item into the stream when it comes; then the pull is done."""
        next_value: Promise[Any] = Promise(self._jobs)
        rejected = partial(_reject_or_end, next_value) if self.is_async else next_value._reject
        item._react(next_value._fulfill, rejected)
        self._end_pull_with(next_value)

    def _end_pull_with(self, next_value: Promise[Any]) -> None:
        callback_returned(self._controller, self._jobs, self._react(next_value, self._take))

    def _take_item(self) -> None:
        item, self._item = self._item, None
        if self._controller._meter is None or self.is_async:
            self._take(item)
        else:
            put_counted(self._controller, self._take, item)  # when the iterator gave it: see _put()
        self._jobs.push(self._controller._on_pull_fulfilled)

    # Web IDL: "get an async iterator next value"; `END_OF_ITERATION` at the end.

    def _give_of_generator(self, controller: Any) -> None:
        pump = self.pump
        assert pump is not None
        if not pump.advance():
            self.wait_for_item()
            return
        item = pump.take()
        if type(item) not in NEVER_AWAITABLE and is_awaitable(item):
            self.wait_for_awaitable(item)
            return
        run = self._jobs.run
        if run is not None:
            if item is END_OF_ITERATION or controller._meter is not None:
                run.leave()
            elif run.take(controller, item):
                return
            else:
                item = run.intercept(controller, item)
        self._put(item)

    def wait_for_item(self) -> None:
        """Put the item into the stream that the generator, which was asked for it, did not have at once."""
        self._jobs.leave_run()
        assert self.pump is not None
        promise: Promise[Any] = Promise(self._jobs)
        self._call = self.pump.settle(promise)
        self._take_later(promise)

    def _give_of_async(self, controller: Any) -> None:
        self._is_pulling = True
        try:
            promise = self._next_of_async()
        except BaseException as error:
            self._end_pull_with(promise_rejected_with(self._jobs, callback_error(error)))  # nothing is awaited
            return
        finally:
            self._is_pulling = False
        if promise is not None:
            self._take_later(promise)

    def _next_of_async(self) -> Promise[Any] | None:
        """Return None if the item was there at once and is on its way."""
        try:
            result = self._iterator.__anext__()
        except StopAsyncIteration:
            return promise_resolved_with(self._jobs, END_OF_ITERATION)
        if isinstance(result, Promise):
            return result
        self._call = call_coroutine(self._jobs, fetch(self, result, END_OF_ITERATION), self._context)
        if self._call is None and not is_awaitable(self._item):
            self._jobs.push(self._on_item or self._prepare_for_items())
            return None
        promise: Promise[Any] = Promise(self._jobs)
        if self._call is None:
            promise._resolve_with(self._item)
        else:
            self._call.settle(promise)
        return promise

    # CreateAsyncFromSyncIterator: it takes some jobs to wait for an item, which may be awaitable itself.

    def _give_next(self, controller: Any) -> None:
        # The code that `_fastpath.codegen` makes does the same.
        try:
            value = next(self._iterator, END_OF_ITERATION)
            if self.takes is not None:
                value = self._give_many(value, self.takes)
        except BaseException as error:
            self.iterator_raised(error)
        else:
            self.put_next(controller, value)

    def _give_many(self, item: Any, takes: Callable[[Any], bool]) -> Any:
        """Give items that are taken at once, as long as nothing else happens between two of them; return the next.

        The state stays that of the first one, as it is when the iterator is asked: the pipe's read waits.
        """
        jobs, iterator = self._jobs, self._iterator
        while (
            type(item) in NEVER_AWAITABLE
            and not jobs.jobs
            and jobs.busy
            and jobs.is_alone
            and jobs.run is None
            and (jobs.countdown > 0 or not jobs.is_late())
            and takes(item)
        ):
            jobs.countdown -= JOBS_OF_AN_ITEM
            item = next(iterator, END_OF_ITERATION)
        return item

    def iterator_raised(self, error: BaseException) -> None:
        """Error the stream with what the iterator has raised."""
        self._give_rejected(callback_error(error))

    def put_next(self, controller: Any, value: Any) -> None:
        """Put the next item into the stream, or close that."""
        if type(value) not in NEVER_AWAITABLE and is_awaitable(value):
            self.wait_for_awaitable(value)
            return
        jobs = self._jobs
        run = jobs.run
        if run is not None:
            if value is END_OF_ITERATION:
                run.leave()
            elif run.take(controller, value):
                return
            else:
                value = run.intercept(controller, value)
        self._put(value)

    def _put(self, value: Any) -> None:
        self._item = value
        on_item = self._on_item or self._prepare_for_items()
        if value is END_OF_ITERATION:
            assert self._on_end is not None
            self._jobs.push(self._on_end)
            return
        if self._controller._meter is not None and not self.is_async:
            # Here and not when it is put into the queue: the fast path may begin or end between the two.
            self._controller._meter.chunk_is_put(value)
        self._jobs.push(on_item)

    def _prepare_for_items(self) -> Job:
        """Make the jobs that put an item into the stream, or close it; return the first."""
        ticks = ASYNC_ITEM_TICKS if self.is_async else SYNC_ITEM_TICKS
        self._on_unwrapped = after(self._jobs, ticks - 1, self._take_item)
        self._on_item = on_item = Delay(self._jobs, self._on_unwrapped, self._take_item)
        self._on_end = on_item if self.is_async else Delay(self._jobs, on_item, self._take_item)
        return on_item

    def _give_rejected(self, error: BaseException) -> None:
        self._jobs.leave_run()
        rejected: Promise[Any] = Promise(self._jobs)
        self._jobs.push(partial(rejected._reject, error))
        self._take_later(rejected)

    def wait_for_awaitable(self, value: Any) -> None:
        """Put an item into the stream that has to be waited for itself."""
        self._jobs.leave_run()
        promise: Promise[Any] = Promise(self._jobs)
        if self.is_async:
            promise._resolve_with(value)
        else:
            item = Promise.resolve(value)
            item._react(partial(self._settle_later, promise._fulfill), partial(self._settle_later, promise._reject))
        self._take_later(promise)

    def _settle_later(self, settle: Callable[[Any], None], value: Any) -> None:
        self._jobs.push(partial(settle, value))

    def cancel(self, reason: object) -> Promise[Any]:
        """Web IDL: "close" the iterator: call its ``aclose()`` or ``close()`` if it has one."""
        closed = self._close_async() if self.is_async else self._close_sync()
        return self._react(closed, _ignore)

    def _close_async(self) -> Promise[Any]:
        method = getattr(self._iterator, "aclose", None)
        if method is None:
            return promise_resolved_with(self._jobs)
        if isasyncgen(self._iterator) and self._iterator.ag_running and self._call is not None:
            # Python: an asynchronous generator that waits cannot be closed. Its waiting is cancelled first.
            self._call.cancel()
            result: Any = close_when_done(self._call._task, method)
        else:
            result = method()
        if not isinstance(result, Promise):
            closing = result if is_awaitable(result) else None
            result = self._started(wait_for_close(closing, None if self._call is None else self._call.cancel))
        return self._react(result, _identity)

    def _started(self, coroutine: Any) -> Promise[Any]:
        promise: Promise[Any] = Promise(self._jobs)
        self._call = CoroutineCall(self._jobs, self._context)
        self._call.start(coroutine, promise)
        return promise

    def _close_sync(self) -> Promise[Any]:
        method = getattr(self._iterator, "close", None)
        if method is not None:
            method()
        promise: Promise[Any] = Promise(self._jobs)
        self._return(partial(promise._fulfill, None), method is not None)
        return promise

    def _return(self, fulfill: Job, has_return: bool) -> None:
        """Run the job that fulfills the promise of the generator's return()."""
        queue = self._jobs
        is_at_end = self._item is END_OF_ITERATION
        # The reference's generator is within its loop over the iterator, whose return() is called then.
        is_within = not is_at_end and self._controller is not None
        of_iterator = is_within and has_return
        on_its_way = [self._on_item, self._on_unwrapped]
        if is_at_end:
            on_its_way.insert(0, self._on_end)
        for passed, job in enumerate(on_its_way):
            if job is not None and job in queue.jobs:
                later = after(queue, SYNC_CLOSE_TICKS_FROM_NEXT - passed + of_iterator, fulfill)
                queue.jobs.insert(queue.jobs.index(job) + 1, later)
                return
        queue.push(after(queue, SYNC_CLOSE_TICKS + is_within + of_iterator, fulfill))

    def _react(self, promise: Promise[Any], function: Callable[[Any], Any]) -> Promise[Any]:
        derived: Promise[Any] = AlgorithmPromise(self._jobs)
        promise._handled_by(ThenReaction(promise, function, None, derived))
        return derived


def open_iterable(iterable: Any) -> tuple[bool, Any]:
    """Web IDL: "open an async sequence"."""
    if type(iterable) is list or type(iterable) is tuple:
        return False, iter(iterable)
    if isinstance(iterable, str) or is_bytes_like(iterable):
        raise TypeError(
            f"from_() takes an iterable of chunks, and a {type(iterable).__name__} is most likely one chunk"
        )
    if getattr(type(iterable), "__aiter__", None) is not None:
        return True, aiter(iterable)
    try:
        return False, iter(iterable)
    except TypeError:
        if hasattr(type(iterable), "__iter__"):
            raise
        raise TypeError(
            f"from_() needs an async iterable or an iterable, not {described(iterable)}: {cure_for_iterable(iterable)}"
        ) from None


def _reject_or_end(promise: Promise[Any], reason: object) -> None:
    ended = reason.reason if isinstance(reason, StreamError) else reason
    if isinstance(ended, StopAsyncIteration):
        promise._fulfill(END_OF_ITERATION)
    else:
        promise._reject(reason)


def _identity(value: Any) -> Any:
    return value


def _ignore(_: Any) -> None:
    return None
