"""What is put in the place of a callback that is observed: calls it, and counts.

The algorithms of a stream refer to these objects, and these to the callback: they live and end with the stream. A
coroutine function is replaced by a coroutine function and a plain one by a plain one, so that jobs and tasks are those
that there are without it, and the fast path goes on.
"""

from __future__ import annotations

from asyncio import Future
from collections.abc import Callable, Generator, Iterator
from inspect import iscoroutinefunction
from types import CoroutineType, FunctionType, GeneratorType, MethodType
from typing import Any

from .._engine.door import react
from .._engine.promise import Promise, is_awaitable
from .._fastpath.run import PipelineRun
from .._platform.stages import stage_name
from .._streams.door import stream_of, wants_chunks
from .._streams.meter import Meter
from ._counts import BLOCKED, BUSY, STARVED, AskedCounts, Counts, LoadCounts
from ._timing import CLOCK


class Observed:
    """A callback and the counts of its stage."""

    __slots__ = ("counts", "function")

    def __init__(self, function: Any, counts: Any) -> None:
        self.function = function
        self.counts = counts

    @property
    def stage_name(self) -> str:
        """The name of the callback itself, for the notes of errors."""
        return stage_name(self.function)

    def _named(self, method: Any) -> Any:
        """Return a method of this object by the name of the callback: a task that runs it shows that."""
        copy = FunctionType(
            method.__code__, method.__globals__, method.__name__, method.__defaults__, method.__closure__
        )
        copy.__qualname__ = getattr(self.function, "__qualname__", copy.__qualname__)
        return MethodType(copy, self)

    def _alike(self, coroutine: Any, inner: Any) -> Any:
        """Return a coroutine the name of the one that it awaits."""
        coroutine.__qualname__ = getattr(inner, "__qualname__", coroutine.__qualname__)
        return coroutine


class Steps:
    """An awaitable that goes through the steps of a coroutine, or of another awaitable, and measures each of them."""

    __slots__ = ("_observed", "_steps")

    def __init__(self, observed: ObservedCall, steps: Any) -> None:
        self._observed = observed
        self._steps = steps

    def __await__(self) -> Generator[Any, Any, Any]:
        """Pass everything on, both ways."""
        observed, steps = self._observed, self._steps
        counts, timing, read = observed.counts, observed.counts.timing, CLOCK.read
        error: BaseException | None = None
        value: Any = None
        try:
            while True:
                outside, began = timing.enter(), read()
                try:
                    asked = steps.send(value) if error is None else steps.throw(error)
                except StopIteration as stop:
                    return stop.value
                finally:
                    now = read()
                    counts.blame += timing.leave(outside, began, now)
                    error = None
                counts.begin_wait(now)
                try:
                    value = yield asked
                except GeneratorExit:
                    steps.close()
                    raise
                except BaseException as raised:
                    error = raised
                counts.end_wait(read())
        finally:
            observed.finished()


def counting(run: Any) -> Any:
    """Return the run under way, if there is one, in which a callback begins: what it gives is not counted yet."""
    if isinstance(run, PipelineRun):
        run.is_counted = False
    return run


class ObservedCall(Observed):
    """A callback that makes its stage busy, until what it returns is settled.

    `takes` tells that its first argument is a chunk, `gives` that it may enqueue one.
    """

    __slots__ = ("_gives", "_takes")

    def __init__(self, function: Callable[..., Any], counts: Counts, *, takes: bool, gives: bool) -> None:
        super().__init__(function, counts)
        self._takes = takes
        self._gives = gives

    @property
    def replacement(self) -> Callable[..., Any]:
        """What to call in the place of the callback."""
        return self._named(type(self).call_coroutine) if iscoroutinefunction(self.function) else self.call

    def call(self, *arguments: Any) -> Any:
        """Call a plain function."""
        counts = self.counts
        timing, read = counts.timing, CLOCK.read
        run = counting(counts.jobs.run)
        if self._takes:
            counts.takes(arguments[0])
        outside, began = timing.enter(), read()
        counts.enter(BUSY, began)
        try:
            result = self.function(*arguments)
        except BaseException:
            self._has_run(outside, began, run)
            self.finished()
            raise
        now = self._has_run(outside, began, run)
        if result is None:
            self._is_idle(now, run)
            return None
        return self._followed(result, now)

    async def call_coroutine(self, *arguments: Any) -> Any:
        """Call a coroutine function."""
        counts = self.counts
        run = counting(counts.jobs.run)
        if self._takes:
            counts.takes(arguments[0])
        counts.enter(BUSY, CLOCK.read())
        fast = counts.blame
        result = await Steps(self, self.function(*arguments))
        if run is not None and run is counts.jobs.run and isinstance(run, PipelineRun):
            counts.fast += counts.blame - fast
            self._has_given(run)
        return result

    def _has_run(self, outside: float, began: float, run: Any) -> float:
        now = CLOCK.read()
        counts = self.counts
        own = counts.timing.leave(outside, began, now)
        counts.blame += own
        if run is not None and isinstance(run, PipelineRun):
            counts.fast += own
            if run is counts.jobs.run:
                self._has_given(run)
        return now

    def _has_given(self, run: PipelineRun) -> None:
        """Count the chunks that the fast path has taken: no controller has seen them."""
        if self._gives:
            for chunk in run.given_so_far():
                self.counts.gives(chunk)

    def _is_idle(self, now: float, run: Any) -> None:
        counts = self.counts
        counts.enter(counts.idle, now)

    def finished(self) -> None:
        """What was called is over."""
        self._is_idle(CLOCK.read(), self.counts.jobs.run)

    def _followed(self, result: Any, now: float) -> Any:
        """Learn when something that was returned is settled; return what the core has to wait for in its place."""
        if type(result) is CoroutineType:
            return self._alike(self._wait_for(result), result)
        if isinstance(result, Promise):
            self.counts.begin_wait(now)
            react(result, self._settled, self._settled)
        elif isinstance(result, Future):
            self.counts.begin_wait(now)
            result.add_done_callback(self._settled)
        elif is_awaitable(result):
            return Steps(self, result.__await__())
        else:
            self.finished()
        return result

    async def _wait_for(self, coroutine: Any) -> Any:
        return await Steps(self, coroutine)

    def _settled(self, _: Any = None) -> None:
        self.counts.end_wait(CLOCK.read())
        self.finished()


