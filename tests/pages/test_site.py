"""The site says everything, and what it points to is there: pages, links, names, guarantees."""

from __future__ import annotations

import ast
import fnmatch
import re
from pathlib import Path

import pytest

import webstreams
from docs.repository import REPOSITORY, with_links

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PACKAGE = Path(webstreams.__file__).parent
# Pages of the repository that a page of the site is made of: "% page: PATH".
PAGE = re.compile(r"^% page: (\S+)$", re.MULTILINE)
FENCE = re.compile(r"^(```+)\w*\n.*?^\1$", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
ANCHOR = re.compile(r"\]\((?!https?:)(?P<path>[^)#\s]*)#(?P<anchor>[^)\s]+)\)")
TOCTREE = re.compile(r"^:::\{toctree\}\n(.*?)^:::$", re.DOTALL | re.MULTILINE)
DIRECTIVE = re.compile(r"^\.\. (?:auto|py:)(?P<kind>\w+):: (?P<name>[\w.]+)$", re.MULTILINE)
PROOF = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")

PAGES = sorted(DOCS.rglob("*.md"))


def name_of(page: Path) -> str:
    """Return the path of a page inside docs/, for messages."""
    return page.relative_to(DOCS).as_posix()


# Pages.


def entries(page: Path) -> list[Path]:
    """Return what the tables of contents of a page name, without suffixes; patterns stay patterns."""
    lines = [line for tree in TOCTREE.findall(page.read_text(encoding="utf-8")) for line in tree.splitlines()]
    return [page.parent / line for line in lines if line and not line.startswith(":")]


def test_every_page_is_in_a_table_of_contents() -> None:
    """A new page needs a line in the `index.md` of its folder."""
    named = [str(entry) for page in PAGES for entry in entries(page)]
    pages = {path.with_suffix("") for suffix in ("md", "rst") for path in DOCS.rglob(f"*.{suffix}")} - {DOCS / "index"}
    assert {str(page) for page in pages if not any(fnmatch.fnmatch(str(page), entry) for entry in named)} == set()


def test_every_table_of_contents_names_pages() -> None:
    named = {entry for page in PAGES for entry in entries(page) if "*" not in entry.name}
    assert {
        entry for entry in named if not any(entry.with_suffix(f".{each}").exists() for each in ("md", "rst"))
    } == set()


# Links. Those to files are checked by tests/pages/test_pages.py, for every page of the repository.


def text_of(page: Path) -> str:
    """Return a page as the site has it."""
    text = page.read_text(encoding="utf-8")
    return PAGE.sub(lambda match: (page.parent / match[1]).read_text(encoding="utf-8"), text)


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of a page, as GitHub and the site make them."""
    headings = HEADING.findall(FENCE.sub("", text_of(page)))
    kept = [re.sub(r"[^\w\s-]", "", re.sub(r"[`*]", "", heading).strip().lower()) for heading in headings]
    return {re.sub(r"\s", "-", heading) for heading in kept}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_anchor_is_a_heading(page: Path) -> None:
    found = [(match["path"], match["anchor"]) for match in ANCHOR.finditer(FENCE.sub("", page.read_text("utf-8")))]
    targets = [(page.parent / path if path else page, anchor) for path, anchor in found]
    assert [(path, anchor) for path, anchor in targets if path.suffix == ".md" and anchor not in anchors(path)] == []


def test_nothing_in_code_is_a_link() -> None:
    text = "[a](b.md) `c[int](Sums())`\n```python\nd[int](Sums())\n```\n[e](../f.py)\n"
    assert with_links(text, "docs/guides", "docs/guides") == text.replace("../f.py", f"{REPOSITORY}/docs/f.py")


def test_every_picture_is_there() -> None:
    pictures = [
        (page, path) for page in PAGES for path in re.findall(r"^:::\{image\} (\S+)$", text_of(page), re.MULTILINE)
    ]
    assert pictures
    assert [(page, path) for page, path in pictures if not (page.parent / path).exists()] == []


# Names.


def public_names() -> dict[str, set[str]]:
    """Return what `__all__` of each public module says, read from the sources: nothing need be installed for it."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if not is_a_part(path, module):
            found[module] = all_of(ast.parse(path.read_text(encoding="utf-8")))
    return found


def is_a_part(path: Path, module: str) -> bool:
    """Whether a module is private, or its names are those of the package around it."""
    package = path.parent / "__init__.py"
    inside = path != package and package.parent != PACKAGE
    return "._" in module or (
        inside and re.search(rf"\.{path.stem}\b", package.read_text(encoding="utf-8")) is not None
    )


def all_of(module: ast.Module) -> set[str]:
    """Return what a module sets `__all__` to, or nothing."""
    values = [
        node.value for node in module.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    return {name for value in values for name in ast.literal_eval(value)}


NAMES = public_names()
EVERY_NAME = sorted({(name, module) for module, names in NAMES.items() for name in names if name[0] != "_"})


def documented() -> set[str]:
    """Return the names that the reference has; a module that it names has all of its names."""
    names: set[str] = set()
    for page in sorted((DOCS / "reference").glob("*.rst")):
        for match in DIRECTIVE.finditer(page.read_text(encoding="utf-8")):
            names |= NAMES[match["name"]] if match["kind"] == "module" else {match["name"]}
    return names


def test_every_public_name_is_in_the_reference() -> None:
    """A name of `webstreams` needs a line in a page of docs/reference; a public module needs an `automodule`."""
    names = documented()
    assert [f"{module}.{name}" for name, module in EVERY_NAME if name not in names] == []


def code_of(page: Path) -> str:
    """Return what is code in a page."""
    text = text_of(page)
    return " ".join([*(match[0] for match in FENCE.finditer(text)), *re.findall(r"`[^`]+`", FENCE.sub("", text))])


def words_of(folder: str) -> set[str]:
    """Return the words in the code of the pages of a folder, without its table of contents."""
    pages = [page for page in (DOCS / folder).glob("*.md") if page.name != "index.md"]
    return {word for page in pages for word in re.findall(r"\w+", code_of(page))}


GUIDES = words_of("guides")


def test_every_public_name_is_in_a_guide() -> None:
    """A name that no guide has is one that nobody finds; the tables of docs/porting do not count."""
    assert [f"{module}.{name}" for name, module in EVERY_NAME if name not in GUIDES] == []


def test_every_member_of_a_public_class_is_in_a_guide_or_a_table_of_porting() -> None:
    classes = {name: value for name in webstreams.__all__ if isinstance(value := getattr(webstreams, name), type)}
    members = {(name, each) for name, value in classes.items() for each in vars(value) if each[0] != "_"}
    words = GUIDES | words_of("porting")
    assert sorted(f"{name}.{each}" for name, each in members if each not in words) == []


def test_the_list_of_guides_has_each_with_what_is_in_it() -> None:
    index = (DOCS / "guides" / "index.md").read_text(encoding="utf-8")
    named = {page: title for title, page in re.findall(r"^- \[([^\]]+)\]\((\S+\.md)\): \S.*$", index, re.MULTILINE)}
    assert named == {
        page.name: HEADING.findall(page.read_text(encoding="utf-8"))[0].replace("`", "")
        for page in (DOCS / "guides").glob("*.md")
        if page.name != "index.md"
    }


# Guarantees.


def test_every_guarantee_has_its_test() -> None:
    proofs = PROOF.findall((DOCS / "guarantees.md").read_text(encoding="utf-8"))
    assert len(proofs) > 50
    tests = {file: (ROOT / file).read_text(encoding="utf-8") for file, _ in proofs}
    assert [
        (file, test) for file, test in proofs if not re.search(rf"^(?:async )?def {test}\(", tests[file], re.M)
    ] == []


def test_every_guarantee_names_a_test() -> None:
    rows = re.findall(r"^\| [A-Z].*$", (DOCS / "guarantees.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert [row for row in rows if not PROOF.search(row)] == []


# Porting.

# What people who come from Node look for; the issue about the site names it.
NODE = (
    "pipe(",
    "pipeline(",
    "finished(",
    "drain",
    "objectMode",
    "highWaterMark",
    "Readable.from(",
    "new Transform(",
    "new Writable(",
    "new Duplex(",
    "stream/consumers",
    "p-map",
    "worker_threads",
)
# What the pages about libraries of Python answer.
PYTHON = {
    "from-asyncio.md": ("StreamReader", "asyncio.Queue", "gather(", "Semaphore(", "as_completed("),
    "from-others.md": ("From aiostream", "From anyio", "From RxPY", "create_memory_object_stream(", "ops.map("),
}


def test_every_page_on_porting_answers_what_people_look_for() -> None:
    rows = [line for line in (DOCS / "porting" / "from-node.md").read_text("utf-8").splitlines() if line[:1] == "|"]
    assert [name for name in NODE if not any(name in row.split(" | ")[0] for row in rows)] == []
    for page, names in PYTHON.items():
        text = (DOCS / "porting" / page).read_text(encoding="utf-8")
        assert [name for name in names if name not in text] == []
