"""Async iteration of a readable stream: ``async for`` and ``values()`` (4.2.5)."""

from __future__ import annotations

from collections.abc import Iterator
from sys import _getframe
from types import TracebackType
from typing import Any, Generic, Self, cast

from typing_extensions import TypeVar

from ..._debug.repr import show, summary
from ..._engine.loop_end import wait_behind
from ..._engine.promise import Promise
from ..._platform.errors import is_control_flow
from ..._platform.frames import begins_async_for
from ..._platform.idl import INTERNAL, refuse_constructor
from ..._platform.mypyc import subscriptable
from ..._platform.staying import Staying
from .for_loop import ForLoop
from .iteration import Iteration
from .leaving import ENDS, LEAVES

T = TypeVar("T", default=Any, covariant=True)


class ReadableStreamAsyncIterator(Staying, Generic[T]):
    """Iterates over the chunks of a stream, which is locked meanwhile. Streams Standard, 4.2.5.

    The lock is free as soon as the iteration has ended. Leaving it early cancels the stream, unless it was made by
    ``values(prevent_cancel=True)``: when the iterator is closed by `aclose` or ``async with``, or when nobody refers
    to it any more.
    """

    __slots__ = ("__weakref__", "_iteration")

    def __init__(self, token: object = None, *setup: Any, **_: Any) -> None:
        if token is not INTERNAL:
            raise refuse_constructor("ReadableStreamAsyncIterator", "call values() of the stream, or use `async for`")
        self._iteration = Iteration(*setup)

    def __aiter__(self) -> Self:
        """Return the iterator itself."""
        return self._for_loop() if begins_async_for(_getframe(1)) else self

    def _for_loop(self) -> Self:
        """Return what an ``async for`` iterates over, which is not told from the iterator."""
        return cast(Self, ForLoop(self, self._iteration))

    def __anext__(self) -> Promise[T]:
        """Take the next chunk; raises `StopAsyncIteration` at the end, and the stored error of an errored stream.

        Cancelling the task that awaits it withdraws the read: no chunk is lost.
        """
        return self._iteration.next()

    def aclose(self) -> Promise[None]:
        """Leave the iteration: cancel the stream, unless `prevent_cancel` was set, and release the lock.

        Never waits behind a read that does not come: a pending ``__anext__()`` ends. Calling it again does nothing.
        """
        iteration = self._iteration
        iteration.jobs.require_running()
        if iteration.is_waiting():
            iteration.ongoing = None
        words = iteration.name_call("aclose()")
        return iteration.after_ongoing(iteration.return_steps)._then(_ignore, *words)

    async def __aenter__(self) -> Self:
        """Return the iterator itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave the iteration, as `aclose` does, without waiting for the other branch if the stream is one of a tee."""
        iteration = self._iteration
        is_cancelled = error is not None and is_control_flow(error)
        iteration.how = ENDS if is_cancelled else max(iteration.how, LEAVES)
        await wait_behind(error, self.aclose(), iteration.jobs.end)

    def __repr__(self) -> str:
        """Show the stream, and whether a read is pending."""
        return show(self, self._details())

    def _details(self) -> Iterator[str]:
        iteration = self._iteration
        stream = iteration.reader._stream
        if iteration.finished or stream is None:
            yield "ended"
            return
        yield f"of {summary(stream)}"
        if iteration.is_waiting():
            yield "waiting for a chunk"
        if iteration.prevent_cancel:
            yield "prevent_cancel"

    def __del__(self) -> None:
        """Leave the iteration when nobody refers to the iterator any more: ``async for`` was left early."""
        iteration: Iteration | None = getattr(self, "_iteration", None)
        if iteration is None or iteration.finished or iteration.reader._stream is None:
            return
        if iteration.jobs.is_running():
            _abandon(iteration)
        elif not iteration.jobs.loop.is_closed():
            iteration.jobs.loop.call_soon_threadsafe(_abandon, iteration)


subscriptable(ReadableStreamAsyncIterator)


def _abandon(iteration: Iteration) -> None:
    iteration.jobs.leave_run()
    stream = iteration.reader._stream
    if stream is not None:
        errored = stream._state == "errored"
        result = iteration.leave()
        if errored:
            result._mark_handled()  # the loop was left after the error was seen, or because nobody cared


def _ignore(_: Any) -> None:
    return None
