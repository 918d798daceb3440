"""Filters a large compressed log, from a file and over HTTP, and shows how the slowest stage sets the pace of all.

    python -m examples.main_job [PATH] [-o FILE] [--megabytes N] [--web]

PATH is a text file, compressed with gzip (in one part or more) or not, and FILE is where its result is kept; without
PATH, a log of 100 MB is made. The stages: read the file, decompress, decode, cut into lines, filter, encode, compress,
write a file. Then once more with the same file, which this time a client receives from a server. No stage is told how
fast the others are: each stops when the queue behind it is full. So the memory that the process needs does not depend
on how much goes through.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import hashlib
import math
import os
import shutil
import sys
import tempfile
import webbrowser
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from webstreams.ends.files import read_file
from webstreams.observe.terminal import show
from webstreams.observe.web import app

from .amounts import MEGABYTE, amount, peak_memory
from .http_exchange import download, serve, serve_application
from .sample import write_sample
from .stages import GZIP_MAGIC, Filtering

DEFAULT_MEGABYTES = 100.0
# What a shell reports for a program that Ctrl-C ended.
INTERRUPTED = 130


@dataclass(frozen=True)
class Result:
    """What came of one pass: sizes in bytes and characters, and lines."""

    read: int
    text: int
    lines: int
    kept: int


class Page:
    """The page of the pass under way."""

    def __init__(self) -> None:
        self.current: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        await self.current(scope, receive, send)


async def filter_file(filtering: Filtering, total: int, page: Page) -> Result:
    """Let a file through the pipeline, and show where it is meanwhile."""
    page.current = app(filtering.observed, total=total)
    showing = show(filtering.observed, file=sys.stdout, total=total)
    try:
        await filtering.done
    finally:
        await showing  # which ends with the pipeline
    print(filtering.observed.tree(), flush=True)
    first, decode = filtering.observed.stages[0], filtering.stage("decode")
    return Result(
        first.size_out, decode.size_out, filtering.stage("lines").chunks_out, filtering.stage("filter").chunks_out
    )


async def filter_both_ways(path: Path, folder: Path, is_shown_on_page: bool) -> tuple[Result, Result]:
    """Filter a file, then the same file from a server."""
    page, total = Page(), path.stat().st_size
    with path.open("rb") as file:
        is_compressed = file.read(2) == GZIP_MAGIC
    print(f"\nfrom the file {path}", flush=True)
    first_pass = Filtering("read file", read_file(path), is_compressed, folder / "from_file.gz")
    page.current = app(first_pass.observed, total=total)
    async with AsyncExitStack() as block:
        if is_shown_on_page:
            url = await block.enter_async_context(serve_application(page))
            print(f"the page of the pipeline: {url}", flush=True)
            await asyncio.to_thread(webbrowser.open, url)
        first = await filter_file(first_pass, total, page)
        async with serve(path) as url, download(url) as body:
            print(f"from the server {url}", flush=True)
            second_pass = Filtering("receive", body, is_compressed, folder / "from_server.gz")
            second = await filter_file(second_pass, total, page)
    return first, second


def digest_of(path: Path) -> str:
    """Return the SHA-256 of what a gzip file holds, read with Python's own means."""
    with gzip.open(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type, unused-ignore]


def run(path: Path | None, size: int, output: Path | None, is_shown_on_page: bool) -> int:
    """Run the job; give the exit status."""
    with tempfile.TemporaryDirectory(prefix="webstreams-") as name:
        folder = Path(name)
        if path is None:
            print(f"making a log of {amount(size)}", flush=True)
            path = folder / "log.gz"
            write_sample(path, size)
        start = peak_memory()
        passes = asyncio.run(filter_both_ways(path, folder, is_shown_on_page))
        peak = peak_memory()
        digests = [digest_of(folder / result) for result in ("from_file.gz", "from_server.gz")]
        if output is not None:
            shutil.move(folder / "from_file.gz", output)
    print(f"{passes[0].lines:,} lines read, {passes[0].kept:,} lines kept, both times")
    print(f"sha256 from the file    {digests[0]}\nsha256 from the server  {digests[1]}")
    print(
        f"peak memory {amount(peak)}, at the start {amount(start)}: {amount(peak - start)} more, "
        f"for {amount(sum(each.text for each in passes))} of text "
        f"({amount(sum(each.read for each in passes))} as read) that went through"
    )
    if output is not None:
        print(f"the result is in {output}")
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
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="where the result is kept, compressed; else it is thrown away"
    )
    parser.add_argument("--web", action="store_true", help="show the pipeline on a page, too, and open a browser")
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
        return run(options.path, int(options.megabytes * MEGABYTE), options.output, options.web)
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
