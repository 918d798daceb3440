"""What the operators refuse, at the call."""

from __future__ import annotations

import math
import operator
from inspect import iscoroutine
from typing import Any

from ...._platform.arguments import MAX_SIZE, show_number
from ...._platform.idl import to_number
from ...._platform.mistakes import gives_generator, is_coroutine_function


def require_function(function: Any, method: str, *, may_yield: bool = False) -> None:
    """Raise TypeError for what cannot be called; a coroutine is the commonest mistake.

    So is a generator function, where none is wanted: it would be called, and none of its code run.
    """
    if callable(function):
        if not may_yield and gives_generator(function):
            raise TypeError(
                f"{method}() needs a plain or coroutine function, not a generator function, whose code would never "
                "run: flat_map() takes one, and generator_transform() one that iterates over all the chunks"
            )
        return
    if iscoroutine(function):
        function.close()
        raise TypeError(
            f"{method}() needs a function, not a coroutine: give the coroutine function itself, "
            f"{function.__name__}, without calling it"
        )
    raise TypeError(f"{method}() needs a function, not {type(function).__name__}")


def require_plain_function(function: Any, name: str) -> None:
    """Raise TypeError for what cannot be called, and for a coroutine function: its result is needed at once."""
    require_function(function, name)
    if is_coroutine_function(function):
        raise TypeError(f"{name}() must be a plain function, not a coroutine function (async def): it is not awaited")


def checked_count(value: Any, name: str, minimum: int) -> int:
    """Return an integer. Raises `TypeError` for anything else, `ValueError` for one below the minimum.

    A bool is refused: ``concurrency=True`` would be one call at a time.
    """
    if isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, not {value}")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, not {type(value).__name__}") from None
    if number < minimum:
        raise ValueError(f"{name} must be at least {minimum}, is {show_number(number)}")
    return number


def checked_positive_seconds(value: Any, name: str) -> float:
    """Return a positive number of seconds; TypeError for anything other than a number."""
    return checked_number(value, name, "seconds")


def checked_number(value: Any, name: str, unit: str) -> float:
    """Return a positive finite number. Raises `TypeError` for anything else, and for a bool, which is a mistake;
    `ValueError` if it is not above 0."""
    number = math.nan if isinstance(value, str | bool) else to_number(value)
    if math.isnan(number) and not isinstance(value, float):
        raise TypeError(f"{name} must be a number ({unit}), not {type(value).__name__}")
    if not 0 < number < math.inf:
        shown = show_number(value) if isinstance(value, int) else repr(value)
        raise ValueError(f"{name} must be greater than 0 and finite ({unit}), is {shown}")
    return number


def checked_bucket(limit: Any, per: Any, burst: Any) -> tuple[float, float]:
    """Return how many tokens a bucket gets in a second, and how many it holds."""
    number = checked_number(limit, "limit", "chunks")
    seconds = checked_positive_seconds(per, "per")
    rate = number / seconds
    if not 0 < rate < math.inf:
        raise ValueError(f"limit and per must make a rate: {number:g} chunks in {seconds:g} seconds are none")
    return rate, max(1.0, number) if burst is None else float(min(checked_count(burst, "burst", 1), MAX_SIZE))
