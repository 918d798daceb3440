"""The list of departures from the Standard, as docs/architecture/departures.md has it: ``python -m
tests.pages.departures`` prints the table."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import webstreams

PACKAGE = Path(webstreams.__file__).parent
MARK = "# Python: "


def departures(path: Path) -> Iterator[tuple[str, str]]:
    """Give each mark of a module: the class or function it is in, and its text."""
    source = path.read_text(encoding="utf-8")
    lines = [line.strip() for line in source.splitlines()]
    for index, line in enumerate(lines):
        if line.startswith(MARK):
            words = [line.removeprefix(MARK)]
            for following in lines[index + 1 :]:
                if not following.startswith("# ") or following.startswith(MARK):
                    break
                words.append(following.removeprefix("# "))
            yield place_of(source, index + 1), " ".join(words)


def place_of(source: str, line: int) -> str:
    """Return the qualified name of the innermost class or function around a line."""
    names = []
    node: ast.AST | None = ast.parse(source)
    while node is not None:
        node = next((each for each in ast.iter_child_nodes(node) if is_around(each, line)), None)
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            names.append(node.name)
    return ".".join(names) or "module"


def is_around(node: ast.AST, line: int) -> bool:
    """Whether a line is inside a statement."""
    return isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or 0)


def table() -> list[str]:
    """Return the rows of the table, in the order of the files."""
    rows = ["| where | what is different, and why |", "|---|---|"]
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        for place, text in departures(path):
            escaped = text.replace("|", "\\|")
            rows.append(f"| [`{name}`](../../webstreams/{name}), `{place}` | {escaped} |")
    return rows


if __name__ == "__main__":
    print("\n".join(table()))
