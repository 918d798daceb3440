"""Every abstract operation of the Standard can be found in the code by its name, and no other name is made up."""

from __future__ import annotations

import ast
import builtins
import re
import tokenize
from functools import cache
from pathlib import Path

import webstreams

DATA = Path(__file__).with_name("operations.txt")
PACKAGE = Path(webstreams.__file__).parent
OTHER_NAMES = "## Other names"
# 150 abstract operations and 5 internal methods (August 2026).
COUNT = 155

# A name of several words, as the operations have it.
CAMEL_CASE = re.compile(r"(?<!\w)(?P<open>\[\[)?(?P<name>[A-Z]+[a-z]+(?:[A-Z]+[a-z0-9]*)+)(?!\w)(?(open)\]\])")


@cache
def listed() -> tuple[dict[str, str], dict[str, str]]:
    """Give the operations with their reasons (empty for those that are in the code), and the other names."""
    text = DATA.read_text(encoding="utf-8")
    operations, others = text.split(OTHER_NAMES)
    return entries(operations), entries(others.partition("\n")[2])


def entries(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, reason = line.partition(": ")
            assert name not in found, f"{name} is listed twice"
            found[name] = reason
    return found


@cache
def sources() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}


@cache
def prose() -> dict[Path, str]:
    """Give the docstrings and comments of every module."""
    return {path: "\n".join([*docstrings(tree), *comments(path)]) for path, tree in sources().items()}


def docstrings(tree: ast.Module) -> list[str]:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return [ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, documented)]


def comments(path: Path) -> list[str]:
    with path.open("rb") as file:
        return [token.string for token in tokenize.tokenize(file.readline) if token.type == tokenize.COMMENT]


def python_names() -> set[str]:
    """Give every class that is defined or imported in the package, and what is built in."""
    names = set(dir(builtins))
    for tree in sources().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                names |= {alias.asname or alias.name for alias in node.names}
    return names


@cache
def words() -> set[str]:
    """Every word of the prose, and every name in double brackets."""
    return {word for text in prose().values() for kind in (r"\w+", r"\[\[\w+\]\]") for word in re.findall(kind, text)}


def is_mentioned(name: str) -> bool:
    assert re.fullmatch(r"\w+|\[\[\w+\]\]", name), f"{name} is not one word"
    return name in words()


def test_the_list_is_complete() -> None:
    assert len(listed()[0]) == COUNT


def test_an_operation_is_found_by_its_name() -> None:
    lost = [name for name, reason in listed()[0].items() if not reason and not is_mentioned(name)]
    assert not lost, f"no docstring or comment in webstreams/ says {', '.join(lost)}, and operations.txt has no reason"


def test_a_reason_is_not_stale() -> None:
    stale = [name for name, reason in listed()[0].items() if reason and is_mentioned(name)]
    assert not stale, f"{', '.join(stale)}: in webstreams/, take the reasons off operations.txt"


# What is about other standards, formats and libraries than the Streams Standard.
OTHER_SUBJECTS = {
    "brokers", "ends", "encoding.py", "compression.py", "consumers.py", "shaping.py", "_text", "_transforms",
}  # fmt: skip


def test_no_name_is_made_up() -> None:
    operations, others = listed()
    known = {*operations, *others, *python_names()}
    made_up = [
        f"{path.relative_to(PACKAGE.parent)}: {match['name']}"
        for path, text in prose().items()
        if path.relative_to(PACKAGE).parts[0] not in OTHER_SUBJECTS
        for match in CAMEL_CASE.finditer(text)
        if match["name"] not in known and f"[[{match['name']}]]" not in operations
    ]
    assert made_up == [], "neither an operation of the Standard, nor a class, nor listed in operations.txt"


def test_no_other_name_is_stale() -> None:
    assert [name for name in listed()[1] if not is_mentioned(name)] == []
