"""`channel`: what is written at one end is read at the other, with a queue that has a limit in between."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf
from typing import Any

from typing_extensions import TypeVar

from .._engine.promise import Promise, promise_rejected_with, promise_resolved_with
from .._platform.errors import goes_through, stored_error
from .._streams.door import takes_chunks
from .._streams.readable.controller import ReadableStreamDefaultController
from .._streams.readable.operators.checks import require_plain_function
from .._streams.readable.stream import ReadableStream
from .._streams.transform.stream import TransformStream
from .._streams.writable.controller import WritableStreamDefaultController
from .._streams.writable.stream import WritableStream
from .._streams.writable.writer import WritableStreamDefaultWriter
from .policies import Lagged, Policy, checked_mark, checked_policy, checked_size, size_of

T = TypeVar("T", default=Any)


def channel(
    high_water_mark: float = 16,
    *,
    size: Callable[[T], float] | None = None,
    policy: Policy = "wait",
    on_drop: Callable[[T], object] | None = None,
) -> tuple[WritableStream[T], ReadableStream[T]]:
    """Make two ends: what is written into the first is read from the second, in the same order.

    The queue between them takes chunks while it is below `high_water_mark`, measured by `size` (by default 1 for each
    chunk). A write is done when its chunk is in the queue or was read. When the queue is full, `policy` decides:

    - "wait": the write waits, and so does ``ready``. Nothing is lost.
    - "drop-oldest", "drop-newest": the write is done at once; the chunk that has waited longest, or the new one, is
      dropped and given to ``on_drop(chunk)``, a plain function. ``ready`` never waits.
    - "error": both ends are errored with `Lagged`, and what is queued is dropped.

    Closing the writable end closes the readable one after what is queued; aborting it errors that at once. Cancelling
    the readable end errors the writable one with the same reason.

    `on_drop` can be given with every policy, as one may come from a setting; "wait" and "error" never call it. Raises
    `TypeError` and `ValueError` for arguments that cannot be used. Not in the Standard.

    >>> import asyncio
    >>> from webstreams import channel
    >>> async def main() -> None:
    ...     writable, readable = channel(2, policy="drop-oldest", on_drop=lambda chunk: print("dropped", chunk))
    ...     async with writable.get_writer() as writer:
    ...         for number in range(4):
    ...             await writer.write(number)
    ...     print(await readable.list())
    >>> asyncio.run(main())
    dropped 0
    dropped 1
    [2, 3]
    """
    mark = checked_mark(high_water_mark, "channel()")
    measure, chosen = checked_size(size, "channel()"), checked_policy(policy, "channel()")
    if on_drop is not None:
        require_plain_function(on_drop, "channel(): on_drop")
    if chosen == "wait":
        # Without a transformer, a write is done when its chunk is in the queue of the readable side.
        transform: TransformStream[Any, Any] = TransformStream(
            None, {"high_water_mark": 1}, {"high_water_mark": mark, "size": measure}
        )
        return transform.writable, transform.readable
    lossy = _LossyChannel(mark, measure, chosen, on_drop)
    return lossy.writable, lossy.readable


class _LossyChannel:
    """The queue of a channel that never makes a writer wait."""

    stage_name = "channel()"

    _source: ReadableStreamDefaultController[Any]
    _sink: WritableStreamDefaultController

    def __init__(
        self,
        mark: float,
        size: Callable[[Any], float] | None,
        policy: Policy,
        on_drop: Callable[[Any], object] | None,
    ) -> None:
        self._mark = mark
        self._size = size
        self._policy = policy
        self._on_drop = on_drop
        self._queue: deque[tuple[Any, float]] = deque()
        self._total: float = 0
        self._is_wanted = False
        self._is_closing = False
        self.readable: ReadableStream[Any] = ReadableStream(
            {"start": self._start_readable, "pull": self._pull, "cancel": self._cancel}, {"high_water_mark": 0}
        )
        self.writable: WritableStream[Any] = _LossyWritable(
            self.write,
            {"start": self._start_writable, "write": self._write, "close": self._close, "abort": self._abort},
            {"high_water_mark": inf},
        )

    def _start_readable(self, controller: ReadableStreamDefaultController[Any]) -> None:
        self._source = controller

    def _start_writable(self, controller: WritableStreamDefaultController) -> None:
        self._sink = controller

    # The readable end.

    def _pull(self, controller: ReadableStreamDefaultController[Any]) -> None:
        if not self._queue:
            self._is_wanted = True
            return
        controller.enqueue(self._take())
        if self._is_closing and not self._queue:
            controller.close()

    def _cancel(self, reason: object) -> None:
        self._queue.clear()
        if not self._is_closing:
            self._sink.error(reason)

    # The writable end.

    def write(self, chunk: Any) -> None:
        """Take a chunk of a writer at once; what this raises errors both ends."""
        try:
            self._offer(chunk)
        except BaseException as error:
            stored = stored_error(error)
            self._abort(stored)
            self._sink.error(stored)
            if stored is error or goes_through(error):
                raise
            raise stored from error

    def _write(self, chunk: Any, controller: WritableStreamDefaultController) -> None:
        self.write(chunk)

    def _close(self) -> None:
        self._is_closing = True
        if not self._queue:
            self._source.close()

    def _abort(self, reason: object) -> None:
        self._queue.clear()
        self._source.error(reason)

    # The queue.

    def _offer(self, chunk: Any) -> None:
        size = size_of(chunk, self._size)
        if self._is_wanted:
            self._is_wanted = False
            self._source.enqueue(chunk)
            return
        while self._is_full() and self._queue and self._policy == "drop-oldest":
            self._drop(self._take())
        if not self._is_full():
            self._queue.append((chunk, size))
            self._total += size
        elif self._policy == "error":
            raise Lagged(len(self._queue) + 1)
        else:
            self._drop(chunk)

    def _is_full(self) -> bool:
        return self._total >= self._mark

    def _take(self) -> Any:
        chunk, size = self._queue.popleft()
        self._total = self._total - size if self._queue else 0  # they are added and subtracted in floating point
        return chunk

    def _drop(self, chunk: Any) -> None:
        if self._on_drop is not None:
            self._on_drop(chunk)


class _LossyWritable(WritableStream[Any]):
    """The writable end of a channel that drops: it has no queue of its own, however much is written in one turn."""

    __slots__ = ("take",)

    def __init__(self, take: Callable[[Any], None], sink: Any, strategy: Any) -> None:
        self.take = take
        super().__init__(sink, strategy)

    def get_writer(self) -> WritableStreamDefaultWriter[Any]:
        """Lock the stream to a new writer."""
        return _LossyWriter(self)


class _LossyWriter(WritableStreamDefaultWriter[Any]):
    """A writer whose chunks do not wait until earlier writes are done."""

    __slots__ = ()

    def write(self, chunk: Any = None) -> Promise[None]:
        """Put a chunk into the channel, or drop one."""
        self._jobs.require_running()
        stream = self._stream
        if not isinstance(stream, _LossyWritable) or not takes_chunks(stream):
            return super().write(chunk)  # which says what is wrong
        try:
            stream.take(chunk)
        except Exception as error:
            return promise_rejected_with(self._jobs, error, "write() to", stream)
        return promise_resolved_with(self._jobs)
