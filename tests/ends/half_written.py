"""Processes that have written the half of a file and wait, for the tests of what they leave when they are killed.

Each is forked from one that has imported what it needs: to import that again takes longer than all the rest.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from webstreams.ends import write_file

from ..waiting import LIMIT

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([__name__])


class HalfWriter:
    """A process that has written the half of a file."""

    def __init__(self, path: Path, mode: str) -> None:
        self._ours, theirs = FORKS.Pipe()
        self._process = FORKS.Process(target=write_half, args=(str(path), mode, theirs))
        self._process.start()
        theirs.close()

    def wait_until_half(self) -> None:
        """Wait until it is so far."""
        assert self._ours.poll(LIMIT), "the process does not begin"
        assert self._ours.recv() == "begun"

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Kill it, and wait until it has ended."""
        assert self._process.pid is not None
        os.kill(self._process.pid, number)
        self._process.join(LIMIT)
        assert self._process.exitcode == -number

    def write_the_rest(self) -> None:
        """Have it write the other half, and wait until it has ended."""
        self._ours.send("go on")
        self._process.join(LIMIT)
        assert self._process.exitcode == 0

    def end(self) -> None:
        """Leave nothing of it."""
        self._process.kill()
        self._process.join(LIMIT)
        self._process.close()
        self._ours.close()


@contextmanager
def half_writer(path: Path, mode: str = "replace") -> Iterator[HalfWriter]:
    """Have a process write the half of a file, which waits then."""
    made = HalfWriter(path, mode)
    try:
        made.wait_until_half()
        yield made
    finally:
        made.end()


@contextmanager
def fork_server() -> Iterator[None]:
    """Have the process that is forked, and leave nothing of it, nor of the one that Python starts beside it."""
    process = FORKS.Process(target=int)
    process.start()
    process.join(LIMIT)
    process.close()
    try:
        yield
    finally:
        forkserver._forkserver._stop()  # type: ignore[attr-defined]
        resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]


# In the process.


def write_half(path: str, mode: Any, steps: Connection) -> None:
    asyncio.run(_write_half(path, mode, steps))


async def _write_half(path: str, mode: Any, steps: Connection) -> None:
    async with write_file(path, mode=mode).get_writer() as writer:
        await writer.write(b"half")
        steps.send("begun")
        await asyncio.to_thread(steps.recv)
        await writer.write(b" and half")
