"""Byte streams with a BYOB reader, and their views."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from webstreams import ReadableStreamBYOBReader

from .helpers import ByteSource, stream_of


def is_released(view: memoryview) -> bool:
    """Whether a memoryview was released: what a detached buffer is in JavaScript."""
    try:
        view.tobytes()
    except ValueError:
        return True
    return False


def byob_stream(
    pull: Callable[[Any], Any] | None = None, high_water_mark: float | None = None
) -> tuple[ByteSource, ReadableStreamBYOBReader]:
    """A byte stream with its source, and a BYOB reader of it."""
    source = ByteSource(pull=pull)
    return source, stream_of(source, high_water_mark).get_reader(mode="byob")


def request_of(source: ByteSource) -> Any:
    """The BYOB request that is to be answered."""
    return source.controller.byob_request


def bytes_of(result: Any) -> tuple[bytes, bool]:
    """The result of a BYOB read that has a view, and whether it is the end."""
    value, done = result
    assert isinstance(value, memoryview)
    return value.tobytes(), done
