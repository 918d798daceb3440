"""The two ends of pipes to another process: never blocking, read only when bytes are wanted, closed at once.

The event loop watches a pipe only while there is something to wait for (``add_reader``, ``add_writer``). Only our own
end of a pipe is `O_NONBLOCK`, which the other process does not see.
"""

from __future__ import annotations

import errno
import io
import os
from asyncio import get_running_loop
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Literal

from typing_extensions import Buffer

from ..._engine.promise import Promise
from ..._streams.door import fail_sink, fail_with
from ..._streams.readable.byte_controller import ReadableByteStreamController
from ..._streams.readable.source import LaterSource
from ..._streams.writable.controller import WritableStreamDefaultController
from .._bytes import PIECE, view_of

# How many reads in a row find bytes at once before the loop gets its turn.
READS_IN_A_ROW: Final = 8


def open_end(descriptor: int, mode: Literal["rb", "wb"]) -> io.FileIO:
    """Take over our end of a pipe."""
    os.set_blocking(descriptor, False)
    return io.FileIO(descriptor, mode)


class PipeSource(LaterSource):
    """The underlying byte source over the reading end of a pipe."""

    stage_name = "open_process()"

    type: Literal["bytes"] = "bytes"
    controller: ReadableByteStreamController

    def __init__(self, file: io.FileIO, verdict: Promise[BaseException | None] | None) -> None:
        self._file = file
        # Fulfilled when the stream may end after the last byte, with the error to end it with.
        self._verdict = verdict
        self._is_waiting = False
        self._reads = 0
        # Closed, errored or cancelled.
        self._is_over = False
        # Whether the verdict has reached the stream, or nobody wants it any more.
        self.has_told: bool = False

    def start(self, controller: ReadableByteStreamController) -> None:
        self.controller = controller

    def pull(self, controller: ReadableByteStreamController) -> None:
        """Read what is there, or wait for it."""
        if self._is_waiting or self._file.closed:
            return
        self._reads += 1
        if self._reads % READS_IN_A_ROW and self._take():
            return
        self._is_waiting = True
        get_running_loop().add_reader(self._file.fileno(), self._ready)

    def cancel(self, reason: object) -> None:
        """Close the pipe."""
        self._is_over = True
        self.has_told = self._verdict is not None
        self._release()

    def fail(self, reason: object) -> bool:
        """Close the pipe and error the stream, unless it has ended; return whether it had not."""
        if self._is_over:
            return False
        self._is_over = True
        self._release()
        fail_with(self.controller, reason)
        return True

    def _ready(self) -> None:
        try:
            self._take()  # which stops the waiting before the stream goes on, and perhaps waits again
        except OSError as error:
            self.fail(error)

    def _take(self) -> bool:
        """Read once; False if there is nothing yet."""
        request = self.controller.byob_request
        data: bytes | None = None
        if request is not None and request.view is not None:
            size = self._file.readinto(request.view)
        else:
            request, data = None, self._file.read(PIECE)
            size = None if data is None else len(data)
        if size is None:
            return False
        # Before the stream goes on, which may want more at once.
        self._stop_waiting()
        if not size:
            self._end()
        elif request is not None:
            request.respond(size)
        else:
            assert data is not None
            self.controller.enqueue(data)
        return True

    def _stop_waiting(self) -> None:
        if self._is_waiting:
            self._is_waiting = False
            get_running_loop().remove_reader(self._file.fileno())

    def _end(self) -> None:
        self._release()
        if self._verdict is None:
            self._finish(None)
        else:
            self._verdict.then(self._finish)

    def _finish(self, error: BaseException | None) -> None:
        if self._is_over:
            return
        self.has_told = self._verdict is not None
        if error is not None:
            self.fail(error)
            return
        self._is_over = True
        with suppress(TypeError):  # in the middle of an item: the reader is told
            self.controller.close()
        request = self.controller.byob_request
        if request is not None:
            request.respond(0)

    def _release(self) -> None:
        self._stop_waiting()
        self._file.close()


class PipeSink:
    """The underlying sink over the writing end of a pipe."""

    stage_name = "open_process()"

    controller: WritableStreamDefaultController

    def __init__(self, file: io.FileIO, on_failure: Callable[[object], None]) -> None:
        self._file = file
        # Called when not all of the input will come: the other process must not take what it has got for the whole.
        self._on_failure = on_failure
        self._rest: memoryview
        # Settle the write that waits for the pipe.
        self._waiting: tuple[Callable[[Any], None], Callable[[object], None]] | None = None
        self._is_closed = False

    def start(self, controller: WritableStreamDefaultController) -> None:
        self.controller = controller
        # Not in abort(), which comes only after the write that is under way.
        controller.signal.add_event_listener("abort", self._aborted)

    def write(self, chunk: Buffer, controller: WritableStreamDefaultController) -> Promise[None] | None:
        """Write all of a chunk."""
        try:
            self._rest = view_of(chunk)
        except TypeError as error:
            self._on_failure(error)
            self.release(error)
            raise
        try:
            if self._put():
                return None
        except OSError as error:
            self.release(error)
            raise
        promise, *settle = Promise.with_resolvers()
        self._waiting = (settle[0], settle[1])
        get_running_loop().add_writer(self._file.fileno(), self._ready)
        return promise

    def close(self) -> None:
        """Close the pipe: the other process reads its end."""
        self._is_closed = True
        self._file.close()

    def fail(self, reason: object) -> None:
        """Close the pipe and error the stream, unless it is closed."""
        if not self._is_closed:
            self._is_closed = True
            self.release(reason)
            fail_sink(self.controller, reason)

    def reader_has_gone(self) -> None:
        """Close the pipe; whoever writes is told."""
        self.release(_broken_pipe())

    def release(self, reason: object) -> None:
        """Close the pipe; a write that waits fails with `reason`."""
        waiting = self._stop_waiting()
        self._file.close()
        if waiting is not None:
            waiting[1](reason)

    def _aborted(self, event: object) -> None:
        reason = self.controller.signal.reason
        self._is_closed = True
        self._on_failure(reason)
        self.release(reason)

    def _ready(self) -> None:
        try:
            is_done = self._put()
        except OSError as error:
            self.release(error)
            return
        if is_done:
            waiting = self._stop_waiting()
            assert waiting is not None
            waiting[0](None)

    def _put(self) -> bool:
        """Write as much as the pipe takes; whether that is all."""
        if self._file.closed:
            raise _broken_pipe()
        while self._rest:
            size = self._file.write(self._rest)
            if size is None:
                return False
            self._rest = self._rest[size:]
        return True

    def _stop_waiting(self) -> tuple[Callable[[Any], None], Callable[[object], None]] | None:
        waiting, self._waiting = self._waiting, None
        self._rest = memoryview(b"")
        if waiting is not None:
            get_running_loop().remove_writer(self._file.fileno())
        return waiting


def _broken_pipe() -> BrokenPipeError:
    return BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
