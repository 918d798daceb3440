"""The sink over a file: a new one that gets its name when it is complete, or one that is written in place."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Literal, TypeVar

from .._blocking.gate import Gate
from .._blocking.thread_ends import ThreadSink
from .._bytes import PIECE, view_of, write_fully
from .metadata import take_over
from .temporary import TemporaryFile

T = TypeVar("T")

Mode = Literal["replace", "create", "append", "in_place"]

# How much of a new file may wait for the thread (bytes).
WRITE_BEHIND: Final = 4 * PIECE
# How often to look whether a FIFO has got a reader (seconds).
FIFO_INTERVAL: Final = 0.02
# How file systems tell that they have no hard links.
NO_LINKS: Final = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS}

# What a file says that is mounted under its name, or must only be appended to.
NOT_REPLACED: Final = {errno.EBUSY, errno.EXDEV, errno.EPERM}
IN_PLACE: Final = 'mode="in_place" writes into the file itself'


class FileSink(ThreadSink):
    """Writes a file. Everything but `interrupt` happens in threads."""

    stage_name = "write_file()"

    def __init__(self, path: str, mode: Mode, fsync: bool) -> None:
        super().__init__()
        self._path = path
        self._mode = mode
        self._fsync = fsync
        # Nobody sees a new file before the end.
        self.behind = WRITE_BEHIND if mode in ("replace", "create") else 0
        # Where the file is in the end: the name, or what it links to.
        self._target = path
        # What it replaces, as it was when it was opened.
        self._old: os.stat_result | None = None
        self._file: io.FileIO | TemporaryFile | None = None
        # What is written until it is complete, if that is not the file itself.
        self._temporary: TemporaryFile | None = None
        # A FIFO or a terminal: writing can wait for long.
        self._may_wait = False
        # Written in place: the old content goes when the new one comes.
        self._must_truncate = False
        self._gate = Gate()

    @property
    def takes_whole(self) -> bool:
        """Always: of a file that is written in place, too, nobody sees less than after a write and a close."""
        return True

    def __repr__(self) -> str:
        """Show the path."""
        return f"write_file({self._path!r})"

    def open(self) -> None:
        """Begin a new file, or open what is written in place."""
        old, is_link = self._status()
        if self._mode == "create":
            if is_link or old is not None:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), self._path)
            self._target = _absolute(self._path)  # whatever the working directory is when it is complete
            self._open_new(None)
        elif self._mode in ("append", "in_place") or (old is not None and not stat.S_ISREG(old.st_mode)):
            self._open_in_place(old)
        else:
            # `realpath` only for a link: it makes a system call for every directory on the way.
            self._target = os.path.realpath(self._path) if is_link else _absolute(self._path)
            self._open_new(old)

    def _status(self) -> tuple[os.stat_result | None, bool]:
        """Return what has the path, or None if nothing has, but a file could; and whether it is a symbolic link."""
        is_link = False
        try:
            found = os.lstat(self._path)
            is_link = stat.S_ISLNK(found.st_mode)
            return os.stat(self._path) if is_link else found, is_link
        except FileNotFoundError:
            name = os.path.basename(self._path)
            if not self._path or name in (".", ".."):
                raise
            if not name:
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), self._path) from None
            return None, is_link

    def put(self, chunk: Any) -> None:
        """Write all of a chunk."""
        if self._must_truncate:
            self._truncate()
        write_fully(self._write, view_of(chunk))

    def finish(self) -> None:
        """Close the file and give it its name."""
        assert self._file is not None
        if self._must_truncate:
            self._truncate()
        if self._temporary is not None and self._mode == "replace":
            self._take_over_changes(self._temporary)
        if self._fsync:
            os.fsync(self._file.fileno())
        self._file.close()
        if self._temporary is not None:
            if self._mode == "create":
                _rename_to_new(self._temporary.path, self._target)
            else:
                self._replace(self._temporary.path)
            self._temporary.keep()
            if self._fsync:
                _sync_directory(self._target)
        self._gate.close()

    def discard(self) -> None:
        """Close the file and remove it, unless it is complete or was written in place."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        if self._temporary is not None:
            self._temporary.remove()
        self._gate.close()

    def interrupt(self) -> None:
        """End the waiting for the other end of a FIFO, or for a terminal."""
        self._gate.interrupt()

    def _call(self, method: Callable[[], T]) -> T:
        try:
            return super()._call(method)
        except OSError as error:
            error.filename = self._path  # not the temporary name
            del error.filename2
            raise

    # A new file.

    def _open_new(self, old: os.stat_result | None) -> None:
        if old is not None and not (_is_ours(old) or os.access(self._target, os.W_OK)):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), self._path)
        try:
            self._temporary = TemporaryFile(self._target, 0o666 if old is None else stat.S_IMODE(old.st_mode) & 0o700)
        except OSError as error:
            if old is not None:
                error.strerror = f"{error.strerror} (no new file can be made beside it: {IN_PLACE})"
            raise
        self._file = self._temporary
        self._old = old
        if old is not None:
            take_over(self._temporary.fileno(), self._target, old, self._temporary.status)

    def _take_over_changes(self, temporary: TemporaryFile) -> None:
        """Look once more at what is replaced: who may do with it less than before may do no more with the new file."""
        try:
            now = os.lstat(self._target)
        except OSError:
            return  # there is nothing, or the end of all this tells
        old = self._old
        is_same = old is not None and old.st_ctime_ns == now.st_ctime_ns and os.path.samestat(old, now)
        if not is_same and stat.S_ISREG(now.st_mode):
            take_over(temporary.fileno(), self._target, now, os.fstat(temporary.fileno()))

    def _replace(self, temporary: str) -> None:
        try:
            os.replace(temporary, self._target)
        except OSError as error:
            if error.errno in NOT_REPLACED:
                error.strerror = f"{error.strerror} (another file cannot take its place: {IN_PLACE})"
            raise

    # In place.

    def _open_in_place(self, old: os.stat_result | None) -> None:
        self.behind = 0
        flags = os.O_WRONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
        if self._mode == "append":
            flags |= os.O_APPEND | os.O_CREAT
        if self._mode == "in_place":
            flags |= os.O_CREAT
        is_fifo = old is not None and stat.S_ISFIFO(old.st_mode)
        descriptor = self._open_fifo(flags) if is_fifo else os.open(self._path, flags, 0o666)
        self._file = file = io.FileIO(descriptor, "wb")
        self._may_wait = is_fifo or file.isatty()
        self._must_truncate = self._mode == "in_place" and old is not None and stat.S_ISREG(old.st_mode)

    def _truncate(self) -> None:
        assert self._file is not None
        self._must_truncate = False
        if os.fstat(self._file.fileno()).st_size:  # not of what /proc has
            os.ftruncate(self._file.fileno(), 0)

    def _open_fifo(self, flags: int) -> int:
        while True:
            try:
                return os.open(self._path, flags)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
            self._gate.pause(FIFO_INTERVAL)  # nobody reads it yet

    def _write(self, view: memoryview) -> int | None:
        assert self._file is not None
        if self._may_wait:
            self._gate.wait_writable(self._file.fileno())
        return self._file.write(view)


def _absolute(path: str) -> str:
    """Return a path that stays right in another working directory."""
    return path if os.path.isabs(path) else os.path.join(os.getcwd(), path)


def _is_ours(status: os.stat_result) -> bool:
    """Whether a file is one that its owner may write, and we are that: so it is without asking the system."""
    return bool(status.st_mode & stat.S_IWUSR) and hasattr(os, "geteuid") and status.st_uid == os.geteuid()


def _rename_to_new(temporary: str, path: str) -> None:
    """Rename a file, but never over another: FileExistsError."""
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path) from None
        os.rename(temporary, path)
    else:
        os.unlink(temporary)


def _sync_directory(path: str) -> None:
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
