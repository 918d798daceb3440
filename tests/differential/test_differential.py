"""Random programs give the same callbacks and settlements in the same order as other implementations.

The corpus replays programs against recorded logs of the reference implementation and needs nothing but Python. The
comparison with web-streams-polyfill runs Node, and is skipped where there is none.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from itertools import zip_longest
from pathlib import Path

import pytest

from . import corpus
from .compare import ROOT, Implementation, Log, Program, comparable, difference, implementation
from .run_python import run_program
from .show import show_program

CACHE = ROOT / ".cache" / "differential"
POLYFILL = "web-streams-polyfill@4.3.0"
INSTALL_SECONDS = 120


def explain(program: Program, ours: Log, theirs: Log) -> str:
    """A program with both logs, the lines that differ marked."""
    lines = [f"seed {program['seed']}", show_program(program)]
    pairs = zip_longest(comparable(program, ours), comparable(program, theirs), fillvalue="")
    lines += [f"{'  ' if one == other else '* '}{one:60} {other}" for one, other in pairs]
    return "\n".join(lines)


@pytest.mark.parametrize("name", corpus.SIZES)
def test_corpus_is_complete(name: str) -> None:
    """The corpus was not cut short."""
    assert len(corpus.load(name)) == corpus.SIZES[name]


@pytest.mark.parametrize(
    "record",
    [pytest.param(item, id=f"{name}-{item['program']['seed']}") for name in corpus.SIZES for item in corpus.load(name)],
)
def test_corpus(record: corpus.Record) -> None:
    """A recorded program gives the log that the reference implementation gave."""
    program = record["program"]
    log = run_program(program)
    if difference(program, log, record["log"]) is not None:
        pytest.fail(explain(program, log, record["log"]), pytrace=False)


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
    wrong = []
    for program, theirs in zip(programs, polyfill.run(programs), strict=True):
        ours = run_program(program)
        if difference(program, ours, theirs) is not None:
            wrong.append(explain(program, ours, theirs))
    assert not wrong, f"{len(wrong)} of {len(programs)} programs differ:\n" + "\n\n".join(wrong[:5])
