"""What came out of a run, and how it is kept."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .catalogue import Row
from .subjects import Subject


@dataclass
class Results:
    """What was measured of every subject."""

    rows: Sequence[Row]
    subjects: Sequence[Subject]
    rates: dict[tuple[str, str], list[list[float]]] = field(default_factory=dict)
    """Chunks per second by row and subject: for each round, those of every run."""
    failures: list[str] = field(default_factory=list)
    growth: dict[str, dict[str, dict[int, dict[str, float]]]] = field(default_factory=dict)
    """By what grows, subject, and size."""
    idle: dict[str, dict[str, float]] = field(default_factory=dict)
    """The bytes of an idle stream, by subject and class."""
    files: dict[str, dict[str, float]] = field(default_factory=dict)
    """Bytes per second, by subject and way of copying."""

    def add(self, row: str, subject: str, rates: list[float]) -> None:
        """Add what one process measured."""
        self.rates.setdefault((row, subject), []).append(rates)

    def rate(self, row: str, subject: str) -> float | None:
        """Return the chunks per second: the median of the best round; None if nothing was measured."""
        rounds = self.rates.get((row, subject))
        return max(map(statistics.median, rounds)) if rounds else None

    def ratio(self, row: str, subject: str, other: str) -> float | None:
        """Tell how many times as fast as the other one the subject is."""
        mine, theirs = self.rate(row, subject), self.rate(row, other)
        return None if mine is None or theirs is None else mine / theirs

    def ratios(self, rows: Iterable[Row], subject: str, other: str) -> list[float]:
        """Return the ratios of those rows that both have."""
        return [ratio for row in rows if (ratio := self.ratio(row.name, subject, other)) is not None]

    def as_dict(self) -> dict[str, Any]:
        """Return everything, for JSON."""
        return {
            "subjects": [{"name": each.name, "kind": each.kind, "version": each.version} for each in self.subjects],
            "rows": {row.name: self._row(row) for row in self.rows},
            "growth": self.growth,
            "idle": self.idle,
            "files": self.files,
            "failures": self.failures,
        }

    def _row(self, row: Row) -> dict[str, Any]:
        rates = {
            subject.name: {"chunks_per_second": rate, "rounds": self.rates[row.name, subject.name]}
            for subject in self.subjects
            if (rate := self.rate(row.name, subject.name)) is not None
        }
        return {"title": row.title, "rates": rates}


def geometric_mean(ratios: Sequence[float]) -> float:
    """Return the mean that suits ratios."""
    return math.exp(statistics.fmean(map(math.log, ratios)))


def save(path: Path, content: dict[str, Any]) -> None:
    """Write JSON that can be read by people, too."""
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
