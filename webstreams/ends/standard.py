"""Standard input, output and error of our own process.

Blocking calls are made in threads. The descriptors stay as they are: never closed, and never `O_NONBLOCK`, which other
processes would see that share a terminal or a pipe with this one.
"""

from __future__ import annotations

import asyncio
import errno
import io
import os
import stat
import sys
from contextlib import suppress
from typing import Any, Final

from typing_extensions import Buffer

from .._engine.promise import Promise
from .._streams.readable.stream import ReadableStream
from .._streams.writable.controller import WritableStreamDefaultController
from .._streams.writable.stream import WritableStream
from ._blocking.gate import READY_BYTES, Gate, Interrupted
from ._blocking.thread_ends import ThreadSink, ThreadSource
from ._bytes import PIECE, bytes_strategy, view_of, write_fully

# The place that preadv() and pwritev() read as "where the descriptor is", which pipes have as well.
HERE: Final = -1

__all__ = ["standard_error", "standard_input", "standard_output"]


def standard_input() -> ReadableStream[bytes]:
    """Return the standard input of our process as a byte stream, whatever it is: terminal, pipe, file or socket.

    A default read gets what is there, at most 64 KiB; a BYOB read has its own memory filled. Nothing is read ahead, and
    cancelling takes nothing more: what was not read is left to the next reader. The descriptor stays open, and a read
    that waits holds up neither the event loop nor the end of ``asyncio.run()``. The `OSError` of a read errors the
    stream.

    `sys.stdin` has a buffer of its own: what it has read already is not seen here.

    >>> import sys, webstreams
    >>> program = '''
    ... import asyncio
    ... from webstreams import standard_input, standard_output
    ... async def main() -> None:
    ...     await standard_input().pipe_to(standard_output())
    ... asyncio.run(main())
    ... '''
    >>> async def main() -> None:
    ...     environment = {"PYTHONPATH": os.path.dirname(os.path.dirname(webstreams.__file__))}
    ...     async with await webstreams.open_process(sys.executable, "-c", program, env=environment) as process:
    ...         print(await ReadableStream.from_([b"hello"]).pipe_through(process).bytes())
    >>> asyncio.run(main())
    b'hello'
    """
    return ReadableStream(_StandardSource(0))


def standard_output() -> WritableStream[Buffer]:
    """Return the standard output of our process as a stream to write bytes-like objects to, whatever it is.

    A write is done when the system has taken all of it; the high-water mark is 64 KiB. Closing or aborting the stream
    leaves the descriptor open; aborting ends a write that waits for a pipe or a terminal, at once. The `OSError` of a
    write errors the stream: `BrokenPipeError` when nobody reads any more.

    ``print()`` has a buffer of its own: ``print(..., flush=True)`` keeps the order.

    >>> async def main() -> None:
    ...     await ReadableStream.from_([b"hel", b"lo\\n"]).pipe_to(standard_output())
    >>> asyncio.run(main())
    """
    return WritableStream(_StandardSink(1), bytes_strategy())


def standard_error() -> WritableStream[Buffer]:
    """Return the standard error of our process as a stream to write bytes-like objects to; see `standard_output`.

    >>> async def main() -> None:
    ...     await ReadableStream.from_([b"no tea\\n"]).pipe_to(standard_error())
    >>> asyncio.run(main())
    """
    return WritableStream(_StandardSink(2), bytes_strategy())


def _require_open(descriptor: int) -> None:
    """Raise `OSError` unless the process was begun with this descriptor: what has its number now is something else."""
    kind = ("stdin", "stdout", "stderr")[descriptor]
    if getattr(sys, f"__{kind}__") is None:
        raise OSError(
            errno.EBADF, f"this process was begun with a closed {kind}: redirect it, for example to /dev/null"
        )


class _StandardSource(ThreadSource):
    """Reads a descriptor that is not ours to close."""

    stage_name = "standard_input()"

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._gate = Gate()
        self._loop = asyncio.get_running_loop()
        # Where the system can read what is there, and nothing else, without waiting: Linux, as a rule.
        self._may_read_at_once = hasattr(os, "RWF_NOWAIT") and sys.__stdin__ is not None
        self._buffer: memoryview | None = None

    def take_at_once(self, view: memoryview | None) -> int | bytes:
        """Read what is there."""
        if not self._may_read_at_once:
            return 0
        buffer = view
        if buffer is None:
            if self._buffer is None:
                self._buffer = memoryview(bytearray(PIECE))
            buffer = self._buffer
        try:
            size = os.preadv(self._descriptor, [buffer], HERE, os.RWF_NOWAIT)
        except OSError as error:  # nothing is there; or it cannot do that, or whatever the thread will find
            self._may_read_at_once = error.errno == errno.EAGAIN
            return 0
        return size if view is not None else buffer[:size].tobytes()

    def take(self, view: memoryview | None) -> int | list[bytes]:
        """Wait for bytes and read once."""
        _require_open(self._descriptor)
        while True:
            self._gate.wait_readable(self._descriptor)
            if self._loop.is_closed():
                raise Interrupted  # nobody would get the bytes
            try:
                if view is not None:
                    size = os.readv(self._descriptor, [view])
                    self.ended = not size
                    return size
                chunk = os.read(self._descriptor, PIECE)
            except BlockingIOError:
                continue  # somebody else took what was there
            self.ended = not chunk
            return [chunk] if chunk else []

    def interrupt(self) -> None:
        """End the waiting."""
        self._gate.interrupt()

    def release(self) -> None:
        """Close the descriptors that waiting uses."""
        self._gate.close()


class _StandardSink(ThreadSink):
    """Writes to a descriptor that is not ours to close."""

    # Nothing is missing from what was written.
    may_stay_open = True

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.stage_name = "standard_output()" if descriptor == 1 else "standard_error()"
        self._descriptor = descriptor
        self._gate = Gate()
        # How much may be written at once without having to wait again (bytes).
        self._limit = READY_BYTES
        self._may_write_at_once = hasattr(os, "RWF_NOWAIT")

    def write(self, chunk: Any, controller: WritableStreamDefaultController) -> Promise[None] | None:
        """Write what there is room for, and leave the rest to a thread."""
        if self._may_write_at_once and self.is_idle:
            with suppress(TypeError):  # no chunk: it is refused there
                chunk = self._write_at_once(view_of(chunk))
                if not chunk:
                    return None
        return super().write(chunk, controller)

    def _write_at_once(self, view: memoryview) -> memoryview:
        """Write what there is room for; return the rest."""
        try:
            return view[os.pwritev(self._descriptor, [view], HERE, os.RWF_NOWAIT) :]
        except OSError as error:  # there is no room; or it cannot do that, or whatever the thread will find
            self._may_write_at_once = error.errno == errno.EAGAIN
            return view

    def open(self) -> None:
        """See what the descriptor is. In a thread."""
        _require_open(self._descriptor)
        if stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            self._limit = io.DEFAULT_BUFFER_SIZE * 128

    def put(self, chunk: Any) -> None:
        """Write all of a chunk. In a thread."""
        write_fully(self._write, view_of(chunk))

    def finish(self) -> None:
        """Close the descriptors that waiting uses."""
        self._gate.close()

    def discard(self) -> None:
        """Close the descriptors that waiting uses."""
        self._gate.close()

    def interrupt(self) -> None:
        """End the waiting."""
        self._gate.interrupt()

    def _write(self, view: memoryview) -> int | None:
        self._gate.wait_writable(self._descriptor)
        try:
            return os.write(self._descriptor, view[: self._limit])
        except BlockingIOError:
            return None  # somebody else has filled it
