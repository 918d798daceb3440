"""What the documentation says is so: every example runs, and names and figures are those of the code."""

from __future__ import annotations

import asyncio
import logging
import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager

import webstreams
import webstreams.ends
from wpt_ports.catalogue import status

from .pages.test_site import anchors

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
NAMES = ROOT / "docs" / "porting" / "from-web-streams.md"
WPT = ROOT / "docs" / "web-platform-tests.md"
REPOSITORY = "https://github.com/webstreams/webstreams"
RAW = "https://raw.githubusercontent.com/webstreams/webstreams"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# A comment before what an example prints, where that is a measurement.
DIFFER = "<!-- percentages differ -->"


@dataclass(frozen=True)
class Example:
    page: Path
    line: int
    code: str
    output: str | None
    percentages_differ: bool = False

    @property
    def name(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def examples_of(page: Path) -> list[Example]:
    """Every block of Python; a block of text that comes next, before any heading, is what it prints."""
    text = page.read_text(encoding="utf-8")
    blocks = list(FENCE.finditer(text))
    found = []
    for block, following in zip(blocks, [*blocks, None][1:], strict=True):
        if block[1] == "python":
            line = text.count("\n", 0, block.start(2)) + 1
            between = text[block.end() : following.start()] if following else ""
            prints = following is not None and following[1] == "text" and "\n#" not in between
            found.append(
                Example(page, line, block[2], following[2] if following and prints else None, DIFFER in between)
            )
    return found


def without_percentages(printed: str) -> str:
    """Return what was printed with a sign in place of each percentage, and of the blanks before it."""
    return re.sub(r" +\d+ %", " N %", printed)


def run_example(example: Example) -> None:
    """Run an example as a program; one that defines `main` and leaves the rest to the reader is given a loop."""
    # The line numbers of an error are those of the page.
    code = compile("\n" * (example.line - 1) + example.code, example.page, "exec")
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(code, names)
    if "main" in names and "asyncio.run(" not in example.code:
        asyncio.run(names["main"]())


EXAMPLES = [example for page in PAGES for example in examples_of(page)]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_example_of_a_page(
    example: Example, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "asyncio"):
        run_example(example)
    # stamina says what it repeats, which is what its recipe is about.
    assert [record.getMessage() for record in caplog.records if record.name != "stamina"] == []
    if example.output is not None:
        kept = without_percentages if example.percentages_differ else str
        assert kept(capsys.readouterr().out) == kept(example.output)


def test_every_example_of_every_page_is_found() -> None:
    found = Counter(example.page for example in EXAMPLES)
    assert found[README] >= 1
    assert len(found) >= 25
    for page in PAGES:
        assert found[page] == page.read_text(encoding="utf-8").count("```python")


# Names.


def table_rows(text: str, heading: str) -> list[list[str]]:
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows[1:]]


# The tables of the page for people from Web Streams that name everything public.
TABLES = ("Names", "Ends, and what every program does with a stream", "Several streams, sharing, producers")


def test_the_table_of_names_has_every_public_class() -> None:
    rows = [row for heading in TABLES for row in table_rows(NAMES.read_text(encoding="utf-8"), heading)]
    named = set(re.findall(r"\w+", " ".join(row[1] for row in rows)))
    # What has no name in JavaScript is in the text.
    ours = {"Event", "ReadDoneResult", "ReadValueResult", "ReadableStreamAsyncIterator", "ReadableWritablePair"}
    errors = {"AbortError", "StreamError"}
    assert set(webstreams.__all__) - named == ours | errors


def test_the_table_of_names_names_what_exists() -> None:
    attributes = {name for public in webstreams.__all__ for name in dir(getattr(webstreams, public))}
    text = NAMES.read_text(encoding="utf-8")
    for row in [row for heading in TABLES for row in table_rows(text, heading)]:
        for code in re.findall(r"`([^`]*)`", row[1]):
            for name in re.findall(r"\.([a-z_]+)", code.replace("...", "")):
                assert name in attributes, f"{code}: there is no {name}"
            for name in re.findall(r"\b([A-Z]\w+)[.(]", code):
                assert name in webstreams.__all__, f"{code}: there is no {name}"


def test_the_changelog_names_every_end() -> None:
    named = set(re.findall(r"`(\w+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")))
    assert set(webstreams.ends.__all__) - named == set()


# Figures.


def wpt_figures() -> dict[str, list[int]]:
    """Count per folder of upstream: titles, ported, not applicable, missing."""
    figures: dict[str, list[int]] = {}
    for file, titles in status().items():
        row = figures.setdefault(f"`{file.rpartition('/')[0].removesuffix('/crashtests')}`", [0] * 4)
        for state in titles.values():
            column = 3 if state is None else 1 if state == "ported" else 2
            row[0] += 1
            row[column] += 1
    figures["total"] = [sum(column) for column in zip(*figures.values(), strict=True)]
    return figures


def test_the_figures_of_the_web_platform_tests_are_those_of_the_command() -> None:
    rows = table_rows(WPT.read_text(encoding="utf-8"), "Figures")
    figures = [f"| {' | '.join([name, *map(str, row)])} |" for name, row in wpt_figures().items()]
    assert [f"| {' | '.join(row)} |" for row in rows] == figures


# The project around it.


def test_the_readme_fits_on_two_screens() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 150


def test_the_readme_gives_the_test_command_that_ci_runs() -> None:
    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()[-1] == "bash .ci/test"
    assert "\n$ bash .ci/test\n" in README.read_text(encoding="utf-8")


def test_the_version_is_that_of_the_package_that_is_built() -> None:
    # The sources may be installed somewhere else, as those of the compiled build are.
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    metadata = ProjectMetadata(str(Path(webstreams.__file__).parent.parent), PluginManager(), project)
    assert metadata.core.dynamic == ["version"]
    assert metadata.version == webstreams.__version__


def test_an_index_of_packages_links_to_the_project() -> None:
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]
    assert urls.keys() == {"Homepage", "Documentation", "Changelog", "Issues", "Source"}
    assert all(url.startswith(REPOSITORY) for url in urls.values())


def test_links_of_the_readme_work_outside_the_repository() -> None:
    text = FENCE.sub("", README.read_text(encoding="utf-8"))
    definitions = dict(re.findall(r"^\[([^\]]+)\]: (\S+)$", text, re.MULTILINE))
    used = re.findall(r"\]\[([^\]]+)\]", text)
    assert set(used) == set(definitions)
    targets = [*re.findall(r"\]\(([^)\s]+)", text), *definitions.values()]
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []
    for target in targets:
        if match := re.match(rf"{REPOSITORY}/(?:blob|tree)/main/(.+)|{RAW}/main/(.+)", target):
            path, _, anchor = (match[1] or match[2]).partition("#")
            assert (ROOT / path).exists(), target
            assert not anchor or anchor in anchors(ROOT / path), target


def test_the_changelog_names_version_and_standard() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[{re.escape(webstreams.__version__)}\] - \S+$", changelog, re.MULTILINE)
    assert re.search(r"whatwg/streams [0-9a-f]{40}\b", changelog)
