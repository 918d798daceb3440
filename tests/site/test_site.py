"""The site as people see it: nothing is wider than the window, no link is dead, search finds things."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

import webstreams
from docs.repository import REPOSITORY
from tests.browser import Browser, chromium
from tests.pages.test_site import EVERY_NAME, ROOT

WIDTHS = (1280, 390)
SCHEMES = ("light", "dark")
WORDS = ("backpressure", "drain", "BYOB", "timeout")

# What is wider than the window, by its tag and class; what scrolls by itself is not.
TOO_WIDE = """
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    const all = [...document.querySelectorAll("main *")];
    const wide = all.filter((each) => each.getBoundingClientRect().right > width + 1);
    return ["the page", ...wide.map((each) => `${each.tagName}.${each.className}`).slice(0, 5)];
"""
# The contrast of the text of the page with what is behind it.
CONTRAST = """
    const light = (color) => {
        const parts = color.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255)
            .map((part) => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
    };
    const style = getComputedStyle(document.body);
    const [one, other] = [light(style.color), light(style.backgroundColor)].sort((a, b) => b - a);
    return [(one + 0.05) / (other + 0.05), light(style.backgroundColor)];
"""
# For each pair of programs, whether they begin at the same height.
BESIDE = """
    return [...document.querySelectorAll(".programs")].map((each) => {
        const [one, other] = [...each.children].map((child) => child.getBoundingClientRect().top);
        return one === other;
    });
"""
# The first words of each table that is wider than its box.
SCROLLING_TABLES = """
    const boxes = [...document.querySelectorAll(".table-wrapper")];
    return boxes.filter((each) => each.scrollWidth > each.clientWidth).map((each) => each.innerText.slice(0, 40));
"""
# What has been found once the search has ended: results come one by one.
SEARCH = """
    for (let turn = 0; turn < 200; turn++) {
        const summary = document.querySelector("#search-results .search-summary, #search-results p");
        if (summary && /finished|did not match/.test(summary.textContent))
            return [...document.querySelectorAll("#search-results li a")].map((each) => each.textContent);
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return [];
"""


class Links(HTMLParser):
    """Collects what a page links to, and what can be linked to in it."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.anchors: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value is not None and name in ("href", "src"):
                self.targets.append(value)
            elif value is not None and name == "id":
                self.anchors.add(value)


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, and says nothing."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, as ``python -m docs`` builds it: without a warning."""
    folder = tmp_path_factory.mktemp("site") / "html"
    command = [sys.executable, "-m", "docs", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Where the site is served."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def pages(site: Path) -> list[Path]:
    """Return the pages that people read."""
    return [page for page in sorted(site.rglob("*.html")) if "_static" not in page.parts]


def test_no_page_is_wider_than_the_window(site: Path, address: str, browser: Browser) -> None:
    too_wide = {}
    for page in pages(site):
        browser.open(f"{address}/{page.relative_to(site)}")
        for width in WIDTHS:
            browser.resize(width)
            if found := browser.run(TOO_WIDE):
                too_wide[page.relative_to(site).as_posix(), width] = found
    assert too_wide == {}


def test_pages_are_readable_in_light_and_dark(address: str, browser: Browser) -> None:
    browser.open(f"{address}/index.html")
    backgrounds = {}
    for scheme in SCHEMES:
        browser.set_scheme(scheme)
        contrast, backgrounds[scheme] = browser.run(CONTRAST)
        assert contrast > 7
    assert backgrounds["light"] > 0.8
    assert backgrounds["dark"] < 0.2


def test_programs_stand_beside_each_other(address: str, browser: Browser) -> None:
    """Where there is room for both, else one below the other."""
    for page, count in (("porting/programs", 25), ("porting/from-web-streams", 1)):
        browser.open(f"{address}/{page}.html")
        for width, beside in zip(WIDTHS, (True, False), strict=True):
            browser.resize(width)
            assert browser.run(BESIDE) == [beside] * count


def test_tables_of_words_fit_on_a_telephone(site: Path, address: str, browser: Browser) -> None:
    """Those of up to three columns; figures scroll."""
    browser.resize(WIDTHS[1])
    for page in (site / "porting").glob("from-*.html"):
        browser.open(f"{address}/porting/{page.name}")
        assert browser.run(SCROLLING_TABLES) == []
    browser.open(f"{address}/speed.html")
    assert browser.run(SCROLLING_TABLES) != []


def test_search_finds_what_people_look_for(address: str, browser: Browser) -> None:
    found = {}
    for word in WORDS:
        browser.open(f"{address}/search.html?q={word}")
        found[word] = browser.run(SEARCH)
    assert all(found.values()), found
    assert "Backpressure" in found["backpressure"]
    assert "From Node.js" in found["drain"]
    assert "Bytes and BYOB" in found["BYOB"]
    assert "Cancellation and time limits" in found["timeout"]


def test_no_link_is_dead(site: Path) -> None:
    links = {page: Links(page) for page in pages(site)}
    dead = []
    for page, found in links.items():
        for link in found.targets:
            if link.startswith(REPOSITORY):
                if not (ROOT / re.split("[?#]", unquote(link.removeprefix(f"{REPOSITORY}/")))[0]).exists():
                    dead.append((page.name, link))
            elif not re.match(r"\w+:", link):
                path, _, anchor = unquote(link).partition("#")
                target = (page.parent / path.partition("?")[0]).resolve() if path else page
                known = links.get(target)
                if not target.exists() or (anchor and known and anchor not in known.anchors):
                    dead.append((page.name, link))
    assert dead == []


def test_the_reference_has_every_name_with_its_members(site: Path) -> None:
    """In the pages that were built, and not only in what they are built from."""
    anchors = set().union(*(Links(page).anchors for page in (site / "reference").glob("*.html")))
    assert {
        f"{module}.{name}" for name, module in EVERY_NAME if not any(each.endswith(f".{name}") for each in anchors)
    } == set()
    stream = {name for name in dir(webstreams.ReadableStream) if not name.startswith("_")}
    assert {name for name in stream if f"webstreams.ReadableStream.{name}" not in anchors} == set()
