"""What is shown of a stage: numbers of one moment, and the shares of the time between two looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from .._streams.door import high_water_mark_of, queued_in
from .._streams.readable.operators.concurrent import ConcurrentSource
from .._streams.writable.overlapping import OverlappingSink
from ..ends._concurrent_sink import ConcurrentSink
from ._counts import BUSY, LoadCounts, Totals
from ._stages import Kind, Stage
from ._topology import owner_of_sink, owner_of_source, part_of, sink_of, source_of

# Looks that follow each other so quickly show the same period (seconds).
SAME_LOOK: Final = 0.01
# A stage that takes less of the time holds nobody up; and one behind which so much of the time is lost waiting for room
# is not the one that does.
LEAST_SHARE: Final = 0.05
MOSTLY: Final = 0.5
# Scores that differ by less are equal: then the stage that needs longest for a chunk is named.
NEARLY: Final = 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStatistics:
    """A stage of an observed pipeline at one moment.

    `chunks_in` and `chunks_out` count the chunks that it was handed and that it gave, since it is observed. `size_in`
    and `size_out` are their sizes: bytes, or characters of `str`; other objects count 0.

    `queued`, `high_water_mark` and `desired_size` are those of its queues, in the units of their strategies; a
    transform has two, which are added. `desired_size` is None when the stage is errored.

    `busy`, `blocked` and `starved` are shares of the time since the last look, and add up to 1: its callback runs or
    what that returned is pending; it has something, and the next stage wants nothing; it has nothing to do. Of a stage
    with several calls at a time, `busy` is the share of those that may run.

    `upstream` has the names of the stages that it gets its chunks from.

    `waiting_since` is when it began to be blocked or starved, on the clock of `time.monotonic`; None while it is busy.
    `state` is that of its stream, in the Standard's words, and `error` what it was errored with.

    `running` and `waiting` count the calls of ``map(concurrency=)`` and the like, `lost` the chunks that a subscription
    of a shared stream has not got, `in_flight` what is under way to a broker, to workers, or not yet acknowledged; None
    for other stages.
    """

    name: str
    kind: Kind
    upstream: tuple[str, ...] = ()
    chunks_in: int
    chunks_out: int
    size_in: int
    size_out: int
    queued: float
    high_water_mark: float
    desired_size: float | None
    busy: float
    blocked: float
    starved: float
    waiting_since: float | None
    state: str
    error: Any = None
    running: int | None = None
    waiting: int | None = None
    lost: int | None = None
    in_flight: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A pipeline at one moment: its stages, the bottleneck among them or None, the seconds that the shares are of."""

    name: str
    seconds: float
    stages: list[StageStatistics]
    bottleneck: StageStatistics | None


class Shares(NamedTuple):
    """The parts of a period."""

    busy: float
    blocked: float
    starved: float
    blame: float


class Mark:
    """All times of a pipeline at one moment."""

    __slots__ = ("now", "totals")

    def __init__(self, now: float, totals: dict[Stage, Totals]) -> None:
        self.now: float = now
        self.totals: dict[Stage, Totals] = totals


_NOTHING: Final = Totals(0.0, 0.0, 0.0, 0.0, 0.0)


def shares_between(stages: list[Stage], before: Mark, after: Mark) -> dict[Stage, Shares]:
    """Return what each stage has done between two moments."""
    passed = {
        stage: Totals(*(now - then for now, then in zip(totals, before.totals.get(stage, _NOTHING), strict=True)))
        for stage, totals in after.totals.items()
    }
    behind = _fast_behind(stages, passed)
    return {stage: _shares_of(stage, each, behind[stage]) for stage, each in passed.items()}


def _fast_behind(stages: list[Stage], passed: dict[Stage, Totals]) -> dict[Stage, float]:
    """Return for each stage how long the fast path was in stages behind it: meanwhile it had something."""
    behind = dict.fromkeys(passed, 0.0)
    for stage in stages:
        for each in before_of(stage):
            if each in behind:
                behind[each] += passed[stage].fast if stage in passed else 0.0
    return behind


def before_of(stage: Stage) -> set[Stage]:
    """Return all stages that chunks of a stage have passed."""
    found: set[Stage] = set()
    left = list(stage.upstream)
    while left:
        each = left.pop()
        if each not in found:
            found.add(each)
            left += each.upstream
    return found


def _shares_of(stage: Stage, passed: Totals, behind: float) -> Shares:
    starved, blocked, busy = (max(each, 0.0) for each in (passed.starved, passed.blocked, passed.busy))
    total = starved + blocked + busy
    if total <= 0:
        state = stage.counts.state
        return Shares(float(state == BUSY), float(state == 1), float(state == 0), 0.0)
    moved = min(starved, behind)
    starved, blocked = starved - moved, blocked + moved
    return Shares(busy / total, blocked / total, starved / total, max(passed.blame, 0.0) / total)


