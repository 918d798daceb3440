"""Random programs give the same callbacks and settlements in the same order as other implementations.

The corpus replays programs against recorded logs of the reference implementation and needs nothing but Python. The
comparison with web-streams-polyfill runs Node, and is skipped where there is none.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from itertools import zip_longest
from pathlib import Path

import pytest

from ..grids import each_of
from . import corpus
from .compare import ROOT, Implementation, Log, Program, comparable, difference, implementation
from .run_python import run_program
from .show import show_program

CACHE = ROOT / ".cache" / "differential"
POLYFILL = "web-streams-polyfill@4.3.0"
INSTALL_SECONDS = 120
# So many programs that differ are shown in full.
EXPLAINED = 5


def explain(program: Program, ours: Log, theirs: Log) -> str:
    """A program with both logs, the lines that differ marked."""
    lines = [f"seed {program['seed']}", show_program(program)]
    pairs = zip_longest(comparable(program, ours), comparable(program, theirs), fillvalue="")
    lines += [f"{'  ' if one == other else '* '}{one:60} {other}" for one, other in pairs]
    return "\n".join(lines)


@each_of(name=corpus.SIZES)
def test_corpus(name: str) -> None:
    """Every recorded program gives the log that the reference implementation gave."""
    records = corpus.load(name)
    assert len(records) == corpus.SIZES[name], "the corpus was cut short"
    report_differences((record["program"], record["log"]) for record in records)


def report_differences(expected: Iterable[tuple[Program, Log]]) -> None:
    """Run programs; fail with those that give another log, all of their seeds and the first of them in full."""
    wrong = {program["seed"]: text for program, log in expected if (text := explain_difference(program, log))}
    if wrong:
        text = "\n\n".join([*wrong.values()][:EXPLAINED])
        raise AssertionError(f"{len(wrong)} programs differ, of the seeds {', '.join(map(str, wrong))}:\n{text}")


def explain_difference(program: Program, theirs: Log) -> str:
    """Run a program; nothing if it gives this log."""
    try:
        ours = run_program(program)
    except BaseException as error:
        error.add_note(f"in the program of seed {program['seed']}")
        raise
    return "" if difference(program, ours, theirs) is None else explain(program, ours, theirs)


@pytest.fixture(scope="session")
def polyfill() -> Implementation:
    """web-streams-polyfill under Node, from the cache folder."""
    node, npm = os.environ.get("NODE") or shutil.which("node"), shutil.which("npm")
    folder = Path(os.environ.get("STREAMS_POLYFILL", CACHE))
    if node is None:
        pytest.skip("there is no Node")
    if not (folder / "node_modules" / "web-streams-polyfill").exists():
        if npm is None:
            pytest.skip("there is no npm")
        install_polyfill(npm, folder)
    return implementation("polyfill", node, str(folder))


def install_polyfill(npm: str, folder: Path) -> None:
    """Install the polyfill, or skip when that cannot be done here."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", POLYFILL]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_SECONDS)
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"cannot install {POLYFILL}: {error}")


def test_polyfill(polyfill: Implementation) -> None:
    """A few hundred programs agree with web-streams-polyfill, except where it departs from the reference."""
    known = corpus.known_differences()
    programs = [program for program in corpus.polyfill_programs() if str(program["seed"]) not in known]
    report_differences(zip(programs, polyfill.run(programs), strict=True))
