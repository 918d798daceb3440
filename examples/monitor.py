"""What the stages of the main job count, and how it is shown while they run."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol, TextIO

MEGABYTE = 1_000_000


class HasDesiredSize(Protocol):
    """What a queue is watched through: the controller of a readable side, or the writer of a writable stream."""

    @property
    def desired_size(self) -> float | None:
        """How much more the queue wants; not above 0 when it is full, None when the stream is errored."""


class Stage:
    """Counts what a stage gives out, and shows the queue of what the next stage has not taken yet.

    Text is counted in characters, all else in bytes. A last stage has no queue; it is done with what was taken out of
    the queue of the stage `after` which it comes. `waits` is for a stage whose chunks come from outside of the event
    loop: from a thread, or from the network.
    """

    def __init__(
        self, name: str, high_water_mark: int = 64 * 1024, after: Stage | None = None, waits: bool = False
    ) -> None:
        self.name = name
        self.waits = waits
        self.high_water_mark = high_water_mark
        self.after = after
        self.queue: HasDesiredSize | None = None
        self._chunks = 0
        self._size = 0
        # Nothing more will be put into the queue.
        self.ended = False
        # Called for every chunk.
        self.on_chunk: Callable[[], object] = bool

    def count(self, size: int) -> None:
        """Count a chunk."""
        self.on_chunk()
        self._chunks += 1
        self._size += size

    @property
    def chunks(self) -> int:
        """How many chunks went through."""
        return self._chunks if self.after is None else self.after.chunks

    @property
    def size(self) -> int:
        """How much went through."""
        return self._size if self.after is None else self.after.size - self.after.queued

    @property
    def queued(self) -> int:
        """How much is in the queue: the high-water mark, less what the queue still wants."""
        desired = None if self.queue is None else self.queue.desired_size
        # Of a stream that is closed desired_size is 0, as of one whose queue is just full.
        if desired is None or (self.ended and desired == 0):
            return 0
        return int(self.high_water_mark - desired)

    @property
    def full(self) -> bool:
        """Whether the stage has to wait until the next one takes something: `desired_size` is not above 0."""
        return self.queued >= self.high_water_mark


class Monitor:
    """Shows the stages: on a terminal as one table that is rewritten, else as a block of lines now and then.

    The stage that holds the others up is the one that took the most of the time.
    """

    def __init__(self, stages: Sequence[Stage], out: TextIO) -> None:
        self.stages = stages
        self.out = out
        self.live = out.isatty() and os.environ.get("TERM") != "dumb"
        self.interval = 0.5 if self.live else 5.0
        self.started = time.monotonic()
        self.start_memory = peak_memory()
        self.seconds = [0.0] * len(stages)
        self._shown = list(self.seconds)
        self._chunk_at = self.started
        self._last = 0
        self._height = 0
        for number, stage in enumerate(stages):
            stage.on_chunk = partial(self.add_time, number)

    @property
    def elapsed(self) -> float:
        """The seconds since the start."""
        return time.monotonic() - self.started

    async def watch(self) -> None:
        """Show where every stage is, again and again until it is cancelled."""
        while True:
            await asyncio.sleep(self.interval)
            self.show()

    def add_time(self, number: int) -> None:
        """Give the time since the last chunk of any stage to the one that needed it; a chunk has just come out.

        If the last chunk came out of a stage before, the time was needed to make this one of it. Otherwise the stage
        behind the last chunk has used that up without giving anything, unless what was waited for came from outside.
        """
        now = time.monotonic()
        made = number > self._last or self.stages[number].waits
        self.seconds[number if made else self._last + 1] += now - self._chunk_at
        self._chunk_at = now
        self._last = number

    def show(self) -> None:
        """Show where every stage is now, and which of them held the others up since the last time."""
        passed = [now - before for now, before in zip(self.seconds, self._shown, strict=True)]
        self._shown = list(self.seconds)
        self._show(passed, "held up by")

    def show_all(self) -> None:
        """Show where every stage is now, and which of them held the others up most since the start."""
        self._show(self.seconds, "held up most by")

    def _show(self, seconds: list[float], verdict: str) -> None:
        lines = [self._headline(), f"{'stage':10}{'chunks':>11}{'size':>12}   queue / high-water mark      time"]
        total = max(sum(seconds), 1e-6)
        lines += [self._row(stage, spent / total) for stage, spent in zip(self.stages, seconds, strict=True)]
        lines.append(f"{verdict}: {self.stages[seconds.index(max(seconds))].name}")
        self._write(lines)

    def _headline(self) -> str:
        passed = self.stages[0].size
        speed = passed / MEGABYTE / max(self.elapsed, 1e-6)
        return (
            f"{self.elapsed:6.1f} s  {amount(passed)} read, {speed:.1f} MB/s; "
            f"memory {amount(self.start_memory)} at the start, peak {amount(peak_memory())}"
        )

    def _row(self, stage: Stage, share: float) -> str:
        queue = f"{stage.queued / 1024:7.0f} / {stage.high_water_mark // 1024} KiB" if stage.after is None else ""
        state = "full" if stage.full else ""
        return f"{stage.name:10}{stage.chunks:11,}{amount(stage.size):>12}   {queue:17} {state:6}{share:7.0%}"

    def _write(self, lines: list[str]) -> None:
        if self.live:
            width = shutil.get_terminal_size().columns
            back = f"\x1b[{self._height}A" if self._height else ""
            self._height = len(lines)
            self.out.write(back + "".join(f"\r{line[: width - 1]}\x1b[K\n" for line in lines))
        else:
            self.out.write("\n".join([*lines, "", ""]))
        self.out.flush()


def amount(size: int) -> str:
    """Write a number of bytes for people."""
    if size < 1000:
        return f"{size} B"
    if size < MEGABYTE:
        return f"{size / 1000:.1f} kB"
    return f"{size / MEGABYTE:,.1f} MB"


def peak_memory() -> int:
    """Return the most bytes of memory that the process has had so far.

    On Linux the kernel's own figure for this program comes first: there ``ru_maxrss`` begins with the size of the
    process that started this one, and a big parent would hide what is used here.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    except (OSError, IndexError, ValueError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
