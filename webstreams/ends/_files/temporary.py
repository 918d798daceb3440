"""The file that is written beside another one, until it is complete and takes its name.

Its name is made of the other one's and a number. The writer holds a lock (``flock``) on the file for as long as it has
that name. So one that nobody holds is what a process left that was killed, and the next writer of the same target
removes it; never one that somebody writes.
"""

from __future__ import annotations

import itertools
import os
import stat
from binascii import crc32
from collections.abc import Iterator
from contextlib import suppress
from typing import Final
from weakref import finalize

try:
    import fcntl
except ImportError:
    HAS_LOCKS = False  # Windows, which removes no file that is open, either: what was left there stays
else:
    HAS_LOCKS = True

# How much of the target's name is in that of its temporary file, for those who see it (characters).
SHOWN: Final = 32

CREATED: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
# Whatever has the name, opening it neither waits nor goes elsewhere.
FOUND: Final = os.O_WRONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)


class TemporaryFile:
    """A new file beside `target`, which is removed when it is dropped and at the end of the process, unless it is kept.

    Who has it closes `descriptor`. The lock is on another one of the same file: a file system may tell only by closing
    that not all was written, and the file must not be without a lock before it has lost its name.
    """

    def __init__(self, target: str, permissions: int) -> None:
        self.path, self.descriptor = _create(target, permissions)
        try:
            lock = os.dup(self.descriptor) if HAS_LOCKS else None
        except OSError:
            _remove(self.path, self.descriptor, os.getpid())
            raise
        self._finalizer = finalize(self, _remove, self.path, lock, os.getpid())

    def keep(self) -> None:
        """Release the lock: the file has its own name now."""
        found = self._finalizer.detach()
        if found is not None:
            _, lock, _ = found[2]
            _close(lock)

    def remove(self) -> None:
        """Remove the file, unless it was kept or removed."""
        self._finalizer()


def _create(target: str, permissions: int) -> tuple[str, int]:
    """Make a file with the first name that no living writer has, and remove what dead ones left; return its path and
    its descriptor."""
    paths = _paths(target)
    descriptor = None
    while descriptor is None:
        path = next(paths)
        descriptor = _create_locked(path, permissions)
    for following in paths:
        if not os.path.lexists(following) or not _remove_left(following):
            break
    return path, descriptor


def _paths(target: str) -> Iterator[str]:
    directory, name = os.path.split(target)
    beginning = os.path.join(directory, f".{name[:SHOWN]}.{crc32(os.fsencode(name)):08x}")
    return (f"{beginning}-{number}.webstreams.tmp" for number in itertools.count())


def _create_locked(path: str, permissions: int) -> int | None:
    """Make a file and lock it; return None if a living writer has the name."""
    while True:
        try:
            descriptor = os.open(path, CREATED, permissions)
        except FileExistsError:
            if not _remove_left(path):
                return None
            continue
        try:
            if not _lock(descriptor) or os.fstat(descriptor).st_nlink:
                return descriptor
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
