"""What all tests share: garbage is collected cheaply, a test that hangs ends, and none takes all memory."""

from __future__ import annotations

import faulthandler
import gc
import signal
import sys
from collections.abc import Generator
from itertools import count
from time import monotonic
from typing import Any, ClassVar

import pytest
from _pytest.faulthandler import fault_handler_stderr_fd_key

if sys.platform != "win32":
    import resource

TESTS_PER_FREEZE = 25

# A test that was told that its time is up is told again so often, wherever it hangs then: in the end of a fixture, too
# (seconds).
REMINDER = 10.0
# A test that has not ended so long after its limit hangs where it cannot be told: the run ends, and shows where
# (seconds). The clock for that, a thread, is started anew when so much has passed.
GRACE = 6 * REMINDER
REARMED = GRACE / 2
# What a test may take on top of what the process has (bytes).
MEMORY = 3 << 30

_finished = count(1)


class LastResort:
    """Ends the run when it is not armed again in time, also between tests and after the last."""

    ends_at: ClassVar[float] = 0.0

    @classmethod
    def arm(cls, seconds: float, error_output: int) -> None:
        """End the run in so many seconds, or a little earlier."""
        now = monotonic()
        if cls.ends_at < now + seconds - REARMED:
            cls.ends_at = now + seconds
            faulthandler.dump_traceback_later(seconds, exit=True, file=error_output)


def freeze() -> None:
    """Have the garbage collector look only at what is made from now on."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """Do not look for garbage while tests are collected: what is made then stays."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    """Leave out what the tests were made of."""
    freeze()
    limit_memory()


def pytest_runtest_logfinish() -> None:
    """Leave out what pytest keeps of the tests that are over."""
    if next(_finished) % TESTS_PER_FREEZE == 0:
        freeze()
        limit_memory()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """End the run if a test hangs where it cannot be interrupted: not in Python."""
    limit = limit_of(item)
    if limit:
        error_output = item.config.stash[fault_handler_stderr_fd_key]  # not the one that pytest captures
        LastResort.arm(limit + GRACE, error_output)
    return (yield)


def limit_of(item: pytest.Item) -> float:
    """The seconds that a test may take; 0 for any time."""
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0] if marker else item.config.getoption("timeout", None) or 0)


class TookTooLong(SystemExit):
    """Raised in a test whose time is up. Not a failure of pytest's: a SystemExit is all that uvloop lets pass."""


@pytest.hookimpl(tryfirst=True)
def pytest_timeout_set_timer(item: Any, settings: Any) -> bool | None:
    """Have pytest-timeout interrupt the test by our own exception."""
    if settings.method != "signal":
        return None
    item.cancel_timeout = cancel_timer
    set_timer(settings.timeout, settings.timeout)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, Any, Any]:
    """Interrupt the end of a test again and again: pytest-timeout has no timer any more after a failure."""
    limit = limit_of(item)
    if not limit or sys.platform == "win32":
        return (yield)
    set_timer(signal.getitimer(signal.ITIMER_REAL)[0], limit)
    try:
        return (yield)
    finally:
        cancel_timer()


def set_timer(left: float, limit: float) -> None:
    """Interrupt the test after the time that is left to it, and then again and again."""
    reminder = min(limit, REMINDER)
    signal.signal(signal.SIGALRM, _interrupt)
    signal.setitimer(signal.ITIMER_REAL, left or reminder, reminder)


def cancel_timer() -> None:
    """Let the test alone."""
    signal.setitimer(signal.ITIMER_REAL, 0)


def _interrupt(number: int, frame: object) -> None:
    raise TookTooLong("the test, or the end of its fixtures, took too long")


def limit_memory() -> None:
    """Have a test that takes too much memory fail with a MemoryError. Its child processes have the same limit.

    Asked for every few tests: what those leave behind is little beside what each may take.
    """
    if sys.platform != "linux":
        return
    with open("/proc/self/statm", "rb", buffering=0) as sizes:
        size = int(sizes.read().split()[5]) * resource.getpagesize()
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (size + MEMORY, hard))
