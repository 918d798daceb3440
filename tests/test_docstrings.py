"""Every example in a docstring runs, and what users call or construct has one."""

from __future__ import annotations

import ast
import doctest
import inspect
import logging
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import webstreams
from webstreams import ends

PACKAGE = Path(webstreams.__file__).parent

# Which public names need no example: what no user constructs, and what is shown with something else.
NO_EXAMPLE: dict[str, str] = {
    "AbortError": "the library raises it",
    "ChunkedStream": "chunked() makes it",
    "ConnectionServer": "serve_tcp() and serve_unix() make it",
    "Event": "the library makes it",
    "GeneratorTransform": "generator_transform() makes it",
    "ReadDoneResult": "read() makes it",
    "ReadValueResult": "read() makes it",
    "ReadableByteStreamController": "streams make it",
    "ReadableStreamAsyncIterator": "values() makes it",
    "ReadableStreamBYOBRequest": "streams make it",
    "ReadableStreamDefaultController": "streams make it",
    "ReadableWritablePair": "a protocol",
    "StreamError": "the library raises it",
    "TransformStreamDefaultController": "streams make it",
    "WritableStreamDefaultController": "streams make it",
}


def docstrings() -> Iterator[tuple[str, Path, str, int]]:
    """Every docstring of the sources that has an example: its name, file, text and line."""
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        yield from _docstrings_in(ast.parse(path.read_text(encoding="utf-8")), module, path)


def _docstrings_in(node: ast.AST, name: str, path: Path) -> Iterator[tuple[str, Path, str, int]]:
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        text = ast.get_docstring(node)
        if text and ">>>" in text:
            yield name, path, text, node.body[0].lineno
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _docstrings_in(child, f"{name}.{child.name}", path)


EXAMPLES = list(docstrings())


@pytest.mark.parametrize(("name", "path", "text", "line"), EXAMPLES, ids=[each[0] for each in EXAMPLES])
def test_example(
    name: str,
    path: Path,
    text: str,
    line: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    # An example may leave out the import of what it documents.
    names = dict(vars(inspect.getmodule(_object_of(path)) or webstreams))
    names["__name__"] = "__main__"
    test = doctest.DocTestParser().get_doctest(text, names, name, str(path), line)
    report: list[str] = []
    with caplog.at_level(logging.WARNING, "asyncio"):
        results = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=report.append, clear_globs=False)
    assert results.attempted == len(test.examples) > 0
    assert not results.failed, "".join(report)
    assert caplog.messages == []


def _object_of(path: Path) -> ModuleType:
    parts = [*path.relative_to(PACKAGE.parent).with_suffix("").parts]
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return __import__(name, fromlist=["_"])


def public_objects() -> dict[str, Any]:
    """What users import: classes and functions, no type aliases."""
    names = {name: getattr(webstreams, name) for name in webstreams.__all__}
    names |= {name: getattr(ends, name) for name in getattr(ends, "__all__", ())}
    return {name: value for name, value in names.items() if inspect.isclass(value) or inspect.isroutine(value)}


def has_example(value: Any) -> bool:
    """Whether there is an example in the sources: compiled classes and functions have no docstrings."""
    return f"{value.__module__}.{value.__qualname__}" in {name for name, *_ in EXAMPLES}


def test_what_users_call_or_construct_has_an_example() -> None:
    missing = {name for name, value in public_objects().items() if not has_example(value)}
    assert missing - NO_EXAMPLE.keys() == set()


def test_no_exception_from_the_rule_is_stale() -> None:
    with_example = {name for name, value in public_objects().items() if has_example(value)}
    assert with_example & NO_EXAMPLE.keys() == set()


def test_examples_are_found() -> None:
    assert len(EXAMPLES) >= 8
