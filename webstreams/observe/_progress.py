"""What views show beside the statistics: rates, how much of the whole is done, and the time to go."""

from __future__ import annotations

from dataclasses import dataclass

from .._streams.readable.operators.checks import checked_number
from ._statistics import Snapshot, StageStatistics
from ._timing import CLOCK


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A stage and its rates in the last period: chunks and sizes in a second."""

    stage: StageStatistics
    chunks: float
    size: float
    is_bottleneck: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """All that a view shows at a time. `done` is a share of the total, `left` the seconds to go; None if not known."""

    name: str
    elapsed: float
    rows: list[Row]
    bottleneck: str | None
    done: float | None
    left: float | None
    is_over: bool


def passed_through(stage: StageStatistics) -> int:
    """Return how many chunks a stage has dealt with."""
    return stage.chunks_in if stage.kind == "sink" else stage.chunks_out


def size_through(stage: StageStatistics) -> int:
    """Return the size of what a stage has dealt with."""
    return stage.size_in if stage.kind == "sink" else stage.size_out


def checked_total(total: float | None) -> float | None:
    """Return the size of the whole, which may be 0, or None if it is not known; raises as `checked_number` does."""
    if total is None or (type(total) in (int, float) and total == 0):
        return total
    return checked_number(total, "total", "bytes, characters or chunks")


class Progress:
    """Makes frames of snapshots. `total` is the size of what the first stage gives, in chunks if these have none."""

    def __init__(self, total: float | None) -> None:
        self._total = total
        self._began = CLOCK.read()
        self._at = self._began
        self._before: dict[str, tuple[int, int]] = {}

    def frame(self, snapshot: Snapshot, is_over: bool) -> Frame:
        """Return what to show now."""
        now = CLOCK.read()
        seconds = max(now - self._at, 1e-9)
        self._at = now
        slowest = None if snapshot.bottleneck is None else snapshot.bottleneck.name
        rows = [self._row(stage, seconds, stage.name == slowest) for stage in snapshot.stages]
        done = self._done(snapshot)
        elapsed = now - self._began
        left = None if not done or is_over else elapsed / done * (1 - done)
        return Frame(
            name=snapshot.name,
            elapsed=elapsed,
            rows=rows,
            bottleneck=slowest,
            done=done,
            left=left,
            is_over=is_over,
        )

    def _row(self, stage: StageStatistics, seconds: float, is_bottleneck: bool) -> Row:
        chunks, size = passed_through(stage), size_through(stage)
        before = self._before.get(stage.name, (0, 0))
        self._before[stage.name] = chunks, size
        return Row(
            stage=stage,
            chunks=(chunks - before[0]) / seconds,
            size=(size - before[1]) / seconds,
            is_bottleneck=is_bottleneck,
        )

    def _done(self, snapshot: Snapshot) -> float | None:
        if not self._total or not snapshot.stages:
            return None
        first = snapshot.stages[0]
        return min((first.size_out or first.chunks_out) / self._total, 1.0)
