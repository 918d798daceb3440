"""ReadableStreamPipeTo: reads from one stream and writes to another, as fast as the slower of both (4.9.1).

The loop goes in jobs: wait for `ready` -> read -> write -> wait for `ready` again. It queues exactly the jobs that the
promises of the reference implementation would queue, in the same order:

    _step         the reaction to the promise of the last step: begins the next one
    read_next     the reaction to writer.[[readyPromise]]: reads, and resolves the step's promise with that of the read
    _adopted      NewPromiseResolveThenableJob: calls then() of the promise of the read
    _hop          the reaction to that, as soon as there is a chunk: fulfills the promise of the step
    _write_chunk  stands for no promise: writes a chunk that came inside the source's enqueue(), which must not call the
                  sink

A sink of the library's own may take chunks at once (`UnderlyingSink.take_at_once`). Nothing is written then, nothing is
waited for, and the promises of the read have no jobs: `_step` follows the chunk, and goes on with the next read. The
items of an iterator have no jobs at all, as long as nothing else is to be done between two of them (`taking`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from ..._debug.repr import summary
from ..._engine.jobs import Job
from ..._engine.loop_end import UnderWay
from ..._engine.promise import Promise, promise_resolved_with, wait_for_all
from ..._engine.run import Policy, Trigger
from ..._engine.settling import Settled
from ..._engine.waiter import PromiseWaiter
from ..._platform.errors import AbortError, LoopEndedError
from ..abort import AbortSignal
from ..holder import LockHolder
from ..part import Part
from ..writable.sink import UnderlyingSink
from ..writable.state import WritableStreamState
from ..writable.writer import WritableStreamDefaultWriter
from .leaving import ENDS, leave_with
from .pipe_ending import Ending
from .reader import ReadableStreamDefaultReader
from .state import ReadableStreamState, ReadRequest
from .taking import Taker
from .whole import begin_whole, may_be_whole

Action = Callable[[], Promise[Any]]


class PipeOptions:
    """Web IDL's StreamPipeOptions, converted in the order of the names."""

    __slots__ = ("prevent_abort", "prevent_cancel", "prevent_close", "signal")

    def __init__(self, prevent_abort: Any, prevent_cancel: Any, prevent_close: Any, signal: Any) -> None:
        self.prevent_abort = bool(prevent_abort)
        self.prevent_cancel = bool(prevent_cancel)
        self.prevent_close = bool(prevent_close)
        if signal is not None and not isinstance(signal, AbortSignal):
            raise TypeError(f"the signal must be an AbortSignal or None, not {type(signal).__name__}")
        self.signal = signal


class PipePromise(Promise[None]):
    """The promise of ``pipe_to()``: cancelling the only task that awaits it ends the pipe, and waits until that is
    done.

    # Python: JavaScript has no cancellation. A pipe that went on without its task is one that nobody could stop, and a
    # sink that never finishes a write must not hold up the end of the task: so that write is not waited for.
    """

    __slots__ = ("_pipe",)

    def __init__(self, pipe: Pipe) -> None:
        super().__init__(pipe.source._jobs)
        self._pipe = pipe

    def _origin(self) -> tuple[object, ...]:
        return "pipe_to() from", self._pipe.source, "into", self._pipe.dest

    def _drop_waiter(self, waiter: Job) -> bool:
        if [each for each in self._list_reactions() if type(each) is PromiseWaiter] != [waiter]:
            return super()._drop_waiter(waiter)
        self._mark_handled()
        end = partial(self._pipe.end_now, AbortError("the task that awaited pipe_to() was cancelled"))
        if self._jobs.is_running():
            end()
        else:
            self._jobs.push(end)  # asyncio cancels all tasks before it runs the loop for the last time
        return False


