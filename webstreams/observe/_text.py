"""What is shown as text: the picture of a pipeline, and the lines of a log."""

from __future__ import annotations

from typing import Final

from .._debug.repr import show_count, show_number
from ._progress import Frame, passed_through
from ._statistics import Snapshot, StageStatistics

_UNITS: Final = ("B", "kB", "MB", "GB", "TB")


def size_text(size: float) -> str:
    """Return a size to read: "1.2 MB"."""
    unit = 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size /= 1000
        unit += 1
    return f"{size:.0f} {_UNITS[0]}" if unit == 0 else f"{size:.1f} {_UNITS[unit]}"


def count_text(count: float) -> str:
    """Return a number of chunks to read: "12.3k"."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if count >= limit:
            return f"{count / (1000.0 if unit == 'k' else limit):.1f}{unit}"
    return f"{count:.0f}"


def duration_text(seconds: float) -> str:
    """Return a duration to read: "1 min 05 s"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def share_text(share: float) -> str:
    """Return a share to read: " 42 %"."""
    return f"{round(100 * share):3d} %"


def queue_text(stage: StageStatistics) -> str:
    """Return how full the queues of a stage are."""
    return f"{show_number(stage.queued)}/{show_number(stage.high_water_mark)}"


def details_of(stage: StageStatistics) -> list[str]:
    """Return what only some stages have."""
    details = []
    for noun in ("running", "waiting", "lost"):
        count = getattr(stage, noun)
        if count is not None:
            details.append(f"{count} {noun}")
    if stage.in_flight is not None:
        details.append(f"{stage.in_flight} in flight")
    if stage.state in ("errored", "erroring"):
        details.append(stage.state)
    return details


def frame_line(frame: Frame) -> str:
    """Return the line of a view that is no table."""
    parts = [f"{frame.elapsed:.1f} s"]
    if frame.done is not None:
        parts.append(f"{100 * frame.done:.0f} %")
    if frame.left is not None:
        parts.append(f"{duration_text(frame.left)} to go")
    if frame.rows:
        last = frame.rows[-1]
        parts.append(f"{show_count(passed_through(last.stage), 'chunk')}")
        if last.size:
            parts.append(f"{size_text(last.size)}/s")
    parts.append("no bottleneck" if frame.bottleneck is None else f"held up by {frame.bottleneck}")
    return f"{frame.name}: {', '.join(parts)}"


def line_of(snapshot: Snapshot) -> str:
    """Return the line of a log."""
    last = snapshot.stages[-1] if snapshot.stages else None
    passed = 0 if last is None else last.chunks_in or last.chunks_out
    slowest = snapshot.bottleneck
    verdict = (
        "no bottleneck" if slowest is None else f"held up by {slowest.name} ({share_text(slowest.busy).strip()} busy)"
    )
    return f"{snapshot.name}: {show_count(passed, 'chunk')}, {verdict}"


def tree_of(snapshot: Snapshot) -> str:
    """Return the picture: a line for each stage, indented below the one that it gets its chunks from."""
    stages = {stage.name: stage for stage in snapshot.stages}
    slowest = None if snapshot.bottleneck is None else snapshot.bottleneck.name
    depths: dict[str, int] = {}
    lines = [snapshot.name]
    for name, stage in stages.items():
        before = [depths[each] for each in stage.upstream if each in depths]
        depths[name] = max(before) + 1 if before else 0
    width = max((len(name) + 3 * depths[name] for name in stages), default=0)
    for name, stage in stages.items():
        depth = depths[name]
        arrow = "   " * (depth - 1) + "`- " if depth else ""
        shares = (
            f"busy {share_text(stage.busy)}  blocked {share_text(stage.blocked)}  starved {share_text(stage.starved)}"
        )
        line = f"{arrow + name:{width}}  {shares}  queue {queue_text(stage)}"
        extra = [*details_of(stage), *(["<- bottleneck"] if name == slowest else [])]
        joined = [f"also from {each}" for each in stage.upstream[1:]]
        lines.append("  ".join([line, *extra, *joined]))
    return "\n".join(lines)
