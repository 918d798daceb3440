"""The rows of the table: what is measured."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Work: TypeAlias = Coroutine[Any, Any, int]
"""What is timed; gives how many chunks arrived."""

Scenario: TypeAlias = Callable[[int], Work]
"""Makes what is needed to move so many chunks, and gives the work."""


@dataclass(frozen=True)
class Row:
    """One row: a scenario that every subject does in its own way."""

    name: str
    title: str
    piped: bool = False


ROWS = (
    Row("read-sync", "read loop, synchronous `pull`"),
    Row("read-coroutine", "read loop, coroutine `pull`"),
    Row("read-filled", "read loop, filled queue"),
    Row("async-for", "`async for`"),
    Row("from", "`from_` a generator"),
    Row("write-ready", "write loop, `await ready`"),
    Row("write-await", "write loop, `await write`"),
    Row("pipe-1", "`pipe_to`, high-water mark 1", piped=True),
    Row("pipe-16", "`pipe_to`, high-water mark 16", piped=True),
    Row("pipe-coroutines", "`pipe_to`, coroutine callbacks"),
    Row("through-identity", "`pipe_through` identity", piped=True),
    Row("through-mapping", "`pipe_through` mapping", piped=True),
    Row("through-coroutine", "`pipe_through` coroutine"),
    Row("four-mappings", "four mappings in a row", piped=True),
    Row("tee", "`tee` into two pipes", piped=True),
    Row("read-bytes", "byte stream, 1 KiB chunks"),
    Row("read-byob", "BYOB, 1 KiB views"),
    Row("create", "creating a stream"),
)

GROWTH: dict[str, Sequence[int]] = {
    "chunks": (1_000, 10_000, 100_000, 1_000_000),
    "stages": (1, 2, 4, 8, 16, 32, 64),
    "pipes": (1, 10, 100, 1_000, 10_000),
}
"""What grows, and how far."""
