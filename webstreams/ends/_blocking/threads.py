"""Blocking calls in threads, for ends that the event loop cannot wait for.

Not the loop's executor: that has few threads, so that some reads which do not return would stop all others, and
`asyncio.run` waits for every one of them in the end. These threads are as many as there are calls under way, are used
again, end after some idle seconds, and hold up nothing when the program ends.
"""

from __future__ import annotations

import os
from asyncio import get_running_loop
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Final

from ..._engine.promise import Promise

# How long a thread waits for another call (seconds).
IDLE_TIME: Final = 5


def in_thread(function: Callable[..., Any], *args: Any) -> Promise[Any]:
    """Run ``function(*args)`` in a thread; give a promise for its outcome.

    It runs to its end, whatever becomes of the promise. If the event loop is closed by then, nobody gets the outcome.
    """
    call = _Call(function, args)
    try:
        thread = _idle.pop()
    except IndexError:
        thread = _CallThread()
        thread.start()
    thread.calls.put(call)
    return call.promise


class _Call:
    """One call, made in the loop's thread."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.promise, self._resolve, self._reject = Promise.with_resolvers()
        self._loop = get_running_loop()
        self._function = function
        self._args = args

    def run(self) -> tuple[Callable[[Any], None], Any]:
        """Give what has to be called with the outcome."""
        try:
            return self._resolve, self._function(*self._args)
        except BaseException as error:
            return self._reject, error

    def deliver(self, settle: Callable[[Any], None], outcome: Any) -> None:
        """Settle the promise, in the loop's thread."""
        try:
            self._loop.call_soon_threadsafe(settle, outcome)
        except RuntimeError:
            pass  # the loop is closed


class _CallThread(Thread):
    """A thread that makes one call after another."""

    def __init__(self) -> None:
        super().__init__(name="webstreams-call", daemon=True)
        self.calls: SimpleQueue[_Call] = SimpleQueue()

    def run(self) -> None:
        """Make calls until there is none for a while."""
        while True:
            try:
                call = self.calls.get(timeout=IDLE_TIME)
            except Empty:
                if self._retire():
                    return
                continue
            settle, outcome = call.run()
            _idle.append(self)  # before the outcome is known, for the next call to find a thread that is awake
            call.deliver(settle, outcome)
            del call, settle, outcome  # what they hold must not live until the next call

    def _retire(self) -> bool:
        """Take no more calls; False if one is on its way."""
        try:
            _idle.remove(self)
        except ValueError:
            return False
        return True


# The threads that wait for a call; the one that was busy last comes first.
_idle: list[_CallThread] = []

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # a new process has none of them
