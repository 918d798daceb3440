"""Standing workers: tasks that call a coroutine function for one chunk after the other, several at a time.

A task for each call would cost more than most calls. A worker is made when there is something to do and no other one
is idle, and goes on as long as its owner does. What one call leaves behind must not be seen by the next: a call that
changed its context, or was cancelled, is the last one of its worker.

Calls that end at once, one after the other, are gathered: their results go where the owner keeps them, without a slot
for each, and it is told of all of them together. As soon as anything else happens while one of these calls is under
way (`interrupt`), that one gets a slot like any other, and the gathering is over. They are calls for what was
submitted, or for items that the owner has at once, which the worker takes itself.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextvars import Context, copy_context
from itertools import islice, repeat
from typing import Any, Final, Protocol

from .._platform.errors import goes_through, stored_error
from .callback_task import WatchedTask
from .jobs import FIRST_COUNTDOWN, JobQueue
from .promise import NEVER_AWAITABLE, Promise
from .waiter import PromiseWaiter

# After so many calls in a row that end at once (Workers.submit), which are gathered from then on.
QUICK: Final = 8


class Slot:
    """A chunk, its place among the others, and later the result of its call."""

    __slots__ = ("chunk", "is_done", "key", "value")

    def __init__(self, chunk: Any) -> None:
        self.chunk = chunk
        self.key: Any = None
        self.is_done = False
        self.value: Any = None


class Owner(Protocol):
    """What is told of the calls."""

    def slot_of(self, item: Any) -> Slot:
        """Return the slot for what was submitted: its call begins."""

    def place(self, slot: Slot) -> None:
        """Put a slot behind those of the calls that have begun: its call is not one of those that are gathered."""

    def may_gather(self) -> bool:
        """Whether nobody waits for the next result."""

    def items_at_once(self) -> tuple[Iterator[Any], int] | None:
        """Return what calls may be gathered for without being submitted, and how many; None if that is nothing.

        Until the owner is told of the end, by `calls_returned` or `place`, each result stands for an item.
        """

    def put_back(self, item: Any) -> None:
        """The item that was taken last has to be looked at: it may be awaitable."""

    def calls_returned(self, goes_on: bool) -> None:
        """Some calls have ended, and their results were gathered; whether the worker may take more itself."""

    def call_returned(self, slot: Slot, value: Any) -> None:
        """A call has ended."""

    def call_failed(self, slot: Slot | None, error: BaseException) -> None:
        """A call, or an idle worker, has raised something; the owner has to stop the workers."""


class Workers:
    """Up to `concurrency` workers."""

    def __init__(
        self,
        jobs: JobQueue,
        function: Callable[[Any], Any],
        concurrency: int,
        owner: Owner,
        results: deque[Any] | None = None,
    ) -> None:
        self._jobs = jobs
        self._function = function
        self._concurrency = concurrency
        self._owner = owner
        # Where results are gathered, if they may be; and what stands for the call under way while they are.
        self._results = results
        self._gathering: Slot | None = None
        self._context = copy_context()
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle: list[Promise[None]] = []
        # How many of them were woken and have not gone on yet.
        self._woken = 0
        # What was submitted and no worker has begun with, and how many calls are under way.
        self.ready: deque[Any] = deque()
        self.running = 0
        # Calls in a row during which no other one began: they end at once, so one worker is woken for many chunks.
        self.quick_calls = 0
        self._begun = 0
        # How many calls may be gathered before the clock is looked at.
        self._most_at_once = FIRST_COUNTDOWN
        # One worker is awake, and most likely does it all: there will be a look at what it leaves.
        self._will_look = False
        # Whether that is so at the moment: the last of them may wait again before the look.
        self.is_attended = False
        # No worker begins anything any more; what is called when the last one has ended.
        self._is_stopped = False
        self._is_closed = False
        self._then: list[Callable[[], object]] = []

    @property
    def outstanding(self) -> int:
        """How many chunks are waiting for a worker or are with one."""
        return len(self.ready) + self.running

    @property
    def gathers(self) -> bool:
        """Whether calls end at once, so that one worker may take more and more itself."""
        return self.quick_calls >= QUICK and self._results is not None

    def gather(self) -> None:
        """Have one worker take what the owner has at once (`gathers`); there will be a look at whether it does."""
        if self._is_stopped:
            return
        if not self._will_look:
            self._look_later()
        if not (self.is_attended or self._wake()) and len(self._tasks) < self._concurrency:
            self._add_worker()

    def submit(self, item: Any) -> None:
        """Have the function called for a chunk, for which the owner has the slot."""
        if self._is_stopped:
            return
        self.ready.append(item)
        if self.is_attended:
            return
        if self._idle:
            if self.quick_calls >= QUICK and not self._will_look:
                self._look_later()
            self._wake()
        elif len(self._tasks) < self._concurrency:
            self._add_worker()

    def submit_all(self, items: list[Any]) -> None:
        """Do what `submit` does for one item after the other."""
        for index, item in enumerate(items):
            if self.is_attended:
                self.ready.extend(items[index:])
                return
            self.submit(item)

    def _wake(self) -> bool:
        """Let an idle worker go on; whether there is one."""
        if not self._idle:
            return False
        self._woken += 1
        self._idle.pop()._fulfill(None)
        self.is_attended = self._will_look
        return True

    def _look_later(self) -> None:
        self._will_look = True
        self.is_attended = len(self._idle) < len(self._tasks)
        self._jobs.loop.call_soon(self._look)

    def _look(self) -> None:
        """The worker that was awake has had its turn: what it has left is for the others."""
        self._will_look = self.is_attended = False
        if self._is_stopped:
            return
        if self.running:
            self.quick_calls = 0  # it takes time
            self.interrupt()
        if self.ready and not self.running and (self._woken or self._wake()):
            self._look_later()  # it had left nothing: this has come since
        else:
            self._share_ready()
        self._owner.calls_returned(False)

    def _share_ready(self) -> None:
        """Wake a worker for each chunk, or add one."""
        for _ in range(len(self.ready)):
            if self._wake():
                continue
            if len(self._tasks) >= self._concurrency:
                break
            self._add_worker()

    def _add_worker(self) -> None:
        context = self._context.copy()
        task = WorkerTask(self, self._jobs, self._work(context), context)
        # A stream that is dropped takes its workers along, silently.
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        task.add_done_callback(self._worker_ended)
        self._tasks.add(task)
        self.is_attended = self._will_look

    async def _work(self, context: Context) -> None:
        """Call the function for one chunk after the other. (All in one coroutine: a second one would cost as much.)"""
        task = asyncio.current_task()
        assert task is not None
        jobs, ready, function, owner = self._jobs, self.ready, self._function, self._owner
        slot: Slot | None
        value: Any
        while True:
            items = None
            if not ready:
                slot = value = None  # a worker that waits must not keep them alive
                if self._gathering is None and self.gathers:
                    items = owner.items_at_once()
                if items is None:
                    if self._is_closed or not await self._may_go_on():
                        break
                    continue
            if self._gathering is not None:
                self.interrupt()
            self.running += 1
            self._begun = begun = self._begun + 1
            try:
                if items is not None or (self.gathers and owner.may_gather()):
                    slot = Slot(None)
                    value = await self._gather(slot, items, context)
                else:
                    slot = owner.slot_of(ready.popleft())
                    value = await function(slot.chunk)
            except BaseException as error:
                self.running -= 1
                self._call_raised(slot, error, task)
                break
            self.running -= 1
            if self._is_stopped:
                break
            if self._gathering is slot:
                self._gathering = slot = value = None
                owner.calls_returned(True)
            else:
                self.quick_calls = self.quick_calls + 1 if begun == self._begun else 0
                owner.call_returned(slot, value)
            jobs.countdown -= 1
            if jobs.countdown <= 0 and jobs.is_late():
                await asyncio.sleep(0)  # the event loop's other tasks have to have their turn
            if context != self._context or task.cancelling():
                break

    async def _gather(self, slot: Slot, at_once: tuple[Iterator[Any], int] | None, context: Context) -> Any:
        """Do calls as long as they end at once, and nothing else happens; return what the last one gave.

        They are for what is ready, or for what the owner has at once.
        """
        jobs, function, unchanged = self._jobs, self._function, self._context
        assert self._results is not None
        take_result = self._results.append
        self._gathering = slot
        if not self._will_look:
            self._look_later()  # if one of these calls takes time, the rest is for the others
        most = max(1, min(len(self.ready) if at_once is None else at_once[1], jobs.calls_left(), self._most_at_once))
        jobs.countdown -= most - 1
        began = jobs.clock()
        is_taken = at_once is not None
        submitted = map(deque.popleft, repeat(self.ready, most))
        items: Iterator[Any] = submitted if at_once is None else islice(at_once[0], most)
        value: Any = None
        for item in items:
            if is_taken and type(item) not in NEVER_AWAITABLE:
                self._owner.put_back(item)
                break
            value = await function(item)
            if self._gathering is not slot:
                break
            take_result(value)
            if context != unchanged:
                break
        else:
            self._most_at_once = jobs.count_calls(most, began)
        return value

    def interrupt(self) -> None:
        """Something happens while one of the calls that are gathered is under way: that has not ended at once."""
        slot, self._gathering = self._gathering, None
        if slot is not None:
            self._owner.place(slot)

    async def _may_go_on(self) -> bool:
        """Wait until there may be something to do; whether it may be done.

        Who reads the results lets it go on inside his own ``await`` then, without a turn of the event loop.
        """
        idle: Promise[None] = Promise(self._jobs)
        self._idle.append(idle)
        self.is_attended = self._will_look and len(self._idle) < len(self._tasks)
        try:
            await Suspended(idle)
        except asyncio.CancelledError as error:
            if idle in self._idle:
                self._idle.remove(idle)
            else:
                self._woken -= 1
            if not self._is_stopped:
                self._owner.call_failed(None, stored_error(error))
        else:
            self._woken -= 1
        return not self._is_stopped

    def _call_raised(self, slot: Slot | None, error: BaseException, task: asyncio.Task[Any]) -> None:
        """Tell the owner of an error; raise what must not stay here."""
        if not self._is_stopped and self._is_current(task):
            self._owner.call_failed(slot, stored_error(error))
        if goes_through(error) or not self._is_current(task):
            raise error

    def _is_current(self, task: asyncio.Task[Any]) -> bool:
        """Whether the worker runs; its coroutine may have been thrown away with a stream that nobody had any more."""
        return self._jobs.is_running() and asyncio.current_task() is task

    def _worker_ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if self.ready and not self._is_stopped:
            self._add_worker()
        elif not self._tasks and (self._is_closed or self._is_stopped):
            then, self._then = self._then, []
            for each in then:
                each()
        elif not (self._is_closed or self._is_stopped):
            self._owner.calls_returned(False)  # it has not gone on

    # Ending.

    def close(self, then: Callable[[], object] | None = None) -> None:
        """Begin no more than what was submitted; call `then` when the last worker has ended."""
        self._is_closed = True
        while self._wake():
            pass
        if then is not None:
            self._when_ended(then)

    def stop(self, then: Callable[[], object]) -> None:
        """Cancel all calls; call `then` when all have ended."""
        self._is_stopped = True
        self.ready.clear()
        for task in self._tasks:
            task.cancel()
        self._when_ended(then)

    def _when_ended(self, then: Callable[[], object]) -> None:
        if self._tasks:
            self._then.append(then)
        else:
            then()


class Suspended:
    """Awaits a pending promise, and runs no jobs meanwhile: a reader that such a job lets go on could not run any."""

    __slots__ = ("_promise",)

    def __init__(self, promise: Promise[None]) -> None:
        self._promise = promise

    def __await__(self) -> Generator[Any, None, None]:
        waiter = PromiseWaiter(self._promise)
        self._promise._add_reaction(waiter)
        yield waiter


class WorkerTask(WatchedTask):
    """The task of a worker."""

    __slots__ = ("_workers",)

    def __init__(self, workers: Workers, jobs: JobQueue, work: Coroutine[Any, Any, None], context: Context) -> None:
        super().__init__(jobs, work, context)
        self._workers = workers

    def cancel(self, msg: Any = None) -> bool:
        """Do what every task does: the call under way, which may do this itself, is the last one of its worker."""
        self._workers.interrupt()
        return super().cancel(msg)
