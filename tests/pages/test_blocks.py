"""Every block of every page is run, and every command and extra that a page names is there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from functools import cache

import pytest

from .blocks import PAGES, ROOT, blocks_of, of_kind, text_that_nothing_prints

# Each has a test that runs it, or looks it up.
KINDS = {"python", "javascript", "console", "text"}
# Printed by a program that a test runs: tests/pages/test_pages.py.
TRACE = "source -> pipe -> sink"
MODULE = re.compile(r"(?<![\w.-])python(?:3\.11)? -m (?P<module>[\w.]+)(?P<rest>[^`&\n]*)")
# Modules of others, which the environment of the tools has.
OTHERS = {"build", "pytest", "twine", "venv"}
EXTRAS = re.compile(r"webstreams\[(?P<extras>[\w,]+)\]")


def test_every_block_is_of_a_kind_that_is_run() -> None:
    assert {block.kind for page in PAGES for block in blocks_of(page)} == KINDS


def test_every_text_is_what_a_program_prints() -> None:
    assert [block.name for block in text_that_nothing_prints() if not block.code.startswith(TRACE)] == []


def commands() -> list[tuple[str, str]]:
    """Return the modules that pages tell people to run, with their arguments."""
    texts = [page.read_text(encoding="utf-8").replace("\\\n", " ") for page in PAGES]
    return sorted({(match["module"], match["rest"]) for text in texts for match in MODULE.finditer(text)})


def test_every_module_that_a_page_tells_to_run_is_there() -> None:
    names = {name for name, _ in commands()} - OTHERS
    assert len(names) > 15
    paths = {name: ROOT.joinpath(*name.split(".")) for name in names}
    assert [
        name
        for name, path in paths.items()
        if not (path.with_suffix(".py").exists() or (path / "__main__.py").exists())
    ] == []


@cache
def help_of(module: str) -> str:
    """Return what a command says about itself."""
    command = [sys.executable, "-m", module, "--help"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout


OPTIONS = sorted({
    (module, option)
    for module, rest in commands()
    for option in re.findall(r"(?<!\S)--[a-z-]+", rest)
    if module not in OTHERS
})  # fmt: skip


@pytest.mark.parametrize(("module", "option"), OPTIONS, ids=" ".join)
def test_every_option_that_a_page_names_is_one(module: str, option: str) -> None:
    assert option in help_of(module)


def test_every_script_in_a_console_is_there() -> None:
    lines = [line for block in of_kind("console") for line in block.code.splitlines() if line.startswith("$ bash ")]
    assert lines
    assert [line for line in lines if not (ROOT / shlex.split(line)[2]).exists()] == []


def test_every_extra_that_a_page_names_is_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {
        extra
        for page in PAGES
        for match in EXTRAS.finditer(page.read_text(encoding="utf-8"))
        for extra in match["extras"].split(",")
    }
    assert len(named) > 8
    assert named - project["optional-dependencies"].keys() == set()
