"""The programs that are ported, in Python; tests/site runs those in JavaScript, once, for that needs Node."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

PROGRAMS = sorted((Path(__file__).parents[2] / "docs" / "porting" / "programs").glob("*.py"))


def printed_by(program: Path) -> str:
    """Return what a program prints, in both languages."""
    return program.with_suffix(".txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)
def test_python_prints_what_the_page_shows(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(program), run_name="__main__")
    assert capsys.readouterr().out == printed_by(program)


def test_there_are_25_programs_in_both_languages() -> None:
    assert len(PROGRAMS) >= 25
    assert [program for program in PROGRAMS if not program.with_suffix(".mjs").exists()] == []
    assert len(PROGRAMS) == len(list(PROGRAMS[0].parent.glob("*.mjs")))
