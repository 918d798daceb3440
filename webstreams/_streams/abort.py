"""AbortController and AbortSignal, as in the DOM Standard (section 3), events included."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from weakref import ReferenceType, ref

from .._debug.repr import show, show_count, show_value
from .._debug.watches import warn_of_mistakes
from .._engine.jobs import JobQueue, current_jobs, get_running_loop
from .._platform.arguments import MAX_FLOAT, show_number
from .._platform.errors import AbortError, throw
from .._platform.idl import INTERNAL, refuse_constructor
from .._platform.mistakes import is_coroutine_function
from .._platform.staying import Staying

Listener = Callable[["Event"], object]
Algorithm = Callable[[], object]

# So many seconds, as an integer, are more likely meant as JavaScript's milliseconds.
LOOKS_LIKE_MILLISECONDS = 1000
# Names that are easily taken for that of the one event. Others are never fired, and refusing them is not DOM's.
_NEARLY_ABORT = frozenset({"abort", "aborted", "onabort", "on_abort"})


class Event:
    """What a listener of an `AbortSignal` is called with."""

    __slots__ = ("is_trusted", "target", "type")

    def __init__(self, type: str, target: AbortSignal) -> None:
        self.type: str = type
        self.target: AbortSignal = target
        self.is_trusted: bool = True

    @property
    def current_target(self) -> AbortSignal:
        """The signal whose listeners are being called."""
        return self.target

    def __repr__(self) -> str:
        """Show the type and the target."""
        return show(self, self._details())

    def _details(self) -> Iterator[str]:
        yield f"{show_value(self.type)} of {self.target!r}"


class _Registration:
    """An event listener: DOM's struct, as far as it is needed."""

    __slots__ = ("callback", "once", "removed", "type")

    def __init__(self, type: str, callback: Any, once: bool) -> None:
        self.type = type
        self.callback = callback
        self.once = once
        self.removed = False


class _Handler:
    """The callback behind ``onabort``: it keeps its place among the listeners when it is replaced."""

    __slots__ = ("function",)

    def __init__(self, function: Listener) -> None:
        self.function = function

    def __call__(self, event: Event) -> object:
        return self.function(event)


