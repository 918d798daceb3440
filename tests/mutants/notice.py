"""Run on a mutant: fails as soon as something notices it, and says what (`python -m tests.mutants.notice [TEST...]`).

What is cheap and telling comes first: the tests that are named, then a few random programs on both paths, then the
tests that are quick, then more random programs.
"""

from __future__ import annotations

import asyncio
import resource
import selectors
import signal
import sys
from collections.abc import Sequence

import pytest

from ..fastpath.compare import PROGRAMS, differs
from ..fastpath.programs import CHECK, EMITTED, ON

TESTS = [
    "tests/fastpath/test_guards.py",
    "tests/fastpath/test_operator_guards.py",
    "tests/fastpath/test_driver.py",
    "tests/fastpath/test_entry.py",
    "tests/fastpath/test_ordinary.py",
    "tests/fastpath/test_reading.py",
    "tests/fastpath/test_answers.py",
    "tests/fastpath/test_for_loops.py",
    "tests/test_fast_paths.py",
    "tests/fastpath/test_regressions.py",
    "tests/fastpath/test_check.py",
    "tests/fastpath/test_queues.py",
    "tests/fastpath/test_brimful.py",
    "tests/fastpath/test_draining.py",
    "tests/fastpath/test_linking.py",
    "tests/guarantees/test_fairness.py",
    "tests/fastpath/test_reuse.py",
    "tests/fastpath/test_writing.py",
    "tests/fastpath/test_measured.py",
    "tests/fastpath/test_byte_streams.py",
    "tests/fastpath/test_filling.py",
    "tests/faults/test_byte_views.py",
    "tests/faults/test_byte_streams.py",
    "tests/faults/test_partial_items.py",
    "tests/faults/test_cancelled_byob_reads.py",
    "tests/fastpath/test_operators.py",
    "tests/fastpath/test_code.py",
    "tests/operators/test_gathered_calls.py",
    "tests/workers/test_pipes.py",
    "tests/operators/test_concurrency_queue.py",
]
# Left out: what runs again on another loop or in another process, and the random tests, of which there are fewer here.
LEFT_OUT = "not process and not uvloop and not environment and not observed and not finds_no_difference"
# The programs of many pipelines take as long as all others together.
SLOW_TO_CHECK = "piped_together"
FIRST_CHECKED = range(2)
CHECKED = range(2, 8)
MORE = range(60)
# Some times what it takes without a mutant (seconds of processor time); and for a program or a test that waits for
# ever (seconds: on a busy machine, one that does not may take some minutes).
LIMIT = 150
PATIENCE = 600
# A loop in which nothing happens for so long waits for ever: no test listens to the network (seconds). A
# worker's thread may take some to begin on a busy machine.
IDLE = 10


class ImpatientSelector(selectors.DefaultSelector):
    """What event loops wait with: fails where nothing can happen any more, as where a chunk was lost."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait; raises TimeoutError in a loop without jobs and timers, unless a thread wakes it."""
        found = super().select(IDLE if timeout is None else timeout)
        if timeout is None and not found:
            raise TimeoutError("nothing will happen any more: what the program waits for was lost")
        return found


class Notice:
    """Names what has noticed the mutant."""

    def __init__(self) -> None:
        self.name = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A part of a test has ended."""
        if report.failed:
            self.name = report.nodeid.rpartition("::")[2]


def programs_notice(mode: str, seeds: Sequence[int], names: Sequence[str]) -> str:
    """Name the first random program that differs."""
    for name in names:
        for seed in seeds:
            signal.alarm(PATIENCE)
            what = f"seed {seed} of {name}{', checked' if mode == CHECK else ''}"
            try:
                if differs(seed, asyncio.new_event_loop, mode, PROGRAMS[name]):
                    return what
            except Exception as error:
                return f"{what}: {error!r}"
    signal.alarm(0)
    return ""


def tests_notice(tests: Sequence[str]) -> str:
    """Name the first of these tests that fails."""
    notice = Notice()
    # Python's own traceback: pytest's parses the code, which some 3.11 cannot do deep in the stack (see .ci/test).
    options = ["-x", "-q", "--tb=native", "-p", "no:cacheprovider", f"--timeout={PATIENCE}", "-k", LEFT_OUT]
    status = pytest.main([*options, *tests], [notice])
    return notice.name or f"pytest, with status {status}" if status else ""


def what_notices() -> str:
    """Name what notices the mutant, if anything does."""
    quick = [each for each in PROGRAMS if each != SLOW_TO_CHECK]
    return (
        programs_notice(CHECK, FIRST_CHECKED, quick)
        or tests_notice(TESTS)
        or programs_notice(CHECK, CHECKED, quick)
        or programs_notice(ON, MORE, list(PROGRAMS))
        or programs_notice(EMITTED, MORE, list(PROGRAMS))
        or programs_notice(CHECK, FIRST_CHECKED, [SLOW_TO_CHECK])
        or programs_notice(CHECK, CHECKED, [SLOW_TO_CHECK])
    )


def main() -> None:
    """Look whether something notices the mutant."""
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT))
    selectors.DefaultSelector = ImpatientSelector  # type: ignore[misc]
    first = sys.argv[1:]
    found = (tests_notice(first) if first else "") or what_notices()
    if found:
        print(f"\nnoticed by {found}")
        sys.exit(1)


if __name__ == "__main__":
    main()
