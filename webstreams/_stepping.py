"""Taking one step of a coroutine, without an exception for the caller.

Interpreted code catches exceptions more quickly than compiled code does, which writes a line of a traceback first.
"""

from __future__ import annotations

from collections.abc import Coroutine
from contextvars import Context
from typing import Any, Final

# What a step came to.
YIELDED: Final = 0
RETURNED: Final = 1
RAISED: Final = 2


def first_step(coroutine: Coroutine[Any, Any, Any], context: Context) -> tuple[int, Any] | None:
    """Run a coroutine to its first suspension; None if it has returned None before that."""
    try:
        return YIELDED, context.run(coroutine.send, None)
    except StopIteration as stop:
        return None if stop.value is None else (RETURNED, stop.value)
    except BaseException as error:
        return RAISED, error
