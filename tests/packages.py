"""What a release consists of: ``python -m tests.packages dist`` checks the sdist and the pure wheel in that folder."""

from __future__ import annotations

import sys
import tarfile
import zipfile
from fnmatch import fnmatch
from pathlib import Path

PROJECT = Path(__file__).parents[1]
# What users and packagers of distributions look for in an sdist, besides the package: to test it and to read about it.
FOLDERS = ("tests", "wpt_ports", "docs", "examples", "benchmarks")
FILES = (
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "LICENSE",
    "PKG-INFO",
    "README.md",
    "SECURITY.md",
    "conftest.py",
    "hatch_build.py",
    "pyproject.toml",
)


class WrongPackage(Exception):
    """A file is missing, or should not be there."""


def files(*folders: str) -> set[str]:
    """Return the files in these folders, without those that `.gitignore` names."""
    patterns = [line.rstrip("/") for line in (PROJECT / ".gitignore").read_text(encoding="utf-8").split()]
    found = (path for folder in folders for path in (PROJECT / folder).rglob("*") if path.is_file())
    names = (path.relative_to(PROJECT) for path in found)
    return {
        path.as_posix() for path in names if not any(fnmatch(part, each) for part in path.parts for each in patterns)
    }


def names_in_sdist(path: Path) -> set[str]:
    """Return the files of an sdist, without its folder, which names the version."""
    with tarfile.open(path) as archive:
        return {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}


def names_in_wheel(path: Path) -> set[str]:
    """Return the files of a wheel."""
    with zipfile.ZipFile(path) as archive:
        return {name for name in archive.namelist() if not name.endswith("/")}


def check_sdist(names: set[str]) -> None:
    """Raise `WrongPackage` if the sdist lacks a file."""
    missing = (files("webstreams", *FOLDERS) | set(FILES)) - names
    if missing:
        raise WrongPackage(f"the sdist lacks {', '.join(sorted(missing)[:10])}: see pyproject.toml")


def check_wheel(names: set[str]) -> None:
    """Raise `WrongPackage` if the wheel lacks a file of the package, or holds another one."""
    metadata = {name for name in names if name.partition("/")[0].endswith(".dist-info")}
    package = files("webstreams")
    missing, other = package - names, names - metadata - package
    if missing or other:
        raise WrongPackage(f"the wheel lacks {sorted(missing)[:10]} and should not hold {sorted(other)[:10]}")
    if "webstreams/py.typed" not in names or not any(name.endswith("/licenses/LICENSE") for name in metadata):
        raise WrongPackage("the wheel lacks py.typed or the licence")


def main(folder: Path) -> None:
    """Check both packages in the folder; there has to be one of each."""
    (sdist,) = folder.glob("*.tar.gz")
    (wheel,) = folder.glob("*-none-any.whl")
    check_sdist(names_in_sdist(sdist))
    check_wheel(names_in_wheel(wheel))
    print(f"{sdist.name} and {wheel.name} hold what they should")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
