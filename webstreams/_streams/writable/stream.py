"""Section 5.2: WritableStream, which puts all the parts together."""

from __future__ import annotations

from typing import Any, Final

from typing_extensions import TypeVar

from ... import types
from ..._debug.watches import warn_of_mistakes
from ..._engine.jobs import current_jobs
from ..._engine.promise import Promise, promise_rejected_with
from ..._platform.idl import INTERNAL
from ..._platform.mistakes import SINK, STRATEGY, unknown_members
from ..holder import show_holder
from ..strategy import SizeAlgorithm, StrategyMembers, convert_strategy, extract_high_water_mark, extract_size_algorithm
from .controller import WritableStreamDefaultController
from .sink import Sink, UnderlyingSink
from .state import WritableStreamState
from .writer import WritableStreamDefaultWriter

T = TypeVar("T", default=Any, contravariant=True)

# Given as the underlying sink: make a stream without a controller.
BLANK: Final[Any] = object()


class WritableStream(WritableStreamState[T]):
    """A destination for chunks, which are handed to its sink one by one. Streams Standard, 5.2.

    `underlying_sink` is an object with the members as attributes, or a mapping with them as keys: `start`, `write`,
    `close` and `abort`. `strategy` has `high_water_mark` (by default 1 chunk) and `size`. The next call of a member
    is made when the last one is done.

    Raises `TypeError` and `ValueError` for arguments that cannot be used, and what the sink's ``start()`` raises;
    `RuntimeError` when no event loop runs in this thread.

    >>> import asyncio
    >>> from webstreams import WritableStream
    >>> async def main() -> None:
    ...     stream = WritableStream({"write": lambda chunk, controller: print(chunk)})
    ...     async with stream.get_writer() as writer:
    ...         await writer.write("a chunk")
    >>> asyncio.run(main())
    a chunk
    """

    __slots__ = ("__weakref__",)

    def __init__(
        self,
        underlying_sink: types.UnderlyingSink[T] | None = None,
        strategy: types.QueuingStrategy[T] | None = None,
    ) -> None:
        super().__init__(current_jobs())
        if underlying_sink is BLANK:
            return
        strategy_members = convert_strategy(strategy)
        sink = UnderlyingSink(underlying_sink)
        if self._jobs.loop.get_debug():
            warn_of_mistakes(self._jobs, unknown_members((SINK, underlying_sink), (STRATEGY, strategy)))
        self._set_up_controller(sink, strategy_members)

    def _set_up_controller(self, sink: UnderlyingSink, strategy: StrategyMembers) -> None:
        """SetUpWritableStreamDefaultControllerFromUnderlyingSink"""
        size_algorithm = extract_size_algorithm(strategy)
        high_water_mark = extract_high_water_mark(strategy, 1)
        WritableStreamDefaultController(INTERNAL, self, sink, high_water_mark, size_algorithm)

    @property
    def locked(self) -> bool:
        """Whether a writer or a pipe has the stream for itself."""
        return self._is_locked()

    def abort(self, reason: object = None) -> Promise[None]:
        """Give up: drop what is queued, error the stream with `reason` (any object) and call the sink's
        ``abort(reason)``.

        The promise is settled as that call is. Rejected with `TypeError` when the stream is locked. Streams Standard,
        5.2.4.
        """
        self._jobs.require_running()
        if self._is_locked():
            return promise_rejected_with(self._jobs, self._locked_error("abort"), "abort() of", self)
        return self._abort(reason)

    def close(self) -> Promise[None]:
        """Close the stream after everything that was written; fulfilled when the sink's ``close()`` is done.

        Rejected with `TypeError` when the stream is locked, closed, closing or errored. Streams Standard, 5.2.4.
        """
        self._jobs.require_running()
        if self._is_locked():
            return promise_rejected_with(self._jobs, self._locked_error("close"), "close() of", self)
        if self._close_queued_or_in_flight():
            error = TypeError("cannot close: the stream is closing already")
            return promise_rejected_with(self._jobs, error, "close() of", self)
        return self._close()

    def get_writer(self) -> WritableStreamDefaultWriter[T]:
        """Lock the stream to a new writer. Raises `TypeError` when it is locked. Streams Standard, 5.2.4."""
        return WritableStreamDefaultWriter(self)  # AcquireWritableStreamDefaultWriter

    def _is_locked(self) -> bool:
        """IsWritableStreamLocked"""
        return self._writer is not None

    def _locked_error(self, action: str) -> TypeError:
        return TypeError(f"cannot {action} the stream: it is locked to {show_holder(self._writer)}")


def create_writable_stream(
    sink: Sink,
    high_water_mark: float = 1,
    size_algorithm: SizeAlgorithm | None = None,
    stream: WritableStream[Any] | None = None,
) -> WritableStream[Any]:
    """CreateWritableStream"""
    if stream is None:
        stream = WritableStream(BLANK)
    WritableStreamDefaultController(INTERNAL, stream, sink, high_water_mark, size_algorithm)
    return stream
