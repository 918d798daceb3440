"""The child processes of this one that run: on Linux, where the system lists them; elsewhere none are seen."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress

THREADS = "/proc/self/task"
# How long a child that was told to end may take on a machine that has much else to do (seconds).
PATIENCE = 30.0
# Python's own helpers, which live as long as the process.
HELPERS = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
# Processes that serve more than one test, and that somebody ends who is not a test.
staying: set[int] = set()


def children() -> set[int]:
    """The process ids of the children that nobody has waited for, ended or not."""
    found: set[int] = set()
    if not any_child():
        return found
    with suppress(OSError):  # no such list here
        for thread in os.listdir(THREADS):
            with suppress(OSError):  # the thread has ended
                found.update(map(int, read(f"{THREADS}/{thread}/children").split()))
    return found


def read(path: str) -> bytes:
    """Return what a file of the system says: each test asks twice, and `open` takes longer than the system."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return b"".join(iter(lambda: os.read(descriptor, 4096), b""))
    finally:
        os.close(descriptor)


def any_child() -> bool:
    """Whether there is a child that nobody has waited for: one question, where most tests have none."""
    if sys.platform == "win32":
        return False
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def running_children() -> set[int]:
    """The process ids of the children that have not ended, without those that stay."""
    return {child for child in children() - staying if is_running(child)}


def is_running(child: int) -> bool:
    """Whether a process has not ended, nor waits for somebody who asks for its exit status."""
    try:
        status = read(f"/proc/{child}/stat")
    except OSError:
        return False
    return status.rpartition(b")")[2].split()[0] not in b"ZX"


def command_of(child: int) -> str:
    """The command line of a process."""
    with suppress(OSError):
        return read(f"/proc/{child}/cmdline").decode(errors="replace").replace("\0", " ").strip()
    return ""


def end_children(before: set[int]) -> list[str]:
    """Kill the children that were not there before and do not end by themselves; return their commands."""
    end = time.monotonic() + PATIENCE
    while left := running_children() - before:
        commands = {child: command_of(child) for child in left}
        strangers = {child: text for child, text in commands.items() if not any(each in text for each in HELPERS)}
        if not strangers:
            return []
        if time.monotonic() > end:
            for child in strangers:
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            return sorted(strangers.values())
        time.sleep(0.01)
    return []
