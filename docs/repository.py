"""Pages of the repository in the site.

The pages are Markdown that reads well in the repository, too: their links are relative paths. Those that lead to a page
of the site are links in it, all others lead to the file in the repository. A line ``% page: ../CHANGELOG.md`` is
replaced by that page, which stands where people look for it in the repository.
"""

from __future__ import annotations

import os
import posixpath
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the tests of the pages need no Sphinx
    from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parent.parent
REPOSITORY = "https://github.com/webstreams/webstreams/blob/main"
PAGE = re.compile(r"^% page: (?P<path>\S+)$", re.MULTILINE)
# Code, in which nothing is a link, or a link.
LINK = re.compile(
    r"^(?P<fence>`{3,}|~{3,}).*?^(?P=fence)$|`[^`\n]+`"
    r"|(?P<before>\]\()(?P<path>(?!https?:|mailto:|#)[^)#\s]+)(?P<anchor>#[^)\s]*)?(?=\))",
    re.MULTILINE | re.DOTALL,
)
# The pages of the repository that the site has under another name.
MOVED = {
    "ARCHITECTURE.md": "docs/architecture/index.md",
    "CHANGELOG.md": "docs/changelog.md",
    "CONTRIBUTING.md": "docs/contributing.md",
}


def with_pages(text: str, folder: str) -> str:
    """Put the pages that a text names into it; `folder` is that of the text, seen from the root."""
    return PAGE.sub(lambda match: _page(posixpath.normpath(posixpath.join(folder, match["path"])), folder), text)


def _page(path: str, folder: str) -> str:
    text = (ROOT / path).read_text(encoding="utf-8")
    return with_links(text, posixpath.dirname(path), folder)


def with_links(text: str, folder: str, seen_from: str) -> str:
    """Turn the relative links of a text in `folder` into those of the site, for a page in the folder `seen_from`."""
    return LINK.sub(partial(_link, folder, seen_from), text)


def _link(folder: str, seen_from: str, match: re.Match[str]) -> str:
    if match["path"] is None:
        return match[0]
    path = posixpath.normpath(posixpath.join(folder, match["path"]))
    return match["before"] + target(path, seen_from) + (match["anchor"] or "")


def target(path: str, seen_from: str) -> str:
    """Return where the site finds a path of the repository, for a page in a folder of the repository."""
    path = MOVED.get(path, path)
    if path.startswith("docs/") and path.endswith((".md", ".rst", ".svg", ".png")):
        return os.path.relpath(path, seen_from or ".")
    return f"{REPOSITORY}/{path}"


def on_source_read(app: Sphinx, docname: str, content: list[str]) -> None:
    """Complete the text of a page before it is parsed."""
    if app.env.doc2path(docname).suffix == ".md":
        folder = posixpath.join("docs", posixpath.dirname(docname)).rstrip("/")
        content[0] = with_links(with_pages(content[0], folder), folder, folder)


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx."""
    app.connect("source-read", on_source_read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
