"""Streams a large body of text through five stages, and shows how the slowest of them sets the pace of all.

    python -m examples.main_job [PATH] [--megabytes N] [--sink-speed MB_PER_SECOND]

PATH is a file, or a directory whose files are read one after another. Without it, the sources of the standard library
of this Python are read, again and again until it is 200 MB. The stages: a byte source, read with a BYOB reader; a UTF-8
decoder; a line splitter; a filter that drops blank lines and comments; and a sink that takes only so many bytes a
second. No stage is told how fast the others are: each stops when the queue behind it is full. So the memory that the
process needs does not depend on how much goes through.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .files import BadInputError, Input, walk_of
from .monitor import MEGABYTE, Monitor, amount, peak_memory
from .stages import Pipeline

DEFAULT_MEGABYTES = 200.0
DEFAULT_SINK_SPEED = 3.5
# What a shell reports for a program that Ctrl-C ended.
INTERRUPTED = 130


class Job:
    """One run."""

    def __init__(self, title: str, files: Input, sink_speed: float) -> None:
        self.title = title
        self.files = files
        self.pipeline = Pipeline(files, sink_speed * MEGABYTE)
        self.monitor = Monitor(self.pipeline.stages, sys.stdout)

    async def run(self) -> None:
        """Run the pipeline, and show where it is from time to time."""
        print(f"reading {self.title}", flush=True)
        pipeline = asyncio.create_task(self.pipeline.run())
        try:
            while not (await asyncio.wait([pipeline], timeout=self.monitor.interval))[0]:
                self.monitor.show()
            await pipeline
            self.monitor.show_all()
        finally:
            pipeline.cancel()
            await asyncio.wait([pipeline])

    def print_summary(self, end: str) -> None:
        """Print what went through, and what it needed."""
        passed = self.pipeline.read.bytes
        start, peak = self.monitor.start_memory, peak_memory()
        sink, written = self.pipeline.sink, amount(self.pipeline.write.bytes)
        files = f"{self.files.opened:,} file" + "s" * (self.files.opened != 1)
        print(f"{end} after {self.monitor.elapsed:.1f} s: {amount(passed)} read from {files},")
        print(f"{sink.lines:,} lines ({written}) written, sha256 {sink.digest.hexdigest()}")
        if self.files.skipped:
            print(f"{self.files.skipped:,} files could not be read and were left out")
        print(
            f"peak memory {amount(peak)}, at the start {amount(start)}: "
            f"{amount(peak - start)} more, for {amount(passed)} that went through"
        )


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; ends the program with status 2 when it makes no sense."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.main_job",
        description=(__doc__ or "").partition("\n")[0],
    )
    parser.add_argument(
        "path", nargs="?", type=Path, metavar="PATH", help="a file or a directory; by default the standard library"
    )
    parser.add_argument(
        "--megabytes",
        type=_positive,
        metavar="N",
        help="begin again after the last file until N MB are read; by default a PATH is read once, "
        f"and the standard library until {DEFAULT_MEGABYTES:.0f} MB are",
    )
    parser.add_argument(
        "--sink-speed",
        type=_positive,
        default=DEFAULT_SINK_SPEED,
        metavar="MB_PER_SECOND",
        help="how fast the sink is; by default %(default)s",
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


def run(options: argparse.Namespace) -> int:
    """Run the job; give the exit status."""
    try:
        walk = walk_of(options.path)
    except BadInputError as error:
        print(f"main_job: {error}", file=sys.stderr)
        return 2
    default = DEFAULT_MEGABYTES if options.path is None else 0.0
    title = repr(str(options.path)) if options.path else "the standard library"
    job = Job(title, Input(walk, int((options.megabytes or default) * MEGABYTE)), options.sink_speed)
    work = job.run()
    try:
        asyncio.run(work)
    except KeyboardInterrupt:
        job.print_summary("interrupted")
        return INTERRUPTED
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        print(f"main_job: cannot read on: {error}", file=sys.stderr)
        return 1
    finally:
        work.close()  # in case Ctrl-C came before the event loop ran
    job.print_summary("finished")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; give the exit status."""
    try:
        return run(parse_arguments(arguments))
    except BrokenPipeError:
        # Nobody reads the output any more; what is left in the buffer shall not complain about that once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
