"""Draws what each stage costs a chunk, from the figures of `benchmarks/results.json`.

The rows of the benchmarks hold whole pipelines; the cost of a row is the reciprocal of its rate.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results.json"
ROWS = {
    "pipe-16": "a pipe",
    "through-identity": "a pipe and an identity transform",
    "through-mapping": "a pipe and a mapping",
    "four-mappings": "a pipe and four mappings",
    "tee": "a tee into two pipes",
    "through-coroutine": "a pipe and a coroutine mapping",
    "read-sync": "a loop of reads",
    "write-await": "a loop of awaited writes",
    "async-for": "async for",
}
COLORS = {"pure": "#7fa8d1", "compiled": "#1b3a57"}


def costs(results: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Return microseconds for a chunk: for each kind of build, of its first subject, row by row."""
    found: dict[str, dict[str, float]] = {}
    for subject in results["subjects"]:
        if subject["kind"] in COLORS and subject["kind"] not in found:
            name = subject["name"]
            found[subject["kind"]] = {
                row: 1e6 / results["rows"][row]["rates"][name]["chunks_per_second"] for row in ROWS
            }
    return found


def draw(target: Path) -> None:
    """Draw the picture."""
    found = costs(json.loads(RESULTS.read_text(encoding="utf-8")))
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.add_subplot()
    height = 0.8 / len(found)
    for place, (kind, row) in enumerate(found.items()):
        bars = axes.barh(
            [index + place * height for index in range(len(ROWS))],
            [row[name] for name in ROWS],
            height=height,
            color=COLORS[kind],
            label=kind,
        )
        axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=8)
    axes.set_yticks([index + 0.4 - height / 2 for index in range(len(ROWS))], list(ROWS.values()))
    axes.invert_yaxis()
    axes.set_xlabel("microseconds for a chunk (Python 3.11)")
    figure.legend(frameon=False, loc="outside upper right", ncols=2)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(target, facecolor="white", metadata={"Date": None})
