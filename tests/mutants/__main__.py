"""Breaks each guard and each declaration of the fast path, one at a time, and tells which of them no test notices.

``python -m tests.mutants [--verdicts FILE] [NAME...]`` tries all of them (some minutes of processor time), or those
whose names contain one of the words. It fails if one is not noticed that `redundant.REDUNDANT` does not list, or if one
is noticed that it lists. With a file it can be stopped and goes on later: the verdicts are kept there, and those that
are as expected hold until the package changes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .catalogue import PACKAGE, Mutant, all_mutants
from .redundant import REDUNDANT

ROOT = Path(__file__).parent.parent.parent
# `notice` limits its own time; this is for an interpreter that waits for ever (seconds).
LIMIT = 1200


class Verdict(NamedTuple):
    """Whether it is well with a mutant, and what to say."""

    is_well: bool
    text: str


def noticed_by(mutant: Mutant | None, first: Sequence[str] = ()) -> str:
    """Return what notices a mutant, or an empty text; with None, what fails without any.

    What is most likely to notice it can be given, to be asked first: files of tests.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "webstreams"
        shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"))
        if mutant is not None:
            mutant.apply(copy)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([folder, str(ROOT)]), "PYTHONSAFEPATH": "1"}
        command = [sys.executable, "-m", "tests.mutants.notice", *first]
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LIMIT, check=False
            )
        except subprocess.TimeoutExpired:
            return "the limit of its time"
        if done.returncode == 0:
            return ""
        last = done.stdout.rstrip().rpartition("\n")[2]
        if last.startswith("noticed by "):
            return last.removeprefix("noticed by ")
        return f"an end with status {done.returncode}"


def verdict(mutant: Mutant) -> Verdict:
    """Try a mutant."""
    found = noticed_by(mutant)
    reason = REDUNDANT.get(mutant.name)
    if found:
        text = f"noticed by {found}" if reason is None else f"NOTICED by {found}, although it is listed as redundant"
        return Verdict(reason is None, text)
    return Verdict(reason is not None, "NOT NOTICED" if reason is None else f"redundant: {reason}")


class Verdicts:
    """The verdicts that are kept in a file: its first line tells of which package."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.known: set[str] = set()
        digest = hashlib.sha256()
        for room in ("_engine", "_fastpath", "_streams"):
            for each in sorted((PACKAGE / room).rglob("*.py")):
                digest.update(each.read_bytes())
        first = digest.hexdigest()
        if path is None:
            return
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        if lines[:1] == [first]:
            self.known = {line.partition(": ")[2] for line in lines[1:] if line.startswith("as expected: ")}
        else:
            path.write_text(f"{first}\n", encoding="utf-8")

    def add(self, mutant: Mutant, found: Verdict) -> None:
        """Keep a verdict."""
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{'as expected' if found.is_well else 'NOT as expected'}: {mutant.name}\n")


def main(arguments: Sequence[str]) -> int:
    """Try the mutants whose names contain one of the words; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verdicts", type=Path, metavar="FILE")
    parser.add_argument("words", nargs="*", metavar="NAME")
    options = parser.parse_args(arguments)
    words: list[str] = options.words
    mutants = [each for each in all_mutants().values() if not words or any(word in each.name for word in words)]
    verdicts = Verdicts(options.verdicts)
    failures = 0
    for mutant in mutants:
        if mutant.name in verdicts.known:
            continue
        found = verdict(mutant)
        verdicts.add(mutant, found)
        failures += not found.is_well
        print(f"{mutant.name}: {found.text}", flush=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{len(mutants)} mutants, {failures} of them not as expected", end="; ")
    print(f"{len(verdicts.known)} were known before; {used.ru_utime + used.ru_stime:.0f} s of processor time")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
