"""``python -m benchmarks.endtoend [--node N] [--bun B] [--deno D] [--python P ...]``: whole jobs beside the others.

Files, sockets, HTTP, text and compression, with this library in each interpreter that has it installed (by default this
one), in Python by hand, with the web streams of Node, Bun and Deno, and with Node's own streams. All take turns in one
run; the median of the turns counts, of each turn the best of some rounds. Megabytes that go in for each second of
processor time, of all threads: more is better. The other side of a socket is another process, which does not count.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..installing import JAVASCRIPT, ROOT, run, say
from ..subjects import START
from ..tables import markdown, number
from ..turns import Turns
from .catalogue import MEGABYTE, ROWS, make_inputs

TURNS = 5
ROUNDS = 3
SCRIPT = JAVASCRIPT / "endtoend.mjs"
DENO = ("run", "--allow-all", "--no-config")
ENGINES = ("node", "bun", "deno")


@dataclass(frozen=True)
class Subject:
    """One column: how it is called, and the command that does all jobs once."""

    name: str
    command: Sequence[str]

    def measure(self, arguments: Sequence[str]) -> tuple[str, dict[str, dict[str, float]]]:
        """Do all jobs; return the name of the column, and what was found."""
        result = json.loads(run([*self.command, *arguments]))
        if "build" in result:
            return self.name or result["build"], result["found"]
        return self.name, result


def subjects(options: argparse.Namespace) -> list[Subject]:
    """Return the columns."""
    pythons = options.python or [sys.executable]
    start = ["-P", "-c", START, str(ROOT), "endtoend.running"]
    found = [Subject("", [python, *start, "streams"]) for python in pythons]
    found.append(Subject("Python by hand", [pythons[0], *start, "by hand"]))
    for name in ENGINES:
        if program := getattr(options, name):
            command = [program, *(DENO if name == "deno" else ()), str(SCRIPT)]
            found.append(Subject(name.capitalize(), [*command, "web"]))
            if name == "node":
                found.append(Subject("Node's own streams", [*command, "classic"]))
    return found


@contextmanager
def peer() -> Iterator[str]:
    """Start the other side of the sockets; give its port."""
    command = [sys.executable, "-m", "benchmarks.endtoend.peer"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def measure(columns: Sequence[Subject], sizes: Mapping[str, int], turns: int, rounds: int) -> Turns:
    """Measure all in turns."""
    titles = {row.name: row.title for row in ROWS}
    rates = Turns("MB for a second of processor time")
    with tempfile.TemporaryDirectory() as folder, peer() as port:
        expected = make_inputs(Path(folder), sizes)
        for _ in range(turns):
            for subject in columns:
                name, found = subject.measure([folder, port, json.dumps(sizes), str(rounds)])
                for row, result in found.items():
                    if result.get("amount") != expected[row]:
                        say(f"{name} is left out of {row}, where {expected[row]} was to be found: {result}")
                    else:
                        rates.add(name, titles[row], sizes[row] / result["microseconds"])
    return rates


def table(rates: Turns) -> str:
    """Lay out the medians, a line for each row."""
    lines = [[row, *(number(rates.value(column, row)) for column in rates.columns)] for row in rates.rows]
    return markdown([rates.unit, *rates.columns], lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.endtoend", description=(__doc__ or "").split("\n")[0])
    names = [row.name for row in ROWS]
    parser.add_argument("--python", action="append", help="an interpreter with the library and aiohttp installed")
    for name in ENGINES:
        parser.add_argument(f"--{name}", metavar="PROGRAM", help=f"the program of {name.capitalize()}")
    parser.add_argument("--rows", default=",".join(names), help="some of the rows, separated by commas")
    parser.add_argument("--turns", type=int, default=TURNS, help="how often all are measured, one after the other")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each job is done in a turn")
    parser.add_argument("--scale", type=float, default=1.0, help="how many times as much goes in")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured to this file")
    options = parser.parse_args(arguments)
    rows = options.rows.split(",")
    if unknown := [row for row in rows if row not in names]:
        parser.error(f"there is no row {unknown[0]!r}, only {', '.join(names)}")
    sizes = {row.name: int(row.megabytes * options.scale * MEGABYTE) for row in ROWS if row.name in rows}
    rates = measure(subjects(options), sizes, options.turns, options.rounds)
    print(table(rates))
    if options.json:
        rates.save(options.json)


if __name__ == "__main__":
    main()
