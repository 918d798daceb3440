"""Whose the names with an underscore are, in the rooms where ruff's SLF001 is off.

The slots and operations of the Standard are shared: the modules of these rooms move each other's, as the Standard's own
algorithms do. What we have added to a class stands behind a comment that begins with ``# Ours``, up to a blank line.
It is private to its module, unless the comment begins with ``# Ours, shared``. Elsewhere ruff sees to it.
"""

from __future__ import annotations

import ast
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeGuard

import webstreams
from tests.grids import each_of

PACKAGE = Path(webstreams.__file__).parent
# Those that pyproject.toml lists: the Standard's slots are shared in them.
SHARING = ("_engine", "_fastpath", "_streams", "operations")
MODULES = [path for room in SHARING for path in sorted((PACKAGE / room).rglob("*.py"))]
# A slot of an object or of a class, where it gets its first value.
SLOT = re.compile(r"\s+(?:self\.)?(?P<name>_\w+)(?::|\s*=)")
MARK = re.compile(r"\s+# Ours(?P<shared>, shared)?\b")


class Own(NamedTuple):
    """A slot of ours."""

    name: str
    is_shared: bool


def own_slots(path: Path) -> Iterator[Own]:
    """The slots behind the marks of a module."""
    mark = None
    with tokenize.open(path) as file:
        for line in file:
            mark = MARK.match(line) or (mark if line.strip() else None)
            slot = SLOT.match(line)
            if mark and slot:
                yield Own(slot["name"], bool(mark["shared"]))


@cache
def foreign(path: Path) -> set[str]:
    """The names of the attributes that a module uses, without those that its own classes have."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return used - {name for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for name in members(node)}


def members(kind: ast.ClassDef) -> set[str]:
    """The names of the slots and methods of a class; of its attributes, if it has no slots."""
    methods = {each.name for each in kind.body if isinstance(each, ast.FunctionDef)}
    return methods | (slots(kind) or {node.attr for node in ast.walk(kind) if is_assigned(node)})


def is_assigned(node: ast.AST) -> TypeGuard[ast.Attribute]:
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    )


def slots(kind: ast.ClassDef) -> set[str]:
    """The names in ``__slots__``."""
    values = [
        each.value for each in kind.body if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "__slots__"
    ]
    return set(ast.literal_eval(values[0])) if values else set()


OWN = {path: set(own_slots(path)) for path in MODULES}
SHARED = {slot.name for slots in OWN.values() for slot in slots if slot.is_shared}
PRIVATE = {path: {slot.name for slot in slots if not slot.is_shared} for path, slots in OWN.items()}


def named(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def test_there_are_marks() -> None:
    assert sum(map(len, OWN.values())) > 20


@each_of(path=[path for path in MODULES if PRIVATE[path]])
def test_what_is_ours_is_used_in_its_module_only(path: Path) -> None:
    """Otherwise: is it needed there? Then its comment begins with "Ours, shared", and says what for."""
    users = {named(other): foreign(other) & PRIVATE[path] for other in MODULES if other != path}
    assert {name: used for name, used in users.items() if used} == {}


def test_what_is_shared_is_shared() -> None:
    """Otherwise the word can go."""
    users = {name: [path for path in MODULES if name in foreign(path)] for name in SHARED}
    assert [name for name, paths in users.items() if not paths] == []
