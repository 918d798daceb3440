"""Run on a mutant: fails as soon as a test notices it (`python -m tests.mutants.notice`)."""

from __future__ import annotations

import asyncio
import resource
import sys

import pytest

from ..fastpath.compare import PROGRAMS, compare
from ..fastpath.programs import CHECK, ON

QUICK = ("guards", "check", "queues", "regressions")
TESTS = [*(f"tests/fastpath/test_{each}.py" for each in QUICK), "tests/test_fast_paths.py"]
# Left out: what runs again on another loop or in another process, and the random tests, of which there are fewer here.
LEFT_OUT = "not uvloop and not environment and not observed and not finds_no_difference"
CHECKED_SEEDS = 8
SEEDS = 60
# Some times what it takes without a mutant (seconds of processor time).
LIMIT = 300


def main() -> None:
    """Run some random programs with the check, the tests that are quick, and then more random programs."""
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT))
    for program in PROGRAMS.values():
        for seed in range(CHECKED_SEEDS):
            compare(seed, asyncio.new_event_loop, CHECK, program)
    if pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--timeout=600", "-k", LEFT_OUT, *TESTS]):
        sys.exit(1)
    for program in PROGRAMS.values():
        for seed in range(SEEDS):
            compare(seed, asyncio.new_event_loop, ON, program)


if __name__ == "__main__":
    main()
