"""``python -m benchmarks.lines``: what lines() costs for a line, beside cutting by hand, in processor time.

The same text goes through each way in turns; the best of some rounds counts. All of it is in memory, in chunks.
"""

from __future__ import annotations

import asyncio
import io
import re
import sys
from collections.abc import Awaitable, Callable, Iterator
from time import process_time

from webstreams import ReadableStream, TransformStream, TransformStreamDefaultController, WritableStream, lines
from webstreams._cutting.lines import LineCutter

CHUNK = 64 * 1024
CHUNKS = 4
ROUNDS = 3
LINES = {"line feeds": "\n", "20 characters": "x" * 19 + "\n", "100 characters": "x" * 99 + "\n"}

_END = re.compile(r"\r\n?|\n")


class LineByLine:
    """A transformer as one writes it first: a match of an expression for each line, all lines of a chunk at once."""

    def __init__(self) -> None:
        self._rest = ""

    def transform(self, chunk: str, controller: TransformStreamDefaultController[str]) -> None:
        """Enqueue the lines that end in a chunk."""
        start = 0
        text = self._rest + chunk
        for match in _END.finditer(text):
            controller.enqueue(text[start : match.start()])
            start = match.end()
        self._rest = text[start:]


def ignore(chunk: object, controller: object) -> None:
    """Write nothing."""


async def by_hand(chunks: list[str]) -> None:
    """Read as a text file is read."""
    for _ in io.StringIO("".join(chunks)):
        pass


async def cutter_alone(chunks: list[str]) -> None:
    """Cut without streams."""
    cutter = LineCutter(False, None, None)
    for chunk in chunks:
        cutter.take(chunk)
        while not cutter.used_up:
            cutter.step()


async def lines_to_a_sink(chunks: list[str]) -> None:
    """Pipe lines() into a sink."""
    await ReadableStream.from_(chunks).pipe_through(lines()).pipe_to(WritableStream({"write": ignore}))


async def lines_in_a_loop(chunks: list[str]) -> None:
    """Iterate over lines()."""
    async for _ in ReadableStream.from_(chunks).pipe_through(lines()):
        pass


async def line_by_line_to_a_sink(chunks: list[str]) -> None:
    """Pipe a transformer of one's own into a sink."""
    stream = ReadableStream.from_(chunks).pipe_through(TransformStream(LineByLine()))
    await stream.pipe_to(WritableStream({"write": ignore}))


async def line_by_line_in_a_loop(chunks: list[str]) -> None:
    """Iterate over a transformer of one's own."""
    async for _ in ReadableStream.from_(chunks).pipe_through(TransformStream(LineByLine())):
        pass


Way = Callable[[list[str]], Awaitable[None]]
WAYS: dict[str, Way] = {
    "by hand": by_hand,
    "the cutter of lines()": cutter_alone,
    "lines() to a sink": lines_to_a_sink,
    "lines() in a loop": lines_in_a_loop,
    "line by line to a sink": line_by_line_to_a_sink,
    "line by line in a loop": line_by_line_in_a_loop,
}


async def microseconds_per_line(way: Way, chunks: list[str], count: int) -> float:
    """Return the processor time that one round takes for a line."""
    start = process_time()
    await way(chunks)
    return (process_time() - start) * 1e6 / count


async def rows(rounds: int, number_of_chunks: int) -> Iterator[str]:
    """Measure all ways in turns; return the rows of a table."""
    table = [f"| {'microseconds for a line':28} | " + " | ".join(LINES) + " |", "|---|" + "---:|" * len(LINES)]
    best: dict[tuple[str, str], float] = {}
    for _ in range(rounds):
        for name, line in LINES.items():
            chunks = [line * (CHUNK // len(line))] * number_of_chunks
            count = len(chunks) * (CHUNK // len(line))
            for label, way in WAYS.items():
                cost = await microseconds_per_line(way, chunks, count)
                best[label, name] = min(cost, best.get((label, name), cost))
    for label in WAYS:
        table.append(f"| {label:28} | " + " | ".join(f"{best[label, name]:.3f}" for name in LINES) + " |")
    return iter(table)


async def main() -> None:
    """Print the table."""
    for row in await rows(ROUNDS, CHUNKS):
        print(row)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
