"""The programs that are ported print in JavaScript what they print in Python: see tests/pages/test_programs.py."""

from __future__ import annotations

import json
import subprocess

from tests.pages.test_programs import PROGRAMS, printed_by

from .node import installed


def test_javascript_prints_the_same() -> None:
    """All programs in one process of Node 26."""
    command = [str(installed()), str(PROGRAMS[0].parent / "run.js")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert answer["version"].startswith("v26.")
    assert answer["printed"] == {program.stem: printed_by(program).splitlines() for program in PROGRAMS}
