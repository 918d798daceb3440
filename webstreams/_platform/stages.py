"""Which stage of a pipeline an error arose in: a note of it travels with the error (``__notes__``)."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

_PREFIX: Final = "in the stage "
# The members of sources, transformers and sinks: a method of such a name is known by the class of its object.
_MEMBERS: Final = frozenset({"start", "pull", "cancel", "transform", "flush", "write", "close", "abort"})


def note_stage(error: object, callback: object, member: str) -> None:
    """Note in an exception that it arose in a callback, unless an earlier stage has noted that; leave others alone.

    An error travels from stage to stage as the same object, and may be raised any number of times: it keeps one note.
    """
    if callback is None or not isinstance(error, BaseException):
        return
    notes = getattr(error, "__notes__", None) or ()
    try:
        if not any(str(note).startswith(_PREFIX) for note in notes):
            error.add_note(f"{_PREFIX}{stage_name(callback)}, in its {member}")
    except Exception:  # an exception class of the user's may allow no attributes: then its place is not known
        return


def stage_name(callback: Any) -> str:
    """Return what a user knows a callback by: its name, or the class of a source, a transformer or a sink."""
    while isinstance(callback, partial):
        callback = callback.func
    if _is_member(callback):
        return stage_name(callback.__self__)
    name = getattr(callback, "stage_name", None) or getattr(callback, "__qualname__", None)
    return name if isinstance(name, str) else type(callback).__qualname__


def _is_member(callback: Any) -> bool:
    owner, function = getattr(callback, "__self__", None), getattr(callback, "__func__", None)
    if owner is None or isinstance(owner, type):
        return False
    if hasattr(owner, "stage_name"):
        return True  # a method of a compiled class has no __func__
    name = "" if function is None else getattr(function, "__name__", "_")
    return name in _MEMBERS or name.startswith("_")
