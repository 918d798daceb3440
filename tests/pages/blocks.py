"""The blocks of code in the pages, and who runs them.

Python is run by tests/test_documentation.py, JavaScript by tests/site/test_programs.py; the commands of a console are
looked up by test_blocks.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
# A fence of Markdown, or MyST's directive for code.
BLOCK = re.compile(
    r"^(?P<fence>`{3,})(?P<kind>[^\n]*)\n(?P<code>.*?)^(?P=fence)$"
    r"|^:::\{code-block\} (?P<named>\w+)\n(?P<body>.*?)^:::$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    kind: str
    code: str

    @property
    def name(self) -> str:
        return f"{self.page.relative_to(ROOT).as_posix()}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """Return all blocks of a page, in their order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            page,
            text.count("\n", 0, match.start()) + 1,
            match["named"] or match["kind"],
            match["body"] or match["code"],
        )
        for match in BLOCK.finditer(text)
    ]


def of_kind(kind: str) -> list[Block]:
    """Return the blocks of a kind in all pages."""
    return [block for page in PAGES for block in blocks_of(page) if block.kind == kind]


def text_that_nothing_prints() -> list[Block]:
    """Return the blocks of text that stand behind no program."""
    pairs = [pair for page in PAGES for pair in pairwise([Block(page, 0, "", ""), *blocks_of(page)])]
    return [block for before, block in pairs if block.kind == "text" and before.kind != "python"]


def printed_by(block: Block) -> str:
    """Return what is said to come out of a program: the next block of text."""
    following = blocks_of(block.page)
    return next(other.code for other in following if other.line > block.line and other.kind == "text")
