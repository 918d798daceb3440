"""Operators beside what else there is: several calls at a time, and chains of plain functions.

    python -m benchmarks.operators [--engines checkout,installed,pure,compiled] [--python PYTHON]... [--rounds N]

The first table has what happens to calls (``benchmarks/bounded.py``): aiostream and streamable in the first Python, and
p-map in the Node of ``javascript/bounded/package.json``, which npm installs if it is there. The second has what an item
costs in a chain of operators, of bare asynchronous generators, and of transform streams on the plain path
(``benchmarks/chains.py``). All of it is run in turns, each time in a new process; the best of some rounds counts. The
exit status is 1 if another library for Python is better in any row, or a chain of operators costs more than it may.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from . import bounded, chains
from .installing import CACHE, JAVASCRIPT, ROOT, Folder, InstallationError, install_library, run, say
from .subjects import START

# What an item of a chain of operators may cost: times a chain of generators, and of transform streams.
MOST_OF_GENERATORS, MOST_OF_TRANSFORMS = 3.0, 0.2
# How many processes measure what the first calls cost.
PROCESSES = 5
# By how much another one may be better before it counts: what is the same in truth is not the same to a clock.
TOLERANCE = 0.05


class Row(NamedTuple):
    """A row of the first table."""

    name: str
    key: str
    form: str = "{:.0f}"
    slack: float = 0.5


ROWS = [
    Row("calls left running when the consumer breaks", "break"),
    Row("calls left running when its task is cancelled", "cancel"),
    Row("seconds until the failure of the third call is told", "failure", "{:.3f}", 0.02),
    Row("calls left running then", "left"),
    Row(f"seconds when every 16th call is 20 times slower (exact: {bounded.shortest():.2f})", "slow", "{:.2f}", 0.0),
    Row("seconds of it that the calls do not take", "besides", "{:.3f}", 0.02),
    Row("µs of processor time for a trivial call, limit 16: the first 10,000, a loop", "loop_first", "{:.2f}", 0.0),
    Row("the first 10,000, a list", "list_first", "{:.2f}", 0.0),
    Row("the best of 10,000 again and again, a loop", "loop_again", "{:.2f}", 0.0),
    Row("the best of 10,000 again and again, a list", "list_again", "{:.2f}", 0.0),
]


class Runner(NamedTuple):
    """A Python that has the library."""

    name: str
    interpreter: Path
    path: str

    def measure(self, module: str, *arguments: str, fast_paths: bool = True) -> dict[str, float]:
        """Run a module of this package in a new process; return what it printed."""
        environment = {**os.environ, "PYTHONPATH": self.path, "WEBSTREAMS_FAST_PATHS": "1" if fast_paths else "0"}
        if fast_paths:
            del environment["WEBSTREAMS_FAST_PATHS"]
        command = [str(self.interpreter), "-P", "-c", START, str(ROOT), module, *arguments]
        done = subprocess.run(command, cwd=JAVASCRIPT, env=environment, check=True, stdout=subprocess.PIPE)
        return {key: float(value) for key, value in json.loads(done.stdout).items()}


def make_runner(engine: str, python: Path) -> Runner:
    """Install an engine for a Python, unless it is the checkout, or what the Python has installed itself."""
    version = run([python, "-c", "import platform; print(platform.python_version())"]).strip()
    short, path = version.rpartition(".")[0], str(ROOT) if engine == "checkout" else ""
    if engine in {"pure", "compiled"}:
        python = install_library(python, short, engine == "compiled")
    kind = run([python, "-P", "-c", "import webstreams; print(webstreams.compiled)"], {"PYTHONPATH": path}, JAVASCRIPT)
    return Runner(f"{'compiled' if kind.strip() == 'True' else 'pure'} {version}", python, path)


def install_p_map() -> list[str]:
    """Install Node and p-map; return the command that goes through the situations."""
    npm = shutil.which("npm")
    if npm is None:
        raise InstallationError("there is no npm")
    place = JAVASCRIPT / "bounded"
    folder = Folder("bounded", [place / "package.json", place / "bounded.mjs"])
    if not folder.is_right():
        say("installing Node and p-map")
        folder.clear()
        for name in ("package.json", "bounded.mjs"):
            shutil.copy(place / name, folder.path)
        run([npm, "install", "--no-fund", "--no-audit"], None, folder.path)
        folder.finish()
    return [str(folder.path / "node_modules" / ".bin" / "node"), str(CACHE / "bounded" / "bounded.mjs")]


def measure_p_map(command: list[str], what: str) -> dict[str, float]:
    """Go through the situations in a new process, or only measure the first calls."""
    settings = {
        "chunks": bounded.CHUNKS, "slow_chunks": bounded.SLOW_CHUNKS, "limit": bounded.LIMIT, "window": bounded.WINDOW,
        "trivial": bounded.TRIVIAL, "trivial_limit": bounded.TRIVIAL_LIMIT, "leaves_at": bounded.LEAVES_AT,
        "long": bounded.LONG, "short": bounded.SHORT, "pause": bounded.PAUSE, "patience": bounded.PATIENCE,
        "what": what,
    }  # fmt: skip
    found: dict[str, float] = json.loads(run([*command, json.dumps(settings)]))
    return found


def measure_subject(subject: Any) -> dict[str, float]:
    """Go through the situations once; what the first calls of a process cost is the best of some processes."""
    found: dict[str, float] = {}
    for what in ("2", *bounded.FIRST * PROCESSES):
        if isinstance(subject, list):
            result = measure_p_map(subject, what)
        else:
            result = subject[0].measure("bounded", subject[1], what)
        found.update({key: min(value, found.get(key, value)) for key, value in result.items()})
    return found


def measure_bounded(runners: list[Runner], rounds: int) -> dict[str, dict[str, float]]:
    """Return what was found, by column: each engine, and what stands beside it."""
    subjects: list[tuple[str, Any]] = [(runner.name, (runner, "webstreams")) for runner in runners]
    subjects += [(name, (runners[0], name)) for name in bounded.WAYS if name != "webstreams"]
    try:
        subjects.append(("p-map (Node)", install_p_map()))
    except InstallationError as error:
        say(f"p-map is LEFT OUT: {error}")
    found: dict[str, dict[str, float]] = {}
    for number in range(rounds):
        for name, subject in subjects:
            say(f"round {number + 1}: {name}")
            result = measure_subject(subject)
            best = found.setdefault(name, result)
            found[name] = {key: min(value, best[key]) for key, value in result.items() if key in best}
    return found


def measure_chains(runners: list[Runner], items: int, rounds: int) -> dict[str, dict[str, float]]:
    """Return the microseconds for an item of each way, by engine."""
    found: dict[str, dict[str, float]] = {}
    for _ in range(rounds):
        for runner in runners:
            best = found.setdefault(runner.name, {})
            for way in chains.WAYS:
                say(f"{runner.name}: a chain of {way}")
                count = items if way != "transforms" else items // 5
                cost = runner.measure("chains", way, str(count), fast_paths=way != "transforms")["microseconds"]
                best[way] = min(cost, best.get(way, cost))
    return found


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Write a table of Markdown."""
    heads = list(heads)
    yield f"| {' | '.join(heads)} |"
    yield f"| --- |{' ---: |' * (len(heads) - 1)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def bounded_table(found: dict[str, dict[str, float]]) -> Iterator[str]:
    """Write what was found about calls."""
    rows = [[row.name, *(_shown(row, result) for result in found.values())] for row in ROWS]
    return table(["", *found], rows)


