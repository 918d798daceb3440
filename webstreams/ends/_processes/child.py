"""The child itself: started, signalled and waited for."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from threading import Lock
from typing import Any, Final

from ..._engine.jobs import current_jobs
from ..._engine.promise import Promise
from ..._platform.errors import LoopEndedError
from .._blocking.threads import about_to_wait, in_thread

# The exit status of who has written what nobody reads: a program, and a shell that tells of its last one.
ENDED_BY_SIGPIPE: Final = (-13, 128 + 13)

Argument = str | bytes | os.PathLike[str] | os.PathLike[bytes]


class Child:
    """A child process.

    Not `loop.subprocess_exec`: with uvloop, the child would hold its ends of the pipes twice, so that nobody would see
    it close them. A thread waits for the child.
    """

    def __init__(self, args: Sequence[Argument], check: bool, group: bool) -> None:
        self.args: tuple[Argument, ...] = tuple(args)
        self.check = check
        self.pid: int = 0
        self.returncode: int | None = None
        # Fulfilled when the child has ended: with the exit status, and with the error that it stands for.
        self.exited: Promise[int]
        self.verdict: Promise[BaseException | None]
        self.exited, self._resolve_exited, _ = Promise.with_resolvers()
        self.verdict, self._resolve_verdict, _ = Promise.with_resolvers()
        self._process: subprocess.Popen[bytes]
        self._is_group = group
        # The signals that were sent through us.
        self._sent: set[int] = set()
        # The process id is that of the child, and of its group, until the child is reaped.
        self._lock = Lock()
        self._is_reaped = False

    def start(self, **options: Any) -> None:
        """Start it."""
        if self._is_group:
            options["process_group"] = 0
        self._process = subprocess.Popen(self.args, **options)
        self.pid = self._process.pid
        current_jobs().end.others.add(self)
        in_thread(self._wait).then(self._ended)

    def send_signal(self, number: int) -> None:
        """Send a signal to the child or its group, unless the child has ended."""
        with self._lock:
            if self._is_reaped:
                return
            self._sent.add(number)
            self._signal(number)

    def was_ended_by_us(self, has_dropped_output: bool) -> bool:
        """Whether the signal that ended the child was sent by us, or comes of dropping its output."""
        code = self.returncode or 0
        return -code in self._sent or (has_dropped_output and code in ENDED_BY_SIGPIPE)

    def _cut_off(self, error: LoopEndedError, is_late: bool) -> Promise[int]:
        """The event loop has ended: kill the child."""
        self.send_signal(signal.SIGKILL)
        return self.exited

    async def reap(self) -> None:
        """Wait for the end of a child that was killed, even if that is cancelled."""
        cancelled = False
        while not self.exited.done():
            try:
                await self.exited
            except asyncio.CancelledError:
                cancelled = True
        if cancelled:
            raise asyncio.CancelledError

    def _wait(self) -> int:
        """Wait for the end, and end what is left of the group. In a thread."""
        about_to_wait()
        if hasattr(os, "waitid"):
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        else:
            self._process.wait()
        with self._lock:
            if self._is_group:
                self._signal(signal.SIGKILL)
            self._is_reaped = True
            return self._process.wait()

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            (os.killpg if self._is_group else os.kill)(self.pid, number)

    def _ended(self, code: int) -> None:
        self.returncode = code
        self._resolve_exited(code)
        failed = self.check and code
        self._resolve_verdict(subprocess.CalledProcessError(code, list(self.args)) if failed else None)
