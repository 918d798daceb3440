"""What pipelines that are gone have counted, as long as others of their name live: so counters of a name only grow."""

from __future__ import annotations

from collections import Counter
from typing import Final, NamedTuple

from ._counts import Counts


class Key(NamedTuple):
    """What is added up."""

    pipeline: str
    stage: str
    kind: str


class Amounts(NamedTuple):
    """What was counted of a stage."""

    chunks_in: int = 0
    chunks_out: int = 0
    size_in: int = 0
    size_out: int = 0
    starved: float = 0.0
    blocked: float = 0.0
    busy: float = 0.0

    def plus(self, other: Amounts) -> Amounts:
        """Return the sum."""
        return Amounts._make(one + another for one, another in zip(self, other, strict=True))


# How many pipelines live, by name; and what those that are gone have counted.
_living: Final[Counter[str]] = Counter()
_retired: Final[dict[str, dict[Key, Amounts]]] = {}


def begin(name: str) -> None:
    """A pipeline of a name begins."""
    _living[name] += 1


def retire(name: str, stages: list[tuple[str, str, Counts]]) -> None:
    """A pipeline of a name is gone; with the last one, nothing is left of the name."""
    _living[name] -= 1
    if _living[name] <= 0:
        del _living[name]
        _retired.pop(name, None)
        return
    found = _retired.setdefault(name, {})
    for stage, kind, counts in stages:
        key = Key(name, stage, kind)
        times = counts.totals(counts.last)[:3]
        amounts = Amounts(counts.chunks_in, counts.chunks_out, counts.size_in, counts.size_out, *times)
        found[key] = found.get(key, Amounts()).plus(amounts)


def retired() -> dict[Key, Amounts]:
    """Return what pipelines that are gone have counted."""
    return {key: amounts for found in list(_retired.values()) for key, amounts in list(found.items())}
