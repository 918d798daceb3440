"""Installs what is measured into `.cache/benchmarks`, and installs nothing again that is still right."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "benchmarks"
JAVASCRIPT = HERE / "javascript"
CACHE = ROOT / ".cache" / "benchmarks"
SCRIPTS = "Scripts" if os.name == "nt" else "bin"
EXECUTABLE = ".exe" if os.name == "nt" else ""


class InstallationError(Exception):
    """Something could not be installed."""


def run(command: Iterable[str | Path], environment: Mapping[str, str] | None = None, where: Path = ROOT) -> str:
    """Run a command; give what it printed. Raises `InstallationError` with its whole output if it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words, cwd=where, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise InstallationError(f"{' '.join(words)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def say(text: str) -> None:
    """Tell what goes on; the standard output is for the results."""
    print(text, file=sys.stderr, flush=True)


class Folder:
    """A folder in the cache that is made anew when what it is made of has changed."""

    def __init__(self, name: str, made_of: Iterable[Path | str]) -> None:
        self.path = CACHE / name
        self._stamp = self.path / "made-of.txt"
        self._digest = _digest(made_of)

    def is_right(self) -> bool:
        """Tell whether the folder is what it should be."""
        return self._stamp.is_file() and self._stamp.read_text() == self._digest

    def clear(self) -> None:
        """Begin anew."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(parents=True)

    def finish(self) -> None:
        """Remember what the folder was made of."""
        self._stamp.write_text(self._digest)


def _digest(made_of: Iterable[Path | str]) -> str:
    digest = hashlib.sha256()
    for part in made_of:
        digest.update(part.read_bytes() if isinstance(part, Path) else part.encode())
        digest.update(b"\0")
    return digest.hexdigest()


def install_javascript() -> Path:
    """Install the engines and the npm package; give the folder `node_modules`."""
    package = JAVASCRIPT / "package.json"
    folder = Folder("javascript", [package])
    if not folder.is_right():
        npm = _install_npm()
        say("installing Node, Bun, Deno and experimental-fast-webstreams")
        folder.clear()
        shutil.copy(package, folder.path)
        path = os.pathsep.join([str(npm.parent), os.environ.get("PATH", "")])
        run([npm, "install", "--no-fund", "--no-audit"], {"PATH": path}, folder.path)
        folder.finish()
    return folder.path / "node_modules"


def _install_npm() -> Path:
    requirements = HERE / "requirements-npm.txt"
    folder = Folder("npm", [requirements])
    if not folder.is_right():
        say("installing npm")
        folder.clear()
        _make_environment(Path(sys.executable), folder.path, ["-r", requirements])
        folder.finish()
    return folder.path / SCRIPTS / f"npm{EXECUTABLE}"


def install_library(python: Path, version: str, compiled: bool) -> Path:
    """Install the library of this checkout and the Python peers; give the interpreter of the environment."""
    kind = "compiled" if compiled else "pure"
    requirements = HERE / "requirements.txt"
    folder = Folder(f"python-{version}-{kind}", [str(python), requirements, *_sources()])
    interpreter = folder.path / SCRIPTS / f"python{EXECUTABLE}"
    if not folder.is_right():
        say(f"installing the library, {kind}, for Python {version}")
        folder.clear()
        environment = {"WEBSTREAMS_MYPYC": "1"} if compiled else {}
        _make_environment(python, folder.path, ["-r", requirements, ROOT], environment)
        folder.finish()
    return interpreter


def _sources() -> list[Path]:
    return [ROOT / "pyproject.toml", *sorted(ROOT.glob("*.py")), *sorted((ROOT / "webstreams").rglob("*.py"))]


def install_chart() -> Path:
    """Install what draws the chart; give the interpreter of the environment."""
    requirements = HERE / "requirements-chart.txt"
    folder = Folder("chart", [requirements])
    if not folder.is_right():
        say("installing matplotlib")
        folder.clear()
        _make_environment(Path(sys.executable), folder.path, ["-r", requirements])
        folder.finish()
    return folder.path / SCRIPTS / f"python{EXECUTABLE}"


def _make_environment(
    python: Path, path: Path, packages: Iterable[str | Path], environment: Mapping[str, str] | None = None
) -> None:
    run([python, "-m", "venv", path])
    pip = path / SCRIPTS / f"python{EXECUTABLE}"
    run([pip, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages], environment)
