"""Measures the library beside the others, all in turns and in one go, and prints the tables.

    python -m benchmarks [--quick] [--rows ROWS] [--engines ENGINES] [--python PATH ...] [--json FILE] [--chart FILE]

What it needs it installs into `.cache/benchmarks`: the JavaScript engines, and the library, pure and compiled, for each
Python. The rows `growth` and `files` are tables of their own.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .catalogue import ROWS
from .installing import ROOT, InstallationError, install_chart, run, say
from .record import circumstances
from .results import Results, save
from .running import QUICK, Amounts, measure_files, measure_growth, measure_rows
from .subjects import LIBRARY, NAMES, START, choose
from .tables import all_tables

GROWTH_ROW, FILES_ROW = "growth", "files"
ALL_ROWS = (*(row.name for row in ROWS), GROWTH_ROW, FILES_ROW)
CHECKOUT = LIBRARY[-1]


class Names:
    """Reads names that are separated by commas; `all` stands for most of them."""

    def __init__(self, known: Sequence[str], all_of_them: Sequence[str]) -> None:
        self.known = known
        self.all = all_of_them

    def __call__(self, text: str) -> list[str]:
        """Return the names; an unknown one is an error."""
        names = [name for part in text.split(",") for name in (self.all if part == "all" else [part])]
        for name in names:
            if name not in self.known:
                raise argparse.ArgumentTypeError(f"there is no {name!r}, only {', '.join(self.known)}")
        return names


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; ends the program with status 2 when it makes no sense."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    rows, engines = Names(ALL_ROWS, ALL_ROWS), Names([*NAMES, CHECKOUT], NAMES)
    add("--rows", type=rows, default="all", metavar="ROW,...", help=f"all, or some of: {', '.join(ALL_ROWS)}")
    add(
        "--engines",
        type=engines,
        default="all",
        metavar="ENGINE,...",
        help=f"all, or some of: {', '.join(NAMES)}; or {CHECKOUT}, which is the library where it lies, not installed",
    )
    add(
        "--python",
        type=Path,
        action="append",
        metavar="PATH",
        help="an interpreter for the library and the peers; "
        "may be given several times; by default the one that runs this",
    )
    add("--quick", action="store_true", help="measure each row only once, and shortly")
    add("--rounds", type=int, metavar="N", help="how often everything is measured")
    add("--seconds", type=float, metavar="S", help="how long each row is measured each time")
    add("--chunks", "-n", type=int, metavar="N", help="the chunks of each run")
    add("--json", type=Path, metavar="FILE", help="write everything that was measured to this file")
    add("--chart", type=Path, metavar="FILE", help="draw a chart into this file (.svg or .png)")
    return parser.parse_args(arguments)


def amounts_of(options: argparse.Namespace) -> Amounts:
    """Return how much to measure."""
    given = {name: getattr(options, name) for name in ("chunks", "seconds", "rounds")}
    return dataclasses.replace(
        QUICK if options.quick else Amounts(), **{name: value for name, value in given.items() if value is not None}
    )


def measure(results: Results, rows: Sequence[str], amounts: Amounts) -> None:
    """Measure what is asked for."""
    if results.rows:
        measure_rows(results, amounts)
    if GROWTH_ROW in rows:
        measure_growth(results, amounts)
    if FILES_ROW in rows:
        measure_files(results, amounts)


def draw(record: Path, chart: Path) -> None:
    """Draw the chart of a run."""
    run([install_chart(), "-P", "-c", START, ROOT, "chart", record.resolve(), chart.resolve()])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; give the exit status."""
    options = parse_arguments(arguments)
    amounts = amounts_of(options)
    try:
        choice = choose(options.engines, options.python or [Path(sys.executable)])
        if not choice.subjects:
            return 1
        results = Results([row for row in ROWS if row.name in options.rows], choice.subjects)
        around = circumstances()
        measure(results, options.rows, amounts)
        print(all_tables(results))
        record = {**around, "amounts": dataclasses.asdict(amounts), "left_out": choice.left_out, **results.as_dict()}
        with tempfile.TemporaryDirectory() as directory:
            path = options.json or Path(directory, "results.json")
            save(path, record)
            if options.chart:
                draw(path, options.chart)
    except InstallationError as error:
        say(f"benchmarks: {error}")
        return 1
    return 1 if results.failures else 0


if __name__ == "__main__":
    sys.exit(main())
