"""Promises: the eager awaitables of the public API, and Web IDL's operations on them.

A promise is settled once; every reaction to it runs as one job of its event loop's queue, in the order in which the
reactions were added (see `jobs`). A reaction is that job itself. There are three kinds: `Reaction` (Web IDL's "react"
and "upon"), `DoneCallback` (the asyncio side) and `waiter.PromiseWaiter` (``await``).
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, InvalidStateError, isfuture
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Iterator
from contextvars import Context, copy_context
from functools import partial
from inspect import isawaitable
from types import CoroutineType
from typing import Any, Final, Generic, Self

from typing_extensions import TypeVar

from .._debug.repr import Marker, show, show_value, show_words
from .._platform.arguments import checked_callable
from .._platform.errors import as_exception, goes_through, stored_error, throw
from .._platform.idl import refuse_constructor
from .._platform.mypyc import subscriptable
from .awaiting import await_it
from .coroutine_call import CoroutineCall, go_through, start_coroutine
from .jobs import ASKS_LOOP, JobQueue, current_jobs, get_ident, get_running_loop
from .promise_state import FULFILLED, PENDING, PromiseState, Reaction
from .resolving import AllCollector, DoneCallback, Resolvers
from .run import HALFWAY, HAS_COME
from .waiter import PromiseWaiter

T = TypeVar("T", default=Any, covariant=True)
U = TypeVar("U", default=Any)

# What the promise of an iterator is fulfilled with at the end: waiting for it raises StopAsyncIteration.
END_OF_ITERATION: Final = Marker("the end of the iteration")


class Promise(PromiseState, Generic[T]):
    """The result of an operation that is under way already: what the Standard calls a promise.

    The work started when the promise was made. A promise can be awaited any number of times, from any number of tasks
    of its event loop, or never; awaiting one that is settled does not cost a turn of the event loop. Cancelling a
    task that awaits a promise stops the waiting, not the work, unless the method that returned the promise says
    otherwise.

    `asyncio.ensure_future`, `asyncio.gather`, `asyncio.wait`, `asyncio.wait_for` and `asyncio.shield` accept it. A
    rejection that nobody looks at is reported once to the event loop's exception handler when the promise is
    collected.

    >>> import asyncio
    >>> async def main() -> None:
    ...     promise, resolve, reject = Promise.with_resolvers()
    ...     resolve("a value")
    ...     print(await promise, await promise)
    >>> asyncio.run(main())
    a value a value
    """

    __slots__ = ("__weakref__",)

    def __init__(self, jobs: Any = None, *_: Any, **__: Any) -> None:
        if type(jobs) is not JobQueue:
            raise refuse_constructor(
                "Promise",
                "Promise.with_resolvers() returns one with the functions that settle it, Promise.resolve() one for a "
                "coroutine or any other awaitable",
            )
        # What PromiseState.__init__ does, without the call.
        self._jobs = jobs
        self._state = PENDING
        self._value = None
        self._reactions = None
        self._handled = False

    # What the JavaScript class has.

    @staticmethod
    def resolve(value: Awaitable[U] | U = None) -> Promise[U]:  # type: ignore[assignment]
        """Return a promise for `value`: the same object if it is a promise, else one that follows it or is fulfilled
        with it.

        A coroutine starts at once and runs up to its first suspension, as a JavaScript async function does when it is
        called. Raises `RuntimeError` when no event loop runs in this thread.
        """
        if isinstance(value, Promise):
            return value
        jobs = current_jobs()
        promise: Promise[U] = Promise(jobs)
        if isinstance(value, CoroutineType):
            start_coroutine(jobs, value, copy_context(), promise)
        else:
            promise._resolve_with(value)
        return promise

    @staticmethod
    def reject(reason: object) -> Promise[Any]:
        """Return a promise that is rejected with `reason`, which can be any object.

        Raises `RuntimeError` when no event loop runs in this thread.
        """
        return promise_rejected_with(current_jobs(), reason)

    @staticmethod
    def with_resolvers() -> tuple[Promise[Any], Callable[[Any], None], Callable[[object], None]]:
        """Return a pending promise with the function that resolves and the one that rejects it; only the first call
        counts.

        Raises `RuntimeError` when no event loop runs in this thread.
        """
        promise: Promise[Any] = Promise(current_jobs())
        resolvers = Resolvers(promise)
        return promise, resolvers.resolve, resolvers.reject

    @staticmethod
    def all(values: Iterable[Awaitable[U] | U]) -> Promise[list[U]]:
        """Return a promise for the list of all the values; it is rejected as soon as one of them is.

        Raises `RuntimeError` when no event loop runs in this thread, and `TypeError` for what cannot be iterated over.
        """
        if not isinstance(values, Iterable):
            raise TypeError(f"Promise.all() needs an iterable of values, not {type(values).__name__}")
        promises = [Promise.resolve(value) for value in values]
        if not promises:
            return Promise.resolve([])
        return wait_for_all(current_jobs(), promises)

    def then(
        self,
        on_fulfilled: Callable[[T], object] | None = None,
        on_rejected: Callable[[Any], object] | None = None,
    ) -> Promise[Any]:
        """Run a function with the value, or with the reason of the rejection; give a promise for what it returns.

        The function runs as one microtask after this promise is settled. Without a function for it, the outcome passes
        on to the returned promise unchanged. Raises `TypeError` for a function that cannot be called.
        """
        self._jobs.require_running()
        for function, name in ((on_fulfilled, "on_fulfilled"), (on_rejected, "on_rejected")):
            if function is not None:
                checked_callable(function, name)
        derived: Promise[Any] = Promise(self._jobs)
        self._handled_by(ThenReaction(self, on_fulfilled, on_rejected, derived))
        return derived

    def _then(self, on_fulfilled: Callable[[T], object], *words: object) -> Promise[Any]:
        """Do what `then` does, for the promise of a call that `words` tell (`CallPromise`)."""
        derived: Promise[Any] = CallPromise(self._jobs, *words)
        self._handled_by(ThenReaction(self, on_fulfilled, None, derived))
        return derived

    # The read-only methods of asyncio.Future.

    def cancelled(self) -> bool:
        """Say no: a promise cannot be cancelled; a task that awaits it can."""
        return False

    def result(self) -> T:
        """Return the value, or raise the reason of the rejection: itself, or in a `StreamError` if it cannot be raised.

        The promise of an iterator raises `StopAsyncIteration` at the end. Raises `asyncio.InvalidStateError` while the
        promise is pending.
        """
        if self._jobs.run is not None:
            self._jobs.run.is_looked_at(self)
        if self._state == FULFILLED:
            if self._value is END_OF_ITERATION:
                raise StopAsyncIteration
            self._reactions = None  # of a read: somebody has got the chunk, it is not taken back any more
            value: T = self._value
            return value
        if self._state == PENDING:
            raise InvalidStateError("the promise is still pending")
        self._mark_handled()
        throw(self._value)

    def exception(self) -> BaseException | None:
        """Return the exception that `result` would raise, or None.

        Raises `asyncio.InvalidStateError` while the promise is pending.
        """
        if self._jobs.run is not None:
            self._jobs.run.is_looked_at(self)
        if self._state == PENDING:
            raise InvalidStateError("the promise is still pending")
        if self._state == FULFILLED:
            return StopAsyncIteration() if self._value is END_OF_ITERATION else None
        self._mark_handled()
        return as_exception(self._value)

    def add_done_callback(self, callback: Callable[[Self], object], *, context: Context | None = None) -> None:
        """Have ``callback(promise)`` called after the promise is settled, as one microtask: a promise reaction.

        Raises `TypeError` for a callback that cannot be called, and for a context that is none.
        """
        self._jobs.require_running()
        checked_callable(callback, "callback")
        if context is not None and not isinstance(context, Context):
            raise TypeError(f"context must be a contextvars.Context or None, not {type(context).__name__}")
        self._add_reaction(DoneCallback(self, callback, context if context is not None else copy_context()))

    def remove_done_callback(self, callback: Callable[[Self], object]) -> int:
        """Remove every instance of a callback from those that are still to be called; return how many there were."""
        if self._state != PENDING:
            return 0
        reactions = self._list_reactions()
        kept = [each for each in reactions if not (isinstance(each, DoneCallback) and each.callback == callback)]
        self._reactions = kept or None
        return len(reactions) - len(kept)

    def get_loop(self) -> AbstractEventLoop:
        """Return the event loop that the promise belongs to."""
        return self._jobs.loop

    def __await__(self) -> Generator[Any, None, T]:
        """Wait until the promise is settled; see `result` for what comes then."""
        jobs = self._jobs
        if jobs.run is not None:
            outcome = jobs.run.awaits_writer(self)
            if outcome == HAS_COME:
                return self._value  # type: ignore[no-any-return]
            if outcome == HALFWAY:
                return (yield from self._wait_for_mark())
        if self._state != PENDING and not jobs.jobs and not jobs.busy and jobs.countdown > 0:
            jobs.countdown -= 1  # run_pending(), without the call
        elif self._state == PENDING or not jobs.run_pending():
            if not (ASKS_LOOP and get_running_loop() is jobs.loop) and get_ident() != jobs.thread_probe._thread_id:
                jobs.require_loop()
            if self._state == PENDING and self._reactions is None and not jobs.busy:
                # Nobody else waits: the mark in the queue will do, unless the task has to be suspended. There is only
                # one, for the one task that nothing on the stack waits for.
                self._reactions = jobs.mark
                try:
                    has_come = jobs.run_until(jobs.mark)
                except BaseException:
                    self._replace_mark()
                    raise
                if not has_come:
                    yield self._replace_mark()
            else:
                waiter = PromiseWaiter(self)
                self._add_reaction(waiter)
                if not jobs.run_until(waiter):
                    yield waiter
        if self._state == FULFILLED and self._value is not END_OF_ITERATION:
            self._reactions = None  # result(), without the call
            value: T = self._value
            return value
        return self.result()

    def _wait_for_mark(self) -> Generator[Any, None, T]:
        """Wait until the mark is due, which is in the queue, or is what waits for the promise."""
        jobs = self._jobs
        try:
            has_come = jobs.run_until(jobs.mark)
        except BaseException:
            self._replace_mark()
            raise
        if not has_come:
            yield self._replace_mark()
        return self.result()

    def _replace_mark(self) -> PromiseWaiter:
        """Return a waiter, in the place of the mark that stood for it."""
        mark, waiter = self._jobs.mark, PromiseWaiter(self)
        queue = self._jobs.jobs
        if mark in queue:
            queue[queue.index(mark)] = waiter
        if self._reactions is mark:
            self._reactions = waiter
        elif type(self._reactions) is list:
            self._reactions = [waiter if each is mark else each for each in self._reactions]
        return waiter

    def __repr__(self) -> str:
        """Show the state and the value, and which call made the promise."""
        return show(self, self._details())

    def _details(self) -> Iterator[str]:
        if self._state == PENDING:
            yield "pending"
        elif self._state == FULFILLED:
            yield f"fulfilled with {show_value(self._value)}"
        else:
            yield f"rejected with {show_value(self._value)}"
            if not self._handled:
                yield "nobody looked at it yet"
        origin = self._origin()
        if origin:
            yield f"made by {show_words(origin)}"

    # Settling.

    def _resolve_with(self, value: Any) -> CoroutineCall | None:
        """Fulfill with a plain value, or follow an awaitable: the resolve function of JavaScript. Return the call, if
        that is a coroutine."""
        if value is None or not is_awaitable(value):
            self._fulfill(value)
        elif value is self:
            self._reject(TypeError("a promise cannot be resolved with itself"))
        else:
            return adopt(self, value, None)
        return None


subscriptable(Promise)


class CallPromise(Promise[T]):
    """A promise that knows which call made it, to be named if nobody looks at its rejection."""

    __slots__ = ("_words",)

    def __init__(self, jobs: JobQueue, *words: object) -> None:
        # What Promise.__init__ does, without the call.
        self._jobs = jobs
        self._state = PENDING
        self._value = None
        self._reactions = None
        self._handled = False
        self._words = words

    def _origin(self) -> tuple[object, ...]:
        return self._words


class AlgorithmPromise(Promise[T]):
    """A promise that one of the Standard's own algorithms returned, which users never see.

    The Standard reacts to it directly, while a promise that a user's callback returned is converted first by Web
    IDL.
    """

    __slots__ = ()


class CallbackPromise(AlgorithmPromise[T]):
    """The promise that follows what a callback returned, with the call that can be cancelled if it is a coroutine."""

    __slots__ = ("call",)

    def __init__(self, jobs: JobQueue) -> None:
        super().__init__(jobs)
        self.call: CoroutineCall | None = None


class ThenReaction(Reaction):
    """A reaction that settles a derived promise: Web IDL's "react", JavaScript's ``then``."""

    __slots__ = ("derived",)

    def __init__(
        self,
        promise: Promise[Any],
        on_fulfilled: Callable[[Any], object] | None,
        on_rejected: Callable[[Any], object] | None,
        derived: Promise[Any],
    ) -> None:
        super().__init__(promise, on_fulfilled, on_rejected)
        self.derived = derived

    def __call__(self) -> None:
        """Run the function and resolve the derived promise with what it returns."""
        promise = self.promise
        fulfilled = promise._state == FULFILLED
        function = self.on_fulfilled if fulfilled else self.on_rejected
        if function is None:
            settle = self.derived._fulfill if fulfilled else self.derived._reject
            settle(promise._value)
            return
        try:
            value = function(promise._value)
        except BaseException as error:
            self.derived._reject(stored_error(error))
            if goes_through(error):
                raise
        else:
            self.derived._resolve_with(value)


# Adoption.

# The usual types of chunks, to be told apart from awaitables quickly.
NEVER_AWAITABLE: Final = frozenset({type(None), bool, int, float, str, bytes, bytearray, memoryview, tuple, list, dict})


def is_awaitable(value: object) -> bool:
    """Whether a value that a callback returned is awaited."""
    kind = type(value)
    if kind is CoroutineType:
        return True  # most of them
    if kind in NEVER_AWAITABLE:
        return False
    return isinstance(value, Promise) or isawaitable(value) or hasattr(value, "add_done_callback")


def adopt(target: Promise[Any], value: Any, context: Context | None) -> CoroutineCall | None:
    """Settle `target` as an awaitable is settled: NewPromiseResolveThenableJob and what follows it.

    `context` is the one in which a coroutine runs; by default a copy of the current one. Return the call of a
    coroutine.
    """
    jobs = target._jobs
    if isinstance(value, CoroutineType):
        return _adopt_coroutine(target, value, context)
    if isinstance(value, Promise):
        jobs.push(partial(follow, target, value))
    elif isfuture(value):
        value.add_done_callback(partial(_settle_like, target))
    elif hasattr(value, "add_done_callback"):
        jobs.push(partial(_follow_foreign, target, value))
    else:
        return _adopt_coroutine(target, await_it(value), context)
    return None


def _adopt_coroutine(
    target: Promise[Any], coroutine: Coroutine[Any, Any, Any], context: Context | None
) -> CoroutineCall:
    jobs = target._jobs
    source: Promise[Any] = Promise(jobs)
    call = start_coroutine(jobs, coroutine, copy_context() if context is None else context, source)
    jobs.push(partial(follow, target, source))
    return call


def follow(target: Promise[Any], source: Promise[Any]) -> None:
    """Settle a promise as another one is settled."""
    source._react(target._fulfill, target._reject)


def _follow_foreign(target: Promise[Any], source: Any) -> None:
    source.add_done_callback(partial(_settle_like, target))


def _settle_like(target: Promise[Any], future: Any) -> None:
    try:
        value = future.result()
    except BaseException as error:
        target._reject(stored_error(error))
        if goes_through(error):
            raise
    else:
        target._fulfill(value)


# Web IDL's operations on promises.


def promise_resolved_with(jobs: JobQueue, value: Any = None) -> Promise[Any]:
    """Web IDL: "a promise resolved with"."""
    promise: Promise[Any] = Promise(jobs)
    promise._resolve_with(value)
    return promise


def promise_rejected_with(jobs: JobQueue, reason: object, *words: object) -> Promise[Any]:
    """Web IDL: "a promise rejected with"; `words` tell which call gives it to the user (`CallPromise`)."""
    promise: Promise[Any] = CallPromise(jobs, *words) if words else Promise(jobs)
    promise._reject(reason)
    return promise


def promise_of_failure(jobs: JobQueue, error: BaseException) -> Promise[Any]:
    """Return a promise that is rejected with what a callback raised, as a stream stores it.

    An interrupt goes on to the event loop in a job of its own: who called has to see the promise first, or what waits
    for the end of the callback would wait for ever.
    """
    promise = promise_rejected_with(jobs, stored_error(error))
    if goes_through(error):
        jobs.push(partial(go_through, error))
    return promise


def converted(jobs: JobQueue, result: Any, context: Context | None) -> Promise[Any] | None:
    """Convert what a callback returned to a promise, as Web IDL does; None stands for one that is fulfilled already.

    # Python: a promise that is fulfilled already is not made. Who reacts to it queues its steps at once, in the same
    # place.
    """
    if result is None:
        return None
    if type(result) is AlgorithmPromise:
        return result
    if not is_awaitable(result):
        return None
    promise: CallbackPromise[Any] = CallbackPromise(jobs)
    promise.call = adopt(promise, result, context)
    return promise


def upon(
    jobs: JobQueue,
    promise: Promise[Any] | None,
    on_fulfilled: Callable[..., object],
    on_rejected: Callable[[Any], object],
) -> None:
    """Web IDL: "react", for a promise that may be None as in `converted`; the value may be left out then."""
    if promise is None:
        jobs.push(on_fulfilled)
    else:
        promise._react(on_fulfilled, on_rejected)


def wait_for_all(jobs: JobQueue, promises: list[Promise[Any]]) -> Promise[list[Any]]:
    """Web IDL: "get a promise for waiting for all"."""
    result: Promise[list[Any]] = Promise(jobs)
    if not promises:
        jobs.push(partial(result._fulfill, []))
    collector = AllCollector(result, len(promises))
    for index, promise in enumerate(promises):
        promise._react(partial(collector.fulfilled, index), collector.rejected)
    return result
