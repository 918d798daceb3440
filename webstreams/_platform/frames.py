"""The frames that an exception holds: a stored error keeps those of its user, and nothing that the library has.

A traceback holds its frames, a frame the frame that called it, and each of them its variables. An error that is stored
would so keep the promises of calls that are long over, and their rejections could not be reported.
"""

from __future__ import annotations

from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR
from opcode import opmap
from types import FrameType, TracebackType
from typing import Final

LIBRARY: Final = __name__.partition(".")[0] + "."
SUSPENDABLE: Final = CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR
_GET_AITER: Final = opmap["GET_AITER"]


def without_library(traceback: TracebackType | None) -> TracebackType | None:
    """Return a traceback without the library's frames; those of its caller stay as they are, in their order."""
    kept: list[TracebackType] = []
    rest = traceback
    while rest is not None:
        if not is_library(rest.tb_frame):
            kept.append(rest)
        rest = rest.tb_next
    result: TracebackType | None = None
    for each in reversed(kept):
        if each.tb_next is not result:
            each = TracebackType(result, each.tb_frame, each.tb_lasti, each.tb_lineno)
        result = each
    return result


def forget_variables(error: BaseException) -> None:
    """Clear the variables of the library's calls that led to an error and are over."""
    frame: FrameType | None = None
    traceback = error.__traceback__
    while traceback is not None:
        frame, traceback = traceback.tb_frame, traceback.tb_next  # the innermost: the others called it
    while frame is not None:
        if is_library(frame) and not frame.f_code.co_flags & SUSPENDABLE:
            try:
                frame.clear()
            except RuntimeError:
                return  # it still runs, and so does what called it
        frame = frame.f_back


def is_library(frame: FrameType) -> bool:
    """Whether a frame runs code of this package."""
    return str(frame.f_globals.get("__name__", "")).startswith(LIBRARY)


def begins_async_for(frame: FrameType) -> bool:
    """Whether a frame is where an ``async for`` asks for its iterator, which nobody but that loop will ever have."""
    return frame.f_code.co_code[frame.f_lasti] == _GET_AITER