def _shown(row: Row, result: dict[str, float]) -> str:
    return row.form.format(result[row.key]) if row.key in result else ""


def chains_table(found: dict[str, dict[str, float]]) -> Iterator[str]:
    """Write what was found about chains."""
    heads = ["µs for an item", *chains.WAYS, "of generators", "of transforms"]
    rows = [
        [name, *(f"{cost[way]:.2f}" for way in chains.WAYS), *(f"{ratio:.2f}" for ratio in ratios(cost))]
        for name, cost in found.items()
    ]
    return table(heads, rows)


def ratios(cost: dict[str, float]) -> tuple[float, float]:
    """Return how many times a chain of generators, and one of transform streams, a chain of operators costs."""
    return cost["operators"] / cost["generators"], cost["operators"] / cost["transforms"]


def shortcomings(found: dict[str, dict[str, float]], costs: dict[str, dict[str, float]]) -> Iterator[str]:
    """Tell where the library is not what it should be."""
    ours = [name for name in found if name.partition(" ")[0] in {"pure", "compiled"}]
    for row in ROWS:
        others = [result[row.key] for name, result in found.items() if name in {"aiostream", "streamable"}]
        for name in ours:
            if found[name][row.key] > min(others) * (1 + TOLERANCE) + row.slack:
                yield f"{name} is not the best in: {row.name}"
    for name, cost in costs.items():
        of_generators, of_transforms = ratios(cost)
        if of_generators > MOST_OF_GENERATORS or of_transforms > MOST_OF_TRANSFORMS:
            yield f"{name}: a chain of operators costs too much"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--engines", default="checkout", help="checkout, installed, pure, compiled")
    parser.add_argument("--python", type=Path, action="append", help="more than one is possible")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--items", type=int, default=1_000_000, help="items of a chain")
    options = parser.parse_args()
    pythons = options.python or [Path(sys.executable)]
    runners = [make_runner(engine, python) for python in pythons for engine in options.engines.split(",")]
    found = measure_bounded(runners, options.rounds)
    costs = measure_chains(runners, options.items, options.rounds)
    print(f"{platform.machine()}, {os.cpu_count()} processors\n")
    print("\n".join([*bounded_table(found), "", *chains_table(costs)]))
    failures = list(shortcomings(found, costs))
    print("".join(f"\n{failure}" for failure in failures), end="")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
