"""What waits for a result that may be there at once: the source over an async iterator, a chain of operators."""

from __future__ import annotations

from typing import Any

from .._platform.mypyc import trait


@trait
class Fetching:
    """Starts a coroutine of `awaiting`, which puts its result here if it ends while `_is_pulling` is still true."""

    __slots__ = ()

    _is_pulling: bool
    _item: Any
