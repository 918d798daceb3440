"""What all the "set up" operations share: algorithms that may return a promise, and checks of their arguments."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from types import CoroutineType
from typing import Any

from .._engine.coroutine_call import start_coroutine
from .._engine.jobs import JobQueue, current_jobs
from .._engine.promise import AlgorithmPromise, Promise
from .._streams.strategy import SizeAlgorithm, StrategyMembers, extract_high_water_mark, extract_size_algorithm


class Algorithm:
    """An algorithm of a library author as controllers call it: pullAlgorithmWrapper, cancelAlgorithmWrapper and so on.

    It is called with the first arguments only: the Standard's algorithms do not get the controller. A promise that it
    returns is not converted, as that of an underlying source's callback is: the stream reacts to the promise itself.
    """

    __slots__ = ("_argument_count", "_context", "_function", "_jobs")

    def __init__(self, function: Callable[..., object], argument_count: int) -> None:
        self._function = function
        self._argument_count = argument_count
        self._jobs = current_jobs()
        self._context = copy_context()

    def __call__(self, *arguments: Any) -> object:
        """Run the algorithm."""
        result = self._function(*arguments[: self._argument_count])
        if isinstance(result, Promise):
            return _as_algorithm_promise(self._jobs, result)
        if isinstance(result, CoroutineType):
            promise: AlgorithmPromise[Any] = AlgorithmPromise(self._jobs)
            start_coroutine(self._jobs, result, self._context, promise)
            return promise
        return result


def _as_algorithm_promise(jobs: JobQueue, promise: Promise[Any]) -> AlgorithmPromise[Any]:
    """Return a promise that controllers do not convert: what reacts to it runs as if it had reacted to `promise`."""
    if type(promise) is AlgorithmPromise:
        return promise
    mirror: AlgorithmPromise[Any] = AlgorithmPromise(jobs)
    promise._handled_by(_MirrorReaction(promise, mirror))
    return mirror


class _MirrorReaction:
    """Settles a mirror as its promise is settled, and runs the mirror's reactions in the same job."""

    __slots__ = ("_mirror", "_promise")

    def __init__(self, promise: Promise[Any], mirror: Promise[Any]) -> None:
        self._promise = promise
        self._mirror = mirror

    def __call__(self) -> None:
        """Pass the outcome on."""
        promise, mirror = self._promise, self._mirror
        reactions = mirror._list_reactions()
        mirror._reactions = None
        mirror._state = promise._state
        mirror._value = promise._value
        for reaction in reactions:
            reaction()


def wrap(function: Callable[..., object] | None, name: str, argument_count: int) -> Algorithm | None:
    """Wrap an algorithm if it was given; TypeError, which names it, for what cannot be called."""
    if function is None:
        return None
    if not callable(function):
        raise TypeError(f"{name} must be callable, not {type(function).__name__}")
    return Algorithm(function, argument_count)


def wrap_required(function: Callable[..., object], name: str, argument_count: int) -> Algorithm:
    """Wrap an algorithm that has to be given."""
    algorithm = wrap(function, name, argument_count)
    if algorithm is None:
        raise TypeError(f"{name} must be callable, not NoneType")
    return algorithm


def check_strategy(high_water_mark: Any, size_algorithm: Any) -> tuple[float, SizeAlgorithm | None]:
    """Check a high-water mark (ValueError) and a size algorithm (TypeError)."""
    if size_algorithm is not None and not callable(size_algorithm):
        raise TypeError(f"size_algorithm must be callable, not {type(size_algorithm).__name__}")
    if high_water_mark is None:
        raise ValueError("high_water_mark must be a non-negative number, not None")
    members = StrategyMembers({"high_water_mark": high_water_mark, "size": size_algorithm})
    return extract_high_water_mark(members, 0), extract_size_algorithm(members)


def require_blank(stream: object, stream_class: type[Any], operation: str) -> None:
    """Raise TypeError unless `stream` is a new object of the class that has not been set up."""
    if not isinstance(stream, stream_class):
        raise TypeError(f"{operation}() needs a {stream_class.__name__}, not {type(stream).__name__}")
    if hasattr(stream, "_controller"):
        raise TypeError(
            f"{operation}() needs a new {stream_class.__name__}, and this one is set up already: "
            "in the constructor of a subclass, call it instead of super().__init__()"
        )


def require_set_up(stream: Any, stream_class: type[Any], operation: str) -> None:
    """Raise TypeError unless `stream` is a stream of the class that has been set up, RuntimeError in another loop."""
    if not isinstance(stream, stream_class):
        raise TypeError(f"{operation}() needs a {stream_class.__name__}, not {type(stream).__name__}")
    if not hasattr(stream, "_controller"):
        raise TypeError(f"{operation}() needs a {stream_class.__name__} that has been set up, and this one has not")
    stream._jobs.require_running()
