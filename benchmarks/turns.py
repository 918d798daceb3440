"""What programs that take turns measured: the median of the turns counts."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from .record import circumstances
from .results import save


class Turns:
    """The values of each row and column, a value for each turn; more is better."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self._turns: dict[str, dict[str, list[float]]] = {}

    def add(self, column: str, row: str, value: float) -> None:
        """Add what one turn measured."""
        self._turns.setdefault(column, {}).setdefault(row, []).append(value)

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in the order in which they were measured."""
        return list(self._turns)

    @property
    def rows(self) -> list[str]:
        """The titles of the rows."""
        return list(dict.fromkeys(row for rows in self._turns.values() for row in rows))

    def value(self, column: str, row: str) -> float | None:
        """Return the median of the turns; None if nothing was measured."""
        found = self._turns[column].get(row)
        return median(found) if found else None

    def ratios(self, column: str, other: str) -> list[float]:
        """Return how many times as fast as the other column this one is, for each row that both have."""
        pairs = ((self.value(column, row), self.value(other, row)) for row in self.rows)
        return [mine / theirs for mine, theirs in pairs if mine is not None and theirs is not None]

    def save(self, path: Path) -> None:
        """Write everything that was measured to a file, as the chart reads it."""
        medians = {column: {row: self.value(column, row) for row in rows} for column, rows in self._turns.items()}
        save(path, {**circumstances(), "unit": self.unit, "medians": medians, "turns": self._turns})