class AbortSignal(Staying):
    """Tells operations that they should stop. DOM Standard, 3.2.

    Signals come from an `AbortController`, or from `abort`, `timeout` and `any`. Listeners run synchronously, in the
    order in which they were added, while ``AbortController.abort()`` runs; what one of them raises goes to the event
    loop's exception handler.

    >>> AbortSignal.abort("too late").reason
    'too late'
    """

    __slots__ = (
        "__weakref__",
        "_aborted",
        "_algorithms",
        "_dependent",
        "_dependent_signals",
        "_handler",
        "_listeners",
        "_pin",
        "_reason",
        "_source_signals",
        "_strong_dependents",
        "_timeout",
    )

    def __init__(self, _token: object = None) -> None:
        if _token is not INTERNAL:
            raise refuse_constructor("AbortSignal")
        self._aborted = False
        self._reason: Any = None
        self._listeners: list[_Registration] = []
        self._handler: _Registration | None = None
        # Abort algorithms: what pipes and other parts of the library do. A dict, for order and quick removal; the
        # values are the jobs of the loop in which alone an algorithm may run.
        self._algorithms: dict[Algorithm, JobQueue | None] = {}
        self._dependent = False
        # Tuples and a dict: most signals have none of these, and a set is large when it is empty.
        self._source_signals: tuple[AbortSignal, ...] = ()
        self._dependent_signals: tuple[ReferenceType[AbortSignal], ...] = ()
        # Dependent signals that somebody listens to may not be collected, nor signals with a timer.
        self._strong_dependents: dict[AbortSignal, None] = {}
        self._pin: list[AbortSignal] | None = None
        # Seconds, for a signal that `timeout` made.
        self._timeout: float | None = None

    # The static methods.

    @staticmethod
    def abort(reason: object = None) -> AbortSignal:
        """Return a signal that is aborted already, by default with an `AbortError`."""
        signal = AbortSignal(INTERNAL)
        signal._set_reason(reason)
        return signal

    @staticmethod
    def timeout(seconds: float) -> AbortSignal:
        """Return a signal that is aborted with a `TimeoutError` after so many seconds (in JavaScript: milliseconds).

        Raises `TypeError` unless `seconds` is a finite, non-negative number, and `RuntimeError` when no event loop
        runs in this thread. In debug mode, a `RuntimeWarning` tells if it looks like a number of milliseconds: an
        integer of 1,000 and more.
        """
        is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
        if not is_number or not 0 <= seconds <= MAX_FLOAT:
            given = show_number(seconds) if is_number else repr(seconds)
            raise TypeError(f"AbortSignal.timeout() needs a finite, non-negative number of seconds, not {given}")
        signal = AbortSignal(INTERNAL)
        signal._pin = []
        signal._timeout = seconds
        jobs = current_jobs()
        if isinstance(seconds, int) and seconds >= LOOKS_LIKE_MILLISECONDS:
            told = f"AbortSignal.timeout({seconds}) is {seconds} seconds: write {seconds / 1000} for milliseconds"
            warn_of_mistakes(jobs, [told])
        _Timer(signal, signal._pin, jobs, seconds)
        return signal

    @staticmethod
    def any(signals: Iterable[AbortSignal]) -> AbortSignal:
        """Return a signal that is aborted as soon as one of `signals` is, with the same reason."""
        if not isinstance(signals, Iterable):
            raise TypeError(f"AbortSignal.any() needs an iterable of signals, not {type(signals).__name__}")
        sources = list(signals)
        for source in sources:
            if not isinstance(source, AbortSignal):
                raise TypeError(f"AbortSignal.any() needs signals, not {type(source).__name__}")
        return _create_dependent_signal(sources)

    # Attributes and methods.

    @property
    def aborted(self) -> bool:
        """Whether the signal was aborted."""
        return self._aborted

    @property
    def reason(self) -> Any:
        """The object given to ``abort()``, by default an `AbortError`; None before."""
        return self._reason

    def throw_if_aborted(self) -> None:
        """Raise the reason if the signal was aborted: itself, or in a `StreamError` if it cannot be raised."""
        if self._aborted:
            throw(self._reason)

    @property
    def onabort(self) -> Listener | None:
        """The one listener that is set by assignment; None to remove it."""
        return None if self._handler is None else self._handler.callback.function

    @onabort.setter
    def onabort(self, listener: Listener | None) -> None:
        if not callable(listener):
            if self._handler is not None:
                self._remove(self._handler)
                self._handler = None
        elif self._handler is not None:
            self._handler.callback.function = listener
        else:
            self._handler = _Registration("abort", _Handler(listener), once=False)
            self._listeners.append(self._handler)
        self._keep_alive()

    def add_event_listener(self, type: str, listener: Listener | None, *, once: bool = False) -> None:
        """Have ``listener(event)`` called when the signal is aborted; adding the same listener again does nothing.

        Raises `TypeError` for a listener that is not callable, or that is a coroutine function; `ValueError` for a
        name that is easily taken for "abort", such as "aborted".
        """
        if not isinstance(type, str):
            raise TypeError(f"the type of an event must be a str, not {type.__class__.__name__}")
        if listener is None:
            return
        if not callable(listener):
            raise TypeError(f"an event listener must be callable, not {listener.__class__.__name__}")
        if is_coroutine_function(listener):
            raise TypeError("an event listener must be a plain function: nobody would await a coroutine")
        if type != "abort" and type.lower() in _NEARLY_ABORT:
            raise ValueError(f"the event of an AbortSignal is named 'abort', not {type!r}")
        if all(each.type != type or each.callback != listener for each in self._listeners):
            self._listeners.append(_Registration(type, listener, bool(once)))
            self._keep_alive()

    def remove_event_listener(self, type: str, listener: Listener | None) -> None:
        """Remove a listener; nothing happens if it was not added."""
        for registration in self._listeners:
            if registration.type == type and registration.callback == listener:
                self._remove(registration)
                break
        self._keep_alive()

    def __repr__(self) -> str:
        """Show whether it is aborted, the reason, its timeout, and how many listen (pipes, too)."""
        return show(self, self._details())

    def _details(self) -> Iterator[str]:
        yield f"aborted: {show_value(self._reason)}" if self._aborted else "not aborted"
        if self._timeout is not None:
            yield f"timeout of {self._timeout} s"
        listeners = len(self._listeners) + len(self._algorithms)
        if listeners:
            yield show_count(listeners, "listener")

    # Aborting.

    def _signal_abort(self, reason: object) -> None:
        """DOM: "signal abort"."""
        if self._aborted:
            return
        signals = [self]
        for weak in self._dependent_signals:
            dependent = weak()
            if dependent is not None and not dependent._aborted:
                signals.append(dependent)
        for signal in signals:
            signal._require_running()
        self._set_reason(reason)
        for dependent in signals[1:]:
            dependent._set_reason(self._reason)
        interrupts: list[BaseException] = []
        for signal in signals:
            try:
                signal._run_abort_steps()
            except (KeyboardInterrupt, SystemExit) as error:  # of a listener
                interrupts.append(error)
        if interrupts:
            raise interrupts[0]

    def _require_running(self) -> None:
        """Raise RuntimeError, while nothing is aborted yet, unless all that an abort ends belongs to the running loop;
        leave out what belonged to a loop that is closed."""
        for algorithm, jobs in list(self._algorithms.items()):
            if jobs is not None and jobs.loop.is_closed():
                del self._algorithms[algorithm]
            elif jobs is not None:
                jobs.require_running()

    def _set_reason(self, reason: object) -> None:
        self._aborted = True
        self._reason = AbortError("the operation was aborted") if reason is None else reason

    def _run_abort_steps(self) -> None:
        """DOM: "run the abort steps"."""
        algorithms, self._algorithms = self._algorithms, {}
        for algorithm in algorithms:
            algorithm()
        try:
            self._fire(Event("abort", self))
        finally:
            self._strong_dependents.clear()
            for source in self._source_signals:
                source._strong_dependents.pop(self, None)
                source._keep_alive_for_dependents()

    def _fire(self, event: Event) -> None:
        for registration in list(self._listeners):
            if registration.removed or registration.type != event.type:
                continue
            if registration.once:
                self._remove(registration)
            try:
                registration.callback(event)
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:
                _report_exception(error)

    def _remove(self, registration: _Registration) -> None:
        registration.removed = True
        self._listeners.remove(registration)

    # Abort algorithms.

    def _add_algorithm(self, algorithm: Algorithm, jobs: JobQueue | None = None) -> None:
        """DOM: "add" an algorithm to the signal; with `jobs`, one that runs in their loop only."""
        if not self._aborted:
            self._algorithms[algorithm] = jobs
            self._keep_alive()

    def _remove_algorithm(self, algorithm: Algorithm) -> None:
        """DOM: "remove" an algorithm from the signal."""
        self._algorithms.pop(algorithm, None)
        self._keep_alive()

    # Lifetime.

    def _keep_alive(self) -> None:
        """DOM: a signal that somebody listens to is not collected while one of its sources can still abort it."""
        wanted = bool(self._listeners or self._algorithms) and not self._aborted
        for source in self._source_signals:
            if wanted:
                source._strong_dependents[self] = None
            else:
                source._strong_dependents.pop(self, None)
            source._keep_alive_for_dependents()
        if self._pin is not None:
            self._pin[:] = [self] if wanted or self._strong_dependents else []

    def _keep_alive_for_dependents(self) -> None:
        if self._pin is not None:
            self._pin[:] = [self] if self._strong_dependents or self._listeners or self._algorithms else []

    def _add_dependent(self, dependent: AbortSignal) -> None:
        alive = [weak for weak in self._dependent_signals if weak() is not None]
        self._dependent_signals = (*alive, ref(dependent))


