"""``python -m benchmarks.shapes [--node NODE]``: what a chunk costs in each shape of a pipeline, in processor time.

Rows are ends (a pipe, ``async for``, a reader, ``list()``) behind sources and stages (maps, a filter, a flattener, a
full queue). With `--node`, Node runs the same shapes (``javascript/shapes.mjs``) in the same run, in turns. The best
of some rounds counts; microseconds for each chunk that the source gives, or that the flattener makes.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import process_time
from typing import Any

import webstreams
from webstreams import ReadableStream, TransformStream, WritableStream

CHUNKS = 20_000
COPIES = 500
ROUNDS = 5
TURNS = 4
SCRIPT = Path(__file__).parent / "javascript" / "shapes.mjs"

Stream = ReadableStream[Any]


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


async def measure(count: int, rounds: int) -> dict[str, float]:
    """Return the microseconds for a chunk in each shape."""
    found: dict[str, float] = {}
    for source_name, source in SOURCES.items():
        for end_name, end in ENDS.items():
            best = float("inf")
            for _ in range(rounds):
                began = process_time()
                await end(source(count))
                best = min(best, process_time() - began)
            found[f"{source_name}, {end_name}"] = best / count * 1e6
    return found


def measure_node(node: str, count: int, rounds: int) -> dict[str, float]:
    """Return the same of Node."""
    command = [node, str(SCRIPT), str(count), str(rounds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    rows = (line.rsplit(" ", 1) for line in done.stdout.splitlines())
    return {name: float(value) for name, value in rows}


def keep_best(best: dict[str, float], found: dict[str, float]) -> None:
    """Take over what is better than what was found before."""
    for name, value in found.items():
        best[name] = min(value, best.get(name, value))


def main(arguments: list[str]) -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--node", help="the program of Node, to run the same shapes")
    parser.add_argument("--chunks", type=int, default=CHUNKS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--turns", type=int, default=TURNS, help="how often both begin anew, one after the other")
    options = parser.parse_args(arguments)
    ours: dict[str, float] = {}
    node: dict[str, float] = {}
    for _ in range(options.turns):
        keep_best(ours, asyncio.run(measure(options.chunks, options.rounds)))
        if options.node:
            keep_best(node, measure_node(options.node, options.chunks, options.rounds))
    build = "compiled" if webstreams.compiled else "pure"
    print(f"| microseconds a chunk | {build} {sys.version.split()[0]} | Node | Node / {build} |\n|---|---|---|---|")
    for name, value in ours.items():
        other = node.get(name)
        print(f"| {name} | {value:.2f} | " + (" | |" if other is None else f"{other:.2f} | {other / value:.2f} |"))


if __name__ == "__main__":
    main(sys.argv[1:])
