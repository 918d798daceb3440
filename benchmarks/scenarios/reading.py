"""Reading: with a reader's loop, and by iteration."""

from __future__ import annotations

from webstreams import ReadableStream

from ..catalogue import Scenario, Work
from .parts import CoroutineSource, FilledSource, Source, iterate, numbers, read_all


def read_sync(chunks: int) -> Work:
    """Read what a plain `pull` gives."""
    return read_all(ReadableStream(Source(chunks)).get_reader())


def read_coroutine(chunks: int) -> Work:
    """Read what a coroutine `pull` gives."""
    return read_all(ReadableStream(CoroutineSource(chunks)).get_reader())


def read_filled(chunks: int) -> Work:
    """Read what is in the queue already."""
    return read_all(ReadableStream(FilledSource(chunks)).get_reader())


def async_for(chunks: int) -> Work:
    """Iterate over what a plain `pull` gives."""
    return iterate(ReadableStream(Source(chunks)))


def from_iterable(chunks: int) -> Work:
    """Read what a generator gives."""
    return read_all(ReadableStream.from_(numbers(chunks)).get_reader())


SCENARIOS: dict[str, Scenario] = {
    "read-sync": read_sync,
    "read-coroutine": read_coroutine,
    "read-filled": read_filled,
    "async-for": async_for,
    "from": from_iterable,
}
