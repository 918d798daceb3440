"""What is done to pages so that people find their way: proofs are links, and long names may be broken into lines.

A test that `docs/guarantees.md` names (`tests/FILE.py::TEST`) becomes a link to that file in the repository. A name in
code is broken behind a dot, an underscore, a slash, a colon or an opening bracket where a line has no more room.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from docs.repository import REPOSITORY

PROOF = re.compile(r"(?P<file>tests/[\w/]+\.py)::(?P<test>test_\w+)\Z")
# What Sphinx makes of a word of code in a text.
WORD = re.compile(r'(?<=<span class="pre">)[^<]{16,}(?=</span>)')
PLACE = re.compile(r"(?<=[\w.:/(\[])(?<=[._/:(\[])(?=\w)")


def with_links_to_proofs(app: Sphinx, tree: nodes.document) -> None:
    """Turn the tests that a page names into links."""
    for code in list(tree.findall(nodes.literal)):
        if match := PROOF.match(code.astext()):
            link = nodes.reference("", "", refuri=f"{REPOSITORY}/{match['file']}", reftitle=match["file"])
            shown = nodes.literal(text=match["test"])
            link += shown
            code.replace_self(link)


def with_places_to_break(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: object) -> None:
    """Say where long names may be broken."""
    if "body" in context:
        context["body"] = WORD.sub(lambda match: PLACE.sub("<wbr>", match[0]), context["body"])


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx."""
    app.connect("doctree-read", with_links_to_proofs)
    app.connect("html-page-context", with_places_to_break)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
