"""Which words a large text has most: decoded and counted in two processes, with the view of what each stage does.

    python -m examples.words FILE [--processes 2] [--most 20]

The file is read, cut at the ends of lines into blocks of 1 MiB, and given to processes that decode it and find its
words: that takes a hundred times longer than to read it, and one interpreter uses one processor. Each process keeps
its counts, and gives them when its blocks have ended: what goes between the processes is bytes one way, and one
dictionary the other way. On a terminal it is shown meanwhile how far it is, and which stage is busy.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from webstreams import ReadableStream, TransformStream, TransformStreamDefaultController, read_file
from webstreams.observe import observe
from webstreams.observe.terminal import show
from webstreams.workers import workers

BLOCK = 1 << 20
WORD = re.compile(r"\w+")


class Blocks:
    """A transformer that moves the ends of chunks to the ends of lines; the longest line has to fit into the memory."""

    def __init__(self) -> None:
        self._rest = b""

    def transform(self, chunk: bytes, controller: TransformStreamDefaultController[bytes]) -> None:
        """Give the whole lines; keep the rest for the next block."""
        whole, newline, self._rest = (self._rest + chunk).rpartition(b"\n")
        if newline:
            controller.enqueue(whole + newline)

    def flush(self, controller: TransformStreamDefaultController[bytes]) -> None:
        """Give a last line without an end."""
        if self._rest:
            controller.enqueue(self._rest)


def blocks(path: Path, size: int = BLOCK) -> ReadableStream[bytes]:
    """Read a file in blocks that end with a line."""
    return read_file(path).chunked(size).pipe_through(TransformStream[bytes, bytes](Blocks()))


def count_words(chunks: Iterable[bytes]) -> Iterator[Counter[str]]:
    """Count the words of all blocks, in a process; bytes that are not UTF-8 are replaced."""
    counts: Counter[str] = Counter()
    for block in chunks:
        counts.update(map(str.lower, WORD.findall(block.decode("utf-8", "replace"))))
    yield counts


async def count(path: Path, processes: int, view: TextIO | None = None) -> Counter[str]:
    """Count the words of a file; with `view`, show there how it gets on."""
    total: Counter[str] = Counter()
    async with workers(count_words, count=processes, ordered=False) as stage:
        counted = blocks(path).pipe_through(stage).for_each(total.update)
        if view is not None:
            await show(observe(stage.readable, name=path.name), file=view, total=path.stat().st_size)
        await counted
    return total


def main(arguments: list[str]) -> None:
    """Print the words that occur most."""
    parser = argparse.ArgumentParser(prog="python -m examples.words", description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--most", type=int, default=20)
    options = parser.parse_args(arguments)
    total = asyncio.run(count(options.file, options.processes, sys.stderr if sys.stderr.isatty() else None))
    for word, number in total.most_common(options.most):
        print(f"{number:10,} {word}")


if __name__ == "__main__":
    main(sys.argv[1:])
