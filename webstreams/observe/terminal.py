"""A table of an observed pipeline on a terminal, which rewrites itself: ``pip install "webstreams[view]"``."""

from __future__ import annotations

import os
import sys
from typing import Any, Final, TextIO

from .._engine.promise import Promise
from .._streams.readable.operators.checks import checked_positive_seconds
from ._pipeline import Pipeline, checked_pipeline, promise_of
from ._progress import Frame, Progress, checked_total
from ._table import lines_of
from ._text import frame_line

try:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text
except ImportError:  # plain lines then
    Live = None  # type: ignore[assignment, misc]

__all__ = ["show"]

# How often something is shown: a table that rewrites itself, and lines (seconds).
LIVE_INTERVAL: Final = 0.5
LINE_INTERVAL: Final = 5.0


def show(
    pipeline: Pipeline, *, file: TextIO | None = None, interval: float | None = None, total: float | None = None
) -> Promise[None]:
    """Show a pipeline until it has ended: how fast its stages are, what they do with their time, and the bottleneck.

    On a terminal it is a table that rewrites itself, if the package rich is there; it takes any width and height, and
    leaves out what there is no room for. Anywhere else it is a line now and then. `file` is where it goes, by default
    ``sys.stderr``; `interval` the seconds between two looks, by default 0.5 for the table and 5 for lines. With
    `total`, the size of what the first stage will give (bytes, characters of `str`, or chunks if these have no size),
    the share that is done and the time to go are shown, too.

    The promise is settled when the pipeline has ended, and the last table stays. Cancelling the task that awaits it
    ends the view alone. Not in the Standard.

    >>> import asyncio, sys
    >>> from webstreams import ReadableStream, to_callable
    >>> from webstreams.observe import observe
    >>> from webstreams.observe.terminal import show
    >>> async def main() -> None:
    ...     piping = ReadableStream.from_(range(5)).pipe_to(to_callable(lambda number: asyncio.sleep(0.01)))
    ...     showing = show(observe(piping, name="numbers"), file=sys.stdout)
    ...     await piping
    ...     await showing
    >>> asyncio.run(main())  # doctest: +ELLIPSIS
    numbers: ... 5 chunks, held up by ...
    """
    checked_pipeline(pipeline, "show()")
    checked_total(total)
    out = sys.stderr if file is None else file
    if not hasattr(out, "write"):
        raise TypeError(f"show(): file must be a text file, open for writing, not {type(out).__name__}")
    if interval is not None:
        checked_positive_seconds(interval, "interval")
    if _is_terminal(out):
        working = _rewrite(pipeline, out, LIVE_INTERVAL if interval is None else interval, total)
    else:
        working = _write_lines(pipeline, out, LINE_INTERVAL if interval is None else interval, total)
    return promise_of(pipeline, working, "show()")


def _is_terminal(out: TextIO) -> bool:
    if Live is None or not hasattr(out, "isatty"):
        return False
    return out.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


async def _write_lines(pipeline: Pipeline, out: TextIO, interval: float, total: float | None) -> None:
    progress = Progress(total)
    async for snapshot in pipeline.watch(interval):
        print(frame_line(progress.frame(snapshot, pipeline.is_over)), file=out, flush=True)


async def _rewrite(pipeline: Pipeline, out: TextIO, interval: float, total: float | None) -> None:
    progress = Progress(total)
    console = Console(file=out, force_terminal=True)
    with Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as live:
        async for snapshot in pipeline.watch(interval):
            width, height = _size_of(out)
            console.width, console.height = width, height
            live.update(_text(progress.frame(snapshot, pipeline.is_over), width, height - 1), refresh=True)


def _size_of(out: TextIO) -> tuple[int, int]:
    try:
        size = os.get_terminal_size(out.fileno())
    except (OSError, ValueError):
        return 80, 24
    return size.columns or 80, size.lines or 24


def _text(frame: Frame, width: int, height: int) -> Any:
    text = Text(no_wrap=True, overflow="crop", end="")
    for number, line in enumerate(lines_of(frame, width, max(height, 1))):
        if number:
            text.append("\n")
        for piece, style in line:
            text.append(piece, style)
    return text
