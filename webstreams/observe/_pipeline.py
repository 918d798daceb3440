"""`observe`, and what it returns."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakSet, ref

from .._debug.repr import show, show_count
from .._engine.promise import Promise
from .._engine.task_promise import TaskPromise
from .._streams.meter import LOCKS
from .._streams.readable.operators.ending import EndPromise
from .._streams.readable.pipe import PipePromise
from ._attach import stages_of
from ._callbacks import SourceMeter
from ._counts import BUSY
from ._names import streams_of
from ._retired import begin, retire
from ._stages import Stage, stage_at
from ._statistics import (
    SAME_LOOK,
    Mark,
    Snapshot,
    StageStatistics,
    bottleneck_of,
    shares_between,
    statistics_of,
)
from ._text import line_of, tree_of
from ._timing import CLOCK
from ._topology import inputs_of, neighbours

# Who waits for the next moment to look sees within this time that the pipeline has ended (seconds).
SAW_END: Final = 0.25

# All pipelines that are observed, and those that a stream belongs to: they live as long as their streams.
PIPELINES: Final[WeakSet[Pipeline]] = WeakSet()
_pipelines_of: Final[WeakKeyDictionary[Any, list[Pipeline]]] = WeakKeyDictionary()


class Look:
    """Somebody who looks at a pipeline again and again: the shares are those since that one's last look."""

    __slots__ = ("_before", "_last")

    def __init__(self) -> None:
        self._last = self._before = Mark(CLOCK.read(), {})

    def take(self, pipeline: Pipeline, *, is_look: bool = True) -> Snapshot:
        """Return how a pipeline is now; if it `is_look`, the next one begins here."""
        now = pipeline._mark()
        before = self._before if now.now - self._last.now < SAME_LOOK else self._last
        shares = shares_between(pipeline._stages, before, now)
        if before is self._last and is_look:
            self._before, self._last = self._last, now
        named = pipeline._named()
        found = {stage: statistics_of(stage, name, shares[stage]) for stage, name in named.items() if stage in shares}
        slowest = bottleneck_of(pipeline._stages, shares)
        return Snapshot(
            name=pipeline.name,
            seconds=max(now.now - before.now, 0.0),
            stages=list(found.values()),
            bottleneck=None if slowest is None else found[slowest],
        )


