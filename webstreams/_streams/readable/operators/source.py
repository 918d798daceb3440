"""What an operator gives: a stream with a high-water mark of 0, which asks its chain when it is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...._engine.callbacks import DEFERRED, callback_failed
from ...._engine.promise import AlgorithmPromise, Promise
from ...._platform.errors import goes_through
from ...._platform.idl import INTERNAL
from ...holder import LockHolder
from ..controller import ReadableStreamDefaultController
from ..reader import ReadableStreamDefaultReader, require_unlocked
from ..source import UnderlyingSource
from ..state import ReadableStreamState, ReadRequest
from .chain import Chain
from .marks import WAITING
from .receiver import Receiver


class OperatorController(ReadableStreamDefaultController[Any]):
    """The controller of such a stream: a read that finds nothing asks the operator, without the steps between."""

    __slots__ = ()

    def _pull_steps(self, read_request: ReadRequest) -> None:
        """[[PullSteps]]

        A chunk that the operator has at once goes to the read at once, and no job is queued for the end of a pull: only
        who makes a stream could see that, and this one is made by the library.
        """
        stream, source = self._stream, self._source
        reader = stream._reader
        if (
            self._pulling
            or self._queue.chunks
            or not self._can_pull
            or self._jobs.run is not None
            or reader is None
            or reader._read_requests
            or self._meter is not None
            or not isinstance(source, OperatorSource)
        ):
            queue = self._queue
            is_told = bool(queue.chunks) and queue.total < queue.plenty  # as where the calls are left out
            super()._pull_steps(read_request)
            if is_told and isinstance(source, OperatorSource):
                source.result_was_taken()
            return
        reader._read_requests.append(read_request)
        self._pulling = True
        source.is_asked_directly = True
        try:
            source.ask()
        except BaseException as error:
            callback_failed(self, self._jobs, error)
            if goes_through(error):
                raise
        finally:
            source.is_asked_directly = False

    def _collect_steps(self, take: Callable[[Any], object]) -> None:
        """Ours: have the chunks taken that the operator gives at once, as by reads that are awaited one by one."""
        jobs, source = self._jobs, self._source
        if self._pulling:
            self._complete_pull()
        if (
            self._pulling
            or self._queue.chunks
            or not self._can_pull
            or jobs.run is not None
            or jobs.jobs
            or self._meter is not None
            or not isinstance(source, ChainSource)
            or not jobs.may_run_jobs()
            or not jobs.takes_many()
        ):
            return
        self._stream._disturbed = True
        source.collect(take)

    def _complete_pull(self) -> None:
        """Let the last pull end now, if that is the only job: it asks for nothing more, as nobody waits for a chunk."""
        queued, reader = self._jobs.jobs, self._stream._reader
        if len(queued) == 1 and queued[0] is self._on_pull_fulfilled and reader is not None:
            if not reader._read_requests:
                queued.clear()
                self._pulling = self._pull_again = False

    def _put_ready(self) -> None:
        """Queue what the operator has made already of the chunk that it took: a read finds it sooner there."""
        source = self._source
        if self._meter is not None or not isinstance(source, ChainSource) or source.chain is None:
            return
        ready = source.chain.take_ready()
        queue, reader = self._queue, self._stream._reader
        is_waited_for = reader is not None and reader._read_requests
        if self._jobs.run is None and not is_waited_for and queue.sizes is None and queue.total >= self._strategy_hwm:
            if self._can_close_or_enqueue():
                queue.chunks.extend(ready)  # _enqueue(), without the calls: nobody is asked for more
                queue.total += len(ready)
            return
        run = self._jobs.run
        if run is not None and self._can_close_or_enqueue():
            taken = run.take_many(self, ready)  # not within the brackets: mypyc would call it twice there
            ready = ready[taken:]
        for chunk in ready:
            if not self._can_close_or_enqueue():
                return
            if self._jobs.run is None:
                self._enqueue(chunk)
            else:
                self.enqueue(chunk)

    def take(self, chunk: Any) -> None:
        """Give a chunk to the read that has asked for it."""
        self._pulling = False
        reader = self._stream._reader
        if reader is None or not reader._read_requests:
            self._enqueue(chunk)  # the read was withdrawn meanwhile
            return
        read_request = reader._read_requests.popleft()
        source = self._source
        if isinstance(source, OperatorSource) and source.makes_many and not reader._read_requests:
            self._put_ready()
        read_request.chunk_steps(chunk)
        if self._pull_again or reader._read_requests:
            self._pull_again = False
            self._call_pull_if_needed()


class OperatorSource(UnderlyingSource):
    """The source of such a stream: gives one chunk, now or later, for each pull."""

    __slots__ = ("_controller", "_is_pulling", "_jobs", "_promise", "chain", "is_asked_directly", "makes_many")

    def __init__(self, stream: ReadableStreamState[Any]) -> None:
        super().__init__({"pull": self._pull, "cancel": self.cancel_steps})
        self._jobs = stream._jobs
        # The chain that gives the chunks, if one does; None when it goes on behind this stream.
        self.chain: Chain | None = None
        self.is_asked_directly = False
        # Whether there may be more than the one chunk that is given (`Chain.take_ready`).
        self.makes_many = False
        self._controller: Any = OperatorController(INTERNAL, stream, self, 0, None)
        self._is_pulling = False
        self._promise: Promise[Any] | None = None

    def ask(self) -> None:
        """Somebody reads: have `give`, `end` or `fail` called once."""
        raise NotImplementedError

    def result_was_taken(self) -> None:
        """A read has taken a chunk out of the queue, which did not have plenty."""

    def cancel_steps(self, reason: object) -> Any:
        """Nobody wants the rest."""
        raise NotImplementedError

    def _pull(self, controller: Any) -> Any:
        chain = self.chain
        if chain is not None and chain.reads_stream and chain.is_fed():
            chain.ask()  # nothing is done after it: the source of the stream may be called
            return DEFERRED
        self._is_pulling = True
        # A pipeline on the fast path wants a promise of what comes later.
        wants_promise = self._jobs.run is not None
        self.ask()
        if not self._is_pulling:
            return None
        self._is_pulling = False
        if not wants_promise:
            return DEFERRED
        self._promise = AlgorithmPromise(self._jobs)
        return self._promise

    def give(self, chunk: Any) -> None:
        """Put a chunk into the stream."""
        if self.is_asked_directly:
            self.is_asked_directly = False
            self._controller.take(chunk)
            return
        if self._jobs.run is None:
            self._controller._enqueue(chunk)
        else:
            self._controller.enqueue(chunk)
        if self.makes_many:
            self._controller._put_ready()
        self._has_pulled()

    def end(self) -> None:
        """Close the stream."""
        self._jobs.leave_run()
        self._controller._close()
        self._has_pulled()

    def fail(self, error: object) -> None:
        """Error the stream."""
        self._jobs.leave_run()
        self._controller._error(error)

    def _has_pulled(self) -> None:
        if self._is_pulling:
            self._is_pulling = False
        elif self._promise is not None:
            promise, self._promise = self._promise, None
            promise._fulfill(None)
        elif self._controller._pulling:
            self._jobs.push(self._controller._on_pull_fulfilled)


class ChainSource(OperatorSource, Receiver):
    """The source over a chain."""

    __slots__ = ("_failure", "_held", "_take")

    def __init__(self, chain: Chain, stream: ReadableStreamState[Any]) -> None:
        # What takes the chunks while they are collected, what it has raised, and a chunk that it has to wait for.
        self._take: Callable[[Any], object] | None = None
        self._failure: BaseException | None = None
        self._held: Any = WAITING
        super().__init__(stream)
        self.chain = chain
        self.makes_many = chain.makes_many()
        chain.give_to(self, self._controller)

    def ask(self) -> None:
        """See `OperatorSource`."""
        assert self.chain is not None
        self.chain.ask()

    def cancel_steps(self, reason: object) -> Any:
        """See `OperatorSource`."""
        return None if self.chain is None else self.chain.cancel(reason)

    def collect(self, take: Callable[[Any], object]) -> None:
        """Have the chunks taken that come at once; raises what `take` raises."""
        jobs, chain = self._jobs, self.chain
        assert chain is not None
        while True:
            self._take = take
            jobs.busy = True  # as it is for a step that a read has waited for
            try:
                chain.ask()
            finally:
                jobs.busy = False
                self._take = None
            if self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure
            chunk, self._held = self._held, WAITING
            if chunk is WAITING:
                return
            if not jobs.run_pending():
                self.give(chunk)
                return
            take(chunk)
            if self._controller._meter is not None:
                return

    def take_chunk(self, chunk: Any) -> None:
        """See `Receiver`."""
        take, jobs = self._take, self._jobs
        if self.is_asked_directly:  # give(), without the call
            self.is_asked_directly = False
            self._controller.take(chunk)
        elif take is None:
            self.give(chunk)
        elif jobs.jobs or jobs.run is not None:
            self._held = chunk  # a read would run the jobs that the steps have queued, before it gave the chunk
        else:
            try:
                take(chunk)
            except BaseException as error:
                self._failure = error  # it is not an error of a step
            else:
                assert self.chain is not None
                self.chain.ask()

    def take_end(self) -> None:
        """See `Receiver`."""
        self.end()

    def take_error(self, error: object) -> None:
        """See `Receiver`."""
        self.fail(error)


def chain_over(stream: ReadableStreamState[Any], method: str) -> Chain:
    """Lock a stream and return a chain over it: that which feeds the stream, if nobody has used it yet."""
    require_unlocked(stream, f"{method}() stream")
    holder = LockHolder(f"{method}()")
    controller: Any = stream._controller
    if type(controller) is OperatorController:
        source: Any = controller._source
        is_unused = stream._state == "readable" and not stream._disturbed
        if isinstance(source, ChainSource) and source.chain is not None and is_unused:
            chain = source.chain
            source.chain = None
            chain.lock_between(stream, holder)
            return chain
    reader: ReadableStreamDefaultReader[Any] = ReadableStreamDefaultReader(stream)
    reader._holder = holder
    return Chain(stream, reader)
