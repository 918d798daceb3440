"""Writing to a stream from another stage of the library, without a promise and a job for each chunk.

Not in the Standard, where a write is done a job after the sink has returned, so that nobody is told of it in the midst
of a call. A stage that holds the lock of a stream and tells nobody of each write needs none of that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..._engine.callbacks import COMPLETED, callback_failed, callback_returned, outcome_of
from ..._engine.settling import Settled
from ..._platform.errors import goes_through
from .controller import WritableStreamDefaultController
from .sink import UnderlyingSink
from .state import WritableStreamState, update_backpressure
from .writer import WritableStreamDefaultWriter


class DirectWriter(Settled):
    """Writes to the stream of a writer, which nobody else uses.

    `make_request` is called for a write that takes longer than the call: it returns what is told of its end.
    """

    __slots__ = ("_controller", "_make_request", "_writer")

    def __init__(self, writer: WritableStreamDefaultWriter[Any], make_request: Callable[[], Settled]) -> None:
        self._writer = writer
        self._make_request = make_request
        # Known when a chunk goes to a user's sink at once, and nothing more is done with it than that.
        self._controller: WritableStreamDefaultController | None = None

    def write(self, chunk: Any) -> bool:
        """Write; return whether the sink has taken the chunk already.

        A sink that is busy, or is one of the library's own, is written to as always.
        """
        stream = self._writer._stream
        assert stream is not None
        controller = self._controller or self._find_controller(stream)
        sink = None if controller is None else controller._sink
        if (
            controller is None
            or sink is None
            or stream._state != "writable"
            or stream._in_flight_write_request is not None
            or stream._close_request is not None
            or controller._queue.chunks
        ):
            self._writer._write(chunk, self._make_request())
            return False
        stream._in_flight_write_request = self
        try:
            result = sink.write(chunk, controller)
        except BaseException as error:
            self._has_begun(stream, controller, chunk)
            callback_failed(controller, controller._jobs, error)
            if goes_through(error):
                raise
            return False
        outcome = None if result is None else outcome_of(controller._jobs, result, sink.context)
        # mypyc believes what was set before the call: of an object of any type it knows nothing.
        now: Any = stream
        is_in_flight = now._in_flight_write_request is self
        if is_in_flight and (outcome is None or outcome is COMPLETED) and now._state == "writable":
            stream._in_flight_write_request = None
            return True
        self._has_begun(stream, controller, chunk)
        callback_returned(controller, controller._jobs, outcome)
        return False

    def _find_controller(self, stream: WritableStreamState[Any]) -> WritableStreamDefaultController | None:
        controller = stream._controller
        if (
            isinstance(controller, WritableStreamDefaultController)
            and controller._started
            and controller._queue.sizes is None
            and controller._write_watch is None
            and isinstance(controller._sink, UnderlyingSink)
        ):
            self._controller = controller
        return self._controller

    def _is_in_flight(self, stream: WritableStreamState[Any]) -> bool:
        """Whether nobody has taken the request away from the stream; a call, for mypyc believes what was set before."""
        return stream._in_flight_write_request is self

    def _has_begun(
        self, stream: WritableStreamState[Any], controller: WritableStreamDefaultController, chunk: Any
    ) -> None:
        """Have everything as it is while the sink is busy with a chunk."""
        if self._is_in_flight(stream):
            stream._in_flight_write_request = self._make_request()
        queue = controller._queue
        queue.chunks.append(chunk)  # the controller's _write(), without the call: that would call the sink again
        queue.total += 1
        if stream._state == "writable" and not stream._backpressure and queue.total >= controller._strategy_hwm:
            update_backpressure(stream, True)

    # The request of a write that is under way: it is taken away from the stream (`detach_write`).

    def _fulfill(self, value: Any) -> None:
        self._make_request()._fulfill(value)

    def _reject(self, reason: object) -> None:
        self._make_request()._reject(reason)
