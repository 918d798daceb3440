"""Async iteration of a readable stream: ``async for`` and ``values()`` (4.2.5, with Web IDL's asynchronous
iterators)."""

from __future__ import annotations

from functools import partial
from types import TracebackType
from typing import Any, Final, Generic, NoReturn, Self

from typing_extensions import TypeVar

from .._promise import FULFILLED, PENDING, REJECTED, Promise, ThenReaction, promise_resolved_with
from .reader import ReadableStreamDefaultReader, ReadPromise

T = TypeVar("T", default=Any)

END_OF_ITERATION: Final = object()


class IterationPromise(ReadPromise[T]):
    """The promise of one ``__anext__()``: fulfilled with the chunk itself, or with the end of the iteration.

    # Python: Web IDL makes two promises, one that reacts to the other. This one is settled a job later instead.
    """

    __slots__ = ("_outcome", "_reader")

    _what = "the promise of __anext__()"

    def __init__(self, reader: ReadableStreamDefaultReader[Any], stream: Any) -> None:
        super().__init__(stream)
        self._reader = reader
        # How it will be settled, once that is known.
        self._outcome = PENDING

    def chunk_steps(self, chunk: Any) -> None:
        """A chunk is there."""
        self._settle_a_job_later(FULFILLED, chunk)

    def close_steps(self, chunk: Any = None) -> None:
        """The stream is closed: the iteration ends and the lock is free."""
        self._release_reader()
        self._settle_a_job_later(FULFILLED, END_OF_ITERATION)

    def error_steps(self, error: object) -> None:
        """The stream is errored: the iteration ends and the lock is free."""
        self._release_reader()
        self._settle_a_job_later(REJECTED, error)

    def _settle_a_job_later(self, outcome: int, value: Any) -> None:
        self._outcome = outcome
        self._value = value
        self._jobs.push(self._deliver)

    def _deliver(self) -> None:
        if self._state != PENDING:
            return  # withdrawn meanwhile
        if self._outcome == FULFILLED:
            self._settle_with(self._value)
        else:
            self._reject(self._value)

    def _release_reader(self) -> None:
        if self._reader._stream is not None:
            self._reader._release()

    def result(self) -> T:
        """Give the chunk, or raise `StopAsyncIteration` or the error."""
        if self._state == FULFILLED and self._value is END_OF_ITERATION:
            raise StopAsyncIteration
        return super().result()

    def _withdraw(self) -> None:
        outcome, (is_chunk, chunk) = self._outcome, self._taken_back()
        if outcome == PENDING:
            super()._withdraw()
            return
        self._become_withdrawn()
        if outcome == FULFILLED and is_chunk:
            self._stream._unread(chunk)

    def _taken_back(self) -> tuple[bool, Any]:
        return self._value is not END_OF_ITERATION, self._value


class ReadableStreamAsyncIterator(Generic[T]):
    """Iterates over the chunks of a stream, which is locked meanwhile. Streams Standard, 4.2.5.

    The lock is free as soon as the iteration has ended. Leaving it early cancels the stream, unless it was made by
    ``values(prevent_cancel=True)``: when the iterator is closed by `aclose` or ``async with``, or when nobody refers
    to it any more.
    """

    __slots__ = ("__weakref__", "_finished", "_ongoing", "_prevent_cancel", "_reader")

    def __init__(self, reader: ReadableStreamDefaultReader[T], prevent_cancel: bool) -> None:
        self._reader = reader
        self._prevent_cancel = prevent_cancel
        self._finished = False
        # The promise of the last call.
        self._ongoing: Promise[Any] | None = None

    def __aiter__(self) -> Self:
        """Give the iterator itself."""
        return self

    def __anext__(self) -> Promise[T]:
        """Take the next chunk; raises `StopAsyncIteration` at the end, and the stored error of an errored stream.

        Cancelling the task that awaits it withdraws the read: no chunk is lost.
        """
        self._reader._jobs.require_running()
        promise = self._after_ongoing(self._next_steps)
        self._ongoing = promise
        return promise

    def aclose(self) -> Promise[None]:
        """Leave the iteration: cancel the stream, unless `prevent_cancel` was set, and free the lock.

        Never waits behind a read that does not come: a pending ``__anext__()`` ends. Calling it again does nothing.
        """
        self._reader._jobs.require_running()
        ongoing = self._ongoing
        if isinstance(ongoing, IterationPromise) and self._is_waiting():
            self._ongoing = None
        promise = self._after_ongoing(self._return_steps)
        self._ongoing = promise
        return promise

    def _is_waiting(self) -> bool:
        """Whether a read is pending that no chunk has answered yet."""
        return self._reader._stream is not None and bool(self._reader._read_requests)

    def _after_ongoing(self, steps: Any) -> Promise[Any]:
        ongoing = self._ongoing
        if ongoing is None or ongoing.done():
            return steps(None)  # type: ignore[no-any-return]
        derived = _ChainedPromise(self._reader._jobs)
        ongoing._handled_by(ThenReaction(ongoing, steps, steps, derived))
        return derived

    def _next_steps(self, _: Any) -> Promise[Any]:
        """Web IDL: "get the next iteration result"."""
        reader = self._reader
        stream = reader._stream
        if self._finished or stream is None:
            self._finished = True
            ended = _ChainedPromise(reader._jobs)
            ended._fulfill(END_OF_ITERATION)
            return ended
        promise: IterationPromise[Any] = IterationPromise(reader, stream)
        reader._read(promise)
        return promise

    def _return_steps(self, _: Any) -> Promise[Any]:
        """Web IDL: "asynchronous iterator return"."""
        if self._finished or self._reader._stream is None:
            self._finished = True
            return promise_resolved_with(self._reader._jobs)
        return self._leave().then(_ignore)

    def _leave(self) -> Promise[Any]:
        self._finished = True
        reader = self._reader
        waiting = [each for each in reader._read_requests if isinstance(each, IterationPromise)]
        result: Promise[Any] = promise_resolved_with(reader._jobs)
        if not self._prevent_cancel:
            result = reader._generic_cancel(None)
        else:
            for request in waiting:
                reader._read_requests.remove(request)
                request.close_steps()
        if reader._stream is not None:
            reader._release()
        return result

    async def __aenter__(self) -> Self:
        """Give the iterator itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave the iteration, as `aclose` does."""
        await self.aclose()

    def __del__(self) -> None:
        """Leave the iteration when nobody refers to the iterator any more: ``async for`` was left early."""
        reader = getattr(self, "_reader", None)
        if reader is None or self._finished or reader._stream is None or reader._jobs.loop.is_closed():
            return
        if reader._jobs.is_running():
            errored = reader._stream._state == "errored"
            result = self._leave()
            if errored:
                result._mark_handled()
        else:
            reader._jobs.loop.call_soon_threadsafe(partial(_leave_later, reader, self._prevent_cancel))


class _ChainedPromise(Promise[Any]):
    """A promise of the iterator that is not a read itself."""

    __slots__ = ()

    def result(self) -> Any:
        """Give the chunk, or raise `StopAsyncIteration` or the error."""
        if self._state == FULFILLED and self._value is END_OF_ITERATION:
            _stop()
        return super().result()


def _stop() -> NoReturn:
    raise StopAsyncIteration


def _ignore(_: Any) -> None:
    return None


def _leave_later(reader: ReadableStreamDefaultReader[Any], prevent_cancel: bool) -> None:
    if reader._stream is not None:
        ReadableStreamAsyncIterator(reader, prevent_cancel)._leave()
