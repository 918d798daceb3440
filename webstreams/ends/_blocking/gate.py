"""Waiting in a thread until a descriptor is ready, in a way that can be interrupted.

It does without `O_NONBLOCK`, which every process would see that shares a terminal or a pipe with this one.
"""

from __future__ import annotations

import os
import select
from threading import Lock
from typing import Final

from .threads import about_to_wait

# Whether there is poll(); where there is none, the calls themselves wait.
CAN_POLL: Final = hasattr(select, "poll")
# A pipe that is ready takes as many bytes at once.
READY_BYTES: Final[int] = getattr(select, "PIPE_BUF", 512)


class Interrupted(Exception):
    """The waiting of a thread was ended by `Gate.interrupt`."""


class _Wake:
    """The two ends of a pipe that ends the waiting; closed at the latest when they are dropped."""

    __slots__ = ("_writing", "reading")

    def __init__(self, reading: int, writing: int) -> None:
        # Can be read when the waiting is to end.
        self.reading = reading
        self._writing = writing

    def end_waiting(self) -> None:
        """End the waiting of whoever waits."""
        os.write(self._writing, b"!")

    def close(self) -> None:
        """Close both ends; may be called twice."""
        reading, self.reading = self.reading, -1
        if reading >= 0:
            os.close(reading)
            os.close(self._writing)

    def __del__(self) -> None:
        """Close what was dropped."""
        self.close()


class Gate:
    """Waits until a descriptor can be read or written; to be used by one thread at a time.

    It has two descriptors of its own from the first waiting on, until it is closed or dropped.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._is_interrupted = False
        self._wake: _Wake | None = None

    def wait_readable(self, descriptor: int) -> None:
        """Wait until reading would not wait. Raises `Interrupted`."""
        if CAN_POLL:
            self._wait(descriptor, select.POLLIN)

    def wait_writable(self, descriptor: int) -> None:
        """Wait until writing `READY_BYTES` would not wait. Raises `Interrupted`."""
        if CAN_POLL:
            self._wait(descriptor, select.POLLOUT)

    def pause(self, seconds: float) -> None:
        """Wait so long. Raises `Interrupted`."""
        self._wait(None, 0, seconds * 1000)

    def interrupt(self) -> None:
        """End the waiting, now and for ever; in any thread."""
        with self._lock:
            self._is_interrupted = True
            if self._wake is not None:
                self._wake.end_waiting()

    def close(self) -> None:
        """Close the descriptors; nobody may be waiting, or wait again."""
        self._is_interrupted = True
        wake = self._wake
        if wake is not None:
            with self._lock:
                self._wake = None
            wake.close()

    def _wait(self, descriptor: int | None, events: int, milliseconds: float | None = None) -> None:
        about_to_wait()
        poll = select.poll()
        if descriptor is not None:
            poll.register(descriptor, events)
        poll.register(self._wake_descriptor(), select.POLLIN)
        poll.poll(milliseconds)
        if self._is_interrupted:
            raise Interrupted

    def _wake_descriptor(self) -> int:
        with self._lock:
            if self._is_interrupted:
                raise Interrupted
            if self._wake is None:
                self._wake = _Wake(*os.pipe())
            return self._wake.reading
