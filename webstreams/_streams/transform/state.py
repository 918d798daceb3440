"""The state of a transform stream (6.2.2, 6.4.1): the two sides, and the backpressure between them.

While the readable side is full (`_backpressure`), a write waits. Its pull() ends the backpressure and lets the write
go on; the write's enqueue() fills the queue and starts it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NoReturn

from ..._debug.repr import show, summary
from ..._engine.jobs import JobQueue
from ..._engine.promise import AlgorithmPromise
from ..._platform.errors import throw
from ..._platform.mypyc import mypyc_attr
from ..part import Part
from ..readable.controller import ReadableStreamDefaultController
from ..readable.state import ReadableStreamState
from ..writable.controller import WritableStreamDefaultController
from ..writable.state import WritableStreamState
from .transformer import Transformer


class TransformController(Part):
    """What a transform stream needs of its controller (6.3.2 and 6.4.2)."""

    __slots__ = ("_finish_promise", "_transformer")
    # They move at the end only, when there are no periods any more.
    _constant: ClassVar[tuple[str, ...]] = ("_finish_promise", "_transformer")

    # The transform, flush and cancel algorithms; None once they are cleared.
    _transformer: Transformer | None
    _finish_promise: AlgorithmPromise[None] | None

    def _clear_algorithms(self) -> None:
        """TransformStreamDefaultControllerClearAlgorithms"""
        raise NotImplementedError

    def _enqueue(self, chunk: Any) -> None:
        """TransformStreamDefaultControllerEnqueue"""
        raise NotImplementedError

    def _get_desired_size(self) -> float | None:
        """Return how much more the readable side wants."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class TransformStreamState(Part):
    """The internal slots of a transform stream, and the operations that move them."""

    __slots__ = (
        "_backpressure",
        "_backpressure_change",
        "_controller",
        "_jobs",
        "_readable",
        "_readable_controller",
        "_writable",
        "_writable_controller",
    )
    _constant: ClassVar[tuple[str, ...]] = (
        "_controller",
        "_jobs",
        "_readable",
        "_readable_controller",
        "_writable",
        "_writable_controller",
    )

    _controller: TransformController
    _readable: ReadableStreamState[Any]
    _readable_controller: ReadableStreamDefaultController[Any]
    _writable: WritableStreamState[Any]
    _writable_controller: WritableStreamDefaultController

    def __init__(self, jobs: JobQueue) -> None:
        self._backpressure = True
        self._jobs = jobs
        # Python: [[backpressureChangePromise]] has one reaction at most (the waiting write, or the pull): that is
        # kept instead.
        self._backpressure_change: Callable[[], object] | None = None

    def _error(self, error: object) -> None:
        """TransformStreamError"""
        self._readable_controller._error(error)
        self._error_writable_and_unblock_write(error)

    def _error_writable_and_unblock_write(self, error: object) -> None:
        """TransformStreamErrorWritableAndUnblockWrite"""
        self._controller._clear_algorithms()
        self._writable_controller._error_if_needed(error)
        self._unblock_write()

    def _unblock_write(self) -> None:
        """TransformStreamUnblockWrite"""
        if self._backpressure:
            set_backpressure(self, False)

    def _throw_readable_error(self) -> NoReturn:
        throw(self._readable._stored_error)

    # Debugging.

    def __repr__(self) -> str:
        """Show both sides."""
        return show(self, self._details())

    def _details(self) -> Iterator[str]:
        yield f"from {self._writable!r} to {self._readable!r}"
        yield from self._show_backpressure()

    def _summary(self) -> Iterator[str]:
        yield f"from {summary(self._writable)} to {summary(self._readable)}"
        yield from self._show_backpressure()

    def _show_backpressure(self) -> Iterator[str]:
        if self._backpressure and self._readable._state == "readable":
            yield "backpressure"


# Operations that are called for every chunk. Compiled code calls functions directly, but not the methods of a class
# that has interpreted subclasses.


def set_backpressure(stream: TransformStreamState, backpressure: bool) -> None:
    """TransformStreamSetBackpressure"""
    change = stream._backpressure_change
    if change is not None:
        stream._backpressure_change = None
        stream._jobs.push(change)
    stream._backpressure = backpressure
