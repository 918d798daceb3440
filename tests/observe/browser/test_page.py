"""The page of a running pipeline in headless Chromium: what it shows is what the pipeline says."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.browser import Browser, chromium
from webstreams.observe import Pipeline

from .serving import served

STAGES = """
return [...document.querySelectorAll('#picture .stage')].map((stage) => ({
  name: stage.dataset.stage,
  bottleneck: stage.classList.contains('bottleneck'),
  widths: ['busy', 'blocked', 'starved'].map((state) => Number(stage.querySelector('.' + state).getAttribute('width'))),
  points: stage.querySelector('.spark').getAttribute('points').split(' ').length,
}))
"""


def look(window: Browser, url: str) -> tuple[list[Any], str, list[Any]]:
    """Load the page, and wait until it has heard of the pipeline some times."""
    window.open(url)
    while int(window.run("return document.body.dataset.updates || 0")) < 5:
        pass
    verdict = window.run("return document.getElementById('verdict').textContent")
    loaded = window.run("return performance.getEntriesByType('resource').map((each) => each.name)")
    return window.run(STAGES), verdict, loaded


async def look_at_pipeline() -> tuple[list[Any], str, list[Any], str, Pipeline]:
    async with served() as (url, pipeline):
        with chromium() as window:
            window.resize(1300, 420)
            stages, verdict, loaded = await asyncio.to_thread(look, window, url)
        assert pipeline.bottleneck is not None
        assert pipeline.bottleneck.name == "store"
        return stages, verdict, loaded, url, pipeline


def test_the_page_shows_a_running_pipeline() -> None:
    stages, verdict, loaded, url, pipeline = asyncio.run(look_at_pipeline())
    assert [stage["name"] for stage in stages if stage["bottleneck"]] == ["store"]
    assert verdict == "held up by store"
    assert {stage["name"] for stage in stages} == {stage.name for stage in pipeline.stages}
    for stage in stages:
        assert abs(sum(stage["widths"]) - 170) < 0.5
        assert stage["points"] >= 5
    assert set(loaded) <= {url + "events", url + "favicon.ico"}
