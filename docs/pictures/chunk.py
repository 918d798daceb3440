"""Draws how a chunk travels: source, pipe, transform stream, pipe, sink, and the places where it can wait."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

INK, QUEUE, CALLBACK, BACK = "#333333", "#2f6fb0", "#e8eef5", "#c2452d"


def box(axes: Axes, left: float, bottom: float, width: float, height: float, color: str) -> None:
    """Draw a box with round corners."""
    shape = "round,pad=0.02,rounding_size=0.12"
    axes.add_patch(
        FancyBboxPatch((left, bottom), width, height, boxstyle=shape, facecolor=color, edgecolor=INK, linewidth=1)
    )


def callback(axes: Axes, left: float, name: str) -> None:
    """Draw a callback of the user's."""
    box(axes, left, 1.35, 1.3, 0.6, CALLBACK)
    axes.text(left + 0.65, 1.65, name, ha="center", va="center", family="monospace", fontsize=8)


def queue(axes: Axes, left: float) -> None:
    """Draw a queue: three places, of which one is taken."""
    for place in range(3):
        color = QUEUE if place == 2 else "white"
        axes.add_patch(Rectangle((left + 0.27 * place, 1.45), 0.27, 0.4, facecolor=color, edgecolor=INK, linewidth=0.9))


def arrow(axes: Axes, left: float, right: float, height: float, color: str, label: str) -> None:
    """Draw an arrow, its label above it or, to the left, below it."""
    axes.add_patch(
        FancyArrowPatch(
            (left, height), (right, height), arrowstyle="-|>", mutation_scale=12, color=color, linewidth=1.3
        )
    )
    above = left < right
    axes.text((left + right) / 2, height + (0.12 if above else -0.14), label, ha="center",
              va="bottom" if above else "top", fontsize=8, color=color)  # fmt: skip


def draw(target: Path) -> None:
    """Draw the picture."""
    figure = Figure(figsize=(10, 2.6), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlim(0, 13.7)
    axes.set_ylim(0, 3.2)
    axes.set_aspect("equal")
    axes.axis("off")
    for left, width, name in (
        (0.2, 3.0, "ReadableStream"),
        (4.7, 4.3, "TransformStream"),
        (10.5, 3.0, "WritableStream"),
    ):
        box(axes, left, 1.0, width, 1.3, "white")
        axes.text(left + width / 2, 2.42, name, ha="center", va="bottom", fontsize=10, weight="bold")
    for left, text in ((0.4, "pull()"), (6.2, "transform()"), (11.95, "write()")):
        callback(axes, left, text)
    for left in (2.1, 4.95, 7.95, 10.7):
        queue(axes, left)
    for left, right in ((3.25, 4.65), (9.05, 10.45)):
        arrow(axes, left, right, 1.75, INK, "pipe: chunks")
        arrow(axes, right, left, 1.5, BACK, "room")
    axes.text(6.85, 0.45, "a queue is filled up to its mark; when the last one is full, no stage before it is asked",
              ha="center", fontsize=9, color=INK)  # fmt: skip
    figure.savefig(target, facecolor="white", metadata={"Date": None})
