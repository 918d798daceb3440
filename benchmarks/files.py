"""From file to file in chunks of 64 KiB, beside `shutil.copyfile`, which has the system do all of it.

The runner starts `main` in an interpreter that has the library installed. Both copy the same file, which the system
has in memory, in turns; each time is the best of several runs.
"""

from __future__ import annotations

import asyncio
import filecmp
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter

from webstreams.ends.files import read_file, write_file

from .measuring import library

CHUNK = 64 * 1024
RUNS = 5


def copy_with_shutil(source: Path, target: Path) -> None:
    """Copy as the standard library does."""
    shutil.copyfile(source, target)


def copy_with_loop(source: Path, target: Path) -> None:
    """Copy with a plain loop that reads and writes: what Python has to do at least."""
    with source.open("rb", buffering=0) as reading, target.open("wb", buffering=0) as writing:
        while chunk := reading.read(CHUNK):
            writing.write(chunk)


async def pipe_files(source: Path, target: Path) -> None:
    """Pipe from file to file."""
    await read_file(source, chunk_size=CHUNK).pipe_to(write_file(target))


def copy_with_pipe(source: Path, target: Path) -> None:
    """Pipe from file to file, in an event loop of its own."""
    asyncio.run(pipe_files(source, target))


WAYS: dict[str, Callable[[Path, Path], None]] = {
    "shutil.copyfile": copy_with_shutil,
    "read, write": copy_with_loop,
    "pipe_to": copy_with_pipe,
}


def time(copy: Callable[[Path, Path], None], source: Path, target: Path) -> float:
    """Copy once; give the seconds."""
    target.unlink(missing_ok=True)
    start = perf_counter()
    copy(source, target)
    seconds = perf_counter() - start
    if not filecmp.cmp(source, target, shallow=False):
        raise RuntimeError("the copy is not what was copied")
    return seconds


def measure(size: int) -> dict[str, float]:
    """Return the bytes per second of each way."""
    best: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as directory:
        source, target = Path(directory, "source"), Path(directory, "target")
        source.write_bytes(os.urandom(CHUNK) * (size // CHUNK))
        for _ in range(RUNS):
            for name, copy in WAYS.items():
                best[name] = max(best.get(name, 0.0), source.stat().st_size / time(copy, source, target))
    return best


def main(arguments: Sequence[str]) -> None:
    """Copy as many bytes as the runner asks for."""
    (size,) = arguments
    print(json.dumps({"result": measure(int(size)), **library()}))
