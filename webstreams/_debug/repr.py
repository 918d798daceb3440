"""What ``repr()`` shows of the objects of this package, and how error messages and warnings name them.

Every object gives its parts: `_details` for its own ``repr()``, and `_summary`, which names no other stream, for that
of another object. So a stream shows its reader, and a reader its stream, without going round in a circle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from reprlib import Repr
from threading import get_ident
from typing import Any, Final, Protocol

# The longest text that is shown of a value of the user's: an error, a reason.
LONGEST_VALUE = 200


class Summarized(Protocol):
    """An object that can be shown in few words."""

    def _summary(self) -> Iterator[str]: ...


# What is being shown right now, and by which thread: an error may refer to the stream that it ended.
_shown: Final[set[tuple[int, int]]] = set()


class ShowingHook:
    """What is done before an object is shown; the engine sets it (`_engine.jobs`), for it may hold the state back."""

    __slots__ = ("prepare",)

    def __init__(self) -> None:
        self.prepare: Callable[[object], None] | None = None


BEFORE_SHOWING: Final = ShowingHook()


def show(subject: object, details: Iterable[str]) -> str:
    """Put the parts of a ``repr()`` together. Never fails, not even for an object whose constructor has not ended."""
    name = type(subject).__name__
    key = (id(subject), get_ident())
    if key in _shown:
        return f"<{name} ...>"
    parts: list[str] = []
    _shown.add(key)
    try:
        if BEFORE_SHOWING.prepare is not None:
            BEFORE_SHOWING.prepare(subject)
        for detail in details:
            parts.append(detail)
    except AttributeError:
        parts.append("not set up")
    except Exception:
        parts.append("...")
    finally:
        _shown.discard(key)
    return f"<{name} {', '.join(parts)}>" if parts else f"<{name}>"


def summary(subject: Summarized) -> str:
    """Show an object in few words."""
    return show(subject, subject._summary())  # noqa: SLF001 (no name for users, whose objects have it)


def show_value(value: object) -> str:
    """Show a value of the user's, cut to a length that can be read; its own ``repr()`` may fail."""
    try:
        return _LIMITED.repr(value)
    except Exception:
        return f"<{type(value).__name__}>"


def show_number(number: float) -> str:
    """Show a size, without the fraction if it has none."""
    return str(int(number)) if number % 1 == 0 else str(float(number))


def show_count(count: int, noun: str) -> str:
    """Show a number of things: "1 chunk", "2 chunks"."""
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"


def show_queue(total: float, high_water_mark: float, unit: str = "", chunks: int = 0) -> str:
    """Show how full a queue is; and the number of its chunks, where its size is something else."""
    inside = f" in {show_count(chunks, 'chunk')}" if chunks else ""
    return f"queue {show_number(total)}/{show_number(high_water_mark)}{unit}{inside}"


def show_desired_size(size: float | None) -> str:
    """Show how much more a queue wants."""
    return f"desired_size {'None' if size is None else show_number(size)}"


def show_state(state: str, stored_error: object) -> str:
    """Show the state of a stream, with the error of one that is errored or about to be."""
    return f"{state} with {show_value(stored_error)}" if state.startswith("err") else state


def show_words(words: Iterable[Any]) -> str:
    """Show words and the objects between them, as in ``("write() to", stream)``."""
    return " ".join(word if isinstance(word, str) else summary(word) for word in words)


class Marker:
    """A value that stands for itself."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        """Return the name."""
        return self._name


def _make_limited() -> Repr:
    limited = Repr()
    limited.maxstring = limited.maxother = LONGEST_VALUE
    return limited


_LIMITED: Final = _make_limited()
