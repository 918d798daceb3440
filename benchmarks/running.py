"""Measures everything in turns, so that what else the machine does hits all alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .catalogue import GROWTH, Row
from .installing import say
from .results import Results
from .subjects import Interpreted, MeasuringError, Subject


@dataclass(frozen=True)
class Amounts:
    """How much is measured."""

    chunks: int = 20_000
    seconds: float = 0.3
    rounds: int = 3
    longest: float = 1e6
    """The most chunks or pipes of a growth."""
    file_size: int = 256 * 1024 * 1024


QUICK = Amounts(10_000, 0.1, 1, 1e4, 64 * 1024 * 1024)


def measure_rows(results: Results, amounts: Amounts) -> None:
    """Measure every row with every subject, round by round."""
    for turn in range(amounts.rounds):
        for row in results.rows:
            say(f"round {turn + 1} of {amounts.rounds}: {row.name}")
            for subject in _from(results.subjects, turn):
                if row.name in subject.rows:
                    _measure_row(results, row, subject, amounts)


def _from(subjects: Sequence[Subject], turn: int) -> list[Subject]:
    """Begin each round with another subject."""
    start = turn % len(subjects)
    return [*subjects[start:], *subjects[:start]]


def _measure_row(results: Results, row: Row, subject: Subject, amounts: Amounts) -> None:
    try:
        results.add(row.name, subject.name, subject.measure(row.name, amounts.chunks, amounts.seconds))
    except MeasuringError as error:
        _fail(results, f"{row.name}, {subject.name}: {error}")


def measure_growth(results: Results, amounts: Amounts) -> None:
    """Measure how time and memory grow, and what idle streams weigh."""
    for what, sizes in GROWTH.items():
        say(f"growth: {what}")
        for size in sizes:
            for subject in _library(results):
                if size <= amounts.longest:
                    _grow(results, what, size, subject)
    for subject in _library(results):
        try:
            results.idle[subject.name] = subject.program("growth", "idle")["result"]
        except MeasuringError as error:
            _fail(results, f"idle, {subject.name}: {error}")


def _grow(results: Results, what: str, size: int, subject: Interpreted) -> None:
    try:
        found = subject.program("growth", what, str(size))["result"]
        results.growth.setdefault(what, {}).setdefault(subject.name, {})[size] = found
    except MeasuringError as error:
        _fail(results, f"{what} {size}, {subject.name}: {error}")


def measure_files(results: Results, amounts: Amounts) -> None:
    """Measure the way from file to file."""
    say("files")
    for subject in _library(results):
        try:
            results.files[subject.name] = subject.program("files", str(amounts.file_size))["result"]
        except MeasuringError as error:
            _fail(results, f"files, {subject.name}: {error}")


def _library(results: Results) -> list[Interpreted]:
    return [each for each in results.subjects if isinstance(each, Interpreted) and each.is_library]


def _fail(results: Results, text: str) -> None:
    say(text)
    results.failures.append(text)