class Pipeline:
    """A pipeline that is observed: what `observe` returns.

    It lives as long as its streams, whether or not somebody keeps it, and keeps nothing of them alive. It may be looked
    at from any thread.
    """

    def __init__(self, streams: list[Any], name: str | None) -> None:
        self._name = name
        self._anchors = [ref(each) for each in streams]
        self._jobs_of_loop = streams[0]._jobs
        self._stages: list[Stage] = []
        self._is_searching = False
        self._look = Look()
        self._search()
        self._begun_as = self.name
        begin(self._begun_as)
        PIPELINES.add(self)

    def __del__(self) -> None:
        """What was counted is not lost for the metrics of others with the same name."""
        name = getattr(self, "_begun_as", None)
        if name is not None:
            retire(name, [(stage, each.kind, each.counts) for each, stage in self._named().items()])

    @property
    def name(self) -> str:
        """The name that was given, else that of the first stage."""
        if self._name is not None:
            return self._name
        return self._stages[0].name if self._stages else "pipeline"

    @property
    def stages(self) -> list[StageStatistics]:
        """The stages from the sources to the sinks. This is a look: the shares are of the time since the last one.

        Looks that follow each other within 10 ms show the same period. When the pipeline has ended, the period ends
        with it.
        """
        return self._look.take(self).stages

    @property
    def bottleneck(self) -> StageStatistics | None:
        """The stage that holds the others up since the last look; None if there is none, or if nobody reads."""
        return self._look.take(self, is_look=False).bottleneck

    def tree(self) -> str:
        """Return a picture of the pipeline as text: a line for each stage, with its shares since the last look."""
        return tree_of(self._look.take(self, is_look=False), self._upstream_names())

    async def watch(self, interval: float = 0.5) -> AsyncIterator[Snapshot]:
        """Yield how the pipeline is, every `interval` seconds, until it has ended; the shares are of that time.

        Each watch has its own period, whatever else looks at the pipeline.
        """
        look = Look()
        is_over = False
        while not is_over:
            is_over = await self._ends_within(interval)
            yield look.take(self)

    async def _ends_within(self, seconds: float) -> bool:
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while (left := until - loop.time()) > 0:
            await asyncio.sleep(min(left, SAW_END))
            if self.is_over:
                return True
        await asyncio.sleep(0)
        return self.is_over

    def log(self, logger: logging.Logger, interval: float = 10.0, *, stalled: float = 60.0) -> Promise[None]:
        """Log a line every `interval` seconds until the pipeline has ended: what has passed, and the bottleneck.

        When nothing has moved for `stalled` seconds, one warning names the stage that everything waits for. The promise
        is settled when the pipeline has ended; cancelling the task that awaits it ends the log.
        """
        jobs = self._jobs_of_loop
        jobs.require_running()
        task = jobs.loop.create_task(self._log(logger, interval, stalled))
        promise: TaskPromise[None] = TaskPromise(jobs, task, "Pipeline.log()")
        task.add_done_callback(Settling(promise))
        return promise

    async def _log(self, logger: logging.Logger, interval: float, stalled: float) -> None:
        moved, moved_at, has_warned = -1, CLOCK.read(), False
        async for snapshot in self.watch(interval):
            logger.info("%s", line_of(snapshot))
            passed = sum(each.chunks_in + each.chunks_out for each in snapshot.stages)
            if passed != moved:
                moved, moved_at, has_warned = passed, CLOCK.read(), False
            elif not has_warned and CLOCK.read() - moved_at >= stalled:
                has_warned = True
                logger.warning("%s", _stall(snapshot, CLOCK.read() - moved_at))

    @property
    def is_over(self) -> bool:
        """Whether every stage is closed or errored, or gone."""
        return all(stage.is_over() for stage in self._stages)

    def __repr__(self) -> str:
        """Show the name and the number of stages."""
        return show(self, self._details())

    def _details(self) -> Iterator[str]:
        yield repr(self.name)
        yield show_count(len(self._stages), "stage")

    # Finding the stages.

    def _search(self) -> None:
        """Find the stages, those that have joined included."""
        self._is_searching = False
        jobs = self._jobs_of_loop
        if jobs.run is not None:
            self._search_later()  # callbacks are being recorded: they must not be replaced now
            return
        seen: dict[int, Any] = {}
        left = [each for each in (anchor() for anchor in self._anchors) if each is not None]
        left += [stream for stage in self._stages for stream in stage.ends()]
        found: dict[Stage, None] = dict.fromkeys(self._stages)
        while left:
            stream = left.pop(0)
            if stream is None or id(stream) in seen:
                continue
            seen[id(stream)] = stream
            found |= dict.fromkeys(self._take_in(stream))
            left += neighbours(stream)
        for stage in found:
            _link(stage)
        self._stages = _in_order(list(found))
        if jobs.policy is not None:
            jobs.policy.forget()

    def _take_in(self, stream: Any) -> list[Stage]:
        try:
            pipelines = _pipelines_of.setdefault(stream, [])
        except TypeError:  # a stream for the library itself cannot be referred to weakly
            return []
        if self not in pipelines:
            pipelines.append(self)
        return stages_of(stream)

    def _search_later(self) -> None:
        if not self._is_searching:
            self._is_searching = True
            self._jobs_of_loop.loop.call_soon(self._search)

    def _search_soon(self) -> None:
        """A stream got a lock: see who has it, when that has said what it is for."""
        if not self._is_searching:
            self._is_searching = True
            self._jobs_of_loop.push(self._search)

    # Looking.

    def _mark(self) -> Mark:
        stages = list(self._stages)
        for stage in stages:
            _settle(stage)
        now = CLOCK.read()
        if stages and self.is_over:
            now = min(now, max(stage.counts.last for stage in stages))
        return Mark(now, {stage: stage.counts.totals(now) for stage in stages})

    def _named(self) -> dict[Stage, str]:
        """Return the stages with their names, no two of which are the same."""
        used: dict[str, int] = {}
        named: dict[Stage, str] = {}
        for stage in list(self._stages):
            name = stage.name
            used[name] = number = used.get(name, 0) + 1
            named[stage] = name if number == 1 else f"{name} {number}"
        return named

    def _upstream_names(self) -> dict[str, list[str]]:
        named = self._named()
        return {name: [named[each] for each in stage.upstream if each in named] for stage, name in named.items()}


