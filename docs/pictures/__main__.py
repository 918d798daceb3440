"""Makes the pictures of the site: ``python -m docs.pictures [NAME ...]``, by default all of them.

Needs matplotlib. `desired_size` runs for a second, the others draw at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib

from . import chunk, cost, desired_size

HERE = Path(__file__).resolve().parent
PICTURES: dict[str, Callable[[Path], None]] = {
    "chunk": chunk.draw,
    "cost": cost.draw,
    "desired_size": desired_size.draw,
}


def main(names: Sequence[str]) -> None:
    """Make the pictures of these names, or all."""
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "webstreams", "font.size": 9})
    for name in names or PICTURES:
        PICTURES[name](HERE / f"{name}.svg")


if __name__ == "__main__":
    main(sys.argv[1:])
