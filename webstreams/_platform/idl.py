"""What Web IDL does at the border: members of an object or a mapping, numbers, callbacks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from .arguments import MAX_FLOAT
from .mistakes import refuse_generator_function, refuse_javascript_names, refuse_mistaken, with_article

MAX_SAFE_INTEGER = 2**53 - 1

# Looks up a member; gives the second argument, None, for one that is absent.
Getter = Callable[..., Any]

_NO_MEMBERS: Final[Mapping[str, Any]] = {}


def member_getter(dictionary: Any, name: str) -> Getter:
    """Return the function that looks up the members of a dictionary argument, an object with attributes or a mapping.

    Raises `TypeError` for an object that cannot be meant as this dictionary, and for a mapping with a JavaScript name.
    """
    if dictionary is None:
        return _NO_MEMBERS.get
    if type(dictionary) is dict or isinstance(dictionary, Mapping):
        refuse_javascript_names(dictionary, with_article(name))
        return dictionary.get
    refuse_mistaken(dictionary, name)
    return partial(getattr, dictionary)


def callback_member(get: Getter, member: str, name: str) -> Callable[..., Any] | None:
    """Look up a callback; TypeError if it is something else."""
    value = get(member, None)
    if value is None:
        return None
    if not callable(value):
        raise TypeError(f"the {name}'s {member} must be callable, not {type(value).__name__}")
    # Python: JavaScript takes a generator function, and drops the generator.
    refuse_generator_function(value, member, name)
    return value  # type: ignore[no-any-return]


def do_nothing(*_: Any) -> None:
    """Stands for a callback that is absent."""


def first_given(*callbacks: Any) -> Any:
    """Return the first callback that is there; None if none is."""
    return next((callback for callback in callbacks if callback is not None and callback is not do_nothing), None)


# Not `Final`: compiled code would not take the int for a float then.
NOTHING: float = 0


def to_number(value: Any) -> int | float:
    """Convert to Web IDL's "unrestricted double"; what JavaScript would not take for a number becomes NaN, and an
    integer that is too large for it infinity."""
    if isinstance(value, (int, float)):
        if isinstance(value, float) or -MAX_FLOAT <= value <= MAX_FLOAT:
            return value
        return math.inf if value > 0 else -math.inf
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
    """Convert to Web IDL's "[EnforceRange] unsigned long long": raises TypeError for anything else."""
    if type(value) is int and 0 <= value <= MAX_SAFE_INTEGER:
        return value
    number = to_number(value)
    if math.isnan(number) or math.isinf(number) or not -1 < number <= MAX_SAFE_INTEGER:
        raise TypeError(f"{what} must be a non-negative integer, not {value!r}")
    return int(number)


# The first argument of a constructor that only the library calls.
INTERNAL: Final = object()


def refuse_constructor(name: str, cure: str = "streams make theirs themselves") -> TypeError:
    """Return the error for a class whose interface has no constructor; `cure` says where its objects come from."""
    return TypeError(f"{name} cannot be constructed: {cure}")
