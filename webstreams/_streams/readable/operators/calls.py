"""What ``map()`` and ``for_each()`` say about the calls of their function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...._engine.guarded_call import GuardedCall
from ...._platform.mistakes import is_coroutine_function
from .checks import checked_count, checked_positive_seconds, require_function, require_plain_function


class Calls:
    """How a function is called; all options are checked when it is made."""

    __slots__ = ("concurrency", "function", "is_plain", "key", "window")

    def __init__(
        self,
        method: str,
        function: Any,
        concurrency: Any,
        window: Any = None,
        is_ordered: bool = False,
        key: Any = None,
        timeout: Any = None,
        limiter: Any = None,
        executor: Any = None,
        on_error: Any = None,
    ) -> None:
        require_function(function, method)
        self.concurrency = checked_count(concurrency, "concurrency", 1)
        if key is not None:
            require_plain_function(key, f"the key of {method}")
        if on_error is not None:
            require_function(on_error, f"the on_error of {method}")
        _check_function(method, function, self.concurrency, executor)
        self.key: Callable[[Any], Any] | None = key
        self.window = self._checked_window(window, is_ordered)
        seconds = None if timeout is None else checked_positive_seconds(timeout, "timeout")
        _check_limiter(limiter)
        # Nothing is read ahead, and no task is needed: it is a step like others.
        self.is_plain = self.window == 1
        is_guarded = not (timeout is None and limiter is None and executor is None and on_error is None)
        # The workers behind a window await what they call.
        is_guarded = is_guarded or not (self.is_plain or is_coroutine_function(function))
        self.function: Callable[[Any], Any] = (
            GuardedCall(function, seconds, limiter, executor, on_error) if is_guarded else function
        )

    def _checked_window(self, window: Any, is_ordered: bool) -> int:
        if window is None:
            return self.concurrency if not is_ordered or self.concurrency == 1 else 4 * self.concurrency
        number = checked_count(window, "window", 1)
        if number < self.concurrency:
            raise ValueError(f"window must be at least the concurrency, {self.concurrency}; is {number}")
        return number


def _check_function(method: str, function: Any, concurrency: int, executor: Any) -> None:
    if executor is not None:
        if isinstance(executor, type) or not callable(getattr(executor, "submit", None)):
            given = f"the class {executor.__name__}" if isinstance(executor, type) else type(executor).__name__
            raise TypeError(f"executor must be a concurrent.futures.Executor, not {given}")
        if is_coroutine_function(function):
            raise TypeError(
                f"an executor of {method}() runs plain functions: leave executor out for a coroutine function"
            )
    elif concurrency > 1 and not is_coroutine_function(function):
        raise TypeError(
            f"{method}() with concurrency={concurrency} needs a coroutine function (async def): a plain one would run "
            "one call at a time and hold the event loop; give an executor= to run it in processes or threads"
        )


def _check_limiter(limiter: Any) -> None:
    if limiter is not None and not (hasattr(type(limiter), "__aenter__") and hasattr(type(limiter), "__aexit__")):
        given = f"the class {limiter.__name__}" if isinstance(limiter, type) else type(limiter).__name__
        raise TypeError(f"limiter must be an async context manager, not {given}")
