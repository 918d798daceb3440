"""The example that counts the words of a large file in processes."""

from __future__ import annotations

import asyncio
import io
import re
import sysconfig
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from examples import words
from tests.children import children

pytestmark = pytest.mark.usefixtures("from_nursery")


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """A few megabytes of text that people have written: sources of Python, with lines that are no UTF-8."""
    folder = Path(sysconfig.get_path("stdlib"))
    path = tmp_path / "text"
    with path.open("wb") as file:
        for source in sorted((folder / "asyncio").glob("*.py")) * 2:
            file.write(source.read_bytes())
        file.write(b"caf\xe9 \xff\n" * 3 + "zuletzt ohne Zeilenende: größe".encode())
    return path


async def test_the_counts_are_those_of_one_process(text: Path) -> None:
    before = children()
    expected = Counter(re.findall(r"\w+", text.read_bytes().decode("utf-8", "replace").lower()))
    view = io.StringIO()
    found = await words.count(text, 2, view)
    assert found == expected
    assert found["größe"] == 1
    assert found["self"] > 1000
    assert "text" in view.getvalue()
    assert children() == before


async def test_blocks_end_with_lines(text: Path) -> None:
    blocks = await words.blocks(text, 10_000).list()
    assert b"".join(blocks) == text.read_bytes()
    assert all(block.endswith(b"\n") for block in blocks[:-1])


async def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    before = children()
    with pytest.raises(FileNotFoundError):
        await words.count(tmp_path / "none", 2)
    assert children() == before


def test_what_is_printed(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "file"
    path.write_text("to be or\nnot to be: that\n" * 1000)
    words.main([str(path), "--most", "2", "--processes", "1"])
    assert capsys.readouterr().out == "     2,000 to\n     2,000 be\n"
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