class ObservedPull(ObservedCall):
    """The ``pull()`` of a source: if it has given nothing, the chunk that is wanted comes later."""

    __slots__ = ("_before", "_controller")

    def __init__(self, function: Callable[..., Any], counts: Counts, controller: Any) -> None:
        super().__init__(function, counts, takes=False, gives=True)
        self._controller = controller
        # How many chunks it had given when it was called last.
        self._before = 0

    def gave_later(self) -> None:
        """A chunk has come that a call had not given: it is not one of the next call."""
        self._before = self.counts.chunks_out

    def _is_idle(self, now: float, run: Any) -> None:
        counts = self.counts
        has_given = counts.chunks_out != self._before
        self._before = counts.chunks_out
        counts.enter(BLOCKED if run is not None or has_given else idle_state(self._controller), now)


class SourceMeter(Meter):
    """What a source's controller tells of its chunks. They may come at any time, if it has no ``pull()``."""

    __slots__ = ("_controller", "counts", "pull")

    def __init__(self, counts: Counts, controller: Any, pull: ObservedPull | None) -> None:
        self.counts = counts
        self.pull = pull
        self._controller = controller

    def chunk_is_put(self, chunk: Any) -> None:
        """See `Meter`."""
        counts = self.counts
        counts.chunk_is_put(chunk)
        if counts.state == BUSY:
            return
        if self.pull is None:
            self.settle()
        else:
            self.pull.gave_later()
            counts.enter(BLOCKED, CLOCK.read())

    def bytes_are_put(self, count: int) -> None:
        """See `Meter`."""
        self.counts.bytes_are_put(count)

    def settle(self) -> None:
        """Find out what the source was up to now: it does nothing, and nobody tells of what others take."""
        self.counts.state = idle_state(self._controller)
        self.counts.enter(BLOCKED, CLOCK.read())


class ObservedItemPull(Observed):
    """Asks an asynchronous iterable, the source over which is `function`; that is busy until its item is there."""

    __slots__ = ()

    @property
    def stage_name(self) -> str:
        """The name of the iterable."""
        return stage_name(self.function.stage())

    def call(self, controller: Any) -> Any:
        """pullAlgorithm"""
        counts, read = self.counts, CLOCK.read
        outside, began = counts.timing.enter(), read()
        counts.enter(BUSY, began)
        try:
            return self.function.pull(controller)
        finally:
            now = read()
            counts.blame += counts.timing.leave(outside, began, now)
            if counts.state == BUSY:
                counts.begin_wait(now)


class ItemMeter(Meter):
    """Hears of the items that an asynchronous iterable gives."""

    __slots__ = ("counts",)

    def __init__(self, counts: Counts) -> None:
        self.counts = counts

    def chunk_is_put(self, chunk: Any) -> None:
        """See `Meter`."""
        counts, now = self.counts, CLOCK.read()
        counts.chunk_is_put(chunk)
        counts.end_wait(now)
        counts.enter(BLOCKED, now)


def idle_state(controller: Any) -> int:
    """Return the state of a source that does nothing."""
    return STARVED if wants_chunks(controller) else BLOCKED


# Pairs and operators, which work when they are read.


class ObservedAsk(Observed):
    """The ``pull()`` of what works when it is read."""

    __slots__ = ()

    def call(self, controller: Any) -> Any:
        """Note that a chunk is wanted."""
        counts: AskedCounts = self.counts
        run = counting(counts.jobs.run)
        counts.asked()
        outside, began = counts.timing.enter(), CLOCK.read()
        try:
            return self.function(controller)
        finally:
            own = counts.timing.leave(outside, began, CLOCK.read())
            if counts.has_input is not None:
                counts.blame += own
            if run is not None and isinstance(run, PipelineRun) and run is counts.jobs.run:
                for chunk in run.given_so_far():
                    counts.gives(chunk)
                    counts.has_put()


