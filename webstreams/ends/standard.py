"""The standard streams of our own process: a terminal, a pipe, a file, a socket, whatever they are."""

from __future__ import annotations

import io
import os
import stat
import sys
from contextlib import suppress
from operator import index
from typing import Any, SupportsIndex, TextIO

from typing_extensions import Buffer

from .._readable.stream import ReadableStream
from .._writable.stream import WritableStream
from ._bytes import PIECE, bytes_strategy, view_of, write_fully
from ._gate import READY_BYTES, Gate
from ._thread_ends import ThreadSink, ThreadSource

__all__ = ["standard_error", "standard_input", "standard_output"]


def standard_input(*, chunk_size: SupportsIndex = PIECE, close_descriptor: bool = False) -> ReadableStream[bytes]:
    """Read the standard input of this process (descriptor 0) as a byte stream.

    - A default reader gets what is there, at most `chunk_size` bytes at a time (of a terminal: a line); a BYOB reader
      has its own memory filled. Nothing is read before somebody reads, and nothing ahead.
    - The waiting happens in a thread and does not hold up the end of the program. ``cancel()`` ends it at once; what
      was not read stays there for another stream. Cancel a stream that you leave: as long as one waits, it takes the
      bytes that come next.
    - Terminals and pipes that are shared with other processes are not switched to another mode, and the descriptor
      stays open, unless `close_descriptor` asks to close it at the end.
    - What ``sys.stdin`` has in its buffer is not seen: use one of the two.

    Errors come from the reads as the `OSError` of the system. Raises `TypeError` for a `chunk_size` that is no integer,
    `ValueError` for one below 1.

    >>> import asyncio
    >>> async def main() -> None:
    ...     standard = standard_input()
    ...     print(standard.locked)
    ...     await standard.cancel()
    >>> asyncio.run(main())
    False
    """
    size = index(chunk_size)
    if size < 1:
        raise ValueError(f"chunk_size must be at least 1, is {size}")
    return ReadableStream(_DescriptorSource(0, size, close_descriptor))


def standard_output(*, close_descriptor: bool = False) -> WritableStream[Buffer]:
    """Write to the standard output of this process (descriptor 1).

    - A chunk is any bytes-like object, and is written completely; ``write()`` is done when the system has taken it, so
      a slow reader of the output slows the writer down. The waiting happens in a thread.
    - ``abort()`` ends it at once, in the middle of a chunk if need be.
    - Terminals and pipes that are shared with other processes are not switched to another mode. The descriptor stays
      open, unless `close_descriptor` asks to close it when the stream is closed or aborted, as a pipe's reader needs to
      see the end.
    - What was printed before comes first: ``sys.stdout`` is flushed at the beginning.

    Errors come from the writes as the `OSError` of the system: `BrokenPipeError` when nobody reads the output any more.

    >>> import asyncio
    >>> async def main() -> None:
    ...     async with standard_output().get_writer() as writer:
    ...         await writer.write(b"")
    >>> asyncio.run(main())
    """
    return WritableStream(_DescriptorSink(1, sys.stdout, close_descriptor), bytes_strategy())


def standard_error(*, close_descriptor: bool = False) -> WritableStream[Buffer]:
    """Write to the standard error output of this process (descriptor 2), as `standard_output` does to its output.

    >>> import asyncio
    >>> async def main() -> None:
    ...     async with standard_error().get_writer() as writer:
    ...         await writer.write(b"")
    >>> asyncio.run(main())
    """
    return WritableStream(_DescriptorSink(2, sys.stderr, close_descriptor), bytes_strategy())


class _DescriptorSource(ThreadSource):
    """Reads a descriptor that this process was given."""

    def __init__(self, descriptor: int, chunk_size: int, closes: bool) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._chunk_size = chunk_size
        self._closes = closes
        self._gate = Gate()
        self._file: io.FileIO | None = None

    def take(self, view: memoryview | None) -> int | list[bytes]:
        """Read what is there, once there is something."""
        if self._file is None:
            self._file = io.FileIO(self._descriptor, "rb", closefd=self._closes)
        taken: Any = None
        while taken is None:  # somebody else took what was there
            self._gate.wait_readable(self._descriptor)
            taken = self._file.read(self._chunk_size) if view is None else self._file.readinto(view)
        self.ended = not taken
        if view is not None:
            return int(taken)
        return [taken] if taken else []

    def interrupt(self) -> None:
        """End the waiting."""
        self._gate.interrupt()

    def release(self) -> None:
        """Leave the descriptor, or close it."""
        if self._closes and self._file is None:
            self._file = io.FileIO(self._descriptor, "rb")
        if self._file is not None:
            self._file.close()
        self._gate.close()


class _DescriptorSink(ThreadSink):
    """Writes to a descriptor that this process was given."""

    def __init__(self, descriptor: int, printer: TextIO | None, closes: bool) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._printer = printer
        self._closes = closes
        self._may_wait = True
        self._gate = Gate()

    def open(self) -> None:
        """Let out what was printed."""
        self._may_wait = not stat.S_ISREG(os.fstat(self._descriptor).st_mode)
        if self._printer is not None:
            self._printer.flush()

    def put(self, chunk: Any) -> None:
        """Write a chunk, in pieces for which a pipe has room."""
        write_fully(self._write, view_of(chunk))

    def _write(self, view: memoryview) -> int:
        if not self._may_wait:
            return os.write(self._descriptor, view)
        self._gate.wait_writable(self._descriptor)
        try:
            return os.write(self._descriptor, view[:READY_BYTES])
        except BlockingIOError:  # somebody else was faster, and the descriptor does not wait
            return 0

    def finish(self) -> None:
        """Leave the descriptor, or close it."""
        self._gate.close()
        if self._closes:
            self._closes = False
            os.close(self._descriptor)

    def discard(self) -> None:
        """Leave the descriptor, or close it."""
        with suppress(OSError):
            self.finish()

    def interrupt(self) -> None:
        """End the waiting."""
        self._gate.interrupt()
