"""Chapter 7: queuing strategies."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, Never, overload

from .._debug.repr import show_value
from .._platform.arguments import MAX_FLOAT
from .._platform.idl import callback_member, member_getter, to_number
from .._platform.mistakes import STRATEGY

SizeAlgorithm = Callable[[Any], Any]


class _ByteLength:
    """The holder of the one function that counts bytes."""

    @staticmethod
    def size(chunk: Any) -> Any:
        """Return the size of a chunk in bytes: a buffer's, or else its ``byte_length`` attribute (None without one)."""
        if chunk is None:
            raise TypeError("None has no byte length")
        try:
            return memoryview(chunk).nbytes
        except TypeError:
            return getattr(chunk, "byte_length", None)


class _Count:
    """The holder of the one function that counts chunks."""

    @staticmethod
    def size(chunk: Any = None) -> int:
        """Return 1, the size of every chunk."""
        return 1


_MISSING: Final = object()
_byte_length = _ByteLength.size
_count = _Count.size


# Known to the fast path (`counts_bytes`).
_BYTE_COUNTERS: Final[list[SizeAlgorithm]] = [_byte_length]


class _Strategy:
    """What the two built-in strategies share."""

    __slots__ = ("_high_water_mark",)

    # Every mistake gets an error of ours: Python's own would name this class, which nobody knows.
    @overload
    def __init__(self, *, high_water_mark: float) -> None: ...
    @overload
    def __init__(self, *positional: Never, high_water_mark: float, **mistaken: Never) -> None: ...
    def __init__(self, *positional: Any, high_water_mark: Any = _MISSING, **mistaken: Any) -> None:
        name = type(self).__name__
        if mistaken:
            raise TypeError(f"{name} has the one keyword 'high_water_mark', not {next(iter(mistaken))!r}")
        if positional:
            mark = show_value(positional[0]) if isinstance(positional[0], (int, float)) else "..."
            raise TypeError(f"the high-water mark is given by its name: {name}(high_water_mark={mark})")
        if high_water_mark is _MISSING:
            raise TypeError(f"the high-water mark is missing: {name}(high_water_mark=...)")
        self._high_water_mark: Any = to_number(high_water_mark)

    @property
    def high_water_mark(self) -> float:
        """The total size of chunks, in the units of `size`, up to which a queue asks for more."""
        return self._high_water_mark  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        """Show the high-water mark."""
        mark = getattr(self, "_high_water_mark", None)
        return f"{type(self).__name__}(high_water_mark={show_value(mark)})"


class ByteLengthQueuingStrategy(_Strategy):
    """Counts the bytes of each chunk, which has to be a buffer (or has a ``byte_length`` attribute). Streams
    Standard, 7.2.

    Raises `TypeError` without a `high_water_mark` (in bytes). A negative mark, or one that is not a number, is accepted
    here; the constructor of the stream then raises `ValueError`.

    >>> ByteLengthQueuingStrategy(high_water_mark=1024).size(b"four")
    4
    """

    __slots__ = ()

    @property
    def size(self) -> Callable[[Any], float]:
        """The function that measures a chunk (bytes); always the same one."""
        return _byte_length


class CountQueuingStrategy(_Strategy):
    """Counts each chunk as one. Streams Standard, 7.3.

    Raises `TypeError` without a `high_water_mark` (in chunks). A negative mark, or one that is not a number, is
    accepted here; the constructor of the stream then raises `ValueError`.

    >>> CountQueuingStrategy(high_water_mark=16).size("anything")
    1
    """

    __slots__ = ()

    @property
    def size(self) -> Callable[[Any], float]:
        """The function that measures a chunk: it gives 1; always the same one."""
        return _count


def add_byte_counter(algorithm: SizeAlgorithm) -> None:
    """Say that an algorithm counts bytes."""
    _BYTE_COUNTERS.append(algorithm)


def counts_bytes(algorithm: SizeAlgorithm | None) -> bool:
    """Whether an algorithm gives the length of a `bytes` object, and does nothing that anybody could see."""
    return any(algorithm is each for each in _BYTE_COUNTERS)


class StrategyMembers:
    """A queuing strategy, converted from an object or a mapping: its two members, looked up in order."""

    __slots__ = ("high_water_mark", "size")

    def __init__(self, strategy: Any) -> None:
        get = member_getter(strategy, STRATEGY)
        self.high_water_mark: Any = get("high_water_mark", None)
        self.size = callback_member(get, "size", STRATEGY)


_NO_STRATEGY: Final = StrategyMembers(None)


def convert_strategy(strategy: Any) -> StrategyMembers:
    """Return the members of a strategy, which may be None, or converted already."""
    if strategy is None:
        return _NO_STRATEGY
    return strategy if isinstance(strategy, StrategyMembers) else StrategyMembers(strategy)


def extract_high_water_mark(strategy: StrategyMembers, default: float) -> float:
    """ExtractHighWaterMark; ValueError if it is no non-negative number."""
    given = strategy.high_water_mark
    if given is None:
        return default
    if type(given) is int and 0 <= given <= MAX_FLOAT:
        return given
    mark = to_number(given)
    if math.isnan(mark) or mark < 0:
        raise ValueError(f"high_water_mark must be a non-negative number, not {given!r}")
    return mark


def extract_size_algorithm(strategy: StrategyMembers) -> SizeAlgorithm | None:
    """ExtractSizeAlgorithm; None stands for the algorithm that returns 1."""
    return None if strategy.size is _count else strategy.size
