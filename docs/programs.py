"""The programs that are ported, beside each other: a line ``% programs`` in a page is replaced by all of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

HERE = Path(__file__).resolve().parent / "porting" / "programs"
MARK = re.compile(r"^% programs$", re.MULTILINE)

SECTION = """\
## {title}

::::{{container}} programs
:::{{literalinclude}} programs/{name}.mjs
:language: javascript
:lines: 2-
:::
:::{{literalinclude}} programs/{name}.py
:language: python
:lines: 3-
:::
::::

:::{{literalinclude}} programs/{name}.txt
:language: text
:::
"""


def titles() -> dict[str, str]:
    """Return the names of the programs, with what they are about: the first line of each."""
    paths = sorted(HERE.glob("*.py"))
    return {path.stem: path.read_text(encoding="utf-8").splitlines()[0].strip('".') for path in paths}


def on_source_read(app: Sphinx, docname: str, content: list[str]) -> None:
    """Put the programs into the page."""
    sections = "\n".join(SECTION.format(title=title, name=name) for name, title in titles().items())
    content[0] = MARK.sub(lambda match: sections, content[0])


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx."""
    app.connect("source-read", on_source_read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
