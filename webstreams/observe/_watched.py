"""The stages of a pipeline that is observed: how they are found, and how they are looked at."""

from __future__ import annotations

from typing import Any, Final
from weakref import WeakKeyDictionary, WeakSet, ref

from .._engine.jobs import JobQueue
from .._streams.door import jobs_of
from .._streams.meter import LOCKS
from ._attach import settle_source, stages_of
from ._retired import begin, retire
from ._stages import Stage, stage_at
from ._statistics import Mark
from ._timing import CLOCK
from ._topology import inputs_of, neighbours

# All pipelines that are observed, and those that a stream belongs to: they live as long as their streams.
PIPELINES: Final[WeakSet[Watched]] = WeakSet()
_pipelines_of: Final[WeakKeyDictionary[Any, list[Watched]]] = WeakKeyDictionary()


class Watched:
    """A pipeline that is observed: its stages from the sources to the sinks, those that join later included.

    It lives as long as its streams, and keeps nothing of them alive.
    """

    def __init__(self, streams: list[Any], name: str | None) -> None:
        LOCKS.tell = _has_lock
        self.jobs: JobQueue = jobs_of(streams[0])
        self.stages: list[Stage] = []
        self._name = name
        self._anchors = [ref(each) for each in streams]
        self._is_searching = False
        self._search()
        self._begun_as = self.name
        begin(self._begun_as)
        PIPELINES.add(self)

    def __del__(self) -> None:
        """What was counted is not lost for the metrics of others with the same name."""
        name = getattr(self, "_begun_as", None)
        if name is not None:
            retire(name, [(stage, each.kind, each.counts) for each, stage in self.named().items()])

    @property
    def name(self) -> str:
        """The name that was given, else that of the first stage."""
        if self._name is not None:
            return self._name
        return self.stages[0].name if self.stages else "pipeline"

    @property
    def is_over(self) -> bool:
        """Whether every stage is closed or errored, or gone."""
        return all(stage.is_over() for stage in self.stages)

    def mark(self) -> Mark:
        """Return what the stages have done up to now, or up to their end."""
        stages = list(self.stages)
        for stage in stages:
            settle_source(stage)
        now = CLOCK.read()
        if stages and self.is_over:
            now = min(now, max(stage.counts.last for stage in stages))
        return Mark(now, {stage: stage.counts.totals(now) for stage in stages})

    def named(self) -> dict[Stage, str]:
        """Return the stages with their names, no two of which are the same."""
        used: dict[str, int] = {}
        named: dict[Stage, str] = {}
        for stage in list(self.stages):
            name = stage.name
            used[name] = number = used.get(name, 0) + 1
            named[stage] = name if number == 1 else f"{name} {number}"
        return named

    def search_soon(self) -> None:
        """A stream got a lock: see who has it, when that has said what it is for."""
        if not self._is_searching:
            self._is_searching = True
            self.jobs.push(self._search)

    def _search(self) -> None:
        """Find the stages, those that have joined included."""
        self._is_searching = False
        jobs = self.jobs
        if jobs.run is not None:
            self._search_later()  # callbacks are being recorded: they must not be replaced now
            return
        seen: dict[int, Any] = {}
        left = [each for each in (anchor() for anchor in self._anchors) if each is not None]
        left += [stream for stage in self.stages for stream in stage.ends()]
        found: dict[Stage, None] = dict.fromkeys(self.stages)
        while left:
            stream = left.pop(0)
            if stream is None or id(stream) in seen:
                continue
            seen[id(stream)] = stream
            found |= dict.fromkeys(self._take_in(stream))
            left += neighbours(stream)
        for stage in found:
            _link(stage)
        self.stages = _in_order(list(found))
        if jobs.policy is not None:
            jobs.policy.forget()

    def _search_later(self) -> None:
        if not self._is_searching:
            self._is_searching = True
            self.jobs.loop.call_soon(self._search)

    def _take_in(self, stream: Any) -> list[Stage]:
        try:
            pipelines = _pipelines_of.setdefault(stream, [])
        except TypeError:  # a stream for the library itself cannot be referred to weakly
            return []
        if self not in pipelines:
            pipelines.append(self)
        return stages_of(stream)


def _has_lock(stream: Any) -> None:
    try:
        pipelines = _pipelines_of.get(stream, ())
    except TypeError:  # a stream for the library itself
        return
    for pipeline in pipelines:
        pipeline.search_soon()


def _link(stage: Stage) -> None:
    """Remember where the chunks of a stage come from."""
    for end in stage.ends():
        for stream in inputs_of(end):
            before = stage_at(stream)
            if before is not None and before is not stage and before not in stage.upstream:
                stage.upstream.append(before)


def _in_order(stages: list[Stage]) -> list[Stage]:
    ordered: dict[Stage, None] = {}
    for stage in stages:
        _add_after_others(stage, ordered, set())
    return list(ordered)


def _add_after_others(stage: Stage, ordered: dict[Stage, None], under_way: set[Stage]) -> None:
    if stage in ordered or stage in under_way:
        return
    under_way.add(stage)
    for each in stage.upstream:
        _add_after_others(each, ordered, under_way)
    ordered[stage] = None
