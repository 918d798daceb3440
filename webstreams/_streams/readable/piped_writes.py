"""What a sink of the library may know of the pipe that writes to its stream. Not in the Standard."""

from __future__ import annotations

from typing import Any

from ..writable.controller import WritableStreamDefaultController
from .pipe import Pipe


def looks_at_no_write(request: object) -> bool:
    """Return whether the request of a write is that of a pipe which closes its destination: it waits for that."""
    return isinstance(request, Pipe) and not request.options.prevent_close


def carries_one_chunk(pipe: Pipe, controller: Any) -> bool:
    """Return whether nothing but the chunk that is being written is between the ends of a pipe, and nobody observes it.

    `controller` is that of its destination. What the source has then, and the sink takes, may pass without the pipe.
    """
    source: Any = pipe.source._controller
    return (
        pipe._pending_writes <= 1
        and len(controller._queue.chunks) <= 1
        and not source._has_queued()
        and source._meter is None
        and controller._write_watch is None
        and pipe.source._jobs.takes_many()
    )


class PipedWrites:
    """Knows the pipe that writes to a stream, if it is one that looks at no write."""

    __slots__ = ("_writer", "pipe")

    def __init__(self) -> None:
        # The writer that has written last, and its pipe.
        self._writer: object = None
        self.pipe: Pipe | None = None

    def has_changed(self, controller: WritableStreamDefaultController) -> bool:
        """Look who writes; return whether that is another one than before."""
        stream = controller._stream
        if stream._writer is self._writer:
            return False
        stream._jobs.leave_run()
        self._writer = stream._writer
        request: object = stream._in_flight_write_request
        self.pipe = request if isinstance(request, Pipe) and looks_at_no_write(request) else None
        return True
