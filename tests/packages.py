"""What a release consists of: ``python -m tests.packages dist`` checks the sdist and the pure wheel in that folder, the
page that an index makes of the README, and which compiled wheels cibuildwheel would build.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_bytes
from fnmatch import fnmatch
from itertools import product
from pathlib import Path

from readme_renderer import markdown

PROJECT = Path(__file__).parents[1]
# What users and packagers of distributions look for in an sdist, besides the package: to test it and to read about it.
FOLDERS = (".ci", ".github", "tests", "wpt_ports", "docs", "examples", "benchmarks")
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


# What cibuildwheel builds for one processor of each system; the workflow has machines of the other processors, too.
COMPILED = {
    "linux": ("manylinux_x86_64", "musllinux_x86_64"),
    "macos": ("macosx_arm64", "macosx_x86_64"),
    "windows": ("win_amd64",),
}


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


def description_of(path: Path) -> str:
    """Return the text that an index shows for a wheel."""
    with zipfile.ZipFile(path) as archive:
        (name,) = [each for each in archive.namelist() if each.endswith(".dist-info/METADATA")]
        metadata = message_from_bytes(archive.read(name))
    if metadata["Description-Content-Type"] != "text/markdown":
        raise WrongPackage("the description is not said to be Markdown")
    text = metadata.get_payload(decode=True)
    assert isinstance(text, bytes)
    return text.decode("utf-8")


def check_description(text: str) -> None:
    """Raise `WrongPackage` if an index would show something else than the README, or links that lead nowhere there."""
    page = markdown.render(text)
    if page is None:
        raise WrongPackage("an index cannot show the README")
    found = {kind: len(re.findall(rf"<{kind}[ >]", page)) for kind in ("h1", "table", "img", "pre")}
    pictures = len(re.findall(r"!\[", text))
    if found["h1"] != 1 or found["img"] != pictures or found["table"] != 3 or found["pre"] != text.count("```") // 2:
        raise WrongPackage(f"an index would show {found} of the README")
    relative = [link for link in re.findall(r'(?:href|src)="([^"]*)"', page) if not link.startswith(("https://", "#"))]
    if relative:
        raise WrongPackage(f"links that lead nowhere on an index: {relative}")


def compiled_wheels(system: str) -> set[str]:
    """Ask cibuildwheel which wheels it would build."""
    command = [sys.executable, "-m", "cibuildwheel", "--print-build-identifiers", "--platform", system]
    architectures = ["--archs", "x86_64,arm64"] if system == "macos" else []
    done = subprocess.run([*command, *architectures, PROJECT], capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.split())


def check_compiled_wheels() -> None:
    """Raise `WrongPackage` if there would be no wheel for a Python that pyproject.toml names, or one for another."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [re.fullmatch(r"Programming Language :: Python :: 3\.(\d+)", each) for each in project["classifiers"]]
    pythons = [f"cp3{match[1]}" for match in named if match]
    for system, tags in COMPILED.items():
        wanted = {"-".join(pair) for pair in product(pythons, tags)}
        if (found := compiled_wheels(system)) != wanted:
            raise WrongPackage(f"{system}: cibuildwheel would build {sorted(found)}, not {sorted(wanted)}")


def main(folder: Path) -> None:
    """Check both packages in the folder; there has to be one of each."""
    (sdist,) = folder.glob("*.tar.gz")
    (wheel,) = folder.glob("*-none-any.whl")
    check_sdist(names_in_sdist(sdist))
    check_wheel(names_in_wheel(wheel))
    check_description(description_of(wheel))
    check_compiled_wheels()
    print(f"{sdist.name} and {wheel.name} hold what they should")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
