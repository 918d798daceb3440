"""Arguments that are numbers: one check each, with an error that names the argument, what was given, and its range."""

from __future__ import annotations

import math
import operator
import os
import sys
from typing import Any

# The largest size of an object in memory, and so of everything that is counted in bytes or items.
MAX_SIZE = 2**63 - 1

MAX_FLOAT = sys.float_info.max


def checked_integer(value: Any, name: str, minimum: int | None = None, maximum: int | None = None) -> int:
    """Return an integer argument.

    Raises `TypeError` for anything other than an integer, and for a bool; `ValueError` for one that is out of range.
    """
    if type(value) is int:
        number = value
    elif isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, not bool")
    else:
        try:
            number = operator.index(value)
        except TypeError:
            raise TypeError(f"{name} must be an integer, not {type(value).__name__}") from None
    if (minimum is not None and number < minimum) or (maximum is not None and number > maximum):
        raise ValueError(f"{name} must be {_range_of(minimum, maximum)}, not {show_number(number)}")
    return number


def checked_size(value: Any, name: str, minimum: int = 0) -> int:
    """Return an argument that counts bytes, chunks or characters; raises as `checked_integer` does."""
    if type(value) is int and minimum <= value <= MAX_SIZE:
        return value
    return checked_integer(value, name, minimum, MAX_SIZE)


def checked_seconds(value: Any, name: str, *, or_none: bool = False, finite: bool = False) -> float:
    """Return a number of seconds; infinity for None, if that is allowed.

    Raises `TypeError` for anything other than a number, and `ValueError` for a negative one and NaN, for an integer
    beyond what a float can be, or infinity where it has to be `finite`.
    """
    if value is None and or_none:
        return math.inf
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        wanted = "a number of seconds or None" if or_none else "a number of seconds"
        raise TypeError(f"{name} must be {wanted}, not {type(value).__name__}")
    if not 0 <= value <= (MAX_FLOAT if finite or type(value) is int else math.inf):
        wanted = "a non-negative, finite number of seconds" if finite else "a non-negative number of seconds"
        raise ValueError(f"{name} must be {wanted}, not {show_number(value)}")
    return value


def show_number(value: int | float) -> str:
    """Return a number for an error, however large."""
    if isinstance(value, float) or -MAX_FLOAT <= value <= MAX_FLOAT:
        return f"{value:.6g}"
    return f"{'-' if value < 0 else ''}2**{abs(value).bit_length() - 1} or more"


def checked_path(value: Any, name: str) -> str | bytes:
    """Return a path as `os.fspath` does.

    Raises `TypeError` for anything other than `str`, `bytes` or an `os.PathLike`, and `ValueError` for a path with a
    null character in it.
    """
    try:
        path: str | bytes = os.fspath(value)
    except TypeError:
        given = type(value).__name__
        raise TypeError(f"{name} must be a str, bytes or os.PathLike object, not {given}") from None
    if "\0" in (path if isinstance(path, str) else os.fsdecode(path)):
        raise ValueError(f"{name} must not have a null character in it: {path!r}")
    return path


def checked_callable(value: Any, name: str) -> Any:
    """Return an argument that is called; raises `TypeError` for anything that is not callable."""
    if not callable(value):
        raise TypeError(f"{name} must be callable, not {type(value).__name__}")
    return value


def checked_text(value: Any, name: str, *also: type) -> Any:
    """Return an argument that is a name; raises `TypeError` for anything other than a `str` (or one of `also`)."""
    if not isinstance(value, (str, *also)):
        wanted = " or ".join(["a str", *(each.__name__ for each in also)])
        raise TypeError(f"{name} must be {wanted}, not {type(value).__name__}")
    return value


def _range_of(minimum: int | None, maximum: int | None) -> str:
    if minimum is None:
        return f"at most {maximum}"
    if maximum is None or maximum == MAX_SIZE:
        return f"at least {minimum}" if minimum else "non-negative and at most 2**63 - 1"
    return f"from {minimum} to {maximum}"
