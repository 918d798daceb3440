"""ReadableStreamDefaultTee: one stream read once, into two branches (4.9.1)."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar
from weakref import ReferenceType, ref

from ..._engine.promise import AlgorithmPromise, Promise
from ..._platform.errors import AbortError
from ..._platform.idl import INTERNAL
from ..holder import TEE
from ..part import Part
from .controller import ReadableStreamDefaultController
from .reader import ReadableStreamDefaultReader
from .source import Source
from .state import ReadableStreamState, ReadRequest


class TeeBranch(Source):
    """The algorithms of one branch."""

    __slots__ = ("index", "tee")

    def __init__(self, tee: Tee, index: int) -> None:
        self.tee = tee
        # 0 or 1.
        self.index = index

    def pull(self, controller: Any) -> None:
        """pullAlgorithm, pull1Algorithm and pull2Algorithm"""
        self.tee.keep_while_waited_for(self.index, controller)
        self.tee.pull(self.index)

    def cancel(self, reason: object) -> Promise[None] | None:
        """cancel1Algorithm and cancel2Algorithm"""
        return self.tee.cancel(self.index, reason)


class Tee(Part):
    """What the tee of a default stream and that of a byte stream share: the branches and how they are cancelled.

    Lists of two stand for the Standard's pairs of variables (canceled1 and canceled2, ...).

    # Python: a branch that nobody refers to is collected, with its queue, and counts as cancelled. So the tee refers to
    # the branches weakly, except while a read of one waits: a pipe out of it may be all that goes on.
    """

    __slots__ = ("_kept", "_weak", "cancel_promise", "canceled", "reading", "reasons", "stream")
    # Links; and what moves when a branch is cancelled, after which there are no periods.
    _constant: ClassVar[tuple[str, ...]] = ("_weak", "cancel_promise", "canceled", "reasons", "stream")

    def __init__(self, stream: ReadableStreamState[Any]) -> None:
        self.stream = stream
        self.reading = False
        self.canceled = [False, False]
        self.reasons: list[object] = [None, None]
        self._weak: list[ReferenceType[Any]] = []
        self._kept: list[Any] = [None, None]
        self.cancel_promise: Promise[None] = AlgorithmPromise(stream._jobs)

    def add_branch(self, controller: Any) -> None:
        """Set up a branch."""
        index = len(self._weak)
        # The stream and its controller keep each other, and what is compiled cannot be referred to weakly.
        self._weak.append(ref(controller._stream, partial(self._was_dropped, index)))

    @property
    def controllers(self) -> list[Any]:
        """The controllers of the branches; one that does nothing for a branch that was dropped."""
        return [_DROPPED if stream is None else stream._controller for stream in self.branches()]

    def branches(self) -> list[ReadableStreamState[Any] | None]:
        """Return the branches; None for one that was dropped."""
        return [weak() for weak in self._weak]

    def keep_while_waited_for(self, index: int, controller: Any) -> None:
        """Keep a branch alive while a read waits for a chunk."""
        reader = controller._stream._reader
        self._kept[index] = controller if reader is not None and reader._read_requests else None

    def keep_no_longer(self) -> None:
        """A chunk was passed on, or the end: look anew which branches are waited for."""
        for index, controller in enumerate(self._kept):
            if controller is not None:
                self.keep_while_waited_for(index, controller)

    def _was_dropped(self, index: int, _: object) -> None:
        self.stream._jobs.push_of_collected(partial(self._cancel_dropped, index))

    def _cancel_dropped(self, index: int) -> None:
        if not self.canceled[index] and self.stream._state == "readable":
            self.cancel(index, AbortError("the branch of the tee was dropped"))

    def pull(self, index: int) -> None:
        """Read the next chunk for both branches."""
        raise NotImplementedError

    def cancel(self, index: int, reason: object) -> Promise[None] | None:
        """Cancel one branch; with the second one the stream is cancelled, with both reasons.

        # Python: who leaves a branch does not wait for the reader of the other one (`leave_with`).
        """
        self.canceled[index] = True
        self.reasons[index] = reason
        jobs = self.stream._jobs
        if all(self.canceled):
            self.resolve_cancel_promise(self.stream._cancel(list(self.reasons)))
        elif jobs.leaving:
            return None
        else:
            jobs.half_cancels += 1
        return self.cancel_promise

    def resolve_cancel_promise(self, value: Any = None) -> None:
        """Resolve cancelPromise, unless it is settled."""
        if not self.cancel_promise.done():
            self.cancel_promise._resolve_with(value)

    def reader_errored(self, error: object) -> None:
        """Error both branches as the stream is errored."""
        for controller in self.controllers:
            controller._error(error)
        self.keep_no_longer()
        self.resolve_cancel_promise_unless_both_canceled()

    def resolve_cancel_promise_unless_both_canceled(self) -> None:
        """Settle what the cancellation of one branch waits for, at the end of the stream."""
        if not all(self.canceled):
            self.resolve_cancel_promise()


class _DroppedController:
    """Stands for the controller of a branch that was collected."""

    _pending_pull_intos = ()

    def _enqueue(self, chunk: object) -> None: ...
    def _close(self) -> None: ...
    def _error(self, error: object) -> None: ...
    def _respond_with_new_view(self, view: object, given: object) -> None: ...

    def _get_byob_request(self) -> None:
        return None


_DROPPED = _DroppedController()


class DefaultTee(Tee, ReadRequest):
    """The tee of a stream of any chunks; its own read request."""

    __slots__ = ("_passing", "read_again", "reader")
    _constant: ClassVar[tuple[str, ...]] = ("reader",)
    _chunk_slots: ClassVar[tuple[str, ...]] = ("_passing",)

    def __init__(
        self,
        stream: ReadableStreamState[Any],
        branch1: ReadableStreamState[Any],
        branch2: ReadableStreamState[Any],
    ) -> None:
        super().__init__(stream)
        self.reader = ReadableStreamDefaultReader(stream)
        self.reader._holder = TEE
        self.reader._consumer = self
        self.read_again = False
        self._passing: Any = None
        for index, branch in enumerate((branch1, branch2)):
            self.add_branch(ReadableStreamDefaultController(INTERNAL, branch, TeeBranch(self, index), 1, None))
        self.reader.closed._react(None, self.reader_errored)

    def pull(self, index: int) -> None:
        """pullAlgorithm"""
        if self.reading:
            self.read_again = True
            return
        self.reading = True
        self.reader._read(self)

    def chunk_steps(self, chunk: Any) -> None:
        """Pass the chunk on a job later: errors, which take as long to be seen, come first."""
        self._passing = chunk
        self.stream._jobs.push(self._pass_on_chunk)

    def _pass_on_chunk(self) -> None:
        chunk, self._passing = self._passing, None
        self._pass_on(chunk)

    def _pass_on(self, chunk: Any) -> None:
        self.read_again = False
        for canceled, controller in zip(self.canceled, self.controllers, strict=True):
            if not canceled:
                controller._enqueue(chunk)
        self.keep_no_longer()
        self.reading = False
        if self.read_again:
            self.pull(0)

    def close_steps(self, chunk: Any = None) -> None:
        """Close the branches."""
        self.reading = False
        for canceled, controller in zip(self.canceled, self.controllers, strict=True):
            if not canceled:
                controller._close()
        self.keep_no_longer()
        self.resolve_cancel_promise_unless_both_canceled()

    def error_steps(self, error: object) -> None:
        """The branches are errored by the reader's closed promise."""
        self.reading = False
