"""Every line of the list of faults has a test that names it, or a reason in `lines.txt` why it cannot have one yet."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parent.parent
LINES = Path(__file__).with_name("lines.txt")
# How many lines the parts of the list have.
PARTS = {"R": 31, "B": 14, "W": 12, "T": 9, "P": 13, "Y": 10}
# The ids at the beginning of a test's name: test_r1_..., test_w3_w4_...
NAMED = re.compile(r"test((?:_[a-z]\d+)+)(?:_|$)")


def listed() -> list[tuple[str, str]]:
    """The ids of `lines.txt`, each with its reason or an empty string."""
    lines = [line.partition("#")[0].strip() for line in LINES.read_text(encoding="utf-8").splitlines()]
    entries = [line.partition(":") for line in lines if line]
    return [(name.strip(), reason.strip()) for name, _, reason in entries]


def test_functions(source: str) -> Iterator[str]:
    """The names of all test functions in a module, also of those in classes."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_"):
            yield node.name


test_functions.__test__ = False  # type: ignore[attr-defined]


@cache
def named_ids() -> set[str]:
    """The ids that tests under tests/ have in their names."""
    found: set[str] = set()
    for path in TESTS.rglob("test_*.py"):
        for name in test_functions(path.read_text(encoding="utf-8")):
            match = NAMED.match(name)
            if match is not None:
                found.update(match[1].upper().strip("_").split("_"))
    return found


def test_the_list_is_complete() -> None:
    """`lines.txt` has each id once, in order, and none that does not exist."""
    assert [name for name, _ in listed()] == [
        f"{part}{n}" for part, count in PARTS.items() for n in range(1, count + 1)
    ]


def test_every_line_has_a_test_or_a_reason() -> None:
    """A line that no test names has a reason."""
    named = named_ids()
    missing = [name for name, reason in listed() if name not in named and not reason]
    assert missing == [], "these lines have no test, and no reason in lines.txt"


def test_no_reason_is_stale() -> None:
    """A line that a test names has no reason any more."""
    named = named_ids()
    stale = [name for name, reason in listed() if name in named and reason]
    assert stale == [], "these lines have a test now: remove their reasons from lines.txt"


def test_names_are_read_as_they_are_meant() -> None:
    """One id, several ids, and names that only look like it."""
    names = ["test_r1_x", "test_w3_w4_x", "test_y10", "test_r1x_y", "test_that_r2_is"]
    found = [NAMED.match(name) for name in names]
    assert [match[1] if match else None for match in found] == ["_r1", "_w3_w4", "_y10", None, None]
