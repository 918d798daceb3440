"""The readable side of ``generator_transform()``: an asynchronous generator that iterates over what is written.

The generator is stepped by hand (`_engine.pump`). While it waits for nothing but its own input, no promise is made: it
yields its source (`OwnWait`), which reads the next chunk and steps the generator again, as a job, when that has come.
When the event loop comes to run the task of such a call before that, the task waits for an ordinary promise instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import Context
from functools import partial
from typing import Any, ClassVar, Final, Protocol

from ..._engine.callbacks import DEFERRED
from ..._engine.delay import after
from ..._engine.fetching import OwnWait
from ..._engine.jobs import Job, task_of
from ..._engine.promise import END_OF_ITERATION
from ..._engine.promise_state import PromiseState
from ..._engine.pump import Pump
from ..._engine.waiter import PromiseWaiter
from ..._platform.errors import StreamError, throw
from ..part import Part
from ..readable.reader import ReadableStreamDefaultReader, ReadPromise
from ..readable.source import Source
from ..readable.state import ReadRequest
from ..results import READ_DONE, ReadDoneResult, ReadValueResult

# What the generator has done when it was stepped: it waits for its input; it has given something; it waits for
# something else, or will not go on.
ASKS: Final = 0
GAVE: Final = 1
BUSY: Final = 2

# So many jobs later than an item that has been waited for, the pull is done: 1. the reaction to the promise of the
# coroutine that pull() would be settles the one that Web IDL has made of it; 2. the reaction to that. An error that is
# raised at once is told one later: NewPromiseResolveThenableJob comes first.
LATER_TICKS: Final = 2
AT_ONCE_TICKS: Final = 3


class Owner(Protocol):
    """Who made the source."""

    def cancel(self, reason: object) -> Any:
        """Close the generator: a coroutine."""

    def has_ended(self, error: object | None) -> None:
        """The generator has returned, or failed."""


class GeneratorSource(Source, ReadRequest, OwnWait, Part):
    """The underlying source over the generator, and the request of each read of its input."""

    __slots__ = (
        "_chunk",
        "_jobs",
        "_on_given",
        "_on_input",
        "_once",
        "_outcome",
        "_phase",
        "_pump",
        "_target",
        "context",
        "controller",
        "feed",
        "owner",
        "reader",
        "resume",
    )
    # Links and jobs; `_outcome`, which is that of the end or of a wait of the generator's own; and `_phase`, which goes
    # there and back within one job unless the generator waits or has ended (goes_on()).
    _constant: ClassVar[tuple[str, ...]] = (
        "_jobs",
        "_on_given",
        "_on_input",
        "_once",
        "_outcome",
        "_phase",
        "_pump",
        "_target",
        "context",
        "controller",
        "feed",
        "owner",
        "reader",
        "resume",
    )
    _chunk_slots: ClassVar[tuple[str, ...]] = ("_chunk",)

    def __init__(
        self, owner: Owner, reader: ReadableStreamDefaultReader[Any], generator: Any, context: Context
    ) -> None:
        self._jobs = reader._jobs
        self.owner = owner
        # Of the generator's input, and of what it gives.
        self.reader = reader
        self.controller: Any = None
        reader._consumer = self
        self.context = context
        self._pump = Pump(self._jobs, generator, context)
        self._target = _Later(self)
        self._phase = ASKS
        # The chunk that has been read; what there is else: END_OF_ITERATION, an error in a tuple, or the promise that
        # the task of the generator has waited for.
        self._chunk: Any = None
        self._outcome: Any = None
        # Awaiting the source yields it once. (What is known to be a tuple is made anew at each use by compiled code.)
        self._once: Any = (self,)
        self._on_input: Job = self._take_input
        self._on_given: Job | None = None
        # What steps the generator; the fast path puts itself in the place of both to watch.
        self.resume: Callable[[Any], None] = self._resume
        self.feed: Callable[[Any, Any], None] = self._feed

    def stage(self) -> Any:
        """Return the owner, which has the name of the function."""
        return self.owner

    # What the streams call.

    def pull(self, controller: Any) -> Any:
        """Have the generator go on until it has given an item."""
        self.controller = controller
        self.resume(controller)
        self.has_resumed()
        return DEFERRED

    def has_resumed(self) -> None:
        """Do what follows the first step of a pull."""
        if self._phase == GAVE:
            self._phase = ASKS
            self._jobs.push(self.controller._after_completion())
        elif self._phase == ASKS:
            self._ask()

    def _ask(self) -> None:
        reader = self.reader
        stream = reader._stream
        assert stream is not None
        if stream._state == "readable":
            stream._disturbed = True
            stream._controller._pull_steps(self)
        else:
            reader._read(self)

    def chunk_steps(self, chunk: Any) -> None:
        """See `ReadRequest`."""
        self._chunk = chunk
        self._jobs.push(self._on_input)

    def close_steps(self, chunk: Any = None) -> None:
        """See `ReadRequest`."""
        self._outcome = END_OF_ITERATION
        self._jobs.push(self._on_input)

    def error_steps(self, error: object) -> None:
        """See `ReadRequest`."""
        self._outcome = (error,)
        self._jobs.push(self._on_input)

    def _take_input(self) -> None:
        if self._outcome is not None:
            self._jobs.leave_run()
            self._feed(None, self.controller)
        else:
            chunk, self._chunk = self._chunk, None
            self.feed(chunk, self.controller)
        self.was_fed()

    def _ends_with_callback(self, job: Job) -> bool:
        """Tell the fast path that the generator is stepped last."""
        return job == self._on_input

    def was_fed(self) -> None:
        """Do what follows the other steps of a pull."""
        if self._phase == GAVE:
            self._phase = ASKS
            self._jobs.push(self._pull_is_done_later())
        elif self._phase == ASKS:
            self._ask()

    def _pull_is_done_later(self) -> Job:
        if self._on_given is None:
            self._on_given = after(self._jobs, LATER_TICKS - 1, self.controller._on_pull_fulfilled)
        return self._on_given

    def cancel(self, reason: object) -> Any:
        """Close the generator."""
        return self.owner.cancel(reason)

    # Stepping the generator.

    def _resume(self, controller: Any) -> None:
        self._pump.is_stepping = True
        has_given = self._pump.advance()
        self._pump.is_stepping = False
        self._stepped(has_given, AT_ONCE_TICKS)

    def _feed(self, chunk: Any, controller: Any) -> None:
        self._pump.fed = chunk
        self._pump.is_stepping = True
        has_given = self._pump.goes_on()
        self._pump.is_stepping = False
        self._stepped(has_given, LATER_TICKS)

    def _stepped(self, has_given: bool, ticks: int) -> None:
        if has_given:
            item = self._pump.take()
            if item is END_OF_ITERATION:
                self._end()
            else:
                self._give(item)
        elif self._pump.waits_for(self):
            self._pump.expect(self._target)
        else:
            self._jobs.leave_run()
            self._phase = BUSY
            self._target.ticks = ticks
            self._pump.settle_itself(self._target)
            self._target.ticks = LATER_TICKS

    def _give(self, item: Any) -> None:
        run = self._jobs.run
        if run is not None:
            if run.take_more(self.controller, item) or run.take(self.controller, item):
                return
            item = run.intercept(self.controller, item)
        self.put(item)

    def put(self, item: Any) -> None:
        """Put an item into the stream."""
        self._phase = GAVE
        self.controller._enqueue(item)

    def _end(self) -> None:
        self._jobs.leave_run()
        self._phase = BUSY
        self._pump.has_ended()
        self.controller._close()
        self.owner.has_ended(None)

    def came_later(self) -> None:
        """Take what the generator has given after it had to wait."""
        self._jobs.leave_run()
        item = self._pump.take()
        if item is END_OF_ITERATION:
            self._end()
            return
        self._phase = ASKS
        self.controller._enqueue(item)
        self._jobs.push(self._pull_is_done_later())

    def failed(self, error: object, ticks: int = LATER_TICKS) -> None:
        """Error both sides."""
        self._jobs.leave_run()
        self._phase = BUSY
        # What the input was errored with has not arisen here.
        then = self.controller._error if self._is_of_input(error) else self.controller._callback_rejected
        self.owner.has_ended(error)
        self._jobs.push(after(self._jobs, ticks - 1, partial(then, error)))

    def _is_of_input(self, error: object) -> bool:
        stream = self.reader._stream
        if stream is None or stream._state != "errored":
            return False
        stored = stream._stored_error
        return error is stored or (isinstance(error, StreamError) and error.reason is stored)

    def goes_on(self) -> bool:
        """Whether the generator neither waits for something of its own nor has ended."""
        return self._phase != BUSY

    def has_begun(self) -> bool:
        """Whether the generator was asked for an item."""
        return self._pump.has_begun

    def task_under_way(self) -> Any:
        """Return the task in which the generator goes on, if it has not given what it was asked for."""
        return self._pump.task_under_way()

    # What the input of the generator does.

    def may_wait(self) -> bool:
        """Whether the generator itself asks for its next chunk, so that it may await this source."""
        call = self._pump.call
        return self._pump.is_stepping and call is not None and task_of(self._jobs.loop) is call._task

    def __await__(self) -> Iterator[Any]:
        """Wait for the next chunk (`taken`)."""
        self._outcome = None  # of a wait that was cancelled
        return iter(self._once)

    def taken(self) -> Any:
        """Return the chunk that has come; raise the error of the input, or StopAsyncIteration."""
        outcome, self._outcome = self._outcome, None
        if outcome is None:
            chunk, self._pump.fed = self._pump.fed, None
            return chunk
        if isinstance(outcome, ReadPromise):
            result = outcome.result()
            if isinstance(result, ReadDoneResult):
                raise StopAsyncIteration
            return result.value
        if outcome is END_OF_ITERATION:
            raise StopAsyncIteration
        throw(outcome[0])

    def as_waiter(self) -> PromiseWaiter:
        """See `OwnWait`: the read that is under way, or that is done, becomes one of an ordinary promise."""
        jobs, reader = self._jobs, self.reader
        jobs.leave_run()
        self._phase = BUSY
        assert reader._stream is not None
        promise: ReadPromise[Any] = ReadPromise(reader._stream)
        waiter = PromiseWaiter(promise)
        requests = reader._read_requests
        if self in requests:
            requests[requests.index(self)] = promise
            promise._add_reaction(waiter)
        else:
            self._settle_like_input(promise)
            promise._add_reaction(waiter)
            jobs.jobs.remove(waiter)
            jobs.jobs[jobs.jobs.index(self._on_input)] = waiter
        self._outcome = promise
        return waiter

    def _settle_like_input(self, promise: ReadPromise[Any]) -> None:
        outcome, chunk = self._outcome, self._chunk
        self._outcome = self._chunk = None
        if outcome is None:
            promise._fulfill(ReadValueResult(chunk, False))
        elif outcome is END_OF_ITERATION:
            promise._fulfill(READ_DONE)
        else:
            promise._mark_handled()
            promise._reject(outcome[0])


class _Later(PromiseState):
    """Is settled when a generator has gone on that had to wait."""

    __slots__ = ("_source", "ticks")

    def __init__(self, source: GeneratorSource) -> None:
        super().__init__(source._jobs)
        self._source = source
        self.ticks = LATER_TICKS

    def _resolve_with(self, value: Any) -> object:
        self._source.came_later()
        return None

    def _reject(self, reason: object) -> None:
        self._source.failed(reason, self.ticks)
