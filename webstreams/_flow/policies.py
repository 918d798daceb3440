"""What becomes of chunks for which a queue has no room, and the numbers and functions that say when."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, TypeAlias, get_args

from .._debug.repr import show_count
from .._platform.arguments import show_number
from .._platform.idl import to_number
from .._platform.mistakes import is_coroutine_function

Policy: TypeAlias = Literal["wait", "error", "drop-oldest", "drop-newest"]

_POLICIES = get_args(Policy)


class Lagged(Exception):
    """A consumer was too slow: with the policy "error" its queue was full when the next chunk came.

    `lost` counts the chunks that it has not got: those in its queue, and the one that had no room.

    >>> from webstreams import Lagged
    >>> print(Lagged(17))
    the consumer was too slow: it has lost 17 chunks
    """

    lost: int

    def __init__(self, lost: int) -> None:
        super().__init__(lost)
        self.lost = lost

    def __str__(self) -> str:
        """Say how much is missing."""
        return f"the consumer was too slow: it has lost {show_count(self.lost, 'chunk')}"


def checked_policy(policy: Any, function: str) -> Policy:
    """Return a policy; raises ValueError for any other word."""
    if policy not in _POLICIES:
        raise ValueError(f"{function}: policy must be one of {', '.join(map(repr, _POLICIES))}, not {policy!r}")
    return policy  # type: ignore[no-any-return]


def checked_mark(mark: Any, function: str) -> float:
    """Return a high-water mark; raises TypeError for a non-number and for a bool, ValueError if negative or NaN."""
    if isinstance(mark, bool) or not isinstance(mark, (int, float)):
        raise TypeError(f"{function}: high_water_mark must be a number, not {type(mark).__name__}")
    if not mark >= 0:
        raise ValueError(f"{function}: high_water_mark must be a non-negative number, not {show_number(mark)}")
    return to_number(mark)


def checked_size(size: Any, function: str) -> Callable[[Any], float] | None:
    """Return the function that measures chunks, or None; raises TypeError for what cannot measure at once."""
    if size is not None and not callable(size):
        raise TypeError(f"{function}: size must be a function of a chunk, or None, not {type(size).__name__}")
    if is_coroutine_function(size):
        raise TypeError(f"{function}: size must be a plain function, not a coroutine function (async def)")
    return size  # type: ignore[no-any-return]


def size_of(chunk: Any, size: Callable[[Any], float] | None) -> float:
    """Measure a chunk: 1 without a function; ValueError when that gives no finite, non-negative number."""
    if size is None:
        return 1
    number = size(chunk)
    if not isinstance(number, (int, float)) or not 0 <= number < math.inf:
        raise ValueError(f"the size of a chunk must be a finite, non-negative number; size() returned {number!r}")
    return number
