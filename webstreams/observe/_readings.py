"""What exporters read: every stage of every pipeline that is observed, from any thread."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ._retired import Amounts, retired
from ._statistics import Mark, StageStatistics, shares_between, statistics_of
from ._watched import PIPELINES, Watched

_START: Final = Mark(0.0, {})


@dataclass(slots=True)
class Reading:
    """All stages of one name in pipelines of one name, added up: labels are names, of which there are few."""

    pipeline: str
    stage: str
    kind: str
    chunks_in: int = 0
    chunks_out: int = 0
    size_in: int = 0
    size_out: int = 0
    queued: float = 0.0
    high_water_mark: float = 0.0
    running: int = 0
    waiting: int = 0
    lost: int = 0
    in_flight: int = 0
    # Since the pipelines are observed, by state.
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, stage: StageStatistics, seconds: float) -> None:
        """Add a stage that is observed for so many seconds."""
        for name in ("chunks_in", "chunks_out", "size_in", "size_out", "queued", "high_water_mark"):
            setattr(self, name, getattr(self, name) + getattr(stage, name))
        for name in ("running", "waiting", "lost", "in_flight"):
            setattr(self, name, getattr(self, name) + (getattr(stage, name) or 0))
        for state in ("busy", "blocked", "starved"):
            self.seconds[state] = self.seconds.get(state, 0.0) + seconds * getattr(stage, state)

    def add_retired(self, amounts: Amounts) -> None:
        """Add what a stage of a pipeline that is gone has counted."""
        for name in ("chunks_in", "chunks_out", "size_in", "size_out"):
            setattr(self, name, getattr(self, name) + getattr(amounts, name))
        for state in self.seconds:
            self.seconds[state] += getattr(amounts, state)


def pipelines() -> list[Watched]:
    """Return the pipelines that are observed now; in another thread, they may be made meanwhile."""
    while True:
        try:
            return list(PIPELINES)
        except RuntimeError:
            continue


def readings() -> list[Reading]:
    """Return what there is to export."""
    found: dict[tuple[str, str], Reading] = {}
    for pipeline in pipelines():
        mark = pipeline.mark()
        shares = shares_between(list(mark.totals), _START, mark)
        names = pipeline.named()
        for stage, name in names.items():
            if stage not in shares:
                continue  # it has joined just now
            reading = found.setdefault((pipeline.name, name), Reading(pipeline.name, name, stage.kind))
            reading.add(statistics_of(stage, names, shares[stage]), sum(mark.totals[stage][:3]))
    for (pipeline_name, stage_name, _), amounts in retired().items():
        gone = found.get((pipeline_name, stage_name))
        if gone is not None:
            gone.add_retired(amounts)
    return list(found.values())
