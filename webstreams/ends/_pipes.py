"""Sources and sinks over our ends of pipes, which the event loop waits for.

Nothing is read before somebody wants it, so the most that a child process can be ahead is what the pipe takes.
"""

from __future__ import annotations

import errno
import io
import os
import select
from asyncio import get_running_loop
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal

from .._promise import Promise
from .._readable.byte_controller import ReadableByteStreamController
from .._writable.controller import WritableStreamDefaultController
from ._bytes import PIECE, view_of


class PipeSource:
    """An underlying byte source over the reading end of a pipe, which it owns.

    At the end of the pipe, the stream ends as the promise that `at_end` gives.
    """

    type: Literal["bytes"] = "bytes"

    def __init__(self, file: io.FileIO, at_end: Callable[[], Promise[None]]) -> None:
        os.set_blocking(file.fileno(), False)
        self._file = file
        self._at_end = at_end
        self._loop = get_running_loop()
        self._controller: ReadableByteStreamController
        # The stream is closed, cancelled or errored, or will be errored by what pull() has returned.
        self.is_over = False
        # Settles the pull that waits for bytes.
        self._waiting: tuple[Callable[[Any], None], Callable[[object], None]] | None = None

    def start(self, controller: ReadableByteStreamController) -> None:
        """Know the stream."""
        self._controller = controller

    def pull(self, controller: ReadableByteStreamController) -> Promise[None] | None:
        """Take what is there, or wait until there is something."""
        taken = self._take()
        if taken:
            return None
        if taken is not None:
            return self._end()
        promise, resolve, reject = Promise.with_resolvers()
        self._waiting = resolve, reject
        self._loop.add_reader(self._file.fileno(), self._ready)
        return promise

    def cancel(self, reason: object) -> None:
        """Close the pipe."""
        self.is_over = True
        self._release()

    def fail(self, error: object) -> None:
        """Close the pipe and error the stream, unless it is over."""
        if not self.is_over:
            self.is_over = True
            self._release()
            self._controller.error(error)

    def _take(self) -> int | None:
        """Give the stream what is there; None if there is nothing yet, 0 at the end."""
        request = self._controller.byob_request
        try:
            if request is not None:
                size: int | None = self._file.readinto(request.view)  # type: ignore[arg-type]
                if size:
                    request.respond(size)
                return size
            chunk = self._file.read(PIECE)
        except OSError:
            self._release()
            raise
        if chunk:
            self._controller.enqueue(chunk)
        return None if chunk is None else len(chunk)

    def _ready(self) -> None:
        assert self._waiting is not None
        resolve, reject = self._waiting
        try:
            taken = self._take()
        except OSError as error:
            reject(error)
            return
        if taken is None:
            return
        self._stop_waiting()
        resolve(None if taken else self._end())

    def _end(self) -> Promise[None]:
        self._release()
        return self._at_end().then(self._close)

    def _close(self, _: object) -> None:
        if self.is_over:
            return
        self.is_over = True
        self._controller.close()
        request = self._controller.byob_request
        if request is not None:
            request.respond(0)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting = None
            self._loop.remove_reader(self._file.fileno())

    def _release(self) -> None:
        self._stop_waiting()
        self._file.close()


class PipeSink:
    """An underlying sink over the writing end of a pipe, which it owns.

    Who reads a pipe cannot tell an early end from the right one, so `on_abort` is called, with the reason, before a
    pipe is closed that was not written completely.
    """

    def __init__(self, file: io.FileIO, on_abort: Callable[[object], None]) -> None:
        os.set_blocking(file.fileno(), False)
        self._file = file
        self._on_abort = on_abort
        self._loop = get_running_loop()
        self._controller: WritableStreamDefaultController
        # The stream is closed, aborted or errored.
        self.is_over = False
        # What is left of the chunk that is being written, and what settles the write.
        self._rest = memoryview(b"")
        self._waiting: tuple[Callable[[Any], None], Callable[[object], None]] | None = None

    def start(self, controller: WritableStreamDefaultController) -> None:
        """Know the stream."""
        self._controller = controller
        # abort() comes only after the write that is under way.
        controller.signal.add_event_listener("abort", self._aborted)

    def write(self, chunk: Any, controller: WritableStreamDefaultController) -> Promise[None] | None:
        """Write all of a chunk; wait as often as the pipe is full."""
        try:
            self._rest = view_of(chunk)
        except TypeError as error:
            self._abort(error)
            raise
        if self._write_some():
            return None
        promise, resolve, reject = Promise.with_resolvers()
        self._waiting = resolve, reject
        self._loop.add_writer(self._file.fileno(), self._ready)
        return promise

    def close(self) -> None:
        """Close the pipe: its reader sees the end."""
        self.is_over = True
        self._file.close()

    def abort(self, reason: object) -> None:
        """Nothing is left to do after the signal."""

    def fail(self, error: object) -> None:
        """Close the pipe and error the stream, unless it is over."""
        if not self.is_over:
            self._release(error)
            self._controller.error(error)

    def fail_if_broken(self) -> None:
        """Error the stream if nobody can read the pipe any more: the next write would find out, but when is it?"""
        if self.is_over:
            return
        poll = select.poll()
        poll.register(self._file.fileno(), 0)
        if poll.poll(0):
            self.fail(BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)))

    def _aborted(self, event: object) -> None:
        if not self.is_over:
            self._abort(self._controller.signal.reason)

    def _abort(self, reason: object) -> None:
        self._on_abort(reason)
        self._release(reason)

    def _write_some(self) -> bool:
        """Write as much as the pipe takes; whether that was all."""
        try:
            while self._rest:
                size = self._file.write(self._rest)
                if size is None:
                    return False
                self._rest = self._rest[size:]
        except OSError as error:
            self._release(error)
            raise
        self._rest = memoryview(b"")  # the memory is the caller's again
        return True

    def _ready(self) -> None:
        with suppress(OSError):  # the write is rejected with it already
            if self._write_some() and self._waiting is not None:
                resolve = self._waiting[0]
                self._stop_waiting()
                resolve(None)

    def _stop_waiting(self) -> None:
        self._waiting = None
        self._loop.remove_writer(self._file.fileno())

    def _release(self, error: object) -> None:
        self.is_over = True
        self._rest = memoryview(b"")
        if self._waiting is not None:
            reject = self._waiting[1]
            self._stop_waiting()
            reject(error)
        self._file.close()
