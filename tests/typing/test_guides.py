"""The programs of the guides that are annotated from end to end are what strict checkers accept."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pages.blocks import ROOT, blocks_of

from .checkers import ASK

GUIDES = ("writing", "typing", "brokers")


def annotated(folder: Path) -> list[str]:
    """Write the annotated programs into a folder; return their paths."""
    paths = []
    for guide in GUIDES:
        for block in blocks_of(ROOT / "docs" / "guides" / f"{guide}.md"):
            if block.kind == "python" and "async def main() -> None" in block.code:
                path = folder / f"{guide}_{block.line}.py"
                path.write_text(block.code, encoding="utf-8")
                paths.append(str(path))
    return paths


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_annotated_programs_of_guides_are_accepted(checker: str, tmp_path: Path) -> None:
    paths = annotated(tmp_path)
    assert len(paths) >= 8
    assert [(Path(path).name, line, message) for path, line, message in ASK[checker](paths)] == []
