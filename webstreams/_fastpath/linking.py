"""Links: where the code of a period goes on after a callback has filtered its chunk.

A tracing just-in-time path links a side exit that is taken often with the trace that follows it. A filter leads to the
next read of a pipe, and the period that begins there makes the same calls, only from another state; so the code of a
period (`codegen`) makes them itself, with the other steps.
"""

from __future__ import annotations

from operator import is_

from .codegen import DELIVER, kind_of, makes_a_call
from .graph import Row, Segment, Step


def steps_after(segment: Segment, filtered: Segment) -> tuple[Step, ...] | None:
    """Return the steps with which the code of a period goes on; None if it cannot.

    `filtered` is what remains of the period after a callback that has filtered its chunk.
    """
    following = filtered.follower
    if following is None or filtered.rows or segment.moves or following.moves:
        return None
    if following.end is not segment.end or segment.rest is not None or following.rest is not None:
        return None
    rows = segment.rows
    if kind_of(rows[-1]) == DELIVER:
        rows = rows[:-1]  # it takes the chunk that a read would get
    gives_the_same = following.value_chunks is segment.value_chunks and following.value_index == segment.value_index
    is_alike = len(rows) == len(following.rows) and all(map(_are_alike, rows, following.rows))
    if not gives_the_same or not is_alike:
        return None
    return tuple(row[0] for row in following.rows if makes_a_call(kind_of(row)))


def _are_alike(row: Row, other: Row) -> bool:
    """Whether two rows make the same call with the same chunk, whatever their steps are."""
    return all(map(is_, row[1:6], other[1:6])) and row[6:] == other[6:]
