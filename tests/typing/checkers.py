"""Runs the type checkers of the environment that the tests run in, and reads what they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
FILES = ("accepted.py", "inferred.py", "rejected.py", "differences.py")

# The messages of one file by their line.
Complaints = dict[int, list[str]]


def run(checker: str, *arguments: str) -> str:
    """Run a checker and give its output; both exit with 1 when they have something to complain about."""
    environment = dict(os.environ, PYRIGHT_PYTHON_IGNORE_WARNINGS="1")
    # Pyright looks for the package in the environment of the Python that it finds first.
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", checker, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        timeout=300,
        check=False,
    )
    assert done.returncode in {0, 1}, f"{checker} failed: {done.stdout}{done.stderr}"
    assert f"No module named {checker}" not in done.stderr, f"{checker} is missing: install the extra `dev`"
    return done.stdout


def pyright(*arguments: str) -> Any:
    """Run pyright and give its report."""
    return json.loads(run("pyright", "--outputjson", *arguments))


@cache
def complaints_of(checker: str) -> dict[str, Complaints]:
    """Give what a checker complains about in every file of this folder."""
    paths = [str(HERE / name) for name in FILES]
    found: dict[str, Complaints] = {name: {} for name in FILES}
    for path, line, message in ASK[checker](paths):
        found[Path(path).name].setdefault(line, []).append(message)
    return found


def _ask_mypy(paths: list[str]) -> Iterable[tuple[str, int, str]]:
    output = run("mypy", "--strict", "--config-file=", "--no-incremental", "--output=json", *paths)
    for message in map(json.loads, filter(None, output.splitlines())):
        if message["severity"] == "error":
            yield message["file"], message["line"], message["message"]


def _ask_pyright(paths: list[str]) -> Iterable[tuple[str, int, str]]:
    report = pyright(f"--pythonpath={sys.executable}", *paths)
    assert report["summary"]["filesAnalyzed"] == len(paths)
    for message in report["generalDiagnostics"]:
        if message["severity"] in {"error", "warning"}:
            yield message["file"], message["range"]["start"]["line"] + 1, message["message"]


def _ask_pyrefly(paths: list[str]) -> Iterable[tuple[str, int, str]]:
    with TemporaryDirectory() as folder:
        settings = Path(folder, "pyrefly.toml")
        settings.touch()
        options = ["--output-format=json", f"--python-interpreter-path={sys.executable}", f"--config={settings}"]
        report = json.loads(run("pyrefly", "check", "--python-version=3.11", *options, *paths))
    for error in report["errors"]:
        yield error["path"], error["line"], error["concise_description"]


def _ask_ty(paths: list[str]) -> Iterable[tuple[str, int, str]]:
    options = ["--output-format=gitlab", f"--python={sys.executable}", "--python-version=3.11"]
    for error in json.loads(run("ty", "check", *options, *paths)):
        yield error["location"]["path"], error["location"]["positions"]["begin"]["line"], error["description"]


ASK: dict[str, Callable[[list[str]], Iterable[tuple[str, int, str]]]] = {
    "mypy": _ask_mypy,
    "pyright": _ask_pyright,
    "pyrefly": _ask_pyrefly,
    "ty": _ask_ty,
}
