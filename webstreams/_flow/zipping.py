"""`zip_streams`: one chunk of each stream at a time, as a tuple."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeVar, overload

from .._debug.repr import Marker
from .._engine.door import react
from .._engine.promise import Promise
from .._platform.stages import note_stage
from .._streams.readable.controller import ReadableStreamDefaultController
from .._streams.readable.stream import ReadableStream
from .combining import Combination
from .inputs import Input

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")
T = TypeVar("T")

_NOTHING: Final = Marker("no chunk")


@overload
def zip_streams(first: ReadableStream[A], /, *, strict: bool = False) -> ReadableStream[tuple[A]]: ...
@overload
def zip_streams(
    first: ReadableStream[A], second: ReadableStream[B], /, *, strict: bool = False
) -> ReadableStream[tuple[A, B]]: ...
@overload
def zip_streams(
    first: ReadableStream[A], second: ReadableStream[B], third: ReadableStream[C], /, *, strict: bool = False
) -> ReadableStream[tuple[A, B, C]]: ...
@overload
def zip_streams(
    first: ReadableStream[A],
    second: ReadableStream[B],
    third: ReadableStream[C],
    fourth: ReadableStream[D],
    /,
    *,
    strict: bool = False,
) -> ReadableStream[tuple[A, B, C, D]]: ...
@overload
def zip_streams(
    first: ReadableStream[A],
    second: ReadableStream[B],
    third: ReadableStream[C],
    fourth: ReadableStream[D],
    fifth: ReadableStream[E],
    /,
    *,
    strict: bool = False,
) -> ReadableStream[tuple[A, B, C, D, E]]: ...
@overload
def zip_streams(*streams: ReadableStream[T], strict: bool = False) -> ReadableStream[tuple[T, ...]]: ...
def zip_streams(*streams: ReadableStream[Any], strict: bool = False) -> ReadableStream[tuple[Any, ...]]:
    """Make a stream of tuples that have one chunk of each stream, as ``zip()`` does.

    All inputs are read at the same time when a tuple is asked for, never ahead. The first that closes ends the stream:
    the others are cancelled, without a reason, and the chunks that they gave for the last, unfinished tuple are lost.
    With `strict` it errors the stream with `ValueError` and cancels the others, unless all close together. An
    error of one errors the stream at once and cancels the others with it; ``cancel(reason)`` cancels all with the same
    reason. No lock is left at the end.

    Raises `TypeError`, and locks nothing, for a non-stream, a locked stream and one that is given twice. Not in the
    Standard.

    >>> import asyncio
    >>> from webstreams import ReadableStream, zip_streams
    >>> async def main() -> None:
    ...     letters, numbers = ReadableStream.from_(["a", "b", "c"]), ReadableStream.from_([1, 2])
    ...     print(await zip_streams(letters, numbers).list())
    >>> asyncio.run(main())
    [('a', 1), ('b', 2)]
    """
    return _Zip(streams, bool(strict)).readable


class _Zip(Combination):
    """Fills one tuple at a time."""

    function = "zip_streams"

    def __init__(self, streams: Sequence[Any], strict: bool) -> None:
        self._strict = strict
        self._row: list[Any] = []
        self._missing = 0
        # The inputs that have closed, with `strict`.
        self._closed: list[Input] = []
        super().__init__(streams)
        # One whose chunk waits for those of the others is not asked for anything.
        for each in self._inputs:
            each.watch_failure()

    def pull(self, controller: ReadableStreamDefaultController[Any]) -> None:
        """Read a chunk of every input."""
        if self._row:
            return  # a tuple is under way; the next one is asked for when it is given
        self._missing = len(self._inputs)
        self._row = [_NOTHING] * self._missing
        for each in list(self._inputs):
            if self._cancelling is None:
                each.read()

    def arrived(self, source: Input, chunk: Any) -> None:
        """Put the chunk into its place."""
        self._row[source.index] = chunk
        if self._closed:
            self._fail_unequal()
            return
        self._missing -= 1
        if not self._missing:
            row, self._row = self._row, []
            self._controller.enqueue(tuple(row))

    def ended(self, source: Input) -> None:
        """End, or with `strict` see whether the others end too."""
        del self._inputs[source]
        if not self._strict:
            react(self._cancel_inputs(None), self._close, self._controller.error)
            return
        self._closed.append(source)
        if any(each is not _NOTHING for each in self._row):
            self._fail_unequal()
        elif not self._inputs:
            self._controller.close()

    def _close(self, _: object) -> None:
        if not self._output_cancelled:
            self._controller.close()

    def cancel(self, reason: object) -> Promise[None]:
        """Cancel every input with the same reason; done when all are."""
        self._output_cancelled = True
        return super().cancel(reason)

    _output_cancelled = False

    def _fail_unequal(self) -> None:
        """Say which arguments are of different length, as ``zip()`` does."""
        shorter = min(each.index for each in self._closed)
        longer = next(index for index, chunk in enumerate(self._row) if chunk is not _NOTHING)
        error = ValueError(f"zip_streams() argument {shorter + 1} is shorter than argument {longer + 1}")
        note_stage(error, self, "function")
        self._fail(error)
