"""Whether a promise that has just given what it is for can be used for the next read: nobody else can look at it.

Making the promise takes an eighth of what a read in a loop takes. Whoever awaits it and keeps nothing of it cannot tell
the next one from a new one, as memory is used again, too. So the references to it are counted, as they are for the
tasks of coroutine callbacks (`coroutine_call`): those that are not from its ``__await__()`` are somebody's.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from sys import getrefcount as _getrefcount
from typing import Any, Final
from weakref import getweakrefcount as _getweakrefcount

from .build import compiled

getrefcount: Final = _getrefcount
getweakrefcount: Final = _getweakrefcount


class _Measured:
    """Counts the references to an object of whose ``__await__()`` only the generator is left."""

    __slots__ = ()

    def __await__(self) -> Generator[int, None, Any]:
        yield _getrefcount(self)


# How many references the generator of ``__await__()`` finds if there are no others. Compiled code counts in another way
# (and makes a promise quickly), and from 3.14 on what is on the stack is not always counted: no promise is used again.
ALONE: Final = 0 if compiled or sys.version_info >= (3, 14) else next(iter(_Measured().__await__()))
