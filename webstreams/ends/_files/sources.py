"""The source over a file that is read once."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from .._blocking.gate import Gate
from .._blocking.thread_ends import ThreadSource
from .._bytes import PIECE

# What one call of a thread reads for a default reader, in chunks, unless one chunk is more (bytes).
READ_AHEAD: Final = 4 * PIECE
# Half of what may stay free at the end of the heap (bytes).
KEPT: Final = 1024 * 1024
# Opening a FIFO does not wait for its writer; it makes no difference to a file.
OPENED: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class TruncatedFileError(OSError, EOFError):
    """A file ended before the bytes that were to be read: it is shorter than the range, or got shorter meanwhile.

    >>> import asyncio
    >>> from webstreams.ends import read_file
    >>> async def main() -> None:
    ...     try:
    ...         await read_file("/dev/null", end=3).bytes()
    ...     except TruncatedFileError as error:
    ...         print(error.strerror)
    >>> asyncio.run(main())
    The file ended at byte 0, but the range that was to be read goes on to byte 3
    """


class FileSource(ThreadSource):
    """Reads a file from `start` to `end`, by default to where it ends."""

    stage_name = "read_file()"

    def __init__(self, path: str | bytes, start: int, end: int | None, chunk_size: int) -> None:
        super().__init__()
        self._path = path
        self._start = self._position = start
        self._end = end
        self._chunk_size = chunk_size
        # What the file had when it was opened (bytes).
        self._size = 0
        self._file: io.FileIO | None = None
        # Whether the system can give what it has in memory, and nothing else; that leaves the place in the file.
        self._is_regular = False
        self._may_read_at_once = False
        self._has_moved = False
        self._buffer: memoryview | None = None
        # A FIFO or a terminal: reading can wait for long.
        self._may_wait = False
        self._gate = Gate()

    # In the loop.

    def take_at_once(self, view: memoryview | None) -> int | bytes:
        """Read what the system has in memory."""
        if not self._may_read_at_once or self._file is None:
            return 0
        buffer = view
        if buffer is None:
            if self._buffer is None:
                self._buffer = memoryview(bytearray(min(self._chunk_size, READ_AHEAD)))
            buffer = self._buffer
        wanted = self._limit(buffer.nbytes)
        if not 0 < wanted <= READ_AHEAD:
            return 0
        try:
            size = os.preadv(self._file.fileno(), [buffer[:wanted]], self._position, os.RWF_NOWAIT)
        except OSError as error:  # not in memory; or a file system which cannot do it, or whatever the thread will find
            self._may_read_at_once = error.errno == errno.EAGAIN
            return 0
        self._position += size
        self._has_moved = True
        return size if view is not None else buffer[:size].tobytes()

    # In a thread.

    def take(self, view: memoryview | None) -> int | list[bytes]:
        """Read once into the memory of a BYOB reader, or some chunks for a default reader."""
        if self._file is None:
            content = self._open(may_be_small=view is None)
            if content is not None:
                return [content]
            assert self._file is not None
        if self._has_moved:
            self._has_moved = False
            self._file.seek(self._position)
        if view is not None:
            return self._read_into(self._file, view)
        return self._read_chunks(self._file)

    @property
    def gives_whole(self) -> bool:
        """Whether all of the file is read, and nothing has been, yet."""
        return not self._start and self._end is None and self._file is None and not self.ended

    def take_whole(self) -> bytes | None:
        """Return all of a file that fits into one chunk."""
        try:
            return self._open(may_be_small=True)
        except BaseException:
            self.release()
            raise

    def _open(self, may_be_small: bool) -> bytes | None:
        """Open the file, or return what is in it and is one chunk; None is returned if there is more to be read."""
        descriptor = self.open_path()
        content = self.take_small(descriptor) if may_be_small else None
        if content is None:
            self._file = self.as_file(descriptor)
            self.adopt(self._file)
        return content

    def open_path(self) -> int:
        """Open what has the path now; return the descriptor."""
        _keep_freed_memory()
        return os.open(self._path if isinstance(self._path, str) else os.fsdecode(self._path), OPENED)

    def take_small(self, descriptor: int) -> bytes | None:
        """Return all of a file that is read from its beginning to its end and fits into one chunk, and close it; None
        for any other."""
        if self._start or self._end is not None:
            return None
        try:
            status = os.fstat(descriptor)
            size = status.st_size
            if not stat.S_ISREG(status.st_mode) or not 0 < size <= min(self._chunk_size, READ_AHEAD):
                return None
            content = os.read(descriptor, size + 1)  # one byte more, to see that this is all
            if len(content) != size:
                os.lseek(descriptor, 0, os.SEEK_SET)
                return None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        self._position = size
        self.ended = True
        return content

    def as_file(self, descriptor: int) -> io.FileIO:
        """Take over a descriptor."""
        try:
            return io.FileIO(descriptor, "rb")
        except BaseException as error:
            os.close(descriptor)
            if isinstance(error, IsADirectoryError):
                error.filename = self._path
            raise

    def adopt(self, file: io.FileIO) -> None:
        """See what the file is that will be read."""
        try:
            status = os.fstat(file.fileno())
            self._size = status.st_size
            self._is_regular = stat.S_ISREG(status.st_mode)
            self._may_read_at_once = self._is_regular and hasattr(os, "RWF_NOWAIT")
            self._may_wait = not self._is_regular and (stat.S_ISFIFO(status.st_mode) or file.isatty())
            if self._position:  # not of what cannot be sought
                file.seek(self._position)
        except BaseException:
            file.close()
            raise

    def _read_into(self, file: io.FileIO, view: memoryview) -> int:
        size: int = 0
        wanted = self._limit(view.nbytes)
        if wanted:
            size = self._read(file.readinto, view[:wanted])
        is_at_end = not size
        if size and not self.advance(file, view[:size]):
            size = 0
        self._look_for_end(file, is_at_end)
        return size

    def _read_chunks(self, file: io.FileIO) -> list[bytes]:
        chunks: list[bytes] = []
        ahead = 0
        while not ahead or (not self._may_wait and ahead + self._chunk_size <= READ_AHEAD and not self.ended):
            try:
                chunk = self._read_chunk(file)
            except OSError:
                if not chunks:
                    raise
                break  # the next call will meet it again, after these chunks
            if not chunk:
                break
            chunks.append(chunk)
            ahead += self._chunk_size
        return chunks

    def _read_chunk(self, file: io.FileIO) -> bytes:
        wanted = self._limit(self._chunk_size)
        rest = self._size - self._position
        if self._is_regular and 0 < rest < wanted:
            wanted = rest + 1  # no more memory than needed; and one byte more, to see the end in the same call
        chunk: bytes = self._read(file.read, wanted) if wanted else b""
        is_at_end = not chunk or self._is_last(len(chunk), wanted)
        if chunk and not self.advance(file, chunk):
            chunk = b""
        try:
            self._look_for_end(file, is_at_end)
        except OSError:
            if not chunk:
                raise  # else the next call will meet it again, after this chunk
        return chunk

    def _is_last(self, size: int, wanted: int) -> bool:
        """Whether a read that gave less than it could has met the end: so it is with files, as far as they tell their
        size."""
        return size < wanted and self._is_regular and self._end is None and 0 < self._size <= self._position + size

    def advance(self, file: io.FileIO, data: bytes | memoryview) -> bool:
        """Go on behind what was read; return whether it counts."""
        self._position += len(data)
        return True

    def _limit(self, size: int) -> int:
        return size if self._end is None else max(0, min(size, self._end - self._position))

    def _read(self, method: Callable[[Any], Any], argument: Any) -> Any:
        result = None
        while result is None:  # somebody else took what was there
            if self._may_wait and self._file is not None:
                self._gate.wait_readable(self._file.fileno())
            result = method(argument)
        return result

    def _look_for_end(self, file: io.FileIO, is_at_end: bool) -> None:
        """Set `ended` if the range is complete or, with `is_at_end`, the file is."""
        self.ended = self._position == self._end
        if is_at_end and not self.ended:
            self.file_has_ended(file)

    def file_has_ended(self, file: io.FileIO) -> None:
        """Set `ended`, or raise TruncatedFileError."""
        if self._end is not None:
            raise self._truncated(f"the range that was to be read goes on to byte {self._end}")
        if self._position < self._size and os.fstat(file.fileno()).st_size < self._size:
            raise self._truncated(f"it had {self._size} bytes when it was opened")
        self.ended = True

    def _truncated(self, reason: str) -> TruncatedFileError:
        message = f"The file ended at byte {self._position}, but {reason}"
        return TruncatedFileError(errno.ENODATA, message, self._path)

    # In any thread.

    def interrupt(self) -> None:
        """End the waiting for a FIFO or a terminal."""
        self._gate.interrupt()

    def release(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
        self._gate.close()


@cache
def _keep_freed_memory() -> None:
    """Have glibc keep what chunks leave for the next ones.

    It gives memory back to the system as soon as more than 128 KiB are free at the end of its heap, and asks for the
    same pages again: for every chunk of a file, 100 page faults. Freeing a block that was mapped by itself, as this one
    is, makes it take twice the size of that block for little (``M_TRIM_THRESHOLD`` in mallopt(3)). No page is touched.
    """
    bytearray(KEPT)
