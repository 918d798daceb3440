"""Draws the chart of some runs: one line for each row, one mark for each subject, and what is faster to the right.

    python -m benchmarks.chart RESULTS.json... CHART.svg

The records of `benchmarks`, `benchmarks.shapes` and `benchmarks.endtoend` can be drawn, each as a panel of its own, one
above the other. Needs matplotlib, which the runner installs into an environment of its own.
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

from .subjects import LIBRARY

COLORS = {
    "pure": "#3776ab",
    "compiled": "#1b3a57",
    "checkout": "#3776ab",
    "node": "#3c873a",
    "bun": "#c2185b",
    "deno": "#6d6d6d",
    "fast-webstreams": "#8bc34a",
}
OTHER_COLORS = ("#e0a030", "#8e44ad", "#16a085", "#7f8c8d", "#c0392b", "#b9770e", "#bbbbbb")
LIBRARY_MARKS = ("o", "D", "s", "^", "v", "P")
WIDTH, ROW_HEIGHT, MARGIN = 11.0, 0.36, 1.7


@dataclass
class Style:
    """How a subject is drawn."""

    color: str
    mark: str
    size: float
    hollow: bool = False


@dataclass
class Panel:
    """What one run measured: by the name of the subject and the title of the row."""

    unit: str
    rates: dict[str, dict[str, float]]

    @property
    def rows(self) -> list[str]:
        """The titles of the rows."""
        return list(dict.fromkeys(row for rates in self.rates.values() for row in rates))


def panel(record: dict[str, Any]) -> Panel:
    """Read a record."""
    if "medians" in record:
        return Panel(record["unit"], record["medians"])
    rates = {
        subject["name"]: {
            row["title"]: row["rates"][subject["name"]]["chunks_per_second"]
            for row in record["rows"].values()
            if subject["name"] in row["rates"]
        }
        for subject in record["subjects"]
    }
    return Panel("chunks per second", rates)


def styles(names: Sequence[str]) -> dict[str, Style]:
    """Choose how the subjects are drawn: the library big, the engines as squares, the others hollow."""
    found: dict[str, Style] = {}
    marks, others = iter(LIBRARY_MARKS * len(names)), iter(OTHER_COLORS * len(names))
    for name in names:
        kind = name.split()[0].lower()
        if kind in LIBRARY:
            found[name] = Style(COLORS[kind], next(marks), 70)
        elif kind in COLORS:
            found[name] = Style(COLORS[kind], "s", 34)
        else:
            found[name] = Style(next(others), "o", 26, hollow=True)
    return found


def draw_rows(axes: Axes, shown: Panel) -> None:
    """Draw the marks."""
    heights = {row: height for height, row in enumerate(shown.rows)}
    for name, style in styles(list(shown.rates)).items():
        rates = shown.rates[name]
        axes.scatter(
            list(rates.values()),
            [heights[row] for row in rates],
            s=style.size,
            marker=style.mark,
            facecolors="none" if style.hollow else style.color,
            edgecolors=style.color,
            label=name,
            zorder=2 + style.size / 100,
        )


def arrange(axes: Axes, shown: Panel) -> None:
    """Name the rows and the scale."""
    axes.set_xscale("log")
    axes.set_xlabel(f"{shown.unit} (the scale is logarithmic)")
    axes.set_yticks(range(len(shown.rows)), [row.replace("`", "") for row in shown.rows])
    axes.set_ylim(len(shown.rows) - 0.5, -0.5)
    axes.grid(axis="both", color="#dddddd", linewidth=0.7, zorder=0)
    axes.tick_params(length=0)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=6, frameon=False)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def draw(records: Sequence[dict[str, Any]]) -> Figure:
    """Draw the chart."""
    panels = list(map(panel, records))
    heights = [MARGIN + ROW_HEIGHT * len(each.rows) for each in panels]
    figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained")
    places = figure.subplots(len(panels), squeeze=False, height_ratios=heights)
    for axes, shown in zip(places.flat, panels, strict=True):
        draw_rows(axes, shown)
        arrange(axes, shown)
    return figure


def main(arguments: Sequence[str]) -> None:
    """Draw the chart of the runs in the first files into the last."""
    *sources, target = arguments
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "webstreams", "font.size": 10})
    figure = draw([json.loads(Path(source).read_text(encoding="utf-8")) for source in sources])
    figure.savefig(target, facecolor="white", metadata={"Date": None} if target.endswith(".svg") else None)


if __name__ == "__main__":
    main(sys.argv[1:])
