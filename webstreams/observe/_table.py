"""The table of a terminal: lines of styled text that fit any width and any height."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple
from unicodedata import east_asian_width

from ._progress import Frame, Row
from ._text import count_text, duration_text, queue_text, share_text, size_text

# Pieces of text, each with its style ("" for none).
Line = list[tuple[str, str]]

BUSY: Final = "red"
BLOCKED: Final = "yellow"
STARVED: Final = "bright_black"
STRONG: Final = "bold"

NARROWEST_NAME: Final = 8
BAR: Final = 12


class Column(NamedTuple):
    """A column behind the names: its title, its width, and what it shows of a row."""

    title: str
    width: int
    show: Callable[[Row], Line]


def cells(text: str) -> int:
    """Return how many cells of a terminal a text takes."""
    return sum(2 if east_asian_width(each) in "WF" else 1 for each in text)


def fitted(text: str, width: int, *, is_right: bool = False) -> str:
    """Return a text cut or filled to a width."""
    if cells(text) > width:
        cut = ""
        for each in text:
            if cells(cut + each) > width - 1:
                break
            cut += each
        text = cut + "…" if width > 0 else ""
    space = " " * (width - cells(text))
    return space + text if is_right else text + space


def lines_of(frame: Frame, width: int, height: int) -> list[Line]:
    """Return the lines of a table: none is wider than `width`, and there are no more than `height`."""
    if height < 1 or width < 1:
        return []
    head = _head(frame, width)
    if height == 1:
        return [head]
    rows = _chosen(frame.rows, max(height - 2, 0) if height < 5 else height - 3)
    columns = _columns(frame.rows, width)
    lines = [head]
    if height >= 5:
        lines.append(_titles(columns, width))
    lines += [_row_line(row, columns, width) for row in rows]
    if len(rows) < len(frame.rows) and len(lines) < height - 1:
        lines.append(_more(len(frame.rows) - len(rows), width))
    lines.append(_verdict(frame, width))
    return lines


def _head(frame: Frame, width: int) -> Line:
    parts = [frame.name, f"{frame.elapsed:.1f} s"]
    if frame.done is not None:
        parts.insert(1, f"{100 * frame.done:.0f} %")
    if frame.left is not None:
        parts.append(f"{duration_text(frame.left)} to go")
    if frame.is_over:
        parts.append("ended")
    return [(fitted("  ".join(parts), width), STRONG)]


def _verdict(frame: Frame, width: int) -> Line:
    text = "no stage holds the others up" if frame.bottleneck is None else f"held up by {frame.bottleneck}"
    return [(fitted(text, width), "" if frame.bottleneck is None else BUSY)]


def _more(count: int, width: int) -> Line:
    return [(fitted(f"… {count} more stages", width), STARVED)]


def _chosen(rows: list[Row], count: int) -> list[Row]:
    """Return the rows for which there are lines, that of the bottleneck among them; a line tells of the others."""
    if len(rows) <= count:
        return rows
    kept = max(count - 1, min(count, 1))
    slowest = next((index for index, row in enumerate(rows) if row.is_bottleneck), 0)
    first = min(max(slowest - kept // 2, 0), len(rows) - kept)
    return rows[first : first + kept]


def _columns(rows: list[Row], width: int) -> list[Column]:
    """Return the columns for which there is room, the most important first."""
    longest = max((cells(row.stage.name) for row in rows), default=0)
    left = width - min(max(longest, NARROWEST_NAME), 24)
    chosen: list[Column] = []
    for column in (
        Column("busy", 5, _busy),
        Column("busy/blocked/starved", BAR, _bar),
        Column("queue", 9, _queue),
        Column("chunks/s", 8, _chunk_rate),
        Column("size/s", 10, _size_rate),
        Column("chunks", 8, _chunk_count),
        Column("blocked", 7, _blocked),
        Column("starved", 7, _starved),
    ):
        if left < column.width + 1:
            break
        left -= column.width + 1
        chosen.append(column)
    return chosen


def _name_width(columns: list[Column], width: int) -> int:
    return max(min(width - sum(each.width + 1 for each in columns), 40), 1)


def _titles(columns: list[Column], width: int) -> Line:
    text = fitted("stage", _name_width(columns, width))
    for each in columns:
        text += " " + fitted("share" if each.width < len(each.title) else each.title, each.width, is_right=True)
    return [(fitted(text, width), STARVED)]


def _row_line(row: Row, columns: list[Column], width: int) -> Line:
    line: Line = [(fitted(row.stage.name, _name_width(columns, width)), STRONG if row.is_bottleneck else "")]
    for each in columns:
        line.append((" ", ""))
        line += each.show(row)
    return line


def _busy(row: Row) -> Line:
    return [(fitted(share_text(row.stage.busy).strip(), 5, is_right=True), BUSY if row.is_bottleneck else "")]


def _blocked(row: Row) -> Line:
    return [(fitted(share_text(row.stage.blocked).strip(), 7, is_right=True), "")]


def _starved(row: Row) -> Line:
    return [(fitted(share_text(row.stage.starved).strip(), 7, is_right=True), "")]


def _bar(row: Row) -> Line:
    busy = round(row.stage.busy * BAR)
    blocked = min(round(row.stage.blocked * BAR), BAR - busy)
    return [("█" * busy, BUSY), ("▒" * blocked, BLOCKED), ("·" * (BAR - busy - blocked), STARVED)]


def _queue(row: Row) -> Line:
    return [(fitted(queue_text(row.stage), 9, is_right=True), "")]


def _chunk_rate(row: Row) -> Line:
    return [(fitted(count_text(row.chunks), 8, is_right=True), "")]


def _chunk_count(row: Row) -> Line:
    stage = row.stage
    count = stage.chunks_in if stage.kind == "sink" else stage.chunks_out
    return [(fitted(count_text(count), 8, is_right=True), "")]


def _size_rate(row: Row) -> Line:
    return [(fitted(size_text(row.size) if row.size else "", 10, is_right=True), "")]
