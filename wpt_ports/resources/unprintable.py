"""An object that cannot be made a string of: upstream's ``{ toString() { throw Error(); } }``."""

from __future__ import annotations


class Unprintable:
    """Raises when it is shown."""

    def __str__(self) -> str:
        raise RuntimeError("not to be shown")

    __repr__ = __str__
