"""What the stages of the main job count, and how it is shown while they run."""

from __future__ import annotations

import os
import resource
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TextIO

MEGABYTE = 1_000_000


class HasDesiredSize(Protocol):
    """What a queue is watched through: the controller of a readable side, or the writer of a writable stream."""

    @property
    def desired_size(self) -> float | None:
        """How much more the queue wants; not above 0 when it is full, None when the stream is errored."""


class Stage:
    """Counts what a stage gives out (the sink: what it wrote) and for how long it was at work.

    Its queue holds what it gave out and the next stage has not taken yet; the sink's, what it has yet to write.
    """

    def __init__(self, name: str, high_water_mark: int) -> None:
        self.name = name
        self.high_water_mark = high_water_mark
        self.queue: HasDesiredSize | None = None
        self.chunks = 0
        self.bytes = 0
        self.seconds = 0.0
        # Nothing more will be put into the queue.
        self.ended = False

    def count(self, size: int) -> None:
        """Count a chunk."""
        self.chunks += 1
        self.bytes += size

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Measure how long the block takes."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds += time.monotonic() - started

    @property
    def queued(self) -> int:
        """How many bytes are in the queue: the high-water mark, less what the queue still wants."""
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
    """Shows the stages: on a terminal as one table that is rewritten, else as a block of lines now and then."""

    def __init__(self, stages: Sequence[Stage], out: TextIO) -> None:
        self.stages = stages
        self.out = out
        self.live = out.isatty() and os.environ.get("TERM") != "dumb"
        self.interval = 0.5 if self.live else 5.0
        self.started = self._shown_at = time.monotonic()
        self.start_memory = peak_memory()
        self._seconds = [stage.seconds for stage in stages]
        self._height = 0

    @property
    def elapsed(self) -> float:
        """The seconds since the start."""
        return time.monotonic() - self.started

    def show(self) -> None:
        """Show where every stage is now, and which of them was at work most since the last time."""
        now = time.monotonic()
        passed = max(now - self._shown_at, 1e-6)
        shares = [(stage.seconds - before) / passed for stage, before in zip(self.stages, self._seconds, strict=True)]
        self._shown_at = now
        self._seconds = [stage.seconds for stage in self.stages]
        self._show(shares, "held up by")

    def show_all(self) -> None:
        """Show where every stage is now, and which of them was at work most since the start."""
        self._show([stage.seconds / max(self.elapsed, 1e-6) for stage in self.stages], "held up most by")

    def _show(self, shares: list[float], verdict: str) -> None:
        lines = [self._headline(), f"{'stage':8}{'chunks':>9}{'bytes':>12}   queue / high-water mark   at work"]
        lines += [self._row(stage, share) for stage, share in zip(self.stages, shares, strict=True)]
        lines.append(f"{verdict}: {self._slowest(shares)}")
        self._write(lines)

    def _headline(self) -> str:
        passed = self.stages[0].bytes
        speed = passed / MEGABYTE / max(self.elapsed, 1e-6)
        return (
            f"{self.elapsed:6.1f} s  {amount(passed)} read, {speed:.1f} MB/s; "
            f"memory {amount(self.start_memory)} at the start, peak {amount(peak_memory())}"
        )

    def _row(self, stage: Stage, share: float) -> str:
        queue = f"{stage.queued / 1024:7.0f} / {stage.high_water_mark // 1024} KiB"
        state = "full" if stage.full else ""
        return f"{stage.name:8}{stage.chunks:9,}{amount(stage.bytes):>12}   {queue:17} {state:7} {share:7.0%}"

    def _slowest(self, shares: list[float]) -> str:
        """The stage that was at work most is the one that the others wait for."""
        slowest = shares.index(max(shares))
        # The sink has the queue before it for its own, the others have that of the stage before.
        before = self.stages if slowest == len(self.stages) - 1 else self.stages[:slowest]
        full = sum(stage.full for stage in before)
        evidence = f" ({full} of the {len(before)} queues before it are full)" if full else ""
        return f"{self.stages[slowest].name}{evidence}"

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
    """Give the most bytes of memory that the process has had so far.

    On Linux the kernel's own figure for this program comes first: there ``ru_maxrss`` begins with the size of the
    process that started this one, and a big parent would hide what is used here.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    except (OSError, IndexError, ValueError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
