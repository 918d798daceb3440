"""Waiting in a thread until a descriptor is ready, in a way that can be interrupted.

It does without `O_NONBLOCK`, which would be seen by every process that shares a terminal or a pipe with this one.
"""

from __future__ import annotations

import os
import select
from threading import Lock
from typing import Final

# Whether there is poll(); where not, the calls themselves wait.
CAN_POLL: Final = hasattr(select, "poll")
# A pipe that is ready takes as many bytes at once.
READY_BYTES: Final = getattr(select, "PIPE_BUF", 512)


class Interrupted(Exception):
    """The waiting of a thread was ended by `Gate.interrupt`."""


class Gate:
    """Waits until a descriptor can be read or written; to be used by one thread at a time."""

    def __init__(self) -> None:
        self._wake_read, self._wake_write = os.pipe() if CAN_POLL else (-1, -1)
        self._lock = Lock()

    def wait_readable(self, descriptor: int) -> None:
        """Wait until reading would not wait. Raises `Interrupted`."""
        if CAN_POLL:
            self._wait(descriptor, select.POLLIN, None)

    def wait_writable(self, descriptor: int) -> None:
        """Wait until writing `READY_BYTES` would not wait. Raises `Interrupted`."""
        if CAN_POLL:
            self._wait(descriptor, select.POLLOUT, None)

    def pause(self, seconds: float) -> None:
        """Wait so long. Raises `Interrupted`."""
        self._wait(None, 0, seconds)

    def _wait(self, descriptor: int | None, events: int, seconds: float | None) -> None:
        poll = select.poll()
        poll.register(self._wake_read, select.POLLIN)
        if descriptor is not None:
            poll.register(descriptor, events)
        ready = poll.poll(None if seconds is None else seconds * 1000)
        if any(each == self._wake_read for each, _ in ready):
            raise Interrupted

    def interrupt(self) -> None:
        """End the waiting, now and for ever; in any thread."""
        with self._lock:
            if self._wake_write >= 0:
                os.write(self._wake_write, b"!")

    def close(self) -> None:
        """Give the descriptors back; nobody may be waiting."""
        with self._lock:
            descriptors = (self._wake_read, self._wake_write)
            self._wake_read = self._wake_write = -1
        for descriptor in descriptors:
            if descriptor >= 0:
                os.close(descriptor)

    def __del__(self) -> None:
        """Give the descriptors back when the stream was dropped."""
        self.close()
