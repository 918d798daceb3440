"""What writable ends share: chunks of bytes, and how they are measured and written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from .._platform.buffer import wrong_chunk
from ..types import QueuingStrategyDict

# What a default reader gets at most, and what a queue before a sink takes (bytes).
PIECE: Final = 64 * 1024


def view_of(chunk: Any) -> memoryview:
    """Give the bytes of a chunk; TypeError if it is no bytes-like object."""
    try:
        view = memoryview(chunk)
    except TypeError:
        raise wrong_chunk(chunk) from None
    if view.nbytes == 0:
        return memoryview(b"")
    return view.cast("B") if view.c_contiguous else memoryview(view.tobytes())


def size_of(chunk: Any) -> int:
    """Give the size of a chunk in bytes, 0 for what is none.

    The stream does not tell the sink when measuring a chunk fails. So the sink gets what is no chunk, refuses it and
    releases what it holds.
    """
    try:
        return memoryview(chunk).nbytes
    except TypeError:
        return 0


def bytes_strategy(high_water_mark: int = PIECE) -> QueuingStrategyDict[Any]:
    """Give a `ByteLengthQueuingStrategy` that leaves it to the sink to refuse what is no chunk."""
    return {"high_water_mark": high_water_mark, "size": size_of}


def write_fully(write: Callable[[memoryview], int | None], view: memoryview) -> None:
    """Write all bytes with a function that may write a part of them."""
    while view:
        view = view[write(view) or 0 :]
