"""The programs that are ported print in JavaScript what they print in Python: see tests/pages/test_programs.py."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.pages.blocks import Block, of_kind
from tests.pages.blocks import printed_by as printed_by_block
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


@pytest.mark.parametrize("block", of_kind("javascript"), ids=lambda block: block.name)
def test_javascript_of_a_page_prints_what_the_page_shows(block: Block, tmp_path: Path) -> None:
    """That of the README and of the pages on porting; the Python beside it prints the same (test_documentation.py)."""
    program = tmp_path / "program.mjs"
    program.write_text(block.code, encoding="utf-8")
    done = subprocess.run([str(installed()), program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", printed_by_block(block))


def test_every_page_with_javascript_is_found() -> None:
    assert {block.page.name for block in of_kind("javascript")} == {"README.md", "from-web-streams.md"}