def observe(subject: Any, *, name: str | None = None) -> Pipeline:
    """Observe the whole pipeline that a stream belongs to: every stage before and behind it, and those that join later.

    `subject` is a stream, a pair of `readable` and `writable`, or the promise of ``pipe_to()``, `pipeline`,
    ``for_each()`` or ``reduce()``. Observing locks nothing, reads nothing, keeps nothing alive, and changes no order.
    `name` is what the pipeline is called, in metrics, too. Counting begins now, and goes on as long as the streams
    live; docs/guides/observing.md says what it costs.

    Raises `TypeError` for anything else, and `RuntimeError` in another event loop or thread than that of the streams.
    Not in the Standard.

    >>> import asyncio
    >>> from webstreams import ReadableStream, to_callable
    >>> from webstreams.observe import observe
    >>> async def main() -> None:
    ...     async def slowly(number: int) -> None:
    ...         await asyncio.sleep(0.01)
    ...     piping = ReadableStream.from_(range(5)).pipe_to(to_callable(slowly))
    ...     pipeline = observe(piping, name="numbers")
    ...     await piping
    ...     print([(stage.name, stage.chunks_out or stage.chunks_in) for stage in pipeline.stages])
    ...     print(pipeline.bottleneck.name)
    >>> asyncio.run(main())
    [('source', 5), ('slowly', 5)]
    slowly
    """
    streams = list(_streams_of_promise(subject)) or streams_of(subject, "observe()")
    if name is not None and not isinstance(name, str):
        raise TypeError(f"observe(): name must be a str or None, not {type(name).__name__}")
    jobs = streams[0]._jobs
    jobs.require_running()
    jobs.leave_run()
    LOCKS.tell = _has_lock
    return Pipeline(streams, name)


def _streams_of_promise(subject: Any) -> Iterator[Any]:
    if isinstance(subject, PipePromise):
        yield from (subject._pipe.source, subject._pipe.dest)
    elif isinstance(subject, EndPromise):
        yield subject._drain.chain.root
    elif isinstance(subject, TaskPromise) and subject.about is not None:
        stream = subject.about()
        if stream is not None:
            yield stream


def _has_lock(stream: Any) -> None:
    try:
        pipelines = _pipelines_of.get(stream, ())
    except TypeError:  # a stream for the library itself
        return
    for pipeline in pipelines:
        pipeline._search_soon()


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


def _settle(stage: Stage) -> None:
    """Find out what a source does that is not busy: nobody tells of what others take from it."""
    stream = stage.output()
    if stream is not None and stage.counts.state != BUSY:
        meter = stream._controller._meter
        if isinstance(meter, SourceMeter) and meter.pull is None and stream._state == "readable":
            meter.settle()


def _stall(snapshot: Snapshot, seconds: float) -> str:
    slowest = snapshot.bottleneck
    if slowest is None:
        return f"{snapshot.name}: nothing has moved for {seconds:.0f} s, and nobody reads"
    return f"{snapshot.name}: nothing has moved for {seconds:.0f} s; it waits for the stage {slowest.name}"


class Settling:
    """Settles the promise of a log or a view as its task has ended."""

    __slots__ = ("_promise",)

    def __init__(self, promise: TaskPromise[None]) -> None:
        self._promise = promise

    def __call__(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is None:
            self._promise._fulfill(None)
        else:
            self._promise._reject(error)
