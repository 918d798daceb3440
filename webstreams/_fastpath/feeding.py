"""What a reader, a pipe or operators take their chunks from: the controllers of both kinds of readable streams."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

from .._engine.run import Measured
from .._streams.readable.byte_controller import ReadableByteStreamController
from .._streams.readable.controller import ReadableStreamDefaultController

Feeding = ReadableStreamDefaultController[Any] | ReadableByteStreamController


def chunks_of(controller: Feeding) -> Sequence[Any]:
    """Return the chunks in the queue of a controller; that of a byte stream is empty in a run."""
    return () if isinstance(controller, ReadableByteStreamController) else controller._queue.chunks


def is_pulled_by_reads(controller: ReadableByteStreamController) -> bool:
    """Whether a byte stream calls pull() for reads only, and none of them brings memory that is to be filled."""
    return controller._strategy_hwm == 0 and controller._auto_allocate_chunk_size is None


def expected_of(controller: Feeding) -> Measured | None:
    """Tell what the chunks of a callback have to be like in a run; None if they may be anything."""
    return Measured(controller, inf, 1) if isinstance(controller, ReadableByteStreamController) else None