class AbortController(Staying):
    """Makes a signal and aborts it. DOM Standard, 3.1.

    >>> controller = AbortController()
    >>> controller.abort("enough")
    >>> controller.signal.aborted, controller.signal.reason
    (True, 'enough')
    """

    __slots__ = ("__weakref__", "_signal")

    def __init__(self) -> None:
        self._signal = AbortSignal(INTERNAL)

    @property
    def signal(self) -> AbortSignal:
        """The signal: always the same object."""
        return self._signal

    def abort(self, reason: object = None) -> None:
        """Abort the signal, by default with an `AbortError`; runs its listeners now. Only the first call counts.

        Raises `RuntimeError`, and aborts nothing, in another event loop or thread than that of a pipe with this signal:
        ``loop.call_soon_threadsafe(controller.abort)`` is for other threads.
        """
        self._signal._signal_abort(reason)

    def __repr__(self) -> str:
        """Show the signal."""
        return show(self, self._details())

    def _details(self) -> Iterator[str]:
        yield repr(self._signal)


def _create_dependent_signal(signals: list[AbortSignal]) -> AbortSignal:
    """DOM: "create a dependent abort signal"."""
    result = AbortSignal(INTERNAL)
    for signal in signals:
        if signal._aborted:
            result._set_reason(signal._reason)
            return result
    result._dependent = True
    for signal in signals:
        for source in signal._source_signals if signal._dependent else (signal,):
            if source not in result._source_signals:
                result._source_signals = (*result._source_signals, source)
                source._add_dependent(result)
    return result


class _Timer:
    """Aborts a signal when its time is up; the event loop has it until then, or until the signal is collected."""

    __slots__ = ("_handle", "_jobs", "_pin", "_signal")

    def __init__(self, signal: AbortSignal, pin: list[AbortSignal], jobs: JobQueue, seconds: float) -> None:
        self._jobs = jobs
        self._pin = pin
        self._signal = ref(signal, self._was_collected)
        self._handle: Any = jobs.loop.call_later(seconds, self._time_is_up)

    def _time_is_up(self) -> None:
        self._handle = None
        signal = self._signal()
        if signal is not None:
            signal._signal_abort(TimeoutError(f"AbortSignal.timeout({signal._timeout}) expired, after as many seconds"))
            self._pin.clear()

    def _was_collected(self, _: ReferenceType[AbortSignal]) -> None:
        if self._handle is not None:
            self._jobs.push_of_collected(self._handle.cancel)
            self._handle = None


def _report_exception(error: BaseException) -> None:
    """HTML: "report the exception"."""
    loop = get_running_loop()
    if loop is None:
        sys.excepthook(type(error), error, error.__traceback__)
        return
    loop.call_exception_handler({"message": "webstreams: a listener of an AbortSignal raised", "exception": error})
