"""``map()`` with several calls at a time."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from ...._debug.repr import show_count
from ...._engine.promise import Promise, wait_for_all
from ...._engine.workers import QUICK, Slot, Workers
from ...._platform.errors import goes_through, stored_error
from ...._platform.stages import note_stage
from ..state import ReadableStreamState
from .chain import Chain
from .inputs import Input
from .marks import SKIP
from .receiver import Receiver
from .source import OperatorSource

# With so many results ready behind the one that is given, they are put into the queue, where reads find them.
FEW: Final = 4

# As `QueueWithSizes.plenty`: to take one is all that a read does, the last one, too, for the end is told later.
FULL: Final = 1


class ConcurrentSource(OperatorSource, Receiver):
    """Reads as much as the calls and the window admit, and gives the results.

    Results that are ready wait here, for each that is taken may let another call begin. But within one turn of the
    event loop many wait in the queue of the stream, which reads take them from without asking (`_put_ready`): calls
    that most likely end at once begin when it is empty, or when the turn is over.
    """

    __slots__ = (
        "_active",
        "_admitted",
        "_chain",
        "_concurrency",
        "_discards",
        "_done",
        "_ended",
        "_function",
        "_gathered_from",
        "_has_ended",
        "_in_window",
        "_is_asking",
        "_is_ordered",
        "_is_over",
        "_is_wanted",
        "_is_watching",
        "_key",
        "_queued",
        "_slots",
        "_will_refill",
        "_window",
        "workers",
    )

    def __init__(
        self,
        chain: Chain,
        stream: ReadableStreamState[Any],
        function: Callable[[Any], Any],
        concurrency: int,
        window: int,
        is_ordered: bool,
        key: Callable[[Any], Any] | None,
        discards: bool = False,
    ) -> None:
        super().__init__(stream)
        self.never_runs = True
        self._chain = chain
        self._concurrency = concurrency
        self._window = window
        self._is_ordered = is_ordered
        self._key = key
        # Nobody wants the results.
        self._discards = discards
        # What errors say that they arose in.
        self._function = function
        # Ordered: the slots in the order of their chunks, from the first on whose call has not returned.
        self._slots: deque[Slot] = deque()
        # The results that may be given, in this order.
        self._done: deque[Any] = deque()
        # Results in the order of their calls, or of no interest, and nothing else to do: they may come together.
        results: deque[Any] | None = deque(maxlen=0) if discards else self._done if is_ordered else None
        self.workers = Workers(self._jobs, function, concurrency, self, results if key is None else None)
        # How many were in the queue of the stream when it was last looked at; they count in the window.
        self._queued = 0
        # How many chunks have been read and not been given, or left out.
        self._in_window = 0
        # While calls are gathered whose chunks do not count in it yet: how many results there were before. Else -1.
        self._gathered_from = -1
        # The keys of calls under way, each with what waits behind them.
        self._active: dict[Any, deque[Slot]] = {}
        self._is_wanted = False
        # The input was asked for so many chunks, one after the other; it has ended.
        self._admitted = 0
        self._is_asking = False
        self._is_watching = False
        self._will_refill = False
        self._has_ended = False
        # Nothing is given any more: the end, a failure, or cancelled. Fulfilled when the workers have ended.
        self._is_over = False
        self._ended: Promise[Any] = Promise(self._jobs)
        chain.give_to(self)

    def ask(self) -> None:
        """See `OperatorSource`."""
        self._is_wanted = True
        self._jobs.leave_run()
        self._end_gathering()
        if not self._is_watching:
            self._is_watching = True
            self._chain.watch_end(self._input_has_ended)
        self._count_taken()
        self._give_next()
        self._refill()

    def activity(self) -> str:
        """See `UnderlyingSource`."""
        running = f"{self.workers.running} of {show_count(self._concurrency, 'call')} under way"
        held = self._in_window - self._queued + len(self._controller._queue.chunks)
        if self._is_drain():
            held = self.workers.outstanding
        elif self._gathered_from >= 0:
            held += len(self._done) - self._gathered_from + 1
        return f"{running}, window {held}/{self._window}"

    # Reading.

    def _refill(self) -> None:
        """Read as long as the window has room, and no more than one chunk would have to wait for a call to end.
        (`take_chunk` goes on.)"""
        workers = self.workers
        if self._is_asking or self._has_ended or self._is_over or (workers.gathers and self._has_plenty()):
            return
        self._end_gathering()
        admitted = min(self._window - self._in_window, self._concurrency + 1 - workers.outstanding)
        if admitted > 0 and self._key is None:
            source = self._chain.input_at_once()
            if source is not None and source.has_items_at_once():
                if self._may_take():
                    workers.gather()
                    return
                admitted -= self._take_at_once(source, admitted)
        if admitted > 0:
            self._admitted = admitted
            self._is_asking = True
            self._chain.ask()

    def _take_at_once(self, source: Input, most: int) -> int:
        """Do what `take_chunk` does for the items that are there at once; return how many that are."""
        items = source.take_at_once(min(most, self._jobs.calls_left()))
        self._jobs.countdown -= len(items)
        self._in_window += len(items)
        self.workers.submit_all(items)
        return len(items)

    def _refill_now(self) -> None:
        self._will_refill = False
        self._refill()

    def _input_has_ended(self, _: Any) -> None:
        """An error is told at once, also while no call may begin; the end comes behind the calls in any case."""
        if not (self._is_asking or self._has_ended or self._is_over) and self._chain.ends_next():
            self._admitted = 1
            self._is_asking = True
            self._chain.ask()

    def take_chunk(self, chunk: Any) -> None:
        """See `Receiver`."""
        self._in_window += 1
        workers = self.workers
        if self._key is not None:
            self._submit_by_key(chunk, self._key)
        elif workers.is_attended:
            workers.ready.append(chunk)  # submit(), without the call
        else:
            workers.submit(chunk)
        self._admitted -= 1
        chain = self._chain
        if self._admitted <= 0:
            self._is_asking = False
            self._refill()
        elif chain._is_running and self._key is None:
            chain._is_asked = True  # ask(), without the call: nobody can have cancelled it since
        else:
            chain.ask()

    def _submit_by_key(self, chunk: Any, key: Callable[[Any], Any]) -> None:
        slot = Slot(chunk)
        self.place(slot)
        try:
            slot.key = key(slot.chunk)
            waiting = self._active.get(slot.key)
        except BaseException as error:
            failure = stored_error(error)
            note_stage(failure, key, "key")
            self.call_failed(slot, failure)
            if goes_through(error):
                raise
            return
        if waiting is None:
            self._active[slot.key] = deque()
            self.workers.submit(slot)
        else:
            waiting.append(slot)

    def take_end(self) -> None:
        """See `Receiver`."""
        self._has_ended = True
        if not self._active:
            self.workers.close()
        self._give_next()

    def take_error(self, error: object) -> None:
        """See `Receiver`."""
        self._stop(error)

    # Calls.

    def slot_of(self, item: Any) -> Slot:
        """A call begins. With a `key`, its chunk has had a slot since it came."""
        if self._key is not None:
            keyed: Slot = item
            return keyed
        slot = Slot(item)
        self.place(slot)
        return slot

    def place(self, slot: Slot) -> None:
        """The results of what comes later wait behind that of this slot."""
        if self._gathered_from >= 0:
            self._count_gathered()
            self._in_window += 1
        if self._is_ordered:
            if self._is_wanted:
                self._give_next()
            self._slots.append(slot)
        elif self._is_drain():
            self._in_window = self.workers.outstanding

    def may_gather(self) -> bool:
        """Whether no result waits for that of another call."""
        return not self._slots

    def items_at_once(self) -> tuple[Iterator[Any], int] | None:
        """Return the items of the input, if it calls nothing for them, and how many the window admits."""
        source = self._input_at_once()
        if source is None or source.iterator is None:
            return None
        self._gathered_from = len(self._done)
        return source.iterator, self._window - self._in_window

    def _input_at_once(self) -> Input | None:
        """Return the input if a worker that gathers results may take its items itself, and there are any, and room."""
        source = self._chain.input_at_once()
        if source is None or not source.has_items_at_once() or self._is_asking or self._has_ended or self._is_over:
            return None
        return source if self._may_take() else None

    def _may_take(self) -> bool:
        """Whether it may take items, so far as the calls and the window are concerned."""
        has_room = self._in_window < self._window and not self._has_plenty()
        return has_room and self.workers.gathers and self.may_gather()

    def _has_plenty(self) -> bool:
        """Whether reads find results in the queue, for this turn of the event loop: calls begin behind them, together,
        or when the turn is over."""
        queue = self._controller._queue
        return queue.plenty == FULL and bool(queue.chunks)

    def put_back(self, item: Any) -> None:
        """The input has to look at an item."""
        source = self._chain.input_at_once()
        assert source is not None
        source.put_back(item)

    def _count_gathered(self) -> None:
        """Calls are not gathered any more: their chunks count in the window like others."""
        self._in_window += len(self._done) - self._gathered_from
        self._gathered_from = -1

    def _end_gathering(self) -> None:
        """The window is looked at while a call is under way that was to be gathered: it does not end at once."""
        if self._gathered_from >= 0:
            self.workers.interrupt()

    def _is_drain(self) -> bool:
        """Whether the window is what waits for calls or is with one: `_in_window` is set right when they have ended."""
        return self._discards and self._key is None

    def calls_returned(self, goes_on: bool) -> None:
        """Some calls have ended, and their results are there."""
        if self._gathered_from >= 0:
            self._count_gathered()
        if self._is_drain():
            self._in_window = self.workers.outstanding
        goes_on = goes_on and self.workers.gathers
        if not goes_on or self._input_at_once() is None:
            self._refill()
            goes_on = goes_on and bool(self.workers.ready)
        if self._is_wanted and not goes_on:
            self._give_next()

    def call_returned(self, slot: Slot, value: Any) -> None:
        """A call has ended."""
        slot.chunk = None
        if self._key is not None:
            self._free_key(slot.key)
        slots = self._slots
        if slots and slots[0] is slot:
            slots.popleft()
            self._done.append(value)
            while slots and slots[0].is_done:
                self._done.append(slots.popleft().value)
        elif self._is_ordered:
            slot.is_done = True
            slot.value = value
        elif value is SKIP or self._discards:
            self._in_window -= 1
        else:
            self._done.append(value)
        if self._is_wanted:
            self._give_next()
        workers = self.workers
        if workers.quick_calls < QUICK:
            self._refill()
        elif not workers.ready:
            if self._input_at_once() is None:  # else the worker takes them, most likely
                self._refill()
        elif not (self._will_refill or workers.is_attended):
            # The worker goes on at once, most likely: it is given more when it has nothing left, in one loop.
            self._will_refill = True
            self._jobs.loop.call_soon(self._refill_now)

    def _free_key(self, key: Any) -> None:
        waiting = self._active[key]
        if waiting:
            self.workers.submit(waiting.popleft())
            return
        del self._active[key]
        if self._has_ended and not self._active:
            self.workers.close()

    def call_failed(self, slot: Slot | None, error: BaseException) -> None:
        """A call has failed: nothing else counts."""
        if not self._is_over:
            note_stage(error, self._function, "function")
            promise = self._chain.cancel(error)
            if promise is not None:
                promise._mark_handled()
            self._stop(error)

    def _stop(self, error: object) -> None:
        if not self._is_over:
            self._drop()
            self._ended._react(partial(self._fail_now, error), None)
            self.workers.stop(self._workers_have_ended)

    def _fail_now(self, error: object, _: Any) -> None:
        self.fail(error)

    def _end_now(self, _: Any) -> None:
        self._controller._queue.plenty = math.inf  # a chunk may have been put back: with the last one the stream closes
        self.end()

    def _drop(self) -> None:
        self._is_over = True
        self._gathered_from = -1
        self._controller._queue.reset_queue()
        self._slots.clear()
        self._done.clear()
        self._active.clear()

    def _workers_have_ended(self) -> None:
        self._ended._fulfill(None)

    # Giving.

    def _give_next(self) -> None:
        """Give a result, if somebody wants one; or the end."""
        if not self._is_wanted or self._is_over:
            return
        done = self._done
        while done:
            value = done.popleft()
            self._in_window -= 1
            if value is not SKIP:
                self._is_wanted = False
                if len(done) >= FEW:
                    self._put_ready()
                self.give(value)
                return
        if self._in_window == 0 and self._has_ended:
            self._is_over = True
            self._ended._react(self._end_now, None)
            self.workers.close(self._workers_have_ended)

    def _put_ready(self) -> None:
        """Queue what is ready behind the result that is about to be given, until the end of this turn of the loop."""
        controller = self._controller
        queue, reader = controller._queue, controller._stream._reader
        self._jobs.leave_run()
        if controller._meter is not None or queue.chunks:
            return
        if reader is None or len(reader._read_requests) != 1:
            return
        results = [result for result in self._done if result is not SKIP]
        self._in_window -= len(self._done) - len(results)
        self._done.clear()
        queue.chunks.extend(results)
        queue.count_again()
        self._queued = len(results)
        if queue.plenty != FULL:
            queue.plenty = FULL
            self._jobs.loop.call_soon(self._turn_is_over)

    def _turn_is_over(self) -> None:
        """From now on each read tells that it has taken a result (`result_was_taken`)."""
        self._controller._queue.plenty = math.inf
        self.result_was_taken()

    def result_was_taken(self) -> None:
        """See `OperatorSource`."""
        if not self._is_over:
            self._end_gathering()
            self._count_taken()
            self._refill()

    def _count_taken(self) -> None:
        """Reads have taken results out of the queue, perhaps without telling it."""
        left = len(self._controller._queue.chunks)
        self._in_window -= self._queued - left
        self._queued = left

    def cancel_steps(self, reason: object) -> Any:
        """See `OperatorSource`."""
        promise = self._chain.cancel(reason)
        if not self._is_over:
            self._drop()
            self.workers.stop(self._workers_have_ended)
        promises = [self._ended] if promise is None else [promise, self._ended]
        return wait_for_all(self._jobs, promises)
