"""What stays in its event loop.

Compiled classes cannot have this base, which is interpreted: they call `refuse_pickling` in a `__reduce__` of theirs.
"""

from __future__ import annotations

from typing import NoReturn


class Staying:
    """A copy of it would share what is behind it, and not hear of what happens to it."""

    __slots__ = ()

    def __reduce__(self) -> NoReturn:
        """Refuse pickling and copying. Raises `TypeError`."""
        refuse_pickling(self)


def refuse_pickling(thing: object) -> NoReturn:
    """Raise the error for pickling or copying a stream or something that belongs to one, with the cure."""
    raise TypeError(
        f"cannot pickle or copy a {type(thing).__name__}: it belongs to this event loop; "
        "webstreams.workers.transfer() sends streams into another thread or process"
    )
