"""What is measured: this library in each Python, the engines, and what else there is for asyncio."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .catalogue import ROWS
from .installing import JAVASCRIPT, ROOT, InstallationError, install_javascript, install_library, run, say

LIBRARY = ("pure", "compiled", "checkout")
ENGINES = ("node", "bun", "deno", "fast-webstreams")
PEERS = {
    "queue-1": ".peers.queues:ONE",
    "queue-16": ".peers.queues:SIXTEEN",
    "anyio": ".peers.memory_streams:SCENARIOS",
    "aiostream": ".peers.operators:SCENARIOS",
    "generator": ".peers.generators:SCENARIOS",
    "task-per-call": ".peers.tasks:SCENARIOS",
    "floor": ".peers.bare:SCENARIOS",
}
NAMES = ("pure", "compiled", *ENGINES, *PEERS)

# The library is the one that the interpreter has installed: what is in the checkout comes last.
START = (
    "import importlib, sys; sys.path.append(sys.argv[1]); "
    "importlib.import_module('benchmarks.' + sys.argv[2]).main(sys.argv[3:])"
)
_SCENARIOS = ".scenarios:SCENARIOS"
_VERSION = "import platform; print(platform.python_version())"
_LONGEST = 600


class MeasuringError(Exception):
    """A subject did not do what it was asked for."""


def _run(command: Sequence[str], environment: dict[str, str]) -> dict[str, Any]:
    """Run a program that prints JSON."""
    done = subprocess.run(
        command,
        cwd=JAVASCRIPT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=_LONGEST,
    )
    if done.returncode:
        raise MeasuringError(done.stderr.strip() or f"exit status {done.returncode}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@dataclass(frozen=True)
class Subject:
    """One column of the table."""

    name: str
    kind: str
    version: str
    rows: frozenset[str]
    python: str | None = None
    """The version of the Python that it runs on, such as 3.11."""

    @property
    def is_library(self) -> bool:
        """Whether this is the library, and not something beside it."""
        return self.kind in LIBRARY

    def measure(self, row: str, chunks: int, seconds: float) -> list[float]:
        """Measure one row in a new process; give the chunks per second of each run."""
        raise NotImplementedError

    def compares_with(self, other: Subject) -> bool:
        """Tell whether the table shows how this one compares with the other: a peer must run on the same Python."""
        return not other.is_library and (other.python is None or other.python == self.python)


@dataclass(frozen=True)
class Engine(Subject):
    """The streams of a JavaScript engine, or of a package for it."""

    command: Sequence[str] = ()
    package: Sequence[str] = ()

    def measure(self, row: str, chunks: int, seconds: float) -> list[float]:
        """Measure one row in a new process; give the chunks per second of each run."""
        rates = _run([*self.command, row, str(chunks), str(seconds), *self.package], {})["rates"]
        return [float(rate) for rate in rates]


@dataclass(frozen=True)
class Interpreted(Subject):
    """The library, or something else, in a Python."""

    interpreter: Path = Path()
    place: str = _SCENARIOS
    home: Path | None = None
    """Where the library must come from, if this is the library."""

    def measure(self, row: str, chunks: int, seconds: float) -> list[float]:
        """Measure one row in a new process; give the chunks per second of each run."""
        rates = self.program("measuring", self.place, row, str(chunks), str(seconds))["rates"]
        return [float(rate) for rate in rates]

    def program(self, module: str, *arguments: str) -> dict[str, Any]:
        """Run a module of this package in a new process; give what it printed. It must use the right library."""
        checkout = self.kind == "checkout"
        command = [str(self.interpreter), "-P", "-c", START, str(ROOT), module, *arguments]
        result = _run(command, {"PYTHONPATH": str(ROOT) if checkout else ""})
        if self.home is None:
            return result
        if not Path(result["file"]).is_relative_to(self.home):
            raise MeasuringError(f"{result['file']} ran, which is not in {self.home}")
        if not checkout and result["compiled"] != (self.kind == "compiled"):
            raise MeasuringError("the library that ran is " + ("compiled" if result["compiled"] else "not compiled"))
        return result


@dataclass
class Choice:
    """The subjects that are there, and why others are not."""

    subjects: list[Subject] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def leave_out(self, name: str, reason: Exception) -> None:
        """Do without a subject."""
        say(f"{name} is left out: {reason}")
        self.left_out[name] = str(reason)


def choose(names: Iterable[str], pythons: Sequence[Path]) -> Choice:
    """Install what is needed, and give the subjects in the order of the columns."""
    names, choice = list(names), Choice()
    versions = {python: run([python, "-c", _VERSION]).strip() for python in pythons}
    for kind in [name for name in names if name in LIBRARY]:
        for python, version in versions.items():
            _add_interpreted(choice, kind, python, version, len(versions) > 1)
    engines = [name for name in names if name in ENGINES]
    if engines:
        modules = install_javascript()
        choice.subjects += [_engine(modules, name) for name in engines]
    for name in [name for name in names if name in PEERS]:
        for python, version in versions.items():
            _add_interpreted(choice, name, python, version, len(versions) > 1)
    return choice


def _add_interpreted(choice: Choice, kind: str, python: Path, version: str, several: bool) -> None:
    short = version.rpartition(".")[0]
    name = f"{kind} {short}" if several else kind
    try:
        interpreter, home = python, ROOT / "webstreams"
        if kind != "checkout":
            interpreter = install_library(python, short, kind == "compiled")
            home = interpreter.parent.parent
        place = PEERS.get(kind, _SCENARIOS)
        library = home if kind in LIBRARY else None
        subject = Interpreted(name, kind, version, frozenset(), short, interpreter, place, library)
        rows = frozenset(subject.program("measuring", place)["rows"])
        choice.subjects.append(Interpreted(name, kind, version, rows, short, interpreter, place, library))
    except (InstallationError, MeasuringError) as error:
        choice.leave_out(name, error)


def _engine(modules: Path, name: str) -> Engine:
    binary = "node" if name == "fast-webstreams" else name
    program = modules / ".bin" / binary
    options = ["run", "--allow-all", "--no-config"] if name == "deno" else []
    package = modules / "experimental-fast-webstreams"
    if name == "fast-webstreams":
        version = str(json.loads((package / "package.json").read_text(encoding="utf-8"))["version"])
        end = [str(package / "src" / "index.js")]
    else:
        version = run([program, "--version"]).split("\n", 1)[0].removeprefix("v").removeprefix("deno ").split(" ")[0]
        end = []
    command = [str(program), *options, str(JAVASCRIPT / "harness.mjs")]
    return Engine(name, name, version, frozenset(row.name for row in ROWS), None, command, end)
