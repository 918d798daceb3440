"""Takes pictures of the views of an observed pipeline: the table of a terminal, and the page in headless Chromium.

Both show a real pipeline that runs: a stage that stores records takes five times as long as the one that parses them.
"""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from tests.browser import chromium
from tests.observe.browser.serving import served
from webstreams.observe import Pipeline
from webstreams.observe._progress import Frame, Progress
from webstreams.observe._table import lines_of

SECONDS = 3
WIDTH, HEIGHT = 96, 12


async def watched() -> Frame:
    """Let the pipeline run for a while, and return what the table shows then."""
    async with served() as (_, pipeline):
        return await _last_frame(pipeline)


async def _last_frame(pipeline: Pipeline) -> Frame:
    progress, began = Progress(None), time.monotonic()
    async for snapshot in pipeline.watch(0.5):
        frame = progress.frame(snapshot, pipeline.is_over)
        if time.monotonic() - began > SECONDS:
            return frame
    raise AssertionError("the pipeline has no end")


def draw_table(target: Path) -> None:
    """Draw what `webstreams.observe.terminal` shows."""
    lines: list[Any] = [Text.assemble(*line) for line in lines_of(asyncio.run(watched()), WIDTH, HEIGHT)]
    console = Console(record=True, width=WIDTH, file=target.open("w", encoding="utf-8"))
    console.print(*lines, sep="\n")
    console.file.close()
    picture = console.export_svg(title="webstreams.observe.terminal", unique_id="webstreams")
    # The picture has to be whole without a network.
    picture = re.sub(r"\s*@font-face \{.*?\}", "", picture, flags=re.DOTALL)
    target.write_text(picture, encoding="utf-8")


def draw_page(target: Path) -> None:
    """Take a picture of the page that `webstreams.observe.web` serves."""
    asyncio.run(_take(target))


async def _take(target: Path) -> None:
    async with served() as (url, _):
        await asyncio.to_thread(_look, url, target)


def _look(url: str, target: Path) -> None:
    with chromium() as window:
        window.resize(1200, 420)
        window.open(url)
        time.sleep(SECONDS)
        window.screenshot(target)
