"""Blocking calls in threads, for ends that the event loop cannot wait for.

Not the loop's executor: that has few threads, so that some reads which do not return would stop all others, and
`asyncio.run` waits for every one of them in the end. Here the calls that are quick share a few threads, too, for a
thousand of them would only be in each other's way; a call that waits for somebody says so (`about_to_wait`) and gives
its place to another, and so does every call when none has ended for a while. The threads are used again, end after some
idle seconds, and hold up nothing when the program ends.
"""

from __future__ import annotations

import os
from asyncio import AbstractEventLoop, TimerHandle, get_running_loop
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Lock, Thread, current_thread
from typing import Any, Final

from ..._engine.jobs import current_jobs
from ..._engine.promise import Promise

# How long a thread waits for another call (seconds).
IDLE_TIME: Final = 5
# How many calls may be under way at a time, without those that wait.
MOST_CALLS: Final = min(32, (os.cpu_count() or 1) + 4)
# How long calls may wait while none ends (seconds).
PATIENCE: Final = 0.02
# How many outcomes a turn of the loop takes.
OUTCOMES_AT_ONCE: Final = 32

_SLOT: Final = "_webstreams_outcomes"

Settle = Callable[[Any], object]


def in_thread(function: Callable[..., Any], *args: Any) -> Promise[Any]:
    """Run ``function(*args)`` in a thread; return a promise for its outcome.

    It runs to its end, whatever becomes of the promise. If the event loop is closed by then, nobody gets the outcome.
    """
    promise, resolve, reject = Promise.with_resolvers()
    call_in_thread(resolve, reject, function, *args)
    return promise


def call_in_thread(done: Settle, failed: Settle, function: Callable[..., Any], *args: Any) -> None:
    """Run ``function(*args)`` in a thread; call `done` or `failed` in the loop with its outcome."""
    loop = get_running_loop()
    outcomes: _Outcomes | None = getattr(loop, _SLOT, None)
    if outcomes is None:
        outcomes = _Outcomes(loop)
        setattr(loop, _SLOT, outcomes)
    _pool.begin(_Call(outcomes, done, failed, function, args))


def about_to_wait() -> None:
    """Say, in a thread, that the call under way waits for somebody: another call may be made meanwhile."""
    thread = current_thread()
    if isinstance(thread, _CallThread):
        _pool.let_wait(thread)


def are_busy(loop: AbstractEventLoop) -> bool:
    """Whether calls wait for a thread, or outcomes for a turn of the loop."""
    outcomes: _Outcomes | None = getattr(loop, _SLOT, None)
    return bool(_pool.waiting) or (outcomes is not None and outcomes.are_waiting())


class _Call:
    """One call, made in the loop's thread."""

    __slots__ = ("_args", "_done", "_failed", "_function", "outcomes")

    def __init__(
        self, outcomes: _Outcomes, done: Settle, failed: Settle, function: Callable[..., Any], args: tuple[Any, ...]
    ) -> None:
        self.outcomes = outcomes
        self._done = done
        self._failed = failed
        self._function = function
        self._args = args

    def run(self) -> tuple[Settle, Any]:
        """Return what has to be called with the outcome."""
        try:
            return self._done, self._function(*self._args)
        except BaseException as error:
            return self._failed, error


class _Outcomes:
    """What calls have brought for one event loop, which is woken once for as many as there are."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._jobs = current_jobs()
        self._waiting: deque[tuple[Settle, Any]] = deque()
        self._is_woken = False
        self._timer: TimerHandle | None = None

    def put(self, settle: Settle, outcome: Any) -> None:
        """Have `settle` called in the loop's thread."""
        self._waiting.append((settle, outcome))
        if self._is_woken:
            return
        self._is_woken = True
        try:
            self._loop.call_soon_threadsafe(self._jobs.run_after, self._settle)
        except RuntimeError:  # the loop is closed
            self._waiting.clear()

    def are_waiting(self) -> bool:
        """Whether some have not been told of."""
        return bool(self._waiting)

    def watch(self) -> None:
        """Look after a while whether calls that wait get on."""
        if self._timer is None:
            self._timer = self._loop.call_later(PATIENCE, self._look, _pool.begun)

    def _look(self, begun: int) -> None:
        self._timer = None
        if _pool.waiting:
            if _pool.begun == begun:
                _pool.get_on()
            self.watch()

    def _settle(self) -> None:
        self._is_woken = False  # before the last look at what waits
        if self._timer is not None and not _pool.waiting:
            self._timer.cancel()
            self._timer = None
        try:
            for _ in range(min(len(self._waiting), OUTCOMES_AT_ONCE)):
                settle, outcome = self._waiting.popleft()
                settle(outcome)
        finally:
            if self._waiting and not self._is_woken:
                self._is_woken = True
                self._loop.call_soon(self._jobs.run_after, self._settle)


class _CallThread(Thread):
    """A thread that makes one call after another."""

    def __init__(self) -> None:
        super().__init__(name="webstreams-call", daemon=True)
        self.calls: SimpleQueue[_Call] = SimpleQueue()

    def run(self) -> None:
        """Make calls until there is none for a while."""
        while True:
            try:
                call: _Call | None = self.calls.get(timeout=IDLE_TIME)
            except Empty:
                if _pool.retire(self):
                    return
                continue
            while call is not None:
                settle, outcome = call.run()
                outcomes = call.outcomes
                call = _pool.next_call(self)  # before the outcome is known: whoever gets it finds a thread awake
                outcomes.put(settle, outcome)
                del settle, outcome, outcomes  # what they hold must not live until the next call


class _Pool:
    """The threads of this process."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin without a thread."""
        self._lock = Lock()
        # The threads that wait for a call; the one that was busy last comes first.
        self._idle: list[_CallThread] = []
        # Those whose call has not said that it waits.
        self._running: set[_CallThread] = set()
        # The calls that wait for a thread.
        self.waiting: deque[_Call] = deque()
        # How many calls have begun.
        self.begun = 0

    def begin(self, call: _Call) -> None:
        """Make a call, now or when another has ended."""
        with self._lock:
            if len(self._running) < MOST_CALLS:
                self._give(call)
                return
            self.waiting.append(call)
        call.outcomes.watch()

    def next_call(self, thread: _CallThread) -> _Call | None:
        """Return what the thread does next; None to wait."""
        with self._lock:
            self._running.discard(thread)
            if self.waiting and len(self._running) < MOST_CALLS:
                self._running.add(thread)
                self.begun += 1
                return self.waiting.popleft()
            self._idle.append(thread)
            return None

    def let_wait(self, thread: _CallThread) -> None:
        """Stop counting a blocked thread, so that a waiting call can start in its place."""
        with self._lock:
            if thread in self._running:
                self._running.discard(thread)
                self._fill()

    def get_on(self) -> None:
        """No call ends: give their places to others."""
        with self._lock:
            self._running.clear()
            self._fill()

    def retire(self, thread: _CallThread) -> bool:
        """Assign no more calls to a thread; return False if one is on its way."""
        with self._lock:
            if thread not in self._idle:
                return False
            self._idle.remove(thread)
            return True

    def _fill(self) -> None:
        while self.waiting and len(self._running) < MOST_CALLS:
            self._give(self.waiting.popleft())

    def _give(self, call: _Call) -> None:
        self.begun += 1
        if self._idle:
            thread = self._idle.pop()
        else:
            thread = _CallThread()
            thread.start()
        self._running.add(thread)
        thread.calls.put(call)


_pool = _Pool()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.forget)  # a new process has none of them
