"""`observe`, and what it returns."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, Final

from .._debug.repr import show, show_count
from .._engine.door import fulfill, reject
from .._engine.promise import Promise
from .._engine.task_promise import TaskPromise
from .._platform.idl import INTERNAL, refuse_constructor
from .._streams.door import jobs_of
from .._streams.readable.operators.checks import checked_positive_seconds
from ._look import Look
from ._names import streams_of
from ._statistics import Snapshot, StageStatistics
from ._text import line_of, tree_of
from ._timing import CLOCK
from ._topology import streams_of_promise
from ._watched import Watched

# Who waits for the next moment to look sees within this time that the pipeline has ended (seconds).
SAW_END: Final = 0.25


class Pipeline:
    """A pipeline that is observed: what `observe` returns.

    It lives as long as its streams, whether or not somebody keeps it, and keeps nothing of them alive. It may be looked
    at from any thread.
    """

    def __init__(self, token: object = None, *setup: Any) -> None:
        if token is not INTERNAL:
            raise refuse_constructor("Pipeline", "observe() returns one")
        self._watched: Watched = setup[0]
        self._look = Look()

    @property
    def name(self) -> str:
        """The name that was given, else that of the first stage."""
        return self._watched.name

    @property
    def stages(self) -> list[StageStatistics]:
        """The stages from the sources to the sinks. This is a look: the shares are of the time since the last one.

        Looks that follow each other within 10 ms show the same period. When the pipeline has ended, the period ends
        with it.
        """
        return self._look.take(self._watched).stages

    @property
    def bottleneck(self) -> StageStatistics | None:
        """The stage that holds the others up since the last look; None if there is none, or if nobody reads."""
        return self._look.take(self._watched, is_look=False).bottleneck

    def tree(self) -> str:
        """Return a picture of the pipeline as text: a line for each stage, with its shares since the last look."""
        return tree_of(self._look.take(self._watched, is_look=False))

    def watch(self, interval: float = 0.5) -> AsyncIterator[Snapshot]:
        """Yield how the pipeline is, every `interval` seconds, until it has ended; the shares are of that time.

        Those of the last snapshot are of the interval before it, too, for nearly nothing may have happened since.
        Each watch has its own period, whatever else looks at the pipeline. Raises `TypeError` and `ValueError` for an
        interval that is not a positive number.
        """
        return self._snapshots(checked_positive_seconds(interval, "interval"))

    async def _snapshots(self, interval: float) -> AsyncIterator[Snapshot]:
        look = Look()
        is_over = False
        while not is_over:
            is_over = await self._ends_within(interval)
            yield look.take(self._watched, is_last=is_over)

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
        is settled when the pipeline has ended; cancelling the task that awaits it ends the log. Raises `TypeError` and
        `ValueError` for arguments that cannot be used.
        """
        if not (hasattr(logger, "info") and hasattr(logger, "warning")):
            raise TypeError(f"logger must be a logging.Logger, not {type(logger).__name__}")
        checked_positive_seconds(interval, "interval")
        checked_positive_seconds(stalled, "stalled")
        return promise_of(self, self._log(logger, interval, stalled), "Pipeline.log()")

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
        return self._watched.is_over

    def __repr__(self) -> str:
        """Show the name and the number of stages."""
        return show(self, self._details())

    def _details(self) -> Iterator[str]:
        yield repr(self.name)
        yield show_count(len(self._watched.stages), "stage")


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
    streams = list(streams_of_promise(subject)) or streams_of(subject, "observe()")
    if name is not None and not isinstance(name, str):
        raise TypeError(f"observe(): name must be a str or None, not {type(name).__name__}")
    jobs = jobs_of(streams[0])
    jobs.require_running()
    jobs.leave_run()
    return Pipeline(INTERNAL, Watched(streams, name))


def _stall(snapshot: Snapshot, seconds: float) -> str:
    slowest = snapshot.bottleneck
    if slowest is None:
        return f"{snapshot.name}: nothing has moved for {seconds:.0f} s, and nobody reads"
    return f"{snapshot.name}: nothing has moved for {seconds:.0f} s; it waits for the stage {slowest.name}"


def watched_by(pipeline: Pipeline) -> Watched:
    """Return what the views of this package look at."""
    return pipeline._watched  # noqa: SLF001 - no name for users, whose objects have it


def checked_pipeline(pipeline: Any, view: str) -> Pipeline:
    """Return what a view is to show. Raises `TypeError` for anything else, such as a stream."""
    if not isinstance(pipeline, Pipeline):
        kind = type(pipeline).__name__
        raise TypeError(f"{view} needs a pipeline, which observe() returns, not {kind}: write observe() around it")
    return pipeline


def promise_of(pipeline: Pipeline, working: Coroutine[Any, Any, None], name: str) -> Promise[None]:
    """Have a task of the pipeline's loop work for a log or a view; return the promise that is settled as it ends."""
    jobs = watched_by(pipeline).jobs
    try:
        jobs.require_running()
    except RuntimeError:
        working.close()
        raise
    task = jobs.loop.create_task(working)
    promise: TaskPromise[None] = TaskPromise(jobs, task, name)
    task.add_done_callback(Settling(promise))
    return promise


class Settling:
    """Settles the promise of a log or a view as its task has ended."""

    __slots__ = ("_promise",)

    def __init__(self, promise: TaskPromise[None]) -> None:
        self._promise = promise

    def __call__(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is None:
            fulfill(self._promise)
        else:
            reject(self._promise, error)
