"""The end of an event loop: what is still under way then is cut off, so that nobody takes it for the whole.

`asyncio.run` ends a loop in three steps: it cancels all tasks, closes the asynchronous generators that have begun, and
closes the loop. It asks nobody before. But whoever is registered like an asynchronous generator is closed with them;
and a task that is cancelled while its loop does not run tells that the first step has begun. That is all there is, on
every version of asyncio and on uvloop. (A loop that is closed without these steps, by ``loop.close()`` alone, tells
nobody.)
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Iterator
from typing import Any, Final, Protocol, cast
from weakref import WeakSet

from .._platform.errors import INTERRUPT, LoopEndedError
from .._platform.weak_group import WeakGroup

# How long the end of the loop waits for what it ends: first for what was ending by itself, then for the rest (seconds).
PATIENCE: Final = 0.4


class Watched(Protocol):
    """A promise or a future."""

    def add_done_callback(self, callback: Any, /) -> object: ...
    def done(self) -> bool: ...


class Cuttable(Protocol):
    """What may be under way when the loop ends."""

    def _cut_off(self, error: LoopEndedError, is_late: bool) -> Watched | None:
        """End now, as a failure, and report it if somebody could miss what does not come.

        What is about to end by itself may do so, unless it is late. Return what is done when it has ended, or None.
        """
        ...


class Led(Cuttable, Protocol):
    """What a task may wait for until it has ended."""

    def _give_up(self) -> None:
        """Do not wait any longer for what was cut off."""
        ...


class UnderWay:
    """Stands in a group of a `LoopEnd` for something that cannot be referred to weakly, and is kept by that alone."""

    __slots__ = ("__weakref__", "_thing")

    def __init__(self, thing: Led, group: WeakGroup) -> None:
        self._thing = thing
        group.add(self)

    def _cut_off(self, error: LoopEndedError, is_late: bool) -> Watched | None:
        return self._thing._cut_off(error, is_late)

    def _give_up(self) -> None:
        self._thing._give_up()


class _Generator:
    """What is registered with the loop like an asynchronous generator."""

    __slots__ = ("__weakref__", "_end")

    def __init__(self, end: LoopEnd) -> None:
        self._end = end

    def aclose(self) -> Awaitable[None]:
        """Called by the loop."""
        return self._end.aclose()


class LoopEnd:
    """Belongs to the job queue of a loop. Knows weakly what is under way, in three groups: those that lead on to others
    come first."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        # The loop closes its asynchronous generators: nothing more will run for long.
        self.reached: bool = False
        # The loop has cancelled all its tasks.
        self.is_near: bool = False
        self._is_suspected = False
        # The tasks that there were when the first of them was cancelled; a thread may have new ones made before `look`.
        self._suspects: set[asyncio.Task[Any]] = set()
        self.pipes: WeakGroup = WeakGroup()
        self.sinks: WeakGroup = WeakGroup()
        self.others: WeakGroup = WeakGroup()
        # The loop refers to it weakly.
        self._generator: _Generator | None = _Generator(self)
        register = sys.get_asyncgen_hooks().firstiter
        if register is not None:
            register(cast(Any, self._generator))
        _ENDS.add(self)

    def is_suspected(self) -> bool:
        """A task is cancelled: whether no loop runs in this thread, so that perhaps all are, and `look` has to come."""
        if self._is_suspected or asyncio._get_running_loop() is not None:
            return False
        self._is_suspected = True
        self._suspects = asyncio.all_tasks(self._loop)
        return True

    def look(self) -> None:
        """See whether all tasks were cancelled: then pipes are cut off before their callbacks hear of that, which might
        take it for the end, and so are sinks whose coroutine will fail by it."""
        self._is_suspected = False
        self.is_near = all(task.done() or task.cancelling() for task in self._suspects)
        self._suspects = set()
        if self.is_near:
            _cut_off([*self.pipes, *(sink for sink in self.sinks if sink._runs_a_coroutine())], is_late=False)
            # The loop waits for its tasks, and these for the pipes; nobody cancels them once more.
            self._loop.call_later(PATIENCE, self._give_up)

    def _give_up(self) -> None:
        for each in self.pipes:
            each._give_up()

    def was_interrupted(self) -> None:
        """An interrupt goes through a callback, to the loop.

        uvloop then has one `stop()` left over, which ends its next run before it is done: the one that closes the
        asynchronous generators, if there is any, fails by that, and hides the interrupt. So there must be none.
        """
        if any(kind.__module__.partition(".")[0] == "uvloop" for kind in type(self._loop).__mro__):
            self._generator = None

    def aclose(self) -> Awaitable[None]:
        """Cut everything off; the loop closes its asynchronous generators, and this comes before any of them."""
        self.reached = True
        self.is_near = True
        return self._wait(_cut_off(self._under_way(), is_late=False))

    def _under_way(self) -> Iterator[Cuttable]:
        for group in (self.pipes, self.sinks, self.others):
            yield from group

    async def _wait(self, ending: list[Watched]) -> None:
        await wait_a_while(ending)
        await wait_a_while(_cut_off(self._under_way(), is_late=True))


def _cut_off(things: Any, is_late: bool) -> list[Watched]:
    """Cut everything off; give what is not over at once."""
    ending = []
    for thing in things:
        promise = thing._cut_off(LoopEndedError("the event loop has ended"), is_late)
        if promise is not None and not promise.done():
            ending.append(promise)
    return ending


async def wait_until_over(promise: Any, end: LoopEnd) -> None:
    """Wait for what ends a stream; not longer than a moment if the task was cancelled because the loop ends."""
    if end.is_near:
        await wait_a_while([promise])
    else:
        await promise


async def wait_behind(error: BaseException | None, promise: Any, end: LoopEnd) -> None:
    """Wait at the end of a block, which `error` has left if there is one, for what ends its stream.

    If that fails, too, its error is raised, but where the task was cancelled or the program interrupted: that counts.
    """
    try:
        await wait_until_over(promise, end)
    except Exception:
        if error is None or isinstance(error, Exception):
            raise


async def wait_a_while(promises: list[Watched]) -> None:
    """Wait until all are done, without a task for each; not longer than a moment."""
    left = len(promises)
    if not left:
        return
    count = _CountDown(left)
    for promise in promises:
        promise.add_done_callback(count)
    await asyncio.wait({count.zero}, timeout=PATIENCE)


class _CountDown:
    """A done callback for several promises."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.zero: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def __call__(self, promise: Any) -> None:
        self._count -= 1
        if self._count == 0:
            self.zero.set_result(None)


# Those of all loops.
_ENDS: Final[WeakSet[LoopEnd]] = WeakSet()


def _notice_interrupt() -> None:
    loop = asyncio._get_running_loop()
    for end in list(_ENDS):
        if end._loop is loop:
            end.was_interrupted()


INTERRUPT.notice = _notice_interrupt
