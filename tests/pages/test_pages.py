"""What the pages for maintainers say is what is there: links, rooms, departures, the trace of a chunk."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import webstreams
from tests.pages.departures import table
from tests.test_layers import ROOMS

ROOT = Path(__file__).parents[2]
MAP = ROOT / "ARCHITECTURE.md"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "tests").rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?:|mailto:|#)(?P<path>[^)#\s]+)")
FENCE = re.compile(r"^(```+)\w*\n.*?^\1$", re.DOTALL | re.MULTILINE)
# The compiled build is tested in a copy of the project without the sources of the package.
PACKAGE = Path(webstreams.__file__).parent


def exists(path: Path) -> bool:
    """Whether a path of the project exists; that of the package may be installed elsewhere."""
    parts = path.resolve().relative_to(ROOT.resolve()).parts
    return PACKAGE.joinpath(*parts[1:]).exists() if parts[:1] == ("webstreams",) else path.exists()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    links = [match["path"] for match in LINK.finditer(FENCE.sub("", page.read_text(encoding="utf-8")))]
    assert [link for link in links if not exists(page.parent / link)] == []


def test_every_room_is_on_the_map() -> None:
    section = MAP.read_text(encoding="utf-8").split("## The map\n")[1].split("\n## ")[0]
    rooms = re.findall(r"^\| `(\w+)` \| \S", section, re.MULTILINE)
    assert rooms == [room for room in ROOMS if room]


def test_the_list_of_departures_is_that_of_the_marks() -> None:
    """``python -m tests.pages.departures`` prints what the page should have."""
    page = (ROOT / "docs/architecture/departures.md").read_text(encoding="utf-8")
    assert [line for line in page.splitlines() if line.startswith("|")] == table()


def test_the_map_shows_the_way_of_a_chunk_as_it_is() -> None:
    """``python docs/architecture/trace.py`` prints what the page should have; compiled calls cannot be watched."""
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    command = [sys.executable, str(ROOT / "docs/architecture/trace.py")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    if webstreams.compiled:
        assert done.returncode == 1
        assert "cannot be watched" in done.stderr
        return
    assert (done.returncode, done.stderr) == (0, "")
    assert f"```text\n{done.stdout.rstrip()}\n```" in MAP.read_text(encoding="utf-8")
