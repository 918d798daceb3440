"""The source over a file that is followed: it grows, is written anew, or gives its name to another."""

from __future__ import annotations

import errno
import io
import os
import stat
from typing import Final

from .sources import FileSource

# How much of the beginning and of the end of what was read is compared with the file (bytes).
COMPARED: Final = 1024
# The file that lost its name is left when it has been quiet for so many looks after its successor has something; at
# the latest after that many. Programs do not all go over to a new log at the same time.
QUIET_LOOKS: Final = 3
MOST_LOOKS: Final = 50
# Why a file that has just got the name may not be opened yet: it gets its owner and permissions a moment later, its
# directory is being made anew, or too many files are open. There are other tries for as many looks.
MAY_PASS: Final = frozenset({errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EMFILE, errno.ENFILE})


class Fingerprint:
    """The first and the last KiB of what was read of a file, to see whether it is still there."""

    def __init__(self, start: int) -> None:
        self._start = self._end = start
        self._head = self._tail = b""

    def add(self, data: bytes | memoryview) -> None:
        """Note what was read behind the rest."""
        missing = COMPARED - len(self._head)
        if missing > 0:
            self._head += bytes(data[:missing])
        self._tail = (self._tail + bytes(data[-COMPARED:]))[-COMPARED:]
        self._end += len(data)

    def fits(self, file: io.FileIO) -> bool:
        """Whether the file has the same there."""
        if self._tail != read_at(file, self._end - len(self._tail), len(self._tail)):
            return False
        return self._end - self._start <= COMPARED or self._head == read_at(file, self._start, len(self._head))


class FollowedFileSource(FileSource):
    """Reads a file that grows, is written anew, or is replaced by another.

    What the system says of a file (its size and times) does not tell whether it was written anew since the last look.
    So what was read is compared with what the file has there, after each read and whenever its end is met.
    """

    def __init__(self, path: str | bytes, start: int, end: int | None, chunk_size: int) -> None:
        super().__init__(path, start, end, chunk_size)
        self._seen = Fingerprint(start)
        # The files that got the name after the one that is read, in that order.
        self._successors: list[io.FileIO] = []
        # How many looks there were since the successor has something, and how many since the old one had more.
        self._looks = 0
        self._quiet_looks = 0
        # How many looks in a row have not told what has the name.
        self._failed_looks = 0

    def take_at_once(self, view: memoryview | None) -> int | bytes:
        """Leave all reads to the thread, which compares."""
        return 0

    @property
    def gives_whole(self) -> bool:
        """No file is at its end."""
        return False

    def take_small(self, descriptor: int) -> None:
        """No file is at its end."""

    def advance(self, file: io.FileIO, data: bytes | memoryview) -> bool:
        """Go on behind what was read, or begin again if the file was written anew; return whether the bytes count."""
        self._quiet_looks = 0
        if not self._is_regular:
            return super().advance(file, data)
        if self._seen.fits(file):
            self._seen.add(data)
            self._position += len(data)
            file.seek(self._position)
            return True
        # Since the last read, or since this one? Then the bytes are not there any more, and the last of the old ones.
        now = read_at(file, self._position, len(data))
        self._restart(file)
        return not now or bytes(data[: len(now)]) != now

    def file_has_ended(self, file: io.FileIO) -> None:
        """Look whether reading has to go on elsewhere; if not, there may be more later."""
        if self._may_wait:
            return  # a FIFO: another writer may come
        size = os.fstat(file.fileno()).st_size
        if self._is_regular and self._was_written_anew(file, size):
            self._restart(file)
        self._size = size
        if size <= self._position:
            self._look_for_successor(file)

    def release(self) -> None:
        """Close the files."""
        super().release()
        while self._successors:
            self._successors.pop().close()

    def _was_written_anew(self, file: io.FileIO, size: int) -> bool:
        if self._position == self._start:  # nothing was read: it may not have the beginning yet
            return size < self._size
        if size < self._position or not self._seen.fits(file):
            return True
        file.seek(self._position)
        return False

    def _look_for_successor(self, file: io.FileIO) -> None:
        newest = self._successors[-1] if self._successors else file
        try:
            if not self._has_the_name(newest):
                self._successors.append(self.as_file(self.open_path()))
        except FileNotFoundError:
            return  # it has just gone
        except OSError as error:
            self._failed_looks += 1
            if error.errno not in MAY_PASS or self._failed_looks >= MOST_LOOKS:
                raise
            return
        self._failed_looks = 0
        if self._successors and self._may_leave(file):
            successor = self._successors.pop(0)
            file.close()
            self._file = successor
            self._restart(successor)
            self.adopt(successor)

    def _may_leave(self, file: io.FileIO) -> bool:
        """Whether nobody writes to the old file any more. What writes to one file after the other has left it when the
        new one has something."""
        status = os.fstat(self._successors[0].fileno())
        if len(self._successors) == 1 and stat.S_ISREG(status.st_mode) and not status.st_size:
            return False
        self._looks += 1
        self._quiet_looks += 1
        is_over = self._quiet_looks >= QUIET_LOOKS or self._looks >= MOST_LOOKS or len(self._successors) > 1
        return is_over and os.fstat(file.fileno()).st_size <= self._position

    def _has_the_name(self, file: io.FileIO) -> bool:
        """Whether the name is still that of the newest file, or of none."""
        try:
            return os.path.samestat(os.fstat(file.fileno()), os.stat(self._path))
        except FileNotFoundError:
            return True

    def _restart(self, file: io.FileIO) -> None:
        self._start = self._position = 0
        self._seen = Fingerprint(0)
        self._looks = self._quiet_looks = 0
        if self._is_regular:
            file.seek(0)


def read_at(file: io.FileIO, offset: int, size: int) -> bytes:
    """Read at a place of a file. The place where reading goes on is another then."""
    file.seek(offset)
    return file.read(size) or b""
