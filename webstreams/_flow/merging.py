"""`merge` and `concat`: the chunks of several streams in one."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, TypeVar, overload

from .._streams.readable.controller import ReadableStreamDefaultController
from .._streams.readable.stream import ReadableStream
from .combining import Combination
from .inputs import Input

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")


@overload
def merge(first: ReadableStream[A], second: ReadableStream[B], /) -> ReadableStream[A | B]: ...
@overload
def merge(
    first: ReadableStream[A], second: ReadableStream[B], third: ReadableStream[C], /
) -> ReadableStream[A | B | C]: ...
@overload
def merge(
    first: ReadableStream[A], second: ReadableStream[B], third: ReadableStream[C], fourth: ReadableStream[D], /
) -> ReadableStream[A | B | C | D]: ...
@overload
def merge(
    first: ReadableStream[A],
    second: ReadableStream[B],
    third: ReadableStream[C],
    fourth: ReadableStream[D],
    fifth: ReadableStream[E],
    /,
) -> ReadableStream[A | B | C | D | E]: ...
@overload
def merge(*streams: ReadableStream[T]) -> ReadableStream[T]: ...
def merge(*streams: ReadableStream[Any]) -> ReadableStream[Any]:
    """Make one stream of the chunks of several, in the order in which they come.

    All inputs are read at the same time, each one chunk ahead at the most, and none before the first read. The chunk
    that has waited longest is given first, so that an input that always has more keeps no other from its turn.
    The stream closes when all inputs have. The error of one errors the stream at once, and cancels all the others with
    it; ``cancel(reason)`` cancels all of them with the same reason, and is done when they are. No lock is left at the
    end.

    Raises `TypeError`, and locks nothing, for a non-stream, a locked stream and one that is given twice. Not in the
    Standard.

    >>> import asyncio
    >>> from webstreams import ReadableStream, merge
    >>> async def main() -> None:
    ...     letters, numbers = ReadableStream.from_("ab".split()), ReadableStream.from_([1, 2])
    ...     print(sorted(map(str, await merge(letters, numbers).list())))
    >>> asyncio.run(main())
    ['1', '2', 'ab']
    """
    return _Merge(streams).readable


class _Merge(Combination):
    """One read of each input at a time."""

    function = "merge"

    def __init__(self, streams: Sequence[Any]) -> None:
        # Chunks that came when none was asked for, in their order, and the inputs without a read under way.
        self._chunks: deque[tuple[Input, Any]] = deque()
        self._idle: deque[Input] = deque()
        self._wanted = False
        super().__init__(streams)
        self._idle.extend(self._inputs)

    def pull(self, controller: ReadableStreamDefaultController[Any]) -> None:
        """Enqueue the chunk that has waited longest, and read from every input."""
        self._wanted = True
        if self._chunks:
            source, chunk = self._chunks.popleft()
            self._give(source, chunk)
        for _ in range(len(self._idle)):
            if self._idle:  # an error has cancelled them all
                self._idle.popleft().read()

    def arrived(self, source: Input, chunk: Any) -> None:
        """Enqueue a chunk, or keep it until one is asked for."""
        if self._wanted:
            self._give(source, chunk)
        else:
            self._chunks.append((source, chunk))

    def _give(self, source: Input, chunk: Any) -> None:
        self._wanted = False
        self._idle.append(source)
        self._controller.enqueue(chunk)

    def ended(self, source: Input) -> None:
        """Go on with the others; none of them has ended whose chunk is still here."""
        del self._inputs[source]
        if not self._inputs:
            self._controller.close()

    def _cancel_inputs(self, reason: object) -> Any:
        self._chunks.clear()
        self._idle.clear()
        return super()._cancel_inputs(reason)


@overload
def concat(first: ReadableStream[A], second: ReadableStream[B], /) -> ReadableStream[A | B]: ...
@overload
def concat(
    first: ReadableStream[A], second: ReadableStream[B], third: ReadableStream[C], /
) -> ReadableStream[A | B | C]: ...
@overload
def concat(
    first: ReadableStream[A], second: ReadableStream[B], third: ReadableStream[C], fourth: ReadableStream[D], /
) -> ReadableStream[A | B | C | D]: ...
@overload
def concat(
    first: ReadableStream[A],
    second: ReadableStream[B],
    third: ReadableStream[C],
    fourth: ReadableStream[D],
    fifth: ReadableStream[E],
    /,
) -> ReadableStream[A | B | C | D | E]: ...
@overload
def concat(*streams: ReadableStream[T]) -> ReadableStream[T]: ...
def concat(*streams: ReadableStream[Any]) -> ReadableStream[Any]:
    """Make one stream of the chunks of several, one stream after the other.

    A chunk is read when one is asked for, never ahead. All inputs are locked from now on: an error of one errors the
    stream, and cancels with it those that have not had their turn; ``cancel(reason)`` cancels what is left with the
    same reason. No lock is left at the end.

    Raises `TypeError`, and locks nothing, for a non-stream, a locked stream and one that is given twice. Not in the
    Standard.

    >>> import asyncio
    >>> from webstreams import ReadableStream, concat
    >>> async def main() -> None:
    ...     print(await concat(ReadableStream.from_([1, 2]), ReadableStream.from_([3])).list())
    >>> asyncio.run(main())
    [1, 2, 3]
    """
    return _Concat(streams).readable


class _Concat(Combination):
    """Reads the first input that has not ended."""

    function = "concat"

    def __init__(self, streams: Sequence[Any]) -> None:
        self._wanted = False
        self._reading = False
        # Something on the stack reads: thousands of inputs that are closed already must not be a recursion.
        self._going_on = False
        super().__init__(streams)

    def pull(self, controller: ReadableStreamDefaultController[Any]) -> None:
        """Read one chunk."""
        self._wanted = True
        self._go_on()

    def _go_on(self) -> None:
        if self._going_on:
            return
        self._going_on = True
        while self._wanted and self._inputs and not self._reading:
            self._reading = True
            next(iter(self._inputs)).read()
        self._going_on = False
        if not self._inputs and self._cancelling is None:
            self._controller.close()

    def arrived(self, source: Input, chunk: Any) -> None:
        """Enqueue the chunk."""
        self._reading = self._wanted = False
        self._controller.enqueue(chunk)

    def ended(self, source: Input) -> None:
        """Go on with the next one."""
        self._reading = False
        del self._inputs[source]
        self._go_on()
