"""Looks at a pipeline: each shows the time since the one before it."""

from __future__ import annotations

from ._statistics import (
    SAME_LOOK,
    Mark,
    Snapshot,
    bottleneck_of,
    shares_between,
    statistics_of,
)
from ._timing import CLOCK
from ._watched import Watched


class Look:
    """Somebody who looks at a pipeline again and again: the shares are those since that one's last look."""

    __slots__ = ("_before", "_last")

    def __init__(self) -> None:
        self._last = self._before = Mark(CLOCK.read(), {})

    def take(self, pipeline: Watched, *, is_look: bool = True, is_last: bool = False) -> Snapshot:
        """Return how a pipeline is now; if it `is_look`, the next one begins here.

        The one that `is_last` shows the time since the look before the last one, too: nearly nothing may have happened
        since the last one.
        """
        now = pipeline.mark()
        before = self._before if is_last or now.now - self._last.now < SAME_LOOK else self._last
        shares = shares_between(pipeline.stages, before, now)
        if before is self._last and is_look:
            self._before, self._last = self._last, now
        names = pipeline.named()
        found = {stage: statistics_of(stage, names, shares[stage]) for stage in names if stage in shares}
        slowest = bottleneck_of(pipeline.stages, shares)
        return Snapshot(
            name=pipeline.name,
            seconds=max(now.now - before.now, 0.0),
            stages=list(found.values()),
            bottleneck=None if slowest is None else found[slowest],
        )
