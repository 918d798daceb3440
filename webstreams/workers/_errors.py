"""Errors that cross from one process into another."""

from __future__ import annotations

import pickle
import traceback
from typing import Any, NamedTuple


class RemoteError(Exception):
    """Stands for an exception, or another reason, that cannot be pickled. Its text is the ``repr()`` of that.

    The traceback of the worker is in a note. Not in the Standard.
    """


class WorkerDied(Exception):
    """A worker has ended without a word: it was killed, it has crashed, has called ``exit()``, or has hung at its end.

    `exitcode` is the exit status of the process, ``-N`` if the signal N ended it; None for a thread and an interpreter
    that do not end. Not in the Standard.
    """

    def __init__(self, exitcode: int | None = None) -> None:
        super().__init__(exitcode)
        self.exitcode = exitcode

    def __str__(self) -> str:
        """Say how it ended."""
        if self.exitcode is None:
            return "the worker does not end: a thread cannot be killed"
        how = f"signal {-self.exitcode}" if self.exitcode < 0 else f"exit status {self.exitcode}"
        return f"the worker has ended before its work was done ({how})"


class PackedReason(NamedTuple):
    """A reason on its way: the pickle if there can be one, its `repr()`, and the traceback."""

    pickle: bytes | None
    text: str
    traceback: str


def pack(reason: object) -> PackedReason:
    """Make a reason ready for another process, whatever it is."""
    text = ""
    if isinstance(reason, BaseException) and reason.__traceback__ is not None:
        text = "".join(traceback.format_exception(reason))
    return PackedReason(_pickled(reason), _shown(reason), text)


def unpack(packed: PackedReason) -> Any:
    """Give the reason, with the traceback as a note."""
    reason: Any = RemoteError(packed.text)
    if packed.pickle is not None:
        try:
            reason = pickle.loads(packed.pickle)
        except Exception:
            pass  # this process has not what the other one has: the text tells
    if packed.traceback and isinstance(reason, BaseException):
        reason.add_note(f"In the worker:\n{packed.traceback.rstrip()}")
    return reason


def _pickled(reason: object) -> bytes | None:
    try:
        data = pickle.dumps(reason, protocol=5)
        is_whole = type(pickle.loads(data)) is type(reason)
    except Exception:
        return None
    return data if is_whole else None


def _shown(reason: object) -> str:
    try:
        return repr(reason)
    except Exception:
        return f"<{type(reason).__name__} whose repr() fails>"
