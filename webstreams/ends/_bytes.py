"""What writable ends share: chunks of bytes, and how they are measured and written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from .._platform.buffer import any_view
from .._streams.strategy import add_byte_counter, convert_strategy
from ..types import QueuingStrategyDict

# What a default reader gets at most, and what a queue before a sink takes (bytes).
PIECE: Final = 64 * 1024


def view_of(chunk: Any) -> memoryview:
    """Return the bytes of a chunk; raises TypeError if it is not bytes-like."""
    view = any_view(chunk, "the chunk")
    if view.nbytes == 0:
        return memoryview(b"")
    return view.cast("B") if view.c_contiguous else memoryview(view.tobytes())


def size_of(chunk: Any) -> int:
    """Return the size of a chunk in bytes, 0 for an object that is not bytes-like.

    The stream does not tell the sink when measuring a chunk fails. So such an object is passed on to the sink, which
    refuses it and releases its resources.
    """
    try:
        return memoryview(chunk).nbytes
    except (TypeError, ValueError):
        return 0


add_byte_counter(size_of)


def bytes_strategy() -> QueuingStrategyDict[Any]:
    """Return a `ByteLengthQueuingStrategy` of `PIECE` whose size function leaves refusing a non-chunk to the sink."""
    return _BYTES_STRATEGY


# Converted once, not for each stream.
_BYTES_STRATEGY: Final = cast(QueuingStrategyDict[Any], convert_strategy({"high_water_mark": PIECE, "size": size_of}))


def write_fully(write: Callable[[memoryview], int | None], view: memoryview) -> None:
    """Write all bytes with a function that may write a part of them."""
    while view:
        view = view[write(view) or 0 :]