def bottleneck_of(stages: list[Stage], shares: dict[Stage, Shares]) -> Stage | None:
    """Return the stage that holds the others up; None if there is none.

    It is the one that has most of the time for itself, unless stages behind it wait for room: then one behind them is.
    If the last stages have chunks that nobody takes, it is somebody outside.
    """
    scores = {stage: _score(stage, stages, shares) for stage in shares}
    if not scores:
        return None
    highest = max(scores.values())
    if highest < LEAST_SHARE or _is_held_up_outside(stages, shares, highest):
        return None
    nearly = {stage: _busy_per_chunk(stage, shares) for stage, score in scores.items() if score >= highest - NEARLY}
    return max(nearly, key=nearly.__getitem__)


def _busy_per_chunk(stage: Stage, shares: dict[Stage, Shares]) -> float:
    return shares[stage].busy / max(stage.counts.chunks_in, stage.counts.chunks_out, 1)


def _score(stage: Stage, stages: list[Stage], shares: dict[Stage, Shares]) -> float:
    own = shares[stage]
    score = own.blame + (own.starved if stage.kind == "source" else 0.0)
    blocked = max((shares[each].blocked for each in shares if stage in before_of(each)), default=0.0)
    return score * (1 - blocked) if blocked > MOSTLY else score


def _is_held_up_outside(stages: list[Stage], shares: dict[Stage, Shares], highest: float) -> bool:
    inner = {before for stage in stages for before in stage.upstream}
    ends = [stage for stage in shares if stage not in inner and stage.kind != "sink"]
    return any(shares[each].blocked > max(MOSTLY, highest) for each in ends)


def statistics_of(stage: Stage, names: dict[Stage, str], shares: Shares) -> StageStatistics:
    """Return what is shown of a stage of a pipeline whose stages have these names."""
    counts = stage.counts
    state, error = stage.state()
    queued, mark = _queues_of(stage)
    desired = None if state in ("errored", "erroring") else 0.0 if state == "closed" else mark - queued
    return StageStatistics(
        name=names[stage],
        kind=stage.kind,
        upstream=tuple(names[each] for each in stage.upstream if each in names),
        chunks_in=counts.chunks_in,
        chunks_out=counts.chunks_out,
        size_in=counts.size_in,
        size_out=counts.size_out,
        queued=queued,
        high_water_mark=mark,
        desired_size=desired,
        busy=shares.busy,
        blocked=shares.blocked,
        starved=shares.starved,
        waiting_since=None if counts.state == BUSY else counts.since,
        state=state,
        error=error,
        **_details_of(stage),
    )


def _queues_of(stage: Stage) -> tuple[float, float]:
    """Return what is in the queues of a stage, and their high-water marks."""
    queued = mark = 0.0
    for stream in stage.ends():
        branch = part_of(stream, "_branch")
        if branch is not None:
            queued, mark = queued + branch.size(), mark + branch.hub.mark
        queued += queued_in(stream)
        mark += high_water_mark_of(stream)
    return queued, mark


def _details_of(stage: Stage) -> dict[str, int | None]:
    details: dict[str, int | None] = {}
    counts = stage.counts
    if isinstance(counts, LoadCounts):
        details["running"] = counts.running
    readable, writable = stage.output(), stage.input()
    if readable is not None:
        details |= _details_of_readable(readable)
    if writable is not None:
        details |= _details_of_writable(writable)
    return details


def _details_of_readable(readable: Any) -> dict[str, int | None]:
    source, owner = source_of(readable), owner_of_source(readable)
    if isinstance(source, ConcurrentSource):
        return {"waiting": source.workers.outstanding - source.workers.running}
    branch = part_of(readable, "_branch")
    if branch is not None:
        return {"lost": branch.lost}
    unsettled = part_of(readable, "unsettled")
    if unsettled is not None:
        return {"in_flight": unsettled}
    if part_of(owner, "channels") is not None:
        return {"in_flight": sum(each.in_flight for each in owner.channels)}
    return {}


def _details_of_writable(writable: Any) -> dict[str, int | None]:
    sink, owner = sink_of(writable), owner_of_sink(writable)
    overlapping = part_of(owner, "overlapping") or sink
    if isinstance(overlapping, OverlappingSink):
        return {"in_flight": overlapping.running}
    if isinstance(owner, ConcurrentSink):
        return {"waiting": owner.workers.outstanding - owner.workers.running}
    return {}