class Pipe(ReadRequest, Settled, Trigger, Part):
    """One pipe; its own read request, and the write request of all its writes.

    # Python: the Standard says what a pipe must do, and leaves the order of reads and writes open. This one takes the
    # order of the reference implementation, job for job, without its promises.
    """

    __slots__ = (
        "_action",
        "_after_writes",
        "_chunk",
        "_ending",
        "_fed",
        "_has_read",
        "_is_adopted",
        "_is_stage",
        "_pending_writes",
        "_policy",
        "_reading_from_queue",
        "_ready",
        "_registration",
        "_source_has_ended",
        "_taker",
        "_trace_handle",
        "_waits_for_others",
        "dest",
        "options",
        "promise",
        "reader",
        "shutting_down",
        "source",
        "writer",
    )
    # Links; and what moves at the end only, when there are no periods any more.
    _constant: ClassVar[tuple[str, ...]] = (
        "_action",
        "_after_writes",
        "_ending",
        "_fed",
        "_is_stage",
        "_policy",
        "_ready",
        "_source_has_ended",
        "_taker",
        "_trace_handle",
        "_waits_for_others",
        "_registration",
        "dest",
        "options",
        "promise",
        "reader",
        "shutting_down",
        "source",
        "writer",
    )
    _chunk_slots: ClassVar[tuple[str, ...]] = ("_chunk",)

    def __init__(
        self,
        source: ReadableStreamState[Any],
        dest: WritableStreamState[Any],
        options: PipeOptions,
    ) -> None:
        self.source = source
        self.dest = dest
        self.options = options
        self.reader = ReadableStreamDefaultReader(source)
        self.reader._holder = LockHolder("a pipe into", dest)
        self.reader._consumer = self
        self.writer = WritableStreamDefaultWriter(dest)
        self.writer._holder = LockHolder("a pipe from", source)
        self.writer._feeder = self
        self.shutting_down = False
        self.promise = PipePromise(self)
        # Ours, shared with `piped_writes`: writes that the sink has not finished.
        self._pending_writes = 0
        # Ours: what waits for their end.
        self._after_writes: Callable[[], object] | None = None
        # Ours: the promise of the action under way, and whether the reader of another branch of a tee settles it;
        # what ends the pipe at once, and the readable side of the pair whose writable side is the destination.
        self._action: Promise[Any] | None = None
        self._waits_for_others = False
        self._ending: Ending | None = None
        self._fed: ReadableStreamState[Any] | None = None
        self._is_stage = False
        # Made when it is needed.
        self._ready: _ReadyHook | None = None
        # A chunk that was not in the queue when it was read is written a job later.
        self._reading_from_queue = False
        # Where the promise of the read is in its way (see above).
        self._has_read = False
        self._is_adopted = False
        # The source was closed or errored before, with chunks left that were taken back from cancelled reads.
        self._source_has_ended = False
        self._chunk: Any = None
        # What gives the sink chunks that it may take at once.
        self._taker: Taker | None = None
        # What decides whether a read takes the fast path, if this pipe may begin a period; and what that keeps of it.
        self._policy: Policy | None = None
        self._trace_handle: object = None
        # How the end of the event loop knows of the pipe.
        self._registration: object = UnderWay(self, source._jobs.end.pipes)

    def start(self) -> Promise[None]:
        """Begin; give the promise for the end."""
        self.source._disturbed = True
        if self.options.signal is not None:
            if self.options.signal.aborted:
                self._abort_algorithm()
                return self.promise
            self.options.signal._add_algorithm(self._abort_algorithm, self.source._jobs)
        self._watch()
        write_watch = self.dest._controller._write_watch
        if write_watch is not None and not self.shutting_down:
            write_watch.pipe_was_started(self.source, self.dest)
        if may_be_whole(self):
            self.source._jobs.push(self._begin_whole)
        else:
            self._begin()
        return self.promise

    def _begin(self) -> None:
        if not self.shutting_down:
            controller: Any = self.dest._controller
            sink = controller._sink
            if isinstance(sink, UnderlyingSink) and sink.take_at_once is not None:
                self._taker = Taker(self, sink)
                self._taker.begin()
                self.source._jobs.push(self._step)
                return
            self._enter_fast_path()
        self._step()

    def _begin_whole(self) -> None:
        self.source._jobs.leave_run()
        if not begin_whole(self):
            self._begin()

    def _enter_fast_path(self) -> None:
        policy = self.source._jobs.find_policy()
        if policy is not None:
            self._trace_handle = policy.enter(self)
            if self._trace_handle is not None:
                self._policy = policy

    # The ends.

    def _watch(self) -> None:
        """Errors and closing are propagated both ways, in this order."""
        source, dest = self.source, self.dest
        self._source_has_ended = bool(source._returned)
        if self._source_has_ended:
            pass  # chunks that were taken back are piped before the end, which the reads will tell
        elif source._state == "errored":
            self.source_errored(source._stored_error)
        elif source._state == "readable":
            self.reader._closed_promise = _SourceHook(self)
        if dest._state == "errored":
            self.dest_errored(dest._stored_error)
        elif dest._state != "closed":
            self.writer._closed_promise = _DestHook(self)
        if not self._source_has_ended and source._state == "closed":
            self.source_closed()
        if dest._close_queued_or_in_flight() or dest._state == "closed":
            self._dest_closed()

    def source_errored(self, error: object) -> None:
        """Errors must be propagated forward."""
        if self.options.prevent_abort:
            self._shutdown(error)
        else:
            self._shutdown_with_action(partial(self.dest._abort, error), error)

    def dest_errored(self, error: object) -> None:
        """Errors must be propagated backward."""
        if self.options.prevent_cancel:
            self._shutdown(error)
        else:
            self._shutdown_with_action(partial(self.source._cancel, error), error)

    def source_closed(self) -> None:
        """Closing must be propagated forward."""
        if self.options.prevent_close:
            self._shutdown()
        else:
            self._shutdown_with_action(self.writer._close_with_error_propagation)

    def _dest_closed(self) -> None:
        error = TypeError("the destination of the pipe was closed before everything was written to it")
        self.dest_errored(error)

    def _abort_algorithm(self) -> None:
        assert self.options.signal is not None
        self.source._jobs.require_running()
        self.abort_with(self.options.signal.reason)

    def abort_with(self, error: object) -> None:
        """Stop the pipe as an abort of its signal does."""
        self._shutdown_with_action(partial(self._abort_both, error), error)

    def feed(self, readable: Any) -> None:
        """The pipe was made by ``pipe_through()``: what reads `readable` ends it, and tells of it."""
        self._is_stage = True
        if isinstance(readable, ReadableStreamState) and not self.promise.done():
            self._fed = readable
            readable._fed_by = self

    def end_now(self, error: object) -> None:
        """End the pipe and those that lead to it without waiting for writes that are under way."""
        if self._ending is not None or self.promise.done():
            return
        jobs = self.source._jobs
        jobs.leave_run()
        self.shutting_down = True
        self._after_writes = None
        self._ending = Ending(partial(self.finish, (error,)))
        self._ending.add(None if self._waits_for_others else self._action)
        if not self.options.prevent_abort and not self.dest._is_closed_or_errored():
            self._ending.add(self.dest._abort_at_once(error))
        if not self.options.prevent_cancel:
            if self.source._state == "readable":
                self._ending.add(leave_with(jobs, ENDS, self.source._cancel, error))
            if self.source._fed_by is not None:
                self._ending.add(self.source._fed_by.end_with(error))
        if self.options.prevent_abort:
            # A chunk that waits for its job is handed over, too.
            jobs.push(self._release) if self._has_unwritten_chunk() else self._release()
        jobs.push(self._ending.done)

    def _cut_off(self, error: LoopEndedError, is_late: bool) -> Promise[None] | None:
        """The event loop has ended: end without becoming complete, unless everything is written."""
        is_complete = self.dest._in_flight_close_request is not None and not is_late
        if not is_complete and not self.promise.done() and self._ending is None:
            if not self._is_stage:
                self.source._jobs.report(self._cut_off_message(), error)
            self.promise._mark_handled()
            self.options.prevent_abort = self.options.prevent_cancel = False
            self.end_now(error)
        return self.promise

    def _give_up(self) -> None:
        if self._ending is not None:
            self._ending.give_up()

    def _cut_off_message(self) -> str:
        into = f"{summary(self.dest)}{self.dest._controller._show_sink()}"
        return (
            f"pipe_to() from {summary(self.source)} into {into} was cut off by the end of the event loop before "
            "everything was written: await it to its end"
        )

    def end_with(self, error: object) -> Promise[None]:
        """End the pipe because what it leads to has been ended at once."""
        self.end_now(error)
        return self.promise

    def _has_unwritten_chunk(self) -> bool:
        """Whether a chunk was read for which the job that writes it has not come."""
        dest = self.dest
        handed_over = [dest._in_flight_write_request, *(dest._write_requests or ())]
        return self._pending_writes > sum(each is self for each in handed_over)

    def _abort_both(self, error: object) -> Promise[Any]:
        jobs = self.source._jobs
        promises = []
        if not self.options.prevent_abort:
            writable = self.dest._state == "writable"
            promises.append(self.dest._abort(error) if writable else promise_resolved_with(jobs))
        if not self.options.prevent_cancel:
            readable = self.source._state == "readable"
            promises.append(self.source._cancel(error) if readable else promise_resolved_with(jobs))
        return wait_for_all(jobs, promises)

    # The loop.

    def _step(self) -> None:
        """Go on as soon as the destination wants more."""
        if self.shutting_down:
            return
        dest = self.dest
        if dest._state != "writable":
            return
        if dest._backpressure and dest._close_request is None and dest._in_flight_close_request is None:
            if self._ready is None:
                self._ready = _ReadyHook(self)
            self.writer._ready_promise = self._ready
        elif self._taker is not None:
            self.read_next()
        else:
            self.source._jobs.push(self.read_next)

    def read_next(self) -> None:
        """Read a chunk, now that the destination is ready."""
        if self.shutting_down or self.reader._stream is None:
            return
        policy = self._policy
        if policy is None or not policy.takes_over(self):
            self.read_plainly()

    def read_plainly(self) -> None:
        """Read a chunk by the steps of the Standard."""
        self._is_adopted = False
        self._has_read = False
        self._reading_from_queue = self.source._controller._has_queued()
        self.reader._read(self)
        self.read_is_under_way()

    def read_is_under_way(self) -> None:
        """The read has been asked for, and perhaps answered: its promise is adopted."""
        self._reading_from_queue = False
        if self._taker is None:
            self.source._jobs.push(self._adopted)
        elif not self._has_read:
            self._is_adopted = True
        else:
            self.source._jobs.push(self._hop if self._pending_writes else self._step)

    def chunk_steps(self, chunk: Any) -> None:
        """Write the chunk; not while the source is calling ``enqueue()``, which must not call the sink."""
        self._has_read = True
        if self._taker is not None and self._taker.takes(chunk):
            if self._is_adopted:
                self.source._jobs.push(self._step)
            return
        self._pending_writes += 1
        if self._reading_from_queue:
            self.writer._write(chunk, self)
        else:
            self._chunk = chunk
            self.source._jobs.push(self._write_chunk)
        if self._is_adopted:
            self.source._jobs.push(self._hop)

    def _write_chunk(self) -> None:
        chunk, self._chunk = self._chunk, None
        if self.writer._stream is not None:  # else the destination was errored, and the pipe has ended
            self.writer._write(chunk, self)

    def _adopted(self) -> None:
        self._is_adopted = True
        if self._has_read:
            self.source._jobs.push(self._hop)

    def _hop(self) -> None:
        self.source._jobs.push(self._step)

    def _ends_with_callback(self, job: Job) -> bool:
        """Tell the fast path that the sink is called last."""
        return job == self._write_chunk

    def close_steps(self, chunk: Any = None) -> None:
        """The closed promise tells it, too, unless the source had ended before."""
        if self._source_has_ended:
            self.source_closed()

    def error_steps(self, error: object) -> None:
        """The closed promise tells it, too, unless the source had ended before."""
        if self._source_has_ended:
            self.source_errored(error)

    # The writes: a pipe is the request of each of them.

    def _fulfill(self, value: Any) -> None:
        """The sink has finished a chunk."""
        self._pending_writes -= 1
        if self._pending_writes == 0 and self._after_writes is not None:
            self.source._jobs.push(self._writes_are_finished)

    def _reject(self, reason: object) -> None:
        """A chunk was not written: the destination is errored."""
        self._fulfill(None)

    def _writes_are_finished(self) -> None:
        if self._pending_writes == 0 and self._after_writes is not None:
            action, self._after_writes = self._after_writes, None
            self.source._jobs.push(partial(self.source._jobs.push, action))

    # Shutting down.

    def _shutdown_with_action(self, action: Action, *error: object) -> None:
        """Shutdown with an action; `error` is empty or the original error."""
        self._begin_shutdown(partial(self._perform, action, error))

    def _shutdown(self, *error: object) -> None:
        """Shutdown; `error` is empty or the error."""
        self._begin_shutdown(partial(self._finalize, error))

    def _begin_shutdown(self, then: Callable[[], object]) -> None:
        # A read that is under way takes a chunk that is never written (docs/differences.md), as the Standard has it:
        # the change of whatwg/streams#1208, which releases the reader when the shutdown begins, goes here.
        if self.shutting_down:
            return
        self.shutting_down = True
        if self.dest._state == "writable" and not self.dest._close_queued_or_in_flight():
            self._after_writes = then
            if self._pending_writes == 0:
                self._writes_are_finished()
        else:
            then()

    def _perform(self, action: Action, error: tuple[object, ...]) -> None:
        if self._ending is None:
            jobs = self.source._jobs
            half_cancels = jobs.half_cancels
            self._action = action()
            self._waits_for_others = jobs.half_cancels != half_cancels
            self._action._react(partial(self._action_fulfilled, error), self._action_rejected)

    def _action_fulfilled(self, error: tuple[object, ...], _: Any) -> None:
        self._finalize(error)

    def _action_rejected(self, new_error: object) -> None:
        self._finalize((new_error,))

    def _finalize(self, error: tuple[object, ...]) -> None:
        """Finalize, unless that is up to `end_now`."""
        if self._ending is None and not self.promise.done():
            self.finish(error)

    def finish(self, error: tuple[object, ...]) -> None:
        """Finalize: both locks are free before the promise is settled."""
        self._release()
        fed, self._fed = self._fed, None
        if fed is not None:
            fed._fed_by = None
        self._ending = self._action = self._registration = None
        if self._policy is not None:
            self._policy.exit(self._trace_handle)
            self._policy = self._trace_handle = None
        if self.options.signal is not None:
            self.options.signal._remove_algorithm(self._abort_algorithm)
        if error:
            self.promise._reject(error[0])
        else:
            self.promise._fulfill(None)

    def _release(self) -> None:
        if self._taker is not None:
            self._taker.end()
            self._taker = None
        if self.writer._stream is not None:
            # Nobody has looked at their promises, and nobody will.
            self.writer._ready_promise = self.writer._closed_promise = self.reader._closed_promise = None
            self.writer._release()
            self.reader._release()


