"""Draws the chart of a run: one line for each row, one mark for each subject, the chunks per second to the right.

    python -m benchmarks.chart RESULTS.json CHART.svg

Needs matplotlib, which the runner installs into an environment of its own.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLORS = {
    "pure": "#3776ab",
    "compiled": "#1b3a57",
    "checkout": "#3776ab",
    "node": "#3c873a",
    "bun": "#c2185b",
    "deno": "#6d6d6d",
    "fast-webstreams": "#8bc34a",
}
OTHER_COLORS = ("#e0a030", "#b9770e", "#8e44ad", "#16a085", "#7f8c8d", "#c0392b", "#bbbbbb")
LIBRARY_MARKS = ("o", "D", "s", "^", "v", "P")
WIDTH, ROW_HEIGHT, MARGIN = 11.0, 0.36, 1.7


@dataclass
class Style:
    """How a subject is drawn."""

    color: str
    mark: str
    size: float
    hollow: bool = False


def styles(subjects: Sequence[dict[str, str]]) -> dict[str, Style]:
    """Choose how the subjects are drawn: the library big, the engines as squares, the others hollow."""
    found: dict[str, Style] = {}
    marks, others = iter(LIBRARY_MARKS * len(subjects)), iter(OTHER_COLORS * len(subjects))
    for subject in subjects:
        kind = subject["kind"]
        if kind in ("pure", "compiled", "checkout"):
            found[subject["name"]] = Style(COLORS[kind], next(marks), 70)
        elif kind in COLORS:
            found[subject["name"]] = Style(COLORS[kind], "s", 34)
        else:
            found[subject["name"]] = Style(next(others), "o", 26, hollow=True)
    return found


def draw_rows(axes: Axes, rows: Sequence[dict[str, Any]], drawn: dict[str, Style]) -> None:
    """Draw the marks."""
    for name, style in drawn.items():
        points = [
            (row["rates"][name]["chunks_per_second"], height) for height, row in enumerate(rows) if name in row["rates"]
        ]
        axes.scatter(
            [rate for rate, _ in points],
            [height for _, height in points],
            s=style.size,
            marker=style.mark,
            facecolors="none" if style.hollow else style.color,
            edgecolors=style.color,
            label=name,
            zorder=2 + style.size / 100,
        )


def arrange(axes: Axes, rows: Sequence[dict[str, Any]]) -> None:
    """Name the rows and the scale."""
    axes.set_xscale("log")
    axes.set_xlabel("chunks per second (the scale is logarithmic)")
    axes.set_yticks(range(len(rows)), [row["title"].replace("`", "") for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(axis="both", color="#dddddd", linewidth=0.7, zorder=0)
    axes.tick_params(length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def draw(results: dict[str, Any]) -> Figure:
    """Draw the chart."""
    rows = list(results["rows"].values())
    figure = Figure(figsize=(WIDTH, MARGIN + ROW_HEIGHT * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    draw_rows(axes, rows, styles(results["subjects"]))
    arrange(axes, rows)
    figure.legend(loc="outside upper center", ncols=6, frameon=False)
    return figure


def main(arguments: Sequence[str]) -> None:
    """Draw the chart of the run in the first file into the second."""
    source, target = arguments
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "webstreams", "font.size": 10})
    figure = draw(json.loads(Path(source).read_text(encoding="utf-8")))
    figure.savefig(target, facecolor="white", metadata={"Date": None} if target.endswith(".svg") else None)


if __name__ == "__main__":
    main(sys.argv[1:])
