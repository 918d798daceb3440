"""What came out of a run, as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from .results import Results, geometric_mean
from .subjects import Subject

MEGABYTE = 1e6


def all_tables(results: Results) -> str:
    """Return every table that there is something for."""
    tables = []
    if results.rates:
        tables.append(rates(results))
        tables += [ratios(results, subject) for subject in results.subjects if subject.is_library]
    tables += [growth(results, what) for what in results.growth]
    if results.idle:
        tables.append(by_subject("bytes of an idle stream", results.idle, "{:,.0f}"))
    if results.files:
        tables.append(by_subject("file to file, MB/s", results.files, "{:,.0f}", MEGABYTE))
    return "\n\n".join(tables)


def rates(results: Results) -> str:
    """Lay out the millions of chunks per second."""
    names = [subject.name for subject in results.subjects]
    lines = [[row.title, *(number(results.rate(row.name, name), 1e6) for name in names)] for row in results.rows]
    return markdown(["million chunks per second", *map(title, results.subjects)], lines)


def ratios(results: Results, subject: Subject) -> str:
    """Lay out how many times as fast as the others the subject is, and the means."""
    others = [other.name for other in results.subjects if subject.compares_with(other)]
    lines = [
        [row.title, *(number(results.ratio(row.name, subject.name, other)) for other in others)] for row in results.rows
    ]
    piped = [row for row in results.rows if row.piped]
    summaries: list[tuple[str, Sequence[object], Callable[[Sequence[float]], float]]] = [
        ("**geometric mean**", results.rows, geometric_mean),
        ("**geometric mean, piped**", piped, geometric_mean),
        ("**lowest**", results.rows, min),
        ("**lowest, piped**", piped, min),
    ]
    for name, rows, summary in summaries:
        chosen = [row for row in results.rows if row in rows]
        found = [results.ratios(chosen, subject.name, other) for other in others]
        lines.append([name, *(number(summary(each)) if each else "" for each in found)])
    return markdown([f"{title(subject)}: times as fast as", *others], lines)


def growth(results: Results, what: str) -> str:
    """Lay out the time per chunk and the memory for each size."""
    found = results.growth[what]
    sizes = sorted({size for sizes in found.values() for size in sizes})
    lines = []
    for size in sizes:
        line = [f"{size:,}"]
        for by_size in found.values():
            cell = by_size.get(size)
            line += ["", ""] if cell is None else [number(cell["seconds_per_chunk"], 1e-6), number(cell["memory"], 1e6)]
        lines.append(line)
    head = [text for name in found for text in (f"{name}: µs per chunk", "MB more")]
    return markdown([what, *head], lines)


def by_subject(name: str, found: dict[str, dict[str, float]], form: str, unit: float = 1) -> str:
    """Lay out one number for each subject and kind."""
    kinds = list(dict.fromkeys(kind for kinds in found.values() for kind in kinds))
    lines = [[subject, *(form.format(kinds_of[kind] / unit) for kind in kinds)] for subject, kinds_of in found.items()]
    return markdown([name, *kinds], lines)


def title(subject: Subject) -> str:
    """Return the name with the version, where the name does not say it."""
    return (
        subject.name
        if subject.name.endswith(subject.version.rpartition(".")[0])
        else f"{subject.name} {subject.version}"
    )


def number(value: float | None, unit: float = 1) -> str:
    """Write a number with three digits that count."""
    if value is None:
        return ""
    scaled = value / unit
    return f"{scaled:.0f}" if abs(scaled) >= 100 else f"{scaled:.3g}"


def markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Lay out a table."""
    table = [list(head), ["---", *["---:"] * (len(head) - 1)], *map(list, lines)]
    return "\n".join(f"| {' | '.join(line)} |" for line in table)
