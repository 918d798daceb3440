"""Whether the code that is interrupted right now is any code at all: a signal handler runs between two instructions."""

from __future__ import annotations

import sys

# So many frames lie between the handler and who asks, at most.
_DEPTH = 4


def is_in_sigint_handler() -> bool:
    """Whether `asyncio.Runner` is cancelling its main task because of Ctrl-C."""
    frame = sys._getframe()
    for _ in range(_DEPTH):
        if frame.f_code.co_name == "_on_sigint":
            return True
        if frame.f_back is None:
            break
        frame = frame.f_back
    return False
