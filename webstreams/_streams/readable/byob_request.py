"""Section 4.8: ReadableStreamBYOBRequest."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, NoReturn

from ..._debug.repr import show, show_count, summary
from ..._engine.jobs import JobQueue
from ..._platform.buffer import is_released, open_view
from ..._platform.idl import INTERNAL, refuse_constructor, to_enforced_integer
from ..._platform.mypyc import mypyc_attr, trait
from ..._platform.staying import refuse_pickling
from .state import ReadableStreamState


@trait
@mypyc_attr(allow_interpreted_subclasses=True)
class Responding:
    """What a request is answered to: its ReadableByteStreamController, or what stands for that in the end."""

    __slots__ = ()

    _jobs: JobQueue
    _stream: ReadableStreamState[Any]

    @abstractmethod
    def _respond(self, bytes_written: int) -> None:
        """ReadableByteStreamControllerRespond"""

    @abstractmethod
    def _respond_with_new_view(self, view: memoryview, given: Any) -> None:
        """ReadableByteStreamControllerRespondWithNewView"""


class ReadableStreamBYOBRequest:
    """One request of a reader to fill its own memory. Streams Standard, 4.8.

    An underlying byte source finds it as ``controller.byob_request``, writes into its `view` and calls `respond`.
    """

    __slots__ = ("__weakref__", "_controller", "_view")

    def __init__(
        self, token: object = None, controller: Any = None, view: memoryview | None = None, *_: Any, **__: Any
    ) -> None:
        if token is not INTERNAL:
            raise refuse_constructor("ReadableStreamBYOBRequest")
        self._controller: Responding | None = controller
        self._view = view

    def __reduce__(self) -> NoReturn:
        """Refuse pickling and copying. Raises `TypeError`."""
        refuse_pickling(self)

    @property
    def view(self) -> memoryview | None:
        """The memory to write into: a writable memoryview of format "B"; None once the request was answered."""
        return self._view

    def respond(self, bytes_written: int) -> None:
        """Say that so many bytes were written to the beginning of `view`, which is released.

        Raises `TypeError` for anything other than a non-negative integer, when the request was answered before, when
        `view` was released, when 0 bytes are given to a readable stream or more than 0 to a closed one; `ValueError`
        for more bytes than `view` has.
        """
        written = to_enforced_integer(bytes_written, "bytes_written")
        controller = self._require_valid()
        try:
            len(self._view)  # type: ignore[arg-type]  # is_released(), without the call; it has one as long as it is valid
        except ValueError:
            raise TypeError("cannot respond: the request's view was released") from None
        controller._respond(written)

    def respond_with_new_view(self, view: Any) -> None:
        """Say that the bytes are in `view`: a view that begins where the request's does, in memory of the same size.

        It takes the place of the request's view; a memoryview is released. Raises `TypeError` for anything other than a
        writable C-contiguous buffer, when the request was answered before, or for an empty view of a readable or a
        filled one of a closed stream; `ValueError` when place, capacity or length do not fit the request.
        """
        own = open_view(view, "the view")
        if own.readonly:
            raise TypeError("the view must be writable")
        controller = self._require_valid()
        controller._respond_with_new_view(own, view)

    def __repr__(self) -> str:
        """Show the stream, and how much there is to fill."""
        return show(self, self._details())

    def _details(self) -> Iterator[str]:
        if self._controller is None or self._view is None:
            yield "answered"
            return
        yield f"of {summary(self._controller._stream)}"
        yield "view released" if is_released(self._view) else f"{show_count(self._view.nbytes, 'byte')} to fill"

    def _require_valid(self) -> Responding:
        controller = self._controller
        if controller is None:
            raise TypeError("this BYOB request was answered already, or its read was cancelled")
        controller._jobs.require_running()
        return controller

    def _expect_nothing(self) -> None:
        """The stream was closed and has finished the request: the user may still respond, with nothing."""
        assert self._controller is not None
        self._controller = ClosedRequest(self, self._controller)

    def _invalidate(self) -> None:
        view, self._view = self._view, None
        self._controller = None
        if view is not None:
            try:
                view.release()
            except BufferError:
                pass  # the user still has views of the view: they cannot be taken away


class ClosedRequest(Responding):
    """Stands for the controller of a request that is finished; the user has to respond with nothing."""

    __slots__ = ("_jobs", "_request", "_stream")

    def __init__(self, request: ReadableStreamBYOBRequest, controller: Responding) -> None:
        self._request = request
        self._jobs = controller._jobs
        self._stream = controller._stream

    def _respond(self, bytes_written: int) -> None:
        if bytes_written != 0:
            raise TypeError(f"bytes_written must be 0 on a closed stream, not {bytes_written}")
        self._request._invalidate()

    def _respond_with_new_view(self, view: memoryview, given: Any) -> None:
        if view.nbytes != 0:
            raise TypeError(f"the view must be empty on a closed stream, it has {view.nbytes} bytes")
        self._request._invalidate()
