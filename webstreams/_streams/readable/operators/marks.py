"""What stands for "nothing" between the operators."""

from __future__ import annotations

from typing import Final

from ...._debug.repr import Marker
from ...._engine.promise import NEVER_AWAITABLE
from ....types import Skip

# A function of map() returns it to give nothing for a chunk.
SKIP: Final = Skip.SKIP

# The usual types of what functions return, to be told apart from awaitables quickly.
NEVER_AWAITED: Final = NEVER_AWAITABLE | {Skip}

# Nothing is there now: a job will go on.
WAITING: Final = Marker("something that is waited for")
# The input has ended.
ENDED: Final = Marker("the end of an input")
