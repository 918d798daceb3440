"""The file that is written beside another one, until it is complete and takes its name.

Its name is made of the other one's and a number. The writer holds a lock (``flock``) on the file for as long as it has
that name. So one that nobody holds is what a process left that was killed, and the next writer of the same target
removes it; never one that somebody writes.
"""

from __future__ import annotations

import atexit
import os
import stat
from binascii import crc32
from contextlib import suppress
from typing import Final

try:
    import fcntl
except ImportError:
    HAS_LOCKS = False  # Windows, which removes no file that is open, either: what was left there stays
else:
    HAS_LOCKS = True

# How much of the target's name is in that of its temporary file, for those who see it (characters).
SHOWN: Final = 32
ENDING: Final = ".webstreams.tmp"

CREATED: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
# Whatever has the name, opening it neither waits nor goes elsewhere.
FOUND: Final = os.O_WRONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)


class TemporaryFile:
    """A new file beside `target`, which is removed when it is dropped and at the end of the process, unless it is kept.

    The lock is on a descriptor of its own: a file system may tell only by closing that not all was written, and the
    file must not be without a lock before it has lost its name.
    """

    __slots__ = ("_descriptor", "_lock", "path", "status")

    def __init__(self, target: str, permissions: int) -> None:
        self._descriptor = -1
        self.path, self._descriptor, self.status = _create(target, permissions)
        try:
            lock = os.dup(self._descriptor) if HAS_LOCKS else None
        except OSError:
            _remove(self.path, None, os.getpid())
            raise
        _UNDER_WAY[id(self)] = (self.path, lock, os.getpid())

    def fileno(self) -> int:
        """Return the descriptor to write to."""
        return self._descriptor

    def write(self, view: memoryview) -> int:
        """Write a part; return its size."""
        return os.write(self._descriptor, view)

    def close(self) -> None:
        """Close what is written to; may be called twice."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def keep(self) -> None:
        """Release the lock: the file has its own name now."""
        found = _UNDER_WAY.pop(id(self), None)
        if found is not None:
            _close(found[1])

    def remove(self) -> None:
        """Remove the file, unless it was kept or removed."""
        found = _UNDER_WAY.pop(id(self), None)
        if found is not None:
            _remove(*found)

    def __del__(self) -> None:
        """Remove what was dropped."""
        if self._descriptor >= 0 or id(self) in _UNDER_WAY:
            self.remove()
            with suppress(OSError):
                self.close()


# What is removed at the end of the process: path, lock and process of each file that is neither kept nor removed.
_UNDER_WAY: Final[dict[int, tuple[str, int | None, int]]] = {}


@atexit.register
def _remove_all() -> None:
    while _UNDER_WAY:
        _remove(*_UNDER_WAY.popitem()[1])


def _create(target: str, permissions: int) -> tuple[str, int, os.stat_result]:
    """Make a file with the first name that no living writer has, and remove what dead ones left; return its path, its
    descriptor and what the system says of it."""
    name = os.path.split(target)[1]
    directory = target[: len(target) - len(name)]
    beginning = f"{directory}.{name[:SHOWN]}.{crc32(os.fsencode(name)):08x}"
    number = 0
    while (created := _create_locked(path := f"{beginning}-{number}{ENDING}", permissions)) is None:
        number += 1
    following = number + 1
    while _exists(left := f"{beginning}-{following}{ENDING}") and _remove_left(left):
        following += 1
    return path, *created


def _create_locked(path: str, permissions: int) -> tuple[int, os.stat_result] | None:
    """Make a file and lock it; return None if a living writer has the name."""
    while True:
        try:
            descriptor = os.open(path, CREATED, permissions)
        except FileExistsError:
            if not _remove_left(path):
                return None
            continue
        try:
            is_locked = _lock(descriptor)
            status = os.fstat(descriptor)
            if not is_locked or status.st_nlink:
                return descriptor, status
        except BlockingIOError:  # somebody takes it for what was left
            os.close(descriptor)
            return None
        os.close(descriptor)  # somebody took it for what was left


def _lock(descriptor: int) -> bool:
    """Lock a file; return whether the file system can do that. If it cannot, nobody else gets a lock, either."""
    if not HAS_LOCKS:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True


def _exists(path: str) -> bool:
    """Whether there is something under this name; without an exception where there is not, which is the rule."""
    if os.access in os.supports_follow_symlinks and os.access in os.supports_effective_ids:
        return os.access(path, os.F_OK, effective_ids=True, follow_symlinks=False)
    return os.path.lexists(path)


def _remove_left(path: str) -> bool:
    """Remove a file that nobody holds; return whether the name is free.

    Who has the lock of the file that has the name is the only one who may take the name from it.
    """
    try:
        descriptor = os.open(path, FOUND)
    except OSError as error:
        return isinstance(error, FileNotFoundError)
    try:
        if not HAS_LOCKS:
            return False
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        found = os.fstat(descriptor)
        if stat.S_ISREG(found.st_mode) and os.path.samestat(found, os.lstat(path)):
            os.unlink(path)
            return True
        return False
    except OSError as error:
        return isinstance(error, FileNotFoundError)
    finally:
        os.close(descriptor)


def _remove(path: str, lock: int | None, process: int) -> None:
    """Remove a file that is not complete, then release its lock; not in a process that was forked off its writer's."""
    if os.getpid() == process:
        with suppress(OSError):
            os.unlink(path)
    _close(lock)


def _close(lock: int | None) -> None:
    if lock is not None:
        os.close(lock)
