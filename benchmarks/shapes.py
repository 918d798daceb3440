"""``python -m benchmarks.shapes [--node NODE] [--python PATH ...]``: what a chunk costs in each shape of a pipeline.

Rows are ends (a pipe, ``async for``, a reader, ``list()``) behind sources and stages (maps, a filter, a flattener, a
full queue). With `--node`, Node runs the same shapes (``javascript/shapes.mjs``) in the same run, in turns; with
`--python` interpreters that have the library installed do, instead of this one. The best of some rounds is the time of
a turn, and the median of the turns counts: microseconds of processor time for each chunk that the source gives, or that
the flattener makes.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import sys
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path
from statistics import geometric_mean
from time import process_time
from typing import Any

from webstreams import ReadableStream, TransformStream, WritableStream, compiled

from .installing import ROOT, run
from .subjects import START
from .tables import markdown
from .turns import Turns

CHUNKS = 50_000
COPIES = 500
ROUNDS = 3
TURNS = 5
NODE = "Node"
SCRIPT = Path(__file__).parent / "javascript" / "shapes.mjs"

Stream = ReadableStream[Any]
Turn = dict[str, float]


def add_one(chunk: int, controller: Any) -> None:
    """Map."""
    controller.enqueue(chunk + 1)


def keep_odd(chunk: int, controller: Any) -> None:
    """Filter one of two."""
    if chunk % 2:
        controller.enqueue(chunk)


def copy(chunk: int, controller: Any) -> None:
    """Flatten."""
    for _ in range(COPIES):
        controller.enqueue(chunk)


def ignore(chunk: object, controller: object) -> None:
    """Write nothing."""


def mapped(count: int, stages: int) -> Stream:
    """Return numbers behind so many maps."""
    stream: Stream = ReadableStream.from_(range(count))
    for _ in range(stages):
        stream = stream.pipe_through(TransformStream({"transform": add_one}))
    return stream


def full(count: int) -> Stream:
    """Return a stream whose chunks are in its queue already."""

    def start(controller: Any) -> None:
        for number in range(count):
            controller.enqueue(number)
        controller.close()

    return ReadableStream({"start": start})


def through(count: int, transform: Callable[[int, Any], None]) -> Stream:
    """Return numbers behind one transformer."""
    return ReadableStream.from_(range(count)).pipe_through(TransformStream({"transform": transform}))


SOURCES: dict[str, Callable[[int], Stream]] = {
    "no stage": lambda count: mapped(count, 0),
    "1 map": lambda count: mapped(count, 1),
    "3 maps": lambda count: mapped(count, 3),
    "filter": lambda count: through(count, keep_odd),
    "flatten": lambda count: through(max(1, count // COPIES), copy),
    "full queue": full,
}


async def pipe(stream: Stream) -> None:
    """End in a pipe."""
    await stream.pipe_to(WritableStream({"write": ignore}))


async def loop(stream: Stream) -> None:
    """End in a loop."""
    async for _ in stream:
        pass


async def read(stream: Stream) -> None:
    """End in a reader."""
    with stream.get_reader() as reader:
        while not (await reader.read()).done:
            pass


async def collect(stream: Stream) -> None:
    """End in a list."""
    await stream.list()


ENDS: dict[str, Callable[[Stream], Awaitable[None]]] = {
    "pipe_to": pipe,
    "async for": loop,
    "read()": read,
    "list()": collect,
}


async def measure_shapes(count: int, rounds: int) -> Turn:
    """Return the microseconds for a chunk in each shape."""
    found: Turn = {}
    for source_name, source in SOURCES.items():
        for end_name, end in ENDS.items():
            best = float("inf")
            for _ in range(rounds):
                began = process_time()
                await end(source(count))
                best = min(best, process_time() - began)
            found[f"{source_name}, {end_name}"] = best / count * 1e6
    return found


def measure_here(count: int, rounds: int) -> tuple[str, Turn]:
    """Return the name of the build that runs this, and a turn of it."""
    build = "compiled" if compiled else "pure"
    return f"{build} {platform.python_version()}", asyncio.run(measure_shapes(count, rounds))


def measure_python(python: str, count: int, rounds: int) -> tuple[str, Turn]:
    """Return the same of another interpreter."""
    amounts = ["--lines", f"--chunks={count}", f"--rounds={rounds}"]
    build, *lines = run([python, "-P", "-c", START, ROOT, "shapes", *amounts]).splitlines()
    return build, read_lines(lines)


def measure_node(node: str, count: int, rounds: int) -> tuple[str, Turn]:
    """Return the same of Node."""
    return NODE, read_lines(run([node, SCRIPT, str(count), str(rounds)]).splitlines())


def read_lines(lines: Iterable[str]) -> Turn:
    """Return a turn that was printed, a line for each shape."""
    rows = (line.rsplit(" ", 1) for line in lines)
    return {name: float(value) for name, value in rows}


def print_lines(build: str, turn: Turn) -> None:
    """Print what `measure_python` reads."""
    print(build, *(f"{name} {value}" for name, value in turn.items()), sep="\n")


def table(turns: Turns) -> str:
    """Lay out the microseconds for a chunk in each shape, and how many times as fast as Node each build is."""
    builds = [column for column in turns.columns if column != NODE]
    lines = []
    for shape in turns.rows:
        rates = {column: turns.value(column, shape) for column in turns.columns}
        line = [shape, *(f"{1e6 / rate:.2f}" for rate in rates.values() if rate)]
        lines.append(line)
        if (node := rates.get(NODE)) is not None:
            line += [f"{rate / node:.2f}" for build in builds if (rate := rates[build])]
    ratios = [f"Node / {build}" for build in builds] if NODE in turns.columns else []
    if ratios:
        means = [f"{geometric_mean(turns.ratios(build, NODE)):.2f}" for build in builds]
        lines.append(["geometric mean", *("" for _ in turns.columns), *means])
    return markdown(["microseconds a chunk", *turns.columns, *ratios], lines)


def main(arguments: list[str]) -> None:
    """Print a table, or the lines of one turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--node", help="the program of Node, to run the same shapes")
    parser.add_argument("--python", action="append", default=[], help="an interpreter that has the library installed")
    parser.add_argument("--chunks", type=int, default=CHUNKS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--turns", type=int, default=TURNS, help="how often all begin anew, one after the other")
    parser.add_argument(
        "--lines", action="store_true", help="print one turn of this interpreter, a line for each shape"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured to this file")
    options = parser.parse_args(arguments)
    amounts = options.chunks, options.rounds
    if options.lines:
        print_lines(*measure_here(*amounts))
        return
    subjects: list[Callable[[int, int], tuple[str, Turn]]] = [measure_here]
    if options.python:
        subjects = [partial(measure_python, python) for python in options.python]
    if options.node:
        subjects.append(partial(measure_node, options.node))
    turns = Turns("chunks for a second of processor time")
    for _ in range(options.turns):
        for subject in subjects:
            build, turn = subject(*amounts)
            for shape, microseconds in turn.items():
                turns.add(build, shape, 1e6 / microseconds)
    print(table(turns))
    if options.json:
        turns.save(options.json)


if __name__ == "__main__":
    main(sys.argv[1:])
