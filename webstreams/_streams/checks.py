"""Arguments that are streams."""

from __future__ import annotations

from typing import Any

from .readable.stream import ReadableStream
from .writable.stream import WritableStream


def require_readable(stream: Any, function: str) -> None:
    """Raise a `TypeError` that names the function, unless `stream` is a readable stream."""
    if not isinstance(stream, ReadableStream):
        raise TypeError(f"{function}() needs a ReadableStream, not {type(stream).__name__}")


def require_writable(stream: Any, function: str) -> None:
    """Raise a `TypeError` that names the function, unless `stream` is a writable stream."""
    if not isinstance(stream, WritableStream):
        raise TypeError(f"{function}() needs a WritableStream, not {type(stream).__name__}")
