"""The compiled build: what is compiled, and what is not."""

from __future__ import annotations

import ast
import importlib
import tomllib
import weakref
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import hatch_build
import webstreams
from tests.grids import each_of
from tests.test_layers import PACKAGE, ROOT, modules

PROJECT = Path(__file__).parents[1]


def config() -> dict[str, Any]:
    """Return what pyproject.toml says: the rooms that are compiled, and the exceptions with the reasons."""
    project: dict[str, Any] = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    entries: dict[str, Any] = project["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]
    return entries


def compiled() -> list[str]:
    entries: list[str] = config()["compiled"]
    return entries


def interpreted() -> dict[str, str]:
    entries: dict[str, str] = config()["interpreted"]
    return entries


@cache
def compiled_names() -> set[str]:
    files = hatch_build.compiled_modules(PACKAGE.parent, compiled(), interpreted())
    return {".".join(Path(file).with_suffix("").parts) for file in files}


def test_every_interpreted_module_has_a_reason() -> None:
    assert all(reason.strip() for reason in interpreted().values())


def test_a_stale_entry_fails() -> None:
    with pytest.raises(ValueError, match="do not exist: _gone"):
        hatch_build.compiled_modules(PACKAGE.parent, compiled(), {**interpreted(), "_gone": "a reason"})
    with pytest.raises(ValueError, match="do not exist: _gone"):
        hatch_build.compiled_modules(PACKAGE.parent, [*compiled(), "_gone"], interpreted())


def test_an_exception_outside_of_what_is_compiled_fails() -> None:
    with pytest.raises(ValueError, match="nothing that is compiled: shaping"):
        hatch_build.compiled_modules(PACKAGE.parent, compiled(), {**interpreted(), "shaping": "a reason"})


def test_no_module_is_listed_twice() -> None:
    entries = interpreted()
    covered = {entry for entry in entries for other in entries if other != entry and hatch_build.covers(other, entry)}
    assert covered == set()


def test_the_hot_core_is_compiled() -> None:
    hot = ("_engine.jobs", "_engine.promise", "_streams.readable.reader", "_streams.writable.writer")
    assert {f"{ROOT}.{name}" for name in hot} <= compiled_names()


@each_of(name=modules())
def test_a_module_is_compiled_if_it_should_be(name: str) -> None:
    is_source = str(importlib.import_module(name).__file__).endswith(".py")
    assert is_source is not (webstreams.compiled and name in compiled_names())


@cache
def marked(kind: type) -> bool:
    """Whether a class that is compiled says that others may inherit from it."""
    tree = ast.parse((PACKAGE / Path(*kind.__module__.split(".")[1:])).with_suffix(".py").read_text(encoding="utf-8"))
    return any(
        isinstance(node, ast.ClassDef)
        and node.name == kind.__name__
        and any("allow_interpreted_subclasses=True" in ast.unparse(each) for each in node.decorator_list)
        for node in ast.walk(tree)
    )


@each_of(name=sorted(set(modules()) - compiled_names()))
def test_what_is_not_compiled_inherits_from_nothing_that_forbids_it(name: str) -> None:
    """The compiled build would fail at the first instance only."""
    bases = {
        base
        for kind in vars(importlib.import_module(name)).values()
        if isinstance(kind, type) and kind.__module__ == name
        for base in kind.__mro__[1:]
        if base.__module__ in compiled_names()
    }
    assert [base for base in bases if not marked(base)] == []


def test_nothing_is_wanted_without_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pure build needs neither mypy nor a compiler."""
    monkeypatch.delenv(hatch_build.VARIABLE, raising=False)
    hook = hatch_build.CompiledBuildHook.__new__(hatch_build.CompiledBuildHook)
    assert not hatch_build.is_wanted()
    assert hook.dependencies() == []
    build_data: dict[str, Any] = {}
    hook.initialize("standard", build_data)
    assert build_data == {}


def test_type_arguments_are_taken_at_run_time() -> None:
    for kind in (webstreams.Promise, webstreams.ReadableStreamDefaultReader, webstreams.WritableStreamDefaultWriter):
        assert kind[int] is not None


async def test_what_can_be_referred_to_weakly() -> None:
    """Streams and signals in both builds; what is compiled cannot, and says so."""
    stream: webstreams.ReadableStream[int] = webstreams.ReadableStream()
    assert weakref.ref(stream)() is stream
    reader = stream.get_reader()
    for compiled in (reader, reader.closed):
        if webstreams.compiled:
            with pytest.raises(TypeError, match="weak reference"):
                weakref.ref(compiled)
        else:
            assert weakref.ref(compiled)() is compiled
