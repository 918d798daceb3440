"""Filters a large compressed log, from a file and over HTTP, and shows how the slowest stage sets the pace of all.

    python -m examples.main_job [PATH] [--megabytes N]

PATH is a text file, compressed with gzip or not; without it, a log of 100 MB is made. The stages: read the file,
decompress, decode, cut into lines, filter, encode, compress, write a file. Then once more with the same file, which
this time a client receives from a server. No stage is told how fast the others are: each stops when the queue behind it
is full. So the memory that the process needs does not depend on how much goes through.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import hashlib
import math
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from webstreams import ReadableStream
from webstreams.ends.files import read_file

from .http_exchange import download, serve
from .monitor import MEGABYTE, Monitor, amount, peak_memory
from .sample import write_sample
from .stages import GZIP_MAGIC, Pipeline

DEFAULT_MEGABYTES = 100.0
# What a shell reports for a program that Ctrl-C ended.
INTERRUPTED = 130


async def filter_file(source: str, file: ReadableStream[bytes], is_compressed: bool, output: Path) -> Pipeline:
    """Let a file through the pipeline, and show where it is from time to time."""
    pipeline = Pipeline(source, is_compressed)
    monitor = Monitor(pipeline.stages, sys.stdout)
    watch = asyncio.create_task(monitor.watch())
    try:
        await pipeline.run(file, output)
    finally:
        watch.cancel()
        await asyncio.wait([watch])
    monitor.show_all()
    return pipeline


async def filter_both_ways(path: Path, folder: Path) -> tuple[Pipeline, Pipeline]:
    """Filter a file, then the same file from a server."""
    with path.open("rb") as file:
        is_compressed = file.read(2) == GZIP_MAGIC
    print(f"\nfrom the file {path}", flush=True)
    first = await filter_file("read file", read_file(path), is_compressed, folder / "from_file.gz")
    async with serve(path) as url, download(url) as body:
        print(f"from the server {url}", flush=True)
        second = await filter_file("receive", body, is_compressed, folder / "from_server.gz")
    return first, second


def digest_of(path: Path) -> str:
    """Return the SHA-256 of what a gzip file holds, read with Python's own means."""
    with gzip.open(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type, unused-ignore]


def run(path: Path | None, size: int) -> int:
    """Run the job; give the exit status."""
    with tempfile.TemporaryDirectory(prefix="webstreams-") as name:
        folder = Path(name)
        if path is None:
            print(f"making a log of {amount(size)}", flush=True)
            path = folder / "log.gz"
            write_sample(path, size)
        start = peak_memory()
        passes = asyncio.run(filter_both_ways(path, folder))
        peak = peak_memory()
        digests = [digest_of(folder / output) for output in ("from_file.gz", "from_server.gz")]
    moved = sum(each.source.size for each in passes)
    text = sum(each.decode.size for each in passes)
    kept = sum(each.filter.chunks for each in passes)
    print(f"{sum(each.lines.chunks for each in passes):,} lines read, {kept:,} lines kept")
    print(f"sha256 from the file    {digests[0]}\nsha256 from the server  {digests[1]}")
    print(
        f"peak memory {amount(peak)}, at the start {amount(start)}: {amount(peak - start)} more, "
        f"for {amount(text)} of text ({amount(moved)} as read) that went through"
    )
    if digests[0] != digests[1]:
        print("main_job: the outputs differ", file=sys.stderr)
        return 1
    return 0


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; ends the program with status 2 when it makes no sense."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.main_job",
        description=(__doc__ or "").partition("\n")[0],
    )
    parser.add_argument("path", nargs="?", type=Path, metavar="PATH", help="a text file, or one compressed with gzip")
    parser.add_argument(
        "--megabytes",
        type=_positive,
        default=DEFAULT_MEGABYTES,
        metavar="N",
        help="how large the log is that is made without a PATH; by default %(default)s",
    )
    return parser.parse_args(arguments)


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text!r}")
    return number


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; give the exit status."""
    try:
        options = parse_arguments(arguments)
        return run(options.path, int(options.megabytes * MEGABYTE))
    except BrokenPipeError:
        # Nobody reads the output any more; what is left in the buffer shall not complain about that once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, TypeError) as error:
        # TypeError is what the Standard demands for data that is not what its format says.
        print(f"main_job: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