class ObservedTaking(Observed):
    """What is told of the chunks of several inputs."""

    __slots__ = ()

    def call(self, source: Any, chunk: Any) -> Any:
        """Count a chunk that has come."""
        self.counts.takes(chunk)
        return self.function(source, chunk)


class ObservedPairWrite(Observed):
    """The ``write()`` and the ``close()`` of a pair of streams around one thing."""

    __slots__ = ("_takes",)

    def __init__(self, function: Callable[..., Any], counts: AskedCounts, *, takes: bool) -> None:
        super().__init__(function, counts)
        self._takes = takes

    def call(self, *arguments: Any) -> Any:
        """Note that there is something to work on."""
        counts: AskedCounts = self.counts
        if self._takes:
            counts.takes(arguments[0])
        counts.took(True)
        outside, began = counts.timing.enter(), CLOCK.read()
        try:
            result = self.function(*arguments)
        except BaseException:
            counts.took(False)
            raise
        finally:
            counts.blame += counts.timing.leave(outside, began, CLOCK.read())
        return self._followed(result)

    def _followed(self, result: Any) -> Any:
        if isinstance(result, Promise):
            react(result, self._settled, self._settled)
        elif type(result) is CoroutineType:
            return self._alike(self._wait_for(result), result)
        else:
            self._settled()
        return result

    async def _wait_for(self, coroutine: Any) -> Any:
        try:
            return await coroutine
        finally:
            self._settled()

    def _settled(self, _: Any = None) -> None:
        self.counts.took(False)


class ObservedStep(ObservedCall):
    """The function of an operator; what a generator of ``flat_map()`` does later counts, too."""

    __slots__ = ()

    def __init__(self, function: Callable[..., Any], counts: Counts) -> None:
        super().__init__(function, counts, takes=True, gives=False)

    def _followed(self, result: Any, now: float) -> Any:
        if type(result) is GeneratorType:
            self._is_idle(now, None)
            return Items(self, result)
        return super()._followed(result, now)


class Items:
    """The items of a generator, each of which takes time."""

    __slots__ = ("_items", "_observed")

    def __init__(self, observed: ObservedCall, items: Any) -> None:
        self._observed = observed
        self._items = items

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        """Return the next item."""
        counts = self._observed.counts
        outside, began = counts.timing.enter(), CLOCK.read()
        counts.enter(BUSY, began)
        try:
            return next(self._items)
        finally:
            now = CLOCK.read()
            counts.blame += counts.timing.leave(outside, began, now)
            counts.enter(counts.idle, now)

    def close(self) -> None:
        """Close the generator."""
        self._items.close()


class ObservedItems(Observed):
    """In the place of an iterator that a chain of operators takes its chunks from without the stream between."""

    __slots__ = ("_observed",)

    def __init__(self, iterator: Any, counts: Counts) -> None:
        super().__init__(iterator, counts)
        self._observed = Items(self, iterator)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        """Return the next chunk, and count it."""
        chunk = next(self._observed)
        self.counts.gives(chunk)
        return chunk

    def close(self) -> None:
        """Close the iterator, if it can be closed."""
        close = getattr(self.function, "close", None)
        if close is not None:
            close()


class ObservedReader:
    """The reader of the function of ``generator_transform()``: while it waits for a chunk, that has nothing to do."""

    __slots__ = ("_counts", "_reader")

    def __init__(self, reader: Any, counts: Counts) -> None:
        self._reader = reader
        self._counts = counts

    @property
    def stream(self) -> Any:
        """The stream that is read; None when the lock is released."""
        return stream_of(self._reader)

    def read(self) -> Any:
        """Read a chunk."""
        promise = self._reader.read()
        if promise.done():
            self._is_there(promise.result())
        else:
            self._counts.enter(STARVED, CLOCK.read())
            react(promise, self._is_there, self._has_failed)
        return promise

    def _is_there(self, result: Any) -> None:
        if not result.done:
            self._counts.takes(result.value)
        self._has_failed()

    def _has_failed(self, _: object = None) -> None:
        if self._counts.state == STARVED:
            self._counts.enter(BUSY, CLOCK.read())

    def cancel(self, reason: object) -> Any:
        """Cancel the stream."""
        return self._reader.cancel(reason)


class ObservedCalls(Observed):
    """A function of which several calls run at a time."""

    __slots__ = ("_takes",)

    def __init__(self, function: Callable[..., Any], counts: LoadCounts, *, takes: bool) -> None:
        super().__init__(function, counts)
        self._takes = takes

    async def call(self, chunk: Any) -> Any:
        """Call it."""
        counts: LoadCounts = self.counts
        if self._takes:
            counts.takes(chunk)
        counts.begin()
        try:
            return await self.function(chunk)
        finally:
            counts.end()
