"""Which upstream subtests there are, which are ported, and which have no counterpart in Python."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from .harness import Port, ports_of

_HERE = Path(__file__).parent
# What the name of a file says about where it runs.
ENDING = re.compile(r"(\.tentative)?(\.any\.js|\.window\.js|\.https\.html|\.html)$")
# The folders of upstream whose titles count.
FOLDERS = ("streams/", "dom/abort/", "encoding/streams/", "compression/")


def upstream_titles() -> dict[str, list[str]]:
    """Every upstream file and the titles of its subtests: those agreed on, then those that upstream added later."""
    agreed, newer = _read_titles("upstream_titles.json"), _read_titles("newer_titles.json")
    return {file: [*agreed.get(file, []), *newer.get(file, [])] for file in sorted({*agreed, *newer})}


def _read_titles(name: str) -> dict[str, list[str]]:
    titles: dict[str, list[str]] = json.loads((_HERE / name).read_text(encoding="utf-8"))
    return {file: names for file, names in titles.items() if file.startswith(FOLDERS)}


def not_applicable() -> dict[str, dict[str, str]]:
    """The subtests without a counterpart in Python: ``{file: {title: reason}}``."""
    listed: dict[str, dict[str, str]] = json.loads((_HERE / "not_applicable.json").read_text(encoding="utf-8"))
    return listed


def module_of(file: str) -> str:
    """Give the module that ports an upstream file.

    Upstream has dropped the "tentative" of some names since the titles were agreed on: what it added to these files
    later is listed under the name that was agreed on.
    """
    path = ENDING.sub("", file).replace("-", "_").replace("/", ".")
    return f"{__package__}.{path}"


def ports_for(file: str) -> dict[str, Port]:
    """Import the module that ports an upstream file and give its ports; none if there is no such module."""
    path = _HERE.parent / (module_of(file).replace(".", "/") + ".py")
    if not path.exists():
        return {}
    module = importlib.import_module(module_of(file))
    return ports_of(module.__name__)


def all_ports() -> Iterator[tuple[str, Port]]:
    """Every port with its upstream file."""
    for file in upstream_titles():
        for port in ports_for(file).values():
            yield file, port


def status() -> dict[str, dict[str, str | None]]:
    """Tell for every title of every file: "ported", "not applicable: why", or None when it is missing."""
    listed = not_applicable()
    table: dict[str, dict[str, str | None]] = {}
    for file, titles in upstream_titles().items():
        ports = ports_for(file)
        reasons = listed.get(file, {})
        table[file] = {title: _status(title, ports, reasons) for title in titles}
    return table


def _status(title: str, ports: dict[str, Port], reasons: dict[str, str]) -> str | None:
    if title in ports:
        return "ported"
    return f"not applicable: {reasons[title]}" if title in reasons else None


def unlisted_ports() -> list[str]:
    """Ports under a title that upstream does not have, and titles that are listed twice."""
    upstream = upstream_titles()
    twice = [f"{file}: {title}" for file, titles in upstream.items() for title in titles if titles.count(title) > 1]
    return twice + [f"{file}: {port.title}" for file, port in all_ports() if port.title not in upstream[file]]


def stale_entries() -> list[str]:
    """Entries of the list that say nothing any more: of an unknown file or title, or of one that is ported."""
    upstream = upstream_titles()
    stale = []
    for file, reasons in not_applicable().items():
        ports = ports_for(file) if file in upstream else {}
        for title, reason in reasons.items():
            if title not in upstream.get(file, []) or title in ports or not reason.strip():
                stale.append(f"{file}: {title}")
    return stale
