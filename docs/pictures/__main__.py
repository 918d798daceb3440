"""Makes the pictures of the site: ``python -m docs.pictures [NAME ...]``, by default all of them.

Needs matplotlib, rich, and Debian's chromium and chromium-driver for the page. What shows a pipeline runs it for some
seconds; the others draw at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib

from . import chunk, cost, desired_size, views

HERE = Path(__file__).resolve().parent
PICTURES: dict[str, Callable[[Path], None]] = {
    "chunk.svg": chunk.draw,
    "cost.svg": cost.draw,
    "desired_size.svg": desired_size.draw,
    "page.png": views.draw_page,
    "terminal.svg": views.draw_table,
}


def main(names: Sequence[str]) -> None:
    """Make the pictures of these names, or all."""
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "webstreams", "font.size": 9})
    for name in names or PICTURES:
        PICTURES[name](HERE / name)


if __name__ == "__main__":
    main(sys.argv[1:])
