"""Mypy and pyright complain about the lines that are marked ``# error``, and about no others.

A mark is for both checkers; ``# error: mypy`` and ``# error: pyright`` (in differences.py only) are for one.
"""

from __future__ import annotations

import re

import pytest

from .checkers import FILES, HERE, complaints_of

MARK = re.compile(r"# error(?:: (?P<checker>mypy|pyright))?$")


def marked_lines(name: str, checker: str) -> set[int]:
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    marks = ((number, MARK.search(line)) for number, line in enumerate(lines, 1))
    return {number for number, mark in marks if mark is not None and mark["checker"] in {None, checker}}


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
@pytest.mark.parametrize("name", FILES)
def test_the_marked_lines_and_no_others_are_errors(name: str, checker: str) -> None:
    marked, found = marked_lines(name, checker), complaints_of(checker)[name]
    unmarked = {line: messages for line, messages in found.items() if line not in marked}
    assert unmarked == {}, f"{checker} complains about lines of {name} that are not marked"
    assert marked - found.keys() == set(), f"{checker} takes lines of {name} that are marked as errors"


@pytest.mark.parametrize("name", FILES)
def test_what_has_to_pass_and_what_has_to_fail_are_apart(name: str) -> None:
    text = (HERE / name).read_text(encoding="utf-8")
    marks = {mark["checker"] or "both" for line in text.splitlines() if (mark := MARK.search(line))}
    expected = {"rejected.py": {"both"}, "differences.py": {"mypy", "pyright"}}
    assert marks == expected.get(name, set())
    assert "type: ignore" not in text
    assert "pyright: ignore" not in text