class _Hook(Promise[None]):
    """Stands in for a promise of the pipe's reader or writer, at which nobody but the pipe can look.

    It is in place only while the promise would be pending, and has no state: it is told of the end, and that is all.
    """

    __slots__ = ("_pipe",)

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe

    def done(self) -> bool:
        """It is pending while it is in place."""
        return False

    def _mark_handled(self) -> None:
        """The pipe has its own way to see errors."""


class _ReadyHook(_Hook):
    """Stands in for the writer's ready promise."""

    __slots__ = ()

    def _fulfill(self, value: Any) -> None:
        self._pipe.source._jobs.push(self._pipe.read_next)

    def _reject(self, reason: object) -> None:
        """The loop ends; the writer's closed promise tells why."""


class _SourceHook(_Hook):
    """Stands in for the reader's closed promise, with the pipe's reactions to it."""

    __slots__ = ()

    def _fulfill(self, value: Any) -> None:
        self._pipe.source._jobs.push(partial(self._pipe.source_closed))  # not a job of the pipe's periods

    def _reject(self, reason: object) -> None:
        self._pipe.source._jobs.push(partial(self._pipe.source_errored, reason))


class _DestHook(_Hook):
    """Stands in for the writer's closed promise, with the pipe's reaction to it."""

    __slots__ = ()

    def _fulfill(self, value: Any) -> None:
        """The pipe itself has closed the destination."""

    def _reject(self, reason: object) -> None:
        self._pipe.source._jobs.push(partial(self._pipe.dest_errored, reason))
