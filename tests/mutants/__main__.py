"""Breaks each guard and each declaration of the fast path, one at a time, and tells which of them no test notices.

``python -m tests.mutants [NAME...]`` tries all of them (an hour of processor time), or those whose names contain one of
the words. It fails if one is not noticed that `redundant.REDUNDANT` does not list, or if one is noticed that it lists.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .catalogue import PACKAGE, Mutant, all_mutants
from .redundant import REDUNDANT

ROOT = Path(__file__).parent.parent.parent
# A mutant may hang. `notice` limits its processor time, which does not depend on what else the machine does; this is
# for one that waits for ever (seconds).
LIMIT = 1200


def is_noticed(mutant: Mutant | None) -> bool:
    """Whether a test fails with a mutant; with None, whether one fails without any."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "webstreams"
        shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"))
        if mutant is not None:
            mutant.apply(copy)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([folder, str(ROOT)]), "PYTHONSAFEPATH": "1"}
        command = [sys.executable, "-m", "tests.mutants.notice"]
        try:
            done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=LIMIT, check=False)
        except subprocess.TimeoutExpired:
            return True
        return done.returncode != 0


def verdict(mutant: Mutant) -> tuple[bool, str]:
    """Whether it is well with a mutant, and what to say."""
    noticed = is_noticed(mutant)
    reason = REDUNDANT.get(mutant.name)
    if noticed:
        return reason is None, "noticed" if reason is None else "NOTICED, although it is listed as redundant"
    return reason is not None, "NOT NOTICED" if reason is None else f"redundant: {reason}"


def main(words: Sequence[str]) -> int:
    """Try the mutants whose names contain one of the words; return the exit status."""
    mutants = [each for each in all_mutants().values() if not words or any(word in each.name for word in words)]
    failures = 0
    with ThreadPoolExecutor(max_workers=max(1, (os.cpu_count() or 2) // 2)) as pool:
        for mutant, (is_well, text) in zip(mutants, pool.map(verdict, mutants), strict=True):
            failures += not is_well
            print(f"{mutant.name}: {text}", flush=True)
    print(f"{len(mutants)} mutants, {failures} of them not as expected")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
