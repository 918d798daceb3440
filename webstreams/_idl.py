"""What Web IDL does at the border: members of an object or a mapping, numbers, callbacks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

MAX_SAFE_INTEGER = 2**53 - 1

_NO_MEMBERS: Final[Mapping[str, Any]] = {}
# Python: JavaScript takes any object for a dictionary; these can only be a mistake.
_NOT_A_DICTIONARY = (str, bytes, bytearray, memoryview, int, float, complex, list, tuple, set, frozenset)


class Members:
    """Looks up the members of a dictionary argument: an object with attributes, or a mapping."""

    __slots__ = ("_mapping", "_name", "_object")

    def __init__(self, dictionary: Any, name: str) -> None:
        self._object = dictionary
        self._mapping: Mapping[str, Any] | None = None
        self._name = name
        if dictionary is None:
            self._mapping = _NO_MEMBERS
        elif type(dictionary) is dict or isinstance(dictionary, Mapping):
            self._mapping = dictionary
        elif isinstance(dictionary, _NOT_A_DICTIONARY):
            raise TypeError(
                f"the {name} must be an object with the members as attributes, or a mapping, "
                f"not {type(dictionary).__name__}"
            )

    def get(self, member: str) -> Any:
        """Give a member, None if it is absent."""
        return getattr(self._object, member, None) if self._mapping is None else self._mapping.get(member)

    def callback(self, member: str) -> Callable[..., Any] | None:
        """Give a callback member; TypeError if it is something else."""
        value = self.get(member)
        if value is not None and not callable(value):
            raise TypeError(f"the {self._name}'s {member} must be callable, not {type(value).__name__}")
        return value  # type: ignore[no-any-return]


def to_number(value: Any) -> int | float:
    """Convert to Web IDL's "unrestricted double"; what JavaScript would not take for a number becomes NaN."""
    if isinstance(value, (int, float)):
        return value
    if value is None:
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def is_non_negative_number(value: int | float) -> bool:
    """IsNonNegativeNumber."""
    return value >= 0


def to_enforced_integer(value: Any, what: str) -> int:
    """Convert to Web IDL's "[EnforceRange] unsigned long long": TypeError for what is no such number."""
    if type(value) is int and 0 <= value <= MAX_SAFE_INTEGER:
        return value
    number = to_number(value)
    if math.isnan(number) or math.isinf(number) or not -1 < number <= MAX_SAFE_INTEGER:
        raise TypeError(f"{what} must be a non-negative integer, not {value!r}")
    return int(number)


# The first argument of a constructor that only the library calls.
INTERNAL: Final = object()


def refuse_constructor(name: str) -> TypeError:
    """Give the error for a class whose interface has no constructor."""
    return TypeError(f"{name} cannot be constructed: streams make theirs themselves")
