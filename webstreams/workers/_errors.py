"""Errors that cross from one process into another."""

from __future__ import annotations

import json
import pickle
import traceback
from typing import Any, Final

from .._platform.errors import DataError

# The exit status of a program that an exception has ended.
FAILED: Final = 1

HANGING: Final = "the worker does not end: a thread cannot be killed"


class RemoteError(Exception):
    """Stands for an exception, or another reason, that cannot be pickled. Its text is the ``repr()`` of that.

    The traceback of the worker is in a note. Not in the Standard.
    """


class WorkerDied(Exception):
    """A worker has ended without a word: it was killed, it has crashed, has called ``exit()``, or has hung at its end.

    `exitcode` is the exit status of the process, ``-N`` if the signal N ended it; None for a thread and an interpreter
    that do not end, and for the other end of a transferred stream, of which nothing is known. Not in the Standard.
    """

    def __init__(self, exitcode: int | None = None, text: str | None = None) -> None:
        super().__init__(*((exitcode,) if text is None else (exitcode, text)))
        self.exitcode = exitcode
        self._text = HANGING if text is None else text

    def __str__(self) -> str:
        """Say how it ended."""
        if self.exitcode is None:
            return self._text
        how = f"signal {-self.exitcode}" if self.exitcode < 0 else f"exit status {self.exitcode}"
        return f"the worker has ended before its work was done ({how})"


def exit_status(error: SystemExit) -> int:
    """Return the exit status of a program that ends so."""
    return error.code if isinstance(error.code, int) else FAILED if error.code else 0


def pack(reason: object) -> tuple[bytes, bytes | None]:
    """Make a reason ready for another process, whatever it is: what it is in words, and the pickle if there can be one.

    They are apart, so that words can be had of somebody whose pickles are not wanted.
    """
    lines = ""
    if isinstance(reason, BaseException) and reason.__traceback__ is not None:
        lines = "".join(traceback.format_exception(reason))
    return json.dumps([_shown(reason), lines]).encode(), _pickled(reason)


def unpack(words: bytes | bytearray, data: bytes | bytearray | None) -> Any:
    """Return the reason, with the traceback as a note; a `RemoteError` if there is no pickle.

    Raises `DataError` if the words are not those of `pack`.
    """
    try:
        text, lines = json.loads(words)
    except (ValueError, TypeError, RecursionError) as error:
        raise DataError(f"the other end has sent an error whose words cannot be read ({error})") from error
    reason: Any = RemoteError(str(text))
    if data is not None:
        try:
            reason = pickle.loads(data)
        except Exception:
            pass  # this process has not what the other one has: the text tells
    if lines and isinstance(reason, BaseException):
        reason.add_note(f"Where it was raised:\n{str(lines).rstrip()}")
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
